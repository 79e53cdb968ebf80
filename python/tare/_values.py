"""The numbers of a tensor."""


class _Raw:
    """A tensor's memory as numpy finds it, which keeps this object and so the tensor."""

    __slots__ = ("__array_interface__", "tensor")

    def __init__(self, tensor, kind):
        self.tensor = tensor
        self.__array_interface__ = {"data": (tensor.data_ptr(), False), "shape": tensor._sizes, "typestr": kind, "version": 3}


_KINDS = {"float32": "<f4", "float16": "<f2", "float64": "<f8", "int64": "<i8", "int32": "<i4", "int16": "<i2", "int8": "|i1", "uint8": "|u1",
          "bool": "|b1", "complex64": "<c8", "uint16": "<u2", "uint32": "<u4", "uint64": "<u8"}


def as_numpy(tensor):
    """An array over the tensor's memory."""
    import numpy
    name = tensor._dtype_name
    if name in _KINDS:
        return numpy.asarray(_Raw(tensor, _KINDS[name]))
    try:
        import ml_dtypes
        kind = getattr(ml_dtypes, name)
    except (ImportError, AttributeError):
        raise TypeError(f"{tensor._path} is {name}, which numpy has no dtype for; with the package ml_dtypes it has") from None
    return numpy.asarray(_Raw(tensor, "<u2" if tensor.element_size() == 2 else "|u1")).view(kind)


def nested(flat, sizes):
    """A list of lists, of those sizes, of values in a row."""
    for size in reversed(sizes[1:]):
        # A size of 0 leaves no telling how many there were.
        flat = [flat[i:i + size] for i in range(0, len(flat), size)] if size else []
    if 0 in sizes:
        return _empty(sizes)
    return flat if sizes else flat[0]


def _empty(sizes):
    return [_empty(sizes[1:]) for _ in range(sizes[0])] if sizes[0] else []
