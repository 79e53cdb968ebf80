from tare import AutoConfig, AutoModel
import torch

config = AutoConfig.from_pretrained("meta-llama/Llama-2-7b-hf")

# Try different attention implementations
for attn_impl in ["eager", "sdpa", "flash_attention_2"]:
    try:
        config.attn_implementation = attn_impl
        model = AutoModel.from_config(config)
        print(f"{attn_impl}: Supported âœ“")
        del model
    except (ValueError, ImportError) as e:
        print(f"{attn_impl}: Not supported - {str(e)[:50]}...")
