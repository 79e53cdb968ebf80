/* T5: encoder-decoder with relative position bias in the first block of each stack. Mirrors models/t5, transformers 5.23.0. */
#include "../build/def.h"

static bool gated(const char *ff) { return !strncmp(ff, "gated", 5) && (ff[5] == '-' || !ff[5]); }
static void T5Config(cfg *c) {
    const char *ff = text(c, "feed_forward_proj"), *dash = strrchr(ff, '-');
    fill_int(c, "num_decoder_layers", count(c, "num_layers"), "num_layers");
    derive_text(c, "dense_act_fn", !strcmp(ff, "gated-gelu") ? "gelu_new" : dash ? dash + 1 : ff, "feed_forward_proj after its last -");
    derive_flag(c, "is_gated_act", gated(ff), "feed_forward_proj begins with gated");
    /* T5 1.1 spells "outputs are not scaled" as tie_word_embeddings: false; the embeddings are tied all the same. */
    val tie = take(c, "tie_word_embeddings");
    derive_flag(c, "scale_decoder_outputs", tie.kind != VAL_BOOL || tie.b, "tie_word_embeddings is not false");
    force_flag(c, "tie_word_embeddings", true);
}
static void validate(const cfg *c) {
    const char *ff = text(c, "feed_forward_proj"), *dash = strchr(ff, '-');
    if (dash && (!gated(ff) || strchr(dash + 1, '-')))
        refuse(c, "feed_forward_proj", "should be an activation, or gated- and an activation: \"relu\", \"gated-gelu\"");
}

static void T5DenseActDense(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model"), ff = dim(c, "d_ff");
    linear(m, "wi", d, ff, false);
    linear(m, "wo", ff, d, false);
    dropout(m, "dropout", real(c, "dropout_rate"));
    act(m, "act", c, "dense_act_fn");
}
static void T5DenseGatedActDense(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model"), ff = dim(c, "d_ff");
    linear(m, "wi_0", d, ff, false);
    linear(m, "wi_1", d, ff, false);
    linear(m, "wo", ff, d, false);
    dropout(m, "dropout", real(c, "dropout_rate"));
    act(m, "act", c, "dense_act_fn");
}
static void norm_and_dropout(mod *m, const cfg *c) {
    norm_silent(m, "layer_norm", "T5LayerNorm", dim(c, "d_model"));
    dropout(m, "dropout", real(c, "dropout_rate"));
}
static void T5LayerFF(mod *m, const cfg *c) {
    if (flag(c, "is_gated_act")) sub(m, "DenseReluDense", T5DenseGatedActDense, c);
    else sub(m, "DenseReluDense", T5DenseActDense, c);
    norm_and_dropout(m, c);
}
static void T5Attention(mod *m, const cfg *c, bool has_relative_attention_bias, bool cross) {
    int64_t d = dim(c, "d_model"), heads = dim(c, "num_heads"), head = dim(c, "d_kv"), inner = heads * head;
    linear(m, "q", d, inner, false);
    linear(m, "k", d, inner, false);
    linear(m, "v", d, inner, false);
    linear(m, "o", inner, d, false);
    if (has_relative_attention_bias)
        embedding(m, "relative_attention_bias", dim(c, "relative_attention_num_buckets"), heads, NO_PAD);
    if (!flag(c, "is_decoder")) return;
    if (cross) cache_cross(m, c, heads, head, 0);
    else cache_keys(m, c, heads, head);
}
static void T5LayerSelfAttention(mod *m, const cfg *c, bool has_relative_attention_bias) {
    sub(m, "SelfAttention", T5Attention, c, has_relative_attention_bias, false);
    norm_and_dropout(m, c);
}
static void T5LayerCrossAttention(mod *m, const cfg *c) {
    sub(m, "EncDecAttention", T5Attention, c, false, true);
    norm_and_dropout(m, c);
}
static void T5Block(mod *m, const cfg *c) {
    bool first = layer_first(m);
    mod *layer = module_list(m, "layer");
    append(layer, T5LayerSelfAttention, c, first);
    if (flag(c, "is_decoder")) append(layer, T5LayerCrossAttention, c);
    append(layer, T5LayerFF, c);
}
static void T5ClassificationHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    linear(m, "dense", d, d, true);
    dropout(m, "dropout", real(c, "classifier_dropout"));
    linear(m, "out_proj", d, num_labels(c), true);
}

static void T5Stack(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, NO_PAD);
    list(m, "block", count(c, "num_layers"), T5Block, c);
    norm_silent(m, "final_layer_norm", "T5LayerNorm", d);
    dropout(m, "dropout", real(c, "dropout_rate"));
}
static void both_stacks(mod *m, const cfg *c) {
    embedding(m, "shared", dim(c, "vocab_size"), dim(c, "d_model"), NO_PAD);
    sub(m, "encoder", T5Stack, with_flag(c, "is_decoder", false));
    const cfg *decoder = with_flag(c, "is_decoder", true);
    sub(m, "decoder", T5Stack, with_int(decoder, "num_layers", count(c, "num_decoder_layers")));
}
static void T5Model(mod *m, const cfg *c) { both_stacks(m, c); }
static void T5ForConditionalGeneration(mod *m, const cfg *c) {
    both_stacks(m, c);
    linear(m, "lm_head", dim(c, "d_model"), dim(c, "vocab_size"), false);
}
static void T5EncoderModel(mod *m, const cfg *c) {
    embedding(m, "shared", dim(c, "vocab_size"), dim(c, "d_model"), NO_PAD);
    writes(c, "use_cache", val_bool(false));
    writes(c, "is_encoder_decoder", val_bool(false));
    sub(m, "encoder", T5Stack, c); /* is_decoder stays as the config has it */
}
static void T5ForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "transformer", T5Model, c);
    sub(m, "classification_head", T5ClassificationHead, c);
}
static void T5ForTokenClassification(mod *m, const cfg *c) {
    sub(m, "transformer", T5EncoderModel, c);
    dropout(m, "dropout", real(c, "classifier_dropout"));
    linear(m, "classifier", dim(c, "hidden_size"), num_labels(c), true);
}
static void T5ForQuestionAnswering(mod *m, const cfg *c) {
    both_stacks(m, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), num_labels(c), true);
}

static void normal_and_zero(mod *m, const char *weight, const char *bias, double std) {
    init_normal(m, weight, 0, std);
    init_zeros(m, bias);
}
static void T5Attention_init(mod *m, const cfg *c, double factor) {
    double d = (double)dim(c, "d_model"), head = (double)dim(c, "d_kv"), heads = (double)dim(c, "num_heads");
    init_normal(m, "q.weight", 0, factor * pow(d * head, -0.5));
    init_normal(m, "k.weight", 0, factor * pow(d, -0.5));
    init_normal(m, "v.weight", 0, factor * pow(d, -0.5));
    init_normal(m, "o.weight", 0, factor * pow(heads * head, -0.5));
    if (has_tensor(m, "relative_attention_bias.weight")) init_normal(m, "relative_attention_bias.weight", 0, factor * pow(d, -0.5));
}
static void T5PreTrainedModel_init_weights(mod *m, const cfg *c) {
    double factor = real(c, "initializer_factor").d, d = pow((double)dim(c, "d_model"), -0.5), ff = pow((double)dim(c, "d_ff"), -0.5);
    init_weights(m, c);
    if (is_a(m, "T5LayerNorm")) init_constant(m, "weight", factor);
    else if (is_a(m, "T5Model", "T5ForConditionalGeneration", "T5EncoderModel", "T5ForQuestionAnswering")) {
        init_normal(m, "shared.weight", 0, factor);
        if (has_tensor(m, "lm_head.weight") && !flag(c, "tie_word_embeddings")) init_normal(m, "lm_head.weight", 0, factor);
        if (has_tensor(m, "qa_outputs.weight")) normal_and_zero(m, "qa_outputs.weight", "qa_outputs.bias", factor * d);
    } else if (is_a(m, "T5ForTokenClassification")) normal_and_zero(m, "classifier.weight", "classifier.bias", factor);
    else if (is_a(m, "T5ClassificationHead")) {
        normal_and_zero(m, "dense.weight", "dense.bias", factor * d);
        normal_and_zero(m, "out_proj.weight", "out_proj.bias", factor * d);
    } else if (is_a(m, "T5DenseActDense")) {
        init_normal(m, "wi.weight", 0, factor * d);
        init_normal(m, "wo.weight", 0, factor * ff);
    } else if (is_a(m, "T5DenseGatedActDense")) {
        init_normal(m, "wi_0.weight", 0, factor * d);
        init_normal(m, "wi_1.weight", 0, factor * d);
        init_normal(m, "wo.weight", 0, factor * ff);
    } else if (is_a(m, "T5Attention")) T5Attention_init(m, c, factor);
}

static const model_facts T5PreTrainedModel = {
    .config = "T5Config",
    .base_model_prefix = "transformer",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("T5Block"),
    .keep_in_fp32_modules = SET("wo"),
    .supports_flash_attn = NO, .supports_flex_attn = YES, .supports_sdpa = YES,
    .init_weights = T5PreTrainedModel_init_weights,
};
#define NO_CROSS_BIAS SET("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight")
#define ENCODER_TIE {"encoder.embed_tokens.weight", "shared.weight"}
#define DECODER_TIE {"decoder.embed_tokens.weight", "shared.weight"}

const family family_t5 = {
    .name = "t5",
    .configs = CONFIGS({.name = "T5Config", .model_type = "t5", .post_init = T5Config, .validate_architecture = validate}),
    .models = MODELS(
        {"T5Stack", T5Stack, .like = &T5PreTrainedModel},
        {"T5Model", T5Model, .like = &T5PreTrainedModel,
         .own = {.keys_to_ignore_on_load_unexpected = NO_CROSS_BIAS, .tied_weights_keys = MAP(ENCODER_TIE, DECODER_TIE)}},
        {"T5ForConditionalGeneration", T5ForConditionalGeneration, .like = &T5PreTrainedModel,
         .own = {.keys_to_ignore_on_load_unexpected = NO_CROSS_BIAS, .can_generate = YES,
          .tied_weights_keys = MAP(ENCODER_TIE, DECODER_TIE, {"lm_head.weight", "shared.weight"})}},
        {"T5EncoderModel", T5EncoderModel, .like = &T5PreTrainedModel,
         .own = {.tied_weights_keys = MAP(ENCODER_TIE), .keys_to_ignore_on_load_unexpected = SET("decoder")}},
        {"T5ForSequenceClassification", T5ForSequenceClassification, .like = &T5PreTrainedModel,
         .own = {.keys_to_ignore_on_load_unexpected = NO_CROSS_BIAS}},
        {"T5ForTokenClassification", T5ForTokenClassification, .like = &T5PreTrainedModel},
        {"T5ForQuestionAnswering", T5ForQuestionAnswering, .like = &T5PreTrainedModel,
         .own = {.keys_to_ignore_on_load_unexpected = NO_CROSS_BIAS, .tied_weights_keys = MAP(ENCODER_TIE, DECODER_TIE)}}),
};
