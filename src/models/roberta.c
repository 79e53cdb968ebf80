/* RoBERTa: BERT with positions counted from the padding index, one language head and no pooler under most heads.
 * Mirrors models/roberta, transformers 5.23.0. */
#include "../build/def.h"

static void RobertaEmbeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), positions = dim(c, "max_position_embeddings");
    embedding(m, "word_embeddings", dim(c, "vocab_size"), d, pad(c));
    embedding(m, "token_type_embeddings", dim(c, "type_vocab_size"), d, NO_PAD);
    layernorm(m, "LayerNorm", d, real(c, "layer_norm_eps"));
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
    buffer(m, "position_ids", ARANGE, DT_I64, TRANSIENT, 1, positions);
    buffer(m, "token_type_ids", ZEROS, DT_I64, TRANSIENT, 1, positions);
    embedding(m, "position_embeddings", positions, d, pad(c));
}
static void roberta_attention(mod *m, const cfg *c, bool cross) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    if (d % heads && !known(c, "embedding_size"))
        refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    int64_t all = d / heads * heads; /* less than d only where the config has an embedding_size */
    linear(m, "query", d, all, true);
    linear(m, "key", d, all, true);
    linear(m, "value", d, all, true);
    dropout(m, "dropout", real(c, "attention_probs_dropout_prob"));
    if (!flag(c, "is_decoder")) return;
    if (cross) cache_cross(m, c, heads, d / heads, 0);
    else cache_keys(m, c, heads, d / heads);
}
static void RobertaSelfAttention(mod *m, const cfg *c) { roberta_attention(m, c, false); }
static void RobertaCrossAttention(mod *m, const cfg *c) { roberta_attention(m, c, true); }
static void RobertaSelfOutput(mod *m, const cfg *c) { dense_norm_dropout(m, c, dim(c, "hidden_size"), dim(c, "hidden_size")); }
static void RobertaAttention(mod *m, const cfg *c, bool cross) {
    if (cross) sub(m, "self", RobertaCrossAttention, c);
    else sub(m, "self", RobertaSelfAttention, c);
    sub(m, "output", RobertaSelfOutput, c);
}
static void RobertaIntermediate(mod *m, const cfg *c) { dense_act(m, c); }
static void RobertaOutput(mod *m, const cfg *c) { dense_norm_dropout(m, c, dim(c, "intermediate_size"), dim(c, "hidden_size")); }
static void RobertaLayer(mod *m, const cfg *c) {
    sub(m, "attention", RobertaAttention, c, false);
    if (flag(c, "add_cross_attention")) {
        if (!flag(c, "is_decoder")) refuse(c, "add_cross_attention", "needs is_decoder to be true");
        sub(m, "crossattention", RobertaAttention, c, true);
    }
    sub(m, "intermediate", RobertaIntermediate, c);
    sub(m, "output", RobertaOutput, c);
}
static void RobertaEncoder(mod *m, const cfg *c) {
    list(m, "layer", count(c, "num_hidden_layers"), RobertaLayer, c);
}
static void RobertaPooler(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense", d, d, true);
    activation(m, "activation", "Tanh");
}
static void RobertaLMHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), vocab = dim(c, "vocab_size");
    linear(m, "dense", d, d, true);
    layernorm(m, "layer_norm", d, real(c, "layer_norm_eps"));
    linear(m, "decoder", d, vocab, true);
    param(m, "bias", ZEROS, vocab);
}
static num classifier_dropout(const cfg *c) { return real_or(c, "classifier_dropout", real(c, "hidden_dropout_prob")); }
static void RobertaClassificationHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense", d, d, true);
    dropout(m, "dropout", classifier_dropout(c));
    linear(m, "out_proj", d, num_labels(c), true);
}

static void roberta_model(mod *m, const cfg *c, bool add_pooling_layer) {
    sub(m, "embeddings", RobertaEmbeddings, c);
    sub(m, "encoder", RobertaEncoder, c);
    if (add_pooling_layer) sub(m, "pooler", RobertaPooler, c);
}
static void RobertaModel(mod *m, const cfg *c) { roberta_model(m, c, true); }
static void without_pooler(mod *m, const cfg *c) { sub_as(m, "roberta", "RobertaModel", roberta_model, c, false); }
static void RobertaForCausalLM(mod *m, const cfg *c) {
    without_pooler(m, c);
    sub(m, "lm_head", RobertaLMHead, c);
}
static void RobertaForMaskedLM(mod *m, const cfg *c) {
    without_pooler(m, c);
    sub(m, "lm_head", RobertaLMHead, c);
}
static void RobertaForSequenceClassification(mod *m, const cfg *c) {
    without_pooler(m, c);
    sub(m, "classifier", RobertaClassificationHead, c);
}
static void RobertaForMultipleChoice(mod *m, const cfg *c) {
    sub(m, "roberta", RobertaModel, c);
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
    linear(m, "classifier", dim(c, "hidden_size"), 1, true);
}
static void RobertaForTokenClassification(mod *m, const cfg *c) {
    without_pooler(m, c);
    dropout(m, "dropout", classifier_dropout(c));
    linear(m, "classifier", dim(c, "hidden_size"), num_labels(c), true);
}
static void RobertaForQuestionAnswering(mod *m, const cfg *c) {
    without_pooler(m, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), num_labels(c), true);
}

static void RobertaPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "RobertaLMHead")) init_zeros(m, "bias");
}

static const model_facts RobertaPreTrainedModel = {
    .config = "RobertaConfig",
    .base_model_prefix = "roberta",
    .supports_gradient_checkpointing = YES,
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = RobertaPreTrainedModel_init_weights,
};
#define TIES MAP({"lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"}, {"lm_head.decoder.bias", "lm_head.bias"})

const family family_roberta = {
    .name = "roberta",
    .configs = CONFIGS({.name = "RobertaConfig", .model_type = "roberta"}),
    .models = MODELS(
        {"RobertaModel", RobertaModel, .like = &RobertaPreTrainedModel, .own = {.no_split_modules = SET("RobertaEmbeddings", "RobertaLayer")}},
        {"RobertaForCausalLM", RobertaForCausalLM, .like = &RobertaPreTrainedModel, .own = {.can_generate = YES, .tied_weights_keys = TIES}},
        {"RobertaForMaskedLM", RobertaForMaskedLM, .like = &RobertaPreTrainedModel, .own = {.tied_weights_keys = TIES}},
        {"RobertaForSequenceClassification", RobertaForSequenceClassification, .like = &RobertaPreTrainedModel},
        {"RobertaForMultipleChoice", RobertaForMultipleChoice, .like = &RobertaPreTrainedModel},
        {"RobertaForTokenClassification", RobertaForTokenClassification, .like = &RobertaPreTrainedModel},
        {"RobertaForQuestionAnswering", RobertaForQuestionAnswering, .like = &RobertaPreTrainedModel}),
};
