/* From the library's errors to Python's exceptions, and texts. */
#include "binding.h"
#include <string.h>

static PyObject *kind_of(const tare_error *err) {
    if (!strcmp(err->code, "out_of_memory")) return PyExc_MemoryError;
    if (!strcmp(err->code, "unavailable_attention")) return PyExc_ImportError;
    if (err->status == TARE_IO) return PyExc_OSError;
    return PyExc_ValueError;
}
PyObject *raise_error(const tare_error *err) {
    PyObject *kind = kind_of(err), *e = PyObject_CallFunction(kind, "s", err->message);
    PyObject *code = PyUnicode_FromString(err->code), *path = PyUnicode_DecodeUTF8(err->path, (Py_ssize_t)strlen(err->path), "replace");
    if (e && code && path && !PyObject_SetAttrString(e, "code", code) && !PyObject_SetAttrString(e, "path", path)) PyErr_SetObject(kind, e);
    Py_XDECREF(e);
    Py_XDECREF(code);
    Py_XDECREF(path);
    return NULL;
}

bool text_take(void *to, const char *data, size_t n) {
    text *t = to;
    if (n > t->cap - t->n) {
        size_t cap = (t->cap + n) * 2 + 4096;
        char *more = cap > t->cap ? PyMem_RawRealloc(t->data, cap) : NULL;
        if (!more) return false;
        t->data = more;
        t->cap = cap;
    }
    memcpy(t->data + t->n, data, n);
    t->n += n;
    return true;
}
PyObject *text_done(text *t) {
    PyObject *s = PyUnicode_DecodeUTF8(t->n ? t->data : "", (Py_ssize_t)t->n, "replace");
    PyMem_RawFree(t->data);
    *t = (text){0};
    return s;
}
bool option_text(PyObject *o, const char **out) {
    *out = NULL;
    if (!o || o == Py_None) return true;
    if (!PyUnicode_Check(o)) return PyErr_Format(PyExc_TypeError, "text is needed here, not %.100s", Py_TYPE(o)->tp_name), false;
    return (*out = PyUnicode_AsUTF8(o)) != NULL;
}
