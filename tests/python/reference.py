"""The package beside transformers, in one process: reference.py [--all] [--seed N] [FAMILY ...]

Cases are those of tests/golden. For each: the config, value by value and as text; the model that its class makes of it, with all that torch
tells of modules, parameters, buffers and prints; and the same after values of the config were set. Needs the pinned reference, and the
package on the path. Exit status 1 and a line for every difference, 77 where the reference is not installed.
"""
import argparse
import copy
import json
import logging
import os
import pathlib
import random
import sys
import warnings
from inspect import getattr_static

SKIPPED = 77
os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
try:
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(SKIPPED)
if transformers.__version__ != "5.23.0":
    print(f"skipped: transformers {transformers.__version__} is not 5.23.0")
    sys.exit(SKIPPED)
transformers.logging.set_verbosity(100)
import tare  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "golden"
CASES = 4         # of each family, without --all
MOST_MODULES = 3000
RANDOM_SETTINGS = 3


class Differs(Exception):
    pass


def same(what, ours, theirs):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in {**theirs, **ours}:
            same(f"{what}[{key!r}]", ours.get(key, "nothing"), theirs.get(key, "nothing"))
    if isinstance(ours, list) and isinstance(theirs, list):
        for i, (own, their) in enumerate(zip(ours, theirs)):
            same(f"{what}[{i}]", own, their)
    if ours != theirs:
        raise Differs(f"{what}: {str(ours)[:300]} | reference: {str(theirs)[:300]}")


def plain(value):
    """Tuples of defaults are lists here."""
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def compare_values(ours, theirs, at="config"):
    for key in [*vars(theirs), *type(theirs).attribute_map, "num_labels", "torch_dtype", "output_attentions"]:
        if key.startswith("_") and key not in ("_attn_implementation", "_name_or_path"):
            continue
        value = getattr(theirs, key)
        if key in ("transformers_version", "ignore_keys_at_rope_validation", "model_type"):
            continue
        own = getattr(ours, key)
        if isinstance(value, transformers.PreTrainedConfig):
            same(f"{at}.{key}", type(own).__name__, type(value).__name__)
            compare_values(own, value, f"{at}.{key}")
        else:
            same(f"{at}.{key}", (plain(own), type(plain(own))), (plain(value), type(plain(value))))
    for key in properties(theirs):
        value, error = attempt(lambda: getattr(theirs, key))
        if error is None:
            same(f"{at}.{key}", getattr(ours, key), value)
    same(f"{at}._attn_implementation", ours._attn_implementation, theirs._attn_implementation)


def properties(config):
    """Values that the class itself works out when it is asked."""
    return [key for key in dir(type(config)) if isinstance(getattr_static(type(config), key), property)
            and not hasattr(transformers.PreTrainedConfig, key) and key != "max_position_embeddings"]


def compare_configs(ours, theirs):
    same("class", type(ours).__name__, type(theirs).__name__)
    same("to_dict()", ours.to_dict(), theirs.to_dict())
    same("to_json_string(False)", ours.to_json_string(use_diff=False), theirs.to_json_string(use_diff=False))
    same("to_json_string()", ours.to_json_string(), theirs.to_json_string())
    compare_values(ours, theirs)


# torch.Tensor(n), the old constructor, asks no default device: there these lie on the CPU. Here an empty model is empty.
NOT_EMPTY = frozenset(("masked_spec_embed", "mask_emb", "inited", "codevectors", "q", "k", "v", "o", "r", "r_r_bias", "r_s_bias", "r_w_bias",
                       "seg_embed"))


def may_lie_elsewhere(name):
    return name.rpartition(".")[2] in NOT_EMPTY


def tensors(named):
    return [(name, tuple(t.shape), t.dtype, t.requires_grad, t.is_meta or may_lie_elsewhere(name), t.numel(), t.element_size()) for name, t in named]


def compare_models(ours, theirs):
    same("repr()", repr(ours), repr(theirs))
    same("class", type(ours).__name__, type(theirs).__name__)
    same("named_parameters()", tensors(ours.named_parameters()), tensors(theirs.named_parameters()))
    same("named_parameters(remove_duplicate=False)", tensors(ours.named_parameters(remove_duplicate=False)),
         tensors(theirs.named_parameters(remove_duplicate=False)))
    same("named_buffers()", tensors(ours.named_buffers()), tensors(theirs.named_buffers()))
    same("state_dict()", list(ours.state_dict()), list(theirs.state_dict()))
    for duplicates in (True, False):
        same(f"named_modules(remove_duplicate={duplicates})", [(n, type(m).__name__) for n, m in ours.named_modules(remove_duplicate=duplicates)],
             [(n, type(m).__name__) for n, m in theirs.named_modules(remove_duplicate=duplicates)])
    for options in ({}, {"only_trainable": True}, {"exclude_embeddings": True}, {"only_trainable": True, "exclude_embeddings": True}):
        same(f"num_parameters({options})", ours.num_parameters(**options), theirs.num_parameters(**options))
    for buffers in (True, False):
        same("get_memory_footprint()", ours.get_memory_footprint(buffers), theirs.get_memory_footprint(buffers))
    if not may_lie_elsewhere(next(iter(theirs.named_parameters()))[0]):
        same("device", ours.device, theirs.device)
    for name in ("dtype", "_no_split_modules", "base_model_prefix", "main_input_name", "all_tied_weights_keys"):
        same(name, getattr(ours, name), getattr(theirs, name))
    same("can_generate()", ours.can_generate(), theirs.can_generate())
    compare_parts(ours, theirs)


def compare_parts(ours, theirs):
    """Modules of every depth, as views."""
    paths = [name for name, _ in theirs.named_modules()]
    for path in random.sample(paths, min(len(paths), 8)):
        own, their = ours.get_submodule(path), theirs.get_submodule(path)
        same(f"repr({path})", repr(own), repr(their))
        same(f"{path}.named_children()", [(n, type(m).__name__) for n, m in own.named_children()],
             [(n, type(m).__name__) for n, m in their.named_children()])
        same(f"{path}.named_parameters()", tensors(own.named_parameters(prefix="x")), tensors(their.named_parameters(prefix="x")))
        same(f"{path}.named_parameters(recurse=False)", tensors(own.named_parameters(recurse=False)),
             tensors(their.named_parameters(recurse=False)))
        same(f"{path}.named_buffers(recurse=False)", tensors(own.named_buffers(recurse=False)), tensors(their.named_buffers(recurse=False)))
        same(f"{path}.named_modules()", [n for n, _ in own.named_modules(prefix="y")], [n for n, _ in their.named_modules(prefix="y")])
        same(f"{path}.state_dict()", list(own.state_dict(prefix="z.")), list(their.state_dict(prefix="z.")))
        if isinstance(their, (torch.nn.ModuleList, torch.nn.Sequential)):
            same(f"len({path})", len(own), len(their))
            same(f"{path}[-1]", [repr(m) for m in own][-1:], [repr(m) for m in their][-1:])


def attempt(make):
    try:
        return make(), None
    except Exception as e:  # whatever it is, the other one has to fail too
        return None, e


def build(case, ours, theirs, direct):
    """Both models, or None where both refuse, or the reference lacks a package that ours does without."""
    name = case["class"]
    own_class, their_class = getattr(tare, name), class_of(name, case["config"])
    with torch.device("meta"):
        their, their_error = attempt(lambda: their_class(theirs) if direct else their_class._from_config(theirs))
        own, own_error = attempt(lambda: own_class(ours) if direct else own_class._from_config(ours))
    if isinstance(their_error, ImportError) and "pip install timm" in str(their_error):
        return None, None
    if (own is None) != (their is None):
        raise Differs(f"making {name}: {own_error!r:.300} | reference: {their_error!r:.300}")
    return own, their


def class_of(name, config):
    found = getattr(transformers, name, None)
    if found is None:
        module = type(transformers.AutoConfig.for_model(config["model_type"])).__module__.rpartition(".")[0]
        for end in pathlib.Path(sys.modules[module].__path__[0]).glob("modeling_*.py"):
            found = found or getattr(__import__(f"{module}.{end.stem}", fromlist=[name]), name, None)
    return found


def configs(case):
    values = copy.deepcopy(case["config"])
    kind = values.pop("model_type")
    their_class = type(transformers.AutoConfig.for_model(kind))
    theirs = their_class.from_dict(copy.deepcopy(values))
    return getattr(tare, their_class.__name__).from_dict(values), theirs


# ---- settings: values that are set on a config that is made ----

CHANGES = {
    "num_hidden_layers": lambda n: n + 1, "vocab_size": lambda n: n + 3, "intermediate_size": lambda n: n * 2, "num_labels": lambda n: 5,
    "hidden_act": lambda _: "relu", "dtype": lambda _: "bfloat16", "torch_dtype": lambda _: "float16", "tie_word_embeddings": lambda b: not b,
    "max_position_embeddings": lambda n: n * 2, "attention_dropout": lambda _: 0.25, "num_key_value_heads": lambda _: 1,
    "hidden_size": lambda n: n * 2, "layer_norm_eps": lambda _: 1e-3, "attention_bias": lambda b: not b, "type_vocab_size": lambda n: n + 1,
    "rope_parameters": lambda r: {**r, "rope_theta": 5000.0} if r else r, "_attn_implementation": lambda _: "eager",
    "new_value": lambda _: {"a": [1, 2.5, None]}, "id2label": lambda _: {0: "a", 1: "b", 2: "c"}, "is_decoder": lambda b: not b,
    "vocab_size_text": lambda _: "many", "hidden_dropout_prob": lambda _: 3,
}


def settle(value):
    return getattr(torch, value) if value in ("bfloat16", "float16") else value


def change(ours, theirs, key, at=""):
    """Sets one value in both; a refusal has to be one of both."""
    if key == "max_position_embeddings" and type(theirs).__name__ == "XLNetConfig":
        return  # it has none, and says so by an error of its own
    if key not in ("new_value", "vocab_size_text") and not hasattr(theirs, key):
        return
    now = getattr(theirs, key, None)
    value, error = attempt(lambda: CHANGES[key](now))
    if error is not None:
        return
    name = "vocab_size" if key == "vocab_size_text" else key
    _, their_error = attempt(lambda: setattr(theirs, name, copy.deepcopy(settle(value) if "dtype" in name else value)))
    _, own_error = attempt(lambda: setattr(ours, name, value))
    if (own_error is None) != (their_error is None):
        raise Differs(f"{at}{name} = {value!r}: {own_error!r:.200} | reference: {their_error!r:.200}")


def change_some(ours, theirs, pick):
    keys = pick.sample(sorted(CHANGES), 3)
    for key in keys:
        change(ours, theirs, key)
        for part in type(theirs).sub_configs:
            if isinstance(getattr(theirs, part, None), transformers.PreTrainedConfig) and pick.random() < 0.5:
                change(getattr(ours, part), getattr(theirs, part), key, f"{part}.")
    return keys


# ---- running -----------------------------------------------------------------------------------------------------------


def run(case, seed):
    ours, theirs = configs(case)
    compare_configs(ours, theirs)
    own, their = build(case, ours, theirs, direct=False)
    if own is not None:
        compare_models(own, their)
        compare_configs(own.config, their.config)
    for turn in range(RANDOM_SETTINGS):
        pick = random.Random(f"{seed} {case['id']} {turn}")
        ours, theirs = configs(case)
        keys = change_some(ours, theirs, pick)
        try:
            compare_configs(ours, theirs)
            own, their = build(case, ours, theirs, direct=turn % 2 == 0)
            if own is not None:
                compare_models(own, their)
                compare_configs(own.config, their.config)
        except Differs as e:
            raise Differs(f"after setting {', '.join(keys)}: {e}") from None


def cases(pick, everything, most, families=()):
    """Cases of tests/golden, so many of each family."""
    for file in sorted(GOLDEN.glob("*/digests.jsonl")):
        if families and file.parent.name not in families:
            continue
        found = [json.loads(line) for line in file.read_text().splitlines()]
        found = [c for c in found if "tree" in c and "set" not in c and "dtype" not in c and c.get("params", 0) < 50_000_000]
        for case in found if everything else pick.sample(found, min(most, len(found))):
            yield {**case, "id": f"{file.parent.name} {case['id']}"}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("families", nargs="*")
    return parser.parse_args()


def sweep(named, run):
    """Runs what has a name, one after the other; says what differs or fails. How many do."""
    bad = 0
    for name, item in named:
        try:
            run(item)
            continue
        except Differs as e:
            print(f"{name}: {e}", flush=True)
        except Exception as e:
            print(f"{name}: fails: {type(e).__name__}: {str(e)[:300]}", flush=True)
        bad += 1
    return bad


def main():
    args = arguments()
    random.seed(args.seed)
    named = [(case["id"], case) for case in cases(random, args.all, CASES, args.families)]
    bad = sweep(named, lambda case: run(case, args.seed))
    print(f"{len(named)} cases, {bad} with differences")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
