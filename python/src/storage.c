/* The weights of a model: where they are, and drawing them when somebody looks. */
#include "binding.h"
#include <stdatomic.h>
#include <string.h>
#include <time.h>

storage *storage_new(tare_weights *w) {
    storage *s = PyMem_RawMalloc(sizeof *s);
    if (!s) return tare_weights_free(w), PyErr_NoMemory(), NULL;
    atomic_init(&s->users, 1);
    s->w = w;
    return s;
}
storage *storage_keep(storage *s) { return atomic_fetch_add(&s->users, 1), s; }
void storage_drop(storage *s) {
    if (!s || atomic_fetch_sub(&s->users, 1) > 1) return;
    tare_weights_free(s->w);
    PyMem_RawFree(s);
}

/* ---- long work ---- */

enum { ASK_AFTER = 50 };
static int64_t milliseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
/* Signals are for the thread that waits: threads of the library know no interpreter. */
static bool go_on(void *to, uint64_t done, uint64_t all) {
    patience *p = to;
    (void)done, (void)all;
    if (PyThread_get_thread_ident() != p->id || milliseconds() - p->asked < ASK_AFTER) return true;
    PyEval_RestoreThread(p->thread);
    p->raised = PyErr_CheckSignals() < 0;
    p->thread = PyEval_SaveThread();
    p->asked = milliseconds();
    return !p->raised;
}
void patience_begin(patience *p) {
    *p = (patience){.id = PyThread_get_thread_ident(), .asked = milliseconds(), .how = {.progress = go_on, .progress_to = p}};
    p->thread = PyEval_SaveThread();
}
bool patience_end(patience *p) {
    PyEval_RestoreThread(p->thread);
    return !p->raised;
}

/* ---- a model's weights ---- */

static place place_named(const char *name) { return !strcmp(name, "meta") ? PLACE_META : !strcmp(name, "cpu") ? PLACE_HERE : PLACE_ELSEWHERE; }
PyObject *model_hold(PyObject *self, PyObject *args) {
    model_object *m = (model_object *)self;
    const char *places[2];
    PyObject *start;
    if (!PyArg_ParseTuple(args, "ssO", &places[0], &places[1], &start)) return NULL;
    for (int i = 0; i < 2; i++) m->places[i] = place_named(places[i]);
    PyObject *before = m->start;
    m->start = start == Py_None ? NULL : kept(start);
    Py_XDECREF(before);
    Py_RETURN_NONE;
}
/* Calls start(), which may settle the models before this one, and makes room. Another thread may have been faster. */
static bool begin(model_object *m) {
    state *s = PyType_GetModuleState(Py_TYPE(m));
    PyObject *start = kept(m->start), *g = start ? PyObject_CallNoArgs(start) : NULL;
    Py_XDECREF(start);
    tare_init_options o = {.from = g ? generator_of(s, g) : NULL};
    tare_error err = {0};
    if (m->held || PyErr_Occurred()) return Py_XDECREF(g), m->held != NULL && !PyErr_Occurred();
    tare_weights *w;
    Py_BEGIN_ALLOW_THREADS
    w = tare_init_later(m->m, &o, &err);
    Py_END_ALLOW_THREADS
    Py_XDECREF(g);
    storage *made = w ? storage_new(w) : NULL;
    if (!w) raise_error(&err);
    if (!made) return false;
    if (m->held) storage_drop(made);
    else {
        m->held = made;
        Py_CLEAR(m->start);
    }
    return true;
}
/* With the weights kept meanwhile. */
static bool make(model_object *m, const tare_item *const *tensors, size_t n) {
    patience p;
    tare_error err = {0};
    patience_begin(&p);
    tare_status status = tare_weights_need(m->held->w, tensors, n, &p.how, &err);
    if (!patience_end(&p)) return false;
    return status == TARE_OK || (raise_error(&err), false);
}
static bool refuse(const model_object *m, const tare_item *item, place where) {
    const char *of = tare_model_class(m->m);
    if (where == PLACE_META)
        PyErr_Format(PyExc_NotImplementedError, "%s of %s lies on the meta device: it has a shape and no values. Build the model outside of "
                     "init_empty_weights() and device(\"meta\"), or load its weights", item->path, of);
    else PyErr_Format(PyExc_NotImplementedError, "%s of %s is not in this machine's memory, the only place where tare draws weights: build the "
                      "model on the device \"cpu\"", item->path, of);
    return false;
}
static bool is_here(const model_object *m, const tare_item *item) {
    place where = m->places[item->kind == TARE_BUFFER];
    return where == PLACE_HERE || refuse(m, item, where);
}
PyObject *model_draw(PyObject *self, PyObject *nothing) {
    model_object *m = (model_object *)self;
    (void)nothing;
    if (m->places[0] != PLACE_HERE || m->places[1] != PLACE_HERE)
        return PyErr_Format(PyExc_NotImplementedError, "%s is empty: parts of it lie on the meta device", tare_model_class(m->m));
    if (!m->held && !begin(m)) return NULL;
    if (!make(m, NULL, 0)) return NULL;
    Py_RETURN_NONE;
}
PyObject *model_is_drawn(PyObject *self, void *nothing) { return (void)nothing, PyBool_FromLong(((model_object *)self)->held != NULL); }

/* ---- a tensor of it ---- */

static model_object *model_of(PyObject *tensor) { return (model_object *)((tensor_object *)tensor)->model; }
tare_item tensor_item(PyObject *tensor) {
    tare_item item = *((tensor_object *)tensor)->item;
    if (model_of(tensor)->held) tare_weights_item(model_of(tensor)->held->w, ((tensor_object *)tensor)->item, &item);
    return item;
}
void *tensor_data(PyObject *tensor, storage **held) {
    model_object *m = model_of(tensor);
    const tare_item *item = ((tensor_object *)tensor)->item;
    if (!is_here(m, item) || (!m->held && !begin(m)) || !make(m, &item, 1)) return NULL;
    void *data = tare_weights_data(m->held->w, item);
    if (!data) return PyErr_Format(PyExc_NotImplementedError, "%s of %s was not loaded", item->path, tare_model_class(m->m)), NULL;
    *held = storage_keep(m->held);
    return data;
}
