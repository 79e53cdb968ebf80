/* ConfigHandle: a config object of the library. */
#include "binding.h"

PyObject *config_object_new(state *s, tare_config *c, PyObject *owner) {
    config_object *o = PyObject_New(config_object, s->config);
    if (!o) {
        if (!owner) tare_config_free(c);
        return NULL;
    }
    o->c = c;
    o->owner = owner;
    Py_XINCREF(owner);
    return (PyObject *)o;
}
static void dealloc(PyObject *self) {
    config_object *o = (config_object *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (!o->owner) tare_config_free(o->c);
    Py_XDECREF(o->owner);
    PyObject_Free(o);
    Py_DECREF(type);
}

/* ---- making ---- */

bool words_of(PyObject *list, const char ***out) {
    *out = NULL;
    if (list == Py_None) return true;
    if (!PyList_Check(list)) return PyErr_SetString(PyExc_TypeError, "a list of text is needed"), false;
    Py_ssize_t n = PyList_Size(list);
    const char **words = PyMem_New(const char *, (size_t)n + 1);
    if (!words) return PyErr_NoMemory(), false;
    for (Py_ssize_t i = 0; i < n; i++)
        if (!option_text(PyList_GetItem(list, i), &words[i]) || !words[i]) return PyMem_Free(words), false;
    words[n] = NULL;
    *out = words;
    return true;
}
PyObject *config_open(PyObject *module, PyObject *args) {
    const char *model, *class_name, **set;
    PyObject *list = Py_None, *of = Py_None;
    tare_error err = {0};
    tare_config *c;
    if (!PyArg_ParseTuple(args, "s|OO", &model, &of, &list) || !option_text(of, &class_name) || !words_of(list, &set)) return NULL;
    tare_open_options options = {.config_class = class_name, .set = set};
    Py_BEGIN_ALLOW_THREADS
    c = tare_config_open(model, &options, &err);
    Py_END_ALLOW_THREADS
    PyMem_Free(set);
    return c ? config_object_new(state_of(module), c, NULL) : raise_error(&err);
}
PyObject *config_parse(PyObject *module, PyObject *args) {
    const char *json, *class_name;
    Py_ssize_t n;
    PyObject *of = Py_None;
    tare_error err = {0};
    tare_config *c;
    if (!PyArg_ParseTuple(args, "s#|O", &json, &n, &of) || !option_text(of, &class_name)) return NULL;
    tare_open_options options = {.config_class = class_name};
    Py_BEGIN_ALLOW_THREADS
    c = tare_config_parse(json, (size_t)n, &options, &err);
    Py_END_ALLOW_THREADS
    return c ? config_object_new(state_of(module), c, NULL) : raise_error(&err);
}
static PyObject *copy(PyObject *self, PyObject *nothing) {
    (void)nothing;
    tare_error err = {0};
    tare_config *c = tare_config_copy(((config_object *)self)->c, &err);
    return c ? config_object_new(PyType_GetModuleState(Py_TYPE(self)), c, NULL) : raise_error(&err);
}

/* ---- values ---- */

static PyObject *get(PyObject *self, PyObject *key) {
    const char *name = PyUnicode_AsUTF8(key);
    tare_error err = {0};
    text t = {0};
    if (!name) return NULL;
    tare_status status = tare_config_get(((config_object *)self)->c, name, text_take, &t, &err);
    PyObject *json = text_done(&t);
    if (status == TARE_OK) return json;
    Py_XDECREF(json);
    if (status != TARE_NO) return raise_error(&err);
    Py_RETURN_NONE;
}
static PyObject *part(PyObject *self, PyObject *key) {
    const char *name = PyUnicode_AsUTF8(key);
    tare_config *c = name ? tare_config_part(((config_object *)self)->c, name) : NULL;
    if (c) return config_object_new(PyType_GetModuleState(Py_TYPE(self)), c, self);
    if (!name) return NULL;
    Py_RETURN_NONE;
}
static PyObject *set(PyObject *self, PyObject *args) {
    const char *key, *json;
    Py_ssize_t n;
    tare_error err = {0};
    if (!PyArg_ParseTuple(args, "ss#", &key, &json, &n)) return NULL;
    if (tare_config_set(((config_object *)self)->c, key, json, (size_t)n, &err) != TARE_OK) return raise_error(&err);
    Py_RETURN_NONE;
}
static PyObject *set_part(PyObject *self, PyObject *args) {
    const char *key;
    PyObject *other;
    tare_error err = {0};
    if (!PyArg_ParseTuple(args, "sO!", &key, Py_TYPE(self), &other)) return NULL;
    if (tare_config_set_part(((config_object *)self)->c, key, ((config_object *)other)->c, &err) != TARE_OK) return raise_error(&err);
    Py_RETURN_NONE;
}
static PyObject *to_dict(PyObject *self, PyObject *nothing) {
    (void)nothing;
    tare_error err = {0};
    text t = {0};
    tare_status status = tare_config_write(((config_object *)self)->c, text_take, &t, &err);
    PyObject *json = text_done(&t);
    if (status == TARE_OK) return json;
    Py_XDECREF(json);
    return raise_error(&err);
}
static PyObject *to_json(PyObject *self, PyObject *use_diff) {
    tare_error err = {0};
    text t = {0};
    int diff = PyObject_IsTrue(use_diff);
    if (diff < 0) return NULL;
    tare_status status = tare_config_json(((config_object *)self)->c, diff != 0, text_take, &t, &err);
    PyObject *json = text_done(&t);
    if (status == TARE_OK) return json;
    Py_XDECREF(json);
    return raise_error(&err);
}
static PyObject *class_name(PyObject *self, void *nothing) {
    (void)nothing;
    return PyUnicode_FromString(tare_config_class(((config_object *)self)->c));
}
static PyObject *model_type(PyObject *self, void *nothing) {
    (void)nothing;
    return PyUnicode_FromString(tare_config_type(((config_object *)self)->c));
}

static PyMethodDef methods[] = {
    {"copy", copy, METH_NOARGS, "An equal config of its own."},
    {"get", get, METH_O, "The value of a key as JSON, or None when there is none."},
    {"part", part, METH_O, "The config under a key, or None when there is none."},
    {"set", set, METH_VARARGS, "Sets a key to a value that is given as JSON."},
    {"set_part", set_part, METH_VARARGS, "Sets a key to a copy of another config."},
    {"to_dict", to_dict, METH_NOARGS, "to_dict() as JSON."},
    {"to_json", to_json, METH_O, "to_json_string(use_diff)."},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef getters[] = {
    {"class_name", class_name, NULL, "The config class.", NULL},
    {"model_type", model_type, NULL, "The model type.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot slots[] = {{Py_tp_dealloc, AS_SLOT(dealloc)}, {Py_tp_methods, methods}, {Py_tp_getset, getters}, {0, NULL}};
PyType_Spec config_spec = {.name = "tare._tare.ConfigHandle", .basicsize = sizeof(config_object), .flags = Py_TPFLAGS_DEFAULT, .slots = slots};
