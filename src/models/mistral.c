/* Mistral: Llama with a window on its attention and no biases. Mirrors models/mistral, transformers 5.23.0. */
#include "../build/def.h"

static void MistralConfig(cfg *c) {
    fill_int(c, "head_dim", dim(c, "hidden_size") / dim(c, "num_attention_heads"), "hidden_size / num_attention_heads");
}

static void MistralMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void MistralAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    int64_t head = flag_or(c, "head_dim", false) ? dim(c, "head_dim") : d / heads; /* 0 counts as not given */
    attention_projections(m, d, heads * head, kv_heads * head, false, false);
    cache_keys(m, c, kv_heads, head);
}
static void MistralDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", MistralAttention, c);
    sub(m, "mlp", MistralMLP, c);
    rmsnorm(m, "input_layernorm", "MistralRMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "MistralRMSNorm", d, eps);
}
static void MistralModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), MistralDecoderLayer, c);
    rmsnorm(m, "norm", "MistralRMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "MistralRotaryEmbedding", c, false);
}
static void MistralForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", MistralModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static const model_facts MistralPreTrainedModel = {
    .config = "MistralConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("MistralDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_mistral = {
    .name = "mistral",
    .configs = CONFIGS({.name = "MistralConfig", .model_type = "mistral", .post_init = MistralConfig}),
    .models = MODELS({"MistralModel", MistralModel, .like = &MistralPreTrainedModel},
                     {"MistralForCausalLM", MistralForCausalLM, .like = &MistralPreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"MistralForTokenClassification", GenericForTokenClassification, .like = &MistralPreTrainedModel},
                     {"MistralForSequenceClassification", GenericForSequenceClassification, .like = &MistralPreTrainedModel},
                     {"MistralForQuestionAnswering", GenericForQuestionAnswering, .like = &MistralPreTrainedModel}),
};
