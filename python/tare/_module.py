"""Modules, parameters and buffers of a model: views that are made when they are asked for."""
from tare import _tare
from tare._types import device_named, dtype_named, size_of, torch


class Tensor(_tare.Tensor):
    """A buffer of a model, or, as a Parameter, a parameter."""

    __slots__ = ("_model",)

    @property
    def shape(self):
        return size_of(self._sizes)

    def size(self, dim=None):
        return self.shape if dim is None else self._sizes[dim]

    @property
    def ndim(self):
        return self.dim()

    @property
    def dtype(self):
        return dtype_named(self._dtype_name)

    @property
    def device(self):
        return device_named(self._place)

    @property
    def is_meta(self):
        return self._place == "meta"

    @property
    def _place(self):
        place = self._model._places[not self._is_parameter]
        return "cpu" if place == "meta" and self._is_held else place

    @property
    def itemsize(self):
        return self.element_size()

    @property
    def nbytes(self):
        return self.numel() * self.element_size()

    @property
    def requires_grad(self):
        return self._trainable

    def __len__(self):
        if not self._sizes:
            raise TypeError("a tensor without dimensions has no len()")
        return self._sizes[0]

    # ---- its values ----

    def numpy(self):
        """An array over the same memory."""
        from tare._values import as_numpy
        return as_numpy(self)

    def __array__(self, dtype=None, copy=None):
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"{self._path} is {self._dtype_name}: as {dtype} it would be a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def tolist(self):
        """The values as numbers, in lists of lists."""
        from tare._values import nested
        return nested(self._flat(), self._sizes)

    def item(self):
        """The one value as a number."""
        if self.numel() != 1:
            raise RuntimeError(f"{self._path} has {self.numel()} values, and item() is for one")
        return self._flat()[0]

    def detach(self):
        """The tensor: nothing is recorded for gradients here."""
        return self

    cpu = detach

    def _describe(self):
        meta = "device='meta', " if self.is_meta else ""
        return f"tensor(..., {meta}size={tuple(self._sizes)}" + ("" if self._dtype_name == "float32" else f", dtype=torch.{self._dtype_name}")

    def __repr__(self):
        return f"{self._describe()})"


class Parameter(Tensor):
    """A parameter of a model."""

    __slots__ = ()

    def __repr__(self):
        return f"Parameter containing:\n{self._describe()}{', requires_grad=True' if self.requires_grad else ''})"


def given(tensor, as_parameter=True):
    """What a program gets for a tensor: where it has values and torch is imported, torch's own over the same memory."""
    if torch() is None or tensor.device.type != "cpu":
        return tensor
    from tare._torch import tensor_of
    return tensor_of(tensor) if as_parameter else tensor_of(tensor).detach()


class Module:
    """A module of a model."""

    def __init__(self, *args, **kwargs):
        raise TypeError(f"a {type(self).__name__} is made by its model alone: tare knows modules as parts of a model")

    # ---- where it stands ----

    @property
    def _path(self):
        return self._rows[self._index][0]

    @property
    def _rows(self):
        return self._model._module_rows()

    def _join(self, name):
        return f"{self._path}.{name}" if self._path else name

    def _below(self):
        """Indices of the modules below this one: they follow it."""
        rows, start = self._rows, self._join("")
        for i in range(self._index + 1, len(rows)):
            if not rows[i][0].startswith(start):
                break
            yield i

    def _tensors(self):
        """Parameters and buffers here and below, in order, at every path."""
        model = self._model
        found = model._handle.tensors(self._path, Parameter, Tensor)
        for t in found:
            t._model = model
        return found

    def _tensor(self, path):
        found = self._model._handle.find(path, Parameter, Tensor)
        if found is not None:
            found._model = self._model
        return found

    def _named_views(self, parameters, prefix="", recurse=True, remove_duplicate=True):
        cut = len(self._join("")) if self._path else 0
        start = f"{prefix}." if prefix else ""
        seen = set()
        for t in self._tensors():
            name = t._path[cut:]
            if t._is_parameter != parameters or (not recurse and not self._is_own(name)):
                continue
            if remove_duplicate:
                first = t._owner or t._path
                if first in seen:
                    continue
                seen.add(first)
            yield start + name, t

    def _is_own(self, name):
        """A parameter's own name may have points; a module's has none."""
        return self._model._module_index(self._join(name.rpartition(".")[0])) is None if "." in name else True

    def _named_tensors(self, parameters, prefix, recurse, remove_duplicate):
        return ((name, given(t)) for name, t in self._named_views(parameters, prefix, recurse, remove_duplicate))

    # ---- as torch's ----

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """Names and parameters; one that several modules share comes once."""
        return self._named_tensors(True, prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """The parameters, each once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """Names and buffers."""
        return self._named_tensors(False, prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """The buffers, each once."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """Names and modules, this one first, under its prefix."""
        memo = set() if memo is None else memo
        cut = len(self._join("")) if self._path else 0
        for i in (self._index, *self._below()):
            path, _, _, owner = self._rows[i]
            first = owner or path
            if remove_duplicate:
                if first in memo:
                    continue
                memo.add(first)
            name = path[cut:] if i != self._index else ""
            yield (f"{prefix}.{name}" if prefix and name else prefix or name), self._model._module_at(i)

    def modules(self):
        """The modules, this one first."""
        return (m for _, m in self.named_modules())

    def named_children(self):
        """Names and modules right below this one; one that has several names comes once."""
        cut = len(self._join(""))
        seen = set()
        for i in self._below():
            path, _, _, owner = self._rows[i]
            if "." in path[cut:] or (owner or path) in seen:
                continue
            seen.add(owner or path)
            yield path[cut:], self._model._module_at(i)

    def children(self):
        """The modules right below this one."""
        return (m for _, m in self.named_children())

    def get_submodule(self, target):
        """The module of that path below this one; AttributeError when there is none."""
        if not target:
            return self
        at = self
        for name in target.split("."):
            index = self._model._module_index(at._join(name))
            if index is None:
                raise AttributeError(f"{type(at).__name__} has no attribute `{name}`")
            at = self._model._module_at(index)
        return at

    def get_parameter(self, target):
        """The parameter of that path below this module; AttributeError when there is none."""
        found = self._tensor(self._join(target))
        if found is None or not found._is_parameter:
            raise AttributeError(f"{type(self).__name__} has no parameter `{target}`")
        return given(found)

    def get_buffer(self, target):
        """The buffer of that path below this module; AttributeError when there is none."""
        found = self._tensor(self._join(target))
        if found is None or found._is_parameter:
            raise AttributeError(f"{type(self).__name__} has no buffer `{target}`")
        return given(found)

    def state_dict(self, *, prefix="", keep_vars=False):
        """Parameters and persistent buffers by name, shared ones under every name."""
        cut = len(self._join("")) if self._path else 0
        return {prefix + t._path[cut:]: given(t, keep_vars) for t in self._tensors() if t._persistent}

    def __getattr__(self, name):
        if "_index" in self.__dict__ and not name.startswith("__"):
            index = self._model._module_index(self._join(name))
            if index is not None:
                return self._model._module_at(index)
            found = self._tensor(self._join(name))
            if found is not None:
                return given(found)
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}: tare knows what a model is and holds its weights; "
                             "to_transformers() of the model gives the one that does the rest")

    def __dir__(self):
        own = {name for name, _ in self.named_children()} | {name for name, _ in self._named_views(True, recurse=False)}
        return sorted({*object.__dir__(self), *own, *(name for name, _ in self._named_views(False, recurse=False))})

    def __call__(self, *args, **kwargs):
        raise NotImplementedError(f"tare builds a {type(self).__name__} and does not run it: to_transformers() of the model gives one that runs")

    def __repr__(self):
        return self._model._handle.module_text(self._index)[:-1]

    def _repr_html_(self):
        from tare._html import of_module
        return of_module(self)

    def __eq__(self, other):
        return isinstance(other, Module) and self._model is other._model and self._same() == other._same()

    def __hash__(self):
        return hash((id(self._model), self._same()))

    def _same(self):
        path, _, _, owner = self._rows[self._index]
        return owner or path


class _Container(Module):
    """A list of modules."""

    def __len__(self):
        return sum(1 for _ in self._children())

    def _children(self):
        cut = len(self._join(""))
        return [i for i in self._below() if "." not in self._rows[i][0][cut:]]

    def __iter__(self):
        return (self._model._module_at(i) for i in self._children())

    def __getitem__(self, at):
        found = self._children()[at]
        return [self._model._module_at(i) for i in found] if isinstance(at, slice) else self._model._module_at(found)


class _Names(Module):
    """Modules by name."""

    def __len__(self):
        return sum(1 for _ in self.named_children())

    def __iter__(self):
        return (name for name, _ in self.named_children())

    keys = __iter__

    def values(self):
        return self.children()

    def items(self):
        return self.named_children()

    def __contains__(self, name):
        return self._model._module_index(self._join(name)) is not None

    def __getitem__(self, name):
        index = self._model._module_index(self._join(name))
        if index is None:
            raise KeyError(name)
        return self._model._module_at(index)


_bases = {"ModuleList": _Container, "Sequential": _Container, "ModuleDict": _Names}
_classes = {}


def class_of(name, torch_class):
    """The class of the modules that torch or transformers call so."""
    base = _bases.get(torch_class, Module)
    key = name, base
    if key not in _classes:
        _classes.setdefault(key, type(name, (base,), {"__module__": "tare", "__qualname__": name}))
    return _classes[key]


def module_view(model, index):
    """The module of that index as an object."""
    _, name, torch_class, _ = model._module_rows()[index]
    view = object.__new__(class_of(name, torch_class))
    view.__dict__.update(_model=model, _index=index)
    return view
