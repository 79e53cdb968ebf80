/* CheckpointHandle: the files of a checkpoint, and what they come to beside a model. */
#include "binding.h"
#include <string.h>

#define FILES(self) (((checkpoint_object *)(self))->c)

static void dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    tare_checkpoint *c = FILES(self);
    Py_BEGIN_ALLOW_THREADS
    tare_checkpoint_free(c);
    Py_END_ALLOW_THREADS
    PyObject_Free(self);
    Py_DECREF(type);
}
PyObject *files_open(PyObject *module, PyObject *args) {
    const char *path;
    tare_checkpoint_options o = {.variant = NULL};
    tare_error err = {0};
    tare_checkpoint *c;
    if (!PyArg_ParseTuple(args, "szz", &path, &o.variant, &o.subfolder)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    c = tare_checkpoint_open(path, &o, &err);
    Py_END_ALLOW_THREADS
    if (!c) return raise_error(&err);
    checkpoint_object *self = PyObject_New(checkpoint_object, state_of(module)->checkpoint);
    if (self) self->c = c;
    else tare_checkpoint_free(c);
    return (PyObject *)self;
}

/* ---- what a model of it is ---- */

static PyObject *model(PyObject *self, PyObject *args) {
    const char *config;
    tare_open_options o = {.class_name = NULL};
    tare_error err = {0};
    tare_model *m;
    int dequantize = 0;
    if (!PyArg_ParseTuple(args, "zzzzz|p", &config, &o.class_name, &o.auto_class, &o.dtype, &o.attn, &dequantize)) return NULL;
    o.dequantize = dequantize != 0;
    Py_BEGIN_ALLOW_THREADS
    m = tare_checkpoint_model(FILES(self), config, &o, &err);
    Py_END_ALLOW_THREADS
    return m ? model_object_new(PyType_GetModuleState(Py_TYPE(self)), m, NULL) : raise_error(&err);
}
static PyObject *dir(PyObject *self, void *nothing) { return (void)nothing, PyUnicode_DecodeFSDefault(tare_checkpoint_dir(FILES(self))); }

/* ---- check ---- */

bool check_options(PyObject *tuple, tare_check_options *o) {
    int like, missing, unexpected, mismatched, data;
    if (!PyArg_ParseTuple(tuple, "pppppzz", &like, &missing, &unexpected, &mismatched, &data, &o->strip_prefix, &o->add_prefix)) return false;
    o->like_transformers = like, o->allow_missing = missing, o->allow_unexpected = unexpected, o->allow_mismatched = mismatched, o->data = data;
    return true;
}
static PyObject *shape_of(int rank, const int64_t *shape) {
    if (rank < 0) return Py_INCREF(Py_None), Py_None;
    PyObject *tuple = PyTuple_New(rank);
    for (int i = 0; tuple && i < rank; i++) {
        PyObject *n = PyLong_FromLongLong(shape[i]);
        if (n) PyTuple_SET_ITEM(tuple, i, n);
        else Py_CLEAR(tuple);
    }
    return tuple;
}
static const char *dtype_of(int rank, tare_dtype dtype) { return rank < 0 || dtype >= TARE_DTYPE_COUNT ? NULL : tare_dtype_torch(dtype); }
/* Names come from files: what is no text there is none here. */
static PyObject *name_of(const char *name) {
    if (!name) return Py_INCREF(Py_None), Py_None;
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}
static PyObject *rows_of(const tare_report *r) {
    const tare_row *rows;
    size_t n = tare_report_rows(r, &rows);
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        const tare_row *row = &rows[i];
        PyObject *tuple = Py_BuildValue("(sNNNNKzNzNN)", tare_row_name(row->kind), PyBool_FromLong(row->wrong), name_of(row->name), name_of(row->key),
                                        name_of(row->file), (unsigned long long)row->keys, dtype_of(row->rank, row->dtype),
                                        shape_of(row->rank, row->shape), dtype_of(row->file_rank, row->file_dtype),
                                        shape_of(row->file_rank, row->file_shape), name_of(row->why));
        if (tuple) PyList_SET_ITEM(list, (Py_ssize_t)i, tuple);
        else Py_CLEAR(list);
    }
    return list;
}
static PyObject *names_of(size_t n, const char *const *names) {
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *name = name_of(names[i]);
        if (name) PyList_SET_ITEM(list, (Py_ssize_t)i, name);
        else Py_CLEAR(list);
    }
    return list;
}
static PyObject *report_text(const tare_report *r) {
    tare_error err = {0};
    text t = {0};
    tare_status status = tare_report_write(r, text_take, &t, &err);
    PyObject *s = text_done(&t);
    if (status == TARE_OK) return s;
    Py_XDECREF(s);
    return raise_error(&err);
}
static PyObject *report_of(const tare_report *r) {
    tare_verdict v;
    const char *const *missing, *const *unexpected, *const *causes;
    size_t missing_n = tare_report_missing(r, &missing), unexpected_n = tare_report_unexpected(r, &unexpected);
    size_t cause_n = tare_report_causes(r, &causes);
    tare_report_verdict(r, &v);
    return Py_BuildValue("{sNsNsNsNsKsKsNsNsNsNsN}", "complete", PyBool_FromLong(v.complete), "damage", PyBool_FromLong(v.damage), "loads",
                         PyBool_FromLong(v.loads), "error", name_of(v.error), "expected", (unsigned long long)v.expected, "found",
                         (unsigned long long)v.found, "rows", rows_of(r), "missing", names_of(missing_n, missing), "unexpected",
                         names_of(unexpected_n, unexpected), "causes", names_of(cause_n, causes), "text", report_text(r));
}
static PyObject *check(PyObject *self, PyObject *args) {
    PyObject *model, *how;
    tare_check_options o = {.data = false};
    tare_error err = {0};
    tare_report *r;
    state *s = PyType_GetModuleState(Py_TYPE(self));
    if (!PyArg_ParseTuple(args, "O!O!", s->model, &model, &PyTuple_Type, &how) || !check_options(how, &o)) return NULL;
    const tare_model *m = ((model_object *)model)->m;
    Py_BEGIN_ALLOW_THREADS
    r = tare_check(m, FILES(self), &o, &err);
    Py_END_ALLOW_THREADS
    if (!r) return raise_error(&err);
    PyObject *report = report_of(r);
    tare_report_free(r);
    return report;
}

/* ---- tensors as they are in the files ---- */

static const tare_stored *stored(PyObject *self, const char *key) {
    const tare_stored *rows;
    size_t n = tare_checkpoint_tensors(FILES(self), &rows);
    const tare_stored *found = NULL;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].key, key)) found = &rows[i]; /* of a key that two files hold the later one counts */
    return found;
}
static PyObject *tensors(PyObject *self, PyObject *nothing) {
    const tare_stored *rows;
    size_t n;
    (void)nothing;
    Py_BEGIN_ALLOW_THREADS
    n = tare_checkpoint_tensors(FILES(self), &rows);
    Py_END_ALLOW_THREADS
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *row = Py_BuildValue("(NzNK)", name_of(rows[i].key), dtype_of(rows[i].rank, rows[i].dtype), shape_of(rows[i].rank, rows[i].shape),
                                      (unsigned long long)rows[i].bytes);
        if (row) PyList_SET_ITEM(list, (Py_ssize_t)i, row);
        else Py_CLEAR(list);
    }
    return list;
}
static PyObject *read_tensor(PyObject *self, PyObject *args) {
    const char *key;
    tare_error err = {0};
    tare_status status;
    if (!PyArg_ParseTuple(args, "s", &key)) return NULL;
    const tare_stored *t = stored(self, key);
    if (!t) return PyErr_Format(PyExc_KeyError, "%s", key);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)t->bytes);
    if (!bytes) return NULL;
    char *to = PyBytes_AS_STRING(bytes);
    Py_BEGIN_ALLOW_THREADS
    status = tare_checkpoint_read(FILES(self), t, 0, to, (size_t)t->bytes, &err);
    Py_END_ALLOW_THREADS
    if (status == TARE_OK) return bytes;
    Py_DECREF(bytes);
    return raise_error(&err);
}

static PyMethodDef methods[] = {
    {"tensors", tensors, METH_NOARGS, "The tensors of the files: key, dtype, shape, bytes."},
    {"read", read_tensor, METH_VARARGS, "The bytes of a tensor, by its key."},
    {"check", check, METH_VARARGS, "What the files come to beside a ModelHandle: (model, options)."},
    {"model", model, METH_VARARGS, "The empty model to load into: (config or None for that of the folder, class, auto class, dtype, attention)."},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef getters[] = {{"dir", dir, NULL, "The folder that config and weights are in.", NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot slots[] = {{Py_tp_dealloc, AS_SLOT(dealloc)}, {Py_tp_methods, methods}, {Py_tp_getset, getters}, {0, NULL}};
PyType_Spec checkpoint_spec = {
    .name = "tare._tare.CheckpointHandle", .basicsize = sizeof(checkpoint_object), .flags = Py_TPFLAGS_DEFAULT, .slots = slots,
};
