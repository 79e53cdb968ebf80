/* Falcon: one, some or all heads' keys, attention and MLP side by side, rotary or ALiBi (which has no tensors). Mirrors
 * models/falcon, transformers 5.23.0. */
#include "../build/def.h"

static void FalconConfig(cfg *c) {
    val d = take(c, "n_embed"); /* the old spelling of hidden_size, and the stronger one */
    if (val_given(d)) put_legacy(c, "hidden_size", d, "n_embed");
    fill_int(c, "num_kv_heads", dim(c, "num_attention_heads"), "num_attention_heads");
    fill_int(c, "ffn_hidden_size", 4 * dim(c, "hidden_size"), "4 * hidden_size");
}

static void FalconLinear(mod *m, const char *name, const cfg *c, int64_t in, int64_t out) {
    linear_as(m, name, "FalconLinear", in, out, flag(c, "bias"));
}
static void FalconAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), head = d / heads, kv_heads = dim(c, "num_kv_heads");
    bool grouped = flag(c, "new_decoder_architecture"), shared = flag(c, "multi_query");
    if (d % heads) refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    FalconLinear(m, "query_key_value", c, d, grouped ? (2 * kv_heads + heads) * head : shared ? d + 2 * head : 3 * d);
    FalconLinear(m, "dense", c, d, d);
    dropout(m, "attention_dropout", real(c, "attention_dropout"));
    cache_keys(m, c, grouped ? heads : shared ? 1 : kv_heads, head); /* groups are spread over all heads before they are kept */
}
static void FalconMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "ffn_hidden_size");
    FalconLinear(m, "dense_h_to_4h", c, d, ff);
    act(m, "act", c, "activation");
    FalconLinear(m, "dense_4h_to_h", c, ff, d);
}
static void FalconDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real_or_none(c, "layer_norm_epsilon");
    val norms = get(c, "num_ln_in_parallel_attn");
    sub_as(m, "self_attention", flash_attention(c) ? "FalconFlashAttention2" : "FalconAttention", FalconAttention, c);
    sub(m, "mlp", FalconMLP, c);
    if (!val_given(norms) && flag(c, "new_decoder_architecture")) {
        norms = val_int(2);
        writes(c, "num_ln_in_parallel_attn", norms);
    }
    if (!flag(c, "parallel_attn")) layernorm(m, "post_attention_layernorm", d, eps);
    if (flag(c, "parallel_attn") && val_equal(norms, val_int(2))) {
        layernorm(m, "ln_attn", d, eps);
        layernorm(m, "ln_mlp", d, eps);
    } else layernorm(m, "input_layernorm", d, eps);
}
static void FalconModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "word_embeddings", dim(c, "vocab_size"), d, NO_PAD);
    list(m, "h", count(c, "num_hidden_layers"), FalconDecoderLayer, c);
    layernorm(m, "ln_f", d, real_or_none(c, "layer_norm_epsilon"));
    rotary(m, "rotary_emb", "FalconRotaryEmbedding", c, false);
}
static void FalconForCausalLM(mod *m, const cfg *c) {
    sub(m, "transformer", FalconModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}
static void FalconForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "transformer", FalconModel, c);
    linear(m, "score", dim(c, "hidden_size"), num_labels(c), false);
}
static void FalconForTokenClassification(mod *m, const cfg *c) {
    sub(m, "transformer", FalconModel, c);
    token_classifier(m, c);
}
static void FalconForQuestionAnswering(mod *m, const cfg *c) {
    sub(m, "transformer", FalconModel, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), 2, true);
}

static void FalconPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (!is_a(m, "FalconLinear")) return;
    init_normal(m, "weight", 0, real(c, "initializer_range").d);
    if (has_tensor(m, "bias")) init_zeros(m, "bias");
}

static const model_facts FalconPreTrainedModel = {
    .config = "FalconConfig",
    .base_model_prefix = "transformer",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("FalconDecoderLayer"),
    .supports_flash_attn = YES, .supports_sdpa = YES,
    .init_weights = FalconPreTrainedModel_init_weights,
};
static val FalconConfig_computed(cfg *c, const char *key) {
    if (same_word(key, "head_dim")) return val_int(whole(c, "hidden_size") / dim(c, "num_attention_heads"));
    return same_word(key, "rotary") ? val_bool(!flag(c, "alibi")) : (val){0};
}

const family family_falcon = {
    .name = "falcon",
    .configs = CONFIGS({.name = "FalconConfig", .model_type = "falcon", .post_init = FalconConfig, .computed = FalconConfig_computed}),
    .models = MODELS(
        {"FalconModel", FalconModel, .like = &FalconPreTrainedModel},
        {"FalconForCausalLM", FalconForCausalLM, .like = &FalconPreTrainedModel,
         .own = {.can_generate = YES, .tied_weights_keys = MAP({"lm_head.weight", "transformer.word_embeddings.weight"})}},
        {"FalconForSequenceClassification", FalconForSequenceClassification, .like = &FalconPreTrainedModel},
        {"FalconForTokenClassification", FalconForTokenClassification, .like = &FalconPreTrainedModel},
        {"FalconForQuestionAnswering", FalconForQuestionAnswering, .like = &FalconPreTrainedModel}),
};
