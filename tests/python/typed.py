"""A program of a user, which mypy --strict reads, and a test runs."""
from typing import Optional
import tare
from tare import AutoConfig, AutoModel, AutoModelForCausalLM, BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, init_empty_weights

def count(name: str) -> int:
    config = AutoConfig.from_pretrained(name)
    with init_empty_weights():
        model = AutoModel.from_config(config, torch_dtype=tare.float16)
    total: int = sum(p.numel() for p in model.parameters())
    return total

config = LlamaConfig(hidden_size=64, num_attention_heads=4, rms_norm_eps=1e-5, attn_implementation="sdpa")
with tare.device("meta"):
    model = LlamaForCausalLM(config)
heads: Optional[int] = model.config.num_key_value_heads
lm = AutoModelForCausalLM.from_config(config, dtype="bfloat16")
for name, p in model.named_parameters():
    print(name, p.shape, p.dtype, p.device, p.requires_grad)
print(count("google-bert/bert-base-uncased"), BertModel(BertConfig()).num_parameters(), model.get_submodule("model.layers.0"))
