/* BERT: post-norm encoder, absolute positions, two pretraining heads; a decoder with cross attention where the config says so.
 * Mirrors models/bert, transformers 5.23.0. */
#include "../build/def.h"

static void BertEmbeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), positions = dim(c, "max_position_embeddings");
    embedding(m, "word_embeddings", dim(c, "vocab_size"), d, pad(c));
    embedding(m, "position_embeddings", positions, d, NO_PAD);
    embedding(m, "token_type_embeddings", dim(c, "type_vocab_size"), d, NO_PAD);
    layernorm(m, "LayerNorm", d, real(c, "layer_norm_eps"));
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
    buffer(m, "position_ids", ARANGE, DT_I64, TRANSIENT, 1, positions);
    buffer(m, "token_type_ids", ZEROS, DT_I64, TRANSIENT, 1, positions);
}
static void bert_attention(mod *m, const cfg *c, bool cross) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    if (d % heads && !known(c, "embedding_size"))
        refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    int64_t all = d / heads * heads; /* less than d only where the config has an embedding_size */
    linear(m, "query", d, all, true);
    linear(m, "key", d, all, true);
    linear(m, "value", d, all, true);
    dropout(m, "dropout", real(c, "attention_probs_dropout_prob"));
    if (!flag_or(c, "is_decoder", false)) return;
    if (cross) cache_cross(m, c, heads, d / heads, 0);
    else cache_keys(m, c, heads, d / heads);
}
static void BertSelfAttention(mod *m, const cfg *c) { bert_attention(m, c, false); }
static void BertCrossAttention(mod *m, const cfg *c) { bert_attention(m, c, true); }
static void BertSelfOutput(mod *m, const cfg *c) { dense_norm_dropout(m, c, dim(c, "hidden_size"), dim(c, "hidden_size")); }
static void BertAttention(mod *m, const cfg *c, bool cross) {
    if (cross) sub(m, "self", BertCrossAttention, c);
    else sub(m, "self", BertSelfAttention, c);
    sub(m, "output", BertSelfOutput, c);
}
static void BertIntermediate(mod *m, const cfg *c) { dense_act(m, c); }
static void BertOutput(mod *m, const cfg *c) { dense_norm_dropout(m, c, dim(c, "intermediate_size"), dim(c, "hidden_size")); }
static void BertLayer(mod *m, const cfg *c) {
    sub(m, "attention", BertAttention, c, false);
    if (flag(c, "add_cross_attention")) {
        if (!flag(c, "is_decoder")) refuse(c, "add_cross_attention", "needs is_decoder to be true");
        sub(m, "crossattention", BertAttention, c, true);
    }
    sub(m, "intermediate", BertIntermediate, c);
    sub(m, "output", BertOutput, c);
}
static void BertEncoder(mod *m, const cfg *c) {
    list(m, "layer", count(c, "num_hidden_layers"), BertLayer, c);
}
static void BertPooler(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense", d, d, true);
    activation(m, "activation", "Tanh");
}
static void BertPredictionHeadTransform(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense", d, d, true);
    act(m, "transform_act_fn", c, "hidden_act");
    layernorm(m, "LayerNorm", d, real(c, "layer_norm_eps"));
}
static void BertLMPredictionHead(mod *m, const cfg *c) {
    int64_t vocab = dim(c, "vocab_size");
    sub(m, "transform", BertPredictionHeadTransform, c);
    linear(m, "decoder", dim(c, "hidden_size"), vocab, true);
    param(m, "bias", ZEROS, vocab);
}
static void BertOnlyMLMHead(mod *m, const cfg *c) { sub(m, "predictions", BertLMPredictionHead, c); }
static void BertOnlyNSPHead(mod *m, const cfg *c) { linear(m, "seq_relationship", dim(c, "hidden_size"), 2, true); }
static void BertPreTrainingHeads(mod *m, const cfg *c) {
    sub(m, "predictions", BertLMPredictionHead, c);
    linear(m, "seq_relationship", dim(c, "hidden_size"), 2, true);
}

static void bert_model(mod *m, const cfg *c, bool add_pooling_layer) {
    sub(m, "embeddings", BertEmbeddings, c);
    sub(m, "encoder", BertEncoder, c);
    if (add_pooling_layer) sub(m, "pooler", BertPooler, c);
}
static void BertModel(mod *m, const cfg *c) { bert_model(m, c, true); }
static void BertForPreTraining(mod *m, const cfg *c) {
    sub(m, "bert", BertModel, c);
    sub(m, "cls", BertPreTrainingHeads, c);
}
static void BertLMHeadModel(mod *m, const cfg *c) {
    sub_as(m, "bert", "BertModel", bert_model, c, false);
    sub(m, "cls", BertOnlyMLMHead, c);
}
static void BertForMaskedLM(mod *m, const cfg *c) {
    sub_as(m, "bert", "BertModel", bert_model, c, false);
    sub(m, "cls", BertOnlyMLMHead, c);
}
static void BertForNextSentencePrediction(mod *m, const cfg *c) {
    sub(m, "bert", BertModel, c);
    sub(m, "cls", BertOnlyNSPHead, c);
}
static void classifier(mod *m, const cfg *c, int64_t labels) {
    dropout(m, "dropout", real_or(c, "classifier_dropout", real(c, "hidden_dropout_prob")));
    linear(m, "classifier", dim(c, "hidden_size"), labels, true);
}
static void BertForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "bert", BertModel, c);
    classifier(m, c, num_labels(c));
}
static void BertForMultipleChoice(mod *m, const cfg *c) {
    sub(m, "bert", BertModel, c);
    classifier(m, c, 1);
}
static void BertForTokenClassification(mod *m, const cfg *c) {
    sub_as(m, "bert", "BertModel", bert_model, c, false);
    classifier(m, c, num_labels(c));
}
static void BertForQuestionAnswering(mod *m, const cfg *c) {
    sub_as(m, "bert", "BertModel", bert_model, c, false);
    linear(m, "qa_outputs", dim(c, "hidden_size"), num_labels(c), true);
}

static void BertPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "BertLMPredictionHead")) init_zeros(m, "bias");
}

static const model_facts BertPreTrainedModel = {
    .config = "BertConfig",
    .base_model_prefix = "bert",
    .supports_gradient_checkpointing = YES,
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = BertPreTrainedModel_init_weights,
};
#define TIES                                                                          \
    MAP({"cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"}, \
        {"cls.predictions.decoder.bias", "cls.predictions.bias"})

const family family_bert = {
    .name = "bert",
    .configs = CONFIGS({.name = "BertConfig", .model_type = "bert"}),
    .models = MODELS(
        {"BertModel", BertModel, .like = &BertPreTrainedModel, .own = {.no_split_modules = SET("BertEmbeddings", "BertLayer")}},
        {"BertForPreTraining", BertForPreTraining, .like = &BertPreTrainedModel, .own = {.tied_weights_keys = TIES}},
        {"BertLMHeadModel", BertLMHeadModel, .like = &BertPreTrainedModel, .own = {.tied_weights_keys = TIES, .can_generate = YES}},
        {"BertForMaskedLM", BertForMaskedLM, .like = &BertPreTrainedModel, .own = {.tied_weights_keys = TIES}},
        {"BertForNextSentencePrediction", BertForNextSentencePrediction, .like = &BertPreTrainedModel},
        {"BertForSequenceClassification", BertForSequenceClassification, .like = &BertPreTrainedModel},
        {"BertForMultipleChoice", BertForMultipleChoice, .like = &BertPreTrainedModel},
        {"BertForTokenClassification", BertForTokenClassification, .like = &BertPreTrainedModel},
        {"BertForQuestionAnswering", BertForQuestionAnswering, .like = &BertPreTrainedModel}),
};
