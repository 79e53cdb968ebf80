/* The elements of a tensor for Python itself: its memory by the buffer protocol, and as numbers. */
#include "binding.h"
#include <string.h>

PyObject *tensor_data_ptr(PyObject *self, PyObject *nothing) {
    (void)nothing;
    storage *held;
    void *data = tensor_data(self, &held);
    if (!data) return NULL;
    storage_drop(held); /* the model keeps it */
    return PyLong_FromVoidPtr(data);
}
/* A format of the struct module; NULL: it has none for this dtype. */
static const char *format_of(tare_dtype dtype) {
    static const char *const formats[TARE_DTYPE_COUNT] = {
        [TARE_F32] = "f", [TARE_F16] = "e", [TARE_F64] = "d", [TARE_I64] = "q", [TARE_I32] = "i", [TARE_I16] = "h", [TARE_I8] = "b",
        [TARE_U8] = "B", [TARE_BOOL] = "?", [TARE_C64] = "Zf", [TARE_U16] = "H", [TARE_U32] = "I", [TARE_U64] = "Q",
    };
    return formats[dtype];
}
static Py_ssize_t elements(const tare_item *item) {
    Py_ssize_t n = 1;
    for (int i = 0; i < item->rank; i++) n *= (Py_ssize_t)item->shape[i];
    return n;
}

/* ---- the buffer protocol ---- */

typedef struct lent { storage *held; Py_ssize_t sizes[]; } lent; /* shape, then strides */
static void describe(Py_buffer *view, const tare_item *item, Py_ssize_t *sizes) {
    Py_ssize_t step = view->itemsize;
    for (int i = item->rank; i-- > 0;) {
        sizes[i] = (Py_ssize_t)item->shape[i];
        sizes[item->rank + i] = step;
        step *= sizes[i];
    }
}
int tensor_buffer(PyObject *self, Py_buffer *view, int flags) {
    tare_item item = tensor_item(self);
    const char *format = format_of(item.dtype);
    view->obj = NULL;
    if (!format) return PyErr_Format(PyExc_BufferError, "Python has no buffers of %s", tare_dtype_torch(item.dtype)), -1;
    if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && item.rank > 1)
        return PyErr_SetString(PyExc_BufferError, "a tensor is in the order of C, not of Fortran"), -1;
    lent *l = PyMem_Malloc(sizeof *l + 2 * (size_t)item.rank * sizeof *l->sizes);
    if (!l) return PyErr_NoMemory(), -1;
    void *data = tensor_data(self, &l->held);
    if (!data) return PyMem_Free(l), -1;
    *view = (Py_buffer){.buf = data, .obj = kept(self), .itemsize = (Py_ssize_t)tare_dtype_bytes(item.dtype), .internal = l};
    view->len = elements(&item) * view->itemsize;
    describe(view, &item, l->sizes);
    view->ndim = flags & PyBUF_ND ? item.rank : 1;
    view->format = flags & PyBUF_FORMAT ? (char *)format : NULL;
    view->shape = flags & PyBUF_ND ? l->sizes : NULL;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? l->sizes + item.rank : NULL;
    return 0;
}
void tensor_buffer_end(PyObject *self, Py_buffer *view) {
    lent *l = view->internal;
    (void)self;
    storage_drop(l->held);
    PyMem_Free(l);
}

/* ---- numbers ---- */

static float float_of(uint32_t bits) {
    float x;
    return memcpy(&x, &bits, sizeof x), x;
}
static double half_of(uint16_t bits) {
    uint32_t exponent = bits >> 10 & 31, rest = bits & 1023u, sign = (uint32_t)(bits >> 15) << 31;
    if (exponent == 31) return (double)float_of(sign | 0x7f800000u | rest << 13);
    float x = exponent ? float_of((exponent + 112) << 23 | rest << 13) : (float)rest * 0x1p-24f;
    return (double)(sign ? -x : x);
}
#define READ(type, from) (((const type *)(from))[i])
static PyObject *number(const void *data, Py_ssize_t i, tare_dtype dtype) {
    switch (dtype) {
    case TARE_F32: return PyFloat_FromDouble((double)READ(float, data));
    case TARE_F16: return PyFloat_FromDouble(half_of(READ(uint16_t, data)));
    case TARE_BF16: return PyFloat_FromDouble((double)float_of((uint32_t)READ(uint16_t, data) << 16));
    case TARE_F64: return PyFloat_FromDouble(READ(double, data));
    case TARE_I64: return PyLong_FromLongLong(READ(int64_t, data));
    case TARE_I32: return PyLong_FromLong(READ(int32_t, data));
    case TARE_I16: return PyLong_FromLong(READ(int16_t, data));
    case TARE_I8: return PyLong_FromLong(READ(int8_t, data));
    case TARE_U8: return PyLong_FromLong(READ(uint8_t, data));
    case TARE_BOOL: return PyBool_FromLong(READ(uint8_t, data));
    default: return PyErr_Format(PyExc_TypeError, "numbers of %s are not read here: __dlpack__() gives the memory", tare_dtype_torch(dtype));
    }
}
PyObject *tensor_flat(PyObject *self, PyObject *nothing) {
    storage *held;
    (void)nothing;
    void *data = tensor_data(self, &held);
    if (!data) return NULL;
    tare_item item = tensor_item(self);
    Py_ssize_t n = elements(&item);
    PyObject *list = PyList_New(n);
    for (Py_ssize_t i = 0; list && i < n; i++) {
        PyObject *x = number(data, i, item.dtype);
        if (x) PyList_SET_ITEM(list, i, x);
        else Py_CLEAR(list);
    }
    storage_drop(held);
    return list;
}
