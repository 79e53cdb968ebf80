/* Weights out of checkpoints: all or some at once, over those that are there, layer by layer. */
#include "binding.h"
#include <stdatomic.h>
#include <string.h>

PyObject *model_part(PyObject *self, PyObject *nothing) {
    (void)nothing;
    const model_object *m = (model_object *)self;
    PyObject *owner = m->owner ? m->owner : self;
    model_object *part = (model_object *)model_object_new(PyType_GetModuleState(Py_TYPE(self)), m->m, owner);
    if (part && m->held) part->held = storage_keep(m->held);
    return (PyObject *)part;
}
PyObject *model_users(PyObject *self, void *nothing) {
    (void)nothing;
    const storage *s = ((model_object *)self)->held;
    return PyLong_FromSize_t(s ? atomic_load(&s->users) : 0);
}

/* ---- all or some at once ---- */

PyObject *model_load(PyObject *self, PyObject *args) {
    model_object *m = (model_object *)self;
    PyObject *files, *how, *list;
    int mapped, alone;
    unsigned long long seed;
    tare_load_options o = {.odd = NULL};
    const char **only;
    tare_error err = {0};
    patience p;
    state *s = PyType_GetModuleState(Py_TYPE(self));
    if (!PyArg_ParseTuple(args, "O!O!OzzpKp", s->checkpoint, &files, &PyTuple_Type, &how, &list, &o.device_map, &o.device, &mapped, &seed, &alone) ||
        !check_options(how, &o.check) || !words_of(list, &only))
        return NULL;
    o.only = only, o.io = mapped ? TARE_IO_MAP : TARE_IO_READ, o.seed = seed;
    patience_begin(&p, "loading", m->m);
    o.progress = p.how.progress, o.progress_to = &p;
    tare_weights *w = tare_load(m->m, ((checkpoint_object *)files)->c, &o, &err);
    bool calm = patience_end(&p);
    PyMem_Free(only);
    if (!w) return calm ? raise_error(&err) : NULL;
    storage *made = storage_new(w, NULL), *before = m->held;
    if (!made) return NULL;
    if (!alone) made->under = before;
    m->held = made, m->drawn = true;
    Py_CLEAR(m->start);
    if (alone) storage_drop(before);
    Py_RETURN_NONE;
}

static bool holds_all(const model_object *m) {
    if (!m->held || !m->held->w) return false;
    for (size_t i = 0, n = tare_tensor_count(m->m); i < n; i++) {
        tare_item held;
        if (!tare_weights_item(m->held->w, tare_tensor_at(m->m, i), &held)) return false;
    }
    return true;
}
/* Into a folder, all of them; the model has drawn what was not there. */
PyObject *model_save(PyObject *self, PyObject *args) {
    model_object *m = (model_object *)self;
    const char *folder, *size;
    tare_save_options how = {.force = true};
    tare_error err = {0};
    patience p;
    if (!PyArg_ParseTuple(args, "ss", &folder, &size)) return NULL;
    if (tare_size_parse(size, &how.max_shard_bytes) != TARE_OK)
        return PyErr_Format(PyExc_ValueError, "max_shard_size is a number of bytes or a size such as 5GB, not %s", size);
    if (!holds_all(m))
        return PyErr_Format(PyExc_NotImplementedError, "%s was loaded in parts, which are not saved: from_pretrained() loads it whole",
                            tare_model_class(m->m));
    storage *held = storage_keep(m->held);
    patience_begin(&p, "saving", m->m);
    how.progress = p.how.progress, how.progress_to = &p;
    tare_status status = tare_save(m->m, held->w, folder, &how, &err);
    storage_drop(held);
    if (!patience_end(&p)) return NULL;
    if (status != TARE_OK) return raise_error(&err);
    Py_RETURN_NONE;
}

/* ---- over those that are there ---- */

typedef struct over { const model_object *m; const storage *held; const char *refused; } over;
static void *memory_of(void *to, const tare_item *tensor, uint64_t n) {
    over *v = to;
    void *data;
    tare_item held;
    const tare_item *own = tare_tensor_find(v->m->m, tensor->path);
    uint64_t bytes = tare_dtype_bytes(tensor->dtype);
    for (int i = 0; i < tensor->rank; i++) bytes *= (uint64_t)tensor->shape[i];
    if (own && storage_of(v->m, v->held, own, &data, &held) && held.dtype == tensor->dtype && bytes == n) return data;
    v->refused = own ? own->path : "";
    return NULL;
}
static bool no_piece(void *to, const tare_item *tensor, uint64_t first, const void *bytes, size_t n) {
    (void)tensor, (void)first, (void)bytes, (void)n;
    return !((over *)to)->refused;
}
PyObject *model_load_over(PyObject *self, PyObject *args) {
    model_object *m = (model_object *)self;
    PyObject *files, *how, *list;
    tare_load_options o = {.odd = NULL};
    const char **only;
    tare_error err = {0};
    patience p;
    state *s = PyType_GetModuleState(Py_TYPE(self));
    if (!PyArg_ParseTuple(args, "O!O!O", s->checkpoint, &files, &PyTuple_Type, &how, &list) || !check_options(how, &o.check) ||
        !words_of(list, &only))
        return NULL;
    storage *held = m->held ? storage_keep(m->held) : NULL;
    over v = {.m = m, .held = held};
    tare_receiver receiver = {.memory = memory_of, .piece = no_piece, .to = &v};
    o.only = only;
    patience_begin(&p, "loading", m->m);
    o.progress = p.how.progress, o.progress_to = &p;
    tare_status status = tare_load_to(m->m, ((checkpoint_object *)files)->c, &o, &receiver, &err);
    storage_drop(held);
    bool calm = patience_end(&p);
    PyMem_Free(only);
    if (!calm) return NULL;
    if (v.refused) return PyErr_Format(PyExc_ValueError, "%s would be loaded in another dtype than it is held in", v.refused);
    if (status != TARE_OK) return raise_error(&err);
    Py_RETURN_NONE;
}

/* ---- layer by layer ---- */

static PyObject *units_of(const tare_window *w) {
    const tare_unit *u;
    size_t n = tare_window_units(w, &u);
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *row = Py_BuildValue("(szK)", u[i].path, u[i].class_name, (unsigned long long)u[i].bytes);
        if (row) PyList_SET_ITEM(list, (Py_ssize_t)i, row);
        else Py_CLEAR(list);
    }
    return list;
}
PyObject *model_window(PyObject *self, PyObject *args) {
    model_object *m = (model_object *)self;
    PyObject *files, *how;
    tare_load_options o = {.odd = NULL};
    tare_error err = {0};
    tare_window *w;
    state *s = PyType_GetModuleState(Py_TYPE(self));
    if (!PyArg_ParseTuple(args, "O!O!K", s->checkpoint, &files, &PyTuple_Type, &how, &o.seed) || !check_options(how, &o.check)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    w = tare_window_open(m->m, ((checkpoint_object *)files)->c, &o, &err);
    Py_END_ALLOW_THREADS
    if (!w) return raise_error(&err);
    storage *made = storage_new(NULL, w);
    if (!made) return NULL;
    storage_drop(m->held);
    m->held = made;
    return units_of(w);
}
/* Of a storage that nobody else uses: what is seen does not change. */
PyObject *model_window_load(PyObject *self, PyObject *unit) {
    model_object *m = (model_object *)self;
    size_t i = PyLong_AsSize_t(unit);
    tare_error err = {0};
    tare_status status;
    if (PyErr_Occurred()) return NULL;
    if (!m->held || !m->held->window || atomic_load(&m->held->users) != 1)
        return PyErr_SetString(PyExc_BufferError, "the layer before is still in use"), NULL;
    tare_window *w = m->held->window;
    Py_BEGIN_ALLOW_THREADS
    status = tare_window_load(w, i, &err);
    Py_END_ALLOW_THREADS
    if (status != TARE_OK) return raise_error(&err);
    Py_RETURN_NONE;
}
