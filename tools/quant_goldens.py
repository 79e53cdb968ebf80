#!/usr/bin/env python3
"""Record which tree the reference prepares for quantised weights: tests/quant/cases.json -> tests/quant/digests.jsonl.

usage: tools/quant_goldens.py [METHOD ...]      (default: every method)

cases.json is kept by hand: "models" (model_type, class, config by name), "quantizations" (a quantization_config by name) and "cases", names
of both as MODEL/QUANTIZATION. A line of digests.jsonl has the config, and sha256 of tree and print, or that the reference refuses.
What depends on a package that is not installed (compressed-tensors, auto-round, amd-quark, ...) keeps the line that is there, and is said.
Hosts are not asked: checks of GPUs are passed over, as tare does not look at them. Needs the pinned reference.
"""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import goldens  # noqa: E402  sets the environment up, so first
import torch  # noqa: E402
from transformers.integrations import hub_kernels  # noqa: E402
from transformers.modeling_utils import ContextManagers  # noqa: E402
from transformers.quantizers import auto, quantizer_mxfp4  # noqa: E402

FOLDER = goldens.ROOT / "tests" / "quant"
goldens.DTYPES.update({torch.uint32: "U32", torch.float8_e8m0fnu: "F8_E8M0"})
# Kernels are not run here, and their absence is not what is recorded.
hub_kernels.get_kernel = lambda *_, **__: None
quantizer_mxfp4.get_current_accelerator = lambda *_: torch.device("cuda")
FBGEMM = torch.library.Library("fbgemm", "DEF")
FBGEMM.define("quantize_fp8_per_row(Tensor x) -> Tensor")


def quantizer_of(config):
    found = getattr(config, "quantization_config", None)
    if not auto.AutoHfQuantizer.supports_quant_method(found):
        return None
    config.quantization_config = auto.AutoHfQuantizer.merge_quantization_configs(found, None)
    quantizer = auto.AutoHfQuantizer.from_config(config.quantization_config, pre_quantized=True)
    quantizer.device_map, quantizer.use_fp8_kernel = None, False  # what validate_environment() leaves on a host without a GPU
    return quantizer


def prepared(case):
    """The model as from_pretrained() has it before it reads a weight, ties settled."""
    config = goldens.make_config(case)
    dtype = config.dtype or torch.float32
    quantizer = quantizer_of(config)
    if quantizer is not None:
        dtype = quantizer.update_dtype(dtype)
    for part in [config] + [getattr(config, name) for name in config.sub_configs if getattr(config, name, None) is not None]:
        part.dtype = dtype
    cls = goldens.find_class(case["class"], case["model_type"])
    with ContextManagers(cls.get_init_context(dtype, quantizer is not None, False, None)):
        model = cls(config)
        if quantizer is not None:
            quantizer.preprocess_model(model=model, dtype=dtype, device_map=None, checkpoint_files=None, use_kernels=False)
    model.tie_weights(recompute_mapping=False)
    return model


def record(case):
    row = {"id": case["id"], "class": case["class"], "quantized": True, "config": {"model_type": case["model_type"], **case["config"]}}
    try:
        model = prepared(case)
    except ImportError:
        raise
    except Exception as error:  # whatever the reference refuses with
        if case["id"] not in case["refusals"]:
            raise RuntimeError(f"{case['id']}: refused, which cases.json does not say: {error!r}") from error
        return {**row, "ok": False}
    return {**row, "tree": goldens.sha256(goldens.tree_text(model)), "print": goldens.sha256(repr(model) + "\n")}


def cases():
    data = json.loads((FOLDER / "cases.json").read_text())
    for name in data["cases"]:
        model, quantization = name.split("/")
        config = dict(data["models"][model])
        case = {"model_type": config.pop("model_type"), "class": config.pop("class"), "id": name, "refusals": data["refusals"]}
        yield {**case, "config": {**config, "quantization_config": data["quantizations"][quantization]}}


def main():
    wanted, file = set(sys.argv[1:]), FOLDER / "digests.jsonl"
    before = {row["id"]: row for row in map(json.loads, file.read_text().splitlines())} if file.exists() else {}
    lines, kept = [], []
    for case in cases():
        row = before.get(case["id"])
        if row is None or not wanted or case["config"]["quantization_config"]["quant_method"] in wanted:
            try:
                row = record(json.loads(json.dumps(case)))
            except ImportError as error:
                kept.append(f"{case['id']}: {error}")
        if row is not None:
            lines.append(json.dumps(row, separators=(",", ":")))
    file.write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} cases in {file.relative_to(goldens.ROOT)}")
    for reason in kept:
        print("as it was: " + reason.splitlines()[0], file=sys.stderr)
    os._exit(0)  # some packages leave threads behind


if __name__ == "__main__":
    main()
