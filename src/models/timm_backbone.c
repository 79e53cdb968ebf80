/* timm's ResNets as backbones. Mirrors models/timm_backbone, transformers 5.23.0, and models/resnet.py, timm 1.0.31. */
#include "../build/def.h"

static void TimmBackboneConfig(cfg *c) {
    const val last = val_int(-1);
    val given = take(c, "out_indices"), features = take(c, "out_features");
    if (get(c, "_out_indices").kind == VAL_NULL) put(c, "_out_indices", list_new(c, &last, 1), "the last");
    if (given.kind != VAL_ABSENT) put(c, "_out_indices", given, "out_indices");
    if (features.kind != VAL_ABSENT) put(c, "_out_features", features, "out_features");
}
static void TimmBackboneConfig_to_dict(cfg *c) {
    if (!known(c, "_out_features")) put(c, "_out_features", val_null(), NULL);
    backbone_to_dict(c);
}

typedef struct resnet { const char *name; int64_t expansion, depths[4]; } resnet;
static resnet resnet_of(const cfg *c) {
    static const resnet all[] = {{"resnet18", 1, {2, 2, 2, 2}}, {"resnet26", 4, {2, 2, 2, 2}},  {"resnet34", 1, {3, 4, 6, 3}},
                                 {"resnet50", 4, {3, 4, 6, 3}}, {"resnet101", 4, {3, 4, 23, 3}}, {"resnet152", 4, {3, 8, 36, 3}}};
    for (size_t i = 0; has(c, "backbone") && i < sizeof all / sizeof *all; i++)
        if (!strcmp(text(c, "backbone"), all[i].name)) return all[i];
    refuse(c, "backbone", "of timm's networks resnet18, 26, 34, 50, 101 and 152 are known");
    return all[0];
}

/* What a stage's first block does; the others keep width and size, and are dilated as the stage is. */
typedef struct stage { int64_t in, planes, stride, first_dilation, dilation; bool shrinks; } stage;

static void conv(mod *m, const char *name, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation) {
    conv2d(m, name, in, out, .kernel = SAME2(kernel), .stride = SAME2(stride), .padding = SAME2(kernel / 2 * dilation),
           .dilation = SAME2(dilation), .no_bias = true);
}
static void downsample(mod *m, stage s, int64_t out) {
    if (!layer_first(m) || !s.shrinks) return;
    mod *down = sequential(m, "downsample");
    conv(down, next_name(down), s.in, out, 1, s.stride, 1);
    batchnorm2d(down, next_name(down), out, .no_affine = false);
}
static void BasicBlock(mod *m, stage s) {
    bool first = layer_first(m);
    conv(m, "conv1", first ? s.in : s.planes, s.planes, 3, first ? s.stride : 1, first ? s.first_dilation : s.dilation);
    batchnorm2d(m, "bn1", s.planes, .no_affine = false);
    identity(m, "drop_block");
    relu(m, "act1", true);
    identity(m, "aa");
    conv(m, "conv2", s.planes, s.planes, 3, 1, s.dilation);
    batchnorm2d(m, "bn2", s.planes, .no_affine = false);
    relu(m, "act2", true);
    downsample(m, s, s.planes);
}
static void Bottleneck(mod *m, stage s) {
    bool first = layer_first(m);
    conv(m, "conv1", first ? s.in : 4 * s.planes, s.planes, 1, 1, 1);
    batchnorm2d(m, "bn1", s.planes, .no_affine = false);
    relu(m, "act1", true);
    conv(m, "conv2", s.planes, s.planes, 3, first ? s.stride : 1, first ? s.first_dilation : s.dilation);
    batchnorm2d(m, "bn2", s.planes, .no_affine = false);
    identity(m, "drop_block");
    relu(m, "act2", true);
    identity(m, "aa");
    conv(m, "conv3", s.planes, 4 * s.planes, 1, 1, 1);
    batchnorm2d(m, "bn3", 4 * s.planes, .no_affine = false);
    relu(m, "act3", true);
    downsample(m, s, 4 * s.planes);
}
/* Stages after the last one that is given out are made, and then cut off. */
static void pass_conv(mod *m, int64_t in, int64_t out, int64_t kernel) {
    made how = {.op = MADE_KAIMING_UNIFORM, .a = sqrt(5.0), .b = (double)(in * kernel * kernel)};
    passing_param(m, how, out, in, kernel, kernel);
}
static void pass_stage(mod *m, stage s, int64_t depth, int64_t expansion) {
    int64_t out = s.planes * expansion;
    if (s.shrinks) pass_conv(m, s.in, out, 1);
    for (int64_t i = 0; i < depth; i++) {
        pass_conv(m, i ? out : s.in, s.planes, expansion == 1 ? 3 : 1);
        pass_conv(m, s.planes, s.planes, 3);
        if (expansion > 1) pass_conv(m, s.planes, out, 1);
    }
}
/* From stage to stage the image shrinks by half until output_stride is reached; then the kernels reach twice as far instead. */
static void stages(mod *m, const cfg *c, const resnet *net, int64_t kept) {
    static const char *const names[] = {"layer1", "layer2", "layer3", "layer4"};
    int64_t most = dim_or(c, "output_stride", 32), shrunk = 4, in = 64, dilation = 1;
    if (most != 8 && most != 16 && most != 32) refuse(c, "output_stride", "8, 16 and 32 are built");
    for (int i = 0; i < 4; i++) {
        stage s = {.in = in, .planes = (int64_t)64 << i, .stride = i ? 2 : 1, .first_dilation = dilation};
        if (shrunk >= most) dilation *= s.stride, s.stride = 1;
        else shrunk *= s.stride;
        s.dilation = dilation;
        in = s.planes * net->expansion;
        s.shrinks = s.stride != 1 || s.in != in;
        if (i >= kept) pass_stage(m, s, net->depths[i], net->expansion);
        else if (net->expansion == 1) {
            sequential_list(m, names[i], net->depths[i], BasicBlock, s);
        } else {
            sequential_list(m, names[i], net->depths[i], Bottleneck, s);
        }
    }
    passing_param(m, ((made){.op = MADE_KAIMING_UNIFORM, .a = sqrt(5.0), .b = (double)in}), 1000, in); /* the classifier's weight and bias */
    passing_param(m, UNIFORM(-1 / sqrt((double)in), 1 / sqrt((double)in)), 1000);
}
/* The last feature that is given out: 0 is the stem, -1 none at all. */
static int64_t last_output(const cfg *c) {
    const val last = val_int(-1), indices = get(c, "_out_indices").kind == VAL_LIST ? get(c, "_out_indices") : list_new((cfg *)c, &last, 1);
    int64_t at = -1;
    for (uint32_t i = 0; i < indices.n; i++) {
        int64_t k = indices.items[i].i < 0 ? indices.items[i].i + 5 : indices.items[i].i;
        if (k <= at || k > 4) refuse(c, "_out_indices", "they ascend, and there are five: the stem and four stages");
        at = k;
    }
    return at;
}
static void FeatureListNet(mod *m, const cfg *c) {
    resnet net = resnet_of(c);
    int64_t last = last_output(c);
    if (!flag(c, "features_only")) refuse(c, "features_only", "a backbone gives out features");
    if (flag(c, "freeze_batch_norm_2d")) refuse(c, "freeze_batch_norm_2d", "such networks are not known");
    conv2d(m, "conv1", dim(c, "num_channels"), 64, .kernel = SAME2(7), .stride = SAME2(2), .padding = SAME2(3), .no_bias = true);
    if (last >= 0) {
        batchnorm2d(m, "bn1", 64, .no_affine = false);
        relu(m, "act1", true);
    }
    if (last > 0) max_pool2d(m, "maxpool", .kernel = SIZE1(3), .stride = SIZE1(2), .padding = SIZE1(1));
    stages(m, c, &net, last);
}
/* The names that a config gives must be the network's own, and are written into it where it gives none. */
static void TimmBackbone(mod *m, const cfg *c) {
    const val names[] = {val_text("act1"), val_text("layer1"), val_text("layer2"), val_text("layer3"), val_text("layer4")};
    val indices = get(c, "_out_indices"), features[5], given = get(c, "_out_features"), given_names = get(c, "stage_names");
    sub(m, "_backbone", FeatureListNet, c);
    size_t n = indices.kind == VAL_LIST && indices.n <= 5 ? indices.n : 0;
    for (size_t i = 0; i < n; i++) features[i] = names[((indices.items[i].i % 5) + 5) % 5];
    val all = list_new((cfg *)c, names, 5), out = indices.kind == VAL_LIST ? list_new((cfg *)c, features, n) : list_new((cfg *)c, names + 4, 1);
    if (val_given(given) && !val_equal(given, out)) refuse(c, "_out_features", "they are not the names of out_indices");
    if (val_given(given_names) && !val_equal(given_names, all)) refuse(c, "stage_names", "they are act1 and layer1 to layer4");
    writes(c, "stage_names", all);
    writes(c, "_out_features", out);
}

/* All that pass but the classifier's two are convolutions. */
static void passing_init(mod *m) {
    char name[] = "passing000", after[] = "passing002";
    for (int i = 0; i < 998; i++) {
        name[7] = (char)('0' + i / 100), name[8] = (char)('0' + i / 10 % 10), name[9] = (char)('0' + i % 10);
        after[7] = (char)('0' + (i + 2) / 100), after[8] = (char)('0' + (i + 2) / 10 % 10), after[9] = (char)('0' + (i + 2) % 10);
        if (!has_tensor(m, after)) return;
        init_kaiming_normal(m, name, FAN_OUT, 0);
    }
}
/* The network's own: the last norm of each block begins at zero. */
static void FeatureListNet_init_weights(mod *m, const cfg *c) {
    (void)c;
    if (is_conv(m, 2)) init_kaiming_normal(m, "weight", FAN_OUT, 0);
    if (is_a(m, "FeatureListNet")) passing_init(m);
    if (is_a(m, "BasicBlock")) init_zeros(m, "bn2.weight");
    if (is_a(m, "Bottleneck")) init_zeros(m, "bn3.weight");
}
static void TimmBackbone_init_weights(mod *m, const cfg *c) { (void)m, (void)c; }

static const model_facts TimmPreTrainedModel = {
    .config = "TimmBackboneConfig",
    .main_input_name = "pixel_values",
    .supports_sdpa = YES,
};
/* FeatureListNet is timm's and no PreTrainedModel, but like one it draws its own weights when its constructor is over. */
const family family_timm_backbone = {
    .name = "timm_backbone",
    .configs = CONFIGS({.name = "TimmBackboneConfig", .model_type = "timm_backbone", .post_init = TimmBackboneConfig,
                        .computed = backbone_computed, .assign = backbone_assign, .to_dict = TimmBackboneConfig_to_dict}),
    .models = MODELS(
        {"TimmBackbone", TimmBackbone, .like = &TimmPreTrainedModel, .own = {.init_weights = TimmBackbone_init_weights}},
        {"FeatureListNet", FeatureListNet, .like = &TimmPreTrainedModel, .own = {.init_weights = FeatureListNet_init_weights}}),
};
