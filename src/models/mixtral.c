/* Mixtral: Mistral's decoder with a sparse mixture of experts in every layer. Mirrors models/mixtral, transformers 5.23.0. */
#include "../build/def.h"

static void MixtralExperts(mod *m, const cfg *c) { stacked_experts(m, c, "num_local_experts", "intermediate_size"); }
static void MixtralTopKRouter(mod *m, const cfg *c) {
    param(m, "weight", EMPTY, dim(c, "num_local_experts"), dim(c, "hidden_size"));
}
static void MixtralSparseMoeBlock(mod *m, const cfg *c) {
    sub(m, "gate", MixtralTopKRouter, c);
    sub(m, "experts", MixtralExperts, c);
}
static void MixtralAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    int64_t head = flag_or(c, "head_dim", false) ? dim(c, "head_dim") : d / heads; /* 0 counts as not given */
    attention_projections(m, d, heads * head, kv_heads * head, false, false);
    cache_keys(m, c, kv_heads, head);
}
static void MixtralDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", MixtralAttention, c);
    sub(m, "mlp", MixtralSparseMoeBlock, c);
    rmsnorm(m, "input_layernorm", "MixtralRMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "MixtralRMSNorm", d, eps);
}
static void MixtralModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), MixtralDecoderLayer, c);
    rmsnorm(m, "norm", "MixtralRMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "MixtralRotaryEmbedding", c, false);
}
static void MixtralForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", MixtralModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void MixtralPreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = real(c, "initializer_range").d;
    init_weights(m, c);
    if (is_a(m, "MixtralExperts")) init_stacked_experts(m, std);
    else if (is_a(m, "MixtralTopKRouter")) init_normal(m, "weight", 0, std);
}

static const model_facts MixtralPreTrainedModel = {
    .config = "MixtralConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("MixtralDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .uses_experts_implementation = YES,
    .init_weights = MixtralPreTrainedModel_init_weights,
};

const family family_mixtral = {
    .name = "mixtral",
    .configs = CONFIGS({.name = "MixtralConfig", .model_type = "mixtral", .post_init = fill_key_value_heads,
                        .layout = LAYOUT(RENAME(".block_sparse_moe.", ".mlp."), EXPERTS(".experts", "w1", "w3", "w2"))}),
    .models = MODELS({"MixtralModel", MixtralModel, .like = &MixtralPreTrainedModel},
                     {"MixtralForCausalLM", MixtralForCausalLM, .like = &MixtralPreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"MixtralForSequenceClassification", GenericForSequenceClassification, .like = &MixtralPreTrainedModel},
                     {"MixtralForTokenClassification", GenericForTokenClassification, .like = &MixtralPreTrainedModel},
                     {"MixtralForQuestionAnswering", GenericForQuestionAnswering, .like = &MixtralPreTrainedModel}),
};
