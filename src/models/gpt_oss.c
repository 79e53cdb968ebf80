/* gpt-oss: attention with sinks, sliding and full in turn, and experts with biases whose weights lie input first.
 * Mirrors models/gpt_oss, transformers 5.23.0. */
#include "../build/def.h"

static val default_rope(cfg *c) {
    val all = dict_put(c, dict_new(c), "rope_type", val_text("yarn"));
    all = dict_put(c, all, "factor", val_real(32));
    all = dict_put(c, all, "beta_fast", val_real(32));
    all = dict_put(c, all, "beta_slow", val_real(1));
    all = dict_put(c, all, "truncate", val_bool(false));
    return dict_put(c, all, "original_max_position_embeddings", val_int(4096));
}
static void GptOssConfig(cfg *c) {
    if (!has(c, "layer_types")) alternate_layer_types(c, val_int(2), "2", 1, "sliding_attention");
    if (!has(c, "rope_parameters")) put(c, "rope_parameters", default_rope(c), "yarn, factor 32");
}

static void GptOssExperts(mod *m, const cfg *c) {
    int64_t n = dim(c, "num_local_experts"), d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    param(m, "gate_up_proj", EMPTY, n, d, 2 * ff);
    param(m, "gate_up_proj_bias", EMPTY, n, 2 * ff);
    param(m, "down_proj", EMPTY, n, ff, d);
    param(m, "down_proj_bias", EMPTY, n, d);
    routed(m, c, "num_experts_per_tok", n);
}
static void GptOssTopKRouter(mod *m, const cfg *c) {
    int64_t n = dim(c, "num_local_experts");
    param(m, "weight", ZEROS, n, dim(c, "hidden_size"));
    param(m, "bias", ZEROS, n);
}
static void GptOssMLP(mod *m, const cfg *c) {
    sub(m, "router", GptOssTopKRouter, c);
    sub(m, "experts", GptOssExperts, c);
}
static void GptOssAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), head = dim(c, "head_dim");
    int64_t heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    bool bias = flag(c, "attention_bias");
    attention_projections(m, d, heads * head, kv_heads * head, bias, bias);
    param(m, "sinks", EMPTY, heads);
    cache_keys(m, c, kv_heads, head);
}
static void GptOssDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", GptOssAttention, c);
    sub(m, "mlp", GptOssMLP, c);
    rmsnorm(m, "input_layernorm", "GptOssRMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "GptOssRMSNorm", d, eps);
}
static void GptOssModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), GptOssDecoderLayer, c);
    rmsnorm(m, "norm", "GptOssRMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "GptOssRotaryEmbedding", c, false);
}
static void GptOssForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", GptOssModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void GptOssPreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = real(c, "initializer_range").d;
    init_weights(m, c);
    if (is_a(m, "GptOssExperts")) {
        init_normal(m, "gate_up_proj", 0, std);
        init_zeros(m, "gate_up_proj_bias");
        init_normal(m, "down_proj", 0, std);
        init_zeros(m, "down_proj_bias");
    } else if (is_a(m, "GptOssAttention")) init_normal(m, "sinks", 0, std);
    else if (is_a(m, "GptOssTopKRouter")) {
        init_normal(m, "weight", 0, std);
        init_normal(m, "bias", 0, std);
    }
}

static const model_facts GptOssPreTrainedModel = {
    .config = "GptOssConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("GptOssDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .keep_in_fp32_modules = SET("post_attention_layernorm", "input_layernorm", "norm"),
    .supports_flash_attn = YES, .supports_flex_attn = YES,
    .uses_experts_implementation = YES,
    .compatible_flash_implementations = SET("kernels-community/vllm-flash-attn3", "flash_attention_4", "kernels-community/metal-flash-sdpa",
        "kernels-community/aiter-flash-attn"),
    .init_weights = GptOssPreTrainedModel_init_weights,
};

const family family_gpt_oss = {
    .name = "gpt_oss",
    .configs = CONFIGS({.name = "GptOssConfig", .model_type = "gpt_oss", .post_init = GptOssConfig}),
    .models = MODELS({"GptOssModel", GptOssModel, .like = &GptOssPreTrainedModel},
                     {"GptOssForCausalLM", GptOssForCausalLM, .like = &GptOssPreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"GptOssForSequenceClassification", GenericForSequenceClassification, .like = &GptOssPreTrainedModel},
                     {"GptOssForTokenClassification", GenericForTokenClassification, .like = &GptOssPreTrainedModel}),
};
