"""tare: what transformers builds from a config, without its weights, in about a millisecond.

Config, model and auto classes are those that transformers has, by the same names: ``dir(tare)`` lists them. They are made
when they are asked for.
"""
from tare import _tare
from tare._context import init_empty_weights
from tare._random import initial_seed, manual_seed
from tare._types import Size, device, dtype

__version__ = _tare.version
reference = _tare.reference


def __getattr__(name):
    # Also how `from tare import _module` looks before it imports.
    if name.startswith("_"):
        raise AttributeError(f"module 'tare' has no attribute {name!r}")
    from tare._names import make
    made = make(name)
    globals()[name] = made
    return made


def __dir__():
    from tare._names import all_names
    return sorted({name for name in globals() if not name.startswith("_")} | {"__version__"} | set(all_names()))
