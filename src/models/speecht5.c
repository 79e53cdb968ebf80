/* SpeechT5: one encoder and decoder in latent space, with prenets and postnets for text and for speech; HiFi-GAN makes waves of spectra.
 * Mirrors models/speecht5, transformers 5.23.0. */
#include "../build/def.h"

static void SpeechT5Config(cfg *c) {
    derive_int(c, "num_feat_extract_layers", len(c, "conv_dim"), "len(conv_dim)");
}

/* ---- positions ---- */

/* Its first rows are those of the padding, so there are more of them; the one of padding_idx is 0. */
static void SpeechT5SinusoidalPositionalEmbedding(mod *m, const cfg *c, const char *positions) {
    int64_t padding = whole(c, "pad_token_id"), rows = count(c, positions) + padding + 3, zero = padding < 0 ? rows + padding : padding;
    if (dim(c, "hidden_size") < 4) refuse(c, "hidden_size", "should be at least 4, for its positions");
    if (rows < 1 || zero < 0) refuse(c, "pad_token_id", "should be a row of the positions");
    else buffer(m, "weights", FLOAT_SINUSOIDS(10000, zero), DT_DEFAULT, TRANSIENT, rows, dim(c, "hidden_size"));
}
static void SpeechT5PositionalConvEmbedding(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), k = dim(c, "num_conv_pos_embeddings"), groups = dim(c, "num_conv_pos_embedding_groups");
    weight_norm(conv1d(m, "conv", d, d, .kernel = SIZE1(k), .padding = SIZE1(k / 2), .groups = groups), 2);
    done(child(m, "padding", "SpeechT5SamePadLayer"));
    act(m, "activation", c, "feat_extract_activation");
}
static void SpeechT5ScaledPositionalEncoding(mod *m, const cfg *c, const char *positions) {
    if (dim(c, "hidden_size") % 2) refuse(c, "hidden_size", "should be even, for its positions");
    buffer(m, "pe", FLOAT_SINUSOIDS_IN_TURN(10000), DT_DEFAULT, TRANSIENT, 1, dim(c, positions), dim(c, "hidden_size"));
    dropout(m, "dropout", real(c, "positional_dropout"));
    param_scalar(m, "alpha", ONES);
}
static void SpeechT5RelativePositionalEncoding(mod *m, const cfg *c) {
    int64_t heads = dim(c, "encoder_attention_heads"), reach = dim(c, "encoder_max_relative_position");
    embedding(m, "pe_k", 2 * reach, dim(c, "hidden_size") / heads, NO_PAD);
}

/* ---- prenets and postnets ---- */

static void SpeechT5FeatureEncoder(mod *m, const cfg *c) { speech_convs(m, c, "SpeechT5"); }
static void SpeechT5FeatureProjection(mod *m, const cfg *c) {
    int64_t features = dim_at(c, "conv_dim", len(c, "conv_dim") - 1);
    layernorm(m, "layer_norm", features, real(c, "layer_norm_eps"));
    linear(m, "projection", features, dim(c, "hidden_size"), true);
    dropout(m, "dropout", real(c, "feat_proj_dropout"));
}
static void SpeechT5SpeechEncoderPrenet(mod *m, const cfg *c) {
    sub(m, "feature_encoder", SpeechT5FeatureEncoder, c);
    sub(m, "feature_projection", SpeechT5FeatureProjection, c);
    if (real(c, "mask_time_prob").d > 0 || real(c, "mask_feature_prob").d > 0)
        param(m, "masked_spec_embed", UNIFORM(0, 1), dim(c, "hidden_size"));
    sub(m, "pos_conv_embed", SpeechT5PositionalConvEmbedding, c);
    sub(m, "pos_sinusoidal_embed", SpeechT5SinusoidalPositionalEmbedding, c, "max_speech_positions");
}
static void SpeechT5SpeechDecoderPrenet(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), units = dim(c, "speech_decoder_prenet_units"), n = count(c, "speech_decoder_prenet_layers");
    if (n > 1 << 16) {
        refuse(c, "speech_decoder_prenet_layers", "should be at most 65536");
        return;
    }
    mod *layers = module_list(m, "layers");
    for (int64_t i = 0; i < n; i++) linear(layers, next_name(layers), i ? units : dim(c, "num_mel_bins"), units, true);
    linear(m, "final_layer", units, d, true);
    sub(m, "encode_positions", SpeechT5ScaledPositionalEncoding, c, "max_speech_positions");
    linear(m, "speaker_embeds_layer", dim(c, "speaker_embedding_dim") + d, d, true);
}
static void SpeechT5BatchNormConvLayer(mod *m, const cfg *c) {
    int64_t bins = dim(c, "num_mel_bins"), units = dim(c, "speech_decoder_postnet_units"), k = dim(c, "speech_decoder_postnet_kernel");
    int64_t in = layer_first(m) ? bins : units, out = layer_last(m) ? bins : units;
    conv1d(m, "conv", in, out, .kernel = SIZE1(k), .padding = SIZE1((k - 1) / 2), .no_bias = true);
    batchnorm1d(m, "batch_norm", out, .no_affine = false);
    if (!layer_last(m)) activation(m, "activation", "Tanh");
    dropout(m, "dropout", real(c, "speech_decoder_postnet_dropout"));
}
static void SpeechT5SpeechDecoderPostnet(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), frames = dim(c, "reduction_factor");
    linear(m, "feat_out", d, times(dim(c, "num_mel_bins"), frames), true);
    linear(m, "prob_out", d, frames, true);
    list(m, "layers", count(c, "speech_decoder_postnet_layers"), SpeechT5BatchNormConvLayer, c);
}
static void SpeechT5TextEncoderPrenet(mod *m, const cfg *c) {
    embedding(m, "embed_tokens", dim(c, "vocab_size"), dim(c, "hidden_size"), pad(c));
    sub(m, "encode_positions", SpeechT5ScaledPositionalEncoding, c, "max_text_positions");
}
static void SpeechT5TextDecoderPrenet(mod *m, const cfg *c) {
    dropout(m, "dropout", real(c, "positional_dropout"));
    embedding(m, "embed_tokens", dim(c, "vocab_size"), dim(c, "hidden_size"), pad(c));
    sub(m, "embed_positions", SpeechT5SinusoidalPositionalEmbedding, c, "max_text_positions");
}
static void SpeechT5TextDecoderPostnet(mod *m, const cfg *c) { linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false); }

/* ---- encoder and decoder ---- */

static void SpeechT5Attention(mod *m, const cfg *c, const char *heads_key) {
    int64_t d = dim(c, "hidden_size");
    if (d % dim(c, heads_key)) refuse(c, heads_key, "should divide hidden_size, which is %lld", (long long)d);
    square_attention(m, d);
}
static void speecht5_self_attention(mod *m, const cfg *c) {
    int64_t heads = dim(c, "decoder_attention_heads");
    SpeechT5Attention(m, c, "decoder_attention_heads");
    cache_keys(m, c, heads, dim(c, "hidden_size") / heads);
}
static void speecht5_cross_attention(mod *m, const cfg *c) {
    int64_t heads = dim(c, "decoder_attention_heads");
    SpeechT5Attention(m, c, "decoder_attention_heads");
    cache_cross(m, c, heads, dim(c, "hidden_size") / heads, 0);
}
static void SpeechT5FeedForward(mod *m, const cfg *c, const char *ffn_key) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, ffn_key);
    dropout(m, "intermediate_dropout", real(c, "activation_dropout"));
    linear(m, "intermediate_dense", d, ff, true);
    act(m, "intermediate_act_fn", c, "hidden_act");
    linear(m, "output_dense", ff, d, true);
    dropout(m, "output_dropout", real(c, "hidden_dropout"));
}
static void SpeechT5EncoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_eps");
    sub(m, "attention", SpeechT5Attention, c, "encoder_attention_heads");
    dropout(m, "dropout", real(c, "hidden_dropout"));
    layernorm(m, "layer_norm", d, eps);
    sub(m, "feed_forward", SpeechT5FeedForward, c, "encoder_ffn_dim");
    layernorm(m, "final_layer_norm", d, eps);
}
static void SpeechT5DecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_eps");
    sub_as(m, "self_attn", "SpeechT5Attention", speecht5_self_attention, c);
    dropout(m, "dropout", real(c, "hidden_dropout"));
    layernorm(m, "self_attn_layer_norm", d, eps);
    sub_as(m, "encoder_attn", "SpeechT5Attention", speecht5_cross_attention, c);
    layernorm(m, "encoder_attn_layer_norm", d, eps);
    sub(m, "feed_forward", SpeechT5FeedForward, c, "decoder_ffn_dim");
    layernorm(m, "final_layer_norm", d, eps);
}
static void SpeechT5Encoder(mod *m, const cfg *c) {
    layernorm(m, "layer_norm", dim(c, "hidden_size"), real(c, "layer_norm_eps"));
    dropout(m, "dropout", real(c, "hidden_dropout"));
    list(m, "layers", count(c, "encoder_layers"), SpeechT5EncoderLayer, c);
    sub(m, "embed_positions", SpeechT5RelativePositionalEncoding, c);
}
static void SpeechT5EncoderWithSpeechPrenet(mod *m, const cfg *c) {
    sub(m, "prenet", SpeechT5SpeechEncoderPrenet, c);
    sub(m, "wrapped_encoder", SpeechT5Encoder, c);
}
static void SpeechT5EncoderWithTextPrenet(mod *m, const cfg *c) {
    sub(m, "prenet", SpeechT5TextEncoderPrenet, c);
    sub(m, "wrapped_encoder", SpeechT5Encoder, c);
}
static void SpeechT5EncoderWithoutPrenet(mod *m, const cfg *c) { sub(m, "wrapped_encoder", SpeechT5Encoder, c); }
static void SpeechT5Decoder(mod *m, const cfg *c) { list(m, "layers", count(c, "decoder_layers"), SpeechT5DecoderLayer, c); }
static void SpeechT5DecoderWithSpeechPrenet(mod *m, const cfg *c) {
    sub(m, "prenet", SpeechT5SpeechDecoderPrenet, c);
    sub(m, "wrapped_decoder", SpeechT5Decoder, c);
}
static void SpeechT5DecoderWithTextPrenet(mod *m, const cfg *c) {
    sub(m, "prenet", SpeechT5TextDecoderPrenet, c);
    sub(m, "wrapped_decoder", SpeechT5Decoder, c);
}
static void SpeechT5DecoderWithoutPrenet(mod *m, const cfg *c) { sub(m, "wrapped_decoder", SpeechT5Decoder, c); }

/* ---- models ---- */

static void SpeechT5Model(mod *m, const cfg *c) {
    sub(m, "encoder", SpeechT5EncoderWithoutPrenet, c);
    sub(m, "decoder", SpeechT5DecoderWithoutPrenet, c);
}
static void speech_to_text(mod *m, const cfg *c) {
    sub(m, "encoder", SpeechT5EncoderWithSpeechPrenet, c);
    sub(m, "decoder", SpeechT5DecoderWithTextPrenet, c);
}
static void text_to_speech(mod *m, const cfg *c) {
    sub(m, "encoder", SpeechT5EncoderWithTextPrenet, c);
    sub(m, "decoder", SpeechT5DecoderWithSpeechPrenet, c);
}
static void speech_to_speech(mod *m, const cfg *c) {
    sub(m, "encoder", SpeechT5EncoderWithSpeechPrenet, c);
    sub(m, "decoder", SpeechT5DecoderWithSpeechPrenet, c);
}
static void SpeechT5ForSpeechToText(mod *m, const cfg *c) {
    sub_as(m, "speecht5", "SpeechT5Model", speech_to_text, c);
    sub(m, "text_decoder_postnet", SpeechT5TextDecoderPostnet, c);
}
static void SpeechT5ForTextToSpeech(mod *m, const cfg *c) {
    sub_as(m, "speecht5", "SpeechT5Model", text_to_speech, c);
    sub(m, "speech_decoder_postnet", SpeechT5SpeechDecoderPostnet, c);
}
static void SpeechT5ForSpeechToSpeech(mod *m, const cfg *c) {
    sub_as(m, "speecht5", "SpeechT5Model", speech_to_speech, c);
    sub(m, "speech_decoder_postnet", SpeechT5SpeechDecoderPostnet, c);
}

/* ---- HiFi-GAN ---- */

static int64_t dilation_at(const cfg *c, int64_t block, int64_t i) {
    val d = get(c, "resblock_dilation_sizes").items[block].items[i];
    bool good = d.kind == VAL_INT && d.i >= 1 && d.i < INT32_MAX;
    if (!good) refuse(c, "resblock_dilation_sizes", "should be lists of ints, 1 or more");
    return good ? d.i : 1;
}
static void hifigan_convs(mod *m, const char *name, const cfg *c, int64_t channels, int64_t block, bool dilated) {
    int64_t k = dim_at(c, "resblock_kernel_sizes", block);
    mod *convs = module_list(m, name);
    for (int64_t i = 0; i < (int64_t)get(c, "resblock_dilation_sizes").items[block].n; i++) {
        int64_t dilation = dilated ? dilation_at(c, block, i) : 1;
        conv1d(convs, next_name(convs), channels, channels, .kernel = SIZE1(k), .dilation = SIZE1(dilation),
               .padding = SIZE1((k * dilation - dilation) / 2));
    }
}
static void HifiGanResidualBlock(mod *m, const cfg *c, int64_t channels, int64_t block) {
    if (get(c, "resblock_dilation_sizes").items[block].kind != VAL_LIST) {
        refuse(c, "resblock_dilation_sizes", "should be lists of ints, 1 or more");
        return;
    }
    hifigan_convs(m, "convs1", c, channels, block, true);
    hifigan_convs(m, "convs2", c, channels, block, false);
}
static int64_t shorter(const cfg *c, const char *a, const char *b) { return len(c, a) < len(c, b) ? len(c, a) : len(c, b); }
/* What halving leaves of the channels. */
static int64_t channels_at(const cfg *c, int64_t i) {
    int64_t left = dim(c, "upsample_initial_channel") >> (i < 63 ? i : 63);
    if (!left) refuse(c, "upsample_initial_channel", "is halved to nothing by upsample_rates");
    return left ? left : 1;
}
static void SpeechT5HifiGan(mod *m, const cfg *c) {
    int64_t bins = dim(c, "model_in_dim"), ups = shorter(c, "upsample_rates", "upsample_kernel_sizes");
    if (!ups) refuse(c, "upsample_rates", "should not be empty");
    conv1d(m, "conv_pre", bins, dim(c, "upsample_initial_channel"), .kernel = SIZE1(7), .padding = SIZE1(3));
    mod *upsampler = module_list(m, "upsampler");
    for (int64_t i = 0; i < ups; i++) {
        int64_t k = dim_at(c, "upsample_kernel_sizes", i), rate = dim_at(c, "upsample_rates", i), extra = k - rate;
        conv_transpose1d(upsampler, next_name(upsampler), channels_at(c, i), channels_at(c, i + 1), .kernel = SIZE1(k),
                         .stride = SIZE1(rate), .padding = SIZE1((extra - (extra & 1)) / 2));
    }
    mod *resblocks = module_list(m, "resblocks");
    for (int64_t i = 0; i < ups; i++)
        for (int64_t block = 0; block < shorter(c, "resblock_kernel_sizes", "resblock_dilation_sizes"); block++)
            append(resblocks, HifiGanResidualBlock, c, channels_at(c, i + 1), block);
    conv1d(m, "conv_post", channels_at(c, ups), 1, .kernel = SIZE1(7), .padding = SIZE1(3));
    buffer(m, "mean", ZEROS, DT_DEFAULT, PERSISTENT, bins);
    buffer(m, "scale", ONES, DT_DEFAULT, PERSISTENT, bins);
}

static void uniform_by_inputs(mod *m, const char *path, int64_t inputs) {
    double bound = sqrt(1 / (double)inputs);
    init_uniform(m, path, -bound, bound);
}
/* The weight of the positional convolution is a product of two others, so what is drawn for it is lost. */
static void SpeechT5PreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "SpeechT5PositionalConvEmbedding")) {
        init_normal(m, "conv.weight", 0, 2 * sqrt(1 / (double)(tensor_dim(m, "conv.weight", 2) * dim(c, "hidden_size"))));
        init_zeros(m, "conv.bias");
    } else if (is_a(m, "SpeechT5FeatureProjection")) {
        uniform_by_inputs(m, "projection.weight", tensor_dim(m, "projection.weight", 1));
        uniform_by_inputs(m, "projection.bias", tensor_dim(m, "projection.weight", 1));
    } else if (is_conv(m, 1)) {
        init_kaiming_normal(m, "weight", FAN_IN, 0);
        if (has_tensor(m, "bias")) uniform_by_inputs(m, "bias", tensor_dim(m, "weight", 1) * tensor_dim(m, "weight", 2));
    } else if (has_tensor(m, "masked_spec_embed")) init_uniform(m, "masked_spec_embed", 0, 1);
}

static const model_facts SpeechT5PreTrainedModel = {
    .config = "SpeechT5Config",
    .base_model_prefix = "speecht5",
    .main_input_name = "input_values",
    .supports_gradient_checkpointing = YES,
    .init_weights = SpeechT5PreTrainedModel_init_weights,
};
#define LM_HEAD_TIE MAP({"text_decoder_postnet.lm_head.weight", "speecht5.decoder.prenet.embed_tokens.weight"})

const family family_speecht5 = {
    .name = "speecht5",
    .configs = CONFIGS(
        {.name = "SpeechT5Config", .model_type = "speecht5", .post_init = SpeechT5Config, .validate_architecture = speech_convs_agree},
        {.name = "SpeechT5HifiGanConfig", .model_type = "speecht5_hifigan"}),
    .models = MODELS(
        {"SpeechT5Encoder", SpeechT5Encoder, .like = &SpeechT5PreTrainedModel},
        {"SpeechT5EncoderWithSpeechPrenet", SpeechT5EncoderWithSpeechPrenet, .like = &SpeechT5PreTrainedModel},
        {"SpeechT5EncoderWithTextPrenet", SpeechT5EncoderWithTextPrenet, .like = &SpeechT5PreTrainedModel},
        {"SpeechT5EncoderWithoutPrenet", SpeechT5EncoderWithoutPrenet, .like = &SpeechT5PreTrainedModel},
        {"SpeechT5Decoder", SpeechT5Decoder, .like = &SpeechT5PreTrainedModel},
        {"SpeechT5DecoderWithSpeechPrenet", SpeechT5DecoderWithSpeechPrenet, .like = &SpeechT5PreTrainedModel},
        {"SpeechT5DecoderWithTextPrenet", SpeechT5DecoderWithTextPrenet, .like = &SpeechT5PreTrainedModel},
        {"SpeechT5DecoderWithoutPrenet", SpeechT5DecoderWithoutPrenet, .like = &SpeechT5PreTrainedModel},
        {"SpeechT5Model", SpeechT5Model, .like = &SpeechT5PreTrainedModel},
        {"SpeechT5ForSpeechToText", SpeechT5ForSpeechToText, .like = &SpeechT5PreTrainedModel,
         .own = {.can_generate = YES, .tied_weights_keys = LM_HEAD_TIE}},
        {"SpeechT5ForTextToSpeech", SpeechT5ForTextToSpeech, .like = &SpeechT5PreTrainedModel,
         .own = {.can_generate = YES, .main_input_name = "input_ids"}},
        {"SpeechT5ForSpeechToSpeech", SpeechT5ForSpeechToSpeech, .like = &SpeechT5PreTrainedModel},
        {"SpeechT5HifiGan", SpeechT5HifiGan, .own = {.config = "SpeechT5HifiGanConfig", .main_input_name = "spectrogram"}}),
};
