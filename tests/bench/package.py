"""The Python package or the reference, by whose interpreter runs it and by the name that is given: tare or transformers.

package.py build NAME SECONDS TYPE ...   one JSON line a type: CPU seconds of AutoModel.from_config(config) on the meta device, the median
package.py repr NAME TYPE                import, build, print: a process to be measured from outside
package.py import NAME RUNS              the median of the seconds that `import NAME` takes, each time in a process of its own
"""
import importlib
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def device(name):
    return importlib.import_module("tare" if name == "tare" else "torch").device("meta")


def build(name, seconds, types):
    import json
    import statistics
    import time
    package = importlib.import_module(name)
    for model_type in types:
        config = package.AutoConfig.for_model(model_type)
        took = []
        while len(took) < 5 or sum(took) < float(seconds):
            start = time.process_time()
            with device(name):
                package.AutoModel.from_config(config)
            took.append(time.process_time() - start)
        print(json.dumps({"type": model_type, "cpu": statistics.median(took[1:])}), flush=True)  # the first imports the modeling file


def first_repr(name, model_type):
    package = importlib.import_module(name)
    with device(name):
        model = package.AutoModel.from_config(package.AutoConfig.for_model(model_type))
    print(repr(model))


def import_seconds(name, runs):
    """In the process itself, without the interpreter's own start."""
    import json
    import statistics
    import subprocess
    program = f"import time; a = time.perf_counter(); import {name}; print(time.perf_counter() - a)"
    took = [float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout) for _ in range(int(runs))]
    print(json.dumps({"seconds": statistics.median(took)}))


if __name__ == "__main__":
    what, package_name, *rest = sys.argv[1:]
    if what == "build":
        build(package_name, rest[0], rest[1:])
    elif what == "repr":
        first_repr(package_name, rest[0])
    else:
        import_seconds(package_name, rest[0])
