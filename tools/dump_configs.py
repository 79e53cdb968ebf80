#!/usr/bin/env python3
"""Dump the config classes of Transformers packages as src/models/PACKAGE.json.

usage: tools/dump_configs.py [--out DIR] [PACKAGE ...]

Without names: every package that has a definition src/models/PACKAGE.c or a dump already, and tools/model_types.txt: all
model types of the reference, for tools/drift. Needs the pinned reference.
The dump holds what a machine can read off a config class: its fields with the types that the reference checks,
defaults, aliases, parts, plans, class attributes, read-only properties, and which model types and auto classes lead to
it. What a class computes is written by hand in PACKAGE.c.
"""
import argparse
import collections.abc
import dataclasses
import importlib
import inspect
import json
import os
import pathlib
import pkgutil
import sys
import types
import typing

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = pathlib.Path(__file__).resolve().parent.parent
REFERENCE = "5.23.0"
MARK = "tools/dump_configs.py; do not edit"

# Class attributes with an entry of their own, or that no model reads.
NOT_VALUES = {"model_type", "base_config_key", "attribute_map", "sub_configs_defaults", "base_model_tp_plan",
              "base_model_pp_plan", "base_model_fsdp_plan", "extra_files", "extra_config_files", "_auto_class"}
SIMPLE = {int: "int", float: "float", bool: "bool", str: "str", dict: "dict", list: "list", type(None): "None"}


# ---- types -----------------------------------------------------------------------------------------------------------
def type_text(t):
    """The type as the reference's validator acts on it: names that it cannot resolve check nothing."""
    import torch
    from transformers import PreTrainedConfig

    origin, args = typing.get_origin(t), typing.get_args(t)
    if t is typing.Any or isinstance(t, (str, typing.ForwardRef)):
        return "any"
    if t is None:
        return "None"
    if origin in (typing.Union, types.UnionType):
        return " | ".join(type_text(a) for a in args)
    if origin is typing.Literal:
        return "literal[%s]" % ", ".join(repr(a) for a in args)
    if origin is list:
        return "list[%s]" % type_text(args[0])
    if origin is dict:
        return "dict[%s]" % ", ".join(map(type_text, args))
    if origin is tuple:
        return "tuple[%s]" % ", ".join("..." if a is Ellipsis else type_text(a) for a in args)
    if origin is collections.abc.Sequence:
        return "sequence[%s]" % type_text(args[0])
    if origin is not None or typing.is_typeddict(t):
        return "never"  # the check itself raises TypeError, so no value passes
    if t in SIMPLE:
        return SIMPLE[t]
    if t is tuple or t is set:
        return "never"  # JSON has neither
    if t is torch.dtype:
        return "dtype"
    if isinstance(t, type) and issubclass(t, PreTrainedConfig):
        return "config"
    if t is collections.abc.Sequence:
        return "sequence[any]"
    raise SystemExit(f"unknown field type {t!r}: teach type_text() what the reference does with it")


def checked_type(cls, field):
    """A class without @strict keeps its parent's checks, so ask the checks and not the field."""
    checks = cls.__validators__.get(field.name)
    if not checks:
        return "any"
    return type_text(inspect.getclosurevars(checks[0]).nonlocals["field"].type)


def validator_json(check, where):
    name, held = check.__qualname__, inspect.getclosurevars(check).nonlocals
    if name == "interval.<locals>._inner":
        out = {k: held[k] for k in ("min", "max") if abs(held[k]) != float("inf")}
        return out | {k: True for k in ("exclude_min", "exclude_max") if held[k]}
    if name == "is_divisible_by.<locals>._inner":
        return {"divisible_by": held["divisor"]}
    known = {"probability": {"probability": True}, "activation_fn_key": {"activation": True},
             "positive_int_field": {"min": 0, "exclude_min": True}, "positive_int": {"min": 0},
             "positive_any_number": {"min": 0}}
    if name not in known:
        raise SystemExit(f"{where}: unknown validator {name}")
    return known[name]


def checks_of(cls, field, where):
    out = {}
    for check in cls.__validators__.get(field.name, [])[1:]:
        out |= validator_json(check, where)
    return out


# ---- values ----------------------------------------------------------------------------------------------------------
def plain(v):
    """v as JSON, or TypeError."""
    import torch

    if v is None or isinstance(v, (bool, int, float, str)):
        return v
    if isinstance(v, torch.dtype):
        return str(v).removeprefix("torch.")
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, (set, frozenset)):
        return sorted(plain(x) for x in v)
    if isinstance(v, dict) and all(isinstance(k, (str, int)) for k in v):
        return {str(k): plain(x) for k, x in v.items()}
    raise TypeError(type(v).__name__)


def field_json(cls, field):
    where = f"{cls.__name__}.{field.name}"
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        default = None
    row = [field.name, checked_type(cls, field), plain(default)]
    checks = checks_of(cls, field, where)
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        checks["required"] = True
    return row + ([checks] if checks else [])


def own_classes(cls):
    """The classes along the MRO that PreTrainedConfig itself does not have."""
    from transformers import PreTrainedConfig

    return [k for k in cls.__mro__ if k not in PreTrainedConfig.__mro__]


def class_values(cls):
    from transformers import PreTrainedConfig

    fields, out = {f.name for f in dataclasses.fields(cls)}, {}
    for k in reversed(own_classes(cls)):
        for name, v in vars(k).items():
            if name.startswith("__") or name in fields or name in NOT_VALUES:
                continue
            try:
                out[name] = plain(v)
            except TypeError:
                continue  # methods, properties, specifications of parts
    for name in ("default_theta", "default_rope_type", "ignore_keys_at_rope_validation"):
        if name in out and out[name] == plain(getattr(PreTrainedConfig, name)):
            del out[name]
    return out


def readonly(cls):
    found = {}
    for k in cls.__mro__:
        for name, v in vars(k).items():
            found.setdefault(name, v)
    return sorted(n for n, v in found.items() if isinstance(v, property) and v.fset is None and not n.startswith("__"))


def part_json(spec):
    from transformers import PreTrainedConfig

    concrete = isinstance(spec.config_class, type) and issubclass(spec.config_class, PreTrainedConfig)
    out = {"config": spec.config_class.__name__} if concrete else {"model_type": spec.model_type}
    if spec.optional:
        out["optional"] = True
    if spec.init_kwargs:
        out["init"] = plain(spec.init_kwargs)
    return out


def config_json(cls):
    out = {"model_type": cls.model_type}
    if cls.base_config_key:
        out["base_config_key"] = cls.base_config_key
    out["fields"] = [field_json(cls, f) for f in dataclasses.fields(cls)]
    optional = {
        "aliases": dict(cls.attribute_map),
        "parts": {k: part_json(s) for k, s in cls.sub_configs_defaults.items()},
        "tp_plan": cls.base_model_tp_plan and plain(cls.base_model_tp_plan),
        "pp_plan": list(cls.base_model_pp_plan or []),
        "values": class_values(cls),
        "readonly": readonly(cls),
    }
    return out | {k: v for k, v in optional.items() if v}


# ---- packages --------------------------------------------------------------------------------------------------------
def package_configs(package):
    """Config classes defined in transformers/models/PACKAGE, by name, in the order of their sources."""
    from transformers import PreTrainedConfig

    pkg = importlib.import_module(f"transformers.models.{package}")
    out = {}
    for info in sorted(pkgutil.iter_modules(pkg.__path__), key=lambda i: i.name):
        if not info.name.startswith("configuration_"):
            continue
        module = importlib.import_module(f"{pkg.__name__}.{info.name}")
        for name, cls in vars(module).items():
            if isinstance(cls, type) and issubclass(cls, PreTrainedConfig) and cls.__module__ == module.__name__:
                out[name] = cls
    return out


def wanted(classes, types_):
    """The classes of CONFIG_MAPPING and the parts they need, transitively."""
    todo, seen = list(types_.values()), set()
    while todo:
        name = todo.pop()
        if name in seen or name not in classes:
            continue
        seen.add(name)
        todo += [s.config_class.__name__ for s in classes[name].sub_configs_defaults.values()]
    return [n for n in classes if n in seen]


def auto_tables(types_):
    """{auto class: {model type: model class}}, restricted to the given model types."""
    from transformers.models.auto import modeling_auto

    out = {}
    for name, cls in vars(modeling_auto).items():
        table = getattr(getattr(cls, "_model_mapping", None), "_model_mapping", None)
        if name.startswith("Auto") and table:
            rows = {t: plain(table[t]) for t in types_ if t in table}
            if rows:
                out[name] = rows
    return dict(sorted(out.items()))


def package_json(package):
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    classes = package_configs(package)
    types_ = {t: n for t, n in sorted(CONFIG_MAPPING_NAMES.items()) if n in classes}
    return {
        "generated": MARK,
        "reference": f"transformers {REFERENCE}",
        "configs": {n: config_json(classes[n]) for n in wanted(classes, types_)},
        "types": types_,
        "auto": auto_tables(types_),
    }


# ---- text ------------------------------------------------------------------------------------------------------------
def line(v):
    return json.dumps(v, ensure_ascii=False)


def layout(v, depth=0):
    """Indent 1; what holds no dict of its own and is short stays on one line, and so does every field."""
    flat = line(v)
    spread = isinstance(v, dict) and (depth < 2 or len(flat) > 100)
    rows = isinstance(v, list) and any(isinstance(x, list) for x in v)
    if not v or not (spread or rows):
        return flat
    pad, end = " " * (depth + 1), " " * depth
    if isinstance(v, dict):
        body = [f"{pad}{line(k)}: {layout(x, depth + 1)}" for k, x in v.items()]
        return "{\n" + ",\n".join(body) + f"\n{end}}}"
    return "[\n" + ",\n".join(pad + line(x) for x in v) + f"\n{end}]"


def all_types():
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return sorted(CONFIG_MAPPING_NAMES)


def default_packages(out):
    return sorted({p.stem for p in out.glob("*.c")} | {p.stem for p in out.glob("*.json")})


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--out", type=pathlib.Path, default=ROOT / "src" / "models")
    a.add_argument("packages", nargs="*", metavar="PACKAGE")
    o = a.parse_args()
    import transformers

    if transformers.__version__ != REFERENCE:
        sys.exit(f"needs transformers {REFERENCE}, found {transformers.__version__}")
    transformers.logging.set_verbosity_error()
    if not o.packages:
        (ROOT / "tools" / "model_types.txt").write_text("".join(t + "\n" for t in all_types()))
    for package in o.packages or default_packages(o.out):
        (o.out / f"{package}.json").write_text(layout(package_json(package)) + "\n")


if __name__ == "__main__":
    main()
