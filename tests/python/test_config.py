"""Config objects: values, aliases, parts, texts, errors."""
import copy
import json
import math
import pickle

import pytest
import tare
from tare import AutoConfig, BertConfig, GPT2Config, LlamaConfig, LlamaModel, LlavaConfig


def test_attributes_go_by_every_name():
    config = GPT2Config(n_embd=64, n_head=4)
    assert config.hidden_size == config.n_embd == 64
    config.hidden_size = 32
    assert config.n_embd == 32 and config.to_dict()["n_embd"] == 32
    assert GPT2Config.attribute_map["hidden_size"] == "n_embd" and GPT2Config.model_type == "gpt2"
    assert "n_embd" in dir(config) and "hidden_size" in dir(config)


def test_values_have_python_s_types():
    config = BertConfig(num_labels=3, dtype="float16")
    assert config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    assert config.to_dict()["id2label"] == config.id2label
    assert config.num_labels == 3
    assert config.dtype == tare.float16 and config.to_dict()["dtype"] == "float16"
    config.torch_dtype = tare.bfloat16
    assert repr(config.dtype) == "torch.bfloat16"
    assert isinstance(config.layer_norm_eps, float) and config.layer_norm_eps == 1e-12
    assert BertConfig(bos_token_id=None).bos_token_id is None
    assert BertConfig(big=10**30).big == 10**30
    assert math.isinf(BertConfig(top=float("inf")).top)


def test_lists_and_dicts_are_the_config_s():
    config = LlamaConfig(num_hidden_layers=1)
    config.rope_parameters["rope_theta"] = 5000.0
    assert config.to_dict()["rope_parameters"]["rope_theta"] == 5000.0
    config.hidden_act = "relu"
    config.rope_parameters["rope_theta"] = 6000.0
    assert copy.deepcopy(config).rope_parameters["rope_theta"] == 6000.0
    config.rope_parameters = {"rope_type": "default", "rope_theta": 7000.0}
    assert config.rope_parameters["rope_theta"] == 7000.0


def test_parts_are_configs_of_their_own_class():
    config = LlavaConfig(text_config={"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64})
    assert type(config.text_config) is LlamaConfig and config.text_config is config.text_config
    config.text_config.num_hidden_layers = 3
    assert config.to_dict()["text_config"]["num_hidden_layers"] == 3
    config._attn_implementation = "eager"
    assert config.text_config._attn_implementation == "eager"
    assert config.get_text_config() is config.text_config

    mine = LlamaConfig(num_hidden_layers=5, hidden_size=64)
    config.text_config = mine
    assert config.text_config is mine
    mine.num_hidden_layers = 6
    assert config.to_dict()["text_config"]["num_hidden_layers"] == 6
    given = LlamaConfig(num_hidden_layers=7)
    assert LlavaConfig(text_config=given).text_config is given and given.num_hidden_layers == 7


def test_copies_are_apart():
    config = LlavaConfig()
    for other in (copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert type(other) is LlavaConfig and other == config
        other.text_config.num_hidden_layers = 1
        assert other != config and config.text_config.num_hidden_layers == 32


def test_texts():
    config = BertConfig(hidden_size=24, num_attention_heads=2)
    text = config.to_json_string()
    assert json.loads(text)["hidden_size"] == 24 and "id2label" not in text and text.endswith("}\n")
    assert "id2label" in config.to_json_string(use_diff=False)
    assert repr(config) == f"BertConfig {text}"
    assert config.to_diff_dict()["model_type"] == "bert"


def test_files(tmp_path):
    BertConfig(num_hidden_layers=2).save_pretrained(tmp_path)
    for config in (AutoConfig.from_pretrained(tmp_path), BertConfig.from_pretrained(tmp_path / "config.json"), BertConfig.from_json_file(tmp_path / "config.json")):
        assert type(config) is BertConfig and config.num_hidden_layers == 2
    assert AutoConfig.from_pretrained(tmp_path).name_or_path == str(tmp_path)
    config, rest = AutoConfig.from_pretrained(tmp_path, num_labels=3, hidden_size=36, foo=1, return_unused_kwargs=True)
    assert (config.num_labels, config.hidden_size, rest) == (3, 36, {"foo": 1})
    assert AutoConfig.from_pretrained("meta-llama/Llama-2-7b-hf").num_hidden_layers == 32
    assert type(AutoConfig.for_model("gpt-sw3", n_layer=2)) is GPT2Config


@pytest.mark.parametrize(("make", "error", "code", "words"), [
    (lambda: BertConfig(hidden_size="many"), ValueError, "bad_type", "$.hidden_size"),
    (lambda: LlamaConfig(hidden_size=63, num_attention_heads=4), ValueError, "bad_value", "multiple"),
    (lambda: setattr(BertConfig(), "hidden_size", "many"), ValueError, "bad_type", "$.hidden_size"),
    (lambda: setattr(LlavaConfig().text_config, "hidden_size", "many"), ValueError, "bad_type", "$.text_config.hidden_size"),
    (lambda: setattr(LlavaConfig(), "text_config", 3), ValueError, "bad_type", "text_config"),
    (lambda: AutoConfig.from_pretrained("no/such/folder"), OSError, None, "no/such/folder"),
    (lambda: AutoConfig.from_pretrained("bertt"), OSError, "unknown_model_type", "bert"),
    (lambda: AutoConfig.for_model("bertt"), ValueError, None, "names near it: bert"),
    (lambda: AutoConfig(), OSError, None, "for_model"),
    (lambda: BertConfig(3), ValueError, None, "keyword"),
    (lambda: BertConfig(x=object()), TypeError, None, "JSON"),
    (lambda: BertConfig().hidden_siz, AttributeError, None, "hidden_siz"),
    (lambda: tare.PreTrainedConfig(), TypeError, None, "base"),
])
def test_errors(make, error, code, words):
    with pytest.raises(error) as caught:
        make()
    assert words in str(caught.value)
    if code:
        assert caught.value.code == code and isinstance(caught.value.path, str)


def test_a_refused_value_leaves_the_old_one():
    config = BertConfig()
    with pytest.raises(ValueError):
        config.hidden_size = "many"
    assert config.hidden_size == 768 and BertConfig() == config


def test_setting_derives_nothing_anew():
    config = LlamaConfig(hidden_size=64, num_attention_heads=4, num_hidden_layers=1)
    config.hidden_size = 128
    assert config.head_dim == 16
    assert LlamaModel(config).layers[0].self_attn.q_proj.weight.shape == (64, 128)


def test_classes_tell_their_values():
    assert "hidden_size: int = 768" in BertConfig.__doc__ and "hidden_size: another name of n_embd" in GPT2Config.__doc__


def test_values_that_a_class_works_out():
    config = tare.ResNetConfig(out_indices=[1, 3])
    assert (config.out_features, config.out_indices) == (["stage1", "stage3"], [1, 3]) and "_out_features" not in config.to_dict()
    assert tare.ModernBertConfig(local_attention=129).sliding_window == 64 and "sliding_window" not in tare.ModernBertConfig().to_dict()
    assert tare.Idefics3Config().pad_token_id == 128002
    assert not hasattr(tare.BertConfig(), "out_features")


def test_setters_of_a_class_set_what_they_stand_for():
    config = tare.ConvNextConfig()
    assert (config.out_features, config.out_indices) == (["stage4"], [4])
    config.out_indices = [1, 2]
    assert config.out_features == config.to_dict()["out_features"] == ["stage1", "stage2"]
    with pytest.raises(ValueError, match="none of the stages"):
        config.out_features = ["nope"]
    config = tare.ModernBertConfig()
    config.sliding_window = 10
    assert (config.sliding_window, config.local_attention) == (10, 20)


def test_labels_that_are_set_later_may_be_anything():
    config = tare.BertConfig()
    config.id2label = {"yes": "no"}
    assert config.id2label == config.to_dict()["id2label"] == {"yes": "no"}
