/* ResNet: stages of residual convolutions, also as a backbone. Mirrors models/resnet, transformers 5.23.0. */
#include "../build/def.h"

static void ResNetConfig(cfg *c) {
    int64_t n = len(c, "depths") + 1;
    val *names = list_room(c, "depths", &n);
    for (int64_t i = 0; i < n; i++) names[i] = i ? text_new(c, "stage%d", (int)i) : val_text("stem");
    put(c, "stage_names", list_in(names, n), "a stem, then one stage per depth");
    backbone_outputs(c, take(c, "out_features"), take(c, "out_indices"));
    len(c, "hidden_sizes"); /* null is refused, as list(None) is */
}
static void validate_layer_type(const cfg *c) {
    val type = get(c, "layer_type"), types = get(c, "layer_types");
    for (uint32_t i = 0; types.kind == VAL_LIST && i < types.n; i++)
        if (val_equal(types.items[i], type)) return;
    refuse(c, "layer_type", "it is not in layer_types, which are basic and bottleneck unless the config names others");
}

static void ResNetConvLayer(mod *m, int64_t in, int64_t out, int64_t kernel, int64_t stride, const char *activation) {
    conv2d(m, "convolution", in, out, .kernel = SAME2(kernel), .stride = SAME2(stride), .padding = SAME2(kernel / 2), .no_bias = true);
    batchnorm2d(m, "normalization", out, .no_affine = false);
    if (activation) act_named(m, "activation", activation);
    else identity(m, "activation");
}
static void ResNetEmbeddings(mod *m, const cfg *c) {
    sub(m, "embedder", ResNetConvLayer, dim(c, "num_channels"), dim(c, "embedding_size"), 7, 2, text(c, "hidden_act"));
    max_pool2d(m, "pooler", .kernel = SIZE1(3), .stride = SIZE1(2), .padding = SIZE1(1));
}
static void ResNetShortCut(mod *m, int64_t in, int64_t out, int64_t stride) {
    conv2d(m, "convolution", in, out, .kernel = SAME2(1), .stride = SAME2(stride), .no_bias = true);
    batchnorm2d(m, "normalization", out, .no_affine = false);
}
static void shortcut(mod *m, int64_t in, int64_t out, int64_t stride) {
    if (in != out || stride != 1) sub(m, "shortcut", ResNetShortCut, in, out, stride);
    else identity(m, "shortcut");
}
/* `in` and `stride` are those of a stage's first layer; the others keep width and size. */
static void ResNetBasicLayer(mod *m, const cfg *c, int64_t in, int64_t out, int64_t stride) {
    if (!layer_first(m)) in = out, stride = 1;
    shortcut(m, in, out, stride);
    mod *layer = sequential(m, "layer");
    append(layer, ResNetConvLayer, in, out, 3, stride, "relu");
    append(layer, ResNetConvLayer, out, out, 3, 1, NULL);
    act(m, "activation", c, "hidden_act");
}
static void ResNetBottleNeckLayer(mod *m, const cfg *c, int64_t in, int64_t out, int64_t stride) {
    bool early = flag(c, "downsample_in_bottleneck");
    int64_t reduced = out / 4;
    if (!layer_first(m)) in = out, stride = 1;
    shortcut(m, in, out, stride);
    mod *layer = sequential(m, "layer");
    append(layer, ResNetConvLayer, in, reduced, 1, early ? stride : 1, "relu");
    append(layer, ResNetConvLayer, reduced, reduced, 3, early ? 1 : stride, "relu");
    append(layer, ResNetConvLayer, reduced, out, 1, 1, NULL);
    act(m, "activation", c, "hidden_act");
}
static void ResNetStage(mod *m, const cfg *c) {
    int64_t in = layer_dim_before(m, c, "hidden_sizes", dim(c, "embedding_size"));
    int64_t out = layer_dim(m, c, "hidden_sizes"), depth = layer_count(m, c, "depths");
    if (depth < 1) depth = 1; /* the first layer is there in any case */
    int64_t stride = layer_first(m) && !flag(c, "downsample_in_first_stage") ? 1 : 2;
    if (!strcmp(text(c, "layer_type"), "bottleneck")) {
        sequential_list(m, "layers", depth, ResNetBottleNeckLayer, c, in, out, stride);
    } else {
        sequential_list(m, "layers", depth, ResNetBasicLayer, c, in, out, stride);
    }
}
static void ResNetEncoder(mod *m, const cfg *c) {
    int64_t sizes = len(c, "hidden_sizes"), depths = len(c, "depths");
    int64_t stages = sizes < depths ? sizes : depths;
    if (!stages) refuse(c, sizes ? "depths" : "hidden_sizes", "at least one stage is needed");
    list(m, "stages", stages, ResNetStage, c);
}
static void ResNetModel(mod *m, const cfg *c) {
    sub(m, "embedder", ResNetEmbeddings, c);
    sub(m, "encoder", ResNetEncoder, c);
    adaptive_avg_pool2d(m, "pooler", 1, 1);
}
static void ResNetForImageClassification(mod *m, const cfg *c) {
    sub(m, "resnet", ResNetModel, c);
    mod *classifier = sequential(m, "classifier");
    flatten(classifier, next_name(classifier), 1, -1);
    int64_t width = dim_at(c, "hidden_sizes", len(c, "hidden_sizes") - 1);
    if (num_labels(c) > 0) linear(classifier, next_name(classifier), width, num_labels(c), true);
    else identity(classifier, next_name(classifier));
}
static void ResNetBackbone(mod *m, const cfg *c) {
    backbone_verify(c);
    sub(m, "embedder", ResNetEmbeddings, c);
    sub(m, "encoder", ResNetEncoder, c);
}

static void ResNetPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_conv(m, 2)) init_kaiming_normal(m, "weight", FAN_OUT, 0);
    else if (is_linear(m)) init_reset(m, "");
}

static const model_facts ResNetPreTrainedModel = {
    .config = "ResNetConfig",
    .base_model_prefix = "resnet",
    .main_input_name = "pixel_values",
    .no_split_modules = SET("ResNetConvLayer", "ResNetShortCut"),
    .init_weights = ResNetPreTrainedModel_init_weights,
};

const family family_resnet = {
    .name = "resnet",
    .configs = CONFIGS({.name = "ResNetConfig",
                        .model_type = "resnet",
                        .post_init = ResNetConfig,
                        .validate_layer_type = validate_layer_type,
                        BACKBONE}),
    .models = MODELS({"ResNetModel", ResNetModel, .like = &ResNetPreTrainedModel},
                     {"ResNetForImageClassification", ResNetForImageClassification, .like = &ResNetPreTrainedModel},
                     {"ResNetBackbone", ResNetBackbone, .like = &ResNetPreTrainedModel}),
};
