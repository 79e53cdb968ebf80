from tare import LlamaConfig, LlamaForCausalLM
import torch

# Configure for FlashAttention 2
config = LlamaConfig(
    vocab_size=32000,
    hidden_size=4096,
    num_hidden_layers=32,
    num_attention_heads=32,
    attn_implementation="flash_attention_2"  # Requires flash-attn package
)

# Model will validate FlashAttention 2 is available during __init__
model = LlamaForCausalLM(config)

# Alternative: Use PyTorch SDPA (Scaled Dot Product Attention)
config_sdpa = LlamaConfig(
    vocab_size=32000,
    hidden_size=4096,
    num_hidden_layers=32,
    num_attention_heads=32,
    attn_implementation="sdpa"  # Uses torch.nn.functional.scaled_dot_product_attention
)

model_sdpa = LlamaForCausalLM(config_sdpa)
