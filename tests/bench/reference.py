"""The reference's side of bench.py, run by its own interpreter.

reference.py whole            import, build DeepSeek-V3 on meta, print it: a process to be measured from outside
reference.py build TYPE:CLASS ...   one JSON line a model: CPU seconds of build and print, in process, and its modules
reference.py draws N RUNS           one JSON line a case: how many elements torch draws a second, into memory that is warm or new
reference.py maps RUNS CASE ...     one JSON line a case, PRESET|DTYPE|AMOUNTS: CPU seconds of infer_auto_device_map, the median, and its entries
reference.py init FOLDER            seconds to make GPT-2 as Model(config) and to save it
reference.py header FILE RUNS       seconds to read a safetensors header: with json and a loop over its entries, and with safe_open()
reference.py load FILE DTYPE THREADS   bytes of the file a second, copied to memory of their own: the first load of this process
"""
import json
import math
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import safetensors
import torch
import transformers
from safetensors.torch import load_file


def whole():
    config = transformers.AutoConfig.for_model("deepseek_v3")
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    print(model)


def build_once(model_type, class_name):
    start = time.process_time()
    config = transformers.AutoConfig.for_model(model_type)
    with torch.device("meta"):
        model = getattr(transformers, class_name)._from_config(config)
    repr(model)
    return time.process_time() - start, sum(1 for _ in model.named_modules(remove_duplicate=False))


def build(models):
    for name in models:
        runs = [build_once(*name.split(":")) for _ in range(4)]
        best, modules = min(runs[1:])  # the first also imports the modeling file
        print(json.dumps({"model": name, "cpu": best, "modules": modules}), flush=True)


def fill(kind, tensor):
    return tensor.normal_(0, 0.02) if kind == "normal" else tensor.uniform_(-0.02, 0.02)


def draw_seconds(kind, dtype, n, new, runs):
    """The best of several; new memory is asked of the system and given back each time, as a model's tensors are."""
    warm, best = fill(kind, torch.empty(n, dtype=dtype)), None
    for _ in range(runs):
        if new:
            warm = None
        start = time.perf_counter()
        warm = fill(kind, torch.empty(n, dtype=dtype) if new else warm)
        took = time.perf_counter() - start
        best = min(best or took, took)
    return best


def draws(n, runs):
    for kind, dtype in (("normal", torch.float32), ("normal", torch.bfloat16), ("uniform", torch.float32)):
        for new in (False, True):
            speed = n / draw_seconds(kind, dtype, n, new, runs)
            print(json.dumps({"case": [kind, str(dtype).removeprefix("torch."), "new" if new else "warm"], "speed": speed}), flush=True)


def map_case(case, runs):
    from accelerate import infer_auto_device_map

    preset, dtype, amounts = case.split("|")
    config = json.loads(open(preset).read())
    config = transformers.AutoConfig.for_model(config.pop("model_type"), **config)
    with torch.device("meta"):
        model = getattr(transformers, config.architectures[0])._from_config(config, dtype=getattr(torch, dtype))
    model.tie_weights()
    memory = {int(k) if k.isdigit() else k: v for k, v in (pair.split("=") for pair in amounts.split(","))}
    took = []
    for _ in range(runs):
        start = time.process_time()
        placed = infer_auto_device_map(model, max_memory=memory, no_split_module_classes=model._no_split_modules)
        took.append(time.process_time() - start)
    return {"case": case, "cpu": sorted(took)[runs // 2], "entries": len(placed)}


def maps(runs, cases):
    for case in cases:
        print(json.dumps(map_case(case, runs)), flush=True)


def init(folder):
    config = transformers.AutoConfig.for_model("gpt2")
    torch.manual_seed(0)
    start = time.perf_counter()
    model = transformers.GPT2LMHeadModel(config)
    made = time.perf_counter() - start
    model.save_pretrained(folder)
    os.sync()
    print(json.dumps({"made": made, "saved": time.perf_counter() - start}))


def header_of(path):
    with open(path, "rb") as f:
        entries = json.loads(f.read(int.from_bytes(f.read(8), "little")))
    entries.pop("__metadata__", None)
    bits = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "I64": 64, "I32": 32, "U8": 8, "BOOL": 8}
    for key, t in entries.items():
        begin, end = t["data_offsets"]
        if math.prod(t["shape"]) * bits[t["dtype"]] != 8 * (end - begin):
            raise ValueError(key)
    return entries


def open_of(path):
    with safetensors.safe_open(path, framework="pt") as f:
        return list(f.keys())


def best_of(runs, job, *words):
    took = []
    for _ in range(runs):
        start = time.perf_counter()
        kept = job(*words)
        took.append(time.perf_counter() - start)
        del kept
    return min(took)


def header(path, runs):
    print(json.dumps({"json": best_of(runs, header_of, path), "safe_open": best_of(runs, open_of, path)}))


def load(path, dtype, threads):
    """Later loads would find the memory of the first ones in the heap."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    kept = {k: t.clone() if str(t.dtype) == f"torch.{dtype}" else t.to(getattr(torch, dtype)) for k, t in load_file(path).items()}
    print(os.path.getsize(path) / (time.perf_counter() - start))
    del kept


torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
if sys.argv[1] == "whole":
    whole()
elif sys.argv[1] == "versions":
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
elif sys.argv[1] == "draws":
    draws(int(sys.argv[2]), int(sys.argv[3]))
elif sys.argv[1] == "maps":
    maps(int(sys.argv[2]), sys.argv[3:])
elif sys.argv[1] == "init":
    init(sys.argv[2])
elif sys.argv[1] == "header":
    header(sys.argv[2], int(sys.argv[3]))
elif sys.argv[1] == "load":
    load(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    build(sys.argv[2:])
