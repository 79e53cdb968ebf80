#!/usr/bin/env python3
"""What tare load --dequantize makes of quantised weights, beside the packages that define their formats, bit by bit.

usage: tests/reference/dequantise.py TARE [--seed N]

A checkpoint of each format is a tiny model, with random codes, and scales of many sizes. The floats that come out of it in float32, bfloat16 and
float16 are held against transformers (fp8, mxfp4), compressed-tensors and bitsandbytes, as far as they are installed beside the reference.
Exit status 77 where the pinned reference is not installed; TARE_REFERENCE_PYTHON names an interpreter that has it.
"""
import argparse
import hashlib
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import checkpoints  # noqa: E402, F401  (ends the program where there is no reference)
import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 1,
         "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 48, "vocab_size": 40}
MIXTRAL = {**LLAMA, "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "num_local_experts": 3}
GPT_OSS = {**LLAMA, "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "num_local_experts": 3, "num_experts_per_tok": 2}
WIDE = {**LLAMA, "hidden_size": 128, "intermediate_size": 192, "head_dim": 64}  # on a CPU, bitsandbytes takes rows of whole blocks alone
FLOATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
DTYPES = {**FLOATS, "I8": torch.int8, "U8": torch.uint8, "I32": torch.int32, "I64": torch.int64, "F8_E4M3": torch.float8_e4m3fn}


def installed(name):
    return importlib.util.find_spec(name) is not None


def codes(shape, dtype):
    """Every code of eight bits, but for NaN."""
    x = torch.randint(0, 256, shape, dtype=torch.uint8)
    if dtype == torch.float8_e4m3fn:
        x[(x & 127) == 127] = 0
    return x.view(dtype)


def sizes(shape, dtype=torch.float32):
    """Scales of many sizes, in steps that no format keeps whole."""
    return (torch.rand(shape) * 1.7 + 0.1).mul(torch.exp2(torch.randint(-9, 4, shape).float())).to(dtype)


# ---- formats: what is stored of a weight of a shape, and what it is in floats, given the dtype of the model ----------------------------------


def fp8(block, scale_dtype="float32"):
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize

    def make(shape, dtype):
        weight = codes(shape, torch.float8_e4m3fn)
        scale = sizes((shape[0] // block[0], shape[1] // block[1]))
        if scale_dtype == "uint8":
            scale = torch.randint(100, 140, scale.shape, dtype=torch.uint8)
        return {"weight": weight, "weight_scale_inv": scale}, Fp8Dequantize(None)._dequantize_one(weight, scale, dtype)

    return make


def compressed(scheme_json, form, scale_dtype=torch.bfloat16):
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
    from compressed_tensors.quantization import QuantizationScheme

    scheme = QuantizationScheme.model_validate({"targets": ["Linear"], **scheme_json})
    w = scheme.weights

    def grid(shape):
        if w.strategy == "group" or w.strategy == "tensor_group":
            return (shape[0], shape[1] // w.group_size)
        if w.strategy == "block":
            return tuple(-(-a // b) for a, b in zip(shape, w.block_structure))
        return (shape[0], 1) if w.strategy == "channel" else (1,)

    def make(shape, dtype):
        state = {"weight_scale": sizes(grid(shape), scale_dtype)}
        half = 1 << (w.num_bits - 1)
        if form == "pack-quantized":
            state["weight_packed"] = pack_to_int32(torch.randint(-half, half, shape, dtype=torch.int8), w.num_bits)
            state["weight_shape"] = torch.tensor(shape)
            if not w.symmetric:
                state["weight_zero_point"] = pack_to_int32(torch.randint(-half, half, grid(shape), dtype=torch.int8), w.num_bits, packed_dim=0)
        elif form.startswith("nvfp4"):
            state["weight_packed"] = codes((shape[0], shape[1] // 2), torch.uint8)
            state["weight_scale"] = codes(grid(shape), torch.float8_e4m3fn)
            state["weight_global_scale"] = sizes((1,)) * 300
        elif form.startswith("mxfp4"):
            state["weight_packed"] = codes((shape[0], shape[1] // 2), torch.uint8)
            state["weight_scale"] = torch.randint(0, 255, grid(shape), dtype=torch.uint8)
        else:
            state["weight"] = codes(shape, torch.float8_e4m3fn if w.type == "float" else torch.int8)
            if not w.symmetric:
                state["weight_zero_point"] = codes(grid(shape), torch.int8)
        whole = BaseCompressor.get_value_from_registry(form).decompress(dict(state), scheme)
        return state, whole["weight"].to(dtype)

    return make


def four_bits(kind, double, was):
    import bitsandbytes.functional as bnb

    def make(shape, dtype):
        weight, how = bnb.quantize_4bit(torch.randn(shape).to(was), blocksize=64, quant_type=kind, compress_statistics=double)
        state = {"weight": weight, **{f"weight.{k}": v for k, v in how.as_dict(packed=True).items()}}
        return state, bnb.dequantize_4bit(weight, how).to(dtype)

    return make


def eight_bits():
    import bitsandbytes.functional as bnb

    def make(shape, dtype):
        weight, scale = codes(shape, torch.int8), sizes((shape[0],))
        state = {"weight": weight, "SCB": scale, "weight_format": torch.tensor(0, dtype=torch.uint8)}
        return state, bnb.int8_vectorwise_dequant(weight, scale).to(dtype)

    return make


def ct(form, weights, **more):
    group = {"targets": ["Linear"], "weights": weights, **more}
    return {"quant_method": "compressed-tensors", "format": form, "quantization_status": "compressed", "ignore": ["lm_head"],
            "config_groups": {"group_0": group}}, group, form


def formats():
    yield "fp8 blocks", LLAMA, {"quant_method": "fp8", "weight_block_size": [16, 16]}, lambda: fp8((16, 16))
    yield "fp8 blocks of experts", MIXTRAL, {"quant_method": "fp8", "weight_block_size": [16, 32]}, lambda: fp8((16, 32))
    yield "fp8 exponents", LLAMA, {"quant_method": "fp8", "weight_block_size": [1, 32], "scale_fmt": "ue8m0"}, lambda: fp8((1, 32), "uint8")
    if installed("compressed_tensors"):
        ints = {"type": "int", "symmetric": True, "strategy": "group", "group_size": 32}
        for bits in range(2, 9):
            q, group, form = ct("pack-quantized", {**ints, "num_bits": bits})
            yield f"packed ints of {bits} bits", LLAMA, q, lambda g=group, f=form: compressed(g, f)
            q, group, form = ct("pack-quantized", {**ints, "num_bits": bits, "symmetric": False})
            yield f"packed ints of {bits} bits with zero points", LLAMA, q, lambda g=group, f=form: compressed(g, f)
        q, group, form = ct("pack-quantized", {**ints, "num_bits": 4, "strategy": "channel", "group_size": None})
        yield "packed ints by channels", LLAMA, q, lambda g=group, f=form: compressed(g, f, torch.float16)
        dynamic = {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True}
        for symmetric in (True, False):
            q, group, form = ct("int-quantized", {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": symmetric},
                                input_activations=dynamic)
            yield f"int8, symmetric {symmetric}", LLAMA, q, lambda g=group, f=form: compressed(g, f)
        for how in ({"strategy": "channel"}, {"strategy": "tensor"}, {"strategy": "block", "block_structure": [32, 64]}):
            q, group, form = ct("float-quantized", {"num_bits": 8, "type": "float", "symmetric": True, **how},
                                input_activations={**dynamic, "type": "float"})
            yield f"float8 by {how['strategy']}", LLAMA, q, lambda g=group, f=form: compressed(g, f)
        q, group, form = ct("nvfp4-pack-quantized", {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16, "symmetric": True})
        yield "nvfp4", LLAMA, q, lambda g=group, f=form: compressed(g, f)
        q, group, form = ct("mxfp4-pack-quantized", {"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32, "symmetric": True})
        yield "mxfp4 of compressed-tensors", LLAMA, q, lambda g=group, f=form: compressed(g, f)
    if installed("bitsandbytes"):
        for kind in ("nf4", "fp4"):
            for double in (False, True):
                for was in (torch.bfloat16, torch.float16, torch.float32):
                    q = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": kind, "bnb_4bit_use_double_quant": double}
                    yield f"{kind}, nested {double}, {was}", WIDE, q, lambda k=kind, d=double, w=was: four_bits(k, d, w)
        yield "int8 of bitsandbytes", LLAMA, {"quant_method": "bitsandbytes", "load_in_8bit": True}, eight_bits


# ---- a case ---------------------------------------------------------------------------------------------------------------


def digest(t):
    return hashlib.sha256(t.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()[:16]


def stored(tare, config, *options):
    text = subprocess.run([tare, "tree", "-", "--layout", "file", *options], input=json.dumps(config), capture_output=True, text=True, check=True).stdout
    return {k: (d, [int(n) for n in s.split(",") if n]) for k, d, s in (line.split("\t") for line in text.splitlines())}


def loaded(tare, folder):
    done = subprocess.run([tare, "load", folder, "--dequantize", "--digest"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"tare load: {done.stderr}")
    return {line.split("\t")[0]: line.split("\t")[1:] for line in done.stdout.splitlines()}


def experts(want, name, n):
    """As the model stacks them."""
    stem = f"model.layers.0.block_sparse_moe.experts.{{}}.{name}.weight"
    return torch.stack([want.pop(stem.format(i)) for i in range(n)])


def run(tare, name, base, quantization, make, dtype_name):
    dtype = FLOATS[dtype_name]
    config = {**base, "dtype": str(dtype).removeprefix("torch."), "quantization_config": quantization}
    plain, packed = stored(tare, {k: v for k, v in config.items() if k != "quantization_config"}), stored(tare, config, "--quantized")
    tensors, want = {}, {}
    for key, (d, shape) in plain.items():
        if key in packed and packed[key][0] == d:
            tensors[key] = want[key] = torch.randn(shape).to(DTYPES[d])
            continue
        state, want[key] = make(shape, dtype)
        tensors.update({key.removesuffix("weight") + part: t for part, t in state.items()})
    if base is MIXTRAL:
        at = "model.layers.0.mlp.experts."
        want[at + "gate_up_proj"] = torch.cat([experts(want, "w1", 3), experts(want, "w3", 3)], dim=1)
        want[at + "down_proj"] = experts(want, "w2", 3)
        want = {k.replace("block_sparse_moe.gate", "mlp.gate"): t for k, t in want.items()}
    return compare(tare, name, config, tensors, want, dtype_name)


def run_mxfp4(tare, dtype_name):
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    dtype = FLOATS[dtype_name]
    config = {**GPT_OSS, "dtype": str(dtype).removeprefix("torch."), "quantization_config": {"quant_method": "mxfp4"}}
    tensors, want = {}, {}
    for key, (d, shape) in stored(tare, config, "--quantized").items():
        tensors[key] = codes(shape, torch.uint8) if d == "U8" else torch.randn(shape).to(DTYPES[d])
        if d != "U8":
            want[key] = tensors[key].to(dtype)
    for key in [k for k in tensors if k.endswith("_blocks")]:
        scales = tensors[key.replace("_blocks", "_scales")]
        scales[:] = torch.randint(90, 150, scales.shape, dtype=torch.uint8)
        whole = convert_moe_packed_tensors(tensors[key], scales, dtype=dtype)
        want[key.removesuffix("_blocks")] = whole
    return compare(tare, "mxfp4", config, tensors, want, dtype_name)


def compare(tare, name, config, tensors, want, dtype_name):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "config.json").write_text(json.dumps(config))
        save_file({k: t.contiguous() for k, t in tensors.items()}, folder + "/model.safetensors", {"format": "pt"})
        got = loaded(tare, folder)
    wrong = [k for k, t in want.items() if k not in got or got[k][2] != digest(t.to(FLOATS[got[k][0]]))]
    print(f"{'ok   ' if not wrong else 'WRONG'} {name} to {dtype_name}: {len(want)} tensors{''.join('  ' + k for k in wrong[:3])}")
    return not wrong


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("tare")
    a.add_argument("--seed", type=int, default=0)
    o = a.parse_args()
    torch.manual_seed(o.seed)
    good, n = 0, 0
    for dtype_name in FLOATS:
        for name, base, quantization, make in formats():
            good, n = good + run(o.tare, name, base, quantization, make(), dtype_name), n + 1
        good, n = good + run_mxfp4(o.tare, dtype_name), n + 1
    print(f"{good} of {n} formats")
    return 0 if good == n else 1


if __name__ == "__main__":
    sys.exit(main())
