"""Weights out of folders: from_pretrained(), check(), load_checkpoint_in_model(), layers one at a time."""
import gc
import json
import os
import pathlib
import subprocess
import sys
import threading
import warnings

import folders
import numpy
import pytest
import tare
from tare import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, LlamaForCausalLM, init_empty_weights, load_checkpoint_in_model

TARE = pathlib.Path(__file__).resolve().parents[2] / "build" / "tare"
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def model():
    return folders.small()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return folders.write(tmp_path_factory.mktemp("whole") / "llama", model)


@pytest.fixture
def empty():
    with init_empty_weights():
        return folders.small()


def equal(ours, theirs):
    ours, theirs = ours.state_dict(), theirs.state_dict()
    return list(ours) == list(theirs) and all(numpy.array_equal(ours[name].numpy(), theirs[name].numpy()) for name in theirs)


# ---- from_pretrained() ----------------------------------------------------------------------------------------------


def test_from_pretrained(model, folder):
    for loaded in (LlamaForCausalLM.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(str(folder)),
                   AutoModelForCausalLM.from_pretrained(folder, mapped=False)):
        assert type(loaded) is LlamaForCausalLM and equal(loaded, model) and not loaded.is_pending and not loaded.training
        assert str(loaded.device) == "cpu" and repr(loaded) == repr(model) and loaded.config.hidden_size == 64
        assert numpy.array_equal(loaded.model.rotary_emb.inv_freq.numpy(), model.model.rotary_emb.inv_freq.numpy())


def test_changes_stay_in_memory(model, folder):
    loaded = LlamaForCausalLM.from_pretrained(folder)
    before = (folder / "model.safetensors").read_bytes()
    loaded.lm_head.weight.numpy()[:] = 7
    assert loaded.lm_head.weight.tolist()[0][0] == 7 and (folder / "model.safetensors").read_bytes() == before
    assert equal(LlamaForCausalLM.from_pretrained(folder), model)


def test_dtype_attention_and_values_of_the_config(model, folder):
    loaded = LlamaForCausalLM.from_pretrained(folder, dtype="float16", attn_implementation="eager")
    assert repr(loaded.dtype) == "torch.float16" and loaded.config._attn_implementation == "eager"
    assert numpy.array_equal(loaded.lm_head.weight.numpy(), model.lm_head.weight.numpy().astype("float16"))
    assert repr(LlamaForCausalLM.from_pretrained(folder, torch_dtype=tare.bfloat16).dtype) == "torch.bfloat16"
    assert LlamaForCausalLM.from_pretrained(folder, rms_norm_eps=0.5).config.rms_norm_eps == 0.5
    config = tare.LlamaConfig.from_pretrained(folder, use_cache=False)
    loaded = LlamaForCausalLM.from_pretrained(folder, config=config)
    assert loaded.config.use_cache is False and loaded.config is not config
    assert LlamaForCausalLM.from_pretrained(folder, config=folder / "config.json").config.name_or_path == str(folder / "config.json")
    assert LlamaForCausalLM.from_pretrained(folder).config.name_or_path == str(folder)
    with pytest.raises(TypeError, match="knows no rms_norm_epsilon"):
        LlamaForCausalLM.from_pretrained(folder, rms_norm_epsilon=0.5)


def test_a_head_that_the_files_lack(model, folder):
    with pytest.warns(UserWarning, match=r"score.weight not in the files, and drawn anew; lm_head.weight in the files"):
        loaded, info = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=5, output_loading_info=True)
    assert info == {"missing_keys": {"score.weight"}, "unexpected_keys": {"lm_head.weight"}, "mismatched_keys": set(), "error_msgs": []}
    assert tuple(loaded.score.weight.shape) == (5, 64) and 0.01 < loaded.score.weight.numpy().std() < 0.03
    with pytest.warns(UserWarning, match="lm_head.weight"):
        base = AutoModel.from_pretrained(folder)
    assert numpy.array_equal(base.norm.weight.numpy(), model.model.norm.weight.numpy())


def test_shapes_that_differ(folder):
    with pytest.raises(RuntimeError, match="shape") as e:
        LlamaForCausalLM.from_pretrained(folder, vocab_size=120)
    assert e.value.code == "incomplete"
    with pytest.warns(UserWarning, match="of another shape"):
        loaded, info = LlamaForCausalLM.from_pretrained(folder, vocab_size=120, ignore_mismatched_sizes=True, output_loading_info=True)
    assert ("lm_head.weight", (100, 64), (120, 64)) in info["mismatched_keys"] and loaded.lm_head.weight.numpy().shape == (120, 64)


def test_device_maps(model, folder):
    places = {"model.embed_tokens": "disk", "model.layers.0": "cpu", "model.layers": "meta", "model.norm": "cpu", "lm_head": "cpu"}
    loaded = LlamaForCausalLM.from_pretrained(folder, device_map=places)
    where = {name: str(p.device) for name, p in loaded.named_parameters()}
    assert where["model.embed_tokens.weight"] == where["model.layers.2.mlp.up_proj.weight"] == "meta" and str(loaded.device) == "meta"
    assert where["model.layers.0.mlp.up_proj.weight"] == where["lm_head.weight"] == "cpu" and loaded.hf_device_map == places
    assert numpy.array_equal(loaded.lm_head.weight.numpy(), model.lm_head.weight.numpy())
    with pytest.raises(NotImplementedError, match="meta device"):
        loaded.model.embed_tokens.weight.numpy()
    assert dict(LlamaForCausalLM.from_pretrained(folder, device_map="auto").hf_device_map) == {"": "cpu"}
    small = LlamaForCausalLM.from_pretrained(folder, device_map="auto", max_memory={"cpu": "300KB"})
    assert set(small.hf_device_map.values()) == {"cpu", "disk"} and small.lm_head.weight.is_meta
    assert equal(LlamaForCausalLM.from_pretrained(folder, device_map="cpu"), model)
    for wrong in ({"": 0}, "cuda:0", 0):
        with pytest.raises(ValueError, match="memory alone"):
            LlamaForCausalLM.from_pretrained(folder, device_map=wrong)
    with pytest.raises(ValueError, match="no device for lm_head.weight"):
        LlamaForCausalLM.from_pretrained(folder, device_map={"model": "cpu"})


def test_what_is_not_there(folder, tmp_path):
    with pytest.raises(OSError, match="built in as a config alone") as e:
        AutoModelForCausalLM.from_pretrained("meta-llama/Llama-2-7b-hf")
    assert e.value.code == "io"
    with pytest.raises(OSError):
        AutoModelForCausalLM.from_pretrained(tmp_path / "nothing")
    with pytest.raises(ValueError, match="no weights"):
        AutoModelForCausalLM.from_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match="meta"), tare.device("meta"):
        LlamaForCausalLM.from_pretrained(folder)
    for refused in ({"quantization_config": {}}, {"state_dict": {}}, {"use_safetensors": False}):
        with pytest.raises(NotImplementedError):
            LlamaForCausalLM.from_pretrained(folder, **refused)


def test_a_repository_of_the_hub_s_cache(model, tmp_path, monkeypatch):
    home = tmp_path / "models--some--llama"
    (home / "refs").mkdir(parents=True)
    (home / "snapshots").mkdir()
    (home / "refs" / "main").write_text("abc")
    folders.write(home / "snapshots" / "abc", model)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    loaded = AutoModelForCausalLM.from_pretrained("some/llama")
    assert equal(loaded, model) and loaded.name_or_path == loaded.config.name_or_path == "some/llama"
    with pytest.raises(OSError, match="some/other"):
        AutoModelForCausalLM.from_pretrained("some/other")


def test_settings_of_generation(model, tmp_path):
    folder = folders.write(tmp_path / "llama", model)
    (folder / "generation_config.json").write_text('{"temperature": 0.5, "eos_token_id": 9}')
    settings = LlamaForCausalLM.from_pretrained(folder).generation_config
    assert (settings.temperature, settings.eos_token_id, settings.top_p) == (0.5, 9, None)


def test_loaded_weights_outlive_model_and_files(model, tmp_path):
    folder = folders.write(tmp_path / "llama", model)
    weight = LlamaForCausalLM.from_pretrained(folder).lm_head.weight.numpy()
    (folder / "model.safetensors").unlink()
    assert numpy.array_equal(weight, model.lm_head.weight.numpy())


def test_saved_and_loaded_again(folder, tmp_path):
    for made in (tare.LlamaForCausalLM(tare.LlamaConfig(**folders.SMALL)), LlamaForCausalLM.from_pretrained(folder)):
        made.save_pretrained(tmp_path / "again", max_shard_size="100KB")
        assert len(list((tmp_path / "again").glob("*.safetensors"))) > 2 and made.check(tmp_path / "again")
        assert equal(LlamaForCausalLM.from_pretrained(tmp_path / "again"), made)
    with tare.device("meta"), pytest.raises(NotImplementedError, match="cannot be saved"):
        folders.small().save_pretrained(tmp_path / "empty")
    with pytest.raises(ValueError, match="max_shard_size"):
        made.save_pretrained(tmp_path / "size", max_shard_size="much")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises((OSError, ValueError)):
        made.save_pretrained(tmp_path / "full")


# ---- check() --------------------------------------------------------------------------------------------------------


def test_check(empty, folder):
    report = empty.check(folder)
    assert report and report.complete and not report.wrong and (report.expected, report.found) == (30, 30)
    assert str(report).startswith("complete: every tensor of LlamaForCausalLM has its one source   (30 expected, 30 found, 1 file)\n")
    assert repr(report).startswith("<CheckReport: complete")


def test_check_what_is_wrong(model, empty, tmp_path):
    extra = {"extra.weight": ("float32", (2,), b"\0" * 8), "model.norm.weight": ("float32", (3,), b"\0" * 12)}
    folder = folders.write(tmp_path / "llama", model, drop=("lm_head.weight", "model.norm.weight"), add=extra)
    report = empty.check(folder)
    assert not report and report.missing == ["lm_head.weight"] and report.unexpected == ["extra.weight"]
    assert report.mismatched == [("model.norm.weight", (3,), (64,))] and not report.loads
    assert {row.kind for row in report.wrong} == {"missing", "unexpected", "shape"} and len(str(report).splitlines()) > 4
    row = next(row for row in report.rows if row.kind == "missing")
    assert (row.name, repr(row.shape), repr(row.dtype), row.file) == ("lm_head.weight", "torch.Size([100, 64])", "torch.float32", None)
    assert empty.check(folder, allow=("missing", "unexpected", "mismatched"))
    assert not empty.check(folder, like="transformers") and empty.check(folder, like="transformers", allow="mismatched")
    for wrong in ({"like": "torch"}, {"allow": "anything"}):
        with pytest.raises(ValueError):
            empty.check(folder, **wrong)
    if TARE.exists():
        said = subprocess.run([TARE, "check", folder], capture_output=True, text=True).stdout
        assert str(report) == said.rstrip("\n")


# ---- load_checkpoint_in_model() -------------------------------------------------------------------------------------


def test_into_an_empty_model(model, empty, folder):
    load_checkpoint_in_model(empty, folder)
    assert equal(empty, model) and not next(empty.parameters()).is_meta
    with tare.device("meta"):
        other = folders.small()
    load_checkpoint_in_model(other, folder / "model.safetensors", device_map={"": "cpu"})
    assert equal(other, model)


def test_shard_after_shard(model, empty, tmp_path):
    tensors = folders.tensors_of(model)
    names = list(tensors)
    for i in range(2):
        folders.put(tmp_path / f"{i}.safetensors", {name: tensors[name] for name in names[i::2]})
    load_checkpoint_in_model(empty, tmp_path / "0.safetensors")
    assert not empty.get_parameter(names[0]).is_meta and empty.get_parameter(names[1]).is_meta
    load_checkpoint_in_model(empty, tmp_path / "1.safetensors")
    assert equal(empty, model) and numpy.array_equal(empty.model.rotary_emb.inv_freq.numpy(), model.model.rotary_emb.inv_freq.numpy())
    with pytest.raises(NotImplementedError, match="in parts"):
        empty.save_pretrained(tmp_path / "saved")


def test_over_weights_that_are_there(model, folder, tmp_path):
    pending = LlamaForCausalLM(tare.LlamaConfig(**folders.SMALL))
    load_checkpoint_in_model(pending, folder)
    assert equal(pending, model)
    drawn = LlamaForCausalLM(tare.LlamaConfig(**folders.SMALL))
    seen = drawn.lm_head.weight.numpy()
    assert not numpy.array_equal(seen, model.lm_head.weight.numpy())
    load_checkpoint_in_model(drawn, folder)
    assert equal(drawn, model) and numpy.array_equal(seen, model.lm_head.weight.numpy())
    folders.put(tmp_path / "part.safetensors", {"model.norm.weight": ("float32", (64,), numpy.full(64, 5, "float32").tobytes())})
    other = LlamaForCausalLM(tare.LlamaConfig(**folders.SMALL))
    load_checkpoint_in_model(other, tmp_path / "part.safetensors")
    assert (other.model.norm.weight.numpy() == 5).all() and not equal(other, model) and other.lm_head.weight.numpy().std() > 0.01


def test_a_dtype_with_a_device_map(model, empty, folder):
    load_checkpoint_in_model(empty, folder, device_map={"": "cpu"}, dtype=tare.float16)
    assert repr(empty.dtype) == "torch.float16"
    assert numpy.array_equal(empty.lm_head.weight.numpy(), model.lm_head.weight.numpy().astype("float16"))
    with pytest.raises(ValueError, match="another dtype is for a model that is empty"):
        load_checkpoint_in_model(empty, folder, device_map={"": "cpu"}, dtype="float32")


def test_parts_to_disk(model, empty, folder, tmp_path):
    places = {"model.embed_tokens": "cpu", "model.layers": "disk", "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "disk"}
    with pytest.raises(ValueError, match="offload_folder"):
        load_checkpoint_in_model(empty, folder, device_map=places)
    load_checkpoint_in_model(empty, folder, device_map=places, offload_folder=tmp_path / "away")
    index = json.loads((tmp_path / "away" / "index.json").read_text())
    assert index["lm_head.weight"] == {"dtype": "float32", "shape": [100, 64]} and len(index) == 28
    assert (tmp_path / "away" / "lm_head.weight.dat").read_bytes() == model.lm_head.weight.numpy().tobytes()
    assert empty.lm_head.weight.is_meta and not empty.model.norm.weight.is_meta
    for wrong in ({"model": "cpu"}, {"": 0}):
        with pytest.raises(ValueError):
            load_checkpoint_in_model(empty, folder, device_map=wrong)
    with pytest.raises(ValueError, match="model that is empty"):
        load_checkpoint_in_model(folders.small(), folder, device_map=places, offload_folder=tmp_path / "away")


def test_names_that_differ(model, empty, tmp_path):
    extra = {"extra.weight": ("float32", (2,), b"\0" * 8)}
    folder = folders.write(tmp_path / "llama", model, drop=("lm_head.weight",), add=extra)
    with pytest.warns(UserWarning, match="extra.weight"):
        load_checkpoint_in_model(empty, folder)
    assert empty.lm_head.weight.is_meta and not empty.model.norm.weight.is_meta
    with pytest.raises(RuntimeError, match="extra.weight"):
        load_checkpoint_in_model(empty, folder, strict=True)
    with pytest.raises(ValueError, match="extra.weight"):
        load_checkpoint_in_model(empty, folder, device_map={"": "cpu"}, strict=True)
    with pytest.raises(RuntimeError, match="lm_head"):
        load_checkpoint_in_model(empty, folders.write(tmp_path / "less", model, drop=("lm_head.weight",)), strict=True)
    wrong = folders.write(tmp_path / "wrong", folders.small(vocab_size=90))
    with pytest.raises(RuntimeError, match="shape"):
        load_checkpoint_in_model(empty, wrong)
    with pytest.raises(ValueError, match="shape"):
        load_checkpoint_in_model(empty, wrong, device_map={"": "cpu"})
    for nothing in (tmp_path / "nothing", tmp_path):
        with pytest.raises(ValueError):
            load_checkpoint_in_model(empty, nothing)
    with pytest.raises(TypeError):
        load_checkpoint_in_model(empty.model, folder)
    with pytest.raises(NotImplementedError):
        load_checkpoint_in_model(empty, folder, offload_8bit_bnb=True)


# ---- layers ---------------------------------------------------------------------------------------------------------


def test_layers(model, empty, folder):
    seen = {}
    layers = tare.layers(folder)
    for layer in layers:
        for name, t in layer.state_dict().items():
            seen[f"{layer.path}.{name}"] = t.numpy().copy()
    assert layers.paths == ["model.embed_tokens", "model.layers.0", "model.layers.1", "model.layers.2", "model.norm", "model.rotary_emb", "lm_head"]
    assert len(layers) == 7 and list(seen) == list(model.state_dict())
    assert all(numpy.array_equal(seen[name], t.numpy()) for name, t in model.state_dict().items())
    assert [layer.path for layer in empty.iter_layers(folder)] == layers.paths
    layer = empty.iter_layers(folder)[2]
    assert (layer.class_name, layer.nbytes, repr(layer)) == ("LlamaDecoderLayer", 123392, "<Layer model.layers.1: LlamaDecoderLayer, 123.39 kB>")
    assert [n for n, _ in layer.named_parameters("x.")][0] == "x.self_attn.q_proj.weight" and not dict(layer.named_buffers())
    assert [n for n, _ in tare.layers(folder)[5].named_buffers()] == ["inv_freq", "original_inv_freq"]
    half = tare.layers(folder, LlamaForCausalLM, dtype="float16")[-1]
    assert numpy.array_equal(half.state_dict()["weight"].numpy(), model.lm_head.weight.numpy().astype("float16"))
    with pytest.raises(IndexError):
        layers[7]
    with pytest.raises(ValueError, match="1 missing, 1 unexpected"):
        tare.layers(folder, "LlamaForSequenceClassification")


def test_layers_that_are_kept_do_not_change(model, folder):
    kept = [(layer, layer.state_dict()) for layer in tare.layers(folder)]
    arrays = [dict(layer.named_parameters())["mlp.up_proj.weight"].numpy() for layer in tare.layers(folder) if "layers" in layer.path]
    for i, array in enumerate(arrays):
        assert numpy.array_equal(array, model.model.layers[i].mlp.up_proj.weight.numpy())
    for layer, state in kept:
        for name, t in state.items():
            assert numpy.array_equal(t.numpy(), model.state_dict()[f"{layer.path}.{name}"].numpy())


MEMORY = """
import resource, sys, tare
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sums = [sum(sum(t._flat()[:9]) for t in layer.state_dict().values()) for layer in tare.layers(sys.argv[1])]
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024)
"""


def test_memory_is_a_layer_or_two(tmp_path):
    with tare.device("meta"):
        large = tare.LlamaForCausalLM(tare.LlamaConfig(hidden_size=512, intermediate_size=1024, num_hidden_layers=24, num_attention_heads=8,
                                                       vocab_size=64, dtype="float32", architectures=["LlamaForCausalLM"]))
    zeros = {t._path: (t._dtype_name, t._sizes, bytes(t.nbytes)) for t in large._tensors() if t._persistent}
    large.config.save_pretrained(tmp_path)
    folders.put(tmp_path / "model.safetensors", zeros)
    where = str(pathlib.Path(tare.__file__).resolve().parent.parent)
    program = MEMORY.replace("t._flat()[:9]", "[t.numel()]")
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": where})
    layer = next(u for u in tare.layers(tmp_path) if u.class_name == "LlamaDecoderLayer").nbytes / 2**20
    # The reading threads have buffers besides, and the model of 24 such layers would be ten times as much.
    assert layer > 10 and float(done.stdout) < 2 * layer + 40 < large.get_memory_footprint() / 2**20 / 3


def test_loads_leave_nothing(model, folder, tmp_path):
    """Neither memory nor open files, of loads, layers, checks and refusals."""
    odd = folders.write(tmp_path / "odd", model, drop=("lm_head.weight",))

    def use():
        loaded = LlamaForCausalLM.from_pretrained(folder, device_map={"": "cpu", "lm_head": "meta"})
        loaded.model.norm.weight.numpy()[0] += 1
        with init_empty_weights():
            empty = folders.small()
        load_checkpoint_in_model(empty, folder)
        assert empty.check(folder) and not empty.check(odd)
        for layer in empty.iter_layers(folder):
            layer.state_dict()
        with pytest.raises(ValueError):
            tare.layers(odd)

    def held():
        gc.collect()
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd"))

    for _ in range(30):
        use()
    memory, files = held()
    for _ in range(150):
        use()
    after, files_after = held()
    assert files_after <= files and after - memory < 4 << 20


def test_threads(model, folder):
    shared = LlamaForCausalLM.from_pretrained(folder)
    wrong = []

    def work(i):
        own = LlamaForCausalLM.from_pretrained(folder, mapped=bool(i % 2))
        if not equal(own, model) or not equal(shared, model) or not own.check(folder):
            wrong.append(i)
        wrong.extend(layer.path for layer in tare.layers(folder)
                     for name, t in layer.state_dict().items() if not numpy.array_equal(t.numpy(), model.state_dict()[f"{layer.path}.{name}"].numpy()))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_is_said_without_need(model, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert equal(LlamaForCausalLM.from_pretrained(folder), model)


def test_a_table_in_half_precision(tmp_path):
    """GPT-J's is worked out in the model's dtype by its constructor, and in float32 by a load."""
    config = tare.GPTJConfig(n_embd=32, n_head=2, n_layer=1, rotary_dim=16, n_positions=12, vocab_size=20, dtype="float16")
    tables = {}
    for dtype in ("float16", "float32"):
        made = tare.GPTJModel._from_config(config, dtype=dtype)
        made.save_pretrained(tmp_path / dtype)
        tables[dtype] = made.h[0].attn.embed_positions.numpy()
        loaded = tare.GPTJModel.from_pretrained(tmp_path / dtype)
        assert repr(loaded.dtype) == f"torch.{dtype}"
        tables[f"{dtype} loaded"] = loaded.h[0].attn.embed_positions.numpy()
    assert not numpy.array_equal(tables["float16"], tables["float32"])
    assert numpy.array_equal(tables["float16 loaded"], tables["float32"]) and numpy.array_equal(tables["float32 loaded"], tables["float32"])


def test_quantised_weights_stay_as_they_are_stored(tmp_path):
    pytest.importorskip("ml_dtypes")
    model = folders.small(hidden_size=128, intermediate_size=256)
    folder = folders.write(tmp_path / "fp8", model)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {}
    for name, t in folders.tensors_of(model).items():
        if not name.endswith("_proj.weight"):
            tensors[name] = t
            continue
        rows, columns = t[1]
        scale = -(-rows // 128), -(-columns // 128)
        tensors[name] = ("float8_e4m3fn", t[1], bytes(range(64)) * (rows * columns // 64))
        tensors[f"{name}_scale_inv"] = ("float32", scale, numpy.ones(scale, "float32").tobytes())
    folders.put(folder / "model.safetensors", tensors)
    for loaded in (LlamaForCausalLM.from_pretrained(folder), LlamaForCausalLM.from_pretrained(folder, use_cache=False)):
        up = loaded.model.layers[1].mlp.up_proj
        assert type(up).__name__ == "FP8Linear" and repr(up.weight.dtype) == "torch.float8_e4m3fn" and loaded.check(folder)
        assert bytes(memoryview(up.weight.numpy().view("uint8")))[:64] == bytes(range(64))
    floats = LlamaForCausalLM.from_pretrained(folder, dequantize=True)
    up = floats.model.layers[1].mlp.up_proj
    assert type(up).__name__ == "Linear" and repr(up.weight.dtype) == "torch.float32"
    assert numpy.array_equal(up.weight.numpy().ravel()[:64], numpy.arange(64, dtype="uint8").view("float8_e4m3fn").astype("float32"))
    assert not hasattr(floats.config, "quantization_config")
