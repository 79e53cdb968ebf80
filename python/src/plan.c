/* Device maps as accelerate makes them, and what memory this host has. */
#include "binding.h"
#include <string.h>

typedef struct lists { /* what Python's lists hold, as the library takes them */
    tare_device *devices;
    tare_special_dtype *special;
    const char **no_split;
} lists;
static void lists_free(lists *l) {
    PyMem_Free(l->devices);
    PyMem_Free(l->special);
    PyMem_Free(l->no_split);
}

/* Rows of (name or None, number, size or None, bytes or None, whether those are a float). */
static bool read_devices(PyObject *list, lists *l) {
    Py_ssize_t n = PyList_Size(list);
    l->devices = PyMem_New(tare_device, (size_t)n + 1);
    if (!l->devices) return PyErr_NoMemory(), false;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *name, *size, *bytes;
        long long number;
        int real;
        tare_device *d = &l->devices[i];
        *d = (tare_device){.name = NULL};
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "OLOOp", &name, &number, &size, &bytes, &real) || !option_text(name, &d->name) ||
            !option_text(size, &d->size))
            return false;
        d->index = number, d->real = real != 0, d->has_bytes = bytes != Py_None;
        d->bytes = d->has_bytes ? PyFloat_AsDouble(bytes) : 0;
        if (PyErr_Occurred()) return false;
    }
    return true;
}
/* Pairs of texts. */
static bool read_special(PyObject *list, lists *l) {
    Py_ssize_t n = PyList_Size(list);
    l->special = PyMem_New(tare_special_dtype, (size_t)n + 1);
    if (!l->special) return PyErr_NoMemory(), false;
    for (Py_ssize_t i = 0; i < n; i++)
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "ss", &l->special[i].path, &l->special[i].dtype)) return false;
    return true;
}

static PyObject *devices_of(const tare_plan *g) {
    const tare_plan_device *d;
    size_t n = tare_plan_devices(g, &d);
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *budget = d[i].real ? PyFloat_FromDouble(d[i].budget) : PyLong_FromDouble(d[i].budget);
        PyObject *row = budget ? Py_BuildValue("(sNNNN)", d[i].name, PyBool_FromLong(d[i].is_number), PyBool_FromLong(d[i].given),
                                               PyBool_FromLong(d[i].has_budget), budget) : NULL;
        if (row) PyList_SET_ITEM(list, (Py_ssize_t)i, row);
        else Py_CLEAR(list);
    }
    return list;
}
static PyObject *entries_of(const tare_plan *g) {
    const tare_plan_entry *e;
    size_t n = tare_plan_entries(g, &e);
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *row = Py_BuildValue("(sn)", e[i].module, (Py_ssize_t)e[i].device);
        if (row) PyList_SET_ITEM(list, (Py_ssize_t)i, row);
        else Py_CLEAR(list);
    }
    return list;
}
static PyObject *remarks_of(const tare_plan *g) {
    const char *const *texts;
    size_t n = tare_plan_remarks(g, &texts);
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *remark = PyUnicode_FromString(texts[i]);
        if (remark) PyList_SET_ITEM(list, (Py_ssize_t)i, remark);
        else Py_CLEAR(list);
    }
    return list;
}
static PyObject *make(state *s, PyObject *args, lists *l) {
    PyObject *model, *devices, *no_split, *special;
    int mode, keep_parts, offload_buffers, fallback, budgets_only;
    const char *dtype;
    tare_error err = {0};
    tare_plan *g;
    if (!PyArg_ParseTuple(args, "O!O!iO!zO!pppp", s->model, &model, &PyList_Type, &devices, &mode, &PyList_Type, &no_split, &dtype, &PyList_Type,
                          &special, &keep_parts, &offload_buffers, &fallback, &budgets_only) ||
        !read_devices(devices, l) || !words_of(no_split, &l->no_split) || !read_special(special, l))
        return NULL;
    tare_plan_options o = {
        .accelerate = true, .devices = l->devices, .device_count = (size_t)PyList_GET_SIZE(devices), .mode = (tare_map_mode)mode,
        .no_split = l->no_split, .dtype = dtype, .special_dtypes = l->special, .special_count = (size_t)PyList_GET_SIZE(special),
        .keep_parts = keep_parts != 0, .offload_buffers = offload_buffers != 0, .fallback_allocation = fallback != 0,
        .budgets_only = budgets_only != 0,
    };
    const tare_model *m = ((model_object *)model)->m;
    Py_BEGIN_ALLOW_THREADS
    g = tare_plan_make(m, &o, &err);
    Py_END_ALLOW_THREADS
    if (!g) return raise_error(&err);
    PyObject *result = Py_BuildValue("(NNN)", entries_of(g), devices_of(g), remarks_of(g));
    tare_plan_free(g);
    return result;
}
PyObject *plan_make(PyObject *module, PyObject *args) {
    lists l = {NULL};
    PyObject *result = make(state_of(module), args, &l);
    lists_free(&l);
    return result;
}

/* (name, whether it is a number, bytes or None) of what this host has free, as accelerate counts it: nothing held back, no disk. */
PyObject *host_memory(PyObject *module, PyObject *nothing) {
    (void)module, (void)nothing;
    tare_error err = {0};
    tare_devices *d;
    const tare_device_row *rows;
    tare_devices_options o = {.margin = "0"};
    Py_BEGIN_ALLOW_THREADS
    d = tare_devices_open("auto", &o, &err);
    Py_END_ALLOW_THREADS
    if (!d) return raise_error(&err);
    size_t n = tare_devices_rows(d, &rows);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < n; i++) {
        if (rows[i].kind == TARE_DEVICE_DISK) continue;
        PyObject *row = Py_BuildValue("(sNK)", rows[i].name, PyBool_FromLong(rows[i].kind == TARE_DEVICE_GPU), (unsigned long long)rows[i].bytes);
        if (!row || PyList_Append(list, row)) Py_CLEAR(list);
        Py_XDECREF(row);
    }
    tare_devices_free(d);
    return list;
}
