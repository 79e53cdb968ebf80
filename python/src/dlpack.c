/* Tensors for other libraries, without a copy: DLPack, whose structures are those of its version 1. */
#include "binding.h"
#include <string.h>

typedef struct dl_device { int32_t type, id; } dl_device;
typedef struct dl_dtype { uint8_t code, bits; uint16_t lanes; } dl_dtype;
typedef struct dl_tensor {
    void *data;
    dl_device device;
    int32_t ndim;
    dl_dtype dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} dl_tensor;
typedef struct dl_managed { /* before version 1 */
    dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_managed *self);
} dl_managed;
typedef struct dl_versioned {
    uint32_t major, minor;
    void *context;
    void (*deleter)(struct dl_versioned *self);
    uint64_t flags;
    dl_tensor tensor;
} dl_versioned;
enum { DL_CPU = 1, DL_IS_COPIED = 1 << 1, DL_MAJOR = 1, DL_MINOR = 1 };

/* What is handed out, in one piece of memory. */
typedef struct export {
    union { dl_managed old; dl_versioned now; } as;
    storage *held;
    void *copy;        /* instead of what is held */
    int64_t sizes[];   /* shape, then strides */
} export;

/* Whoever took the tensor is done with it; on any thread, with no interpreter perhaps. */
static void done(export *e) {
    storage_drop(e->held);
    PyMem_RawFree(e->copy);
    PyMem_RawFree(e);
}
static void done_old(dl_managed *m) { done(m->context); }
static void done_versioned(dl_versioned *m) { done(m->context); }
/* Nobody took it: then the capsule still has the name that it was made by. */
static void unused(PyObject *capsule) {
    const char *name = PyCapsule_GetName(capsule);
    if (!name || (strcmp(name, "dltensor") != 0 && strcmp(name, "dltensor_versioned") != 0)) return;
    void *m = PyCapsule_GetPointer(capsule, name);
    done(strcmp(name, "dltensor") ? ((dl_versioned *)m)->context : ((dl_managed *)m)->context);
}

static bool dtype_of(tare_dtype dtype, dl_dtype *out) {
    enum { INT, UINT, FLOAT, BFLOAT = 4, COMPLEX, BOOL, E4M3 = 10, E4M3_FNUZ, E5M2, E5M2_FNUZ };
    static const dl_dtype known[TARE_DTYPE_COUNT] = {
        [TARE_F32] = {FLOAT, 32, 1}, [TARE_F16] = {FLOAT, 16, 1}, [TARE_BF16] = {BFLOAT, 16, 1}, [TARE_F64] = {FLOAT, 64, 1},
        [TARE_I64] = {INT, 64, 1}, [TARE_I32] = {INT, 32, 1}, [TARE_I16] = {INT, 16, 1}, [TARE_I8] = {INT, 8, 1}, [TARE_U8] = {UINT, 8, 1},
        [TARE_BOOL] = {BOOL, 8, 1}, [TARE_C64] = {COMPLEX, 64, 1}, [TARE_F8_E4M3] = {E4M3, 8, 1}, [TARE_F8_E5M2] = {E5M2, 8, 1},
        [TARE_U16] = {UINT, 16, 1}, [TARE_U32] = {UINT, 32, 1}, [TARE_U64] = {UINT, 64, 1},
        [TARE_F8_E4M3FNUZ] = {E4M3_FNUZ, 8, 1}, [TARE_F8_E5M2FNUZ] = {E5M2_FNUZ, 8, 1},
    };
    *out = known[dtype];
    if (!out->lanes) PyErr_Format(PyExc_BufferError, "DLPack has no dtype %s", tare_dtype_torch(dtype));
    return out->lanes != 0;
}
static dl_tensor tensor_of(const tare_item *item, void *data, dl_dtype dtype, int64_t *sizes) {
    int64_t step = 1;
    for (int i = item->rank; i-- > 0;) {
        sizes[i] = item->shape[i];
        sizes[item->rank + i] = step;
        step *= item->shape[i];
    }
    return (dl_tensor){.data = data, .device = {DL_CPU, 0}, .ndim = item->rank, .dtype = dtype, .shape = sizes, .strides = sizes + item->rank};
}
static bool copied(export *e, const tare_item *item, void **data) {
    size_t n = tare_dtype_bytes(item->dtype);
    for (int i = 0; i < item->rank; i++) n *= (size_t)item->shape[i];
    e->copy = PyMem_RawMalloc(n ? n : 1);
    if (!e->copy) return PyErr_NoMemory(), false;
    memcpy(e->copy, *data, n);
    *data = e->copy;
    return true;
}
static PyObject *handed_out(export *e, const dl_tensor *t, bool versioned, bool is_copied) {
    if (versioned)
        e->as.now = (dl_versioned){.major = DL_MAJOR, .minor = DL_MINOR, .context = e, .deleter = done_versioned, .tensor = *t,
                                   .flags = is_copied ? DL_IS_COPIED : 0};
    else e->as.old = (dl_managed){.tensor = *t, .context = e, .deleter = done_old};
    PyObject *capsule = PyCapsule_New(&e->as, versioned ? "dltensor_versioned" : "dltensor", unused);
    if (!capsule) done(e);
    return capsule;
}

/* ---- the arguments ---- */

static bool read_version(PyObject *o, bool *versioned) {
    *versioned = false;
    if (o == Py_None) return true;
    PyObject *major = PySequence_GetItem(o, 0);
    long n = major ? PyLong_AsLong(major) : -1;
    Py_XDECREF(major);
    *versioned = n >= DL_MAJOR;
    return !PyErr_Occurred();
}
static bool read_device(PyObject *o) {
    int type = DL_CPU, id = 0;
    if (o != Py_None && !PyArg_ParseTuple(o, "ii;dl_device is a device type and a number", &type, &id)) return false;
    if (type == DL_CPU && id == 0) return true;
    return PyErr_SetString(PyExc_BufferError, "weights are in this machine's memory, and not copied to other devices from here"), false;
}
/* Takes what is held. */
static PyObject *exported(PyObject *self, void *data, storage *held, bool versioned, bool make_copy) {
    tare_item item = tensor_item(self);
    dl_dtype dtype;
    export *e = PyMem_RawMalloc(sizeof *e + 2 * (size_t)item.rank * sizeof *e->sizes);
    if (!e) return storage_drop(held), PyErr_NoMemory();
    e->held = held, e->copy = NULL;
    if (!dtype_of(item.dtype, &dtype) || (make_copy && !copied(e, &item, &data))) return done(e), NULL;
    dl_tensor t = tensor_of(&item, data, dtype, e->sizes);
    return handed_out(e, &t, versioned, make_copy);
}
PyObject *tensor_dlpack(PyObject *self, PyObject *args, PyObject *named) {
    static const char *const names[] = {"stream", "max_version", "dl_device", "copy", NULL};
    PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
    bool versioned;
    if (!PyArg_ParseTupleAndKeywords(args, named, "|$OOOO", (char **)names, &stream, &version, &device, &copy)) return NULL;
    if (stream != Py_None) return PyErr_SetString(PyExc_BufferError, "memory of this machine has no streams: stream is None"), NULL;
    if (!read_version(version, &versioned) || !read_device(device)) return NULL;
    int make_copy = copy == Py_None ? 0 : PyObject_IsTrue(copy);
    storage *held;
    void *data = make_copy < 0 ? NULL : tensor_data(self, &held);
    return data ? exported(self, data, held, versioned, make_copy) : NULL;
}
PyObject *tensor_dlpack_room(PyObject *self, PyObject *nothing) {
    (void)nothing;
    storage *held;
    void *data = tensor_room(self, &held);
    return data ? exported(self, data, held, false, false) : NULL;
}
PyObject *tensor_dlpack_device(PyObject *self, PyObject *nothing) { return (void)self, (void)nothing, Py_BuildValue("(ii)", DL_CPU, 0); }
