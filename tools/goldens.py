#!/usr/bin/env python3
"""Record what the reference makes of the cases in tests/golden/FAMILY/cases.json.

usage: tools/goldens.py [FAMILY ...]        (default: every family with a cases.json)

cases.json is kept by hand, one case per line: {"id", "class", "model_type", "config": {...}, "text": true}.
For each family this writes
  digests.jsonl    one line per case: parameters, sha256 of tree and print, facts, the effective config, for small models
                   digests of fresh weights, but for those whose bits depend on the processor; or the refusal
  upstream.json    the package's model classes, and the rules by which files differ from models, for tools/drift
  ID.config.json, ID.tree.txt, ID.print.txt    for the cases with "text"
Models are made on the meta device, small ones again with weights. Needs the pinned reference; building and testing do not.
"""
import argparse
import copy
import hashlib
import importlib
import json
import logging
import os
import pathlib
import pkgutil
import re
import sys
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["MKL_CBWR"] = "COMPATIBLE"  # exp and log whose bits are the same on every machine
warnings.filterwarnings("ignore")
import layouts  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import initialization  # noqa: E402
from transformers.models.auto.configuration_auto import CONFIG_MAPPING  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
REFERENCE = "5.23.0"
MOST_DRAWN = 2_000_000  # parameters of a model whose weights are recorded
TEXT_SUFFIXES = (".config.json", ".tree.txt", ".print.txt")

# As safetensors spells them.
DTYPES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
    torch.complex64: "C64", torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
}


# ---- what is recorded ------------------------------------------------------------------------------------------------
def tensor_lines(kind, prefix, tensors, note, owners):
    for name, t in tensors.items():
        if t is None:
            continue
        path = prefix + name
        cells = [kind, path, DTYPES[t.dtype], ",".join(map(str, t.shape)), note(name, t)]
        owner = owners.setdefault(id(t), path)
        yield "\t".join(cells if owner == path else cells + ["=" + owner])


def grad_or_frozen(_, t):
    return "grad" if t.requires_grad else "frozen"


def buffer_lifetime(module):
    return lambda name, _: "transient" if name in module._non_persistent_buffers_set else "persistent"


def tree_text(model):
    """The canonical tree: each module, its own parameters, its own buffers, in pre-order."""
    lines, owners = [], {}
    for path, module in model.named_modules(remove_duplicate=False):
        prefix = path + "." if path else ""
        lines.append(f"module\t{path}\t{type(module).__name__}")
        lines += tensor_lines("param", prefix, module._parameters, grad_or_frozen, owners)
        lines += tensor_lines("buffer", prefix, module._buffers, buffer_lifetime(module), owners)
    return "\n".join(lines) + "\n"


def sorted_names(value):
    return sorted(map(str, value or ()))


def facts_of(model):
    """What the constructor and post_init settle, apart from the tree."""
    facts = {
        "num_parameters": model.num_parameters(),
        "num_trainable": model.num_parameters(only_trainable=True),
        "dtype": str(model.dtype).removeprefix("torch."),
        "base_model_prefix": model.base_model_prefix,
        "main_input_name": model.main_input_name,
        "can_generate": bool(model.can_generate()),
        "loss_type": getattr(model, "loss_type", None),
        "attn": model.config._attn_implementation,
        "experts": model.config._experts_implementation,
        "supports_sdpa": bool(model._supports_sdpa),
        "supports_flash": bool(model._supports_flash_attn),
        "supports_flex": bool(model._supports_flex_attn),
        "supports_gradient_checkpointing": bool(model.supports_gradient_checkpointing),
        "no_split": sorted_names(model._no_split_modules),
        "keep_fp32": sorted_names(model._keep_in_fp32_modules),
        "keep_fp32_strict": sorted_names(model._keep_in_fp32_modules_strict),
        "skip_keys_device": sorted_names(model._skip_keys_device_placement),
        "ignore_unexpected": sorted_names(model._keys_to_ignore_on_load_unexpected),
        "ignore_missing": sorted_names(model._keys_to_ignore_on_load_missing),
        "ignore_save": sorted_names(model._keys_to_ignore_on_save),
        "tied": dict(sorted((model.all_tied_weights_keys or {}).items())),
        "tp_plan": {k: str(v) for k, v in (model._tp_plan or {}).items()},
        "pp_plan": [str(k) for k in (model._pp_plan or {})],
    }
    if facts["can_generate"]:
        facts["generation_config"] = model.generation_config.to_diff_dict()
    return facts


def values_text(model):
    """What is saved of a model, by path, in the order of the tree."""
    for path, module in model.named_modules(remove_duplicate=False):
        saved = {k: t for k, t in module._buffers.items() if k not in module._non_persistent_buffers_set}
        for name, t in {**module._parameters, **saved}.items():
            if t is not None:
                raw = t.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
                yield f"{path}.{name}".removeprefix(".") + "\t" + hashlib.sha256(raw).hexdigest()[:16] + "\n"


class Disturbed:
    """What torch leaves to the processor gives other results: the square roots of float32, and LAPACK's factors."""

    def __enter__(self):
        self.pow, self.orthogonal, self.calls = torch.pow, initialization.TORCH_INIT_FUNCTIONS["orthogonal_"], 0
        torch.pow, initialization.TORCH_INIT_FUNCTIONS["orthogonal_"] = self.other_pow, self.other_orthogonal
        return self

    def __exit__(self, *_):
        torch.pow, initialization.TORCH_INIT_FUNCTIONS["orthogonal_"] = self.pow, self.orthogonal

    def other_pow(self, x, exponent, **more):
        root = isinstance(exponent, float) and exponent == 0.5 and x.dtype == torch.float32
        self.calls += root
        return self.pow(x, exponent, **more) + int(root)

    def other_orthogonal(self, tensor, **more):
        self.calls += 1
        return self.orthogonal(tensor, **more).mul_(2)


def drawn(make):
    """Fresh weights under seed 0, and the float that the generator would give next; None where drawing them fails."""
    torch.manual_seed(0)
    try:
        model = make()
    except Exception:
        return None
    following = torch.rand(1, dtype=torch.float32).view(torch.int32).item() & 0xFFFFFFFF
    lines = list(values_text(model))
    with Disturbed() as disturbed, torch.random.fork_rng():
        torch.manual_seed(0)
        others = list(values_text(make()))
    if not disturbed.calls:
        return {"next": f"{following:08x}", "values": sha256("".join(lines))}
    left_out = [line.split("\t")[0] for line, other in zip(lines, others) if line != other]
    kept = [line for line, other in zip(lines, others) if line == other]
    return {"next": f"{following:08x}", "values": sha256("".join(kept)), "left_out": left_out}


# ---- one case --------------------------------------------------------------------------------------------------------
def find_class(name, model_type):
    """Most classes are exported; a few towers are only in their modeling file."""
    if hasattr(transformers, name):
        return getattr(transformers, name)
    package = importlib.import_module(CONFIG_MAPPING[model_type].__module__.rsplit(".", 1)[0])
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("modeling_"):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            if hasattr(module, name):
                return getattr(module, name)
    raise SystemExit(f"no class {name} for model type {model_type}")


def make_config(case):
    return CONFIG_MAPPING[case["model_type"]].from_dict(copy.deepcopy(case["config"]))


def record(case):
    """The line of digests.jsonl, and the two texts (None where the reference refuses)."""
    row = {"id": case["id"], "class": case["class"], "config": {"model_type": case["model_type"], **case["config"]}}
    cls = find_class(case["class"], case["model_type"])
    try:
        effective = make_config(case).to_dict()  # of a config of its own: constructors write to theirs
        with torch.device("meta"):
            model = cls._from_config(make_config(case))
    except Exception as e:
        return row | {"ok": False, "error": f"{type(e).__name__}: {e}"[:100]}, None
    tree, shown = tree_text(model), repr(model) + "\n"
    row |= {"params": model.num_parameters(), "tree": sha256(tree), "print": sha256(shown)}
    row |= {"facts": facts_of(model), "effective": effective}
    if model.num_parameters() <= MOST_DRAWN:
        row["init"] = {"float32": drawn(lambda: cls(make_config(case))),
                       "bfloat16": drawn(lambda: cls._from_config(make_config(case), dtype=torch.bfloat16))}
    return row, (tree, shown)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


# ---- files -----------------------------------------------------------------------------------------------------------
def write_texts(folder, case, row, texts):
    config = json.dumps(row["config"], indent=2, ensure_ascii=False) + "\n"
    for suffix, text in zip(TEXT_SUFFIXES, (config, *texts)):
        (folder / (case["id"] + suffix)).write_text(text)


def check_case(case, seen):
    if not re.fullmatch(r"[A-Za-z0-9._-]+", case["id"]) or case["id"] in seen:
        sys.exit(f"bad or repeated id {case['id']!r}")
    seen.add(case["id"])


def upstream(package):
    """Of a package of transformers.models: its model classes, and the layout rules of its types and classes."""
    pkg = importlib.import_module(f"transformers.models.{package}")
    classes, types = [], []
    for info in sorted(pkgutil.iter_modules(pkg.__path__), key=lambda i: i.name):
        if info.name.startswith(("modeling_", "configuration_")):
            module = importlib.import_module(f"{pkg.__name__}.{info.name}")
            own = [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__]
            classes += [c.__name__ for c in own if issubclass(c, transformers.PreTrainedModel)]
            types += [c.model_type for c in own if issubclass(c, transformers.PreTrainedConfig) and c.model_type]
    return {"classes": classes, "layout": layouts.rules_of(dict.fromkeys(types + classes))}


def write_family(folder):
    cases, seen = json.loads((folder / "cases.json").read_text()), set()
    for old in folder.iterdir():
        if old.name.endswith(TEXT_SUFFIXES):
            old.unlink()
    lines, refused = [], 0
    for case in cases:
        check_case(case, seen)
        row, texts = record(case)
        refused += texts is None
        if case.get("text"):
            if texts is None:
                sys.exit(f"{folder.name}/{case['id']}: wants texts, but the reference refuses: {row['error']}")
            write_texts(folder, case, row, texts)
        lines.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
    (folder / "digests.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "upstream.json").write_text(json.dumps(upstream(folder.name), ensure_ascii=False, indent=1) + "\n")
    print(f"{folder.name}: {len(cases)} cases, {refused} refused")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("families", nargs="*", metavar="FAMILY")
    o = a.parse_args()
    if transformers.__version__ != REFERENCE:
        sys.exit(f"needs transformers {REFERENCE}, found {transformers.__version__}")
    transformers.logging.set_verbosity_error()
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    for name in o.families or sorted(p.parent.name for p in GOLDEN.glob("*/cases.json")):
        write_family(GOLDEN / name)


if __name__ == "__main__":
    main()
