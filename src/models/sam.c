/* Segment Anything: an image tower, an encoder of prompts and a decoder of masks. Mirrors models/sam, transformers 5.23.0. */
#include "../build/def.h"

static void SamPromptEncoderConfig(cfg *c) {
    int64_t image = whole(c, "image_size"), patch = whole(c, "patch_size");
    if (!patch) refuse(c, "patch_size", "image_size is divided by it");
    else derive_int(c, "image_embedding_size", (int64_t)floor((double)image / (double)patch), "image_size // patch_size");
}
static void SamVisionConfig(cfg *c) {
    int64_t d = whole(c, "hidden_size");
    fill_int(c, "mlp_dim", truncated((double)d * real(c, "mlp_ratio").d), "hidden_size * mlp_ratio");
    derive_int(c, "scale", (int64_t)floor((double)d / 2), "hidden_size // 2");
}

static void SamLayerNorm(mod *m, const char *name, int64_t d, num eps) { layernorm_as(m, name, "SamLayerNorm", d, eps); }
/* A count of modules that are made one by one. */
static int64_t few(const cfg *c, const char *key, int64_t n) {
    if (n <= 1 << 16) return n;
    refuse(c, key, "up to %d modules are made of it", 1 << 16);
    return 0;
}

/* ---- the image tower ---- */

static void SamPatchEmbeddings(mod *m, const cfg *c) { patch_projection(m, c); }
static void SamMLPBlock(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "mlp_dim");
    linear(m, "lin1", d, ff, true);
    linear(m, "lin2", ff, d, true);
    act(m, "act", c, "hidden_act");
}
static int64_t grid_side(const cfg *c) { return dim(c, "image_size") / dim(c, "patch_size"); }
/* Relative positions reach as far as a layer sees: its window, or all of the image where that is 0. */
static void SamVisionAttention(mod *m, const cfg *c, int64_t window) {
    int64_t d = dim(c, "hidden_size"), head = d / dim(c, "num_attention_heads"), side = window ? window : grid_side(c);
    if (!head) refuse(c, "num_attention_heads", "there are more heads than hidden_size");
    linear(m, "qkv", d, 3 * d, flag(c, "qkv_bias"));
    linear(m, "proj", d, d, true);
    if (!flag(c, "use_rel_pos")) return;
    param(m, "rel_pos_h", ZEROS, 2 * side - 1, head);
    param(m, "rel_pos_w", ZEROS, 2 * side - 1, head);
}
static void SamVisionLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), window = layer_in(m, c, "global_attn_indexes") ? 0 : count(c, "window_size");
    num eps = real(c, "layer_norm_eps");
    layernorm(m, "layer_norm1", d, eps);
    if (!strcmp(attn_implementation(c), "sdpa")) sub_as(m, "attn", "SamVisionSdpaAttention", SamVisionAttention, c, window);
    else if (!strcmp(attn_implementation(c), "eager")) sub(m, "attn", SamVisionAttention, c, window);
    else fail(m, "its attention is sdpa or eager, not %s", attn_implementation(c));
    layernorm(m, "layer_norm2", d, eps);
    sub(m, "mlp", SamMLPBlock, c);
}
static void SamVisionNeck(mod *m, const cfg *c) {
    int64_t out = dim(c, "output_channels");
    conv2d(m, "conv1", dim(c, "hidden_size"), out, .kernel = SAME2(1), .no_bias = true);
    SamLayerNorm(m, "layer_norm1", out, num_f(1e-6));
    conv2d(m, "conv2", out, out, .kernel = SAME2(3), .padding = SAME2(1), .no_bias = true);
    SamLayerNorm(m, "layer_norm2", out, num_f(1e-6));
}
static void SamVisionEncoder(mod *m, const cfg *c) {
    sub(m, "patch_embed", SamPatchEmbeddings, c);
    if (flag(c, "use_abs_pos")) param(m, "pos_embed", ZEROS, 1, grid_side(c), grid_side(c), dim(c, "hidden_size"));
    list(m, "layers", count(c, "num_hidden_layers"), SamVisionLayer, c);
    sub(m, "neck", SamVisionNeck, c);
}
static void SamVisionModel(mod *m, const cfg *c) { sub(m, "vision_encoder", SamVisionEncoder, c); }

/* ---- prompts ---- */

static double scale_of(const cfg *vision) {
    double scale = 0;
    if (!val_number(get(vision, "scale"), &scale)) refuse(vision, "scale", "a number is needed");
    return scale;
}
static void SamPositionalEmbedding(mod *m, const cfg *vision) {
    param(m, "positional_embedding", NORMAL(0, scale_of(vision)), 2, dim(vision, "num_pos_feats"));
}
static void SamMaskEmbedding(mod *m, const cfg *c) {
    int64_t all = dim(c, "mask_input_channels"), quarter = all / 4;
    num eps = real(c, "layer_norm_eps");
    may_be_empty(m);
    act(m, "activation", c, "hidden_act");
    conv2d(m, "conv1", 1, quarter, .kernel = SAME2(2), .stride = SAME2(2));
    conv2d(m, "conv2", quarter, all, .kernel = SAME2(2), .stride = SAME2(2));
    conv2d(m, "conv3", all, dim(c, "hidden_size"), .kernel = SAME2(1));
    SamLayerNorm(m, "layer_norm1", quarter, eps);
    SamLayerNorm(m, "layer_norm2", 4 * quarter, eps);
}
static void SamPromptEncoder(mod *m, const cfg *all) {
    const cfg *c = part(all, "prompt_encoder_config");
    int64_t d = dim(c, "hidden_size"), points = few(c, "num_point_embeddings", count(c, "num_point_embeddings"));
    sub(m, "shared_embedding", SamPositionalEmbedding, part(all, "vision_config"));
    sub(m, "mask_embed", SamMaskEmbedding, c);
    embedding(m, "no_mask_embed", 1, d, NO_PAD);
    mod *point_embed = module_list(m, "point_embed");
    for (int64_t i = 0; i < points; i++) embedding(point_embed, next_name(point_embed), 1, d, NO_PAD);
    embedding(m, "not_a_point_embed", 1, d, NO_PAD);
}

/* ---- the mask decoder ---- */

static void SamAttention(mod *m, const cfg *c, int64_t downsample_rate) {
    int64_t d = dim(c, "hidden_size"), inner = d / downsample_rate;
    if (inner % dim(c, "num_attention_heads")) refuse(c, "num_attention_heads", "it must divide hidden_size / %d", (int)downsample_rate);
    linear(m, "q_proj", d, inner, true);
    linear(m, "k_proj", d, inner, true);
    linear(m, "v_proj", d, inner, true);
    linear(m, "out_proj", inner, d, true);
}
/* Its attention across is half as wide whatever attention_downsample_rate says: that is read for the last one alone. */
static void SamTwoWayAttentionBlock(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_eps");
    sub(m, "self_attn", SamAttention, c, 1);
    layernorm(m, "layer_norm1", d, eps);
    sub(m, "cross_attn_token_to_image", SamAttention, c, 2);
    layernorm(m, "layer_norm2", d, eps);
    sub(m, "mlp", SamMLPBlock, c);
    layernorm(m, "layer_norm3", d, eps);
    layernorm(m, "layer_norm4", d, eps);
    sub(m, "cross_attn_image_to_token", SamAttention, c, 2);
}
static void SamTwoWayTransformer(mod *m, const cfg *c) {
    list(m, "layers", count(c, "num_hidden_layers"), SamTwoWayAttentionBlock, c);
    sub(m, "final_attn_token_to_image", SamAttention, c, dim(c, "attention_downsample_rate"));
    layernorm(m, "layer_norm_final_attn", dim(c, "hidden_size"), num_f(1e-5));
}
static void SamFeedForward(mod *m, int64_t in, int64_t hidden, int64_t out, int64_t depth) {
    activation(m, "activation", "ReLU");
    linear(m, "proj_in", in, hidden, true);
    linear(m, "proj_out", hidden, out, true);
    mod *layers = module_list(m, "layers");
    for (int64_t i = 2; i < depth; i++) linear(layers, next_name(layers), hidden, hidden, true);
}
static void SamMaskDecoder(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), masks = count(c, "num_multimask_outputs") + 1;
    may_be_empty(m);
    embedding(m, "iou_token", 1, d, NO_PAD);
    embedding(m, "mask_tokens", masks, d, NO_PAD);
    sub(m, "transformer", SamTwoWayTransformer, c);
    conv_transpose2d(m, "upscale_conv1", d, d / 4, .kernel = SAME2(2), .stride = SAME2(2));
    conv_transpose2d(m, "upscale_conv2", d / 4, d / 8, .kernel = SAME2(2), .stride = SAME2(2));
    SamLayerNorm(m, "upscale_layer_norm", d / 4, num_f(1e-6));
    activation(m, "activation", "GELU");
    list(m, "output_hypernetworks_mlps", masks, SamFeedForward, d, d, d / 8, 3);
    sub(m, "iou_prediction_head", SamFeedForward, d, dim(c, "iou_head_hidden_dim"), masks, few(c, "iou_head_depth", whole(c, "iou_head_depth")));
}
static void SamModel(mod *m, const cfg *c) {
    const cfg *vision = part(c, "vision_config"), *decoder = part(c, "mask_decoder_config");
    sub(m, "shared_image_embedding", SamPositionalEmbedding, vision);
    sub(m, "vision_encoder", SamVisionEncoder, vision);
    sub(m, "prompt_encoder", SamPromptEncoder, c);
    writes(decoder, "_attn_implementation", val_text(attn_implementation(c))); /* its layers are no models, and are told */
    sub(m, "mask_decoder", SamMaskDecoder, decoder);
}

static void SamPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "SamVisionAttention", "SamVisionSdpaAttention")) {
        if (!has_tensor(m, "rel_pos_h")) return;
        init_zeros(m, "rel_pos_h");
        init_zeros(m, "rel_pos_w");
    } else if (is_a(m, "SamVisionEncoder")) {
        if (has_tensor(m, "pos_embed")) init_zeros(m, "pos_embed");
    } else if (is_a(m, "SamPositionalEmbedding"))
        init_normal(m, "positional_embedding", 0, scale_of(part(c, "vision_config")));
}

static const model_facts SamPreTrainedModel = {
    .config = "SamConfig",
    .base_model_prefix = "sam",
    .main_input_name = "pixel_values",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("SamVisionLayer"),
    .supports_sdpa = YES,
    .init_weights = SamPreTrainedModel_init_weights,
};

const family family_sam = {
    .name = "sam",
    .configs = CONFIGS({.name = "SamPromptEncoderConfig", .model_type = "sam_prompt_encoder", .post_init = SamPromptEncoderConfig},
                       {.name = "SamMaskDecoderConfig", .model_type = "sam_mask_decoder"},
                       {.name = "SamVisionConfig", .model_type = "sam_vision_model", .post_init = SamVisionConfig},
                       {.name = "SamConfig", .model_type = "sam"}),
    .models = MODELS({"SamVisionEncoder", SamVisionEncoder, .like = &SamPreTrainedModel, .own = {.config = "SamVisionConfig"}},
                     {"SamVisionModel", SamVisionModel, .like = &SamPreTrainedModel, .own = {.config = "SamVisionConfig"}},
                     {"SamModel", SamModel, .like = &SamPreTrainedModel,
                      .own = {.tied_weights_keys = MAP({"prompt_encoder.shared_embedding.positional_embedding",
                                                        "shared_image_embedding.positional_embedding"})}}),
};
