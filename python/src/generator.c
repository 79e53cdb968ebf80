/* GeneratorHandle: a place in torch's stream of random numbers. */
#include "binding.h"

typedef struct generator_object {
    PyObject_HEAD
    tare_generator *g;
} generator_object;
#define GENERATOR(self) (((generator_object *)(self))->g)

static void dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    tare_generator_free(GENERATOR(self));
    PyObject_Free(self);
    Py_DECREF(type);
}
static PyObject *taken(state *s, tare_generator *g, const tare_error *err) {
    if (!g) return raise_error(err);
    generator_object *self = PyObject_New(generator_object, s->generator);
    if (self) self->g = g;
    else tare_generator_free(g);
    return (PyObject *)self;
}
PyObject *generator_new(PyObject *module, PyObject *seed) {
    tare_error err = {0};
    unsigned long long n = PyLong_AsUnsignedLongLong(seed);
    if (PyErr_Occurred()) return NULL;
    return taken(state_of(module), tare_generator_new(n, &err), &err);
}
PyObject *generator_load(PyObject *module, PyObject *bytes) {
    tare_error err = {0};
    char *data;
    Py_ssize_t n;
    if (PyBytes_AsStringAndSize(bytes, &data, &n)) return NULL;
    return taken(state_of(module), tare_generator_load(data, (size_t)n, &err), &err);
}
tare_generator *generator_of(state *s, PyObject *o) {
    if (Py_TYPE(o) == s->generator) return GENERATOR(o);
    return PyErr_Format(PyExc_TypeError, "a generator is needed here, not a %.100s", Py_TYPE(o)->tp_name), NULL;
}

static PyObject *copy(PyObject *self, PyObject *nothing) {
    (void)nothing;
    tare_error err = {0};
    return taken(PyType_GetModuleState(Py_TYPE(self)), tare_generator_copy(GENERATOR(self), &err), &err);
}
static PyObject *pass(PyObject *self, PyObject *model) {
    state *s = PyType_GetModuleState(Py_TYPE(self));
    tare_error err = {0};
    patience p;
    if (Py_TYPE(model) != s->model) return PyErr_Format(PyExc_TypeError, "a model is needed here, not a %.100s", Py_TYPE(model)->tp_name);
    patience_begin(&p, NULL, ((model_object *)model)->m);
    tare_status status = tare_generator_pass(GENERATOR(self), ((model_object *)model)->m, &p.how, &err);
    if (!patience_end(&p)) return NULL;
    if (status != TARE_OK) return raise_error(&err);
    Py_RETURN_NONE;
}
static PyObject *save(PyObject *self, PyObject *nothing) {
    unsigned char bytes[TARE_GENERATOR_BYTES];
    (void)nothing;
    tare_generator_save(GENERATOR(self), bytes);
    return PyBytes_FromStringAndSize((const char *)bytes, sizeof bytes);
}

static PyMethodDef methods[] = {
    {"copy", copy, METH_NOARGS, "One more, at the same place."},
    {"pass_model", pass, METH_O, "Moves it on as drawing that model does."},
    {"save", save, METH_NOARGS, "Its state as torch.get_rng_state() gives it, in bytes."},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot slots[] = {{Py_tp_dealloc, AS_SLOT(dealloc)}, {Py_tp_methods, methods}, {0, NULL}};
PyType_Spec generator_spec = {
    .name = "tare._tare.GeneratorHandle", .basicsize = sizeof(generator_object), .flags = Py_TPFLAGS_DEFAULT, .slots = slots,
};
