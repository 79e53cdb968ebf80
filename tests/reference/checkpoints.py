#!/usr/bin/env python3
"""What tare init writes, beside what the reference draws, saves and loads.

usage: tests/reference/checkpoints.py TARE [--all] [FAMILY ...]

Cases are those of tests/golden/FAMILY/cases.json: a few small ones of each family, or with --all every one of at most
MOST_DRAWN parameters. For each, in float32 and bfloat16, as one file and in shards:
  - the folder is that of save_pretrained(): file names, config files and index byte for byte, keys, dtypes, shapes and data (within
    rounding for as many tensors as tare init says are not the reference's bits);
  - from_pretrained() takes it without a missing, unexpected or mismatched key, and makes of it what it makes of the reference's folder.
Exit status 77 where the pinned reference is not installed; TARE_REFERENCE_PYTHON names an interpreter that has it.
"""
import argparse
import contextlib
import io
import json
import logging
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

REFERENCE = "5.23.0"
SKIPPED = 77
GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
TOOLS = GOLDEN.parent.parent / "tools"
MOST_DRAWN = 2_000_000  # parameters, with --all
MOST_SMALL = 60_000     # without
CASES = 3               # of each family, without
SHARD = "20KB"
MOST_SAID = 3           # differences of one folder

other = os.environ.pop("TARE_REFERENCE_PYTHON", None)
if other:
    os.execv(other, [other, *sys.argv])
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MKL_CBWR"] = "COMPATIBLE"  # the bits of exp depend on the processor otherwise
warnings.filterwarnings("ignore")
try:
    import safetensors
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(SKIPPED)
if transformers.__version__ != REFERENCE:
    print(f"skipped: transformers {transformers.__version__} is not {REFERENCE}")
    sys.exit(SKIPPED)
sys.path.insert(0, str(TOOLS))
sys.dont_write_bytecode = True
import goldens  # noqa: E402


# ---- what is compared ------------------------------------------------------------------------------------------------
def same_bits(a, b):
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    a, b = (t.detach().contiguous().reshape(-1).view(torch.uint8) for t in (a, b))
    return torch.equal(a, b)


def tensors_of(folder):
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safetensors.safe_open(path, framework="pt") as f:
            found |= {key: (path.name, f.get_tensor(key)) for key in f.keys()}
    return found


def metadata_of(path):
    with safetensors.safe_open(path, framework="pt") as f:
        return f.metadata()


def names(paths):
    return sorted(p.name for p in paths)


def close(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and torch.allclose(a.float(), b.float(), rtol=2e-2 if a.dtype is torch.bfloat16 else 1e-4, atol=1e-5)


def compare_folders(want, got, inexact):
    """What differs between two checkpoint folders, in words."""
    if names(want.iterdir()) != names(got.iterdir()):
        yield f"files are {names(got.iterdir())}, should be {names(want.iterdir())}"
    for path in sorted(want.iterdir()):
        mine = got / path.name
        if not mine.exists():
            continue
        if path.suffix == ".json" and path.read_bytes() != mine.read_bytes():
            yield f"{path.name} differs: {first_difference(path.read_text(), mine.read_text())}"
        if path.suffix == ".safetensors" and metadata_of(path) != metadata_of(mine):
            yield f"the metadata of {path.name} is {metadata_of(mine)}, should be {metadata_of(path)}"
    yield from compare_tensors(tensors_of(want), tensors_of(got), inexact)


def first_difference(want, got):
    for a, b in zip(want.splitlines() + [None], got.splitlines() + [None]):
        if a != b:
            return f"{b!r}, should be {a!r}"
    return "in the end of a line"


def compare_tensors(want, got, inexact):
    for key in sorted(want.keys() ^ got.keys()):
        yield f"{key} {'is missing in the folder' if key in want else 'should not be in the folder'}"
    for key in sorted(want.keys() & got.keys()):
        (file, a), (mine, b) = want[key], got[key]
        if file != mine:
            yield f"{key} is in {mine}, should be in {file}"
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            yield f"{key} is {b.dtype} {list(b.shape)}, should be {a.dtype} {list(a.shape)}"
        elif not same_bits(a, b):
            inexact -= close(a, b)
            if inexact < 0 or not close(a, b):
                yield f"{key} holds other values"


def load(cls, folder, dtype):
    try:
        return *cls.from_pretrained(folder, dtype=dtype, output_loading_info=True), None
    except Exception as e:  # a quantizer that is not installed, say
        return None, {}, f"{type(e).__name__}: {e}"


def compare_loaded(cls, folder, reference_folder, dtype, same):
    """What from_pretrained() makes of the folder, beside what it makes of the reference's."""
    loaded, info, refusal = load(cls, folder, dtype)
    want, _, refused = load(cls, reference_folder, dtype)
    if refusal or refused:
        if not refused:
            yield f"from_pretrained: {refusal}"
        return
    for what, keys in info.items():
        if keys:
            yield f"from_pretrained: {what}: {sorted(map(str, keys))[:4]}"
    want, got = tensors_in(want), tensors_in(loaded)
    for key in sorted(want.keys() ^ got.keys()):
        yield f"loaded: {key} is only in one of them"
    for key in sorted(want.keys() & got.keys()):
        if not same(want[key], got[key]):
            yield f"loaded: {key} is not that of the reference's folder"


def tensors_in(model):
    return {**model.state_dict(), **dict(model.named_buffers())}


# ---- one case --------------------------------------------------------------------------------------------------------
def fresh(cls, case, dtype):
    torch.manual_seed(0)
    if dtype is torch.float32:
        return cls(goldens.make_config(case))
    return cls._from_config(goldens.make_config(case), dtype=dtype)


def init(tare, case, dtype, folder, *options):
    config = folder.parent / "given.json"
    config.write_text(json.dumps({"model_type": case["model_type"], **case["config"]}))
    if dtype is not torch.float32:
        options = ("--dtype", str(dtype).removeprefix("torch."), *options)
    command = [tare, "init", config, "--class", case["class"], "-o", folder, *options]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    inexact = re.search(r"note: (\d+) of the tensors? ha(?:s|ve) the reference's distribution, not its bits", run.stderr)
    return "" if run.returncode == 0 else run.stderr.strip(), int(inexact[1]) if inexact else 0


def check(tare, case, cls, dtype, max_shard):
    options = ("--max-shard-size", max_shard) if max_shard else ()
    with tempfile.TemporaryDirectory() as scratch:
        want, got = pathlib.Path(scratch, "want"), pathlib.Path(scratch, "got")
        problem, inexact = init(tare, case, dtype, got, *options)
        try:
            model = fresh(cls, case, dtype)
            model.save_pretrained(want, **({"max_shard_size": max_shard} if max_shard else {}))
        except Exception as e:
            if not problem:
                yield f"the reference refuses it: {type(e).__name__}: {e}"[:200]
            return
        if problem:
            yield f"tare refuses it: {problem}"
            return
        yield from compare_folders(want, got, inexact)
        yield from compare_loaded(cls, got, want, dtype, close if inexact else same_bits)


def small_enough(case, most):
    """The class, where a model of the case can be made and is small."""
    cls = goldens.find_class(case["class"], case["model_type"])
    try:
        with torch.device("meta"):
            model = cls._from_config(goldens.make_config(case))
    except Exception:
        return None
    return cls if model.num_parameters() <= most else None


def cases_of(family, everything):
    """Every case, or one each of the first few classes."""
    seen = set()
    for case in json.loads((GOLDEN / family / "cases.json").read_text()):
        if not everything and (case["class"] in seen or len(seen) == CASES):
            continue
        cls = small_enough(case, MOST_DRAWN if everything else MOST_SMALL)
        if cls:
            seen.add(case["class"])
            yield case, cls


def report(where, problems):
    for problem in problems[:MOST_SAID]:
        print(f"{where}: {problem}"[:400], flush=True)
    if len(problems) > MOST_SAID:
        print(f"{where}: and {len(problems) - MOST_SAID} more")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tare")
    parser.add_argument("--all", action="store_true", help="every case, not a few")
    parser.add_argument("family", nargs="*")
    wanted = parser.parse_intermixed_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    cases = checked = failed = 0
    for family in wanted.family or names(p.parent for p in GOLDEN.glob("*/cases.json")):
        for case, cls in cases_of(family, wanted.all):
            cases += 1
            for dtype in (torch.float32, torch.bfloat16):
                for max_shard in (None, SHARD):
                    with contextlib.redirect_stderr(io.StringIO()):
                        problems = list(check(wanted.tare, case, cls, dtype, max_shard))
                    checked += 1
                    failed += bool(problems)
                    report(f"{family}/{case['id']} {dtype} {'sharded' if max_shard else 'one file'}", problems)
    print(f"{cases} cases, {checked} folders, {failed} differ")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
