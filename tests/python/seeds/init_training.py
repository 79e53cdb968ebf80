from tare import GPT2Config, GPT2LMHeadModel
import torch

# Create fresh config for training from scratch
config = GPT2Config(
    vocab_size=50257,
    n_positions=1024,
    n_embd=768,
    n_layer=12,
    n_head=12
)

# Instantiate model with random initialization
model = GPT2LMHeadModel(config)

# Model is ready for training
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)

# Training loop would go here
print(f"Model ready for training with {model.num_parameters():,} parameters")
