/* Swin: attention within shifted windows, stage by stage, also as a backbone. Mirrors models/swin, transformers 5.23.0. */
#include "../build/def.h"

/* Each stage is twice as wide as the one before. */
static int64_t stage_width(const cfg *c, int64_t stage) {
    if (stage > 30) return refuse(c, "depths", "more than 30 stages, each twice as wide as the one before"), 1;
    return (int64_t)ldexp((double)dim(c, "embed_dim"), (int)stage);
}
static void SwinConfig(cfg *c) {
    int64_t stages = len(c, "depths"), n = stages + 1;
    val *names = list_room(c, "depths", &n);
    for (int64_t i = 0; i < n; i++) names[i] = i ? text_new(c, "stage%d", (int)i) : val_text("stem");
    derive_int(c, "num_layers", stages, "len(depths)");
    derive_int(c, "hidden_size", stage_width(c, stages - 1), "embed_dim * 2 ** (len(depths) - 1)");
    put(c, "stage_names", list_in(names, n), "a stem, then one stage per depth");
    backbone_outputs(c, take(c, "out_features"), take(c, "out_indices"));
}

static void SwinPatchEmbeddings(mod *m, const cfg *c) {
    pair patch = dim_pair(c, "patch_size");
    conv2d(m, "projection", dim(c, "num_channels"), dim(c, "embed_dim"), .kernel = SIZE2(patch.h, patch.w), .stride = SIZE2(patch.h, patch.w));
}
static void SwinEmbeddings(mod *m, const cfg *c, bool use_mask_token) {
    int64_t d = dim(c, "embed_dim");
    pair image = dim_pair(c, "image_size"), patch = dim_pair(c, "patch_size");
    sub(m, "patch_embeddings", SwinPatchEmbeddings, c);
    if (use_mask_token) param(m, "mask_token", ZEROS, 1, 1, d);
    if (flag(c, "use_absolute_embeddings")) param(m, "position_embeddings", ZEROS, 1, (image.w / patch.w) * (image.h / patch.h), d);
    layernorm(m, "norm", d, num_f(1e-5));
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
}
static void SwinRelativePositionBias(mod *m, int64_t heads, int64_t window) {
    param(m, "relative_position_bias_table", ZEROS, times(2 * window - 1, 2 * window - 1), heads);
    buffer(m, "relative_position_index", OFFSETS(window, window), DT_I64, TRANSIENT, times(times(window, window), times(window, window)));
}
static void SwinAttention(mod *m, const cfg *c, int64_t d, int64_t heads) {
    bool bias = flag(c, "qkv_bias");
    if (heads > d) refuse(c, "num_heads", "a stage of %d channels cannot have %d heads", (int)d, (int)heads);
    attention_projections(m, d, d, d, bias, true);
    sub(m, "relative_position_bias", SwinRelativePositionBias, heads, dim(c, "window_size"));
}
static void SwinMLP(mod *m, const cfg *c, int64_t d) {
    int64_t ff = truncated(real(c, "mlp_ratio").d * (double)d);
    fc_mlp(m, c, d, ff, "hidden_act");
}
/* Rates rise evenly over all layers of the model; `first` of them lie before this stage. */
static num drop_path_rate(mod *m, const cfg *c, int64_t first) {
    double most = real(c, "drop_path_rate").d;
    int64_t layers = sum_before(c, "depths", INT64_MAX);
    return num_f(most == 0 ? 0 : most * (double)(first + layer_idx(m)) / (double)(layers > 1 ? layers - 1 : 1));
}
static void SwinLayer(mod *m, const cfg *c, int64_t d, int64_t heads, int64_t first) {
    num eps = real(c, "layer_norm_eps"), rate = drop_path_rate(m, c, first);
    sub(m, "attention", SwinAttention, c, d, heads);
    layernorm(m, "layernorm_before", d, eps);
    layernorm(m, "layernorm_after", d, eps);
    sub(m, "mlp", SwinMLP, c, d);
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
    drop_path(m, "SwinDropPath", rate);
}
static void SwinPatchMerging(mod *m, int64_t d) {
    linear(m, "reduction", 4 * d, 2 * d, false);
    layernorm(m, "norm", 4 * d, num_f(1e-5));
}
static void SwinStage(mod *m, const cfg *c) {
    int64_t stage = layer_idx(m), d = stage_width(c, stage);
    int64_t heads = layer_dim(m, c, "num_heads");
    list(m, "blocks", layer_count(m, c, "depths"), SwinLayer, c, d, heads, sum_before(c, "depths", stage));
    if (!layer_last(m)) sub(m, "downsample", SwinPatchMerging, d);
}
static void SwinEncoder(mod *m, const cfg *c) {
    list(m, "layers", len(c, "depths"), SwinStage, c);
}
static void swin(mod *m, const cfg *c, bool add_pooling_layer, bool use_mask_token) {
    sub(m, "embeddings", SwinEmbeddings, c, use_mask_token);
    sub(m, "encoder", SwinEncoder, c);
    layernorm(m, "layernorm", stage_width(c, len(c, "depths") - 1), real(c, "layer_norm_eps"));
    if (add_pooling_layer) adaptive_avg_pool1d(m, "pooler", 1);
}
static void SwinModel(mod *m, const cfg *c) { swin(m, c, true, false); }
static void SwinForMaskedImageModeling(mod *m, const cfg *c) {
    int64_t stride = dim(c, "encoder_stride");
    double layers = 0;
    if (!val_number(get(c, "num_layers"), &layers) || layers > 31) refuse(c, "num_layers", "a number of at most 31 is needed");
    sub_as(m, "swin", "SwinModel", swin, c, false, true);
    mod *decoder = sequential(m, "decoder");
    conv2d(decoder, next_name(decoder), truncated((double)dim(c, "embed_dim") * pow(2, layers - 1)),
           times(times(stride, stride), dim(c, "num_channels")), .kernel = SAME2(1));
    pixel_shuffle(decoder, next_name(decoder), stride);
}
static void SwinForImageClassification(mod *m, const cfg *c) {
    sub(m, "swin", SwinModel, c);
    if (num_labels(c) > 0) linear(m, "classifier", stage_width(c, len(c, "depths") - 1), num_labels(c), true);
    else identity(m, "classifier");
}
/* A norm for each stage that is given out, the stem's as wide as the first stage. */
static void SwinBackbone(mod *m, const cfg *c) {
    backbone_verify(c);
    sub_as(m, "swin", "SwinModel", swin, c, false, false);
    mod *norms = module_dict(m, "hidden_states_norms");
    int64_t stages = len(c, "stage_names");
    if (len(c, "depths") + 1 < stages) refuse(c, "stage_names", "there are more of them than stages");
    for (int64_t i = 0; i < len(c, "_out_features"); i++) {
        const char *name = text_at(c, "_out_features", i);
        int64_t at = 0;
        while (at < stages - 1 && strcmp(text_at(c, "stage_names", at), name)) at++;
        layernorm(norms, name, stage_width(c, at ? at - 1 : 0), num_f(1e-5));
    }
}

static void SwinPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "SwinEmbeddings")) {
        if (has_tensor(m, "mask_token")) init_zeros(m, "mask_token");
        if (has_tensor(m, "position_embeddings")) init_zeros(m, "position_embeddings");
    } else if (is_a(m, "SwinRelativePositionBias")) init_zeros(m, "relative_position_bias_table");
}

static const model_facts SwinPreTrainedModel = {
    .config = "SwinConfig",
    .base_model_prefix = "swin",
    .main_input_name = "pixel_values",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("SwinStage"),
    .keys_to_ignore_on_load_unexpected = SET("attention\\.self\\.relative_position_index",
                                             "attention\\.relative_position_bias\\.relative_position_index"),
    .supports_sdpa = YES,
    .init_weights = SwinPreTrainedModel_init_weights,
};
/* Files name attention as BERT does. */
static const layout_rule swin_layout[] = {
    RENAME("attention.self.query", "attention.q_proj"),
    RENAME("attention.self.key", "attention.k_proj"),
    RENAME("attention.self.value", "attention.v_proj"),
    RENAME("attention.self.relative_position_bias_table", "attention.relative_position_bias.relative_position_bias_table"),
    RENAME("attention.output.dense", "attention.o_proj"),
    RENAME("intermediate.dense", "mlp.fc1"),
    RENAME("output.dense", "mlp.fc2"),
    {.what = LAYOUT_END},
};

const family family_swin = {
    .name = "swin",
    .configs = CONFIGS({.name = "SwinConfig", .model_type = "swin", .post_init = SwinConfig, BACKBONE, .layout = swin_layout}),
    .models = MODELS(
        {"SwinEncoder", SwinEncoder, .like = &SwinPreTrainedModel},
        {"SwinModel", SwinModel, .like = &SwinPreTrainedModel},
        {"SwinForMaskedImageModeling", SwinForMaskedImageModeling, .like = &SwinPreTrainedModel},
        {"SwinForImageClassification", SwinForImageClassification, .like = &SwinPreTrainedModel},
        {"SwinBackbone", SwinBackbone, .like = &SwinPreTrainedModel,
         .own = {.keys_to_ignore_on_load_missing = SET("swin.layernorm.*"),
                 .layout = LAYOUT(RENAME("^encoder\\.", "swin.encoder."), RENAME("^embeddings\\.", "swin.embeddings."))}}),
};
