"""The skeleton of src/models/NAME.c: facts of the classes, and a first draft of every module, read off live objects.

Used by tools/new-family. Nothing here reads how a class is written: class attributes, config classes, conversion rules, and
the modules, parameters and buffers of small models, in the order in which their constructors made them.
"""
import collections
import contextlib
import dataclasses
import inspect
import json
import re
import textwrap

import goldens
import tiny
import torch
from dump_configs import own_classes, package_configs
from layouts import layout_text, quote, set_text
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.activations import ACT2FN

WIDTH = 140
GENERIC = ("GenericForSequenceClassification", "GenericForQuestionAnswering", "GenericForTokenClassification")


def map_text(pairs):
    return "MAP(" + ", ".join("{%s, %s}" % (quote(a), quote(b)) for a, b in pairs.items()) + ")" if pairs else "NO_MAP"


def comment(text, indent=""):
    rows = textwrap.wrap(text.replace("*/", "* /"), WIDTH - len(indent) - 6, break_long_words=False, break_on_hyphens=False) or [""]
    return f"{indent}/* " + f"\n{indent} * ".join(rows) + " */\n"


# ---- facts -----------------------------------------------------------------------------------------------------------
def names_of(v):
    return sorted(map(str, v)) if isinstance(v, (set, frozenset)) else [str(x) for x in v or ()]


def facts_of(cls):
    """{field of model_facts: value} of a class, all that it inherits included."""
    facts = {
        "config": getattr(cls.config_class, "__name__", None),
        "base_model_prefix": cls.base_model_prefix or None,
        "main_input_name": cls.main_input_name,
        "can_generate": bool(cls.can_generate()),
        "supports_gradient_checkpointing": bool(cls.supports_gradient_checkpointing),
        "no_split_modules": names_of(cls._no_split_modules),
        "skip_keys_device_placement": names_of([cls._skip_keys_device_placement] if isinstance(cls._skip_keys_device_placement, str)
                                               else cls._skip_keys_device_placement),
        "keep_in_fp32_modules": names_of(cls._keep_in_fp32_modules),
        "keep_in_fp32_modules_strict": names_of(cls._keep_in_fp32_modules_strict),
        "keys_to_ignore_on_load_unexpected": names_of(cls._keys_to_ignore_on_load_unexpected),
        "keys_to_ignore_on_load_missing": names_of(cls._keys_to_ignore_on_load_missing),
        "keys_to_ignore_on_save": names_of(cls._keys_to_ignore_on_save),
        "supports_flash_attn": bool(cls._supports_flash_attn),
        "supports_sdpa": bool(cls._supports_sdpa),
        "supports_flex_attn": bool(cls._supports_flex_attn),
        "uses_experts_implementation": bool(cls._can_set_experts_implementation()),
        "tied_weights_keys": dict(cls._tied_weights_keys) if isinstance(cls._tied_weights_keys, dict) else {},
        "tp_plan": {k: str(v) for k, v in (getattr(cls, "_tp_plan", None) or {}).items()},
        "pp_plan": [str(k) for k in getattr(cls, "_pp_plan", None) or ()],
        "compatible_flash_implementations": names_of(getattr(cls, "_compatible_flash_implementations", None)),
    }
    holder = next((k for k in cls.__mro__ if "_init_weights" in vars(k)), PreTrainedModel)
    # A mixin's rule, or a rule of another family, counts as the class's own group's.
    facts["init_weights"] = None if holder is PreTrainedModel else f"{holder.__name__}_init_weights"
    return facts


DEFAULTS = {"main_input_name": "input_ids"}


def fact_text(v):
    if isinstance(v, bool):
        return "YES" if v else "NO"
    if isinstance(v, dict):
        return map_text(v)
    if isinstance(v, list):
        return set_text(v)
    return quote("" if v is None else v)


def fact_rows(facts, beside):
    """What differs from `beside`, as designated initialisers."""
    rows = []
    for key, v in facts.items():
        if v == beside.get(key, DEFAULTS.get(key, type(v)() if v is not None else None)):
            continue
        if key == "init_weights":
            rows.append(f".init_weights = {v or 'init_weights'}")
        else:
            rows.append(f".{key} = {fact_text(v)}")
    return rows


def group_of(cls):
    """The class whose facts a group shares."""
    bases = [k for k in cls.__mro__[1:] if k.__name__.endswith("PreTrainedModel") and k is not PreTrainedModel and issubclass(k, PreTrainedModel)]
    return bases[0] if bases else None


# ---- live models -------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def order_kept():
    """Within it, every module remembers in which order its constructor registered children, parameters and buffers."""
    nn = torch.nn.Module
    plain = nn.__setattr__, nn.register_buffer, nn.register_parameter, nn.add_module

    def note(module, name):
        order = module.__dict__.setdefault("_order", [])
        if name not in order:
            order.append(name)

    def set_(module, name, value):
        plain[0](module, name, value)
        if isinstance(value, (torch.nn.Module, torch.nn.Parameter)):
            note(module, name)

    def register(which):
        def call(module, name, *args, **kwargs):
            plain[which](module, name, *args, **kwargs)
            note(module, name)
        return call

    nn.__setattr__, nn.register_buffer, nn.register_parameter, nn.add_module = set_, register(1), register(2), register(3)
    try:
        yield
    finally:
        nn.__setattr__, nn.register_buffer, nn.register_parameter, nn.add_module = plain


def members(module):
    """(name, child, parameter or buffer) in the order of registration."""
    all_ = {**module._parameters, **module._buffers, **module._modules}
    order = [n for n in module.__dict__.get("_order", []) if n in all_]
    for name in order + [n for n in all_ if n not in order]:
        yield name, all_[name]


def probe_config(shrinker):
    """The tiny config with as many different numbers as go: a size then says which key it comes from."""
    s, start = shrinker, dict(shrinker.flat)
    taken = collections.Counter()
    for path in s.fields:
        v = s.value(path)
        if tiny.is_int(v) and not re.search(r"token_id$|_id$|_index$", path[-1]):
            if v in (0, 1) or taken[v]:
                options = [v + d for d in (1, 2, 3, 4, 5)] + [2 * v, 3 * v]
                for new in options if v > 1 else []:
                    if not taken[new] and s.attempt({path: new}, smaller=False):
                        v = new
                        break
            taken[v] += 1
    for path in s.fields:
        if path[-1] == "pad_token_id" and s.value(path) is None:
            s.attempt({path: 5}, smaller=False)  # which embeddings leave a row out
    p = 0.11
    for path in s.fields:
        v = s.value(path)
        if isinstance(v, float) and re.search(r"drop|eps|prob", path[-1]):
            new = p if "eps" not in path[-1] else round(p * 1e-4, 9)
            if s.attempt({path: new}, smaller=False):
                p = round(p + 0.01, 4)
    labelled = {**s.flat, ("num_labels",): 7}
    flat, s.flat = labelled if s.state(labelled) else s.flat, start
    s.state(start)
    return s.config(flat)


class Sizes:
    """Numbers as expressions of a config's keys."""

    PREFERRED = re.compile(r"^(hidden_size|d_model|n_embd|embed_dim|dim|hidden_dim)$")
    WIDE = re.compile(r"hidden|dim|_size|d_model|n_embd|width|channels|inter|ff")
    HEADS = re.compile(r"heads?$|head$")

    def __init__(self, config):
        self.ints, self.floats, self.labels = {}, {}, None
        if config is None:
            return
        self.read(config, "c")
        for found in self.ints.values():  # a name that says it before others, the config itself before its parts
            found.sort(key=lambda n: (n[0] != "c", not self.PREFERRED.search(n[1])))
        labels = getattr(config, "num_labels", None)
        self.labels = labels if tiny.is_int(labels) else None

    def read(self, config, at):
        aliases, parts = getattr(config, "attribute_map", {}), config.sub_configs
        for name in (f.name for f in dataclasses.fields(config)):
            v = getattr(config, name, None)
            if name in parts and isinstance(v, PreTrainedConfig) and at == "c":
                self.read(v, f'part(c, "{name}")')
            if re.search(r"token_id$|_id$|_index$", name) or name in aliases:
                continue
            if tiny.is_int(v) and v > 1:
                self.ints.setdefault(v, []).append((at, name))
            elif isinstance(v, float) and at == "c":
                self.floats.setdefault(v, []).append(name)

    def named(self, v, like=None):
        for at, name in self.ints.get(v, ()):
            if like is None or like.search(name):
                return f'dim({at}, "{name}")'
        return None

    def size(self, v):
        """An expression, or the number itself with a question mark."""
        if v <= 1:
            return str(v)
        if v == self.labels and v != 2:
            return "num_labels(c)"
        return self.named(v, self.WIDE) or (self.named(v) if v > 8 else None) or self.formula(v) or self.named(v) or (f"{v} /* ? */" if v > 4 else str(v))

    def formula(self, v):
        if v < 6:
            return None
        heads = [n for n in self.ints if self.named(n, self.HEADS)]
        wide = sorted(n for n in self.ints if self.named(n, self.WIDE))
        for n in heads:
            if v % n == 0 and self.named(v // n, re.compile(r"head|d_kv|key|value")):
                return f"{self.named(n, self.HEADS)} * {self.named(v // n, re.compile(r'head|d_kv|key|value'))}"
        for kv in heads:
            for n in heads:
                for d in wide:
                    if kv < n and d % n == 0 and d // n * kv == v:
                        return f"{self.named(kv, self.HEADS)} * ({self.named(d, self.WIDE)} / {self.named(n, self.HEADS)})"
        for d in wide:
            for n in heads:
                if d % n == 0 and d // n == v and n > 1:
                    return f"{self.named(d, self.WIDE)} / {self.named(n, self.HEADS)}"
        for k in (2, 3, 4):
            if v % k == 0 and v // k in wide:
                return f"{k} * {self.named(v // k, self.WIDE)}"
        for d in (1, 2):
            if v - d in self.ints and v > 8 and self.named(v - d, re.compile(r"position|vocab|length|patches")):
                return f"{self.named(v - d, re.compile(r'position|vocab|length|patches'))} + {d}"
        return self.pairs(v, wide)

    def pairs(self, v, wide):
        for a in wide:
            for b in wide:
                if a <= b and a * b == v:
                    return f"{self.named(a)} * {self.named(b)}"
        for a in wide:
            for b in wide:
                if a <= b and a + b == v and a > 4:
                    return f"{self.named(a)} + {self.named(b)}"
        for a in wide:
            if v > 8 and a % 2 == 0 and a // 2 == v:
                return f"{self.named(a)} / 2"
        return None

    def number(self, v):
        if isinstance(v, float) and v in self.floats:
            return f'real(c, "{self.floats[v][0]}")'
        return f"num_f({v!r})" if isinstance(v, float) else f"num_i({v})"


# ---- one line of a draft -------------------------------------------------------------------------------------------------
def c_bool(v):
    return "true" if v else "false"


def dims_text(sizes, shape):
    return ", ".join(sizes.size(n) for n in shape)


KERNELS = re.compile(r"patch|kernel|stride|conv|tubelet")


def spec_size(v, sizes):
    v = tuple(v) if isinstance(v, (list, tuple)) else (v,)
    each = [sizes.named(n, KERNELS) or str(n) if n > 2 else str(n) for n in v]
    if len(v) == 1:
        return f"SIZE1({each[0]})"
    return f"SAME{len(v)}({each[0]})" if len(set(v)) == 1 else f"SIZE{len(v)}({', '.join(each)})"


def conv_line(name, m, sizes, n):
    args = [f".kernel = {spec_size(m.kernel_size, sizes)}"]
    for key, plain in (("stride", 1), ("padding", 0), ("dilation", 1)):
        v = getattr(m, key)
        if isinstance(v, str):
            args.append(f".padding_text = {quote(v)}")
        elif any(x != plain for x in v):
            args.append(f".{key} = {spec_size(v, sizes)}")
    if m.groups != 1:
        args.append(f".groups = {sizes.size(m.groups)}")
    if m.bias is None:
        args.append(".no_bias = true")
    return f"conv{n}d(m, {quote(name)}, {sizes.size(m.in_channels)}, {sizes.size(m.out_channels)}, {', '.join(args)});"


def activation_line(name, m, config):
    """By the config's key where one names this very activation."""
    if config is not None:
        for field in dataclasses.fields(config):
            v = getattr(config, field.name, None)
            if isinstance(v, str) and v in ACT2FN:
                with contextlib.suppress(Exception):
                    if type(ACT2FN[v]) is type(m) and repr(ACT2FN[v]) == repr(m):
                        return f'act(m, {quote(name)}, c, "{field.name}");'
    for word in ACT2FN:
        with contextlib.suppress(Exception):
            if type(ACT2FN[word]) is type(m) and repr(ACT2FN[word]) == repr(m):
                return f"act_named(m, {quote(name)}, {quote(word)});"
    if repr(m) == f"{type(m).__name__}()" and type(m).__module__.startswith("torch.nn.modules.activation"):
        return f"activation(m, {quote(name)}, {quote(type(m).__name__)});"
    return None


def norm_line(name, m, sizes):
    """A class of the family that is an RMS norm and no more."""
    if list(m._parameters) != ["weight"] or m._buffers or m._modules or m.weight.dim() != 1:
        return None
    cls, d = quote(type(m).__name__), sizes.size(m.weight.shape[0])
    eps = re.fullmatch(r"\(\d+,?\), eps=(.*)", m.extra_repr())
    if not m.extra_repr():
        return f"norm_silent(m, {quote(name)}, {cls}, {d});"
    if not eps:
        return None
    zeros = m.weight.device.type != "meta" and not m.weight.any()
    return f"rmsnorm{'_zeros' if zeros else ''}(m, {quote(name)}, {cls}, {d}, {sizes.number(float(eps[1]))});"


def subclass_line(name, m, sizes, config):
    """A class of the family that is one of torch's layers under another name."""
    nn, cls = torch.nn, quote(type(m).__name__)
    base = next((b for b in (nn.Embedding, nn.Linear, nn.LayerNorm) if isinstance(m, b)), None)
    if base is None or m._modules or m._buffers or set(m._parameters) - {"weight", "bias"}:
        return None
    plain = torch_line(name, m, sizes, config, base)
    word = base.__name__.lower()
    return re.sub(rf"^{word}\(m, (\"[^\"]*\"), ", rf"{word}_as(m, \1, {cls}, ", plain) if plain and plain.startswith(f"{word}(") else None


def torch_line(name, m, sizes, config, kind=None):
    nn, q = torch.nn, quote(name)
    kind = kind or type(m)
    if kind is nn.Linear:
        return f"linear(m, {q}, {sizes.size(m.in_features)}, {sizes.size(m.out_features)}, {c_bool(m.bias is not None)});"
    if kind is nn.Embedding:
        pad = "NO_PAD" if m.padding_idx is None else "pad(c)" if m.padding_idx == getattr(config, "pad_token_id", None) else str(m.padding_idx)
        return f"embedding(m, {q}, {sizes.size(m.num_embeddings)}, {sizes.size(m.embedding_dim)}, {pad});"
    if kind is nn.LayerNorm and len(m.normalized_shape) == 1:
        d, eps = sizes.size(m.normalized_shape[0]), sizes.number(m.eps)
        if m.weight is not None and m.bias is not None:
            return f"layernorm(m, {q}, {d}, {eps});"
        return f"layernorm_with(m, {q}, {d}, {eps}, {'.no_affine = true' if m.weight is None else '.no_bias = true'});"
    if kind is nn.Dropout and not m.inplace:
        return f"dropout(m, {q}, {sizes.number(m.p)});"
    if kind is nn.Identity:
        return f"identity(m, {q});"
    for n, conv in ((1, nn.Conv1d), (2, nn.Conv2d), (3, nn.Conv3d)):
        if kind is conv and m.padding_mode == "zeros":
            return conv_line(name, m, sizes, n)
    if kind is nn.BatchNorm2d and m.affine and m.track_running_stats and m.momentum == 0.1:
        eps = "0" if m.eps == 1e-5 else f".eps = {sizes.number(m.eps)}, .has_eps = true"
        return f"batchnorm2d(m, {q}, {sizes.size(m.num_features)}, {eps});" if eps != "0" else f"batchnorm2d(m, {q}, {sizes.size(m.num_features)}, 0);"
    if kind is nn.GroupNorm:
        return f"groupnorm(m, {q}, {sizes.size(m.num_groups)}, {sizes.size(m.num_channels)}, {sizes.number(m.eps)}, {c_bool(m.affine)});"
    if kind.__name__ == "Conv1D" and kind.__module__ == "transformers.pytorch_utils":
        return f"conv1d_gpt(m, {q}, {sizes.size(m.weight.shape[1])}, {sizes.size(m.weight.shape[0])});"
    if kind.__module__ in ("transformers.activations", "torch.nn.modules.activation") and not list(m.parameters()):
        return activation_line(name, m, config)
    return None


DT = {torch.float32: "DT_DEFAULT", torch.int64: "DT_I64", torch.bool: "DT_BOOL", torch.int32: "DT_I32", torch.float16: "DT_F16",
      torch.bfloat16: "DT_BF16", torch.float64: "DT_F64", torch.uint8: "DT_U8", torch.int8: "DT_I8", torch.complex64: "DT_C64"}


def made_of(t):
    """How the values look: a guess that fresh weights confirm or not."""
    if t.device.type == "meta" or not t.numel():
        return "EMPTY"
    if not t.any():
        return "ZEROS"
    if bool((t == 1).all()):
        return "ONES"
    if t.dim() > 1 and t.shape[-1] == t.shape[-2] > 1 and not t.is_complex() and bool((t == torch.ones_like(t).tril()).all()):
        return "TRIL"
    if t.dtype in (torch.int64, torch.float32) and t.dim() and t.shape[-1] > 1 and bool((t == torch.arange(t.shape[-1], dtype=t.dtype)).all()):
        return "ARANGE"
    if not t.is_complex() and t.dtype != torch.bool and bool((t == t.reshape(-1)[0]).all()):
        return f"FULL({t.reshape(-1)[0].item()!r})"
    return "EMPTY"


def tensor_line(name, t, module, sizes):
    q = quote(name)
    if isinstance(t, torch.nn.Parameter):
        text = f"param_scalar(m, {q}, {made_of(t)})" if t.dim() == 0 else f"param(m, {q}, {made_of(t)}, {dims_text(sizes, t.shape)})"
        return text + ";" if t.requires_grad else f"freeze({text});"
    kept = "TRANSIENT" if name in module._non_persistent_buffers_set else "PERSISTENT"
    if t.dtype not in DT:
        return None
    if t.dim() == 0:
        return f"buffer_scalar(m, {q}, {made_of(t)}, {DT[t.dtype]}, {kept});"
    return f"buffer(m, {q}, {made_of(t)}, {DT[t.dtype]}, {kept}, {dims_text(sizes, t.shape)});"


# ---- drafts --------------------------------------------------------------------------------------------------------------
class Draft:
    """The text of a builder function from one live module of the class."""

    def __init__(self, drafts, module, config, path):
        self.all, self.module, self.config, self.path = drafts, module, config, path
        self.sizes, self.needs, self.lines = Sizes(config), [], []
        for name, v in members(module):
            self.add(name, v)

    def say(self, text):
        for row in textwrap.wrap(text.replace("*/", "* /"), WIDTH - 12):
            self.lines.append(f"/* {row} */")

    def add(self, name, v):
        if v is None:
            return
        if isinstance(v, torch.Tensor):
            shape = list(v.shape)
            line = tensor_line(name, v, self.module, self.sizes)
            self.lines.append(line + (f" /* {shape} */" if line.endswith("FULL") or "EMPTY" in line else "") if line else f"/* {name}: {v.dtype} {shape} */")
            return
        line = self.child(name, v)
        if line:
            self.lines += line.split("\n")
        else:
            self.say(f"{name}: " + re.sub(r"\s+", " ", repr(v))[:600])

    def config_of(self, child):
        """How the child's config is reached from c; None for c itself."""
        theirs = getattr(child, "config", None)
        if not isinstance(theirs, PreTrainedConfig) or self.config is None or theirs is self.config or type(theirs) is type(self.config):
            return "c"
        for key in self.config.sub_configs:
            if type(getattr(self.config, key, None)) is type(theirs):
                return f'part(c, "{key}")'
        return "c"

    def sub(self, name, child):
        cls = type(child).__name__
        if cls not in self.all.classes:
            if isinstance(child, PreTrainedModel):
                return f'sub_auto(m, {quote(name)}, {self.config_of(child)}, "AutoModel");'
            return None
        self.needs.append(cls)
        return f"sub(m, {quote(name)}, {cls}, {self.config_of(child)});"

    def list(self, name, v):
        items = list(v.children())
        kinds = {type(i).__name__ for i in items}
        if len(kinds) != 1 or next(iter(kinds)) not in self.all.classes:
            return None
        cls = next(iter(kinds))
        self.needs.append(cls)
        n = self.sizes.size(len(items)).replace("dim(", "count(")
        word = "list" if isinstance(v, torch.nn.ModuleList) else "sequential_list"
        return f"{word}(m, {quote(name)}, {n}, {cls}, {self.config_of(items[0])});"

    def container(self, name, v):
        """A list or sequence of few different modules, one line for each."""
        word = "module_list" if isinstance(v, torch.nn.ModuleList) else "sequential"
        var = "in_" + re.sub(r"\W", "_", name)
        rows = [self.child(n, item) for n, item in v.named_children()]
        if not rows or len(rows) > 12 or None in rows or any("\n" in row for row in rows):
            return None
        return "\n".join([f"mod *{var} = {word}(m, {quote(name)});"] + [re.sub(r"^(\w+)\(m, ", rf"\1({var}, ", row) for row in rows])

    def child(self, name, v):
        cls = type(v).__name__
        if type(v) in (torch.nn.ModuleList, torch.nn.Sequential):
            return self.list(name, v) or self.container(name, v)
        if cls in self.all.classes:
            if self.all.is_rotary(v):
                return f"rotary(m, {quote(name)}, {quote(cls)}, {self.config_of(v)}, false);"
            return self.all.inline_line(name, v, self.sizes, self.config) or self.sub(name, v)
        if isinstance(v, PreTrainedModel):
            return self.sub(name, v)
        if getattr(v, "_is_hf_initialized", None) is None or not list(v.children()):
            return torch_line(name, v, self.sizes, self.config)
        return None


class Drafts:
    """Drafts of all module classes of a package."""

    def __init__(self, family):
        self.family = family
        self.classes = tiny.classes_of(family.package, torch.nn.Module)
        self.classes = {n: c for n, c in self.classes.items() if not n.endswith("PreTrainedModel")}
        self.inline = set()
        self.drafts = {}
        for t, s in family.shrinkers.items():
            config = probe_config(s)
            for cls in s.classes:
                self.walk(cls, t, config, s)
        for t, found in family.trials.items():
            s = family.shrinkers[t]
            for (path, v), classes in found.tree.items():
                if set(self.classes) <= set(self.drafts) | self.inline:
                    break
                pair = isinstance(path[0], tuple)
                changes = dict(zip(path, json.loads(v))) if pair else {path: json.loads(v)}
                self.walk(next(iter(classes)), t, s.config({**s.flat, **changes}), s, f"with {json.dumps(s.config(changes))}")

    @staticmethod
    def is_rotary(m):
        return type(m).__name__.endswith("RotaryEmbedding") and list(m._buffers) == ["inv_freq", "original_inv_freq"]

    @staticmethod
    def inline_line(name, m, sizes, config):
        """What needs no function: a norm, or a layer of torch's under a name of the family."""
        return (norm_line(name, m, sizes) if "Norm" in type(m).__name__ else None) or subclass_line(name, m, sizes, config)

    def walk(self, cls, model_type, config, s, where=""):
        with order_kept():
            model = tiny.build(cls, model_type, config, "cpu" if s.most <= goldens.MOST_DRAWN else "meta")
            if isinstance(model, BaseException):
                model = tiny.build(cls, model_type, config)
        if isinstance(model, BaseException):
            return
        self.visit(model, model.config, "", where)

    def visit(self, module, config, path, where):
        own = getattr(module, "config", None)
        config = own if isinstance(own, PreTrainedConfig) else config
        name = type(module).__name__
        if name in self.classes:
            if self.is_rotary(module) or (path and self.inline_line("x", module, Sizes(config), config)):
                self.inline.add(name)
            elif name not in self.drafts:
                self.drafts[name] = Draft(self, module, config, ", ".join(x for x in (path, where) if x))
        for child, v in module.named_children():
            self.visit(v, config, f"{path}.{child}" if path else child, where)

    def order(self):
        """Leaves first; of equals the order of the file."""
        out, open_ = [], set()

        def put(name):
            if name in out or name in open_ or name in self.inline:
                return
            open_.add(name)
            for need in self.drafts[name].needs if name in self.drafts else []:
                put(need)
            open_.discard(name)
            out.append(name)

        for name in self.classes:
            put(name)
        return out

    def is_generic(self, name):
        return next((k.__name__ for k in self.classes[name].__mro__ if k.__name__ in GENERIC), None)

    def text(self):
        out, done = [], set()
        for name in self.order():
            if self.is_generic(name):
                continue
            out.append(self.function(name, done))
            done.add(name)
        return "".join(out)

    def function(self, name, done):
        draft = self.drafts.get(name)
        head = comment(f"As {draft.path}." if draft and draft.path else "Not in the small models." if not draft else "")[:-1] + "\n"
        if draft and not draft.path:
            head = ""
        body = [f'fail(m, "{name} is not written yet");']
        for line in draft.lines if draft else []:
            called = re.match(r'\w+\(\w+, "[^"]*", (?:.*, )?(\w+), (?:c|part\(c, "\w+"\))\);$', line)
            body.append(f"/* {line} */" if called and called[1] in self.classes and called[1] not in done else line)
        if not any(re.search(r"\bc\b", re.sub(r"/\*.*?\*/", "", row)) for row in body):
            body.insert(0, "(void)c;")
        return f"{head}static void {name}(mod *m, const cfg *c) {{\n" + "".join(wrapped(row, "    ", "        ") + "\n" for row in body) + "}\n"


# ---- config classes ------------------------------------------------------------------------------------------------------
HOOKS = {"__post_init__": ("post_init", "", "cfg *c"), "convert_rope_params_to_dict": ("convert_rope", "_convert_rope", "cfg *c"),
         "validate_architecture": ("validate_architecture", "_validate", "const cfg *c"),
         "validate_layer_type": ("validate_layer_type", "_validate_layer_type", "const cfg *c"), "to_dict": ("to_dict", "_to_dict", "cfg *c")}
QUIET = {"__init__", "__doc__", "__module__", "model_type", "attribute_map", "__eq__", "__repr__", "__hash__", "__validators__", "validate"}


def divides_heads(cls):
    names = {f.name for f in dataclasses.fields(cls)}
    if not {"hidden_size", "num_attention_heads"} <= names:
        return False
    with contextlib.suppress(Exception):
        cls(hidden_size=48, num_attention_heads=4, **({"num_key_value_heads": 4} if "num_key_value_heads" in names else {}))
        try:
            cls(hidden_size=48, num_attention_heads=5, **({"num_key_value_heads": 5} if "num_key_value_heads" in names else {}))
        except Exception as e:
            return "multiple" in str(e) or "divisible" in str(e)
    return False


def computed(cls):
    """What the defaults become once the class is made."""
    try:
        made = cls()
    except Exception as e:
        return f"its defaults are refused: {type(e).__name__}: {e}"[:200]
    out = []
    for f in dataclasses.fields(cls):
        before, after = tiny.default_of(f), getattr(made, f.name, None)
        if before != after and f.name not in ("id2label", "label2id", "transformers_version") and not isinstance(after, PreTrainedConfig):
            out.append(f"{f.name}: {before!r} -> {after!r}"[:160])
    more = sorted(k for k in vars(made) if k not in {f.name for f in dataclasses.fields(cls)} and not k.startswith("_"))
    return "of the defaults it makes " + ("; ".join(out) or "no others") + (f"; it adds {', '.join(more)}" if more else "")


def config_parts(cls):
    """(stub functions, initialisers) of a config class."""
    stubs, rows = "", []
    mine = own_classes(cls)
    found = [h for h in HOOKS if any(h in vars(k) for k in mine)]
    for hook in found:
        field, ending, argument = HOOKS[hook]
        if hook == "validate_architecture" and divides_heads(cls):
            rows.append(".validate_architecture = heads_divide_hidden_size")
            continue
        name = cls.__name__ + ending
        rows.append(f".{field} = {name}")
        if hook == "__post_init__":
            stubs += comment(f"__post_init__: {computed(cls)}")
        stubs += f'static void {name}({argument}) {{\n    refuse(c, NULL, "{cls.__name__}.{hook} is not written yet");\n}}\n'
    other = sorted({n for k in mine for n, v in vars(k).items() if inspect.isfunction(v) and n not in HOOKS and n not in QUIET and not n.startswith("__")})
    properties = sorted({n for k in mine for n, v in vars(k).items() if isinstance(v, property)})
    if other or properties:
        stubs += comment(f"{cls.__name__} has further" + (f" methods {', '.join(other)}" if other else "") + (" and" if other and properties else "") +
                         (f" properties {', '.join(properties)}" if properties else "") + ".")
    return stubs, rows


# ---- the file --------------------------------------------------------------------------------------------------------------
def wrapped(text, indent, more):
    """One statement or initialiser, broken after commas where it is too long; continued lines are indented by `more`."""
    out = []
    while len(indent) + len(text) > WIDTH:
        commas = [m.end() for m in re.finditer(r'"(?:[^"\\]|\\.)*"|(, )', text) if m[1] and m.end() < WIDTH - len(indent)]
        if not commas:
            break
        out.append((indent + text[:commas[-1]]).rstrip())
        text, indent = text[commas[-1]:], more
    return "\n".join([*out, indent + text])


class Skeleton:
    def __init__(self, family, dump):
        self.family, self.dump, self.missing = family, dump, []
        self.drafts = Drafts(family)

    def groups(self):
        out = {}
        for cls in self.family.classes.values():
            g = group_of(cls)
            if g is not None:
                out.setdefault(g.__name__, g)
        return out

    def rules(self):
        """Stubs of the init rules that classes of this package bring."""
        seen = {}
        for cls in [*self.groups().values(), *self.family.classes.values()]:
            name = facts_of(cls)["init_weights"]
            if name and name not in seen:
                seen[name] = (f'static void {name}(mod *m, const cfg *c) {{\n    init_weights(m, c); /* where upstream calls super() */\n'
                              f'    fail(m, "{name} is not written yet");\n}}\n')
        return "".join(seen.values())

    def group_text(self, name, cls):
        rows = fact_rows(facts_of(cls), {})
        return f"static const model_facts {name} = {{\n" + "".join(wrapped(r + ",", "    ", "        ") + "\n" for r in rows) + "};\n"

    def model_row(self, name, cls):
        g = group_of(cls)
        own = fact_rows(facts_of(cls), facts_of(g) if g is not None else {})
        layout = layout_text(name, self.missing)
        if layout:
            own.append(f".layout = {layout}")
        build = self.drafts.is_generic(name) or name
        row = f'{{"{name}", {build}' + (f", .like = &{g.__name__}" if g is not None else "")
        return row + (f", .own = {{{', '.join(own)}}}" if own else "") + "}"

    def config_row(self, name, parts):
        entry = self.dump["configs"][name]
        also = [t for t, n in self.dump["types"].items() if n == name and t != entry["model_type"]]
        rows = [f".name = {quote(name)}", f".model_type = {quote(entry['model_type'])}"]
        rows += [f".also = {set_text(also)}"] if also else []
        rows += parts
        layout = layout_text(entry["model_type"], self.missing)
        rows += [f".layout = {layout}"] if layout else []
        return "{" + ", ".join(rows) + "}"

    def text(self):
        package = self.family.package
        stubs, config_rows = "", []
        classes = package_configs(package)
        for name in self.dump["configs"]:
            more, rows = config_parts(classes[name])
            stubs += more
            config_rows.append(self.config_row(name, rows))
        models = [self.model_row(n, c) for n, c in self.family.classes.items()]
        body = self.drafts.text()
        groups = "".join(self.group_text(n, c) + "\n" for n, c in self.groups().items())
        for rule in self.missing:
            stubs = comment(f"No word in core/family.h for this rule of the layout: {rule}") + stubs
        join = ",\n        "
        return (
            f"/* {package}: draft of tools/new-family. Mirrors models/{package}, transformers 5.23.0. */\n"
            '#include "../build/def.h"\n'
            '#pragma GCC diagnostic ignored "-Wunused-function" /* while functions are not written yet */\n\n'
            + (stubs + "\n" if stubs else "") + body + "\n" + (self.rules() + "\n" if self.rules() else "") + groups +
            f"const family family_{package} = {{\n    .name = {quote(package)},\n    .configs = CONFIGS(\n        "
            + join.join(wrapped(r, "        ", "            ").lstrip() for r in config_rows) + "),\n    .models = MODELS(\n        "
            + join.join(wrapped(r, "        ", "            ").lstrip() for r in models) + "),\n};\n")
