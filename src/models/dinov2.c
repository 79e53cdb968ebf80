/* DINOv2: a ViT with scaled residuals, also as a backbone. Mirrors models/dinov2, transformers 5.23.0. */
#include "../build/def.h"

static void Dinov2Config(cfg *c) {
    int64_t n = count(c, "num_hidden_layers") + 1;
    val *names = list_room(c, "num_hidden_layers", &n);
    for (int64_t i = 0; i < n; i++) names[i] = i ? text_new(c, "stage%d", (int)i) : val_text("stem");
    put(c, "stage_names", list_in(names, n), "a stem, then one stage per layer");
    backbone_outputs(c, take(c, "out_features"), take(c, "out_indices"));
}

static void Dinov2PatchEmbeddings(mod *m, const cfg *c) { patch_projection(m, c); }
static void Dinov2Embeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    pair image = dim_pair(c, "image_size"), patch = dim_pair(c, "patch_size");
    int64_t num_patches = (image.w / patch.w) * (image.h / patch.h);
    param(m, "cls_token", ZEROS, 1, 1, d);
    if (flag(c, "use_mask_token")) param(m, "mask_token", ZEROS, 1, d);
    sub(m, "patch_embeddings", Dinov2PatchEmbeddings, c);
    param(m, "position_embeddings", RANDN, 1, num_patches + 1, d);
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
}
static void Dinov2Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    int64_t width = heads * (known(c, "head_dim") ? dim(c, "head_dim") : d / heads);
    bool bias = flag(c, "qkv_bias");
    attention_projections(m, d, width, width, bias, true);
}
static void Dinov2LayerScale(mod *m, const cfg *c) {
    param(m, "lambda1", FULL(real(c, "layerscale_value").d), dim(c, "hidden_size"));
}
static void Dinov2MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = d * dim(c, "mlp_ratio");
    fc_mlp(m, c, d, ff, "hidden_act");
}
/* Two thirds of the plain width, rounded up to a multiple of 8. */
static void Dinov2SwiGLUFFN(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = (d * dim(c, "mlp_ratio") * 2 / 3 + 7) / 8 * 8;
    linear(m, "gate_proj", d, ff, true);
    linear(m, "up_proj", d, ff, true);
    linear(m, "down_proj", ff, d, true);
    act_named(m, "act_fn", "silu");
}
static void Dinov2Layer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_eps"), rate = real(c, "drop_path_rate");
    layernorm(m, "norm1", d, eps);
    sub(m, "attention", Dinov2Attention, c);
    sub(m, "layer_scale1", Dinov2LayerScale, c);
    drop_path(m, "Dinov2DropPath", rate);
    layernorm(m, "norm2", d, eps);
    if (flag(c, "use_swiglu_ffn")) sub(m, "mlp", Dinov2SwiGLUFFN, c);
    else sub(m, "mlp", Dinov2MLP, c);
    sub(m, "layer_scale2", Dinov2LayerScale, c);
}
static void Dinov2Encoder(mod *m, const cfg *c) {
    list(m, "layer", count(c, "num_hidden_layers"), Dinov2Layer, c);
}
static void Dinov2Model(mod *m, const cfg *c) {
    sub(m, "embeddings", Dinov2Embeddings, c);
    sub(m, "encoder", Dinov2Encoder, c);
    layernorm(m, "layernorm", dim(c, "hidden_size"), real(c, "layer_norm_eps"));
}
static void Dinov2ForImageClassification(mod *m, const cfg *c) {
    sub(m, "dinov2", Dinov2Model, c);
    if (num_labels(c) > 0) linear(m, "classifier", dim(c, "hidden_size") * 2, num_labels(c), true);
    else identity(m, "classifier");
}
static void Dinov2Backbone(mod *m, const cfg *c) {
    backbone_verify(c);
    Dinov2Model(m, c);
}

static void Dinov2PreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = real(c, "initializer_range").d;
    init_weights(m, c);
    if (is_a(m, "Dinov2Embeddings")) {
        init_trunc_normal(m, "position_embeddings", 0, std, -2, 2);
        init_trunc_normal(m, "cls_token", 0, std, -2, 2);
        if (has_tensor(m, "mask_token")) init_zeros(m, "mask_token");
    }
    if (is_linear(m) || is_conv(m, 2)) {
        init_trunc_normal(m, "weight", 0, std, -2, 2);
        if (has_tensor(m, "bias")) init_zeros(m, "bias");
    }
    if (is_a(m, "Dinov2LayerScale")) init_constant(m, "lambda1", real(c, "layerscale_value").d);
}

static const model_facts Dinov2PreTrainedModel = {
    .config = "Dinov2Config",
    .base_model_prefix = "dinov2",
    .main_input_name = "pixel_values",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Dinov2Embeddings", "Dinov2Layer"),
    .supports_sdpa = YES, .supports_flash_attn = YES, .supports_flex_attn = YES,
    .init_weights = Dinov2PreTrainedModel_init_weights,
};
/* Files name attention as BERT does, and hold the gate and the way up of SwiGLU as one. */
static const layout_rule dinov2_layout[] = {
    RENAME("attention.attention.query", "attention.q_proj"),
    RENAME("attention.attention.key", "attention.k_proj"),
    RENAME("attention.attention.value", "attention.v_proj"),
    RENAME("attention.output.dense", "attention.o_proj"),
    CONVERT(SET("mlp.weights_in.weight"), SET("mlp.gate_proj.weight", "mlp.up_proj.weight"), Chunk(0)),
    CONVERT(SET("mlp.weights_in.bias"), SET("mlp.gate_proj.bias", "mlp.up_proj.bias"), Chunk(0)),
    RENAME("mlp.weights_out", "mlp.down_proj"),
    {.what = LAYOUT_END},
};

const family family_dinov2 = {
    .name = "dinov2",
    .configs = CONFIGS({.name = "Dinov2Config", .model_type = "dinov2", .post_init = Dinov2Config, BACKBONE}),
    .models = MODELS({"Dinov2Encoder", Dinov2Encoder, .like = &Dinov2PreTrainedModel},
                     {"Dinov2Model", Dinov2Model, .like = &Dinov2PreTrainedModel, .own = {.layout = dinov2_layout}},
                     {"Dinov2ForImageClassification", Dinov2ForImageClassification, .like = &Dinov2PreTrainedModel},
                     {"Dinov2Backbone", Dinov2Backbone, .like = &Dinov2PreTrainedModel, .own = {.layout = dinov2_layout}}),
};
