/* Qwen2-MoE: Qwen2 with a mixture of experts and a gated shared one in most layers. Mirrors models/qwen2_moe, transformers 5.23.0. */
#include "../build/def.h"

/* Every other layer attends to a window, below max_window_layers. */
static void window_every_other_layer(cfg *c) {
    bool window = flag(c, "use_sliding_window");
    int64_t n = count(c, "num_hidden_layers"), before = whole(c, "max_window_layers");
    val *types = list_room(c, "num_hidden_layers", &n);
    for (int64_t i = 0; i < n; i++) types[i] = val_text(window && i % 2 == 0 && i < before ? "sliding_attention" : "full_attention");
    put(c, "layer_types", list_in(types, n), "every other one slides, with use_sliding_window");
}
static void Qwen2MoeConfig(cfg *c) {
    if (!has(c, "mlp_only_layers")) put(c, "mlp_only_layers", list_new(c, NULL, 0), "empty");
    if (!flag(c, "use_sliding_window")) derive_int(c, "sliding_window", 0, "0 without use_sliding_window");
    if (!has(c, "layer_types")) window_every_other_layer(c);
}

static void Qwen2MoeMLP(mod *m, const cfg *c, int64_t ff) {
    int64_t d = dim(c, "hidden_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void Qwen2MoeExperts(mod *m, const cfg *c) { stacked_experts(m, c, "num_experts", "moe_intermediate_size"); }
static void Qwen2MoeTopKRouter(mod *m, const cfg *c) {
    param(m, "weight", ZEROS, dim(c, "num_experts"), dim(c, "hidden_size"));
}
static void Qwen2MoeSparseMoeBlock(mod *m, const cfg *c) {
    sub(m, "gate", Qwen2MoeTopKRouter, c);
    sub(m, "experts", Qwen2MoeExperts, c);
    sub(m, "shared_expert", Qwen2MoeMLP, c, dim(c, "shared_expert_intermediate_size"));
    linear(m, "shared_expert_gate", dim(c, "hidden_size"), 1, false);
}
static void Qwen2MoeAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    int64_t head = known(c, "head_dim") ? dim(c, "head_dim") : d / heads;
    bool bias = flag(c, "qkv_bias");
    attention_projections(m, d, heads * head, kv_heads * head, bias, false);
    cache_keys(m, c, kv_heads, head);
}
static void Qwen2MoeDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", Qwen2MoeAttention, c);
    if (layer_has_experts(m, c, "num_experts")) sub(m, "mlp", Qwen2MoeSparseMoeBlock, c);
    else sub(m, "mlp", Qwen2MoeMLP, c, dim(c, "intermediate_size"));
    rmsnorm(m, "input_layernorm", "Qwen2MoeRMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "Qwen2MoeRMSNorm", d, eps);
}
static void Qwen2MoeModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Qwen2MoeDecoderLayer, c);
    rmsnorm(m, "norm", "Qwen2MoeRMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "Qwen2MoeRotaryEmbedding", c, false);
}
static void Qwen2MoeForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Qwen2MoeModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void Qwen2MoePreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = real(c, "initializer_range").d;
    init_weights(m, c);
    if (is_a(m, "Qwen2MoeExperts")) init_stacked_experts(m, std);
    else if (is_a(m, "Qwen2MoeTopKRouter")) init_normal(m, "weight", 0, std);
}

static const model_facts Qwen2MoePreTrainedModel = {
    .config = "Qwen2MoeConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Qwen2MoeDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .uses_experts_implementation = YES,
    .init_weights = Qwen2MoePreTrainedModel_init_weights,
};

const family family_qwen2_moe = {
    .name = "qwen2_moe",
    .configs = CONFIGS({.name = "Qwen2MoeConfig", .model_type = "qwen2_moe", .post_init = Qwen2MoeConfig,
                        .layout = LAYOUT(EXPERTS("mlp.experts", "gate_proj", "up_proj", "down_proj"))}),
    .models = MODELS({"Qwen2MoeModel", Qwen2MoeModel, .like = &Qwen2MoePreTrainedModel},
                     {"Qwen2MoeForCausalLM", Qwen2MoeForCausalLM, .like = &Qwen2MoePreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"Qwen2MoeForSequenceClassification", GenericForSequenceClassification, .like = &Qwen2MoePreTrainedModel},
                     {"Qwen2MoeForTokenClassification", GenericForTokenClassification, .like = &Qwen2MoePreTrainedModel},
                     {"Qwen2MoeForQuestionAnswering", GenericForQuestionAnswering, .like = &Qwen2MoePreTrainedModel}),
};
