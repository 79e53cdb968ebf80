/* Tensor: a parameter or buffer of a model, as a view. Python's classes derive from it. */
#include "binding.h"

PyObject *tensor_object_new(state *s, PyTypeObject *of, PyObject *model, const tare_item *item) {
    if (!PyType_IsSubtype(of, s->tensor)) return PyErr_SetString(PyExc_TypeError, "a class that derives from Tensor is needed"), NULL;
    tensor_object *t = (tensor_object *)of->tp_alloc(of, 0);
    if (!t) return NULL;
    Py_INCREF(model);
    t->model = model;
    t->item = item;
    return (PyObject *)t;
}
static void dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((tensor_object *)self)->model);
    type->tp_free(self);
    Py_DECREF(type);
}
/* Nothing makes one but a model. */
static PyObject *refuse_new(PyTypeObject *type, PyObject *args, PyObject *named) {
    (void)args, (void)named;
    return PyErr_Format(PyExc_TypeError, "a %.100s is made by its model alone", type->tp_name);
}
static const tare_item *item_of(PyObject *self) { return ((tensor_object *)self)->item; }

static PyObject *path(PyObject *self, void *nothing) { return (void)nothing, PyUnicode_FromString(item_of(self)->path); }
static PyObject *owner(PyObject *self, void *nothing) { return (void)nothing, Py_BuildValue("z", tensor_item(self).owner); }
static PyObject *dtype_name(PyObject *self, void *nothing) { return (void)nothing, PyUnicode_FromString(tare_dtype_torch(tensor_item(self).dtype)); }
static PyObject *trainable(PyObject *self, void *nothing) { return (void)nothing, PyBool_FromLong(item_of(self)->trainable); }
static PyObject *is_parameter(PyObject *self, void *nothing) { return (void)nothing, PyBool_FromLong(item_of(self)->kind == TARE_PARAM); }
static PyObject *persistent(PyObject *self, void *nothing) {
    return (void)nothing, PyBool_FromLong(item_of(self)->kind == TARE_PARAM || item_of(self)->persistent);
}
static PyObject *sizes(PyObject *self, void *nothing) {
    (void)nothing;
    tare_item item = tensor_item(self);
    PyObject *tuple = PyTuple_New(item.rank);
    for (int i = 0; tuple && i < item.rank; i++) {
        PyObject *n = PyLong_FromLongLong(item.shape[i]);
        if (n) PyTuple_SET_ITEM(tuple, i, n);
        else Py_CLEAR(tuple);
    }
    return tuple;
}
/* The tree has no tensor whose elements 64 bits do not count. */
static PyObject *numel(PyObject *self, PyObject *nothing) {
    (void)nothing;
    tare_item item = tensor_item(self);
    long long n = 1;
    for (int i = 0; i < item.rank; i++) n *= item.shape[i];
    return PyLong_FromLongLong(n);
}
static PyObject *element_size(PyObject *self, PyObject *nothing) {
    return (void)nothing, PyLong_FromSize_t(tare_dtype_bytes(tensor_item(self).dtype));
}
static PyObject *dim(PyObject *self, PyObject *nothing) { return (void)nothing, PyLong_FromLong(item_of(self)->rank); }

static PyMethodDef methods[] = {
    {"numel", numel, METH_NOARGS, "The number of elements."},
    {"nelement", numel, METH_NOARGS, "The number of elements."},
    {"element_size", element_size, METH_NOARGS, "The bytes of one element."},
    {"dim", dim, METH_NOARGS, "The number of dimensions."},
    {"ndimension", dim, METH_NOARGS, "The number of dimensions."},
    {"data_ptr", tensor_data_ptr, METH_NOARGS, "The address of its first element."},
    {"_flat", tensor_flat, METH_NOARGS, "Its elements in a row, as numbers of Python."},
    {"__dlpack__", (PyCFunction)(void (*)(void))tensor_dlpack, METH_VARARGS | METH_KEYWORDS, "Its memory, as other libraries take it over."},
    {"_room", tensor_dlpack_room, METH_NOARGS, "That memory before anything is drawn into it, by DLPack."},
    {"__dlpack_device__", tensor_dlpack_device, METH_NOARGS, "Where that memory is."},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef getters[] = {
    {"_path", path, NULL, "Where it stands in the model.", NULL},
    {"_owner", owner, NULL, "The first path that holds the same tensor, or None when this is it.", NULL},
    {"_sizes", sizes, NULL, "The shape as a tuple.", NULL},
    {"_dtype_name", dtype_name, NULL, "torch's name of its dtype.", NULL},
    {"_is_held", tensor_is_held, NULL, "Whether its memory is there, or address space that is filled when it is touched.", NULL},
    {"_trainable", trainable, NULL, "Whether gradients are kept.", NULL},
    {"_is_parameter", is_parameter, NULL, "A parameter and no buffer.", NULL},
    {"_persistent", persistent, NULL, "Whether a state dict has it.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot slots[] = {
    {Py_tp_dealloc, AS_SLOT(dealloc)}, {Py_tp_new, AS_SLOT(refuse_new)}, {Py_tp_methods, methods}, {Py_tp_getset, getters},
    {Py_bf_getbuffer, AS_SLOT(tensor_buffer)}, {Py_bf_releasebuffer, AS_SLOT(tensor_buffer_end)}, {0, NULL},
};
PyType_Spec tensor_spec = {
    .name = "tare._tare.Tensor", .basicsize = sizeof(tensor_object), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .slots = slots,
};
