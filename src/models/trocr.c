/* TrOCR: a decoder after BART's that reads an image encoder of any width. Mirrors models/trocr, transformers 5.23.0. */
#include "../build/def.h"

/* Its table is a plain tensor, neither parameter nor buffer: all that remains is what the constructor needs to make it. */
static void TrOCRSinusoidalPositionalEmbedding(mod *m, const cfg *c) {
    (void)m;
    int64_t padding = whole(c, "pad_token_id"), positions = count(c, "max_position_embeddings");
    if (dim(c, "d_model") < 4) refuse(c, "d_model", "should be at least 4, for its positions");
    if (padding < -(positions + 1) / 2) refuse(c, "pad_token_id", "should be a row of the positions");
}
/* `from` is the width of what keys and values are made of. */
static void TrOCRAttention(mod *m, const cfg *c, int64_t from, bool cross) {
    int64_t d = dim(c, "d_model"), heads = dim(c, "decoder_attention_heads");
    if (d % heads) refuse(c, "decoder_attention_heads", "should divide d_model, which is %lld", (long long)d);
    linear(m, "k_proj", from, d, true);
    linear(m, "v_proj", from, d, true);
    linear(m, "q_proj", d, d, true);
    linear(m, "out_proj", d, d, true);
    if (!cross) cache_keys(m, c, heads, d / heads);
    else if (reads_encoder(c)) cache_cross(m, c, heads, d / heads, 0);
}
static void TrOCRDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model"), ff = dim(c, "decoder_ffn_dim");
    sub(m, "self_attn", TrOCRAttention, c, d, false);
    act(m, "activation_fn", c, "activation_function");
    layernorm(m, "self_attn_layer_norm", d, num_f(1e-5));
    if (flag(c, "is_decoder")) {
        sub(m, "encoder_attn", TrOCRAttention, c, dim_or(c, "cross_attention_hidden_size", d), true);
        layernorm(m, "encoder_attn_layer_norm", d, num_f(1e-5));
    }
    linear(m, "fc1", d, ff, true);
    linear(m, "fc2", ff, d, true);
    layernorm(m, "final_layer_norm", d, num_f(1e-5));
}
static void TrOCRDecoder(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    embedding_as(m, "embed_tokens", "TrOCRScaledWordEmbedding", dim(c, "vocab_size"), d, pad(c));
    if (flag(c, "use_learned_position_embeddings"))
        embedding_as(m, "embed_positions", "TrOCRLearnedPositionalEmbedding", plus(whole(c, "max_position_embeddings"), 2), d, NO_PAD);
    else sub(m, "embed_positions", TrOCRSinusoidalPositionalEmbedding, c);
    if (flag(c, "layernorm_embedding")) layernorm(m, "layernorm_embedding", d, num_f(1e-5));
    list(m, "layers", count(c, "decoder_layers"), TrOCRDecoderLayer, c);
}
static void TrOCRDecoderWrapper(mod *m, const cfg *c) { sub(m, "decoder", TrOCRDecoder, c); }
static void TrOCRForCausalLM(mod *m, const cfg *c) {
    writes(c, "is_decoder", val_bool(true));
    writes(c, "is_encoder_decoder", val_bool(false));
    sub(m, "model", TrOCRDecoderWrapper, with_flag(with_flag(c, "is_decoder", true), "is_encoder_decoder", false));
    linear(m, "output_projection", dim(c, "d_model"), dim(c, "vocab_size"), false);
}

static const model_facts TrOCRPreTrainedModel = {
    .config = "TrOCRConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("TrOCRDecoderLayer"),
};

const family family_trocr = {
    .name = "trocr",
    .configs = CONFIGS({.name = "TrOCRConfig", .model_type = "trocr"}),
    .models = MODELS(
        /* First: without an AutoModel, this is what a config alone means. */
        {"TrOCRForCausalLM", TrOCRForCausalLM, .like = &TrOCRPreTrainedModel,
         .own = {.can_generate = YES, .tied_weights_keys = MAP({"output_projection.weight", "model.decoder.embed_tokens.weight"})}},
        {"TrOCRDecoder", TrOCRDecoder, .like = &TrOCRPreTrainedModel},
        {"TrOCRDecoderWrapper", TrOCRDecoderWrapper, .like = &TrOCRPreTrainedModel}),
};
