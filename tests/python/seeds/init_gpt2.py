from tare import GPT2Config, GPT2LMHeadModel

# Custom small GPT-2 configuration
config = GPT2Config(
    vocab_size=50257,
    n_positions=1024,
    n_embd=512,      # Smaller than default
    n_layer=6,       # Fewer layers than default
    n_head=8,
    n_inner=2048
)

# Instantiate with custom config
model = GPT2LMHeadModel(config)

print(f"Custom model size: {model.num_parameters():,} parameters")
