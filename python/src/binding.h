/* What the files of the extension share. It sits on tare.h alone; texts cross as str, structures as tuples and JSON. */
#ifndef TARE_PYTHON_BINDING_H
#define TARE_PYTHON_BINDING_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <tare.h>

/* Python keeps functions as void *, which POSIX allows and ISO C does not. */
#define AS_SLOT(function) (__extension__(void *)(function))

typedef struct state { /* of the module */
    PyTypeObject *config, *model, *tensor, *checkpoint;
} state;
typedef struct config_object {
    PyObject_HEAD
    tare_config *c;
    PyObject *owner; /* of a part: the handle it belongs to */
} config_object;
typedef struct model_object {
    PyObject_HEAD
    tare_model *m;
} model_object;
typedef struct tensor_object {
    PyObject_HEAD
    PyObject *model; /* a model_object, which the item belongs to */
    const tare_item *item;
} tensor_object;

typedef struct checkpoint_object {
    PyObject_HEAD
    tare_checkpoint *c;
} checkpoint_object;

/* Raises what an error means in Python, with its code and path as attributes; returns NULL. */
PyObject *raise_error(const tare_error *err);

/* Text that the library writes, gathered without the interpreter's lock. */
typedef struct text { char *data; size_t n, cap; } text;
bool text_take(void *to, const char *data, size_t n);
PyObject *text_done(text *t); /* as str, its memory released; NULL with an exception */

PyObject *config_object_new(state *s, tare_config *c, PyObject *owner); /* takes c, where there is no owner; NULL frees it */
PyObject *config_open(PyObject *module, PyObject *args);
PyObject *config_parse(PyObject *module, PyObject *args);
PyObject *model_make(PyObject *module, PyObject *args, PyObject *named);
PyObject *files_open(PyObject *module, PyObject *args);
bool check_options(PyObject *tuple, tare_check_options *o); /* texts in it live as long as the tuple; false with an exception */
PyObject *plan_make(PyObject *module, PyObject *args);
PyObject *host_memory(PyObject *module, PyObject *nothing);
state *state_of(PyObject *module);

/* Text as an option: None is NULL. False with an exception. */
bool option_text(PyObject *o, const char **out);
/* A list of text as the library takes it, for PyMem_Free(); *out NULL for None. False with an exception. */
bool words_of(PyObject *list, const char ***out);

extern PyType_Spec config_spec, model_spec, tensor_spec, checkpoint_spec;
/* A tensor as an object of that class, which derives from Tensor. */
PyObject *tensor_object_new(state *s, PyTypeObject *of, PyObject *model, const tare_item *item);
#endif
