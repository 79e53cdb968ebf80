/* ALBERT: BERT whose layers share their weights, in groups, behind narrow embeddings. Mirrors models/albert, transformers 5.23.0. */
#include "../build/def.h"

static void AlbertEmbeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "embedding_size"), positions = dim(c, "max_position_embeddings");
    embedding(m, "word_embeddings", dim(c, "vocab_size"), d, pad(c));
    embedding(m, "position_embeddings", positions, d, NO_PAD);
    embedding(m, "token_type_embeddings", dim(c, "type_vocab_size"), d, NO_PAD);
    layernorm(m, "LayerNorm", d, real(c, "layer_norm_eps"));
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
    buffer(m, "position_ids", ARANGE, DT_I64, TRANSIENT, 1, positions);
    buffer(m, "token_type_ids", ZEROS, DT_I64, TRANSIENT, 1, positions);
}
static void AlbertAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    heads_at_most(c, "num_attention_heads", "hidden_size");
    int64_t all = d / heads * heads; /* heads need not divide d */
    dropout(m, "attention_dropout", real(c, "attention_probs_dropout_prob"));
    dropout(m, "output_dropout", real(c, "hidden_dropout_prob"));
    linear(m, "query", d, all, true);
    linear(m, "key", d, all, true);
    linear(m, "value", d, all, true);
    linear(m, "dense", d, d, true);
    layernorm(m, "LayerNorm", d, real(c, "layer_norm_eps"));
}
static void AlbertLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    layernorm(m, "full_layer_layer_norm", d, real(c, "layer_norm_eps"));
    sub(m, "attention", AlbertAttention, c);
    linear(m, "ffn", d, ff, true);
    linear(m, "ffn_output", ff, d, true);
    act(m, "activation", c, "hidden_act");
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
}
static void AlbertLayerGroup(mod *m, const cfg *c) {
    list(m, "albert_layers", count(c, "inner_group_num"), AlbertLayer, c);
}
static void AlbertTransformer(mod *m, const cfg *c) {
    linear(m, "embedding_hidden_mapping_in", dim(c, "embedding_size"), dim(c, "hidden_size"), true);
    list(m, "albert_layer_groups", count(c, "num_hidden_groups"), AlbertLayerGroup, c);
}
static void AlbertMLMHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "embedding_size"), vocab = dim(c, "vocab_size");
    layernorm(m, "LayerNorm", d, real(c, "layer_norm_eps"));
    param(m, "bias", ZEROS, vocab);
    linear(m, "dense", dim(c, "hidden_size"), d, true);
    linear(m, "decoder", d, vocab, true);
    act(m, "activation", c, "hidden_act");
}
static void classifier(mod *m, const cfg *c, int64_t labels) {
    dropout(m, "dropout", real(c, "classifier_dropout_prob"));
    linear(m, "classifier", dim(c, "hidden_size"), labels, true);
}
static void AlbertSOPHead(mod *m, const cfg *c) { classifier(m, c, num_labels(c)); }

static void albert_model(mod *m, const cfg *c, bool add_pooling_layer) {
    int64_t d = dim(c, "hidden_size");
    sub(m, "embeddings", AlbertEmbeddings, c);
    sub(m, "encoder", AlbertTransformer, c);
    if (!add_pooling_layer) return;
    linear(m, "pooler", d, d, true);
    activation(m, "pooler_activation", "Tanh");
}
static void AlbertModel(mod *m, const cfg *c) { albert_model(m, c, true); }
static void without_pooler(mod *m, const cfg *c) { sub_as(m, "albert", "AlbertModel", albert_model, c, false); }
static void AlbertForPreTraining(mod *m, const cfg *c) {
    sub(m, "albert", AlbertModel, c);
    sub(m, "predictions", AlbertMLMHead, c);
    sub(m, "sop_classifier", AlbertSOPHead, c);
}
static void AlbertForMaskedLM(mod *m, const cfg *c) {
    without_pooler(m, c);
    sub(m, "predictions", AlbertMLMHead, c);
}
static void AlbertForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "albert", AlbertModel, c);
    classifier(m, c, num_labels(c));
}
static void AlbertForTokenClassification(mod *m, const cfg *c) {
    without_pooler(m, c);
    classifier(m, c, num_labels(c));
}
static void AlbertForQuestionAnswering(mod *m, const cfg *c) {
    without_pooler(m, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), num_labels(c), true);
}
static void AlbertForMultipleChoice(mod *m, const cfg *c) {
    sub(m, "albert", AlbertModel, c);
    classifier(m, c, 1);
}

static void AlbertPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "AlbertMLMHead")) init_zeros(m, "bias");
}

static const model_facts AlbertPreTrainedModel = {
    .config = "AlbertConfig",
    .base_model_prefix = "albert",
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = AlbertPreTrainedModel_init_weights,
};
#define TIES                                                                         \
    MAP({"predictions.decoder.weight", "albert.embeddings.word_embeddings.weight"}, \
        {"predictions.decoder.bias", "predictions.bias"})

const family family_albert = {
    .name = "albert",
    .configs = CONFIGS({.name = "AlbertConfig", .model_type = "albert"}),
    .models = MODELS(
        {"AlbertModel", AlbertModel, .like = &AlbertPreTrainedModel},
        {"AlbertForPreTraining", AlbertForPreTraining, .like = &AlbertPreTrainedModel, .own = {.tied_weights_keys = TIES}},
        {"AlbertForMaskedLM", AlbertForMaskedLM, .like = &AlbertPreTrainedModel, .own = {.tied_weights_keys = TIES}},
        {"AlbertForSequenceClassification", AlbertForSequenceClassification, .like = &AlbertPreTrainedModel},
        {"AlbertForTokenClassification", AlbertForTokenClassification, .like = &AlbertPreTrainedModel},
        {"AlbertForQuestionAnswering", AlbertForQuestionAnswering, .like = &AlbertPreTrainedModel},
        {"AlbertForMultipleChoice", AlbertForMultipleChoice, .like = &AlbertPreTrainedModel}),
};
