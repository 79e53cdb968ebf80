/* BART: encoder-decoder, norms after the residual, learned positions two rows into their table. Mirrors models/bart,
 * transformers 5.23.0. Its _init_weights() adds nothing to the constructors'. */
#include "../build/def.h"

static void BartConfig(cfg *c) { /* three labels, of a natural language inference task */
    if (!val_given(get(c, "id2label"))) put(c, "num_labels", val_or(take(c, "num_labels"), val_int(3)), "3 unless given");
}

static void BartEncoderLayer(mod *m, const cfg *c) { seq2seq_encoder_layer(m, c, "BartAttention"); }
static void BartDecoderLayer(mod *m, const cfg *c) { seq2seq_decoder_layer(m, c, "BartAttention"); }
static void BartClassificationHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    linear(m, "dense", d, d, true);
    dropout(m, "dropout", real(c, "classifier_dropout"));
    linear(m, "out_proj", d, num_labels(c), true);
}
static void embeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    embedding_as(m, "embed_tokens", "BartScaledWordEmbedding", dim(c, "vocab_size"), d, pad(c));
    embedding_as(m, "embed_positions", "BartLearnedPositionalEmbedding", plus(whole(c, "max_position_embeddings"), 2), d, NO_PAD);
}
static void BartEncoder(mod *m, const cfg *c) {
    embeddings(m, c);
    list(m, "layers", count(c, "encoder_layers"), BartEncoderLayer, c);
    layernorm(m, "layernorm_embedding", dim(c, "d_model"), num_f(1e-5));
}
static void BartDecoder(mod *m, const cfg *c) {
    embeddings(m, c);
    list(m, "layers", count(c, "decoder_layers"), BartDecoderLayer, c);
    layernorm(m, "layernorm_embedding", dim(c, "d_model"), num_f(1e-5));
}
static void BartModel(mod *m, const cfg *c) {
    embedding_as(m, "shared", "BartScaledWordEmbedding", dim(c, "vocab_size"), dim(c, "d_model"), pad(c));
    sub(m, "encoder", BartEncoder, c);
    sub(m, "decoder", BartDecoder, c);
}
static void BartForConditionalGeneration(mod *m, const cfg *c) {
    int64_t vocab = dim(c, "vocab_size");
    sub(m, "model", BartModel, c);
    buffer(m, "final_logits_bias", ZEROS, DT_DEFAULT, PERSISTENT, 1, vocab);
    linear(m, "lm_head", dim(c, "d_model"), vocab, false);
}
static void BartForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "model", BartModel, c);
    sub(m, "classification_head", BartClassificationHead, c);
}
static void BartForQuestionAnswering(mod *m, const cfg *c) {
    writes(c, "num_labels", val_int(2));
    sub(m, "model", BartModel, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), 2, true); /* that num_labels */
}
static void BartDecoderWrapper(mod *m, const cfg *c) { sub(m, "decoder", BartDecoder, c); }
static void BartForCausalLM(mod *m, const cfg *c) {
    writes(c, "is_decoder", val_bool(true));
    writes(c, "is_encoder_decoder", val_bool(false));
    sub(m, "model", BartDecoderWrapper, with_flag(with_flag(c, "is_decoder", true), "is_encoder_decoder", false));
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static const model_facts BartPreTrainedModel = {
    .config = "BartConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("BartEncoderLayer", "BartDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .keys_to_ignore_on_load_unexpected = SET("encoder.version", "decoder.version"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_bart = {
    .name = "bart",
    .configs = CONFIGS({.name = "BartConfig", .model_type = "bart", .post_init = BartConfig}),
    .models = MODELS(
        {"BartEncoder", BartEncoder, .like = &BartPreTrainedModel},
        {"BartDecoder", BartDecoder, .like = &BartPreTrainedModel},
        {"BartModel", BartModel, .like = &BartPreTrainedModel,
         .own = {.tied_weights_keys = MAP({"decoder.embed_tokens.weight", "shared.weight"},
                                          {"encoder.embed_tokens.weight", "shared.weight"})}},
        {"BartForConditionalGeneration", BartForConditionalGeneration, .like = &BartPreTrainedModel,
         .own = {.can_generate = YES,
                 .keys_to_ignore_on_load_missing = SET("final_logits_bias"),
                 .tied_weights_keys = MAP({"lm_head.weight", "model.shared.weight"})}},
        {"BartForSequenceClassification", BartForSequenceClassification, .like = &BartPreTrainedModel},
        {"BartForQuestionAnswering", BartForQuestionAnswering, .like = &BartPreTrainedModel},
        {"BartDecoderWrapper", BartDecoderWrapper, .like = &BartPreTrainedModel},
        {"BartForCausalLM", BartForCausalLM, .like = &BartPreTrainedModel,
         .own = {.can_generate = YES, .tied_weights_keys = MAP({"lm_head.weight", "model.decoder.embed_tokens.weight"})}}),
};
