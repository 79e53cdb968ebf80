/* Pegasus: BART with norms before the residual and fixed sinusoids for positions. Mirrors models/pegasus, transformers 5.23.0. */
#include "../build/def.h"

static void PegasusEncoderLayer(mod *m, const cfg *c) { seq2seq_encoder_layer(m, c, "PegasusAttention"); }
static void PegasusDecoderLayer(mod *m, const cfg *c) { seq2seq_decoder_layer(m, c, "PegasusAttention"); }
static void embeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    freeze_all(embedding_as(m, "embed_positions", "PegasusSinusoidalPositionalEmbedding", dim(c, "max_position_embeddings"), d, NO_PAD));
}
static void PegasusEncoder(mod *m, const cfg *c) {
    embeddings(m, c);
    list(m, "layers", count(c, "encoder_layers"), PegasusEncoderLayer, c);
    layernorm(m, "layer_norm", dim(c, "d_model"), num_f(1e-5));
}
static void PegasusDecoder(mod *m, const cfg *c) {
    embeddings(m, c);
    list(m, "layers", count(c, "decoder_layers"), PegasusDecoderLayer, c);
    layernorm(m, "layer_norm", dim(c, "d_model"), num_f(1e-5));
}
static void PegasusModel(mod *m, const cfg *c) {
    embedding(m, "shared", dim(c, "vocab_size"), dim(c, "d_model"), pad(c));
    sub(m, "encoder", PegasusEncoder, c);
    sub(m, "decoder", PegasusDecoder, c);
}
static void PegasusForConditionalGeneration(mod *m, const cfg *c) {
    int64_t vocab = dim(c, "vocab_size");
    sub(m, "model", PegasusModel, c);
    buffer(m, "final_logits_bias", ZEROS, DT_DEFAULT, PERSISTENT, 1, vocab);
    linear(m, "lm_head", dim(c, "d_model"), vocab, false);
}
static void PegasusDecoderWrapper(mod *m, const cfg *c) { sub(m, "decoder", PegasusDecoder, c); }
static void PegasusForCausalLM(mod *m, const cfg *c) {
    writes_own(c, "is_decoder", val_bool(true));
    writes_own(c, "is_encoder_decoder", val_bool(false));
    sub(m, "model", PegasusDecoderWrapper, with_flag(with_flag(c, "is_decoder", true), "is_encoder_decoder", false));
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void PegasusPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "PegasusSinusoidalPositionalEmbedding")) init_made(m, "weight", DOUBLE_SINUSOIDS(10000));
    else if (is_a(m, "PegasusForConditionalGeneration")) init_zeros(m, "final_logits_bias");
}

static const model_facts PegasusPreTrainedModel = {
    .config = "PegasusConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = PegasusPreTrainedModel_init_weights,
};

const family family_pegasus = {
    .name = "pegasus",
    .configs = CONFIGS({.name = "PegasusConfig", .model_type = "pegasus"}),
    .models = MODELS(
        {"PegasusEncoder", PegasusEncoder, .like = &PegasusPreTrainedModel},
        {"PegasusDecoder", PegasusDecoder, .like = &PegasusPreTrainedModel},
        {"PegasusModel", PegasusModel, .like = &PegasusPreTrainedModel,
         .own = {.tied_weights_keys = MAP({"decoder.embed_tokens.weight", "shared.weight"},
                                          {"encoder.embed_tokens.weight", "shared.weight"})}},
        {"PegasusForConditionalGeneration", PegasusForConditionalGeneration, .like = &PegasusPreTrainedModel,
         .own = {.can_generate = YES,
                 .keys_to_ignore_on_load_missing = SET("final_logits_bias"),
                 .tied_weights_keys = MAP({"lm_head.weight", "model.shared.weight"})}},
        {"PegasusDecoderWrapper", PegasusDecoderWrapper, .like = &PegasusPreTrainedModel},
        {"PegasusForCausalLM", PegasusForCausalLM, .like = &PegasusPreTrainedModel,
         .own = {.can_generate = YES, .tied_weights_keys = MAP({"lm_head.weight", "model.decoder.embed_tokens.weight"})}}),
};
