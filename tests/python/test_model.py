"""Models: what they say of modules, parameters and buffers, without torch."""
import gc
import pathlib
import subprocess
import sys
import threading

import folders
import pytest
import tare
from tare import AutoConfig, AutoModel, AutoModelForCausalLM, BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, ViTConfig

SMALL = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 96, "vocab_size": 100}


def small():
    return LlamaForCausalLM(LlamaConfig(**SMALL))


def test_names_are_made_when_asked_for():
    assert LlamaForCausalLM.__name__ == "LlamaForCausalLM" and LlamaForCausalLM.config_class is LlamaConfig
    assert issubclass(LlamaForCausalLM, tare.PreTrainedModel) and tare.LlamaForCausalLM is LlamaForCausalLM
    names = dir(tare)
    for name in ("AutoModelForCausalLM", "BertModel", "ViTConfig", "init_empty_weights", "float16", "manual_seed"):
        assert name in names and getattr(tare, name) is not None
    with pytest.raises(AttributeError, match="names near it: .*LlamaForCausalLM"):
        tare.LlamaForCausalML  # noqa: B018
    with pytest.raises(ImportError):
        from tare import NoSuchModel  # noqa: F401


def test_every_name_works():
    for name in dir(tare):
        assert getattr(tare, name) is not None


def test_parameters():
    model = small()
    named = dict(model.named_parameters())
    assert list(named)[:2] == ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight"]
    weight = named["lm_head.weight"]
    assert (weight.shape, repr(weight.shape), weight.numel(), weight.ndim, weight.size(0)) == ((100, 64), "torch.Size([100, 64])", 6400, 2, 100)
    assert (repr(weight.dtype), repr(weight.device), weight.requires_grad, weight.is_meta) == ("torch.float32", "device(type='cpu')", True, False)
    assert isinstance(weight, tare.Parameter) and weight.shape.numel() == 6400 and type(weight.shape[:1]) is tare.Size
    assert sum(p.numel() for p in model.parameters()) == model.num_parameters()
    assert model.get_parameter("lm_head.weight").shape == model.lm_head.weight.shape
    with pytest.raises(TypeError):
        tare.Parameter()


def test_shared_tensors_come_once():
    model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_head=2, n_layer=1, vocab_size=10, n_positions=4))
    assert "lm_head.weight" not in dict(model.named_parameters())
    assert "lm_head.weight" in dict(model.named_parameters(remove_duplicate=False))
    assert "lm_head.weight" in model.state_dict()
    assert [n for n, _ in model.lm_head.named_parameters()] == ["weight"]
    assert model.all_tied_weights_keys == {"lm_head.weight": "transformer.wte.weight"}


def test_modules():
    model = small()
    layer = model.model.layers[1]
    assert type(layer).__name__ == "LlamaDecoderLayer" and len(model.model.layers) == 2
    assert repr(layer.self_attn.q_proj) == "Linear(in_features=64, out_features=64, bias=False)"
    assert repr(layer) in repr(model.get_submodule("model.layers")).replace("\n  ", "\n") or "2 x" in repr(model.model.layers)
    assert [n for n, _ in model.named_children()] == ["model", "lm_head"]
    assert [n for n, _ in layer.named_parameters(prefix="x", recurse=True)][0] == "x.self_attn.q_proj.weight"
    assert [n for n, _ in model.named_modules()][:2] == ["", "model"] and next(model.modules()) is model
    assert model.base_model == model.model and hash(model.model) == hash(model.get_submodule("model"))
    assert [type(m).__name__ for m in model.model.layers] == ["LlamaDecoderLayer"] * 2
    assert [n for n, _ in model.named_buffers()] == ["model.rotary_emb.inv_freq", "model.rotary_emb.original_inv_freq"]
    assert "model.rotary_emb.inv_freq" not in model.state_dict()
    for wrong in ("model.nothing", "nothing"):
        with pytest.raises(AttributeError, match="nothing"):
            model.get_submodule(wrong)
    with pytest.raises(AttributeError):
        model.nothing  # noqa: B018
    with pytest.raises(NotImplementedError):
        model(3)


def test_numbers():
    model = BertModel(BertConfig())
    assert model.num_parameters() == 109482240
    assert model.num_parameters(exclude_embeddings=True) == 109482240 - (30522 + 512 + 2) * 768
    assert model.get_memory_footprint(return_buffers=False) == 4 * 109482240
    assert model._no_split_modules == {"BertEmbeddings", "BertLayer"} and not model.can_generate() and model.generation_config is None
    assert small().generation_config.eos_token_id == 2 and small().generation_config.nothing is None


def test_empty_models_are_on_meta():
    with tare.init_empty_weights():
        model = small()
    assert repr(model.device) == "device(type='meta')" and str(model.device) == "meta"
    assert next(model.parameters()).is_meta and not next(model.buffers()).is_meta and not model.is_pending
    with tare.init_empty_weights(include_buffers=True), tare.device("cpu"):
        assert next(small().buffers()).is_meta
    meta = tare.device("meta")
    with meta, meta:
        assert next(small().buffers()).is_meta and repr(tare.get_default_device()) == "device(type='meta')"
    assert not next(small().parameters()).is_meta and small().is_pending
    with pytest.raises(RuntimeError):
        tare.device("mata")


def test_a_context_is_its_thread_s():
    seen = []
    with tare.device("meta"):
        thread = threading.Thread(target=lambda: seen.append(str(small().device)))
        thread.start()
        thread.join()
    assert seen == ["cpu"]


def test_dtypes():
    config = LlamaConfig(**SMALL, dtype="float16")
    assert LlamaForCausalLM(config).dtype == tare.float32
    assert AutoModelForCausalLM.from_config(config).dtype == tare.float16
    assert AutoModel.from_config(config, torch_dtype=tare.bfloat16).dtype == tare.bfloat16
    assert config.dtype == tare.bfloat16
    for wrong in ("float17", tare.int8):
        with pytest.raises(ValueError):
            AutoModel.from_config(config, dtype=wrong)
    with pytest.raises(TypeError):
        AutoModel.from_config(config, dtype=3)


def test_attention():
    config = LlamaConfig(**SMALL)
    model = AutoModel.from_config(config)
    assert model.config is config and config._attn_implementation == config.attn_implementation == "sdpa"
    config.attn_implementation = "eager"
    assert LlamaForCausalLM(config).config._attn_implementation == "eager"
    with pytest.raises(ImportError, match="flash_attn") as caught:
        AutoModel.from_config(config, attn_implementation="flash_attention_2")
    assert caught.value.code == "unavailable_attention"
    with pytest.raises(ImportError):
        LlamaForCausalLM(LlamaConfig(**SMALL, attn_implementation="flash_attention_2"))
    with pytest.raises(ValueError, match="no attention implementation"):
        AutoModel.from_config(config, attn_implementation="swift")


def test_changes_of_the_config_are_built():
    config = LlamaConfig(**SMALL)
    config.num_hidden_layers = 3
    assert len(LlamaForCausalLM(config).model.layers) == 3
    config = AutoConfig.for_model("llava")
    config.text_config.num_hidden_layers = 1
    with tare.device("meta"):
        assert len(tare.LlavaModel(config).language_model.layers) == 1
        assert len(tare.AutoModel.from_config(config.text_config).layers) == 1
    config = tare.Qwen3Config(**SMALL)
    config.num_hidden_layers = 4
    with pytest.raises(ValueError, match="layer_types has 2 items"):
        tare.Qwen3Model(config)


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: AutoModelForCausalLM.from_config(ViTConfig()), ValueError, "AutoModelForCausalLM"),
    (lambda: AutoModel.from_config(3), ValueError, "config object"),
    (lambda: AutoModel(LlamaConfig()), OSError, "from_config"),
    (lambda: AutoModel.from_config(LlamaConfig(), nonsense=1), TypeError, "nonsense"),
    (lambda: LlamaForCausalLM(), TypeError, "config"),
    (lambda: LlamaForCausalLM({}), TypeError, "LlamaConfig()"),
    (lambda: LlamaForCausalLM(BertConfig()), ValueError, "LlamaConfig"),
    (lambda: tare.PreTrainedModel(LlamaConfig()), TypeError, "base"),
    (lambda: setattr(small(), "lm_head", 3), AttributeError, "lm_head"),
    (lambda: type(small().lm_head)(3), TypeError, "model alone"),
])
def test_errors(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert words in str(caught.value)


def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_ten_thousand_models_leave_nothing():
    def make(n):
        for _ in range(n):
            model = small()
            repr(model)
            list(model.parameters())
            model.model.layers[1].mlp.up_proj.weight.shape  # noqa: B018
            model.config.num_labels = 3
        gc.collect()
    make(1000)
    before = memory()
    make(10000)
    assert memory() - before < 4 << 20


def test_many_threads():
    prints, failures = set(), []

    def work():
        try:
            for _ in range(50):
                config = AutoConfig.from_pretrained("google-bert/bert-base-uncased")
                config.num_hidden_layers = 3
                prints.add(repr(AutoModel.from_config(config)))
        except Exception as e:
            failures.append(e)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(prints) == 1


def test_import_is_light():
    program = ("import sys, time\nbefore = set(sys.modules)\nstart = time.perf_counter()\nimport tare\n"
               "print(time.perf_counter() - start)\nprint(*sorted(set(sys.modules) - before))")
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.splitlines() for _ in range(5)]
    assert min(float(run[0]) for run in runs) < 0.03
    heavy = {"json", "typing", "inspect", "enum", "re", "ctypes", "torch", "numpy", "transformers", "ml_dtypes", "tqdm"}
    assert not heavy & set(runs[0][1].split())


def test_a_typed_program_runs(tmp_path):
    program = pathlib.Path(__file__).parent / "typed.py"
    folder = folders.write(tmp_path / "llama", folders.small())
    done = subprocess.run([sys.executable, program, folder], capture_output=True, text=True)
    assert done.returncode == 0 and "LlamaDecoderLayer" in done.stdout and "7 model.embed_tokens" in done.stdout, done.stderr


def test_a_constructor_that_copies_its_config_leaves_the_given_one_alone():
    config = tare.PegasusConfig(encoder_layers=1, decoder_layers=1, d_model=16, encoder_attention_heads=2, decoder_attention_heads=2,
                                encoder_ffn_dim=8, decoder_ffn_dim=8, vocab_size=20)
    with tare.device("meta"):
        model = tare.PegasusForCausalLM(config)
    assert (config.is_encoder_decoder, config.is_decoder) == (True, False)
    assert (model.config.is_encoder_decoder, model.config.is_decoder) == (False, True)
