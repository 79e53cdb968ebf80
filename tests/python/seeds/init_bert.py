from tare import BertConfig, BertModel

# Create configuration
config = BertConfig(
    vocab_size=30522,
    hidden_size=768,
    num_hidden_layers=12,
    num_attention_heads=12,
    intermediate_size=3072,
    max_position_embeddings=512
)

# Instantiate model with random weights
model = BertModel(config)

print(f"Model has {model.num_parameters():,} parameters")
print(f"Hidden size: {model.config.hidden_size}")
print(f"Number of layers: {model.config.num_hidden_layers}")
