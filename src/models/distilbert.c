/* DistilBERT: BERT without token types and pooler; heads of its own. Mirrors models/distilbert, transformers 5.23.0. */
#include "../build/def.h"

#define EPS num_f(1e-12)

static void Embeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "dim"), positions = dim(c, "max_position_embeddings");
    embedding(m, "word_embeddings", dim(c, "vocab_size"), d, pad(c));
    embedding(m, "position_embeddings", positions, d, NO_PAD);
    layernorm(m, "LayerNorm", d, EPS);
    dropout(m, "dropout", real(c, "dropout"));
    buffer(m, "position_ids", ARANGE, DT_I64, TRANSIENT, 1, positions);
}
static void DistilBertSelfAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "dim");
    linear(m, "q_lin", d, d, true);
    linear(m, "k_lin", d, d, true);
    linear(m, "v_lin", d, d, true);
    linear(m, "out_lin", d, d, true);
    dropout(m, "dropout", real(c, "attention_dropout"));
}
static void FFN(mod *m, const cfg *c) {
    int64_t d = dim(c, "dim"), ff = dim(c, "hidden_dim");
    dropout(m, "dropout", real(c, "dropout"));
    linear(m, "lin1", d, ff, true);
    linear(m, "lin2", ff, d, true);
    act(m, "activation", c, "activation");
}
static void TransformerBlock(mod *m, const cfg *c) {
    int64_t d = dim(c, "dim");
    if (d % dim(c, "n_heads")) refuse(c, "n_heads", "should divide dim, which is %lld", (long long)d);
    sub(m, "attention", DistilBertSelfAttention, c);
    layernorm(m, "sa_layer_norm", d, EPS);
    sub(m, "ffn", FFN, c);
    layernorm(m, "output_layer_norm", d, EPS);
}
static void Transformer(mod *m, const cfg *c) {
    list(m, "layer", count(c, "n_layers"), TransformerBlock, c);
}

static void DistilBertModel(mod *m, const cfg *c) {
    sub(m, "embeddings", Embeddings, c);
    sub(m, "transformer", Transformer, c);
}
static void DistilBertForMaskedLM(mod *m, const cfg *c) {
    int64_t d = dim(c, "dim");
    act(m, "activation", c, "activation");
    sub(m, "distilbert", DistilBertModel, c);
    linear(m, "vocab_transform", d, d, true);
    layernorm(m, "vocab_layer_norm", d, EPS);
    linear(m, "vocab_projector", d, dim(c, "vocab_size"), true);
    activation(m, "mlm_loss_fct", "CrossEntropyLoss");
}
static void classifier(mod *m, const cfg *c, int64_t labels) {
    int64_t d = dim(c, "dim");
    sub(m, "distilbert", DistilBertModel, c);
    linear(m, "pre_classifier", d, d, true);
    linear(m, "classifier", d, labels, true);
    dropout(m, "dropout", real(c, "seq_classif_dropout"));
}
static void DistilBertForSequenceClassification(mod *m, const cfg *c) { classifier(m, c, num_labels(c)); }
static void DistilBertForQuestionAnswering(mod *m, const cfg *c) {
    int64_t labels = num_labels(c);
    sub(m, "distilbert", DistilBertModel, c);
    linear(m, "qa_outputs", dim(c, "dim"), labels, true);
    if (labels != 2) refuse(c, NULL, "question answering needs 2 labels, for start and end, and the config has %lld", (long long)labels);
    dropout(m, "dropout", real(c, "qa_dropout"));
}
static void DistilBertForTokenClassification(mod *m, const cfg *c) {
    sub(m, "distilbert", DistilBertModel, c);
    dropout(m, "dropout", real(c, "dropout"));
    linear(m, "classifier", dim(c, "dim"), num_labels(c), true);
}
static void DistilBertForMultipleChoice(mod *m, const cfg *c) { classifier(m, c, 1); }

static void DistilBertPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "Embeddings") && flag(c, "sinusoidal_pos_embds")) init_made(m, "position_embeddings.weight", DOUBLE_SINUSOIDS_IN_TURN(10000));
}

static const model_facts DistilBertPreTrainedModel = {
    .config = "DistilBertConfig",
    .base_model_prefix = "distilbert",
    .supports_gradient_checkpointing = YES,
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = DistilBertPreTrainedModel_init_weights,
};

const family family_distilbert = {
    .name = "distilbert",
    .configs = CONFIGS({.name = "DistilBertConfig", .model_type = "distilbert"}),
    .models = MODELS(
        {"DistilBertModel", DistilBertModel, .like = &DistilBertPreTrainedModel},
        {"DistilBertForMaskedLM", DistilBertForMaskedLM, .like = &DistilBertPreTrainedModel,
         .own = {.tied_weights_keys = MAP({"vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight"})}},
        {"DistilBertForSequenceClassification", DistilBertForSequenceClassification, .like = &DistilBertPreTrainedModel},
        {"DistilBertForQuestionAnswering", DistilBertForQuestionAnswering, .like = &DistilBertPreTrainedModel},
        {"DistilBertForTokenClassification", DistilBertForTokenClassification, .like = &DistilBertPreTrainedModel},
        {"DistilBertForMultipleChoice", DistilBertForMultipleChoice, .like = &DistilBertPreTrainedModel}),
};
