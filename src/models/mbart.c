/* mBART: BART with norms before the residual, and one more at the end of each stack. Mirrors models/mbart, transformers 5.23.0.
 * Its _init_weights() adds nothing to the constructors'. */
#include "../build/def.h"

static void MBartEncoderLayer(mod *m, const cfg *c) { seq2seq_encoder_layer(m, c, "MBartAttention"); }
static void MBartDecoderLayer(mod *m, const cfg *c) { seq2seq_decoder_layer(m, c, "MBartAttention"); }
static void MBartClassificationHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    linear(m, "dense", d, d, true);
    dropout(m, "dropout", real(c, "classifier_dropout"));
    linear(m, "out_proj", d, num_labels(c), true);
}
static void embeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    embedding_as(m, "embed_tokens", "MBartScaledWordEmbedding", dim(c, "vocab_size"), d, pad(c));
    embedding_as(m, "embed_positions", "MBartLearnedPositionalEmbedding", plus(whole(c, "max_position_embeddings"), 2), d, NO_PAD);
}
static void MBartEncoder(mod *m, const cfg *c) {
    embeddings(m, c);
    list(m, "layers", count(c, "encoder_layers"), MBartEncoderLayer, c);
    layernorm(m, "layernorm_embedding", dim(c, "d_model"), num_f(1e-5));
    layernorm(m, "layer_norm", dim(c, "d_model"), num_f(1e-5));
}
static void MBartDecoder(mod *m, const cfg *c) {
    embeddings(m, c);
    list(m, "layers", count(c, "decoder_layers"), MBartDecoderLayer, c);
    layernorm(m, "layernorm_embedding", dim(c, "d_model"), num_f(1e-5));
    layernorm(m, "layer_norm", dim(c, "d_model"), num_f(1e-5));
}
static void MBartModel(mod *m, const cfg *c) {
    embedding_as(m, "shared", "MBartScaledWordEmbedding", dim(c, "vocab_size"), dim(c, "d_model"), pad(c));
    sub(m, "encoder", MBartEncoder, c);
    sub(m, "decoder", MBartDecoder, c);
}
static void MBartForConditionalGeneration(mod *m, const cfg *c) {
    int64_t vocab = dim(c, "vocab_size");
    sub(m, "model", MBartModel, c);
    buffer(m, "final_logits_bias", ZEROS, DT_DEFAULT, PERSISTENT, 1, vocab);
    linear(m, "lm_head", dim(c, "d_model"), vocab, false);
}
static void MBartForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "model", MBartModel, c);
    sub(m, "classification_head", MBartClassificationHead, c);
}
static void MBartForQuestionAnswering(mod *m, const cfg *c) {
    writes(c, "num_labels", val_int(2));
    sub(m, "model", MBartModel, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), 2, true); /* that num_labels */
}
static void MBartDecoderWrapper(mod *m, const cfg *c) { sub(m, "decoder", MBartDecoder, c); }
static void MBartForCausalLM(mod *m, const cfg *c) {
    writes(c, "is_decoder", val_bool(true));
    writes(c, "is_encoder_decoder", val_bool(false));
    sub(m, "model", MBartDecoderWrapper, with_flag(with_flag(c, "is_decoder", true), "is_encoder_decoder", false));
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static const model_facts MBartPreTrainedModel = {
    .config = "MBartConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("MBartDecoderLayer", "MBartEncoderLayer", "MBartAttention"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_mbart = {
    .name = "mbart",
    .configs = CONFIGS({.name = "MBartConfig", .model_type = "mbart"}),
    .models = MODELS(
        {"MBartEncoder", MBartEncoder, .like = &MBartPreTrainedModel},
        {"MBartDecoder", MBartDecoder, .like = &MBartPreTrainedModel},
        {"MBartModel", MBartModel, .like = &MBartPreTrainedModel,
         .own = {.tied_weights_keys = MAP({"decoder.embed_tokens.weight", "shared.weight"},
                                          {"encoder.embed_tokens.weight", "shared.weight"})}},
        {"MBartForConditionalGeneration", MBartForConditionalGeneration, .like = &MBartPreTrainedModel,
         .own = {.can_generate = YES,
                 .keys_to_ignore_on_load_missing = SET("final_logits_bias"),
                 .tied_weights_keys = MAP({"lm_head.weight", "model.shared.weight"})}},
        {"MBartForSequenceClassification", MBartForSequenceClassification, .like = &MBartPreTrainedModel},
        {"MBartForQuestionAnswering", MBartForQuestionAnswering, .like = &MBartPreTrainedModel},
        {"MBartDecoderWrapper", MBartDecoderWrapper, .like = &MBartPreTrainedModel},
        {"MBartForCausalLM", MBartForCausalLM, .like = &MBartPreTrainedModel,
         .own = {.can_generate = YES, .tied_weights_keys = MAP({"lm_head.weight", "model.decoder.embed_tokens.weight"})}}),
};
