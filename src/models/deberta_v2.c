/* DeBERTa V2 and V3: content and relative positions attend to each other, each through its own projection or the content's; a
 * convolution beside the first layer where the config has a kernel. Mirrors models/deberta_v2, transformers 5.23.0. */
#include "../build/def.h"

static void DebertaV2Config(cfg *c) {
    val kinds = get(c, "pos_att_type");
    if (kinds.kind == VAL_TEXT) put(c, "pos_att_type", words_of(c, kinds.s, '|'), "pos_att_type, split at |");
    put(c, "pooler_hidden_size", val_or(leftover(c, "pooler_hidden_size"), get(c, "hidden_size")), "hidden_size");
}

static bool has_word(val words, const char *word) {
    for (uint32_t i = 0; words.kind == VAL_LIST && i < words.n; i++) {
        if (val_is(words.items[i], word)) return true;
    }
    return false;
}
static int64_t dim_unless(const cfg *c, const char *key, int64_t other) { return known(c, key) ? dim(c, key) : other; }
static int64_t embedding_size(const cfg *c) { return dim_unless(c, "embedding_size", dim(c, "hidden_size")); }

static void norm_and_dropout(mod *m, const cfg *c) {
    layernorm(m, "LayerNorm", dim(c, "hidden_size"), real(c, "layer_norm_eps"));
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
}
static void DebertaV2SelfOutput(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense", d, d, true);
    norm_and_dropout(m, c);
}
static void DisentangledSelfAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    if (d % heads) refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    int64_t all = heads * dim_unless(c, "attention_head_size", d / heads);
    linear(m, "query_proj", d, all, true);
    linear(m, "key_proj", d, all, true);
    linear(m, "value_proj", d, all, true);
    if (flag(c, "relative_attention")) {
        bool shared = flag_or(c, "share_att_key", false);
        val kinds = get(c, "pos_att_type");
        dropout(m, "pos_dropout", real(c, "hidden_dropout_prob"));
        if (!shared && has_word(kinds, "c2p")) linear(m, "pos_key_proj", d, all, true);
        if (!shared && has_word(kinds, "p2c")) linear(m, "pos_query_proj", d, all, true);
    }
    dropout(m, "dropout", real(c, "attention_probs_dropout_prob"));
}
static void DebertaV2Attention(mod *m, const cfg *c) {
    sub(m, "self", DisentangledSelfAttention, c);
    sub(m, "output", DebertaV2SelfOutput, c);
}
static void DebertaV2Intermediate(mod *m, const cfg *c) { dense_act(m, c); }
static void DebertaV2Output(mod *m, const cfg *c) {
    linear(m, "dense", dim(c, "intermediate_size"), dim(c, "hidden_size"), true);
    norm_and_dropout(m, c);
}
static void DebertaV2Layer(mod *m, const cfg *c) {
    sub(m, "attention", DebertaV2Attention, c);
    sub(m, "intermediate", DebertaV2Intermediate, c);
    sub(m, "output", DebertaV2Output, c);
}
static void ConvLayer(mod *m, const cfg *c, int64_t kernel) {
    int64_t d = dim(c, "hidden_size");
    conv1d(m, "conv", d, d, .kernel = SIZE1(kernel), .padding = SIZE1((kernel - 1) / 2), .groups = dim_unless(c, "conv_groups", 1));
    norm_and_dropout(m, c);
    get(c, "conv_act"); /* read, and called by its name */
}
static void DebertaV2Embeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), narrow = embedding_size(c), positions = dim(c, "max_position_embeddings");
    embedding(m, "word_embeddings", dim(c, "vocab_size"), narrow, pad(c));
    if (flag(c, "position_biased_input")) embedding(m, "position_embeddings", positions, narrow, NO_PAD);
    if (whole(c, "type_vocab_size") > 0) embedding(m, "token_type_embeddings", dim(c, "type_vocab_size"), narrow, NO_PAD);
    if (narrow != d) linear(m, "embed_proj", narrow, d, false);
    norm_and_dropout(m, c);
    buffer(m, "position_ids", ARANGE, DT_I64, TRANSIENT, 1, positions);
}
/* A row for each distance, before and after. */
static int64_t distances(const cfg *c) {
    int64_t most = whole(c, "max_relative_positions"), buckets = known(c, "position_buckets") ? whole(c, "position_buckets") : -1;
    if (buckets > 0) return times(2, buckets);
    return times(2, most < 1 ? dim(c, "max_position_embeddings") : most);
}
static void DebertaV2Encoder(mod *m, const cfg *c) {
    list(m, "layer", count(c, "num_hidden_layers"), DebertaV2Layer, c);
    if (flag(c, "relative_attention")) embedding(m, "rel_embeddings", distances(c), dim(c, "hidden_size"), NO_PAD);
    if (known(c, "norm_rel_ebd") && has_word(words_of(c, text(c, "norm_rel_ebd"), '|'), "layer_norm"))
        layernorm(m, "LayerNorm", dim(c, "hidden_size"), real(c, "layer_norm_eps"));
    if (known(c, "conv_kernel_size") && whole(c, "conv_kernel_size") > 0) sub(m, "conv", ConvLayer, c, dim(c, "conv_kernel_size"));
}
static void LegacyDebertaV2PredictionHeadTransform(mod *m, const cfg *c) {
    int64_t narrow = embedding_size(c);
    linear(m, "dense", dim(c, "hidden_size"), narrow, true);
    act(m, "transform_act_fn", c, "hidden_act");
    layernorm(m, "LayerNorm", narrow, real(c, "layer_norm_eps"));
}
static void LegacyDebertaV2LMPredictionHead(mod *m, const cfg *c) {
    int64_t vocab = dim(c, "vocab_size");
    sub(m, "transform", LegacyDebertaV2PredictionHeadTransform, c);
    linear(m, "decoder", embedding_size(c), vocab, true);
    param(m, "bias", ZEROS, vocab);
}
static void LegacyDebertaV2OnlyMLMHead(mod *m, const cfg *c) { sub(m, "predictions", LegacyDebertaV2LMPredictionHead, c); }
/* The head of the later checkpoints: the embedding itself decodes. */
static void DebertaV2LMPredictionHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense", d, d, true);
    act(m, "transform_act_fn", c, "hidden_act");
    layernorm(m, "LayerNorm", d, real(c, "layer_norm_eps"));
    param(m, "bias", ZEROS, dim(c, "vocab_size"));
}
static void DebertaV2OnlyMLMHead(mod *m, const cfg *c) { sub(m, "lm_head", DebertaV2LMPredictionHead, c); }
static void ContextPooler(mod *m, const cfg *c) {
    int64_t d = dim(c, "pooler_hidden_size");
    linear(m, "dense", d, d, true);
    dropout(m, "dropout", real(c, "pooler_dropout"));
}

static void DebertaV2Model(mod *m, const cfg *c) {
    sub(m, "embeddings", DebertaV2Embeddings, c);
    sub(m, "encoder", DebertaV2Encoder, c);
}
static void DebertaV2ForMaskedLM(mod *m, const cfg *c) {
    sub(m, "deberta", DebertaV2Model, c);
    if (flag(c, "legacy")) sub(m, "cls", LegacyDebertaV2OnlyMLMHead, c);
    else {
        unties(m);
        sub(m, "lm_predictions", DebertaV2OnlyMLMHead, c);
    }
}
static void pooled(mod *m, const cfg *c, int64_t labels) {
    sub(m, "deberta", DebertaV2Model, c);
    sub(m, "pooler", ContextPooler, c);
    linear(m, "classifier", dim(c, "hidden_size"), labels, true);
    dropout(m, "dropout", real_or(c, "cls_dropout", real(c, "hidden_dropout_prob")));
}
static void DebertaV2ForSequenceClassification(mod *m, const cfg *c) { pooled(m, c, num_labels(c)); }
static void DebertaV2ForMultipleChoice(mod *m, const cfg *c) { pooled(m, c, 1); }
static void DebertaV2ForTokenClassification(mod *m, const cfg *c) {
    sub(m, "deberta", DebertaV2Model, c);
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
    linear(m, "classifier", dim(c, "hidden_size"), num_labels(c), true);
}
static void DebertaV2ForQuestionAnswering(mod *m, const cfg *c) {
    sub(m, "deberta", DebertaV2Model, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), num_labels(c), true);
}

static void DebertaV2PreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "LegacyDebertaV2LMPredictionHead", "DebertaV2LMPredictionHead")) init_zeros(m, "bias");
}

static const model_facts DebertaV2PreTrainedModel = {
    .config = "DebertaV2Config",
    .base_model_prefix = "deberta",
    .supports_gradient_checkpointing = YES,
    .keys_to_ignore_on_load_unexpected = SET("position_embeddings"),
    .init_weights = DebertaV2PreTrainedModel_init_weights,
};
#define TIES                                                   \
    MAP({"cls.predictions.decoder.bias", "cls.predictions.bias"}, \
        {"cls.predictions.decoder.weight", "deberta.embeddings.word_embeddings.weight"})

const family family_deberta_v2 = {
    .name = "deberta_v2",
    .configs = CONFIGS({.name = "DebertaV2Config", .model_type = "deberta-v2", .post_init = DebertaV2Config}),
    .models = MODELS(
        {"DebertaV2Model", DebertaV2Model, .like = &DebertaV2PreTrainedModel},
        {"DebertaV2ForMaskedLM", DebertaV2ForMaskedLM, .like = &DebertaV2PreTrainedModel,
         .own = {.keys_to_ignore_on_load_unexpected = SET("mask_predictions.*"), .tied_weights_keys = TIES}},
        {"DebertaV2ForSequenceClassification", DebertaV2ForSequenceClassification, .like = &DebertaV2PreTrainedModel},
        {"DebertaV2ForTokenClassification", DebertaV2ForTokenClassification, .like = &DebertaV2PreTrainedModel},
        {"DebertaV2ForQuestionAnswering", DebertaV2ForQuestionAnswering, .like = &DebertaV2PreTrainedModel},
        {"DebertaV2ForMultipleChoice", DebertaV2ForMultipleChoice, .like = &DebertaV2PreTrainedModel}),
};
