/* BLOOM: decoder with ALiBi (no position table), fused query_key_value. Mirrors models/bloom, transformers 5.23.0. */
#include "../build/def.h"

static void BloomConfig(cfg *c) {
    val d = take(c, "n_embed"); /* the old spelling of hidden_size, and the stronger one */
    if (d.kind != VAL_ABSENT && d.kind != VAL_NULL) put_legacy(c, "hidden_size", d, "n_embed");
}
static void BloomAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "n_head");
    if (d % heads) refuse(c, "n_head", "should divide hidden_size, which is %lld", (long long)d);
    linear(m, "query_key_value", d, 3 * d, true);
    linear(m, "dense", d, d, true);
    dropout(m, "attention_dropout", real(c, "attention_dropout"));
    cache_keys(m, c, heads, d / heads);
}
static void BloomMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense_h_to_4h", d, 4 * d, true);
    done(child(m, "gelu_impl", "BloomGelu"));
    linear(m, "dense_4h_to_h", 4 * d, d, true);
}
static void BloomBlock(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_epsilon");
    layernorm(m, "input_layernorm", d, eps);
    sub(m, "self_attention", BloomAttention, c);
    layernorm(m, "post_attention_layernorm", d, eps);
    sub(m, "mlp", BloomMLP, c);
}

static void BloomModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_epsilon");
    embedding(m, "word_embeddings", dim(c, "vocab_size"), d, NO_PAD);
    layernorm(m, "word_embeddings_layernorm", d, eps);
    list(m, "h", count(c, "num_hidden_layers"), BloomBlock, c);
    layernorm(m, "ln_f", d, eps);
}
static void BloomForCausalLM(mod *m, const cfg *c) {
    sub(m, "transformer", BloomModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}
static void BloomForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "transformer", BloomModel, c);
    linear(m, "score", dim(c, "hidden_size"), num_labels(c), false);
}
static void BloomForTokenClassification(mod *m, const cfg *c) {
    sub(m, "transformer", BloomModel, c);
    token_classifier(m, c);
}
static void BloomForQuestionAnswering(mod *m, const cfg *c) {
    sub(m, "transformer", BloomModel, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), 2, true);
}

static const model_facts BloomPreTrainedModel = {
    .config = "BloomConfig",
    .base_model_prefix = "transformer",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("BloomBlock"),
    .skip_keys_device_placement = SET("past_key_values"),
};
#define TIES MAP({"lm_head.weight", "transformer.word_embeddings.weight"})

const family family_bloom = {
    .name = "bloom",
    .configs = CONFIGS({.name = "BloomConfig", .model_type = "bloom", .post_init = BloomConfig}),
    .models = MODELS(
        {"BloomModel", BloomModel, .like = &BloomPreTrainedModel},
        {"BloomForCausalLM", BloomForCausalLM, .like = &BloomPreTrainedModel, .own = {.tied_weights_keys = TIES, .can_generate = YES}},
        {"BloomForSequenceClassification", BloomForSequenceClassification, .like = &BloomPreTrainedModel},
        {"BloomForTokenClassification", BloomForTokenClassification, .like = &BloomPreTrainedModel},
        {"BloomForQuestionAnswering", BloomForQuestionAnswering, .like = &BloomPreTrainedModel}),
};
