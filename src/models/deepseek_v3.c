/* DeepSeek-V3: multi-head latent attention, dense layers first, then mixtures of experts with a shared one.
 * Mirrors models/deepseek_v3, transformers 5.23.0. */
#include "../build/def.h"

static void DeepseekV3Config(cfg *c) {
    int64_t rotated = dim(c, "qk_rope_head_dim");
    fill_key_value_heads(c);
    derive_int(c, "qk_head_dim", dim(c, "qk_nope_head_dim") + rotated, "qk_nope_head_dim + qk_rope_head_dim");
    derive_int(c, "head_dim", rotated, "qk_rope_head_dim");
}

static void DeepseekV3RMSNorm(mod *m, const char *name, int64_t d, num eps) { rmsnorm(m, name, "DeepseekV3RMSNorm", d, eps); }
static void DeepseekV3MLP(mod *m, const cfg *c, int64_t ff) {
    int64_t d = dim(c, "hidden_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void DeepseekV3TopkRouter(mod *m, const cfg *c) {
    int64_t n = dim(c, "num_local_experts");
    param(m, "weight", ZEROS, n, dim(c, "hidden_size"));
    buffer(m, "e_score_correction_bias", ZEROS, DT_DEFAULT, PERSISTENT, n);
}
static void DeepseekV3Experts(mod *m, const cfg *c) { stacked_experts(m, c, "num_local_experts", "moe_intermediate_size"); }
static void DeepseekV3MoE(mod *m, const cfg *c) {
    sub(m, "experts", DeepseekV3Experts, c);
    sub(m, "gate", DeepseekV3TopkRouter, c);
    sub(m, "shared_experts", DeepseekV3MLP, c, dim(c, "moe_intermediate_size") * dim(c, "n_shared_experts"));
}
static void query_projections(mod *m, const cfg *c, int64_t width) {
    int64_t d = dim(c, "hidden_size");
    if (!has(c, "q_lora_rank")) {
        linear(m, "q_proj", d, width, false);
        return;
    }
    int64_t rank = dim(c, "q_lora_rank");
    linear(m, "q_a_proj", d, rank, flag(c, "attention_bias"));
    DeepseekV3RMSNorm(m, "q_a_layernorm", rank, num_f(1e-6));
    linear(m, "q_b_proj", rank, width, false);
}
static bool is_number(val v) { return v.kind == VAL_INT || v.kind == VAL_REAL || v.kind == VAL_BOOL; }
/* Rotary types other than the default one also scale the attention. */
static void check_attention_scale(const cfg *c) {
    val rope_parameters = get(c, "rope_parameters"), mscale = dict_get(rope_parameters, "mscale_all_dim");
    if (!val_true(mscale) || val_equal(dict_get(rope_parameters, "rope_type"), val_text("default"))) return;
    if (is_number(mscale) && is_number(dict_get(rope_parameters, "factor"))) return;
    refuse(c, "rope_parameters", "its mscale_all_dim and factor have to be numbers");
}
static void DeepseekV3Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), rank = dim(c, "kv_lora_rank");
    int64_t plain = dim(c, "qk_nope_head_dim"), rotated = dim(c, "qk_rope_head_dim"), v = dim(c, "v_head_dim");
    bool bias = flag(c, "attention_bias");
    dim(c, "num_key_value_heads"); /* a divisor there, so it must be one here */
    query_projections(m, c, heads * (plain + rotated));
    linear(m, "kv_a_proj_with_mqa", d, rank + rotated, bias);
    DeepseekV3RMSNorm(m, "kv_a_layernorm", rank, num_f(1e-6));
    linear(m, "kv_b_proj", rank, heads * (plain + v), false);
    linear(m, "o_proj", heads * v, d, bias);
    check_attention_scale(c);
    cache_latent(m, c, rank, rotated);
}
static void DeepseekV3DecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", DeepseekV3Attention, c);
    if (layer_from(m, count(c, "first_k_dense_replace"))) sub(m, "mlp", DeepseekV3MoE, c);
    else sub(m, "mlp", DeepseekV3MLP, c, dim(c, "intermediate_size"));
    DeepseekV3RMSNorm(m, "input_layernorm", d, eps);
    DeepseekV3RMSNorm(m, "post_attention_layernorm", d, eps);
}
static void DeepseekV3Model(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), DeepseekV3DecoderLayer, c);
    DeepseekV3RMSNorm(m, "norm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "DeepseekV3RotaryEmbedding", c, false);
}
static void DeepseekV3ForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", DeepseekV3Model, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void DeepseekV3PreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "DeepseekV3TopkRouter")) {
        init_normal(m, "weight", 0, real(c, "initializer_range").d);
        init_zeros(m, "e_score_correction_bias");
    } else if (is_a(m, "DeepseekV3Experts")) init_stacked_experts(m, real(c, "initializer_range").d);
}

static const model_facts DeepseekV3PreTrainedModel = {
    .config = "DeepseekV3Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("DeepseekV3DecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .uses_experts_implementation = YES,
    .keep_in_fp32_modules_strict = SET("e_score_correction_bias"),
    .keys_to_ignore_on_load_unexpected = SET("model\\.layers\\.61.*"),
    .init_weights = DeepseekV3PreTrainedModel_init_weights,
};

const family family_deepseek_v3 = {
    .name = "deepseek_v3",
    .configs = CONFIGS({.name = "DeepseekV3Config", .model_type = "deepseek_v3", .post_init = DeepseekV3Config,
                        .layout = LAYOUT(EXPERTS("mlp.experts", "gate_proj", "up_proj", "down_proj"))}),
    .models = MODELS({"DeepseekV3Model", DeepseekV3Model, .like = &DeepseekV3PreTrainedModel},
                     {"DeepseekV3ForCausalLM", DeepseekV3ForCausalLM, .like = &DeepseekV3PreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"DeepseekV3ForSequenceClassification", GenericForSequenceClassification, .like = &DeepseekV3PreTrainedModel},
                     {"DeepseekV3ForTokenClassification", GenericForTokenClassification, .like = &DeepseekV3PreTrainedModel}),
};
