"""Checkpoint folders for the tests, written by hand: a config, and tensors of a model as one safetensors file."""
import json
import pathlib

import tare

SMALL = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 3, "intermediate_size": 96, "vocab_size": 100}
NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "bool": "BOOL", "uint8": "U8", "float8_e4m3fn": "F8_E4M3"}


def put(file, tensors):
    """A safetensors file of name: (dtype, shape, bytes)."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": NAMES[dtype], "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(file).write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data for _, _, data in tensors.values()))


def tensors_of(model):
    """Its state, shared tensors once."""
    return {t._path: (t._dtype_name, t._sizes, t.numpy().tobytes()) for t in model._tensors() if t._persistent and t._owner is None}


def write(folder, model, drop=(), add=None):
    """A folder of the model, without the tensors of `drop` and with those of `add`."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    model.config.save_pretrained(folder)
    tensors = {name: t for name, t in tensors_of(model).items() if name not in drop}
    put(folder / "model.safetensors", {**tensors, **(add or {})})
    return folder


def small(**changes):
    tare.manual_seed(3)
    return tare.LlamaForCausalLM(tare.LlamaConfig(**{**SMALL, "architectures": ["LlamaForCausalLM"], "dtype": "float32", **changes}))
