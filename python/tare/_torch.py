"""torch's own parameters and tensors over a model's memory, and transformers' own model."""
import torch

# What tells of a parameter without its values; whatever else is done with one draws them.
_ABOUT = {getattr(torch.Tensor, name).__get__ for name in (
    "device", "dtype", "grad", "grad_fn", "is_cpu", "is_cuda", "is_leaf", "is_meta", "is_sparse", "itemsize", "layout", "nbytes", "ndim",
    "requires_grad", "retains_grad", "shape")}
_ABOUT |= {getattr(torch.Tensor, name) for name in (
    "__hash__", "__len__", "dim", "element_size", "is_complex", "is_contiguous", "is_floating_point", "ndimension", "nelement", "numel",
    "requires_grad_", "size", "stride")}
_ABOUT |= {torch.Tensor.grad.__set__, torch.Tensor.requires_grad.__set__, torch.is_floating_point, torch.is_complex, torch.numel}


class Parameter(torch.nn.Parameter):
    """A parameter that nobody has looked at yet: drawn, and torch's own and nothing else, with the first look at its values."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func not in _ABOUT:
            _draw_all(args)
            _draw_all(kwargs.values())
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    def __deepcopy__(self, memo):
        _draw(self)
        return self.__deepcopy__(memo)


def _draw_all(values):
    for value in values:
        if type(value) is Parameter:
            _draw(value)
        elif isinstance(value, (list, tuple)):
            _draw_all(value)
        elif isinstance(value, dict):
            _draw_all(value.values())


def _draw(parameter):
    view = parameter.__dict__.get("_tare")
    if view is not None:
        view.data_ptr()
        parameter.__dict__.pop("_tare", None)
    parameter.__class__ = torch.nn.Parameter


def _parameter(tensor):
    # A view of its own, for the model keeps the parameter: it does not keep the model.
    view = tensor._model._handle.find(tensor._path, type(tensor), type(tensor))
    made = torch.Tensor._make_subclass(Parameter, torch.from_dlpack(view._room()), tensor._trainable)
    made.__dict__["_tare"] = view
    return made


def tensor_of(tensor):
    """torch's tensor of this one, a torch.nn.Parameter of a parameter: the same object every time, and of tied ones the same."""
    made, key = tensor._model._made, tensor._owner or tensor._path
    if key not in made:
        # One that is asked for in inference mode trains afterwards, too.
        with torch.inference_mode(False):
            made.setdefault(key, _parameter(tensor) if tensor._is_parameter else torch.from_dlpack(tensor))
    return made[key]


# ---- transformers ----------------------------------------------------------------------------------------------------


def _class_named(transformers, name, model_type):
    """A class of transformers by name; some are in the module of their type alone."""
    found = getattr(transformers, name, None)
    if found is None:
        import importlib
        import pkgutil
        home = importlib.import_module(type(transformers.AutoConfig.for_model(model_type)).__module__.rpartition(".")[0])
        for part in pkgutil.iter_modules(home.__path__):
            if found is None and part.name.startswith(("modeling_", "configuration_")):
                found = getattr(importlib.import_module(f"{home.__name__}.{part.name}"), name, None)
    if found is None:
        raise ImportError(f"transformers {transformers.__version__} has no {name}")
    return found


def _config_of(transformers, config):
    """The config as transformers' own object. What it would make of a value again is set to what it is."""
    own = _class_named(transformers, type(config).__name__, config.model_type).from_dict(config.to_dict())
    _settle(own, config)
    return own


def _settle(theirs, ours):
    now = theirs.to_dict()
    for key, value in ours.to_dict().items():
        if key in now and now[key] != value and key not in type(theirs).sub_configs:
            setattr(theirs, key, value)
    for name in ("_attn_implementation", "_experts_implementation"):
        if hasattr(theirs, name) and hasattr(ours, name):
            setattr(theirs, name, getattr(ours, name))
    for name in type(theirs).sub_configs:
        part, own = getattr(theirs, name, None), getattr(ours, name, None)
        if hasattr(part, "sub_configs") and own is not None:
            _settle(part, own)


def _exchange(module, prefix, tensors, exchanged):
    """Puts the tensors in place of those that a module holds itself."""
    for held in (module._parameters, module._buffers):
        for name, old in list(held.items()):
            tensor = tensors.get(prefix + name)
            if old is None or tensor is None or tensor.device.type != "cpu":
                continue
            new = tensor_of(tensor)
            _draw_all([new])
            exchanged[id(old)] = old, new
            setattr(module, name, exchanged[id(old)][1])


def _plain_tensors(module):
    """Tensors that are attributes of a module, neither parameters nor buffers."""
    return {name: value for name, value in vars(module).items() if isinstance(value, torch.Tensor)}


def _exchange_others(modules, exchanged, made_again):
    """A module may hold a parameter or buffer of its own a second time. What else is still empty then comes from a model that is not."""
    missing = []
    for path, module in modules:
        for name, value in _plain_tensors(module).items():
            if id(value) in exchanged:
                setattr(module, name, exchanged[id(value)][1])
            elif value.is_meta:
                missing.append((path, module, name))
    again = made_again() if missing else None
    for path, module, name in missing:
        setattr(module, name, getattr(again.get_submodule(path), name))


def to_transformers(model):
    """transformers' model of the same class, made empty from the same config, that takes over the memory of the weights."""
    import transformers
    from transformers.initialization import no_init_weights
    made_by = _class_named(transformers, type(model).__name__, model.config.model_type)

    def build():
        config = _config_of(transformers, model.config)
        with torch.random.fork_rng(devices=[]):
            return made_by(config) if model._plain else made_by._from_config(config, dtype=config.dtype)

    def build_here():
        with torch.device("cpu"), no_init_weights():
            return build()

    with torch.device("meta"):
        theirs = build()
    if model.device.type == "meta":
        return theirs.train(model.training)
    tensors = {t._path: t for t in model._tensors()}
    exchanged, modules = {}, list(theirs.named_modules(remove_duplicate=False))
    for path, module in modules:
        _exchange(module, f"{path}." if path else "", tensors, exchanged)
    _exchange_others(modules, exchanged, build_here)
    return theirs.train(model.training)
