"""The reference's side of bench.py, run by its own interpreter.

reference.py whole            import, build DeepSeek-V3 on meta, print it: a process to be measured from outside
reference.py build TYPE:CLASS ...   one JSON line a model: CPU seconds of build and print, in process, and its modules
"""
import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import transformers


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


torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
if sys.argv[1] == "whole":
    whole()
elif sys.argv[1] == "versions":
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
else:
    build(sys.argv[2:])
