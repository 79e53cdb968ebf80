/* GLM-4.5: half of every head rotates, dense layers first, then mixtures of experts with a shared one.
 * Mirrors models/glm4_moe, transformers 5.23.0. */
#include "../build/def.h"

static void Glm4MoeConfig(cfg *c) { leftover_or(c, "partial_rotary_factor", val_real(0.5)); }

static void Glm4MoeRMSNorm(mod *m, const char *name, int64_t d, num eps) { rmsnorm(m, name, "Glm4MoeRMSNorm", d, eps); }
static void Glm4MoeMLP(mod *m, const cfg *c, int64_t ff) {
    int64_t d = dim(c, "hidden_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void Glm4MoeTopkRouter(mod *m, const cfg *c) {
    int64_t n = dim(c, "num_local_experts");
    param(m, "weight", ZEROS, n, dim(c, "hidden_size"));
    buffer(m, "e_score_correction_bias", ZEROS, DT_F32, PERSISTENT, n);
}
static void Glm4MoeExperts(mod *m, const cfg *c) { stacked_experts(m, c, "num_local_experts", "moe_intermediate_size"); }
static void Glm4MoeMoE(mod *m, const cfg *c) {
    sub(m, "experts", Glm4MoeExperts, c);
    sub(m, "gate", Glm4MoeTopkRouter, c);
    sub(m, "shared_experts", Glm4MoeMLP, c, dim(c, "moe_intermediate_size") * dim(c, "n_shared_experts"));
}
static void Glm4MoeAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    int64_t head = known(c, "head_dim") ? dim(c, "head_dim") : d / heads;
    bool bias = flag(c, "attention_bias");
    num eps = real(c, "rms_norm_eps");
    attention_projections(m, d, heads * head, kv_heads * head, bias, false);
    if (flag(c, "use_qk_norm")) {
        Glm4MoeRMSNorm(m, "q_norm", head, eps);
        Glm4MoeRMSNorm(m, "k_norm", head, eps);
    }
    cache_keys(m, c, kv_heads, head);
}
static void Glm4MoeDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", Glm4MoeAttention, c);
    if (layer_from(m, whole(c, "first_k_dense_replace"))) sub(m, "mlp", Glm4MoeMoE, c);
    else sub(m, "mlp", Glm4MoeMLP, c, dim(c, "intermediate_size"));
    Glm4MoeRMSNorm(m, "input_layernorm", d, eps);
    Glm4MoeRMSNorm(m, "post_attention_layernorm", d, eps);
}
static void Glm4MoeModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Glm4MoeDecoderLayer, c);
    Glm4MoeRMSNorm(m, "norm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "Glm4MoeRotaryEmbedding", c, true);
}
static void Glm4MoeForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Glm4MoeModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void Glm4MoePreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "Glm4MoeTopkRouter")) {
        init_normal(m, "weight", 0, real(c, "initializer_range").d);
        init_zeros(m, "e_score_correction_bias");
    } else if (is_a(m, "Glm4MoeExperts")) init_stacked_experts(m, real(c, "initializer_range").d);
}

static const model_facts Glm4MoePreTrainedModel = {
    .config = "Glm4MoeConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Glm4MoeDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .uses_experts_implementation = YES,
    .keep_in_fp32_modules_strict = SET("e_score_correction_bias"),
    .keys_to_ignore_on_load_unexpected = SET("model\\.layers\\.92.*", "model\\.layers\\.46.*"),
    .init_weights = Glm4MoePreTrainedModel_init_weights,
};

const family family_glm4_moe = {
    .name = "glm4_moe",
    .configs = CONFIGS({.name = "Glm4MoeConfig", .model_type = "glm4_moe", .post_init = Glm4MoeConfig,
                        .layout = LAYOUT(EXPERTS("mlp.experts", "gate_proj", "up_proj", "down_proj"))}),
    .models = MODELS({"Glm4MoeModel", Glm4MoeModel, .like = &Glm4MoePreTrainedModel},
                     {"Glm4MoeForCausalLM", Glm4MoeForCausalLM, .like = &Glm4MoePreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}}),
};
