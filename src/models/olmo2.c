/* Olmo2: Llama with norms after attention and MLP, and on all of queries and keys. Mirrors models/olmo2, transformers 5.23.0. */
#include "../build/def.h"

static void Olmo2MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void Olmo2Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    int64_t head = known(c, "head_dim") ? dim(c, "head_dim") : d / heads;
    bool bias = flag(c, "attention_bias");
    num eps = real(c, "rms_norm_eps");
    attention_projections(m, d, heads * head, kv_heads * head, bias, bias);
    rmsnorm(m, "q_norm", "Olmo2RMSNorm", heads * head, eps);
    rmsnorm(m, "k_norm", "Olmo2RMSNorm", kv_heads * head, eps);
    cache_keys(m, c, kv_heads, head);
}
static void Olmo2DecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", Olmo2Attention, c);
    sub(m, "mlp", Olmo2MLP, c);
    rmsnorm(m, "post_attention_layernorm", "Olmo2RMSNorm", d, eps);
    rmsnorm(m, "post_feedforward_layernorm", "Olmo2RMSNorm", d, eps);
}
static void Olmo2Model(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Olmo2DecoderLayer, c);
    rmsnorm(m, "norm", "Olmo2RMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "Olmo2RotaryEmbedding", c, false);
}
static void Olmo2ForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Olmo2Model, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static const model_facts Olmo2PreTrainedModel = {
    .config = "Olmo2Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Olmo2DecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_olmo2 = {
    .name = "olmo2",
    .configs = CONFIGS({.name = "Olmo2Config", .model_type = "olmo2", .post_init = fill_key_value_heads}),
    .models = MODELS({"Olmo2Model", Olmo2Model, .like = &Olmo2PreTrainedModel},
                     {"Olmo2ForCausalLM", Olmo2ForCausalLM, .like = &Olmo2PreTrainedModel, .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"Olmo2ForSequenceClassification", GenericForSequenceClassification, .like = &Olmo2PreTrainedModel}),
};
