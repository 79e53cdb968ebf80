"""Where models are made: on the meta device, with empty weights, or with weights that are drawn when they are first needed."""
from _contextvars import ContextVar

from tare import _types

_device = ContextVar("tare.device", default=None)
_empty = ContextVar("tare.init_empty_weights", default=None)


def enter_device(device):
    """What leave_device() takes back."""
    return _device.set(device)


def leave_device(token):
    _device.reset(token)


def default_device():
    """The device that new tensors lie on."""
    own = _device.get()
    library = _types.torch()
    if own is not None:
        return own if library is None else library.device(str(own))
    return _types.device("cpu") if library is None else library.get_default_device()


class _EmptyWeights:
    """The context that init_empty_weights() returns."""

    __slots__ = ("_include_buffers", "_token")

    def __init__(self, include_buffers):
        self._include_buffers = include_buffers

    def __enter__(self):
        self._token = _empty.set(self)

    def __exit__(self, *what):
        _empty.reset(self._token)


def init_empty_weights(include_buffers=None):
    """Under this context the parameters of new models have no memory: they lie on the meta device.

    ``include_buffers=True`` does the same with buffers, as ``with tare.device("meta"):`` does.
    """
    return _EmptyWeights(bool(include_buffers))


def places():
    """The devices, as text, on which the parameters and the buffers of a model lie that is made now."""
    here = str(default_device())
    empty = _empty.get()
    if empty is None:
        return here, here
    return "meta", "meta" if empty._include_buffers else here
