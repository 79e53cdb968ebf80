"""Which names the package has, and what makes them."""
from tare import _tare

DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64", "float8_e4m3fn",
          "float8_e5m2")
DTYPE_ALIASES = {"float": "float32", "half": "float16", "double": "float64", "long": "int64", "int": "int32", "short": "int16"}
CONFIG_NAMES = ("AutoConfig", "PreTrainedConfig", "PretrainedConfig")
# By the module that has them.
ELSEWHERE = {"infer_auto_device_map": "_plan", "get_balanced_memory": "_plan", "load_checkpoint_in_model": "_load", "layers": "_load",
             "Layer": "_load", "Layers": "_load", "CheckReport": "_check", "CheckRow": "_check"}
MODEL_NAMES = ("GenerationConfig", "Module", "Parameter", "PreTrainedModel", "Tensor")


def all_names():
    """Every name that make() knows."""
    return [*_tare.model_classes(), *_tare.config_classes(), *_tare.auto_classes(), *CONFIG_NAMES, *MODEL_NAMES, *DTYPES, *DTYPE_ALIASES,
            *ELSEWHERE, "get_default_device", "model_ids", "model_types"]


def make(name):
    """The class or value of that name; AttributeError, with names near it, when there is none."""
    if name in DTYPES or name in DTYPE_ALIASES:
        from tare._types import dtype_named
        return dtype_named(DTYPE_ALIASES.get(name, name))
    if name in ("model_ids", "model_types", "get_default_device"):
        from tare import _context
        return {"model_ids": _tare.ids, "model_types": lambda: list(_tare.types()), "get_default_device": _context.default_device}[name]
    if name in ELSEWHERE:
        from importlib import import_module
        return getattr(import_module(f"tare.{ELSEWHERE[name]}"), name)
    if name in CONFIG_NAMES or name in _tare.config_classes():
        from tare import _config
        return _config.named(name)
    if name in _tare.model_classes() or name in MODEL_NAMES:
        from tare import _model
        return _model.named(name)
    if name in _tare.auto_classes():
        from tare import _auto
        return _auto.named(name)
    if name in ("optim", "nn", "autograd", "no_grad"):
        raise AttributeError(f"module 'tare' has no attribute {name!r}: training is torch's, which takes model.parameters() where it is imported")
    raise AttributeError(f"module 'tare' has no attribute {name!r}{near(name, all_names())}")


def near(name, names):
    """The end of a message: what was meant, perhaps."""
    from difflib import get_close_matches
    found = get_close_matches(name, names, 3, 0.75)
    return f"; names near it: {', '.join(found)}" if found else ""
