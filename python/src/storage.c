/* The weights of a model: where they are, and drawing them when somebody looks. */
#include "binding.h"
#include <stdatomic.h>
#include <string.h>
#include <time.h>

storage *storage_new(tare_weights *w, tare_window *window) {
    storage *s = PyMem_RawMalloc(sizeof *s);
    if (!s) return tare_weights_free(w), tare_window_free(window), PyErr_NoMemory(), NULL;
    atomic_init(&s->users, 1);
    s->w = w, s->window = window, s->fresh = false, s->under = NULL;
    return s;
}
storage *storage_keep(storage *s) { return atomic_fetch_add(&s->users, 1), s; }
void storage_drop(storage *s) {
    while (s && atomic_fetch_sub(&s->users, 1) == 1) {
        storage *under = s->under;
        tare_weights_free(s->w);
        tare_window_free(s->window);
        PyMem_RawFree(s);
        s = under;
    }
}
const storage *storage_of(const model_object *m, const storage *s, const tare_item *tensor, void **data, tare_item *as_held) {
    for (; s; s = s->under) {
        if (s->fresh && m->places[tensor->kind == TARE_BUFFER] != PLACE_HERE) continue;
        if (s->window) *data = tare_window_data(s->window, tensor, as_held);
        else *data = tare_weights_item(s->w, tensor, as_held) ? tare_weights_data(s->w, tensor) : NULL;
        if (*data) return s;
    }
    return NULL;
}

/* ---- long work ---- */

enum { ASK_AFTER = 50, SHOW_AFTER = 500 };
static int64_t milliseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
/* tare._progress says whether there is anybody to see a bar. */
static bool show(patience *p, uint64_t done, uint64_t all) {
    if (!p->bar && p->asked - p->began >= SHOW_AFTER) {
        PyObject *module = PyImport_ImportModule("tare._progress");
        p->bar = module ? PyObject_CallMethod(module, "bar", "ssK", p->what, p->of, (unsigned long long)all) : NULL;
        Py_XDECREF(module);
        if (!p->bar) return false;
    }
    if (!p->bar || p->bar == Py_None) return true;
    PyObject *shown = PyObject_CallMethod(p->bar, "to", "K", (unsigned long long)done);
    Py_XDECREF(shown);
    return shown != NULL;
}
/* Signals are for the thread that waits: threads of the library know no interpreter. */
static bool go_on(void *to, uint64_t done, uint64_t all) {
    patience *p = to;
    if (PyThread_get_thread_ident() != p->id || (milliseconds() - p->asked < ASK_AFTER && (done < all || !p->bar))) return true;
    PyEval_RestoreThread(p->thread);
    p->asked = milliseconds();
    p->raised = PyErr_CheckSignals() < 0 || (p->what && !show(p, done, all));
    p->thread = PyEval_SaveThread();
    return !p->raised;
}
void patience_begin(patience *p, const char *what, const tare_model *m) {
    *p = (patience){.id = PyThread_get_thread_ident(), .began = milliseconds(), .what = what, .of = tare_model_class(m),
                    .how = {.progress = go_on, .progress_to = p}};
    p->asked = p->began;
    p->thread = PyEval_SaveThread();
}
bool patience_end(patience *p) {
    PyEval_RestoreThread(p->thread);
    if (p->bar && p->bar != Py_None && !p->raised) { /* else it closes as it goes */
        PyObject *closed = PyObject_CallMethod(p->bar, "close", NULL);
        p->raised = !closed;
        Py_XDECREF(closed);
    }
    Py_XDECREF(p->bar);
    return !p->raised;
}

/* ---- a model's weights ---- */

static place place_named(const char *name) {
    if (!strcmp(name, "meta")) return PLACE_META;
    return !strcmp(name, "cpu") || !strncmp(name, "cpu:", 4) ? PLACE_HERE : PLACE_ELSEWHERE;
}
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
    storage *made = w ? storage_new(w, NULL) : NULL;
    if (!w) raise_error(&err);
    if (!made) return false;
    if (m->held) storage_drop(made);
    else {
        made->fresh = true;
        m->held = made;
        Py_CLEAR(m->start);
    }
    return true;
}
/* With the weights kept meanwhile. */
static bool make(model_object *m, const storage *s, const tare_item *const *tensors, size_t n) {
    patience p;
    tare_error err = {0};
    m->drawn = true;
    patience_begin(&p, "drawing", m->m);
    tare_status status = s->w ? tare_weights_need(s->w, tensors, n, &p.how, &err) : TARE_OK;
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
PyObject *model_draw(PyObject *self, PyObject *nothing) {
    model_object *m = (model_object *)self;
    (void)nothing;
    if (m->places[0] != PLACE_HERE || m->places[1] != PLACE_HERE)
        return PyErr_Format(PyExc_NotImplementedError, "%s is empty: parts of it lie on the meta device", tare_model_class(m->m));
    if (!m->held && !begin(m)) return NULL;
    storage *held = storage_keep(m->held);
    bool made = make(m, held, NULL, 0);
    storage_drop(held);
    if (!made) return NULL;
    Py_RETURN_NONE;
}
PyObject *model_is_drawn(PyObject *self, void *nothing) { return (void)nothing, PyBool_FromLong(((model_object *)self)->drawn); }

/* ---- a tensor of it ---- */

static model_object *model_of(PyObject *tensor) { return (model_object *)((tensor_object *)tensor)->model; }
tare_item tensor_item(PyObject *tensor) {
    void *data;
    tare_item item = *((tensor_object *)tensor)->item, held;
    return storage_of(model_of(tensor), model_of(tensor)->held, ((tensor_object *)tensor)->item, &data, &held) ? held : item;
}
PyObject *tensor_is_held(PyObject *tensor, void *nothing) {
    void *data;
    tare_item held;
    (void)nothing;
    return PyBool_FromLong(storage_of(model_of(tensor), model_of(tensor)->held, ((tensor_object *)tensor)->item, &data, &held) != NULL);
}
void *tensor_room(PyObject *tensor, storage **held) {
    model_object *m = model_of(tensor);
    const tare_item *item = ((tensor_object *)tensor)->item;
    void *data;
    tare_item as_held;
    const storage *s = storage_of(m, m->held, item, &data, &as_held);
    place where = m->places[item->kind == TARE_BUFFER];
    if (!s && where != PLACE_HERE) return refuse(m, item, where), NULL;
    if (!s && begin(m)) s = storage_of(m, m->held, item, &data, &as_held);
    if (!s) return PyErr_Occurred() ? NULL : (PyErr_Format(PyExc_NotImplementedError, "%s was not loaded", item->path), NULL);
    *held = storage_keep(m->held); /* another thread may load others meanwhile */
    return data;
}
void *tensor_data(PyObject *tensor, storage **held) {
    const tare_item *item = ((tensor_object *)tensor)->item;
    void *data = tensor_room(tensor, held);
    tare_item as_held;
    const storage *s = data ? storage_of(model_of(tensor), *held, item, &data, &as_held) : NULL;
    if (!s || make(model_of(tensor), s, &item, 1)) return data;
    storage_drop(*held);
    return NULL;
}
