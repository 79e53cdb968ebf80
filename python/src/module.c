/* The module tare._tare: its types, and what the library knows. */
#include "binding.h"

state *state_of(PyObject *module) { return PyModule_GetState(module); }

/* ---- what is known ---- */

typedef size_t (*class_list)(const tare_class **rows);
static PyObject *classes_of(class_list list) {
    const tare_class *rows;
    size_t n;
    Py_BEGIN_ALLOW_THREADS
    n = list(&rows);
    Py_END_ALLOW_THREADS
    if (!n) return PyErr_NoMemory();
    PyObject *out = PyDict_New();
    for (size_t i = 0; out && i < n; i++) {
        PyObject *row = Py_BuildValue("(zz)", rows[i].config, rows[i].model_type);
        if (!row || PyDict_SetItemString(out, rows[i].name, row)) Py_CLEAR(out);
        Py_XDECREF(row);
    }
    return out;
}
static PyObject *model_classes(PyObject *module, PyObject *nothing) { return (void)module, (void)nothing, classes_of(tare_classes); }
static PyObject *config_classes(PyObject *module, PyObject *nothing) { return (void)module, (void)nothing, classes_of(tare_config_classes); }

static PyObject *list_of(const char *const *words, size_t n) {
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *word = PyUnicode_FromString(words[i]);
        if (word) PyList_SET_ITEM(list, (Py_ssize_t)i, word);
        else Py_CLEAR(list);
    }
    return list;
}
static PyObject *auto_classes(PyObject *module, PyObject *nothing) {
    (void)module, (void)nothing;
    const char *const *names;
    size_t n = tare_auto_classes(&names);
    return n ? list_of(names, n) : PyErr_NoMemory();
}
static PyObject *ids(PyObject *module, PyObject *nothing) {
    (void)module, (void)nothing;
    const char *const *names;
    size_t n = tare_ids(&names);
    return list_of(names, n);
}
static PyObject *types(PyObject *module, PyObject *nothing) {
    (void)module, (void)nothing;
    const tare_type *rows;
    size_t n = tare_types(&rows);
    PyObject *out = PyDict_New();
    for (size_t i = 0; out && i < n; i++) {
        PyObject *real = PyUnicode_FromString(rows[i].real_type);
        if (!real || PyDict_SetItemString(out, rows[i].model_type, real)) Py_CLEAR(out);
        Py_XDECREF(real);
    }
    return out;
}
static PyObject *auto_class(PyObject *module, PyObject *args) {
    (void)module;
    const char *name, *type;
    if (!PyArg_ParseTuple(args, "ss", &name, &type)) return NULL;
    return Py_BuildValue("z", tare_auto_class(name, type));
}
static PyObject *config_fields(PyObject *module, PyObject *name) {
    (void)module;
    const tare_field *rows;
    const char *word = PyUnicode_AsUTF8(name);
    if (!word) return NULL;
    size_t n = tare_config_fields(word, &rows);
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *row = Py_BuildValue("(szsz)", rows[i].name, rows[i].stored, rows[i].type, rows[i].preset);
        if (row) PyList_SET_ITEM(list, (Py_ssize_t)i, row);
        else Py_CLEAR(list);
    }
    return list;
}

/* ---- the module ---- */

static PyMethodDef methods[] = {
    {"config_open", config_open, METH_VARARGS, "A config from a file, folder, id or model type: (source, class or None, settings or None)."},
    {"config_parse", config_parse, METH_VARARGS, "A config from JSON: (json, class or None)."},
    {"model_make", (PyCFunction)(void (*)(void))model_make, METH_VARARGS | METH_KEYWORDS, "A model from a ConfigHandle."},
    {"files_open", files_open, METH_VARARGS, "The files of a checkpoint: (path, variant or None, subfolder or None)."},
    {"plan_make", plan_make, METH_VARARGS, "accelerate's device map of a ModelHandle: entries, devices, remarks."},
    {"host_memory", host_memory, METH_NOARGS, "What memory this host has free: name, whether it is a number, bytes."},
    {"model_classes", model_classes, METH_NOARGS, "Model classes: name to (config class, model type)."},
    {"config_classes", config_classes, METH_NOARGS, "Config classes: name to (None, model type)."},
    {"auto_classes", auto_classes, METH_NOARGS, "Names of the auto classes."},
    {"auto_class", auto_class, METH_VARARGS, "The model class that an auto class picks for a model type, or None."},
    {"config_fields", config_fields, METH_O, "Fields and aliases of a config class: name, stored as, type, default as JSON."},
    {"types", types, METH_NOARGS, "Model types, each with the real one."},
    {"ids", ids, METH_NOARGS, "Built-in ids."},
    {"generator_new", generator_new, METH_O, "torch's generator as after manual_seed()."},
    {"generator_load", generator_load, METH_O, "torch's generator from the bytes of its state."},
    {NULL, NULL, 0, NULL},
};
static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (!type || !PyModule_AddType(module, type)) return type;
    Py_DECREF(type);
    return NULL;
}
static int start(PyObject *module) {
    state *s = state_of(module);
    s->config = add_type(module, &config_spec);
    s->model = s->config ? add_type(module, &model_spec) : NULL;
    s->tensor = s->model ? add_type(module, &tensor_spec) : NULL;
    s->generator = s->tensor ? add_type(module, &generator_spec) : NULL;
    s->checkpoint = s->generator ? add_type(module, &checkpoint_spec) : NULL;
    if (!s->checkpoint) return -1;
    /* A handle is made by the functions above, or belongs to one that is. */
    s->config->tp_new = s->model->tp_new = s->generator->tp_new = s->checkpoint->tp_new = NULL;
    if (PyModule_AddStringConstant(module, "version", tare_version())) return -1;
    return PyModule_AddStringConstant(module, "reference", tare_reference());
}
static int traverse(PyObject *module, visitproc visit, void *arg) {
    state *s = state_of(module);
    Py_VISIT(s->config);
    Py_VISIT(s->model);
    Py_VISIT(s->tensor);
    Py_VISIT(s->generator);
    Py_VISIT(s->checkpoint);
    return 0;
}
static int clear(PyObject *module) {
    state *s = state_of(module);
    Py_CLEAR(s->config);
    Py_CLEAR(s->model);
    Py_CLEAR(s->tensor);
    Py_CLEAR(s->generator);
    Py_CLEAR(s->checkpoint);
    return 0;
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, AS_SLOT(start)}, {0, NULL}};
static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "tare._tare", .m_doc = "The library's handles; the package around it is for use.",
    .m_size = sizeof(state), .m_methods = methods, .m_slots = slots, .m_traverse = traverse, .m_clear = clear,
};
PyMODINIT_FUNC PyInit__tare(void); /* declared for -Wmissing-prototypes */
PyMODINIT_FUNC PyInit__tare(void) { return PyModuleDef_Init(&definition); }
