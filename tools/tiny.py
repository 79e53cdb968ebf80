"""Small configs of a model type, and the config keys that change its tree: found by trying them on the reference.

Used by tools/new-family. Everything is built on the meta device; a change is kept when every class of the type still builds.
"""
import ast
import collections
import contextlib
import copy
import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
import signal

import goldens
import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

SMALL = 60_000      # parameters that a tiny model should stay under
SECONDS = 40        # for one model, before it counts as refused
MOST_TRIES = 4000   # models built while shrinking one type
COMMON = {f.name for f in dataclasses.fields(PreTrainedConfig)} | {"use_cache", "output_attentions", "torchscript"}
MISSING = object()


class TooSlow(Exception):
    pass


@contextlib.contextmanager
def limit(seconds):
    def late(*_):
        raise TooSlow(f"takes more than {seconds} s")

    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def build(cls, model_type, config, device="meta", seconds=SECONDS):
    """The model, or the exception that the reference raises."""
    try:
        with limit(seconds):
            made = goldens.make_config({"model_type": model_type, "config": config})
            with torch.device(device):
                return cls._from_config(made)
    except (Exception, SystemExit) as e:
        return e


# ---- classes -----------------------------------------------------------------------------------------------------------
def modules_of(package, prefix):
    pkg = importlib.import_module(f"transformers.models.{package}")
    names = sorted(i.name for i in pkgutil.iter_modules(pkg.__path__) if i.name.startswith(prefix))
    return [importlib.import_module(f"{pkg.__name__}.{n}") for n in names]


def classes_of(package, base):
    """Subclasses of `base` that the package's modeling files define, in the order of the files."""
    out = {}
    for module in modules_of(package, "modeling_"):
        for cls in vars(module).values():
            if isinstance(cls, type) and issubclass(cls, base) and cls.__module__ == module.__name__:
                out.setdefault(cls.__name__, cls)
    return out


def model_classes(package):
    return {n: c for n, c in classes_of(package, PreTrainedModel).items() if not n.endswith("PreTrainedModel")}


def model_type_of(cls, types):
    """The type whose default config builds the class: its own config class, else another of the package."""
    own = getattr(cls.config_class, "model_type", None)
    refusals = {}
    for t in [own] + [t for t in types if t != own]:
        if t in CONFIG_MAPPING:
            model = build(cls, t, {})
            if not isinstance(model, BaseException):
                return t, None
            refusals[t] = model
    return None, next(iter(refusals.values()), f"its config class {cls.config_class} has no model type")


# ---- configs -------------------------------------------------------------------------------------------------------------
def part_class(spec):
    if isinstance(spec.config_class, type) and issubclass(spec.config_class, PreTrainedConfig):
        return spec.config_class, False
    return (CONFIG_MAPPING[spec.model_type], True) if spec.model_type in CONFIG_MAPPING else (None, True)


def default_of(field):
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else None


def fields_of(cls, path=(), over=None):
    """{path of keys: (dataclass field, its default)}, parts included."""
    out, parts = {}, cls.sub_configs_defaults
    for f in dataclasses.fields(cls):
        if f.name not in parts and (f.name not in COMMON or f.name in cls.__dict__):
            out[(*path, f.name)] = (f, (over or {}).get(f.name, default_of(f)))
    for key, spec in parts.items():
        inner, _ = part_class(spec)
        if inner is not None and len(path) < 3 and not spec.optional:
            out |= fields_of(inner, (*path, key), spec.init_kwargs)
    return out


def types_needed(cls, path=()):
    """{path: model type} of the parts that would be another type without one, or lose what the whole gives them."""
    out = {}
    for key, spec in cls.sub_configs_defaults.items():
        inner, automatic = part_class(spec)
        if inner is not None and len(path) < 3:
            if automatic:
                out[(*path, key)] = inner.model_type
            out |= types_needed(inner, (*path, key))
    return out


def nested(flat, types):
    """{("text_config", "hidden_size"): 48} as a config dict."""
    out = {}
    for path, v in flat.items():
        at = out
        for i, key in enumerate(path[:-1]):
            at = at.setdefault(key, {})
            if path[:i + 1] in types:
                at.setdefault("model_type", types[path[:i + 1]])
        at[path[-1]] = v
    return out


# ---- shrinking -----------------------------------------------------------------------------------------------------------
LAYERS = re.compile(r"(^|_)n?(um)?_?(\w*_)?(layers?|blocks|depth|stages_layers)$")
NOT_LAYERS = re.compile(r"feature_layer|drop|conv_layers|_every|first|start|last|dense_layer|select|index|layer_id|shared")
RULES = [  # the first that fits decides: pattern of a name, what to try
    (re.compile(r"num_key_value_heads|kv_heads|num_kv|n_kv"), (2, 4)),
    (re.compile(r"(^|_)n?(um)?_?(\w*_)?heads?$|n_head"), (4, 2)),
    (re.compile(r"rope_head_dim|rope_dim"), (8,)),
    (re.compile(r"lora_rank"), (20, 16)),
    (re.compile(r"head_dim|d_kv|head_size|key_dim|value_dim|dim_head"), (16, 12)),
    (re.compile(r"intermediate|ffn|d_ff|n_inner|mlp_dim|inner_dim|feedforward"), (60, 64)),
    (re.compile(r"^(hidden_size|d_model|n_embd|embed_dim|hidden_dim|dim|width|embedding_size|emb_dim|conv_dim|decoder_hidden_size"
                r"|encoder_hidden_size|\w*hidden_size|\w*embed_dim|\w*hidden_dim|\w*embedding_size|out_channels|out_hidden_size)$"), (48, 64)),
    (re.compile(r"proj\w*_(dim|size)|_dim$|_size_per_head"), (24, 32)),
    (re.compile(r"vocab|num_embeddings|codebook_size"), (83, 96)),
    (re.compile(r"image_size|img_size|input_size"), (32, 16)),
    (re.compile(r"patch_size"), (8, 4)),
    (re.compile(r"max_\w*position|n_positions|n_ctx|max_\w*len|block_size|context_length|seq_len"), (67, 64)),
    (re.compile(r"experts_per_tok|top_?k"), ()),
    (re.compile(r"experts|n_group"), (4, 8)),
    (re.compile(r"num_queries|query_length|num_query|num_latents|num_mel_bins|mel_bins"), (20, 16)),
]


def is_int(v):
    return isinstance(v, int) and not isinstance(v, bool)


def is_ints(v):
    return isinstance(v, (list, tuple)) and len(v) > 0 and all(is_int(x) for x in v)


def is_layers(name):
    return bool(LAYERS.search(name)) and not NOT_LAYERS.search(name)


class Shrinker:
    """Finds a small config of a type that every one of `classes` builds from."""

    def __init__(self, model_type, classes):
        self.model_type, self.classes = model_type, classes
        self.config_class = CONFIG_MAPPING[model_type]
        self.types = types_needed(self.config_class)
        self.fields = fields_of(self.config_class)
        self.flat, self.tries = {}, 0
        self.whole = self.config_class()
        self.texts, self.most, self.lines = self.state({})

    def config(self, flat=None):
        return nested(self.flat if flat is None else flat, self.types)

    def state(self, flat):
        """(tree texts of the classes, most numbers in one, lines of all), or None where one of them is refused."""
        texts, most = [], 0
        self.tries += 1
        for cls in self.classes:
            model = build(cls, self.model_type, self.config(flat), seconds=SECONDS if flat == {} else 15)
            if isinstance(model, BaseException):
                return None
            texts.append(goldens.tree_text(model))
            most = max(most, sum(t.numel() for t in (*model.parameters(), *model.buffers())))
        return texts, most, sum(t.count("\n") for t in texts)

    def value(self, path):
        return self.flat.get(path, self.fields[path][1])

    def attempt(self, changes, smaller=True, strict=False):
        """Takes the changes if all classes build, and nothing grows; with `strict`, if something shrinks."""
        changes = {p: v for p, v in changes.items() if self.value(p) != v}
        if not changes or self.tries > MOST_TRIES:
            return False
        flat = {**self.flat, **changes}
        found = self.state(flat)
        if found is None or (smaller and (found[1] > self.most - strict or found[2] > self.lines)):
            return False
        self.flat, (self.texts, self.most, self.lines) = flat, found
        return True

    # -- groups of keys that go together
    def layers(self):
        changes = {}
        for path, (_, v) in self.fields.items():
            if is_layers(path[-1]) and is_int(v) and v > 2:
                changes[path] = 2
            elif re.search(r"depths?$|layers$", path[-1]) and is_ints(v) and max(v) > 1 and not NOT_LAYERS.search(path[-1]):
                changes[path] = [1] * len(v)
        if not self.attempt(changes):
            for path, v in changes.items():
                self.attempt({path: v}) or self.attempt(self.with_lists(path, v))

    def effective(self, path):
        at = self.whole
        for key in path:
            at = getattr(at, key, None)
        return at

    def with_lists(self, path, n):
        """The key, and beside it what has one item for each layer."""
        old, out = self.value(path), {path: n}
        for other in self.fields:
            v = self.value(other)
            v = self.effective(other) if v is None else v
            if other[:-1] == path[:-1] and isinstance(v, (list, tuple)) and len(v) == old:
                out[other] = list(v)[-n:] if is_int(n) else v
            elif other[:-1] == path[:-1] and other[-1] == "attention_types" and isinstance(v, list):
                out[other] = [[v[0][0], n // max(1, len(v[0][0]))]]
        return out

    def vocabulary(self):
        for size in (83, 96, 128):
            changes = {p: size for p, (_, v) in self.fields.items() if re.search(r"vocab_size", p[-1]) and is_int(v) and v > size}
            tokens = {p: 1 + i % 9 for i, (p, (_, v)) in enumerate(self.fields.items())
                      if re.search(r"token_(id|index)$|_token$|(bos|eos|pad)_(id|idx)$", p[-1]) and is_int(v) and v >= size}
            if not changes or self.attempt({**changes, **tokens}):
                return

    def widths(self, which):
        changes = {}
        for path, (_, v) in self.fields.items():
            rule = next((r for r in RULES if r[0].search(path[-1])), None)
            if rule and rule[1] and is_int(v) and v > rule[1][min(which, len(rule[1]) - 1)] and not is_layers(path[-1]):
                changes[path] = rule[1][min(which, len(rule[1]) - 1)]
        return changes

    def scaled(self, by):
        """Every width divided by one number: what divides what stays so."""
        wide = self.widths(0)
        out = {p: max(2, self.value(p) // by) for p in wide if self.value(p) > 32 and not re.search(r"heads?$|vocab|experts", p[-1])}
        for path, (_, v) in self.fields.items():
            if is_ints(v) and len(v) > 1 and max(v) >= 64:
                out[path] = [max(2, x // by) for x in v]
        return out

    def lists(self):
        for path in self.fields:
            v = self.value(path)
            if is_ints(v) and max(v) > 16:
                ranks = sorted(set(v))
                for unit in (8, 12, 16, 24):
                    if self.attempt({path: [unit * (ranks.index(x) + 1) for x in v]}) or self.attempt({path: [unit] * len(v)}):
                        break

    def rest(self, least):
        """One key after the other, as far down as it goes."""
        for path in self.fields:
            v = self.value(path)
            if is_int(v) and v > least and not is_layers(path[-1]):
                rule = next((r for r in RULES if r[0].search(path[-1])), (None, ()))
                for small in [*rule[1], max(least // 2, v // 16), max(least // 2, v // 4), max(least // 2, v // 2)]:
                    if small < v and self.attempt({path: small}, strict=True):
                        break
            elif is_ints(v) and max(v) > least:
                self.attempt({path: [max(1, x // 4) for x in v]}, strict=True) or self.attempt({path: [max(1, x // 2) for x in v]}, strict=True)

    def pairs(self, least):
        """Two keys at once, where one must stay a multiple of the other."""
        keys = [p for p in self.fields if is_int(self.value(p)) and self.value(p) > 4 and not is_layers(p[-1]) and not p[-1].endswith("_id")]
        for i, a in enumerate(keys):
            for b in keys[i + 1:]:
                while self.most > SMALL and max(self.value(a), self.value(b)) > least:
                    if not self.attempt({k: max(2, self.value(k) // 2) for k in (a, b)}, strict=True):
                        break

    def drop_what_does_nothing(self):
        for path in list(self.flat):
            if re.search(r"heads?$", path[-1]):
                continue  # sizes that no tensor shows, yet a cache has
            flat = {p: v for p, v in self.flat.items() if p != path}
            found = self.state(flat)
            if found and found[1] <= self.most and found[0] == self.texts:
                self.flat = flat

    def run(self):
        self.layers()
        self.vocabulary()
        if not any(self.attempt(self.widths(w)) for w in (0, 1)):
            parts = collections.defaultdict(dict)
            for path, v in self.widths(0).items():
                parts[path[:-1]][path] = v
            for group in parts.values():
                self.attempt(group)
        self.lists()
        for least in (64, 24, 12, 6, 4):
            if self.most > SMALL:
                while self.most > SMALL and self.attempt(self.scaled(2)):
                    pass
            if self.most > SMALL:
                self.rest(least)
            if self.most > SMALL:
                self.pairs(least)
        self.drop_what_does_nothing()
        return self.config()


# ---- what changes the tree -----------------------------------------------------------------------------------------------
def compared_texts(package):
    """{key: strings that a modeling or configuration file compares config.key with}: names and values alone."""
    out = collections.defaultdict(list)
    for module in modules_of(package, "modeling_") + modules_of(package, "configuration_"):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                names = [s.attr for s in sides if isinstance(s, ast.Attribute)] + [s.id for s in sides if isinstance(s, ast.Name)]
                for side in sides:
                    for leaf in ast.walk(side):
                        if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str):
                            for name in names:
                                if leaf.value not in out[name]:
                                    out[name].append(leaf.value)
    return out


def literals(field):
    found = []
    for text in re.findall(r"literal\[([^\]]*)\]", str(field.type), re.I):
        found += re.findall(r"'([^']*)'|\"([^\"]*)\"", text)
    return [a or b for a, b in found]


def changes_of(field, v, texts, used):
    """Values worth trying in place of v."""
    name, kind = field.name, str(field.type)
    out = []
    if isinstance(v, bool):
        out = [not v]
    elif is_int(v):
        out = [v + 1, 2 * v, v // 2 if v > 1 else 3]
        out += [None] if "None" in kind and used != "default" else []
        out += [0] if v and is_layers(name) else []  # tare refuses sizes of 0, which the reference lets through
    elif isinstance(v, float):
        out = [0.25 if v != 0.25 else 0.5]
    elif isinstance(v, str):
        out = [t for t in dict.fromkeys(literals(field) + texts) if t != v][:6]
        if re.search(r"act|non_?linear", name):
            out = [a for a in ("relu", "gelu_new") if a != v][:1] + out
    elif v is None:
        out = [True] if "bool" in kind else []
        out += [24, 2] if "int" in kind else []
        out += [0.25] if "float" in kind and "int" not in kind else []
        out += texts[:4] if "str" in kind else []
        out += [[1], [0, 1]] if "list[int]" in kind and "list[list" not in kind else []
        if name in ("rope_parameters", "rope_scaling"):
            out = [{"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}]
    elif is_ints(v):
        out = [[v[0] + 1, *v[1:]], [2 * x for x in v], list(v[:-1])]
    elif isinstance(v, (list, tuple)) and v and all(isinstance(x, bool) for x in v):
        out = [[not x for x in v]]
    elif isinstance(v, (list, tuple)) and v and all(isinstance(x, str) for x in v):
        out = [list(reversed(v)), list(v[:-1])]
    return [x for x in out if x != v or type(x) is not type(v)]


def look(model):
    """What is compared: the tree, the ties and plans with it, and the print."""
    return goldens.sha256(goldens.tree_text(model)), goldens.sha256(repr(model))


class Trials:
    """Which keys of a type change which class, beside its tiny config."""

    def __init__(self, shrinker, texts, say):
        self.s, self.texts, self.say = shrinker, texts, say
        self.plain = {c: look(build(c, shrinker.model_type, shrinker.config())) for c in shrinker.classes}
        self.tree, self.shown, self.refused = {}, {}, {}  # (path, value as JSON): {class: ...}
        self.floats = {}

    def values(self, path, field):
        v = self.s.value(path)
        try:
            json.dumps(v)
        except TypeError:
            return []
        return changes_of(field, v, self.texts.get(field.name, []), "")

    def one(self, changes, classes=None):
        found = {}
        flat = {**self.s.flat, **changes}
        for cls in classes or self.s.classes:
            model = build(cls, self.s.model_type, self.s.config(flat), seconds=5)
            found[cls] = model if isinstance(model, BaseException) else look(model)
        return found

    def note(self, key, found):
        for cls, seen in found.items():
            if isinstance(seen, BaseException):
                self.refused.setdefault(key, {})[cls] = f"{type(seen).__name__}: {seen}"[:90]
            elif seen[0] != self.plain[cls][0]:
                self.tree.setdefault(key, {})[cls] = seen[0]
            elif seen != self.plain[cls]:
                self.shown.setdefault(key, {})[cls] = seen[1]

    def run(self):
        extra = {("num_labels",): dataclasses.field(default=2), ("dtype",): dataclasses.field(default=None)}
        for path, (field, _) in self.s.fields.items():
            taken = False
            for v in self.values(path, field):
                key = (path, json.dumps(v))
                if taken and is_int(v) and v:
                    continue  # one other size says it
                self.note(key, self.one({path: v}))
                taken = taken or key in self.tree
                if isinstance(v, float) and key not in self.refused:
                    self.floats[path] = v
        for path, v in zip(extra, (7, "bfloat16")):
            self.note((path, json.dumps(v)), self.one({path: v}))
        self.pairs()

    def pairs(self):
        """Flags that say something only together, such as is_decoder and add_cross_attention."""
        flags = [p for p, (f, _) in self.s.fields.items() if isinstance(self.s.value(p), bool) and p[-1] not in ("use_cache",)]
        flags = [p for p in flags if len(p) == 1 or len(flags) < 10][:12]
        main = self.main()
        for i, a in enumerate(flags):
            for b in flags[i + 1:]:
                both = {a: not self.s.value(a), b: not self.s.value(b)}
                alone = [self.tree.get((p, json.dumps(v)), {}).get(main, self.plain[main][0]) for p, v in both.items()]
                refused = [main in self.refused.get((p, json.dumps(v)), {}) for p, v in both.items()]
                seen = self.one(both, [main])[main]
                if isinstance(seen, BaseException):
                    continue
                news = seen[0] not in (*alone, self.plain[main][0])
                dull = alone[0] != self.plain[main][0] and alone[1] != self.plain[main][0]
                if news and (not dull or any(refused)):
                    self.tree.setdefault(((a, b), json.dumps([both[a], both[b]])), {})[main] = seen[0]

    def main(self):
        """The class that most keys change; of equals the first."""
        seen = collections.Counter(c for found in self.tree.values() for c in found)
        return max(self.s.classes, key=lambda c: seen[c])


def clean(text):
    return re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("_")[:60]


def case(id_, cls, model_type, config, **more):
    return {"id": id_, "class": cls.__name__, "model_type": model_type, "config": config, **more}


def variations(trials):
    """One case for each change of the tree, one with all that only prints differently, a few refusals."""
    s, main, out = trials.s, trials.main(), []
    prefix = "" if s.model_type == trials.prefix else clean(s.model_type) + "-"

    def add(path, v, found):
        cls = main if main in found else next(iter(found))
        pair = isinstance(path[0], tuple)
        changes = dict(zip(path, v)) if pair else {path: v}
        name = "-".join(".".join(p) for p in path) if pair else ".".join(path)
        out.append(case(prefix + clean(name) + ("" if pair else "-" + clean(json.dumps(v))), cls, s.model_type,
                        s.config({**s.flat, **changes})))

    for (path, v), found in trials.tree.items():
        add(path, json.loads(v), found)
    for (path, v), found in trials.shown.items():
        if path not in trials.floats and (path, v) not in trials.tree:
            add(path, json.loads(v), found)
    if trials.floats:
        flat = {**s.flat, **trials.floats}
        model = build(main, s.model_type, s.config(flat))
        if not isinstance(model, BaseException):
            out.append(case(prefix + "values", main, s.model_type, s.config(flat)))
    refusals = [k for k in trials.refused if main in trials.refused[k] and k not in trials.tree and is_int(json.loads(k[1]))]
    seen = set()
    for path, v in refusals:
        if path not in seen and len(seen) < 6:
            seen.add(path)
            out.append(case(f"{prefix}refused-{clean('.'.join(path))}-{v}", main, s.model_type, s.config({**s.flat, path: json.loads(v)})))
    return out


def unique(cases):
    seen = collections.Counter()
    for c in cases:
        seen[c["id"]] += 1
        if seen[c["id"]] > 1:
            c["id"] += f".{seen[c['id']]}"
    return cases


# ---- a family --------------------------------------------------------------------------------------------------------------
class Family:
    """The classes of a package, a tiny config for each model type, cases."""

    def __init__(self, package, types, say=lambda *_: None):
        self.package, self.say = package, say
        self.classes = model_classes(package)
        self.type_of, self.unbuilt = {}, {}
        for name, cls in self.classes.items():
            t, why = model_type_of(cls, types)
            if t is None:
                self.unbuilt[name] = f"{type(why).__name__}: {why}"[:160] if isinstance(why, BaseException) else why
            else:
                self.type_of[name] = t
        self.shrinkers, self.trials = {}, {}
        for t in dict.fromkeys(self.type_of.values()):
            s = Shrinker(t, [self.classes[n] for n, of in self.type_of.items() if of == t])
            say(f"{t}: {len(s.classes)} classes, {len(s.fields)} keys, {s.most:,} parameters")
            s.run()
            say(f"{t}: {s.most:,} parameters after {s.tries} tries: {json.dumps(s.config())}")
            self.shrinkers[t] = s

    def try_keys(self):
        texts = compared_texts(self.package)
        first = next(iter(self.shrinkers), None)
        for t, s in self.shrinkers.items():
            found = Trials(s, texts, self.say)
            found.prefix = self.package if self.package in self.shrinkers else first
            found.run()
            self.say(f"{t}: {len(found.tree)} changes of the tree, {len(found.shown)} of the print alone")
            self.trials[t] = found

    def cases(self):
        out = []
        for name, t in self.type_of.items():
            main = self.trials[t].main().__name__ if t in self.trials else None
            more = {"text": True} if name == main else {}
            out.append(case(f"tiny-{name}", self.classes[name], t, copy.deepcopy(self.shrinkers[t].config()), **more))
        out += [case(f"default-{name}", self.classes[name], t, {}) for name, t in self.type_of.items()]
        for found in self.trials.values():
            out += variations(found)
        return unique(out)
