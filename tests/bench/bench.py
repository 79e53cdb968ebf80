#!/usr/bin/env python3
"""Speed and memory of tare, beside the reference on the same two cores where it is installed.

usage: ./dev bench [--configs FILE] [--quick]

--configs FILE   the configs that `scan` is timed on: lines {"config": {...}, "class": NAME}, may be .xz. Without it: the
                 built-in configs and the goldens that are accepted, mixed
--quick          fewer repetitions

The reference is the Python that TARE_REFERENCE_PYTHON names (transformers 5.23.0, torch 2.13.0 CPU); without it only tare's own
figures are printed. CPU seconds and peak memory are the kernel's (wait4), of whole processes; docs/performance.md tells how.
"""
import argparse
import json
import lzma
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL, TARE = ROOT / "build/tests/bench_tool", ROOT / "build/tare"
REFERENCE = [os.environ.get("TARE_REFERENCE_PYTHON", ""), str(pathlib.Path(__file__).with_name("reference.py"))]
SHOW = [str(TARE), "show", "deepseek_v3", "--class", "DeepseekV3ForCausalLM"]
IN_PROCESS = ["deepseek_v3:DeepseekV3ForCausalLM", "llama:LlamaForCausalLM", "mixtral:MixtralForCausalLM", "bert:BertForMaskedLM", "t5:T5ForConditionalGeneration",
              "gemma3:Gemma3ForConditionalGeneration", "whisper:WhisperForConditionalGeneration", "wav2vec2:Wav2Vec2ForCTC", "resnet:ResNetForImageClassification"]


def tool(*words):
    return json.loads(subprocess.run([str(TOOL), *map(str, words)], check=True, capture_output=True, text=True).stdout)


def reference(*words):
    return subprocess.run([*REFERENCE, *words], check=True, capture_output=True, text=True).stdout


def reference_versions():
    try:
        return reference("versions").strip()
    except (OSError, subprocess.CalledProcessError):
        return None


# ---- what is printed -------------------------------------------------------------------------------------------------
def duration(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def row(job, ours, theirs="", ratio="", bound=""):
    print(f"{job:<42} {ours:>14} {theirs:>14} {ratio:>10}   {bound}".rstrip(), flush=True)


def times(theirs, ours):
    return f"{theirs / ours:,.0f} x"


# ---- the rows --------------------------------------------------------------------------------------------------------
def whole_process(beside, runs):
    ours = tool("process", runs, *SHOW)
    if not beside:
        row("DeepSeek-V3 config to print, process", duration(ours["cpu"]))
        return row("  peak memory", f"{ours['peak_kib'] / 1024:.1f} MiB")
    theirs = tool("process", 1, *REFERENCE, "whole")
    row("DeepSeek-V3 config to print, process", duration(ours["cpu"]), duration(theirs["cpu"]), times(theirs["cpu"], ours["cpu"]), "at least 1500 x")
    row("  peak memory", f"{ours['peak_kib'] / 1024:.1f} MiB", f"{theirs['peak_kib'] / 1024:.0f} MiB", times(theirs["peak_kib"], ours["peak_kib"]), "at least 100 x")


def in_process(beside, seconds):
    lines = map(json.loads, reference("build", *IN_PROCESS).splitlines()) if beside else []
    theirs = {r["model"]: r for r in lines}
    for name in IN_PROCESS:
        model_type, class_name = name.split(":")
        ours, other = tool("build", seconds, model_type, class_name), theirs.get(name)
        job = f"{class_name}, in process"
        if not other:
            row(job, duration(ours["cpu"]))
            continue
        row(job, duration(ours["cpu"]), duration(other["cpu"]), times(other["cpu"], ours["cpu"]), "at least 1000 x")
        row(f"  per module ({other['modules']:,})", duration(ours["cpu"] / ours["modules"]), duration(other["cpu"] / other["modules"]))
        if ours["modules"] != other["modules"]:
            sys.exit(f"{name}: {ours['modules']} modules, the reference has {other['modules']}")


PYTHON = ROOT / "build/python-tools/bin/python"
PACKAGE = str(pathlib.Path(__file__).with_name("package.py"))
ARCHITECTURES = ["bert", "gpt2", "llama", "t5", "mixtral", "deepseek_v3", "gemma3", "whisper", "vit", "resnet"]


def package(beside, runs, seconds):
    """The Python package, as ./dev python installs it."""
    ask = lambda python, *words: [json.loads(line) for line in subprocess.run([str(python), PACKAGE, *map(str, words)], check=True, capture_output=True,
                                                                             text=True).stdout.splitlines()]
    if subprocess.run([str(PYTHON), "-c", "import tare"], capture_output=True, cwd="/").returncode:
        return print("the Python package is not installed: ./dev python")
    theirs = ask(REFERENCE[0], "build", "transformers", seconds, *ARCHITECTURES) if beside else [None] * len(ARCHITECTURES)
    for ours, other in zip(ask(PYTHON, "build", "tare", seconds, *ARCHITECTURES), theirs):
        ratio = (duration(other["cpu"]), times(other["cpu"], ours["cpu"]), "at least 100 x") if other else ()
        row(f"AutoModel.from_config, {ours['type']}", duration(ours["cpu"]), *ratio)
    ours = tool("process", runs, PYTHON, PACKAGE, "repr", "tare", "llama")
    theirs = tool("process", 1, REFERENCE[0], PACKAGE, "repr", "transformers", "llama") if beside else None
    ratio = (duration(theirs["wall"]), times(theirs["wall"], ours["wall"]), "at least 50 x") if theirs else ()
    row("Python's start to the first repr, wall", duration(ours["wall"]), *ratio)
    row("import tare", duration(ask(PYTHON, "import", "tare", 11)[0]["seconds"]), bound="under 30 ms")


def read_configs(path):
    with (lzma.open if path.suffix == ".xz" else open)(path, "rt") as f:
        for line in f:
            r = json.loads(line)
            config = {"model_type": r["model_type"], **r["config"]} if "model_type" in r else r["config"]
            yield {"class": r.get("class") or r.get("cls"), "config": config}


def own_configs():
    for path in sorted((ROOT / "presets").glob("*.json")):
        yield {"class": None, "config": json.loads(path.read_text())}
    for path in sorted((ROOT / "tests/golden").glob("*/digests.jsonl")):
        yield from read_configs(path)


def scan(data, *options):
    """Seconds, and the answers."""
    start = time.perf_counter()
    done = subprocess.run([str(TARE), "scan", "--threads", "2", *options, data], capture_output=True)
    return time.perf_counter() - start, done.stdout.splitlines()


def scan_rates(configs, lines):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as once, tempfile.NamedTemporaryFile("w", suffix=".jsonl") as many:
        texts = [json.dumps({"id": i, **({"class": c["class"]} if c["class"] else {}), "config": c["config"]}) for i, c in enumerate(configs)]
        once.write("\n".join(texts) + "\n")
        once.flush()
        taken = {r["id"] for r in map(json.loads, scan(once.name)[1]) if r["ok"]}  # a refusal is cheap: only models are timed
        texts = [t for i, t in enumerate(texts) if i in taken]
        if not texts:
            sys.exit("no config of the list is accepted")
        for i in range(lines):
            many.write(texts[i % len(texts)] + "\n")
        many.flush()
        size = sum(map(len, texts)) / len(texts)
        print(f"scan: {len(texts)} different configs of {size:,.0f} bytes on average, {lines:,} lines, 2 threads")
        for job, options, bound in (("scan --no-digest", ["--no-digest"], "20 000/s"), ("scan", [], "10 000/s")):
            best = min(scan(many.name, *options)[0] for _ in range(3))
            row(job, f"{lines / best:,.0f} /s", bound=f"at least {bound} (the real configs)")


DRAWS = [("normal", "float32", "warm", "2.5 x", "5 x"), ("normal", "float32", "new", "5 x", "8 x"), ("normal", "bfloat16", "warm", "3.5 x", "7 x"),
         ("normal", "bfloat16", "new", "", ""), ("uniform", "float32", "warm", "5 x", "10 x"), ("uniform", "float32", "new", "", "")]


def draw_speed(kind, dtype, memory, threads, n, runs):
    """Elements a second."""
    words = [str(TARE.parent / "tests/bench_draws"), kind, dtype, memory, str(threads), str(n), str(runs)]
    return 1e9 * float(subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[-1])


def rate(speed):
    return f"{speed / 1e9:.2f} G/s"


def draws(beside, n, runs):
    """torch's own does not get faster with threads, so its one figure stands beside both."""
    lines = map(json.loads, reference("draws", str(n), str(runs)).splitlines()) if beside else []
    theirs = {tuple(r["case"]): r["speed"] for r in lines}
    print(f"draws of {n:,} elements")
    for kind, dtype, memory, *bounds in DRAWS:
        for threads, bound in zip((1, 2), bounds):
            ours, other = draw_speed(kind, dtype, memory, threads, n, runs), theirs.get((kind, dtype, memory))
            job = f"{kind} {dtype}, {memory} memory, {threads} thread{'s' * (threads > 1)}"
            row(job, rate(ours), rate(other) if other else "", f"{ours / other:.1f} x" if other else "", f"at least {bound}" if bound else "")
    for kind in ("normal", "uniform"):
        for threads in (1, 2):
            row(f"philox {kind} float32, warm memory, {threads}", rate(draw_speed("philox_" + kind, "float32", "warm", threads, n, runs)))
    row("passed over, torch's stream", rate(draw_speed("skip", "float32", "warm", 1, n, runs)))


MAPS = [("bigscience/bloom-7b1", "float16", "0=10GB,1=10GB,cpu=30GB"), ("meta-llama/Llama-2-7b-hf", "float16", "0=8GB,1=8GB,cpu=30GB"),
        ("deepseek-ai/DeepSeek-V3-Base", "bfloat16", ",".join(f"{i}=180GB" for i in range(8)))]


def maps(beside, runs):
    """Device maps of a model that is there: accelerate's own map in both columns, then the best one beside accelerate's."""
    cases = ["|".join([str(ROOT / "presets" / (model.replace("/", "--") + ".json")), dtype, amounts]) for model, dtype, amounts in MAPS]
    lines = map(json.loads, reference("maps", "15", *cases).splitlines()) if beside else []
    theirs = {r["case"]: r for r in lines}
    for case, (model, dtype, amounts) in zip(cases, MAPS):
        ours, other = tool("map", runs, model, dtype, amounts), theirs.get(case)
        beside_them = lambda seconds: (duration(other["cpu"]), times(other["cpu"], seconds)) if other else ("", "")
        gpus = sum(pair[0].isdigit() for pair in amounts.split(","))
        row(f"{model.split('/')[1]} on {gpus} GPUs, accelerate's map", duration(ours["accelerate"]), *beside_them(ours["accelerate"]), "at least 500 x" if other else "")
        row("  the best map", duration(ours["best"]), *beside_them(ours["best"]), "at least 500 x" if other else "")
        if other and other["entries"] != ours["entries"]:
            sys.exit(f"{model}: {ours['entries']} entries, accelerate has {other['entries']}")
    for kind, blocks in (("equal", 1000000), ("drawn", 1000000)):
        words = [str(TARE.parent / "tests/bench_plan"), str(blocks), "8", kind, "3"]
        took = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[3]
        row(f"{blocks:,} blocks ({kind}) on 8 GPUs, best map", duration(float(took) / 1e3))


def disk_seconds(folder, size):
    """A file of that size, written and synchronised by a program that does nothing else."""
    piece, start = bytes(8 << 20), time.perf_counter()
    with open(pathlib.Path(folder) / "plain", "wb", buffering=0) as f:
        for at in range(0, size, len(piece)):
            f.write(piece[: size - at])
        os.fsync(f.fileno())
    return time.perf_counter() - start


def init(beside, layers):
    """A whole model drawn and written, beside a plain file of its size and beside the reference."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        ours = tool("process", 1, TARE, "init", "gpt2", "--class", "GPT2LMHeadModel", "-o", folder + "/a")
        theirs = json.loads(reference("init", folder + "/b")) if beside else None
        row("GPT-2 drawn and saved, wall", duration(ours["wall"]), *([duration(theirs["saved"]), f"{theirs['saved'] / ours['wall']:.1f} x"] if theirs else []))
        words = [TARE, "init", "meta-llama/Llama-2-7b-hf", "--dtype", "bfloat16", "--set", f"num_hidden_layers={layers}", "-o", folder + "/c"]
        ours = tool("process", 1, *words)
        size = sum(f.stat().st_size for f in pathlib.Path(folder, "c").iterdir())
        plain = disk_seconds(folder, size)
        job = f"Llama-2-7B, {layers} layers, bfloat16, {size / 1e9:.1f} GB"
        row(job, f"{size / ours['wall'] / 1e9:.2f} GB/s", f"{size / plain / 1e9:.2f} GB/s", f"{plain / ours['wall']:.2f} x", "a plain file")
        row("  peak memory", f"{ours['peak_kib'] / 1024:.1f} MiB")


# ---- checkpoints ------------------------------------------------------------------------------------------------------
def put_sparse(path, tensors):
    """A safetensors file of (key, dtype, shape, bytes) whose data is a hole."""
    header, at = {}, 0
    for key, dtype, shape, size in tensors:
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        f.truncate(8 + len(text) + at)


def put_deepseek(folder, layers):
    """DeepSeek-V3 with fewer layers, in shards of 5 GB; its bytes."""
    folder.mkdir()
    options = ["--class", "DeepseekV3ForCausalLM", "--dtype", "bfloat16", "--set", f"num_hidden_layers={layers}"]
    config = {"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "num_hidden_layers": layers, "dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(config))
    lines = subprocess.run([TARE, "tree", "deepseek_v3", *options, "--layout", "file"], check=True, capture_output=True, text=True).stdout
    shards, place, total = [[]], {}, 0
    for key, dtype, shape in (line.split("\t") for line in lines.splitlines()):
        sizes = [int(n) for n in shape.split(",") if n]
        size = math.prod(sizes) * {"F32": 4, "BF16": 2}[dtype]
        if sum(t[3] for t in shards[-1]) + size > 5e9:
            shards.append([])
        shards[-1].append((key, dtype, sizes, size))
        total += size
    for i, tensors in enumerate(shards):
        name = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        put_sparse(folder / name, tensors)
        place.update((t[0], name) for t in tensors)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": place}, indent=2))
    return total


def checkpoint(*words):
    words = [str(TARE.parent / "tests/bench_checkpoints"), *map(str, words)]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def headers(beside, folder, runs):
    file = folder / "header.safetensors"
    put_sparse(file, [(f"model.layers.{i // 1500}.mlp.experts.{i % 500}.{('gate', 'up', 'down')[i // 500 % 3]}_proj.weight", "BF16", [2048, 64], 1 << 18)
                      for i in range(90000)])
    ours = checkpoint("open", file, runs)
    theirs = json.loads(reference("header", str(file), "3")) if beside else None
    for job, key, bound in (("header of 90,000 tensors, beside json", "json", "at least 50 x"), ("  beside safe_open()", "safe_open", "")):
        row(job, duration(ours["seconds"]), *([duration(theirs[key]), times(theirs[key], ours["seconds"])] if theirs else []), bound if theirs else "")
    size = put_deepseek(folder / "deepseek", 33)
    ours = checkpoint("check", folder / "deepseek", runs)
    row(f"check of {size / 1e9:,.0f} GB, {ours['tensors']:,} tensors", duration(ours["seconds"]), bound="under 100 ms")


def loads(beside, folder, runs):
    """A file that is in the page cache, to memory of its own."""
    words = ["llama", "--class", "LlamaForCausalLM", "--dtype", "bfloat16", "--rng", "philox", "--set", "hidden_size=2048", "--set", "intermediate_size=5632",
             "--set", "num_hidden_layers=8", "--set", "num_attention_heads=16"]
    subprocess.run([TARE, "init", *words, "-o", folder / "llama"], check=True, capture_output=True)
    file = folder / "llama/model.safetensors"
    print(f"loads of {file.stat().st_size / 1e9:.2f} GB, bfloat16, in the page cache, the first of a process")
    for name, dtype, bounds in (("owned copy", "bfloat16", ("2.5 x", "3 x")), ("as float32, of file bytes", "float32", ("4 x", "3.5 x"))):
        for threads, bound in zip((1, 2), bounds):
            other = max(float(reference("load", str(file), dtype, str(threads))) for _ in range(runs)) if beside else None
            ours = max((checkpoint("load", folder / "llama", dtype, threads, 1) for _ in range(runs)), key=lambda r: r["speed"])
            speed = f"{other / 1e9:.2f} GB/s" if other else ""
            row(f"{name}, {threads} thread{'s' * (threads > 1)}", f"{ours['speed'] / 1e9:.2f} GB/s", speed, f"{ours['speed'] / other:.1f} x" if other else "",
                f"at least {bound}" if other else "")
            row("  peak memory besides the tensors", f"{ours['besides'] / 2**20:.1f} MiB", bound="under 64 MiB")


def put_fp8(folder, config):
    """The same model with its weights in FP8: some random bytes, again and again."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": {"quant_method": "fp8"}}))
    words = [TARE, "tree", folder, "--quantized", "--layout", "file"]
    lines = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    header, at = {}, 0
    for key, dtype, shape in (line.split("\t") for line in lines):
        sizes = [int(n) for n in shape.split(",") if n]
        size = math.prod(sizes) * {"F32": 4, "BF16": 2, "F8_E4M3": 1}[dtype]
        header[key] = {"dtype": dtype, "shape": sizes, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    some = bytes(b & 0x3f for b in random.Random(0).randbytes(1 << 20))
    with open(folder / "model.safetensors", "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for left in range(at, 0, -len(some)):
            f.write(some[:left])


def floats(folder, runs):
    """Quantised weights turned into floats, beside a copy of as many bytes of floats: both on the same cores, one right after the other."""
    put_fp8(folder / "fp8", json.loads((folder / "llama/config.json").read_text()))
    print("quantised weights turned into floats, beside a load of such floats as they are")
    for threads in (1, 2):
        copy, made = 0, 0
        for _ in range(runs):
            copy = max(copy, checkpoint("load", folder / "llama", "bfloat16", threads, 1)["speed"])
            made = max(made, checkpoint("floats", folder / "fp8", "bfloat16", threads, 1)["speed"])
        name = f"fp8 blocks to bfloat16, {threads} thread{'s' * (threads > 1)}"
        row(name, f"{made / 1e9:.2f} GB/s", f"{copy / 1e9:.2f} GB/s", f"{made / copy:.2f} x", "at least 0.5 x")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--configs", type=pathlib.Path)
    a.add_argument("--quick", action="store_true")
    o = a.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    beside = reference_versions()
    print(f"beside: {beside}" if beside else "the reference is absent: set TARE_REFERENCE_PYTHON to a Python that has it, for its column and the ratios")
    row("", "tare", "reference" if beside else "", "ratio" if beside else "")
    whole_process(beside, 50 if o.quick else 500)
    started = tool("process", 50 if o.quick else 500, TARE, "--version")
    row("start-up (tare --version), wall", duration(started["wall"]), bound="under 2 ms")
    row("  peak memory", f"{started['peak_kib'] / 1024:.1f} MiB")
    row("size of tare, of libtare.so", f"{TARE.stat().st_size / 1e6:.2f} MB", f"{(TARE.parent / 'libtare.so').stat().st_size / 1e6:.2f} MB")
    in_process(beside, 0.2 if o.quick else 1)
    package(beside, 10 if o.quick else 50, 0.2 if o.quick else 1)
    maps(beside, 200 if o.quick else 2000)
    draws(beside, 1 << (24 if o.quick else 26), 3 if o.quick else 7)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        headers(beside, pathlib.Path(folder), 5 if o.quick else 20)
        loads(beside, pathlib.Path(folder), 1 if o.quick else 3)
        floats(pathlib.Path(folder), 3 if o.quick else 9)
    init(beside, 4 if o.quick else 32)
    scan_rates(list(read_configs(o.configs) if o.configs else own_configs()), 5000 if o.quick else 40000)


if __name__ == "__main__":
    main()
