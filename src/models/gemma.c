/* Gemma: Llama's decoder with scaled embeddings and norms that add their weight to 1. Mirrors models/gemma, transformers 5.23.0. */
#include "../build/def.h"

/* Early files say "gelu" and mean the approximation by tanh. */
static void GemmaConfig(cfg *c) {
    if (val_is(get(c, "hidden_act"), "gelu")) derive_text(c, "hidden_act", "gelu_pytorch_tanh", "gelu stands for gelu_pytorch_tanh");
}

static void GemmaTextScaledWordEmbedding(mod *m, const char *name, int64_t n, int64_t d, int64_t padding_idx) {
    mod *e = embedding_as(m, name, "GemmaTextScaledWordEmbedding", n, d, padding_idx);
    buffer_scalar(e, "embed_scale", FULL(sqrt((double)d)), DT_DEFAULT, TRANSIENT);
}
static void GemmaMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void GemmaAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), head = dim(c, "head_dim");
    int64_t heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    bool bias = flag(c, "attention_bias");
    attention_projections(m, d, heads * head, kv_heads * head, bias, bias);
    cache_keys(m, c, kv_heads, head);
}
static void GemmaDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", GemmaAttention, c);
    sub(m, "mlp", GemmaMLP, c);
    rmsnorm_zeros(m, "input_layernorm", "GemmaRMSNorm", d, eps);
    rmsnorm_zeros(m, "post_attention_layernorm", "GemmaRMSNorm", d, eps);
}
static void GemmaModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    GemmaTextScaledWordEmbedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), GemmaDecoderLayer, c);
    rmsnorm_zeros(m, "norm", "GemmaRMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "GemmaRotaryEmbedding", c, false);
}
static void GemmaForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", GemmaModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

/* A norm's weight is what it adds to 1. */
static void GemmaPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (class_has(m, "RMSNorm")) init_zeros(m, "weight");
}

static const model_facts GemmaPreTrainedModel = {
    .config = "GemmaConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("GemmaDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = GemmaPreTrainedModel_init_weights,
};

const family family_gemma = {
    .name = "gemma",
    .configs = CONFIGS({.name = "GemmaConfig", .model_type = "gemma", .post_init = GemmaConfig}),
    .models = MODELS({"GemmaModel", GemmaModel, .like = &GemmaPreTrainedModel},
                     {"GemmaForCausalLM", GemmaForCausalLM, .like = &GemmaPreTrainedModel, .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"GemmaForSequenceClassification", GenericForSequenceClassification, .like = &GemmaPreTrainedModel},
                     {"GemmaForTokenClassification", GenericForTokenClassification, .like = &GemmaPreTrainedModel}),
};
