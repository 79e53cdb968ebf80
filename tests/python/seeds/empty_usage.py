from tare import AutoConfig, AutoModel
from tare import init_empty_weights
import torch

# Load configuration
config = AutoConfig.from_pretrained("meta-llama/Llama-2-7b-hf")

# Create empty model structure without allocating memory
with init_empty_weights():
    model = AutoModel.from_config(config)

print(f"Model class: {type(model).__name__}")
print(f"Config: {model.config.hidden_size} hidden size")

# Check that parameters are on meta device
for name, param in model.named_parameters():
    print(f"{name}: {param.device}, {param.shape}")
    break  # Just show first parameter

# Example: bert-base-uncased
config = AutoConfig.from_pretrained("google-bert/bert-base-uncased")

with init_empty_weights():
    bert_model = AutoModel.from_config(config)
    num_params = sum(p.numel() for p in bert_model.parameters())
    print(f"BERT parameters: {num_params:,}")
    # Shows parameter count without allocating ~440MB of memory

# With dtype specification
with init_empty_weights():
    fp16_model = AutoModel.from_config(
        config,
        torch_dtype=torch.float16
    )
    # Model parameters will be float16 when loaded

# With attention implementation
config = AutoConfig.from_pretrained("meta-llama/Llama-2-7b-hf")
with init_empty_weights():
    flash_model = AutoModel.from_config(
        config,
        attn_implementation="flash_attention_2"
    )

# Typical usage in model loading pipeline
from tare import infer_auto_device_map

config = AutoConfig.from_pretrained("bigscience/bloom-7b1")

# Create empty model
with init_empty_weights():
    model = AutoModel.from_config(config, torch_dtype=torch.float16)

# Infer device map based on architecture (doesn't need actual weights)
device_map = infer_auto_device_map(
    model,
    max_memory={0: "10GB", 1: "10GB", "cpu": "30GB"}
)

print(f"Device map: {device_map}")
# Now can load weights according to device map
