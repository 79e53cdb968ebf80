"""Weights where the program has imported torch: its generator, its parameters, its optimisers."""
import gc
import sys

import tare
from tare import AutoModel, BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

SMALL = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 96, "vocab_size": 100}


def small(**values):
    return LlamaForCausalLM(LlamaConfig(**SMALL, **values))


# A seed that was given before torch is imported goes on counting.
tare.manual_seed(7)
first, second, seventh = small(), small(), small()
values = [first.lm_head.weight.tolist(), second.lm_head.weight.tolist()]
array = first.model.norm.weight.numpy()
assert "torch" not in sys.modules

import torch  # noqa: E402

third = small()
tare.manual_seed(7)
assert torch.initial_seed() == tare.initial_seed() == 7
again = [small() for _ in range(4)]
for model, value in zip(again, values):
    assert model.lm_head.weight.tolist() == value
assert torch.equal(again[3].lm_head.weight, third.lm_head.weight), "the generator was taken over where it stood"
assert torch.equal(again[2].lm_head.weight, seventh.lm_head.weight)

# torch's seed is ours, and what one takes the other does not have.
torch.manual_seed(7)
assert small().lm_head.weight.tolist() == values[0] and small().lm_head.weight.tolist() == values[1]
torch.manual_seed(7)
torch.rand(3)
assert small().lm_head.weight.tolist() != values[0]
state = torch.get_rng_state()
with tare.device("meta"):
    small()
assert torch.equal(torch.get_rng_state(), state)

# The same object every time, of tied parameters one, over memory that everybody sees.
model = small(tie_word_embeddings=True)
named = dict(model.named_parameters())
assert all(isinstance(p, torch.nn.Parameter) and p.requires_grad and p.is_leaf for p in named.values())
assert all(a is b for a, b in zip(model.parameters(), named.values()))
assert model.lm_head.weight is model.model.embed_tokens.weight is model.get_parameter("lm_head.weight") and "lm_head.weight" not in named
assert type(model.model.rotary_emb.inv_freq) is torch.Tensor and model.get_buffer("model.rotary_emb.inv_freq") is next(model.buffers())
assert model.state_dict()["lm_head.weight"].data_ptr() == model.lm_head.weight.data_ptr()
assert not model.state_dict()["lm_head.weight"].requires_grad and model.state_dict(keep_vars=True)["lm_head.weight"] is model.lm_head.weight
assert model.num_parameters() == sum(p.numel() for p in model.parameters())

optimiser = torch.optim.AdamW(first.parameters(), lr=0.5)
before = array.copy()
sum((p.float() ** 2).sum() for p in first.parameters()).backward()
optimiser.step()
assert (array != before).all() and torch.equal(torch.from_numpy(array), first.model.norm.weight.detach())

# Memory lives as long as anybody sees it.
weight = small().lm_head.weight
gc.collect()
assert weight.abs().max() < 0.2
half = AutoModel.from_config(LlamaConfig(**SMALL), dtype=torch.bfloat16)
assert half.norm.weight.dtype is torch.bfloat16 and half.norm.weight.float().sum() == 64

# What is frozen is frozen, and an empty model has views that say where they are.
frozen = tare.WhisperModel(tare.WhisperConfig(d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
                                              encoder_ffn_dim=8, decoder_ffn_dim=8, vocab_size=60000))
assert not frozen.encoder.embed_positions.weight.requires_grad
with torch.device("meta"):
    empty = BertModel(BertConfig(num_hidden_layers=1))
assert isinstance(next(empty.parameters()), tare.Parameter) and next(empty.parameters()).is_meta
with tare.init_empty_weights():
    empty = BertModel(BertConfig(num_hidden_layers=1))
assert next(empty.parameters()).is_meta and torch.equal(next(empty.buffers()), torch.arange(512)[None])



def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


# 27 GB, of which one norm is looked at: what tells of a parameter without its values draws nothing.
before = memory()
big = tare.LlamaForCausalLM(LlamaConfig())
parameters = list(big.parameters())
optimiser = torch.optim.AdamW(big.parameters(), lr=1e-4)
optimiser.zero_grad()
assert sum(p.numel() for p in parameters) == big.num_parameters() and parameters[0].shape == (32000, 4096) and len({*parameters}) == len(parameters)
assert not parameters[0].is_meta and parameters[0].device.type == "cpu" and parameters[0].dtype is torch.float32 and parameters[0].grad is None
norm = big.model.norm.weight
assert big.is_pending and memory() - before < 16 << 20 and type(norm) is not torch.nn.Parameter
assert norm.sum() == 4096 and type(norm) is torch.nn.Parameter and norm is big.model.norm.weight and norm is parameters[-2]
assert memory() - before < 32 << 20

# Any use draws: in a list, by keyword, as a view, through a module, by numpy, written to.
for use in (lambda p: torch.stack([p, p])[1], lambda p: torch.nn.functional.linear(torch.eye(64), weight=p).T, lambda p: p.data, lambda p: p.detach(),
            lambda p: torch.from_numpy(p.detach().numpy()), lambda p: p[:], lambda p: p.mul(1.0), lambda p: torch.nn.Parameter(p.detach()),
            lambda p: torch.from_dlpack(p.detach()), lambda p: torch.tensor(p.tolist()), lambda p: torch.cat(tensors=(p,)),
            lambda p: __import__("copy").deepcopy(p), lambda p: torch.no_grad()(p.add_)(0)):
    torch.manual_seed(7)
    used = use(small().lm_head.weight)
    assert torch.equal(used, torch.tensor(values[0])) and type(used) in (torch.Tensor, torch.nn.Parameter), use
torch.manual_seed(7)
fresh = small()
torch.nn.utils.clip_grad_norm_(fresh.parameters(), 1.0)
with torch.no_grad():
    torch._foreach_mul_(list(fresh.parameters()), 1.0)
assert torch.equal(fresh.lm_head.weight, torch.tensor(values[0])) and all(type(p) is torch.nn.Parameter for p in fresh.parameters())

# The mode in which a parameter is asked for first leaves no trace in it.
model = small()
with torch.device("meta"), torch.inference_mode():
    weight = model.lm_head.weight
    assert weight.sum().device.type == "cpu"
weight.sum().backward()
assert weight.grad.shape == weight.shape

# Many threads look at parameters that nobody has looked at.
import threading  # noqa: E402

torch.manual_seed(7)
parameters, sums = list(small().parameters()), []
threads = [threading.Thread(target=lambda: sums.append([float(p.detach().double().sum()) for p in parameters])) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
torch.manual_seed(7)
assert sums == [[float(p.detach().double().sum()) for p in small().parameters()]] * 8

# Nobody keeps a model whose parameters were asked for.
handle = __import__("weakref").ref(fresh)
fresh = None
assert handle() is None
assert next(GPT2LMHeadModel(GPT2Config(n_layer=1)).parameters()).device == torch.device("cpu")
print("torch's own weights")
