/* ModelHandle: a model of the library. */
#include "binding.h"
#include <string.h>

static void dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    model_object *o = (model_object *)self;
    Py_CLEAR(o->start);
    Py_BEGIN_ALLOW_THREADS
    storage_drop(o->held);
    if (!o->owner) tare_model_free(o->m);
    Py_END_ALLOW_THREADS
    Py_XDECREF(o->owner);
    PyObject_Free(self);
    Py_DECREF(type);
}
#define MODEL(self) (((model_object *)(self))->m)

PyObject *model_object_new(state *s, tare_model *m, PyObject *owner) {
    model_object *self = PyObject_New(model_object, s->model);
    if (!self) return owner ? NULL : (tare_model_free(m), NULL);
    self->m = m;
    self->held = NULL, self->start = NULL, self->drawn = false, self->owner = owner;
    Py_XINCREF(owner);
    self->places[0] = self->places[1] = PLACE_META;
    return (PyObject *)self;
}
PyObject *model_make(PyObject *module, PyObject *args, PyObject *named) {
    static const char *const names[] = {"config", "class_name", "auto_class", "dtype", "attn", "host", "plain", NULL};
    PyObject *config, *texts[5] = {NULL};
    int plain = 0;
    tare_open_options o = {0};
    tare_error err = {0};
    tare_model *m;
    state *s = state_of(module);
    if (!PyArg_ParseTupleAndKeywords(args, named, "O!|OOOOOp", (char **)names, s->config, &config, &texts[0], &texts[1], &texts[2],
                                     &texts[3], &texts[4], &plain) ||
        !option_text(texts[0], &o.class_name) || !option_text(texts[1], &o.auto_class) || !option_text(texts[2], &o.dtype) ||
        !option_text(texts[3], &o.attn) || !option_text(texts[4], &o.host))
        return NULL;
    o.plain = plain != 0;
    tare_config *c = ((config_object *)config)->c;
    Py_BEGIN_ALLOW_THREADS
    m = tare_model_make(c, &o, &err);
    Py_END_ALLOW_THREADS
    return m ? model_object_new(s, m, NULL) : raise_error(&err);
}

/* ---- texts ---- */

typedef struct text_name { const char *name; tare_text what; } text_name;
static const text_name texts[] = {
    {"print", TARE_TEXT_PRINT}, {"tree", TARE_TEXT_TREE}, {"facts", TARE_TEXT_FACTS}, {"config", TARE_TEXT_CONFIG},
    {"saved_config", TARE_TEXT_SAVED_CONFIG}, {"saved_generation", TARE_TEXT_SAVED_GENERATION},
};
static bool which_text(PyObject *name, tare_text *what) {
    const char *word = PyUnicode_AsUTF8(name);
    if (!word) return false;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(texts[i].name, word)) return *what = texts[i].what, true;
    return PyErr_Format(PyExc_ValueError, "there is no text \"%s\" of a model", word), false;
}
static PyObject *text_of(PyObject *self, PyObject *name) {
    tare_text what;
    tare_error err = {0};
    text t = {0};
    tare_status status;
    if (!which_text(name, &what)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = tare_model_write(MODEL(self), what, text_take, &t, &err);
    Py_END_ALLOW_THREADS
    PyObject *s = text_done(&t);
    if (status == TARE_OK) return s;
    Py_XDECREF(s);
    return raise_error(&err);
}
static PyObject *digest(PyObject *self, PyObject *name) {
    tare_text what;
    tare_error err = {0};
    char hex[65];
    tare_status status;
    if (!which_text(name, &what)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = tare_model_digest(MODEL(self), what, hex, &err);
    Py_END_ALLOW_THREADS
    return status == TARE_OK ? PyUnicode_FromString(hex) : raise_error(&err);
}
static PyObject *module_text(PyObject *self, PyObject *index) {
    tare_error err = {0};
    text t = {0};
    tare_status status;
    size_t i = PyLong_AsSize_t(index);
    if (PyErr_Occurred()) return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = tare_module_write(MODEL(self), i, text_take, &t, &err);
    Py_END_ALLOW_THREADS
    PyObject *s = text_done(&t);
    if (status == TARE_OK) return s;
    Py_XDECREF(s);
    return raise_error(&err);
}

/* ---- the tree ---- */

/* None and out of memory look alike to the library's lists: a model always has a module. */
static bool listed(PyObject *self) {
    size_t n;
    Py_BEGIN_ALLOW_THREADS
    n = tare_module_count(MODEL(self));
    Py_END_ALLOW_THREADS
    if (!n) PyErr_NoMemory();
    return n != 0;
}
static PyObject *modules(PyObject *self, PyObject *nothing) {
    (void)nothing;
    if (!listed(self)) return NULL;
    size_t n = tare_module_count(MODEL(self));
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        const tare_item *m = tare_module_at(MODEL(self), i);
        PyObject *row = Py_BuildValue("(szzz)", m->path, m->class_name, m->torch_class, m->owner);
        if (row) PyList_SET_ITEM(list, (Py_ssize_t)i, row);
        else Py_CLEAR(list);
    }
    return list;
}
/* Below a path, in walk order; what is called PATH is below it too. */
static bool is_below(const char *path, const char *prefix, size_t n) { return !n || (!strncmp(path, prefix, n) && path[n] == '.'); }

static PyObject *tensors(PyObject *self, PyObject *args) {
    const char *prefix;
    Py_ssize_t n;
    PyTypeObject *of[2];
    if (!PyArg_ParseTuple(args, "s#O!O!", &prefix, &n, &PyType_Type, &of[0], &PyType_Type, &of[1]) || !listed(self)) return NULL;
    state *s = PyType_GetModuleState(Py_TYPE(self));
    PyObject *list = PyList_New(0);
    size_t all = tare_tensor_count(MODEL(self));
    for (size_t i = 0; list && i < all; i++) {
        const tare_item *item = tare_tensor_at(MODEL(self), i);
        if (!is_below(item->path, prefix, (size_t)n)) continue;
        PyObject *t = tensor_object_new(s, of[item->kind == TARE_BUFFER], self, item);
        if (!t || PyList_Append(list, t)) Py_CLEAR(list);
        Py_XDECREF(t);
    }
    return list;
}
static PyObject *find(PyObject *self, PyObject *args) {
    const char *path;
    PyTypeObject *of[2];
    if (!PyArg_ParseTuple(args, "sO!O!", &path, &PyType_Type, &of[0], &PyType_Type, &of[1]) || !listed(self)) return NULL;
    const tare_item *item = tare_tensor_find(MODEL(self), path);
    if (item) return tensor_object_new(PyType_GetModuleState(Py_TYPE(self)), of[item->kind == TARE_BUFFER], self, item);
    Py_RETURN_NONE;
}
static PyObject *config(PyObject *self, PyObject *nothing) {
    (void)nothing;
    tare_error err = {0};
    tare_config *c = tare_config_copy(tare_model_config(MODEL(self)), &err);
    return c ? config_object_new(PyType_GetModuleState(Py_TYPE(self)), c, NULL) : raise_error(&err);
}
static PyObject *counts(PyObject *self, PyObject *nothing) {
    (void)nothing;
    tare_counts c;
    tare_model_count(MODEL(self), &c);
    return Py_BuildValue("{sKsKsKsKsKsKsK}", "total", (unsigned long long)c.total, "trainable", (unsigned long long)c.trainable, "with_ties",
                         (unsigned long long)c.with_ties, "embedding", (unsigned long long)c.embedding, "active", (unsigned long long)c.active,
                         "tensors", (unsigned long long)c.tensors, "modules", (unsigned long long)c.modules);
}
static PyObject *attention(PyObject *self, PyObject *nothing) {
    (void)nothing;
    const tare_attn_row *rows;
    size_t n;
    Py_BEGIN_ALLOW_THREADS
    n = tare_model_attn(MODEL(self), &rows);
    Py_END_ALLOW_THREADS
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *row = Py_BuildValue("(ssNNz)", rows[i].part, rows[i].name, PyBool_FromLong(rows[i].supported), PyBool_FromLong(rows[i].chosen),
                                      rows[i].why);
        if (row) PyList_SET_ITEM(list, (Py_ssize_t)i, row);
        else Py_CLEAR(list);
    }
    return list;
}
static PyObject *class_name(PyObject *self, void *nothing) {
    (void)nothing;
    return PyUnicode_FromString(tare_model_class(MODEL(self)));
}
static PyObject *dtype(PyObject *self, void *nothing) {
    (void)nothing;
    return PyUnicode_FromString(tare_dtype_torch(tare_model_dtype(MODEL(self))));
}
static PyObject *has_own_config(PyObject *self, void *nothing) { return (void)nothing, PyBool_FromLong(tare_model_has_own_config(MODEL(self))); }
static PyObject *note(PyObject *self, void *nothing) {
    (void)nothing;
    return Py_BuildValue("z", tare_model_note(MODEL(self)));
}

static PyMethodDef methods[] = {
    {"text", text_of, METH_O, "One of the model's texts: print, tree, facts, config, saved_config, saved_generation."},
    {"digest", digest, METH_O, "sha256 of such a text."},
    {"module_text", module_text, METH_O, "print() of a module, by its index."},
    {"modules", modules, METH_NOARGS, "Every module in walk order: path, class, class of torch, first path of a shared one."},
    {"tensors", tensors, METH_VARARGS, "The tensors below a path, as objects of the two classes that are given, for parameters and buffers."},
    {"find", find, METH_VARARGS, "The tensor of that path, or None."},
    {"config", config, METH_NOARGS, "A copy of the config that the model was built from, with what it chose."},
    {"counts", counts, METH_NOARGS, "What the tree adds up to."},
    {"attention", attention, METH_NOARGS, "Attention implementations: part, name, supported, chosen, why."},
    {"hold", model_hold, METH_VARARGS, "Gives it weights: where parameters and buffers lie, and what makes the generator that draws them."},
    {"part", model_part, METH_NOARGS, "A second view of the model, with weights of its own; it begins with those that are held."},
    {"load", model_load, METH_VARARGS, "Loads weights: (checkpoint, how, only, device map, device, mapped, seed, in place of all others)."},
    {"save", model_save, METH_VARARGS, "Writes a checkpoint: (folder, largest file as a size)."},
    {"load_over", model_load_over, METH_VARARGS, "Loads into the memory that is held: (checkpoint, how, only)."},
    {"window", model_window, METH_VARARGS, "Loads layer by layer, (checkpoint, how): the layers as (path, class, bytes)."},
    {"window_load", model_window_load, METH_O, "Loads the layer of that number in place of the one before."},
    {"draw", model_draw, METH_NOARGS, "Draws all weights that are not there yet."},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef getters[] = {
    {"users", model_users, NULL, "How many views and tensors share the memory that is held.", NULL},
    {"is_drawn", model_is_drawn, NULL, "Whether anybody has looked at a value, or it was loaded.", NULL},
    {"class_name", class_name, NULL, "The model class.", NULL},
    {"dtype", dtype, NULL, "The dtype of the first floating parameter, as torch names it.", NULL},
    {"has_own_config", has_own_config, NULL, "Its constructor changes a copy of the config that it is given.", NULL},
    {"note", note, NULL, "A remark on how the class was chosen, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot slots[] = {{Py_tp_dealloc, AS_SLOT(dealloc)}, {Py_tp_methods, methods}, {Py_tp_getset, getters}, {0, NULL}};
PyType_Spec model_spec = {.name = "tare._tare.ModelHandle", .basicsize = sizeof(model_object), .flags = Py_TPFLAGS_DEFAULT, .slots = slots};
