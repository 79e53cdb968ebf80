#!/usr/bin/env python3
"""What tare check, load and materialise make of a checkpoint that is not quite right, beside from_pretrained() and save_pretrained().

usage: tests/reference/loading.py TARE [--cases N] [--seed N] [FAMILY ...]

A case is a small one of tests/golden/FAMILY/cases.json, written by tare init and then changed in one to three ways: keys dropped, renamed,
added, under other prefixes or old names; shapes, dtypes, layers, ties, the config's dtype; another class of the same config; shards. Compared are
  - check --like transformers: whether it loads, and what is missing, unexpected and mismatched;
  - load --digest: names, dtypes and bytes of every parameter and persistent buffer, but for those that are drawn;
  - materialise, where nothing is drawn: keys, dtypes, bytes, shards, index and config.json of what save_pretrained() writes.
Exit status 77 where the pinned reference is not installed; TARE_REFERENCE_PYTHON names an interpreter that has it.
"""
import argparse
import contextlib
import hashlib
import io
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import checkpoints  # noqa: E402  (ends the program where there is no reference)
import goldens  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

MOST = 60_000  # parameters of a model
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1}
NAME = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32",
        torch.uint8: "U8", torch.bool: "BOOL"}


# ---- files -----------------------------------------------------------------------------------------------------------
def read_file(path):
    """[[key, dtype, shape, bytes], ...] in the order of their data."""
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    header.pop("__metadata__", None)
    rows = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
    return [[key, t["dtype"], t["shape"], data[8 + n :][slice(*t["data_offsets"])]] for key, t in rows]


def write_file(path, rows):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for key, dtype, shape, data in rows:
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(row[3] for row in rows))


def write_folder(folder, rows, shards):
    if shards == 1 or len(rows) < shards:
        write_file(folder / "model.safetensors", rows)
        return
    place = {}
    for i in range(shards):
        name = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        write_file(folder / name, rows[i::shards])
        place.update((row[0], name) for row in rows[i::shards])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": place}))


# ---- changes ---------------------------------------------------------------------------------------------------------
def filled(rnd, row):
    """Bytes for a row whose dtype or shape has changed: small numbers in every dtype."""
    n = BYTES[row[1]]
    for size in row[2]:
        n *= size
    return bytes(rnd.choice((0, 1, 60, 61)) if i % BYTES[row[1]] == BYTES[row[1]] - 1 and row[1] != "BOOL" else rnd.randrange(2) for i in range(n))


def drop(rnd, rows, config):
    rows.pop(rnd.randrange(len(rows)))


def drop_module(rnd, rows, config):
    words = rnd.choice(rows)[0].split(".")
    path = ".".join(words[: rnd.randrange(1, len(words) + 1)])
    rows[:] = [row for row in rows if row[0] != path and not row[0].startswith(path + ".")]


def rename(rnd, rows, config):
    row = rnd.choice(rows)
    words = row[0].split(".")
    words[rnd.randrange(len(words))] = rnd.choice(("other", "7", "0", "weight", "bias", "layers"))
    row[0] = ".".join(words)


def prefix(rnd, rows, config):
    new, old = rnd.choice(("model.", "module.", "language_model.", "transformer.", "bert.", "text_model.", "")), rnd.choice(("", rows[0][0].split(".")[0] + "."))
    every = rnd.random() < 0.6
    for row in rows:
        if row[0].startswith(old) and (every or rnd.random() < 0.3):
            row[0] = new + row[0][len(old) :]


def old_names(rnd, rows, config):
    for row in rows:
        for new, old in (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"), ("parametrizations.weight.original0", "weight_g"),
                         ("parametrizations.weight.original1", "weight_v")):
            row[0] = row[0].replace(new, old)


def double(rnd, rows, config):
    row = list(rnd.choice(rows))
    row[0] = rnd.choice(("model." + row[0], row[0].partition(".")[2] or "other", row[0].replace("LayerNorm.weight", "LayerNorm.gamma"), "lm_head.weight"))
    rows.append(row)


def surplus(rnd, rows, config):
    name = rnd.choice(("other", "model.rotary_emb.inv_freq", "embeddings.position_ids", "h.0.attn.bias", "decoder.embed_tokens.weight"))
    rows.append([name, "F32", [2], b"\0" * 8])


def shape(rnd, rows, config):
    row = rnd.choice(rows)
    if row[2]:
        row[2] = list(row[2])
        row[2][rnd.randrange(len(row[2]))] += rnd.choice((-1, 1))
    row[3] = filled(rnd, row)


def rank(rnd, rows, config):
    row = rnd.choice(rows)
    row[2] = rnd.choice(([1, *row[2]], [*row[2], 1], row[2][::-1]))


def dtype(rnd, rows, config):
    row = rnd.choice(rows)
    row[1] = rnd.choice([d for d in BYTES if d != "I8"])
    row[3] = filled(rnd, row)


def every_dtype(rnd, rows, config):
    new = rnd.choice(("F16", "BF16", "F64"))
    for row in rows:
        if row[1] == "F32":
            row[1] = new
            row[3] = filled(rnd, row)


def config_dtype(rnd, rows, config):
    config[rnd.choice(("dtype", "torch_dtype"))] = rnd.choice(("float16", "bfloat16", None))


def tie(rnd, rows, config):
    config["tie_word_embeddings"] = rnd.random() < 0.5


def layers(rnd, rows, config):
    for key in ("num_hidden_layers", "n_layer", "num_layers", "encoder_layers"):
        if isinstance(config.get(key), int):
            config[key] = max(0, config[key] + rnd.choice((-1, 1)))


def expert(rnd, rows, config):
    found = [row for row in rows if ".experts." in row[0]]
    if found:
        row = rnd.choice(found)
        row[0] = re.sub(r"experts\.\d+", f"experts.{rnd.choice((0, 1, 5, 12))}", row[0])


CHANGES = [drop, drop_module, rename, prefix, old_names, double, surplus, shape, rank, dtype, every_dtype, config_dtype, tie, layers, expert]


def changed(rnd, rows, config):
    """In place; what was done, in words."""
    done = []
    for change in rnd.choices(CHANGES, k=rnd.choice((0, 1, 1, 2, 3))):
        if rows:
            change(rnd, rows, config)
            done.append(change.__name__)
    rows[:] = {row[0]: row for row in rows}.values()
    return done


# ---- both sides ------------------------------------------------------------------------------------------------------
def digest(tensor):
    return hashlib.sha256(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()[:16]


def reference_loads(cls, folder, allow):
    """The model and what it reports; or None and why not."""
    try:
        model, info = cls.from_pretrained(folder, output_loading_info=True, ignore_mismatched_sizes=allow)
    except Exception as e:
        return None, f"{type(e).__name__}: {e}"[:160]
    report = {"missing": sorted(info["missing_keys"]), "unexpected": sorted(info["unexpected_keys"])}
    return model, {**report, "mismatched": sorted([k, list(a), list(b)] for k, a, b in info["mismatched_keys"])}


def tare_says(*command):
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    return run.returncode, run.stdout, run.stderr.strip()


def compare_check(answer, model, report):
    try:
        said = json.loads(answer[1])
    except ValueError:
        said = {"verdict": "error" if answer[0] in (1, 3) else f"exit {answer[0]}", "error": answer[2]}
    if (said["verdict"] == "loads") != (model is not None) or said["verdict"] not in ("loads", "error"):
        yield f"check says {said['verdict']} ({said.get('error')}), the reference {'loads' if model else report}"
        return
    for what, want in report.items() if model is not None else ():
        got = sorted(said[what])
        if got != want:
            yield f"{what}: tare alone {[x for x in got if x not in want][:3]}, the reference alone {[x for x in want if x not in got][:3]}"


def compare_load(answer, model, report):
    if answer[0]:
        yield f"load: exit {answer[0]}, {answer[2]}"
        return
    got = {row[0]: row[1:] for row in (line.split("\t") for line in answer[1].splitlines())}
    want = model.state_dict()
    drawn = {*report["missing"], *(row[0] for row in report["mismatched"])}
    tied = model.all_tied_weights_keys
    drawn |= {target for target, source in tied.items() if source in drawn} | {source for target, source in tied.items() if target in drawn}
    drawn |= {key for key in want if any(re.search(p, key) for p in model._keys_to_ignore_on_load_missing or ())}
    for key in sorted(want.keys() ^ got.keys()):
        yield f"load: {key} is only in one of them"
    for key in sorted(want.keys() & got.keys()):
        row = [NAME[want[key].dtype], ",".join(map(str, want[key].shape))]
        if got[key][:2] != row or (key not in drawn and got[key][2] != digest(want[key])):
            yield f"load: {key} is {got[key]}, should be {row} {digest(want[key])}"


def compare_rewritten(tare, common, model, scratch, shard):
    want, got = scratch / "want", scratch / "got"
    answer = tare_says(tare, "materialise", *common, "--like", "transformers", "-o", got, "--max-shard-size", shard)
    try:
        model.save_pretrained(want, max_shard_size=shard)
    except Exception as e:
        if answer[0] == 0:
            yield f"the reference does not save it: {type(e).__name__}: {e}"[:200]
        return
    if answer[0]:
        yield f"materialise: exit {answer[0]}, {answer[2]}"
        return
    for folder in (want, got):  # tare copies this one, and there is none to copy
        (folder / "generation_config.json").unlink(missing_ok=True)
    yield from checkpoints.compare_folders(want, got)


# ---- one case --------------------------------------------------------------------------------------------------------
def check(tare, rnd, case, cls):
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        problem = checkpoints.init(tare, case, torch.float32, scratch / "made")
        if problem:
            return [], ""
        rows, config = read_file(scratch / "made/model.safetensors"), json.loads((scratch / "made/config.json").read_text())
        done = changed(rnd, rows, config)
        folder, allow = scratch / "changed", rnd.random() < 0.3
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        write_folder(folder, rows, rnd.choice((1, 1, 2, 3)))
        model, report = reference_loads(cls, folder, allow)
        common = [folder, "--class", cls.__name__, *(("--allow", "mismatched") if allow else ())]
        problems = list(compare_check(tare_says(tare, "check", *common, "--like", "transformers", "--json"), model, report))
        if model is not None and not problems:
            problems = list(compare_load(tare_says(tare, "load", *common, "--like", "transformers", "--digest"), model, report))
        if model is not None and not problems and not report["missing"] and not report["mismatched"]:
            problems = list(compare_rewritten(tare, common, model, scratch, rnd.choice(("50GB", "2KB", "10KB"))))
        return problems, f"{' '.join(done) or 'nothing changed'}{', mismatched allowed' if allow else ''}"


def small_cases(families):
    for family in families or checkpoints.names(p.parent for p in checkpoints.GOLDEN.glob("*/cases.json")):
        for case in json.loads((checkpoints.GOLDEN / family / "cases.json").read_text()):
            cls = checkpoints.small_enough(case, MOST)
            if cls:
                yield family, case, cls


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tare")
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("family", nargs="*")
    wanted = parser.parse_intermixed_args()
    transformers.logging.set_verbosity(50)
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    rnd, known, failed = random.Random(wanted.seed), list(small_cases(wanted.family)), 0
    for i in range(wanted.cases):
        family, case, cls = rnd.choice(known)
        with contextlib.redirect_stderr(io.StringIO()):
            problems, how = check(wanted.tare, random.Random(f"{wanted.seed} {i}"), case, cls)
        failed += bool(problems)
        checkpoints.report(f"{i}: {family}/{case['id']} {cls.__name__}, {how}", problems)
    print(f"{wanted.cases} changed checkpoints, {failed} differ")
    return 1 if failed or not known else 0


if __name__ == "__main__":
    sys.exit(main())
