/* CLIP: an image tower and a text tower, projected into one space. Mirrors models/clip, transformers 5.23.0. */
#include "../build/def.h"

/* Old files hold a part a second time under text_config_dict or vision_config_dict; what is in there wins. */
static void clip_merge(cfg *c, const char *key, const char *old_key, const char *config_class_name) {
    val old = take(c, old_key);
    if (old.kind == VAL_ABSENT || old.kind == VAL_NULL) return;
    val full = config_to_dict(c, config_class_name, old), merged = get(c, key);
    if (merged.kind != VAL_DICT) merged = dict_new(c);
    for (uint32_t i = 0; i < full.n; i++) merged = dict_put(c, merged, full.members[i].key, full.members[i].v);
    put(c, key, merged, old_key);
}
static void CLIPConfig(cfg *c) {
    clip_merge(c, "text_config", "text_config_dict", "CLIPTextConfig");
    clip_merge(c, "vision_config", "vision_config_dict", "CLIPVisionConfig");
}

static void CLIPVisionEmbeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), patch = dim(c, "patch_size"), side = dim(c, "image_size") / patch;
    param(m, "class_embedding", RANDN, d);
    conv2d(m, "patch_embedding", dim(c, "num_channels"), d, .kernel = SAME2(patch), .stride = SAME2(patch), .no_bias = true);
    embedding(m, "position_embedding", side * side + 1, d, NO_PAD);
    buffer(m, "position_ids", ARANGE, DT_I64, TRANSIENT, 1, side * side + 1);
}
static void CLIPTextEmbeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), positions = dim(c, "max_position_embeddings");
    embedding(m, "token_embedding", dim(c, "vocab_size"), d, NO_PAD);
    embedding(m, "position_embedding", positions, d, NO_PAD);
    buffer(m, "position_ids", ARANGE, DT_I64, TRANSIENT, 1, positions);
}
static void CLIPAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    square_attention(m, d);
}
static void CLIPMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    fc_mlp(m, c, d, ff, "hidden_act");
}
static void CLIPEncoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real_or_none(c, "layer_norm_eps");
    sub(m, "self_attn", CLIPAttention, c);
    layernorm(m, "layer_norm1", d, eps);
    sub(m, "mlp", CLIPMLP, c);
    layernorm(m, "layer_norm2", d, eps);
}
static void CLIPEncoder(mod *m, const cfg *c) {
    list(m, "layers", count(c, "num_hidden_layers"), CLIPEncoderLayer, c);
}
static void CLIPTextModel(mod *m, const cfg *c) {
    sub(m, "embeddings", CLIPTextEmbeddings, c);
    sub(m, "encoder", CLIPEncoder, c);
    layernorm(m, "final_layer_norm", dim(c, "hidden_size"), real_or_none(c, "layer_norm_eps"));
}
static void CLIPVisionModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real_or_none(c, "layer_norm_eps");
    sub(m, "embeddings", CLIPVisionEmbeddings, c);
    layernorm(m, "pre_layrnorm", d, eps); /* upstream's spelling */
    sub(m, "encoder", CLIPEncoder, c);
    layernorm(m, "post_layernorm", d, eps);
}
static void CLIPModel(mod *m, const cfg *c) {
    const cfg *text_part = part(c, "text_config"), *vision = part(c, "vision_config");
    int64_t projection = dim(c, "projection_dim");
    sub_from_config(m, "text_model", CLIPTextModel, text_part);
    sub_from_config(m, "vision_model", CLIPVisionModel, vision);
    linear(m, "visual_projection", dim(vision, "hidden_size"), projection, false);
    linear(m, "text_projection", dim(text_part, "hidden_size"), projection, false);
    num scale = real(c, "logit_scale_init_value");
    if (!scale.real) refuse(c, "logit_scale_init_value", "should be a float: integers cannot be trained");
    param_scalar(m, "logit_scale", FULL(scale.d));
}
static void CLIPTextModelWithProjection(mod *m, const cfg *c) {
    sub_from_config(m, "text_model", CLIPTextModel, c);
    linear(m, "text_projection", dim(c, "hidden_size"), dim(c, "projection_dim"), false);
}
static void CLIPVisionModelWithProjection(mod *m, const cfg *c) {
    sub_from_config(m, "vision_model", CLIPVisionModel, c);
    linear(m, "visual_projection", dim(c, "hidden_size"), dim(c, "projection_dim"), false);
}
static void CLIPForImageClassification(mod *m, const cfg *c) {
    const cfg *vision = part(c, "vision_config");
    sub_from_config(m, "vision_model", CLIPVisionModel, vision);
    if (num_labels(c) > 0) linear(m, "classifier", dim(vision, "hidden_size"), num_labels(c), true);
    else identity(m, "classifier");
}

static void CLIPTextEmbeddings_init(mod *m, double factor) {
    init_normal(m, "token_embedding.weight", 0, factor * 0.02);
    init_normal(m, "position_embedding.weight", 0, factor * 0.02);
}
static void CLIPVisionEmbeddings_init(mod *m, const cfg *c, double factor) {
    double range = real(c, "initializer_range").d;
    init_normal(m, "class_embedding", 0, pow((double)dim(c, "hidden_size"), -0.5) * factor);
    init_normal(m, "patch_embedding.weight", 0, range * factor);
    init_normal(m, "position_embedding.weight", 0, range * factor);
}
/* What goes into a residual path shrinks with the number of layers. */
static double residual_std(const cfg *c, double factor) {
    return pow((double)dim(c, "hidden_size"), -0.5) * pow((double)(2 * count(c, "num_hidden_layers")), -0.5) * factor;
}
static void CLIPAttention_init(mod *m, const cfg *c, double factor) {
    double in = residual_std(c, factor);
    init_normal(m, "q_proj.weight", 0, in);
    init_normal(m, "k_proj.weight", 0, in);
    init_normal(m, "v_proj.weight", 0, in);
    init_normal(m, "out_proj.weight", 0, pow((double)dim(c, "hidden_size"), -0.5) * factor);
}
static void CLIPMLP_init(mod *m, const cfg *c, double factor) {
    init_normal(m, "fc1.weight", 0, pow((double)(2 * dim(c, "hidden_size")), -0.5) * factor);
    init_normal(m, "fc2.weight", 0, residual_std(c, factor));
}
/* A projection or head, by the width that it reads. */
static void projection_init(mod *m, const char *weight, double factor) {
    if (has_tensor(m, weight)) init_normal(m, weight, 0, pow((double)tensor_dim(m, weight, 1), -0.5) * factor);
}
static void CLIPPreTrainedModel_init_weights(mod *m, const cfg *c) {
    double factor = real(c, "initializer_factor").d;
    init_weights(m, c);
    if (is_a(m, "CLIPTextEmbeddings")) CLIPTextEmbeddings_init(m, factor);
    else if (is_a(m, "CLIPVisionEmbeddings")) CLIPVisionEmbeddings_init(m, c, factor);
    else if (is_a(m, "CLIPAttention")) CLIPAttention_init(m, c, factor);
    else if (is_a(m, "CLIPMLP")) CLIPMLP_init(m, c, factor);
    else if (is_a(m, "CLIPModel")) {
        projection_init(m, "text_projection.weight", factor);
        projection_init(m, "visual_projection.weight", factor);
    } else if (is_a(m, "CLIPVisionModelWithProjection")) projection_init(m, "visual_projection.weight", factor);
    else if (is_a(m, "CLIPTextModelWithProjection")) projection_init(m, "text_projection.weight", factor);
    else if (is_a(m, "CLIPForImageClassification")) projection_init(m, "classifier.weight", factor);
}

static const model_facts CLIPPreTrainedModel = {
    .config = "CLIPConfig",
    .base_model_prefix = "clip",
    .no_split_modules = SET("CLIPTextEmbeddings", "CLIPEncoderLayer", "CLIPVisionEmbeddings"),
    .supports_gradient_checkpointing = YES,
    .supports_sdpa = YES, .supports_flash_attn = YES, .supports_flex_attn = YES,
    .init_weights = CLIPPreTrainedModel_init_weights,
};
const family family_clip = {
    .name = "clip",
    .configs = CONFIGS(
        {.name = "CLIPTextConfig", .model_type = "clip_text_model", .validate_architecture = heads_divide_hidden_size},
        {.name = "CLIPVisionConfig", .model_type = "clip_vision_model", .validate_architecture = heads_divide_hidden_size},
        {.name = "CLIPConfig", .model_type = "clip", .post_init = CLIPConfig}),
    .models = MODELS(
        {"CLIPTextModel", CLIPTextModel, .like = &CLIPPreTrainedModel,
         .own = {.config = "CLIPTextConfig", .layout = LAYOUT(PREFIX_REMOVE("text_model"))}},
        {"CLIPVisionModel", CLIPVisionModel, .like = &CLIPPreTrainedModel,
         .own = {.config = "CLIPVisionConfig", .main_input_name = "pixel_values", .layout = LAYOUT(PREFIX_REMOVE("vision_model"))}},
        {"CLIPModel", CLIPModel, .like = &CLIPPreTrainedModel},
        {"CLIPTextModelWithProjection", CLIPTextModelWithProjection, .like = &CLIPPreTrainedModel,
         .own = {.config = "CLIPTextConfig", .base_model_prefix = "text_model"}},
        {"CLIPVisionModelWithProjection", CLIPVisionModelWithProjection, .like = &CLIPPreTrainedModel,
         .own = {.config = "CLIPVisionConfig", .base_model_prefix = "vision_model", .main_input_name = "pixel_values"}},
        {"CLIPForImageClassification", CLIPForImageClassification, .like = &CLIPPreTrainedModel, .own = {.main_input_name = "pixel_values"}}),
};
