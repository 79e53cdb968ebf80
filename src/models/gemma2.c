/* Gemma 2: Gemma with sliding and full attention in turn, and norms behind attention and MLP as well as before.
 * Mirrors models/gemma2, transformers 5.23.0. */
#include "../build/def.h"

static void Gemma2Config(cfg *c) {
    if (!has(c, "layer_types")) alternate_layer_types(c, val_int(2), "2", 1, "sliding_attention");
}

static void Gemma2TextScaledWordEmbedding(mod *m, const char *name, int64_t n, int64_t d, int64_t padding_idx) {
    mod *e = embedding_as(m, name, "Gemma2TextScaledWordEmbedding", n, d, padding_idx);
    buffer_scalar(e, "embed_scale", FULL(sqrt((double)d)), DT_DEFAULT, TRANSIENT);
}
static void Gemma2MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_activation");
}
static void Gemma2Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), head = dim(c, "head_dim");
    int64_t heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    bool bias = flag(c, "attention_bias");
    if (!whole(c, "query_pre_attn_scalar")) refuse(c, "query_pre_attn_scalar", "has no inverse square root");
    attention_projections(m, d, heads * head, kv_heads * head, bias, bias);
    cache_keys(m, c, kv_heads, head);
}
static void Gemma2DecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", Gemma2Attention, c);
    sub(m, "mlp", Gemma2MLP, c);
    rmsnorm_zeros(m, "input_layernorm", "Gemma2RMSNorm", d, eps);
    rmsnorm_zeros(m, "post_attention_layernorm", "Gemma2RMSNorm", d, eps);
    rmsnorm_zeros(m, "pre_feedforward_layernorm", "Gemma2RMSNorm", d, eps);
    rmsnorm_zeros(m, "post_feedforward_layernorm", "Gemma2RMSNorm", d, eps);
}
static void Gemma2Model(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    Gemma2TextScaledWordEmbedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Gemma2DecoderLayer, c);
    rmsnorm_zeros(m, "norm", "Gemma2RMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "Gemma2RotaryEmbedding", c, false);
}
static void Gemma2ForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Gemma2Model, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

/* A norm's weight is what it adds to 1. */
static void Gemma2PreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (class_has(m, "RMSNorm")) init_zeros(m, "weight");
}

static const model_facts Gemma2PreTrainedModel = {
    .config = "Gemma2Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Gemma2DecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_flex_attn = YES,
    .init_weights = Gemma2PreTrainedModel_init_weights,
};

const family family_gemma2 = {
    .name = "gemma2",
    .configs = CONFIGS({.name = "Gemma2Config",
                        .model_type = "gemma2",
                        .post_init = Gemma2Config,
                        .validate_architecture = heads_divide_hidden_size}),
    .models = MODELS({"Gemma2Model", Gemma2Model, .like = &Gemma2PreTrainedModel},
                     {"Gemma2ForCausalLM", Gemma2ForCausalLM, .like = &Gemma2PreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"Gemma2ForSequenceClassification", GenericForSequenceClassification, .like = &Gemma2PreTrainedModel},
                     {"Gemma2ForTokenClassification", GenericForTokenClassification, .like = &Gemma2PreTrainedModel}),
};
