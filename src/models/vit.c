/* ViT: a transformer encoder over image patches. Mirrors models/vit, transformers 5.23.0. */
#include "../build/def.h"

static void ViTConfig(cfg *c) {
    if (!flag(c, "pooler_output_size")) derive_int(c, "pooler_output_size", dim(c, "hidden_size"), "hidden_size");
}

static void ViTPatchEmbeddings(mod *m, const cfg *c) { patch_projection(m, c); }
static void ViTEmbeddings(mod *m, const cfg *c, bool use_mask_token) {
    int64_t d = dim(c, "hidden_size");
    pair image = dim_pair(c, "image_size"), patch = dim_pair(c, "patch_size");
    int64_t num_patches = (image.w / patch.w) * (image.h / patch.h);
    param(m, "cls_token", RANDN, 1, 1, d);
    if (use_mask_token) param(m, "mask_token", ZEROS, 1, 1, d);
    sub(m, "patch_embeddings", ViTPatchEmbeddings, c);
    param(m, "position_embeddings", RANDN, 1, num_patches + 1, d);
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
}
static void ViTAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    int64_t width = heads * (known(c, "head_dim") ? dim(c, "head_dim") : d / heads);
    bool bias = flag(c, "qkv_bias");
    attention_projections(m, d, width, width, bias, true);
}
static void ViTMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    fc_mlp(m, c, d, ff, "hidden_act");
}
static void ViTLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_eps");
    sub(m, "attention", ViTAttention, c);
    layernorm(m, "layernorm_before", d, eps);
    layernorm(m, "layernorm_after", d, eps);
    sub(m, "mlp", ViTMLP, c);
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
}
static void ViTPooler(mod *m, const cfg *c) {
    linear(m, "dense", dim(c, "hidden_size"), dim(c, "pooler_output_size"), true);
    act(m, "activation", c, "pooler_act");
}
static void vit(mod *m, const cfg *c, bool add_pooling_layer, bool use_mask_token) {
    sub(m, "embeddings", ViTEmbeddings, c, use_mask_token);
    list(m, "layers", count(c, "num_hidden_layers"), ViTLayer, c);
    layernorm(m, "layernorm", dim(c, "hidden_size"), real(c, "layer_norm_eps"));
    if (add_pooling_layer) sub(m, "pooler", ViTPooler, c);
}
static void ViTModel(mod *m, const cfg *c) { vit(m, c, true, false); }
static void ViTForMaskedImageModeling(mod *m, const cfg *c) {
    int64_t stride = dim(c, "encoder_stride");
    sub_as(m, "vit", "ViTModel", vit, c, false, true);
    mod *decoder = sequential(m, "decoder");
    conv2d(decoder, next_name(decoder), dim(c, "hidden_size"), times(times(stride, stride), dim(c, "num_channels")), .kernel = SIZE1(1));
    pixel_shuffle(decoder, next_name(decoder), stride);
}
static void ViTForImageClassification(mod *m, const cfg *c) {
    sub_as(m, "vit", "ViTModel", vit, c, false, false);
    if (num_labels(c) > 0) linear(m, "classifier", dim(c, "hidden_size"), num_labels(c), true);
    else identity(m, "classifier");
}

static void ViTPreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = real(c, "initializer_range").d;
    init_weights(m, c);
    if (!is_a(m, "ViTEmbeddings")) return;
    init_trunc_normal(m, "position_embeddings", 0, std, -2, 2);
    init_trunc_normal(m, "cls_token", 0, std, -2, 2);
    if (has_tensor(m, "mask_token")) init_zeros(m, "mask_token");
}

static const model_facts ViTPreTrainedModel = {
    .config = "ViTConfig",
    .base_model_prefix = "vit",
    .main_input_name = "pixel_values",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("ViTEmbeddings", "ViTLayer"),
    .supports_sdpa = YES, .supports_flash_attn = YES, .supports_flex_attn = YES,
    .init_weights = ViTPreTrainedModel_init_weights,
};

const family family_vit = {
    .name = "vit",
    .configs = CONFIGS({.name = "ViTConfig", .model_type = "vit", .post_init = ViTConfig}),
    .models = MODELS({"ViTModel", ViTModel, .like = &ViTPreTrainedModel,
                      .own = {.layout = LAYOUT(RENAME("encoder\\.layer\\.", "layers."),
                                               RENAME("attention.query", "q_proj"),
                                               RENAME("attention.key", "k_proj"),
                                               RENAME("attention.value", "v_proj"),
                                               RENAME("attention.output.dense", "attention.o_proj"),
                                               RENAME("intermediate.dense", "mlp.fc1"),
                                               RENAME("output.dense", "mlp.fc2"))}},
                     {"ViTForMaskedImageModeling", ViTForMaskedImageModeling, .like = &ViTPreTrainedModel},
                     {"ViTForImageClassification", ViTForImageClassification, .like = &ViTPreTrainedModel}),
};
