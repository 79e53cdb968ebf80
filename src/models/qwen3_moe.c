/* Qwen3-MoE: Qwen3 with a mixture of experts in most layers. Mirrors models/qwen3_moe, transformers 5.23.0. */
#include "../build/def.h"

static void Qwen3MoeConfig(cfg *c) {
    if (!flag(c, "use_sliding_window")) put(c, "sliding_window", val_null(), "null without use_sliding_window");
    if (!has(c, "mlp_only_layers")) put(c, "mlp_only_layers", list_new(c, NULL, 0), "empty");
}

static void Qwen3MoeMLP(mod *m, const cfg *c, int64_t ff) {
    int64_t d = dim(c, "hidden_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void Qwen3MoeExperts(mod *m, const cfg *c) { stacked_experts(m, c, "num_local_experts", "moe_intermediate_size"); }
static void Qwen3MoeTopKRouter(mod *m, const cfg *c) {
    param(m, "weight", ZEROS, dim(c, "num_local_experts"), dim(c, "hidden_size"));
}
static void Qwen3MoeSparseMoeBlock(mod *m, const cfg *c) {
    sub(m, "experts", Qwen3MoeExperts, c);
    sub(m, "gate", Qwen3MoeTopKRouter, c);
}
static void Qwen3MoeAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    int64_t head = known(c, "head_dim") ? dim(c, "head_dim") : d / heads;
    bool bias = flag(c, "attention_bias");
    num eps = real(c, "rms_norm_eps");
    attention_projections(m, d, heads * head, kv_heads * head, bias, bias);
    rmsnorm(m, "q_norm", "Qwen3MoeRMSNorm", head, eps);
    rmsnorm(m, "k_norm", "Qwen3MoeRMSNorm", head, eps);
    cache_keys(m, c, kv_heads, head);
}
static void Qwen3MoeDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", Qwen3MoeAttention, c);
    if (layer_has_experts(m, c, "num_local_experts")) sub(m, "mlp", Qwen3MoeSparseMoeBlock, c);
    else sub(m, "mlp", Qwen3MoeMLP, c, dim(c, "intermediate_size"));
    rmsnorm(m, "input_layernorm", "Qwen3MoeRMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "Qwen3MoeRMSNorm", d, eps);
}
static void Qwen3MoeModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Qwen3MoeDecoderLayer, c);
    rmsnorm(m, "norm", "Qwen3MoeRMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "Qwen3MoeRotaryEmbedding", c, false);
}
static void Qwen3MoeForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Qwen3MoeModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void Qwen3MoePreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = real(c, "initializer_range").d;
    init_weights(m, c);
    if (is_a(m, "Qwen3MoeExperts")) init_stacked_experts(m, std);
    else if (is_a(m, "Qwen3MoeTopKRouter")) init_normal(m, "weight", 0, std);
}

static const model_facts Qwen3MoePreTrainedModel = {
    .config = "Qwen3MoeConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Qwen3MoeDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .uses_experts_implementation = YES,
    .init_weights = Qwen3MoePreTrainedModel_init_weights,
};

const family family_qwen3_moe = {
    .name = "qwen3_moe",
    .configs = CONFIGS({.name = "Qwen3MoeConfig", .model_type = "qwen3_moe", .post_init = Qwen3MoeConfig,
                        .layout = LAYOUT(EXPERTS("mlp.experts", "gate_proj", "up_proj", "down_proj"))}),
    .models = MODELS({"Qwen3MoeModel", Qwen3MoeModel, .like = &Qwen3MoePreTrainedModel},
                     {"Qwen3MoeForCausalLM", Qwen3MoeForCausalLM, .like = &Qwen3MoePreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"Qwen3MoeForSequenceClassification", GenericForSequenceClassification, .like = &Qwen3MoePreTrainedModel},
                     {"Qwen3MoeForTokenClassification", GenericForTokenClassification, .like = &Qwen3MoePreTrainedModel},
                     {"Qwen3MoeForQuestionAnswering", GenericForQuestionAnswering, .like = &Qwen3MoePreTrainedModel,
                      .own = {.base_model_prefix = "transformer"}}),
};
