from tare import LlamaConfig, LlamaForCausalLM
import torch

# Configure large model
config = LlamaConfig(
    vocab_size=32000,
    hidden_size=8192,
    num_hidden_layers=80,
    num_attention_heads=64
)

# Initialize on meta device (no memory allocation)
with torch.device("meta"):
    model = LlamaForCausalLM(config)

# Model structure is created but no actual memory used
print(f"Model on meta device: {model.device}")
print(f"Parameters are not materialized yet")

# Later load weights using device_map to materialize tensors
# model = LlamaForCausalLM.from_pretrained(
#     "meta-llama/Llama-2-70b-hf",
#     device_map="auto"
# )
