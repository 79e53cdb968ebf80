/* ConvNeXt: stages of depthwise convolutions, also as a backbone. Mirrors models/convnext, transformers 5.23.0. */
#include "../build/def.h"

static void ConvNextConfig(cfg *c) {
    int64_t n = len(c, "depths") + 1;
    val *names = list_room(c, "depths", &n);
    for (int64_t i = 0; i < n; i++) names[i] = i ? text_new(c, "stage%d", (int)i) : val_text("stem");
    put(c, "stage_names", list_in(names, n), "a stem, then one stage per depth");
    backbone_outputs(c, take(c, "out_features"), take(c, "out_indices"));
}

static void ConvNextLayerNorm(mod *m, const char *name, int64_t d) { layernorm_as(m, name, "ConvNextLayerNorm", d, num_f(1e-6)); }
/* A list of other than two sizes makes a Conv2d of so many axes: torch builds it, though no image goes through. */
static void patches(mod *m, const cfg *c, const char *name, int64_t d) {
    int axes = get(c, "patch_size").kind == VAL_LIST ? (int)len(c, "patch_size") : 2;
    conv_spec s = {.kernel = {0, 0, 0, SIZE_TUPLE}, .cls = "Conv2d"};
    if (axes == 2) {
        pair patch = dim_pair(c, "patch_size");
        s.kernel[0] = patch.h, s.kernel[1] = patch.w;
    } else if (axes > 3) refuse(c, "patch_size", "a kernel of up to three axes is built");
    else
        for (int i = 0; i < axes; i++) s.kernel[i] = dim_at(c, "patch_size", i);
    memcpy(s.stride, s.kernel, sizeof s.stride);
    conv_(m, name, axes, false, dim(c, "num_channels"), d, s);
}
static void ConvNextEmbeddings(mod *m, const cfg *c) {
    int64_t d = dim_at(c, "hidden_sizes", 0);
    patches(m, c, "patch_embeddings", d);
    ConvNextLayerNorm(m, "layernorm", d);
}
/* Rates rise evenly over all layers of the model; `first` of them lie before this stage. */
static num drop_path_rate(mod *m, const cfg *c, int64_t first) {
    double most = real(c, "drop_path_rate").d;
    return most == 0 ? num_f(0) : linspace(m, 0, most, sum_before(c, "depths", INT64_MAX), first + layer_idx(m));
}
static void ConvNextLayer(mod *m, const cfg *c, int64_t d, int64_t first) {
    num rate = drop_path_rate(m, c, first);
    double scale = real(c, "layer_scale_init_value").d;
    conv2d(m, "dwconv", d, d, .kernel = SAME2(7), .padding = SAME2(3), .groups = d);
    ConvNextLayerNorm(m, "layernorm", d);
    linear(m, "pwconv1", d, 4 * d, true);
    act(m, "act", c, "hidden_act");
    linear(m, "pwconv2", 4 * d, d, true);
    if (scale > 0) param(m, "layer_scale_parameter", FULL(scale), d);
    drop_path(m, "ConvNextDropPath", rate);
}
static void ConvNextStage(mod *m, const cfg *c) {
    int64_t in = layer_dim_before(m, c, "hidden_sizes", dim_at(c, "hidden_sizes", 0));
    int64_t out = layer_dim(m, c, "hidden_sizes"), depth = layer_count(m, c, "depths");
    int64_t stride = layer_first(m) ? 1 : 2;
    int64_t first = real(c, "drop_path_rate").d == 0 ? 0 : sum_before(c, "depths", layer_idx(m));
    mod *down = module_list(m, "downsampling_layer");
    if (in != out || stride > 1) {
        ConvNextLayerNorm(down, next_name(down), in);
        conv2d(down, next_name(down), in, out, .kernel = SAME2(2), .stride = SAME2(stride));
    }
    list(m, "layers", depth, ConvNextLayer, c, out, first);
}
static void ConvNextEncoder(mod *m, const cfg *c) {
    dim_at(c, "hidden_sizes", 0);
    list(m, "stages", count(c, "num_stages"), ConvNextStage, c);
}
static int64_t last_size(const cfg *c) { return dim_at(c, "hidden_sizes", len(c, "hidden_sizes") - 1); }
static void ConvNextModel(mod *m, const cfg *c) {
    sub(m, "embeddings", ConvNextEmbeddings, c);
    sub(m, "encoder", ConvNextEncoder, c);
    layernorm(m, "layernorm", last_size(c), real(c, "layer_norm_eps"));
}
static void ConvNextForImageClassification(mod *m, const cfg *c) {
    sub(m, "convnext", ConvNextModel, c);
    if (num_labels(c) > 0) linear(m, "classifier", last_size(c), num_labels(c), true);
    else identity(m, "classifier");
}
/* A norm for each stage that is given out, the stem's as wide as the first stage. */
static void hidden_states_norms(mod *m, const cfg *c) {
    mod *norms = module_dict(m, "hidden_states_norms");
    int64_t stages = len(c, "stage_names");
    if (defaulted(c, "hidden_sizes")) refuse(c, "hidden_sizes", "a backbone needs a list, which the default is not: write it out");
    if (len(c, "hidden_sizes") + 1 < stages) refuse(c, "hidden_sizes", "it needs a size for each of the stages of depths");
    for (int64_t i = 0; i < len(c, "_out_features"); i++) {
        const char *name = text_at(c, "_out_features", i);
        int64_t at = 0;
        while (at < stages - 1 && strcmp(text_at(c, "stage_names", at), name)) at++;
        ConvNextLayerNorm(norms, name, dim_at(c, "hidden_sizes", at ? at - 1 : 0));
    }
}
static void ConvNextBackbone(mod *m, const cfg *c) {
    backbone_verify(c);
    sub(m, "embeddings", ConvNextEmbeddings, c);
    sub(m, "encoder", ConvNextEncoder, c);
    hidden_states_norms(m, c);
}

static void ConvNextPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "ConvNextLayer") && has_tensor(m, "layer_scale_parameter"))
        init_constant(m, "layer_scale_parameter", real(c, "layer_scale_init_value").d);
}

static const model_facts ConvNextPreTrainedModel = {
    .config = "ConvNextConfig",
    .base_model_prefix = "convnext",
    .main_input_name = "pixel_values",
    .no_split_modules = SET("ConvNextLayer", "ConvNextStage"),
    .init_weights = ConvNextPreTrainedModel_init_weights,
};

const family family_convnext = {
    .name = "convnext",
    .configs = CONFIGS({.name = "ConvNextConfig", .model_type = "convnext", .post_init = ConvNextConfig, BACKBONE}),
    .models = MODELS(
        {"ConvNextEncoder", ConvNextEncoder, .like = &ConvNextPreTrainedModel, .own = {.main_input_name = "hidden_states"}},
        {"ConvNextModel", ConvNextModel, .like = &ConvNextPreTrainedModel},
        {"ConvNextForImageClassification", ConvNextForImageClassification, .like = &ConvNextPreTrainedModel},
        {"ConvNextBackbone", ConvNextBackbone, .like = &ConvNextPreTrainedModel}),
};
