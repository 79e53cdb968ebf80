/* ELECTRA: BERT with narrow embeddings, told to find replaced words; a discriminator's head and a generator's.
 * Mirrors models/electra, transformers 5.23.0. */
#include "../build/def.h"

static void ElectraEmbeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "embedding_size"), positions = dim(c, "max_position_embeddings");
    embedding(m, "word_embeddings", dim(c, "vocab_size"), d, pad(c));
    embedding(m, "position_embeddings", positions, d, NO_PAD);
    embedding(m, "token_type_embeddings", dim(c, "type_vocab_size"), d, NO_PAD);
    layernorm(m, "LayerNorm", d, real(c, "layer_norm_eps"));
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
    buffer(m, "position_ids", ARANGE, DT_I64, TRANSIENT, 1, positions);
    buffer(m, "token_type_ids", ZEROS, DT_I64, TRANSIENT, 1, positions);
}
static void electra_attention(mod *m, const cfg *c, bool cross) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    heads_at_most(c, "num_attention_heads", "hidden_size");
    int64_t all = d / heads * heads; /* heads need not divide d */
    linear(m, "query", d, all, true);
    linear(m, "key", d, all, true);
    linear(m, "value", d, all, true);
    dropout(m, "dropout", real(c, "attention_probs_dropout_prob"));
    if (!flag(c, "is_decoder")) return;
    if (cross) cache_cross(m, c, heads, d / heads, 0);
    else cache_keys(m, c, heads, d / heads);
}
static void ElectraSelfAttention(mod *m, const cfg *c) { electra_attention(m, c, false); }
static void ElectraCrossAttention(mod *m, const cfg *c) { electra_attention(m, c, true); }
static void ElectraSelfOutput(mod *m, const cfg *c) { dense_norm_dropout(m, c, dim(c, "hidden_size"), dim(c, "hidden_size")); }
static void ElectraAttention(mod *m, const cfg *c, bool cross) {
    if (cross) sub(m, "self", ElectraCrossAttention, c);
    else sub(m, "self", ElectraSelfAttention, c);
    sub(m, "output", ElectraSelfOutput, c);
}
static void ElectraIntermediate(mod *m, const cfg *c) { dense_act(m, c); }
static void ElectraOutput(mod *m, const cfg *c) { dense_norm_dropout(m, c, dim(c, "intermediate_size"), dim(c, "hidden_size")); }
static void ElectraLayer(mod *m, const cfg *c) {
    sub(m, "attention", ElectraAttention, c, false);
    if (flag(c, "add_cross_attention")) {
        if (!flag(c, "is_decoder")) refuse(c, "add_cross_attention", "needs is_decoder to be true");
        sub(m, "crossattention", ElectraAttention, c, true);
    }
    sub(m, "intermediate", ElectraIntermediate, c);
    sub(m, "output", ElectraOutput, c);
}
static void ElectraEncoder(mod *m, const cfg *c) {
    list(m, "layer", count(c, "num_hidden_layers"), ElectraLayer, c);
}

static void ElectraDiscriminatorPredictions(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense", d, d, true);
    act(m, "activation", c, "hidden_act");
    linear(m, "dense_prediction", d, 1, true);
}
static void ElectraGeneratorPredictions(mod *m, const cfg *c) {
    int64_t narrow = dim(c, "embedding_size");
    act_named(m, "activation", "gelu");
    layernorm(m, "LayerNorm", narrow, real(c, "layer_norm_eps"));
    linear(m, "dense", dim(c, "hidden_size"), narrow, true);
}
static num classifier_dropout(const cfg *c) { return real_or(c, "classifier_dropout", real(c, "hidden_dropout_prob")); }
static void ElectraClassificationHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense", d, d, true);
    act_named(m, "activation", "gelu");
    dropout(m, "dropout", classifier_dropout(c));
    linear(m, "out_proj", d, num_labels(c), true);
}
static void ElectraSequenceSummary(mod *m, const cfg *c) { sequence_summary(m, c, num_labels(c)); }

static void ElectraModel(mod *m, const cfg *c) {
    int64_t narrow = dim(c, "embedding_size"), d = dim(c, "hidden_size");
    sub(m, "embeddings", ElectraEmbeddings, c);
    if (narrow != d) linear(m, "embeddings_project", narrow, d, true);
    sub(m, "encoder", ElectraEncoder, c);
}
static void ElectraForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "electra", ElectraModel, c);
    sub(m, "classifier", ElectraClassificationHead, c);
}
static void ElectraForPreTraining(mod *m, const cfg *c) {
    sub(m, "electra", ElectraModel, c);
    sub(m, "discriminator_predictions", ElectraDiscriminatorPredictions, c);
}
static void generator(mod *m, const cfg *c) {
    sub(m, "electra", ElectraModel, c);
    sub(m, "generator_predictions", ElectraGeneratorPredictions, c);
    linear(m, "generator_lm_head", dim(c, "embedding_size"), dim(c, "vocab_size"), true);
}
static void ElectraForMaskedLM(mod *m, const cfg *c) { generator(m, c); }
static void ElectraForCausalLM(mod *m, const cfg *c) { generator(m, c); }
static void ElectraForTokenClassification(mod *m, const cfg *c) {
    sub(m, "electra", ElectraModel, c);
    dropout(m, "dropout", classifier_dropout(c));
    linear(m, "classifier", dim(c, "hidden_size"), num_labels(c), true);
}
static void ElectraForQuestionAnswering(mod *m, const cfg *c) {
    sub(m, "electra", ElectraModel, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), num_labels(c), true);
}
static void ElectraForMultipleChoice(mod *m, const cfg *c) {
    sub(m, "electra", ElectraModel, c);
    sub(m, "sequence_summary", ElectraSequenceSummary, c);
    linear(m, "classifier", dim(c, "hidden_size"), 1, true);
}

static const model_facts ElectraPreTrainedModel = {
    .config = "ElectraConfig",
    .base_model_prefix = "electra",
    .supports_gradient_checkpointing = YES,
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};
#define TIES MAP({"generator_lm_head.weight", "electra.embeddings.word_embeddings.weight"})

const family family_electra = {
    .name = "electra",
    .configs = CONFIGS({.name = "ElectraConfig", .model_type = "electra"}),
    .models = MODELS(
        {"ElectraModel", ElectraModel, .like = &ElectraPreTrainedModel},
        {"ElectraForSequenceClassification", ElectraForSequenceClassification, .like = &ElectraPreTrainedModel},
        {"ElectraForPreTraining", ElectraForPreTraining, .like = &ElectraPreTrainedModel},
        {"ElectraForMaskedLM", ElectraForMaskedLM, .like = &ElectraPreTrainedModel, .own = {.tied_weights_keys = TIES}},
        {"ElectraForTokenClassification", ElectraForTokenClassification, .like = &ElectraPreTrainedModel},
        {"ElectraForQuestionAnswering", ElectraForQuestionAnswering, .like = &ElectraPreTrainedModel},
        {"ElectraForMultipleChoice", ElectraForMultipleChoice, .like = &ElectraPreTrainedModel},
        {"ElectraForCausalLM", ElectraForCausalLM, .like = &ElectraPreTrainedModel, .own = {.can_generate = YES, .tied_weights_keys = TIES}}),
};
