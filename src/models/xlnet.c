/* XLNet: relative attention over two streams, with weights of shape (d_model, heads, d_head) that are made in float32 under any dtype.
 * Mirrors models/xlnet, transformers 5.23.0. */
#include "../build/def.h"

static void XLNetConfig(cfg *c) {
    if (!flag(c, "d_head")) put(c, "d_head", val_int(dim(c, "d_model") / dim(c, "n_head")), "d_model / n_head");
    if (leftover(c, "max_position_embeddings").kind != VAL_ABSENT)
        refuse(c, "max_position_embeddings", "cannot be set: positions are relative, and there is no longest text");
}
static void validate(const cfg *c) {
    int64_t d = dim(c, "d_model"), heads = dim(c, "n_head");
    if (d % heads) refuse(c, "n_head", "should divide d_model, which is %lld", (long long)d);
    if (whole(c, "d_head") != d / heads) refuse(c, "d_head", "should be d_model / n_head, which is %lld", (long long)(d / heads));
}

static void head_param(mod *m, const char *name, int64_t n, int64_t heads, int64_t head) {
    in_dtype(param(m, name, EMPTY, n, heads, head), DT_F32);
}
static void XLNetRelativeAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model"), heads = dim(c, "n_head"), head = dim(c, "d_head");
    if (d % heads) refuse(c, "n_head", "should divide d_model, which is %lld", (long long)d);
    head_param(m, "q", d, heads, head);
    head_param(m, "k", d, heads, head);
    head_param(m, "v", d, heads, head);
    head_param(m, "o", d, heads, head);
    head_param(m, "r", d, heads, head);
    in_dtype(param(m, "r_r_bias", EMPTY, heads, head), DT_F32);
    in_dtype(param(m, "r_s_bias", EMPTY, heads, head), DT_F32);
    in_dtype(param(m, "r_w_bias", EMPTY, heads, head), DT_F32);
    head_param(m, "seg_embed", 2, heads, head);
    layernorm(m, "layer_norm", d, real(c, "layer_norm_eps"));
    dropout(m, "dropout", real(c, "dropout"));
}
static void XLNetFeedForward(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model"), inner = dim(c, "d_inner");
    layernorm(m, "layer_norm", d, real(c, "layer_norm_eps"));
    linear(m, "layer_1", d, inner, true);
    linear(m, "layer_2", inner, d, true);
    dropout(m, "dropout", real(c, "dropout"));
    act(m, "activation_function", c, "ff_activation");
}
static void XLNetLayer(mod *m, const cfg *c) {
    sub(m, "rel_attn", XLNetRelativeAttention, c);
    sub(m, "ff", XLNetFeedForward, c);
    dropout(m, "dropout", real(c, "dropout"));
}
static void XLNetPoolerStartLogits(mod *m, const cfg *c) { linear(m, "dense", dim(c, "hidden_size"), 1, true); }
static void XLNetPoolerEndLogits(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense_0", 2 * d, d, true);
    activation(m, "activation", "Tanh");
    layernorm(m, "LayerNorm", d, real(c, "layer_norm_eps"));
    linear(m, "dense_1", d, 1, true);
}
static void XLNetPoolerAnswerClass(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense_0", 2 * d, d, true);
    activation(m, "activation", "Tanh");
    linear(m, "dense_1", d, 1, false);
}
static void XLNetSequenceSummary(mod *m, const cfg *c) { sequence_summary(m, c, num_labels(c)); }

static void XLNetModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    embedding(m, "word_embedding", dim(c, "vocab_size"), d, NO_PAD);
    in_dtype(param(m, "mask_emb", EMPTY, 1, 1, d), DT_F32);
    list(m, "layer", count(c, "n_layer"), XLNetLayer, c);
    dropout(m, "dropout", real(c, "dropout"));
}
static void XLNetLMHeadModel(mod *m, const cfg *c) {
    sub(m, "transformer", XLNetModel, c);
    linear(m, "lm_loss", dim(c, "d_model"), dim(c, "vocab_size"), true);
}
static void summarised(mod *m, const cfg *c, int64_t labels) {
    sub(m, "transformer", XLNetModel, c);
    sub(m, "sequence_summary", XLNetSequenceSummary, c);
    linear(m, "logits_proj", dim(c, "d_model"), labels, true);
}
static void XLNetForSequenceClassification(mod *m, const cfg *c) { summarised(m, c, num_labels(c)); }
static void XLNetForMultipleChoice(mod *m, const cfg *c) { summarised(m, c, 1); }
static void XLNetForTokenClassification(mod *m, const cfg *c) {
    sub(m, "transformer", XLNetModel, c);
    linear(m, "classifier", dim(c, "hidden_size"), num_labels(c), true);
}
static void XLNetForQuestionAnsweringSimple(mod *m, const cfg *c) {
    sub(m, "transformer", XLNetModel, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), num_labels(c), true);
}
static void XLNetForQuestionAnswering(mod *m, const cfg *c) {
    sub(m, "transformer", XLNetModel, c);
    sub(m, "start_logits", XLNetPoolerStartLogits, c);
    sub(m, "end_logits", XLNetPoolerEndLogits, c);
    sub(m, "answer_class", XLNetPoolerAnswerClass, c);
}

static void XLNetPreTrainedModel_init_weights(mod *m, const cfg *c) {
    static const char *const drawn[] = {"q", "k", "v", "o", "r", "r_r_bias", "r_s_bias", "r_w_bias", "seg_embed"};
    double std = real(c, "initializer_range").d;
    init_weights(m, c);
    if (is_a(m, "XLNetRelativeAttention")) {
        for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) init_normal(m, drawn[i], 0, std);
    } else if (is_a(m, "XLNetModel")) init_normal(m, "mask_emb", 0, std);
}

static const model_facts XLNetPreTrainedModel = {
    .config = "XLNetConfig",
    .base_model_prefix = "transformer",
    .init_weights = XLNetPreTrainedModel_init_weights,
};

const family family_xlnet = {
    .name = "xlnet",
    .configs = CONFIGS({.name = "XLNetConfig", .model_type = "xlnet", .post_init = XLNetConfig, .validate_architecture = validate}),
    .models = MODELS(
        {"XLNetModel", XLNetModel, .like = &XLNetPreTrainedModel},
        {"XLNetLMHeadModel", XLNetLMHeadModel, .like = &XLNetPreTrainedModel,
         .own = {.can_generate = YES, .tied_weights_keys = MAP({"lm_loss.weight", "transformer.word_embedding.weight"})}},
        {"XLNetForSequenceClassification", XLNetForSequenceClassification, .like = &XLNetPreTrainedModel},
        {"XLNetForTokenClassification", XLNetForTokenClassification, .like = &XLNetPreTrainedModel},
        {"XLNetForMultipleChoice", XLNetForMultipleChoice, .like = &XLNetPreTrainedModel},
        {"XLNetForQuestionAnsweringSimple", XLNetForQuestionAnsweringSimple, .like = &XLNetPreTrainedModel},
        {"XLNetForQuestionAnswering", XLNetForQuestionAnswering, .like = &XLNetPreTrainedModel}),
};
