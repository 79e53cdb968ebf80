/* MiniMax-M2: Mixtral whose queries and keys are normed over all heads at once, with a bias on the choice of experts; a part of each
 * head turns. Mirrors models/minimax_m2, transformers 5.23.0. */
#include "../build/def.h"

/* Published files say how much of a head turns in numbers of it. */
static void MiniMaxM2Config(cfg *c) {
    double turned, head = (double)whole(c, "head_dim");
    val rotary_dim = leftover(c, "rotary_dim");
    if (!val_given(rotary_dim)) return;
    if (!val_number(rotary_dim, &turned) || head == 0) refuse(c, "rotary_dim", "should be a number of the head_dim that a head has");
    else leftover_or(c, "partial_rotary_factor", val_real(turned / head));
}

static void MiniMaxM2RMSNorm(mod *m, const char *name, int64_t d, const cfg *c) {
    rmsnorm(m, name, "MiniMaxM2RMSNorm", d, real(c, "rms_norm_eps"));
}
static void MiniMaxM2Experts(mod *m, const cfg *c) { stacked_experts(m, c, "num_local_experts", "intermediate_size"); }
static void MiniMaxM2TopKRouter(mod *m, const cfg *c) {
    param(m, "weight", EMPTY, dim(c, "num_local_experts"), dim(c, "hidden_size"));
}
static void MiniMaxM2SparseMoeBlock(mod *m, const cfg *c) {
    sub(m, "gate", MiniMaxM2TopKRouter, c);
    sub(m, "experts", MiniMaxM2Experts, c);
    buffer(m, "e_score_correction_bias", ZEROS, DT_DEFAULT, PERSISTENT, dim(c, "num_local_experts"));
}
static void MiniMaxM2Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    int64_t head = known(c, "head_dim") ? dim(c, "head_dim") : d / heads;
    attention_projections(m, d, heads * head, kv_heads * head, false, false);
    MiniMaxM2RMSNorm(m, "q_norm", heads * head, c);
    MiniMaxM2RMSNorm(m, "k_norm", kv_heads * head, c);
    cache_keys(m, c, kv_heads, head);
}
static void MiniMaxM2DecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    sub(m, "self_attn", MiniMaxM2Attention, c);
    sub(m, "mlp", MiniMaxM2SparseMoeBlock, c);
    MiniMaxM2RMSNorm(m, "input_layernorm", d, c);
    MiniMaxM2RMSNorm(m, "post_attention_layernorm", d, c);
}
static void MiniMaxM2Model(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), MiniMaxM2DecoderLayer, c);
    MiniMaxM2RMSNorm(m, "norm", d, c);
    rotary(m, "rotary_emb", "MiniMaxM2RotaryEmbedding", c, true);
}
static void MiniMaxM2ForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", MiniMaxM2Model, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void MiniMaxM2PreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = real(c, "initializer_range").d;
    init_weights(m, c);
    if (is_a(m, "MiniMaxM2Experts")) init_stacked_experts(m, std);
    else if (is_a(m, "MiniMaxM2TopKRouter")) init_normal(m, "weight", 0, std);
    else if (is_a(m, "MiniMaxM2SparseMoeBlock")) init_zeros(m, "e_score_correction_bias");
}

static const model_facts MiniMaxM2PreTrainedModel = {
    .config = "MiniMaxM2Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("MiniMaxM2DecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .uses_experts_implementation = YES,
    .init_weights = MiniMaxM2PreTrainedModel_init_weights,
};

const family family_minimax_m2 = {
    .name = "minimax_m2",
    .configs = CONFIGS({.name = "MiniMaxM2Config", .model_type = "minimax_m2", .post_init = MiniMaxM2Config,
                        .layout = LAYOUT(RENAME(".block_sparse_moe.", ".mlp."), EXPERTS(".experts", "w1", "w3", "w2"),
                                         RENAME(".block_sparse_moe.e_score_correction_bias", ".mlp.e_score_correction_bias"))}),
    .models = MODELS({"MiniMaxM2Model", MiniMaxM2Model, .like = &MiniMaxM2PreTrainedModel},
                     {"MiniMaxM2ForCausalLM", MiniMaxM2ForCausalLM, .like = &MiniMaxM2PreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}}),
};
