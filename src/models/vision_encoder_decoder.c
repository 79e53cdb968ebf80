/* An image encoder and a decoder of any family, each from a config of its own.
 * Mirrors models/vision_encoder_decoder, transformers 5.23.0. */
#include "../build/def.h"

static void VisionEncoderDecoderModel(mod *m, const cfg *c) {
    const cfg *encoder = part(c, "encoder"), *decoder = part(c, "decoder");
    bool given = has(decoder, "cross_attention_hidden_size");
    if (given && !val_equal(get(decoder, "cross_attention_hidden_size"), get(encoder, "hidden_size")))
        refuse(decoder, "cross_attention_hidden_size", "should be the encoder's hidden_size, or null");
    writes(c, "tie_word_embeddings", val_bool(false));
    sub_auto(m, "encoder", encoder, "AutoModel");
    sub_auto(m, "decoder", decoder, "AutoModelForCausalLM");
    int64_t from = dim(encoder, "hidden_size"), to = dim(decoder, "hidden_size");
    if (from != to && !given) linear(m, "enc_to_dec_proj", from, to, true);
    if (has_tensor(m, "encoder.lm_head.weight")) refuse(encoder, "model_type", "should be of a type whose base model has no lm_head");
}

static const model_facts VisionEncoderDecoderPreTrainedModel = {
    .config = "VisionEncoderDecoderConfig",
    .base_model_prefix = "vision_encoder_decoder",
    .main_input_name = "pixel_values",
    .can_generate = YES,
    .supports_gradient_checkpointing = YES,
    .supports_flash_attn = YES, .supports_sdpa = YES,
};
const family family_vision_encoder_decoder = {
    .name = "vision_encoder_decoder",
    .configs = CONFIGS({.name = "VisionEncoderDecoderConfig", .model_type = "vision-encoder-decoder"}),
    .models = MODELS({"VisionEncoderDecoderModel", VisionEncoderDecoderModel, .like = &VisionEncoderDecoderPreTrainedModel}),
};
