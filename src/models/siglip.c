/* SigLIP: CLIP with a learned temperature and bias, an attention-pooling head on the image tower.
 * Mirrors models/siglip, transformers 5.23.0. */
#include "../build/def.h"

static void SiglipTextConfig(cfg *c) { fill_int(c, "projection_size", whole(c, "hidden_size"), "hidden_size"); }

static void SiglipVisionEmbeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), patch = dim(c, "patch_size"), side = dim(c, "image_size") / patch;
    conv2d(m, "patch_embedding", dim(c, "num_channels"), d, .kernel = SAME2(patch), .stride = SAME2(patch), .padding_text = "valid");
    embedding(m, "position_embedding", side * side, d, NO_PAD);
    buffer(m, "position_ids", ARANGE, DT_I64, TRANSIENT, 1, side * side);
}
static void SiglipTextEmbeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), positions = dim(c, "max_position_embeddings");
    embedding(m, "token_embedding", dim(c, "vocab_size"), d, NO_PAD);
    embedding(m, "position_embedding", positions, d, NO_PAD);
    buffer(m, "position_ids", ARANGE, DT_I64, TRANSIENT, 1, positions);
}
static void SiglipAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    if (d % dim(c, "num_attention_heads")) refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    square_attention(m, d);
}
static void SiglipMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    fc_mlp(m, c, d, ff, "hidden_act");
}
static void SiglipEncoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_eps");
    layernorm(m, "layer_norm1", d, eps);
    sub(m, "self_attn", SiglipAttention, c);
    layernorm(m, "layer_norm2", d, eps);
    sub(m, "mlp", SiglipMLP, c);
}
static void SiglipEncoder(mod *m, const cfg *c) {
    list(m, "layers", count(c, "num_hidden_layers"), SiglipEncoderLayer, c);
}
static void SiglipTextModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    sub(m, "embeddings", SiglipTextEmbeddings, c);
    sub(m, "encoder", SiglipEncoder, c);
    layernorm(m, "final_layer_norm", d, real(c, "layer_norm_eps"));
    linear(m, "head", d, dim(c, "projection_size"), true);
}
static void SiglipMultiheadAttentionPoolingHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    param(m, "probe", RANDN, 1, 1, d);
    multihead_attention(m, "attention", d, dim(c, "num_attention_heads"), .no_bias = false);
    layernorm(m, "layernorm", d, real(c, "layer_norm_eps"));
    sub(m, "mlp", SiglipMLP, c);
}
static void SiglipVisionModel(mod *m, const cfg *c) {
    sub(m, "embeddings", SiglipVisionEmbeddings, c);
    sub(m, "encoder", SiglipEncoder, c);
    layernorm(m, "post_layernorm", dim(c, "hidden_size"), real(c, "layer_norm_eps"));
    if (flag(c, "vision_use_head")) sub(m, "head", SiglipMultiheadAttentionPoolingHead, c);
}
static void SiglipModel(mod *m, const cfg *c) {
    sub_from_config(m, "text_model", SiglipTextModel, part(c, "text_config"));
    sub_from_config(m, "vision_model", SiglipVisionModel, part(c, "vision_config"));
    param(m, "logit_scale", RANDN, 1);
    param(m, "logit_bias", RANDN, 1);
}
static void SiglipForImageClassification(mod *m, const cfg *c) {
    const cfg *vision = part(c, "vision_config");
    sub_from_config(m, "vision_model", SiglipVisionModel, vision);
    if (num_labels(c) > 0) linear(m, "classifier", dim(vision, "hidden_size"), num_labels(c), true);
    else identity(m, "classifier");
}

static void xavier_and_zero(mod *m, const char *weight, const char *bias) {
    init_xavier_uniform(m, weight);
    init_zeros(m, bias);
}
static void SiglipAttention_init(mod *m) {
    static const char *const weights[] = {"q_proj.weight", "k_proj.weight", "v_proj.weight", "out_proj.weight"};
    static const char *const biases[] = {"q_proj.bias", "k_proj.bias", "v_proj.bias", "out_proj.bias"};
    for (int i = 0; i < 4; i++) xavier_and_zero(m, weights[i], biases[i]);
}
static void SiglipMLP_init(mod *m) {
    init_xavier_uniform(m, "fc1.weight");
    init_xavier_uniform(m, "fc2.weight");
    init_normal(m, "fc1.bias", 0, 1e-6);
    init_normal(m, "fc2.bias", 0, 1e-6);
}
static void SiglipPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "SiglipVisionEmbeddings"))
        init_normal(m, "position_embedding.weight", 0, 1 / sqrt((double)tensor_dim(m, "position_embedding.weight", 1)));
    else if (is_embedding(m)) init_default_flax_embed(m, "weight");
    else if (is_a(m, "SiglipAttention")) SiglipAttention_init(m);
    else if (is_a(m, "SiglipMLP")) SiglipMLP_init(m);
    else if (is_a(m, "SiglipMultiheadAttentionPoolingHead")) {
        init_xavier_uniform(m, "probe");
        xavier_and_zero(m, "attention.in_proj_weight", "attention.in_proj_bias");
    } else if (is_a(m, "SiglipModel")) {
        init_zeros(m, "logit_scale");
        init_zeros(m, "logit_bias");
    } else if (is_a(m, "SiglipForImageClassification")) {
        double d = (double)dim(part(c, "vision_config"), "hidden_size");
        init_normal(m, "classifier.weight", 0, pow(d, -0.5) * real(c, "initializer_factor").d);
    } else if (is_linear(m) || is_conv(m, 2)) {
        init_lecun_normal(m, "weight");
        if (has_tensor(m, "bias")) init_zeros(m, "bias");
    }
}

static const model_facts SiglipPreTrainedModel = {
    .config = "SiglipConfig",
    .base_model_prefix = "siglip",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("SiglipTextEmbeddings", "SiglipVisionEmbeddings", "SiglipEncoderLayer", "SiglipMultiheadAttentionPoolingHead"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = SiglipPreTrainedModel_init_weights,
};
const family family_siglip = {
    .name = "siglip",
    .configs = CONFIGS({.name = "SiglipTextConfig", .model_type = "siglip_text_model", .post_init = SiglipTextConfig},
                       {.name = "SiglipVisionConfig", .model_type = "siglip_vision_model"},
                       {.name = "SiglipConfig", .model_type = "siglip"}),
    .models = MODELS(
        {"SiglipTextModel", SiglipTextModel, .like = &SiglipPreTrainedModel,
         .own = {.config = "SiglipTextConfig", .base_model_prefix = "text_model", .layout = LAYOUT(PREFIX_REMOVE("text_model"))}},
        {"SiglipVisionModel", SiglipVisionModel, .like = &SiglipPreTrainedModel,
         .own = {.config = "SiglipVisionConfig", .base_model_prefix = "vision_model", .main_input_name = "pixel_values",
          .layout = LAYOUT(PREFIX_REMOVE("vision_model"))}},
        {"SiglipModel", SiglipModel, .like = &SiglipPreTrainedModel},
        {"SiglipForImageClassification", SiglipForImageClassification, .like = &SiglipPreTrainedModel, .own = {.main_input_name = "pixel_values"}}),
};
