/* Whisper: convolutions and fixed sinusoids into an encoder, a decoder with cross attention.
 * Mirrors models/whisper, transformers 5.23.0. */
#include "../build/def.h"

static void WhisperAttention(mod *m, const cfg *c, const char *heads_key, bool keeps, bool cross) {
    int64_t d = dim(c, "d_model"), heads = dim(c, heads_key);
    if (d % heads) refuse(c, heads_key, "should divide d_model, which is %lld", (long long)d);
    linear(m, "k_proj", d, d, false);
    linear(m, "v_proj", d, d, true);
    linear(m, "q_proj", d, d, true);
    linear(m, "out_proj", d, d, true);
    if (keeps) cache_keys(m, c, heads, d / heads);
    if (!cross) return;
    val frames = get(c, "max_source_positions"); /* the encoder takes half a minute, no more and no less */
    cache_cross(m, c, heads, d / heads, frames.kind == VAL_INT && frames.i > 0 ? frames.i : 0);
}
static void WhisperEncoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model"), ff = dim(c, "encoder_ffn_dim");
    sub(m, "self_attn", WhisperAttention, c, "encoder_attention_heads", false, false);
    layernorm(m, "self_attn_layer_norm", d, num_f(1e-5));
    fc_mlp(m, c, d, ff, "activation_function");
    layernorm(m, "final_layer_norm", d, num_f(1e-5));
}
static void WhisperDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model"), ff = dim(c, "decoder_ffn_dim");
    sub(m, "self_attn", WhisperAttention, c, "decoder_attention_heads", true, false);
    act(m, "activation_fn", c, "activation_function");
    layernorm(m, "self_attn_layer_norm", d, num_f(1e-5));
    sub(m, "encoder_attn", WhisperAttention, c, "decoder_attention_heads", false, true);
    layernorm(m, "encoder_attn_layer_norm", d, num_f(1e-5));
    linear(m, "fc1", d, ff, true);
    linear(m, "fc2", ff, d, true);
    layernorm(m, "final_layer_norm", d, num_f(1e-5));
}
static void WhisperEncoder(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    conv1d(m, "conv1", dim(c, "num_mel_bins"), d, .kernel = SIZE1(3), .padding = SIZE1(1));
    conv1d(m, "conv2", d, d, .kernel = SIZE1(3), .stride = SIZE1(2), .padding = SIZE1(1));
    freeze_all(embedding(m, "embed_positions", dim(c, "max_source_positions"), d, NO_PAD)); /* sinusoids */
    list(m, "layers", count(c, "encoder_layers"), WhisperEncoderLayer, c);
    layernorm(m, "layer_norm", d, num_f(1e-5));
}
static void WhisperDecoder(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    embedding_as(m, "embed_positions", "WhisperPositionalEmbedding", dim(c, "max_target_positions"), d, NO_PAD);
    list(m, "layers", count(c, "decoder_layers"), WhisperDecoderLayer, c);
    layernorm(m, "layer_norm", d, num_f(1e-5));
}
static void WhisperModel(mod *m, const cfg *c) {
    sub(m, "encoder", WhisperEncoder, c);
    sub(m, "decoder", WhisperDecoder, c);
}
static void WhisperForConditionalGeneration(mod *m, const cfg *c) {
    sub(m, "model", WhisperModel, c);
    linear(m, "proj_out", dim(c, "d_model"), dim(c, "vocab_size"), false);
}
static void WhisperDecoderWrapper(mod *m, const cfg *c) {
    writes(c, "is_encoder_decoder", val_bool(false));
    sub(m, "decoder", WhisperDecoder, with_flag(c, "is_encoder_decoder", false));
}
static void WhisperForCausalLM(mod *m, const cfg *c) {
    writes(c, "is_encoder_decoder", val_bool(false));
    sub(m, "model", WhisperDecoderWrapper, with_flag(c, "is_encoder_decoder", false));
    linear(m, "proj_out", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}
static void WhisperForAudioClassification(mod *m, const cfg *c) {
    int64_t layers = count(c, "num_hidden_layers") + 1, projection = dim(c, "classifier_proj_size");
    sub(m, "encoder", WhisperEncoder, c);
    if (flag(c, "use_weighted_layer_sum")) param(m, "layer_weights", FULL(1.0 / (double)layers), layers);
    linear(m, "projector", dim(c, "hidden_size"), projection, true);
    linear(m, "classifier", projection, num_labels(c), true);
}

static void WhisperPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "WhisperEncoder")) init_made(m, "embed_positions.weight", SINUSOIDS(10000));
    else if (is_a(m, "WhisperForAudioClassification") && flag(c, "use_weighted_layer_sum"))
        init_constant(m, "layer_weights", 1.0 / (double)(count(c, "num_hidden_layers") + 1));
}

static const model_facts WhisperPreTrainedModel = {
    .config = "WhisperConfig",
    .base_model_prefix = "model",
    .main_input_name = "input_features",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("WhisperEncoderLayer", "WhisperDecoderLayer"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = WhisperPreTrainedModel_init_weights,
};
#define WHISPER_TIE MAP({"proj_out.weight", "model.decoder.embed_tokens.weight"})

const family family_whisper = {
    .name = "whisper",
    .configs = CONFIGS({.name = "WhisperConfig", .model_type = "whisper"}),
    .models = MODELS(
        {"WhisperEncoder", WhisperEncoder, .like = &WhisperPreTrainedModel},
        {"WhisperDecoder", WhisperDecoder, .like = &WhisperPreTrainedModel, .own = {.main_input_name = "input_ids"}},
        {"WhisperModel", WhisperModel, .like = &WhisperPreTrainedModel},
        {"WhisperForConditionalGeneration", WhisperForConditionalGeneration, .like = &WhisperPreTrainedModel,
         .own = {.tied_weights_keys = WHISPER_TIE, .can_generate = YES}},
        {"WhisperDecoderWrapper", WhisperDecoderWrapper, .like = &WhisperPreTrainedModel},
        {"WhisperForCausalLM", WhisperForCausalLM, .like = &WhisperPreTrainedModel,
         .own = {.tied_weights_keys = WHISPER_TIE, .main_input_name = "input_ids", .can_generate = YES}},
        {"WhisperForAudioClassification", WhisperForAudioClassification, .like = &WhisperPreTrainedModel}),
};
