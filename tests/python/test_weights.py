"""Fresh weights: when they are drawn, from which place of the stream, and how other libraries see them; without torch."""
import ctypes
import gc
import hashlib
import math
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest
import tare
from tare import AutoModel, BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, ModernBertConfig, ModernBertModel

SMALL = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 96, "vocab_size": 100}
GPT2 = {"n_embd": 8, "n_head": 2, "n_layer": 1, "vocab_size": 10, "n_positions": 4}


def small():
    return LlamaForCausalLM(LlamaConfig(**SMALL))


def digest(tensor):
    return hashlib.sha256(ctypes.string_at(tensor.data_ptr(), tensor.nbytes)).hexdigest()


def digests(model):
    return [digest(t) for t in (*model.parameters(), *model.buffers())]


# ---- when, and from where ----


def test_models_take_turns_in_a_stream():
    # Truncated normals that are drawn again: how many, nobody knows before.
    makers = [small, lambda: ModernBertModel(ModernBertConfig(**SMALL, pad_token_id=0)), lambda: GPT2LMHeadModel(GPT2Config(**GPT2)), small] * 6
    tare.manual_seed(3)
    serial = []
    for make in makers:
        model = make()
        serial.append(digests(model))
    tare.manual_seed(3)
    models = [make() for make in makers]
    for i in reversed(range(len(models))):
        if i % 5 != 1:
            assert digests(models[i]) == serial[i]
        models[i] = None
    assert serial[0] != serial[3] and tare.initial_seed() == 3
    tare.manual_seed(4)
    assert digests(small()) != serial[0]
    tare.manual_seed(-1)
    assert tare.initial_seed() == 2**64 - 1
    with pytest.raises(RuntimeError, match="64 bits"):
        tare.manual_seed(2**64)


def test_an_empty_model_takes_no_turn():
    tare.manual_seed(1)
    first = digests(small())
    tare.manual_seed(1)
    with tare.device("meta"):
        small()
    with tare.init_empty_weights():
        small()
    assert digests(small()) == first


def test_a_model_is_pending_until_it_is_touched():
    model = small()
    assert model.is_pending
    repr(model), model.num_parameters(), model.get_memory_footprint(), list(model.parameters()), model.state_dict(), model.config
    assert model.is_pending
    assert model.lm_head.weight.data_ptr() % 64 == 0 and not model.is_pending


def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_one_tensor_of_27_gigabytes():
    before = memory()
    models = [LlamaForCausalLM(LlamaConfig()) for _ in range(20)]
    assert models[3].get_memory_footprint() > 26e9
    assert models[19].model.norm.weight.tolist() == [1.0] * 4096
    weight = models[7].model.layers[30].input_layernorm.weight
    assert set(weight.tolist()) == {1.0}
    assert memory() - before < 64 << 20


def test_more_than_there_is_memory():
    model = LlamaForCausalLM(LlamaConfig(vocab_size=2**28))
    with pytest.raises(MemoryError, match="bytes are needed"):
        model.lm_head.weight.data_ptr()
    assert model.model.norm.weight.tolist()[0] == 1.0


def test_tied_tensors_share_memory():
    model = GPT2LMHeadModel(GPT2Config(**GPT2))
    assert model.lm_head.weight.data_ptr() == model.transformer.wte.weight.data_ptr()


def test_dtypes_are_drawn_as_such():
    tare.manual_seed(0)
    single = AutoModel.from_config(LlamaConfig(**SMALL)).embed_tokens.weight
    tare.manual_seed(0)
    half = AutoModel.from_config(LlamaConfig(**SMALL), dtype="float16").embed_tokens.weight
    assert single.nbytes == 2 * half.nbytes and single.tolist()[5][0] != half.tolist()[5][0]
    assert all(abs(x) < 0.2 for row in half.tolist() for x in row)


# ---- values ----


def test_numbers():
    model = BertModel(BertConfig(**SMALL))
    weight = model.encoder.layer[0].attention.self.query.weight
    rows = weight.tolist()
    assert (len(rows), len(rows[0])) == (64, 64) and isinstance(rows[0][0], float)
    assert rows[3][5] == struct.unpack_from("<f", memoryview(weight).cast("B"), 4 * (3 * 64 + 5))[0] == memoryview(weight)[3, 5]
    assert model.embeddings.position_ids.tolist() == [list(range(512))]
    assert model.pooler.dense.bias.tolist() == [0.0] * 64
    with pytest.raises(RuntimeError, match="64 values"):
        model.pooler.dense.bias.item()


def test_every_half_is_read():
    weight = AutoModel.from_config(LlamaConfig(**{**SMALL, "vocab_size": 1024}), dtype="float16").embed_tokens.weight
    bits = (ctypes.c_uint16 * 65536).from_address(weight.data_ptr())
    bits[:] = range(65536)
    read = [x for row in weight.tolist() for x in row]
    for i, (ours, python) in enumerate(zip(read, struct.unpack("<65536e", bytes(bits)))):
        assert ours == python and math.copysign(1, ours) == math.copysign(1, python) or (ours != ours and python != python), i
    other = AutoModel.from_config(LlamaConfig(**SMALL), dtype="bfloat16").norm.weight
    two = (ctypes.c_uint16 * 2).from_address(other.data_ptr())
    two[:] = [0x3FC0, 0xC2F7]
    assert other.tolist()[:2] == [1.5, -123.5]


def test_empty_tensors_have_no_values():
    with tare.init_empty_weights():
        model = small()
    weight = model.lm_head.weight
    for look in (weight.tolist, weight.data_ptr, weight.__dlpack__, lambda: memoryview(weight)):
        with pytest.raises(NotImplementedError, match="lm_head.weight of LlamaForCausalLM lies on the meta device"):
            look()
    assert model.model.rotary_emb.inv_freq.tolist()[0] == 1.0
    with tare.device("meta"), pytest.raises(NotImplementedError, match="inv_freq"):
        small().model.rotary_emb.inv_freq.tolist()
    with tare.device("cuda:1"):
        model = small()
    assert repr(next(model.parameters()).device) == "device(type='cuda', index=1)"
    with pytest.raises(NotImplementedError, match="not in this machine's memory"):
        model.lm_head.weight.tolist()


def test_buffers_are_lent():
    view = memoryview(small().lm_head.weight)
    gc.collect()
    assert (view.shape, view.format, view.strides, view.readonly, view.nbytes) == ((100, 64), "f", (256, 4), False, 25600)
    view[1, 2] = 7.0
    assert view[1, 2] == 7.0
    with pytest.raises(BufferError, match="bfloat16"):
        memoryview(AutoModel.from_config(LlamaConfig(**SMALL), dtype="bfloat16").norm.weight)


def test_numpy():
    numpy = pytest.importorskip("numpy")
    model = small()
    array = model.lm_head.weight.numpy()
    assert array.dtype == numpy.float32 and array.flags.writeable and array.ctypes.data == model.lm_head.weight.data_ptr()
    assert numpy.asarray(model.lm_head.weight).ctypes.data == array.ctypes.data
    assert numpy.array(model.lm_head.weight).ctypes.data != array.ctypes.data
    assert numpy.asarray(model.lm_head.weight, dtype=numpy.float64).dtype == numpy.float64
    array[0, 0] = 5
    del model
    gc.collect()
    assert array[0, 0] == 5 and abs(array[1:]).max() < 0.2
    assert numpy.abs(numpy.asarray(GPT2LMHeadModel(GPT2Config(**GPT2)).transformer.h[0].ln_1.weight)).sum() == 8
    assert small().lm_head.weight.detach().cpu().numpy().shape == (100, 64)


def test_numpy_without_the_dtype(monkeypatch):
    numpy = pytest.importorskip("numpy")
    model = AutoModel.from_config(LlamaConfig(**SMALL), dtype="bfloat16")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "ml_dtypes", None)
        with pytest.raises(TypeError, match="norm.weight is bfloat16, .* ml_dtypes"):
            model.norm.weight.numpy()
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = numpy.asarray(model.norm.weight)
    assert array.dtype == ml_dtypes.bfloat16 and array.ctypes.data == model.norm.weight.data_ptr()


def test_dlpack():
    numpy = pytest.importorskip("numpy")
    model = small()
    weight = model.lm_head.weight
    array = numpy.from_dlpack(weight)
    assert weight.__dlpack_device__() == (1, 0) and array.ctypes.data == weight.data_ptr() and array.shape == (100, 64)
    fresh = digest(weight)
    del model, weight
    gc.collect()
    assert hashlib.sha256(array.tobytes()).hexdigest() == fresh
    weight = small().lm_head.weight
    assert '"dltensor"' in repr(weight.__dlpack__()) and '"dltensor"' in repr(weight.__dlpack__(max_version=(0, 8)))
    assert '"dltensor_versioned"' in repr(weight.__dlpack__(max_version=(1, 0), dl_device=(1, 0)))
    assert '"dltensor_versioned"' in repr(weight.__dlpack__(max_version=(1, 1), copy=True))
    for wrong in ({"stream": 1}, {"dl_device": (2, 0)}):
        with pytest.raises(BufferError):
            weight.__dlpack__(**wrong)


# ---- threads, signals, leaks ----


def test_many_threads_draw_what_one_does():
    def work(seen):
        for _ in range(10):
            model = small()
            text = repr(model)
            seen.append((text, *digests(model)))
    tare.manual_seed(5)
    serial, parallel = [], []
    for _ in range(8):
        work(serial)
    tare.manual_seed(5)
    run_threads([threading.Thread(target=work, args=(parallel,)) for _ in range(8)])
    assert sorted(parallel) == sorted(serial) and len(set(serial)) == 80


def run_threads(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_threads_touch_one_model():
    tare.manual_seed(6)
    expected = digests(small())
    tare.manual_seed(6)
    model, seen = small(), []
    run_threads([threading.Thread(target=lambda: seen.append(digests(model))) for _ in range(8)])
    assert seen == [expected] * 8


def test_drawing_can_be_interrupted():
    tare.manual_seed(0)
    config = {**SMALL, "vocab_size": 1 << 22}
    model = LlamaForCausalLM(LlamaConfig(**config))

    def interrupt(*_):
        raise KeyboardInterrupt
    before = signal.signal(signal.SIGALRM, interrupt)
    start = time.perf_counter()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(KeyboardInterrupt):
            model.model.embed_tokens.weight.data_ptr()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.perf_counter() - start < 1
    tare.manual_seed(0)
    assert digest(LlamaForCausalLM(LlamaConfig(**config)).model.layers[1].mlp.up_proj.weight) == digest(model.model.layers[1].mlp.up_proj.weight)


def test_ten_thousand_drawn_models_leave_nothing():
    def make(n):
        for i in range(n):
            model = GPT2LMHeadModel(GPT2Config(**GPT2))
            if i % 4 == 0:
                weight = model.lm_head.weight
                weight.__dlpack__(), weight.__dlpack__(max_version=(1, 0), copy=True), weight.tolist(), memoryview(weight)
        gc.collect()
    make(1000)
    before = memory()
    make(10000)
    assert memory() - before < 4 << 20


def test_no_other_package_is_needed():
    program = ("import sys\nimport tare\nmodel = tare.GPT2Model(tare.GPT2Config(n_embd=8, n_head=2, n_layer=1, vocab_size=10))\n"
               "model.wte.weight.tolist(), memoryview(model.wpe.weight)\n"
               "assert not {'numpy', 'torch', 'ml_dtypes'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_a_model_cannot_do_says_who_can():
    model = small()
    for name in ("generate", "half", "zero_grad", "tie_weights"):
        with pytest.raises(AttributeError, match=f"'{name}'.*to_transformers"):
            getattr(model, name)
    with pytest.raises(NotImplementedError, match="to_transformers"):
        model.lm_head(1)
    assert not hasattr(model, "_nothing")


def test_to_transformers_needs_transformers():
    program = ("import sys\nsys.modules['transformers'] = None\nimport tare\n"
               "try: tare.GPT2Model(tare.GPT2Config(n_layer=1)).to_transformers()\nexcept ImportError as e: print(e)")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "transformers" in done.stdout
