/* Qwen3-Next: gated delta nets with full attention every fourth layer, gated itself, and experts beside a shared one.
 * Mirrors models/qwen3_next, transformers 5.23.0. */
#include "../build/def.h"

static void Qwen3NextConfig(cfg *c) {
    leftover_or(c, "partial_rotary_factor", val_real(0.25));
    if (!has(c, "mlp_only_layers")) put(c, "mlp_only_layers", list_new(c, NULL, 0), "none");
    if (has(c, "layer_types")) return;
    val period = take(c, "full_attention_interval");
    alternate_layer_types(c, period.kind == VAL_ABSENT ? val_int(4) : period, "full_attention_interval", 1, "linear_attention");
}

static void Qwen3NextRMSNorm(mod *m, const char *name, int64_t d, const cfg *c) {
    rmsnorm_zeros(m, name, "Qwen3NextRMSNorm", d, real(c, "rms_norm_eps"));
}
/* q_proj makes a gate for every head as well. */
static void Qwen3NextAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), head = dim(c, "head_dim");
    int64_t heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    bool bias = flag(c, "attention_bias");
    linear(m, "q_proj", d, times(2, heads * head), bias);
    linear(m, "k_proj", d, kv_heads * head, bias);
    linear(m, "v_proj", d, kv_heads * head, bias);
    linear(m, "o_proj", heads * head, d, bias);
    Qwen3NextRMSNorm(m, "q_norm", head, c);
    Qwen3NextRMSNorm(m, "k_norm", head, c);
    cache_keys(m, c, kv_heads, head);
}
static void Qwen3NextGatedDeltaNet(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), kernel = dim(c, "linear_conv_kernel_dim"), heads = dim(c, "linear_num_value_heads");
    int64_t head_k = dim(c, "linear_key_head_dim"), head_v = dim(c, "linear_value_head_dim");
    int64_t keys = head_k * dim(c, "linear_num_key_heads"), values = head_v * heads, channels = plus(times(2, keys), values);
    conv1d(m, "conv1d", channels, channels, .kernel = SIZE1(kernel), .groups = channels, .padding = SIZE1(kernel - 1), .no_bias = true);
    linear(m, "in_proj_qkvz", d, plus(channels, values), false);
    linear(m, "in_proj_ba", d, times(2, heads), false);
    param(m, "dt_bias", ONES, heads);
    param(m, "A_log", UNIFORM(0.01, 16), heads);
    norm_silent(m, "norm", "Qwen3NextRMSNormGated", head_v);
    linear(m, "out_proj", values, d, false);
    cache_state(m, times(channels, kernel), times(values, head_k));
}
static void Qwen3NextMLP(mod *m, const cfg *c, const char *size) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, size);
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void Qwen3NextExperts(mod *m, const cfg *c) { stacked_experts(m, c, "num_experts", "moe_intermediate_size"); }
static void Qwen3NextTopKRouter(mod *m, const cfg *c) {
    param(m, "weight", ZEROS, dim(c, "num_experts"), dim(c, "hidden_size"));
}
static void Qwen3NextSparseMoeBlock(mod *m, const cfg *c) {
    sub(m, "gate", Qwen3NextTopKRouter, c);
    sub(m, "experts", Qwen3NextExperts, c);
    sub_as(m, "shared_expert", "Qwen3NextMLP", Qwen3NextMLP, c, "shared_expert_intermediate_size");
    linear(m, "shared_expert_gate", dim(c, "hidden_size"), 1, false);
}
static void Qwen3NextDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    const char *kind = layer_text(m, c, "layer_types");
    if (!strcmp(kind, "linear_attention")) sub(m, "linear_attn", Qwen3NextGatedDeltaNet, c);
    else if (!strcmp(kind, "full_attention")) sub(m, "self_attn", Qwen3NextAttention, c);
    if (layer_has_experts(m, c, "num_experts")) sub(m, "mlp", Qwen3NextSparseMoeBlock, c);
    else sub_as(m, "mlp", "Qwen3NextMLP", Qwen3NextMLP, c, "intermediate_size");
    Qwen3NextRMSNorm(m, "input_layernorm", d, c);
    Qwen3NextRMSNorm(m, "post_attention_layernorm", d, c);
}
static void Qwen3NextModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Qwen3NextDecoderLayer, c);
    Qwen3NextRMSNorm(m, "norm", d, c);
    rotary(m, "rotary_emb", "Qwen3NextRotaryEmbedding", c, true);
}
static void Qwen3NextForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Qwen3NextModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void Qwen3NextPreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = real(c, "initializer_range").d;
    init_weights(m, c);
    if (is_a(m, "Qwen3NextGatedDeltaNet")) {
        init_ones(m, "dt_bias");
        init_made(m, "A_log", mapped(m, UNIFORM(0.01, 16), DT_DEFAULT, THEN_LOG));
    } else if (is_a(m, "Qwen3NextRMSNorm")) init_zeros(m, "weight");
    else if (is_a(m, "Qwen3NextExperts")) init_stacked_experts(m, std);
    else if (is_a(m, "Qwen3NextSparseMoeBlock")) init_normal(m, "gate.weight", 0, std);
}

static const model_facts Qwen3NextPreTrainedModel = {
    .config = "Qwen3NextConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Qwen3NextDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .keys_to_ignore_on_load_unexpected = SET("^mtp.*"),
    .supports_flash_attn = YES, .supports_sdpa = YES,
    .uses_experts_implementation = YES,
    .init_weights = Qwen3NextPreTrainedModel_init_weights,
};

const family family_qwen3_next = {
    .name = "qwen3_next",
    .configs = CONFIGS({.name = "Qwen3NextConfig",
                        .model_type = "qwen3_next",
                        .post_init = Qwen3NextConfig,
                        .layout = LAYOUT(EXPERTS("mlp.experts", "gate_proj", "up_proj", "down_proj"))}),
    .models = MODELS({"Qwen3NextModel", Qwen3NextModel, .like = &Qwen3NextPreTrainedModel},
                     {"Qwen3NextForCausalLM", Qwen3NextForCausalLM, .like = &Qwen3NextPreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"Qwen3NextForSequenceClassification", GenericForSequenceClassification, .like = &Qwen3NextPreTrainedModel},
                     {"Qwen3NextForTokenClassification", GenericForTokenClassification, .like = &Qwen3NextPreTrainedModel},
                     {"Qwen3NextForQuestionAnswering", GenericForQuestionAnswering, .like = &Qwen3NextPreTrainedModel,
                      .own = {.base_model_prefix = "transformer"}}),
};
