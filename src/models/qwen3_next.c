/* Qwen3-Next: gated delta nets with full attention every fourth layer, gated itself, and experts beside a shared one.
 * Mirrors models/qwen3_next, transformers 5.23.0. */
#include "../build/def.h"

/* Python's i % period == 0, for any number. */
static bool divides(val period, int64_t i) {
    if (period.kind == VAL_INT) return i % period.i == 0;
    return period.kind == VAL_BOOL || fmod((double)i, period.d) == 0;
}
static void alternate_layer_types(cfg *c) {
    val period = take(c, "full_attention_interval");
    int64_t n = count(c, "num_hidden_layers");
    if (period.kind == VAL_ABSENT) period = val_int(4);
    bool is_number = period.kind == VAL_INT || period.kind == VAL_BOOL || period.kind == VAL_REAL;
    if (n > 0 && (!is_number || !val_true(period))) {
        refuse(c, NULL, "without layer_types, full_attention_interval has to be a number other than 0");
        return;
    }
    val *types = list_room(c, "num_hidden_layers", &n);
    for (int64_t i = 0; i < n; i++) types[i] = val_text(divides(period, i + 1) ? "full_attention" : "linear_attention");
    put(c, "layer_types", list_in(types, n), "full_attention every full_attention_interval layers");
}
static void Qwen3NextConfig(cfg *c) {
    leftover_or(c, "partial_rotary_factor", val_real(0.25));
    if (!has(c, "mlp_only_layers")) put(c, "mlp_only_layers", list_new(c, NULL, 0), "none");
    if (!has(c, "layer_types")) alternate_layer_types(c);
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
    int64_t keys = head_k * dim(c, "linear_num_key_heads"), values = head_v * heads, channels = times(2, keys) + values;
    conv1d(m, "conv1d", channels, channels, .kernel = SIZE1(kernel), .groups = channels, .padding = SIZE1(kernel - 1), .no_bias = true);
    linear(m, "in_proj_qkvz", d, channels + values, false);
    linear(m, "in_proj_ba", d, times(2, heads), false);
    param(m, "dt_bias", ONES, heads);
    param(m, "A_log", UNIFORM(0.01, 16), heads);
    norm_silent(m, "norm", "Qwen3NextRMSNormGated", head_v);
    linear(m, "out_proj", values, d, false);
    cache_state(m, times(channels, kernel), times(values, head_k));
}
static void Qwen3NextMLP(mod *m, const cfg *c, const char *size) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, size);
    linear(m, "gate_proj", d, ff, false);
    linear(m, "up_proj", d, ff, false);
    linear(m, "down_proj", ff, d, false);
    act(m, "act_fn", c, "hidden_act");
}
static void Qwen3NextExperts(mod *m, const cfg *c) {
    int64_t n = dim(c, "num_experts"), d = dim(c, "hidden_size"), ff = dim(c, "moe_intermediate_size");
    param(m, "gate_up_proj", EMPTY, n, times(2, ff), d);
    param(m, "down_proj", EMPTY, n, d, ff);
    routed(m, c, "num_experts_per_tok", n);
    act(m, "act_fn", c, "hidden_act");
}
static void Qwen3NextTopKRouter(mod *m, const cfg *c) {
    param(m, "weight", ZEROS, dim(c, "num_experts"), dim(c, "hidden_size"));
}
static void Qwen3NextSparseMoeBlock(mod *m, const cfg *c) {
    sub(m, "gate", Qwen3NextTopKRouter, c);
    sub(m, "experts", Qwen3NextExperts, c);
    sub_as(m, "shared_expert", "Qwen3NextMLP", Qwen3NextMLP, c, "shared_expert_intermediate_size");
    linear(m, "shared_expert_gate", dim(c, "hidden_size"), 1, false);
}
static bool has_experts(mod *m, const cfg *c) {
    if (layer_in(m, c, "mlp_only_layers") || whole(c, "num_experts") <= 0) return false;
    int64_t step = dim(c, "decoder_sparse_step");
    return layer_mod(m, step) == step - 1;
}
static void Qwen3NextDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    const char *kind = layer_text(m, c, "layer_types");
    if (!strcmp(kind, "linear_attention")) sub(m, "linear_attn", Qwen3NextGatedDeltaNet, c);
    else if (!strcmp(kind, "full_attention")) sub(m, "self_attn", Qwen3NextAttention, c);
    if (has_experts(m, c)) sub(m, "mlp", Qwen3NextSparseMoeBlock, c);
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
    else if (is_a(m, "Qwen3NextExperts")) {
        init_normal(m, "gate_up_proj", 0, std);
        init_normal(m, "down_proj", 0, std);
    } else if (is_a(m, "Qwen3NextSparseMoeBlock")) init_normal(m, "gate.weight", 0, std);
}

static const model_facts Qwen3NextPreTrainedModel = {
    .config = "Qwen3NextConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Qwen3NextDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .keys_to_ignore_on_load_unexpected = SET("^mtp.*"),
    .supports_flash_attn = YES,
    .supports_sdpa = YES,
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
                      .own = {.can_generate = YES,
                              .tied_weights_keys = MAP({"lm_head.weight", "model.embed_tokens.weight"}),
                              .tp_plan = MAP({"lm_head", "colwise_gather_output"}),
                              .pp_plan = SET("lm_head")}},
                     {"Qwen3NextForSequenceClassification", GenericForSequenceClassification, .like = &Qwen3NextPreTrainedModel},
                     {"Qwen3NextForTokenClassification", GenericForTokenClassification, .like = &Qwen3NextPreTrainedModel},
                     {"Qwen3NextForQuestionAnswering", GenericForQuestionAnswering, .like = &Qwen3NextPreTrainedModel,
                      .own = {.base_model_prefix = "transformer"}}),
};
