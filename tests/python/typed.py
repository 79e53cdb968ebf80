"""A program of a user, which mypy --strict reads, and a test runs: typed.py FOLDER, where it puts and finds a checkpoint."""
import sys
from typing import Optional, Union

import tare
from tare import (AutoConfig, AutoModel, AutoModelForCausalLM, BertConfig, BertModel, CheckReport, GenerationConfig, Layer, LlamaConfig,
                  LlamaForCausalLM, Module, Parameter, PreTrainedConfig, PreTrainedModel, Tensor, get_balanced_memory, infer_auto_device_map,
                  init_empty_weights, load_checkpoint_in_model)


def count(name: str) -> int:
    config = AutoConfig.from_pretrained(name)
    with init_empty_weights():
        model = AutoModel.from_config(config, torch_dtype=tare.float16)
    total: int = sum(p.numel() for p in model.parameters())
    return total


def configs() -> LlamaConfig:
    config = LlamaConfig(hidden_size=64, num_attention_heads=4, num_hidden_layers=2, vocab_size=96, rms_norm_eps=1e-5, attn_implementation="sdpa")
    heads: Optional[int] = config.num_key_value_heads
    again: LlamaConfig = LlamaConfig.from_dict(config.to_dict())
    again.update({"vocab_size": 100})
    text: str = again.to_json_string(use_diff=False)
    part: PreTrainedConfig = config.get_text_config()
    labels: dict[int, str] = BertConfig(num_labels=3).id2label
    print(heads, len(text), part.model_type, labels, AutoConfig.for_model("bert").hidden_size, sorted(again)[:2])
    return config


def tensors(model: PreTrainedModel) -> int:
    size = 0
    name: str
    p: Parameter
    for name, p in model.named_parameters():
        shape: tare.Size = p.shape
        kind: tare.dtype = p.dtype
        where: tare.device = p.device
        size += p.nbytes + shape.numel() * kind.itemsize + where.type.count("cpu") + len(name) + p.size(0) + p.dim()
    buffers: list[Tensor] = list(model.buffers())
    module: Module = model.get_submodule("model.layers.0")
    weight: Parameter = model.get_parameter("lm_head.weight")
    state: dict[str, Tensor] = module.state_dict(prefix="x.")
    print(len(buffers), len(list(module.children())), weight.requires_grad, len(weight.tolist()), len(state), weight.data_ptr() > 0)
    return size


def facts(model: LlamaForCausalLM) -> None:
    settings: Optional[GenerationConfig] = model.generation_config
    heads: Optional[int] = model.config.num_key_value_heads
    whole: set[str] = model._no_split_modules or set()
    numbers: tuple[int, int] = model.num_parameters(only_trainable=True), model.get_memory_footprint(return_buffers=False)
    print(settings is not None and settings.to_dict(), heads, whole, numbers, model.eval().training, model.is_pending, model.can_generate(),
          model.base_model_prefix, model.all_tied_weights_keys, model.dtype == tare.float32, model.device.type)


def maps(model: PreTrainedModel) -> dict[str, Union[int, str]]:
    room = get_balanced_memory(model, {0: "10MB", 1: 10_000_000, "cpu": 1e9}, no_split_module_classes=["LlamaDecoderLayer"], low_zero=True)
    return infer_auto_device_map(model, max_memory=room, dtype=tare.bfloat16, special_dtypes={"lm_head.weight": "float32"}, clean_result=False)


def checkpoint(folder: str) -> None:
    report: CheckReport = LlamaForCausalLM.from_config(configs()).check(folder, like="transformers", allow=("mismatched",))
    wrong: list[str] = [row.name for row in report.wrong if row.shape != row.file_shape]
    loaded: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(folder, device_map={"": "cpu"}, dtype="float16")
    other, info = LlamaForCausalLM.from_pretrained(folder, output_loading_info=True)
    with tare.device("meta"):
        empty = LlamaForCausalLM(loaded.config)
    load_checkpoint_in_model(empty, folder, strict=True)
    print(bool(report), wrong, loaded.dtype, type(other).__name__, sorted(info), report.missing, AutoModelForCausalLM.from_pretrained(folder))
    layer: Layer
    for layer in tare.layers(folder, LlamaForCausalLM, dtype=tare.float32):
        print(layer.path, layer.class_name, layer.nbytes, len(layer.state_dict()))
    layers: tare.Layers = empty.iter_layers(folder)
    print(len(layers), layers.paths[0], layers[0].path)


tare.manual_seed(5)
seed: int = tare.initial_seed()
ids: list[str] = tare.model_ids() + tare.model_types()
config = configs()
model = LlamaForCausalLM(config)
lm = AutoModelForCausalLM.from_config(config, dtype="bfloat16", attn_implementation={"": "eager"})
print(seed, len(ids), tare.reference, tare.__version__, tare.get_default_device().type, lm.num_parameters(), tensors(model), maps(model))
print(count("google-bert/bert-base-uncased"), BertModel(BertConfig()).num_parameters(), model.get_submodule("model.layers.0"))
facts(model)
if len(sys.argv) > 1:
    checkpoint(sys.argv[1])
