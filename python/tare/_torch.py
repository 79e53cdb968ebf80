"""torch's own parameters and tensors over a model's memory, and transformers' own model."""
from tare._types import torch


def tensor_of(tensor):
    """torch's tensor of this one, a torch.nn.Parameter of a parameter: the same object every time, and of tied ones the same."""
    made, key = tensor._model._made, tensor._owner or tensor._path
    if key not in made:
        library = torch()
        new = library.from_dlpack(tensor)
        if tensor._is_parameter:
            new = library.nn.Parameter(new, requires_grad=tensor._trainable)
        made.setdefault(key, new)
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
    """The config as transformers' own object, with the attention implementations that were chosen for its parts."""
    own = _class_named(transformers, type(config).__name__, config.model_type).from_dict(config.to_dict())
    _choose_attention(own, config)
    return own


def _choose_attention(theirs, ours):
    theirs._attn_implementation = ours._attn_implementation
    for name in type(theirs).sub_configs:
        part, own = getattr(theirs, name, None), getattr(ours, name, None)
        if hasattr(part, "_attn_implementation") and hasattr(own, "_attn_implementation"):
            _choose_attention(part, own)


def _exchange(module, prefix, tensors, exchanged):
    """Puts the tensors in place of those that a module holds itself."""
    for held in (module._parameters, module._buffers):
        for name, old in list(held.items()):
            tensor = tensors.get(prefix + name)
            if old is None or tensor is None or tensor.is_meta:
                continue
            exchanged[id(old)] = old, tensor_of(tensor)
            setattr(module, name, exchanged[id(old)][1])


def _plain_tensors(module):
    """Tensors that are attributes of a module, neither parameters nor buffers."""
    return {name: value for name, value in vars(module).items() if isinstance(value, torch().Tensor)}


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
    library = torch()
    made_by = _class_named(transformers, type(model).__name__, model.config.model_type)

    def build():
        config = _config_of(transformers, model.config)
        with library.random.fork_rng(devices=[]):
            return made_by(config) if model._plain else made_by._from_config(config, dtype=config.dtype)

    def build_here():
        with library.device("cpu"), no_init_weights():
            return build()

    with library.device("meta"):
        theirs = build()
    if model.device.type == "meta":
        return theirs.train(model.training)
    tensors = {t._path: t for t in model._tensors()}
    exchanged, modules = {}, list(theirs.named_modules(remove_duplicate=False))
    for path, module in modules:
        _exchange(module, f"{path}." if path else "", tensors, exchanged)
    _exchange_others(modules, exchanged, build_here)
    return theirs.train(model.training)
