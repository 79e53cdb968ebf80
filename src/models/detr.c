/* DETR: objects found by queries over a backbone's last features. Mirrors models/detr, transformers 5.23.0. */
#include "../build/def.h"

static void timm_backbone(cfg *c, val backbone) {
    val d = dict_new(c), indices[] = {val_int(1), val_int(2), val_int(3), val_int(4)};
    d = dict_put(c, d, "model_type", val_text("timm_backbone"));
    d = dict_put(c, d, "backbone", val_true(backbone) ? backbone : val_text("resnet50"));
    d = dict_put(c, d, "num_channels", get(c, "num_channels"));
    d = dict_put(c, d, "features_only", val_bool(true));
    d = dict_put(c, d, "use_pretrained_backbone", val_bool(false));
    d = dict_put(c, d, "out_indices", list_new(c, indices, 4));
    if (flag(c, "dilation")) d = dict_put(c, d, "output_stride", val_int(16));
    put(c, "backbone_config", d, "timm's network of that name");
}
/* Without a backbone_config the backbone is one of timm's, unless the old keys say otherwise: then it is a ResNet of our own. */
static void DetrConfig(cfg *c) {
    val given = get(c, "backbone_config"), use_timm = take(c, "use_timm_backbone"), kwargs = take(c, "backbone_kwargs");
    val backbone = leftover(c, "backbone");
    bool timm = given.kind == VAL_NULL && (use_timm.kind == VAL_ABSENT || val_true(use_timm)) && !val_true(kwargs);
    take(c, "use_pretrained_backbone");
    if (given.kind == VAL_NULL && !timm && val_given(backbone))
        refuse(c, "backbone", "whether a repository has that name, only the hub can say");
    else if (timm || val_given(backbone)) take(c, "backbone");
    if (timm && kwargs.kind != VAL_ABSENT && kwargs.kind != VAL_DICT) refuse(c, "backbone_kwargs", "an object is needed, or nothing");
    else if (timm) timm_backbone(c, backbone);
    else if (given.kind == VAL_DICT && dict_get(given, "model_type").kind != VAL_TEXT) refuse(c, "backbone_config", "it needs a model_type");
}

/* ---- the backbone ---- */

/* How wide the features of a backbone's stage are, the stem being stage 0. */
static int64_t stage_width(const cfg *c, int64_t stage) {
    const char *type = text(c, "model_type");
    if (!strcmp(type, "resnet")) return stage ? dim_at(c, "hidden_sizes", stage - 1) : dim(c, "embedding_size");
    if (!strcmp(type, "convnext")) return dim_at(c, "hidden_sizes", stage ? stage - 1 : 0);
    if (!strcmp(type, "swin")) return dim(c, "embed_dim") << (stage > 1 ? stage - 1 : 0);
    if (!strcmp(type, "dinov2")) return dim(c, "hidden_size");
    if (!strcmp(type, "timm_backbone")) {
        bool basic = !strcmp(text(c, "backbone"), "resnet18") || !strcmp(text(c, "backbone"), "resnet34");
        return stage ? (int64_t)(basic ? 32 : 128) << stage : 64;
    }
    refuse(c, NULL, "how wide the features of a %s are is not known", type);
    return 1;
}
/* Of the features that are given out, counted from the last. */
static int64_t feature_width(const cfg *c, int64_t from_last) {
    const cfg *backbone = part(c, "backbone_config");
    val indices = get(backbone, "_out_indices");
    if (indices.kind != VAL_LIST || from_last < 0 || indices.n <= from_last) return 1;
    int64_t at = indices.items[indices.n - 1 - from_last].i;
    if (at < 0) at += known(backbone, "stage_names") ? len(backbone, "stage_names") : 5;
    return stage_width(backbone, at);
}
static void DetrConvEncoder(mod *m, const cfg *c) {
    const cfg *backbone = part(c, "backbone_config");
    const char *type = text(backbone, "model_type");
    sub_auto(m, "model", backbone, "AutoBackbone");
    freeze_batchnorms(m, "DetrFrozenBatchNorm2d");
    if (!strcmp(type, "timm_backbone")) unwrap(m, "model", "_backbone");
    if (strstr(type, "resnet")) freeze_all(m); /* upstream means to spare later stages, but looks for names that there are not */
}

/* ---- encoder and decoder ---- */

static void DetrSinePositionEmbedding(mod *m, const cfg *c) { (void)m, (void)c; }
static void DetrLearnedPositionEmbedding(mod *m, const cfg *c) {
    int64_t half = dim(c, "d_model") / 2;
    embedding(m, "row_embeddings", 50, half, NO_PAD);
    embedding(m, "column_embeddings", 50, half, NO_PAD);
}
static void heads_fit(const cfg *c, const char *key) {
    if (dim(c, key) > dim(c, "d_model")) refuse(c, key, "there are more heads than d_model");
}
static void attention(mod *m, const cfg *c, const char *heads) {
    int64_t d = dim(c, "d_model");
    heads_fit(c, heads);
    linear(m, "k_proj", d, d, true);
    linear(m, "v_proj", d, d, true);
    linear(m, "q_proj", d, d, true);
    linear(m, "o_proj", d, d, true);
}
static void DetrMLP(mod *m, const cfg *c, int64_t ff) {
    int64_t d = dim(c, "d_model");
    linear(m, "fc1", d, ff, true);
    linear(m, "fc2", ff, d, true);
    act(m, "activation_fn", c, "activation_function");
}
static void norm(mod *m, const char *name, const cfg *c) { layernorm(m, name, dim(c, "d_model"), num_f(1e-5)); }
static void DetrEncoderLayer(mod *m, const cfg *c) {
    sub_as(m, "self_attn", "DetrSelfAttention", attention, c, "encoder_attention_heads");
    norm(m, "self_attn_layer_norm", c);
    sub(m, "mlp", DetrMLP, c, dim(c, "encoder_ffn_dim"));
    norm(m, "final_layer_norm", c);
}
static void DetrDecoderLayer(mod *m, const cfg *c) {
    sub_as(m, "self_attn", "DetrSelfAttention", attention, c, "decoder_attention_heads");
    norm(m, "self_attn_layer_norm", c);
    sub_as(m, "encoder_attn", "DetrCrossAttention", attention, c, "decoder_attention_heads");
    norm(m, "encoder_attn_layer_norm", c);
    sub(m, "mlp", DetrMLP, c, dim(c, "decoder_ffn_dim"));
    norm(m, "final_layer_norm", c);
}
static void DetrEncoder(mod *m, const cfg *c) { list(m, "layers", count(c, "encoder_layers"), DetrEncoderLayer, c); }
static void DetrDecoder(mod *m, const cfg *c) {
    list(m, "layers", count(c, "decoder_layers"), DetrDecoderLayer, c);
    norm(m, "layernorm", c);
}
static void DetrModel(mod *m, const cfg *c) {
    const char *positions = text(c, "position_embedding_type");
    int64_t d = dim(c, "d_model");
    sub(m, "backbone", DetrConvEncoder, c);
    if (!strcmp(positions, "sine")) sub(m, "position_embedding", DetrSinePositionEmbedding, c);
    else if (!strcmp(positions, "learned")) sub(m, "position_embedding", DetrLearnedPositionEmbedding, c);
    else refuse(c, "position_embedding_type", "it is sine or learned");
    embedding(m, "query_position_embeddings", dim(c, "num_queries"), d, NO_PAD);
    conv2d(m, "input_projection", feature_width(c, 0), d, .kernel = SAME2(1));
    sub(m, "encoder", DetrEncoder, c);
    sub(m, "decoder", DetrDecoder, c);
}

/* ---- heads ---- */

static void DetrMLPPredictionHead(mod *m, int64_t in, int64_t hidden, int64_t out) {
    mod *layers = module_list(m, "layers");
    linear(layers, "0", in, hidden, true);
    linear(layers, "1", hidden, hidden, true);
    linear(layers, "2", hidden, out, true);
}
static void DetrForObjectDetection(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    sub(m, "model", DetrModel, c);
    linear(m, "class_labels_classifier", d, num_labels(c) + 1, true); /* and one for no object */
    sub(m, "bbox_predictor", DetrMLPPredictionHead, d, d, 4);
}
static void DetrConvBlock(mod *m, const cfg *c, int64_t in, int64_t out) {
    int64_t groups = out < 8 ? out : 8;
    if (groups < 1 || out % groups) refuse(c, "d_model", "a mask head of %d channels has no groups of 8", (int)out);
    conv2d(m, "conv", in, out, .kernel = SAME2(3), .padding = SAME2(1));
    groupnorm(m, "norm", groups, out, num_f(1e-5), true);
    act(m, "activation", c, "activation_function");
}
static void DetrFPNFusionStage(mod *m, const cfg *c, int64_t features, int64_t in, int64_t out) {
    conv2d(m, "fpn_adapter", features, in, .kernel = SAME2(1));
    sub(m, "refine", DetrConvBlock, c, in, out);
}
/* Stages ever narrower, each with features of the backbone: the last but one, then the ones before. */
static void DetrMaskHeadSmallConv(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model"), in = d + dim(c, "encoder_attention_heads");
    if (in % 8) refuse(c, "d_model", "with encoder_attention_heads it makes %d, no multiple of 8", (int)in);
    sub(m, "conv1", DetrConvBlock, c, in, in);
    sub(m, "conv2", DetrConvBlock, c, in, d / 2);
    mod *stages = module_list(m, "fpn_stages");
    int64_t last = len(part(c, "backbone_config"), "_out_indices") - 1;
    if (last < 2) refuse(c, "backbone_config", "three features are needed");
    for (int i = 0; i < 3; i++) append(stages, DetrFPNFusionStage, c, feature_width(c, last - 2 + i), d >> (i + 1), d >> (i + 2));
    conv2d(m, "output_conv", d / 16, 1, .kernel = SAME2(3), .padding = SAME2(1));
}
static void DetrMHAttentionMap(mod *m, const cfg *c) {
    int64_t d = dim(c, "d_model");
    linear(m, "q_proj", d, d, true);
    linear(m, "k_proj", d, d, true);
}
static void DetrForSegmentation(mod *m, const cfg *c) {
    sub(m, "detr", DetrForObjectDetection, c);
    sub(m, "mask_head", DetrMaskHeadSmallConv, c);
    sub(m, "bbox_attention", DetrMHAttentionMap, c);
}

static void mask_head_init(mod *m) {
    static const char *const convs[][2] = {{"conv1.conv.weight", "conv1.conv.bias"},
                                           {"conv2.conv.weight", "conv2.conv.bias"},
                                           {"fpn_stages.0.fpn_adapter.weight", "fpn_stages.0.fpn_adapter.bias"},
                                           {"fpn_stages.0.refine.conv.weight", "fpn_stages.0.refine.conv.bias"},
                                           {"fpn_stages.1.fpn_adapter.weight", "fpn_stages.1.fpn_adapter.bias"},
                                           {"fpn_stages.1.refine.conv.weight", "fpn_stages.1.refine.conv.bias"},
                                           {"fpn_stages.2.fpn_adapter.weight", "fpn_stages.2.fpn_adapter.bias"},
                                           {"fpn_stages.2.refine.conv.weight", "fpn_stages.2.refine.conv.bias"},
                                           {"output_conv.weight", "output_conv.bias"}};
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        init_kaiming_uniform(m, convs[i][0], 1);
        init_zeros(m, convs[i][1]);
    }
}
static void attention_map_init(mod *m, const cfg *c) {
    double most = sqrt(3.0) * real(c, "init_xavier_std").d * sqrt(2.0 / (double)(2 * dim(c, "d_model")));
    init_zeros(m, "k_proj.bias");
    init_zeros(m, "q_proj.bias");
    init_uniform(m, "k_proj.weight", -most, most);
    init_uniform(m, "q_proj.weight", -most, most);
}
static void DetrPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "DetrMaskHeadSmallConv")) mask_head_init(m);
    else if (is_a(m, "DetrMHAttentionMap")) attention_map_init(m, c);
    else if (is_a(m, "DetrLearnedPositionEmbedding")) {
        init_uniform(m, "row_embeddings.weight", 0, 1);
        init_uniform(m, "column_embeddings.weight", 0, 1);
    }
}

static const model_facts DetrPreTrainedModel = {
    .config = "DetrConfig",
    .base_model_prefix = "model",
    .main_input_name = "pixel_values",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("DetrConvEncoder", "DetrEncoderLayer", "DetrDecoderLayer"),
    .keys_to_ignore_on_load_unexpected = SET("detr\\.model\\.backbone\\.model\\.layer\\d+\\.0\\.downsample\\.1\\.num_batches_tracked"),
    .supports_sdpa = YES, .supports_flash_attn = YES, .supports_flex_attn = YES,
    .init_weights = DetrPreTrainedModel_init_weights,
};
static const layout_rule segmentation_layout[] = {
    RENAME("bbox_attention.q_linear", "bbox_attention.q_proj"),
    RENAME("bbox_attention.k_linear", "bbox_attention.k_proj"),
    RENAME("mask_head.lay1", "mask_head.conv1.conv"),
    RENAME("mask_head.gn1", "mask_head.conv1.norm"),
    RENAME("mask_head.lay2", "mask_head.conv2.conv"),
    RENAME("mask_head.gn2", "mask_head.conv2.norm"),
    RENAME("mask_head.adapter1", "mask_head.fpn_stages.0.fpn_adapter"),
    RENAME("mask_head.lay3", "mask_head.fpn_stages.0.refine.conv"),
    RENAME("mask_head.gn3", "mask_head.fpn_stages.0.refine.norm"),
    RENAME("mask_head.adapter2", "mask_head.fpn_stages.1.fpn_adapter"),
    RENAME("mask_head.lay4", "mask_head.fpn_stages.1.refine.conv"),
    RENAME("mask_head.gn4", "mask_head.fpn_stages.1.refine.norm"),
    RENAME("mask_head.adapter3", "mask_head.fpn_stages.2.fpn_adapter"),
    RENAME("mask_head.lay5", "mask_head.fpn_stages.2.refine.conv"),
    RENAME("mask_head.gn5", "mask_head.fpn_stages.2.refine.norm"),
    RENAME("mask_head.out_lay", "mask_head.output_conv"),
    {.what = LAYOUT_END},
};

const family family_detr = {
    .name = "detr",
    .configs = CONFIGS({.name = "DetrConfig", .model_type = "detr", .post_init = DetrConfig}),
    .models = MODELS({"DetrEncoder", DetrEncoder, .like = &DetrPreTrainedModel},
                     {"DetrDecoder", DetrDecoder, .like = &DetrPreTrainedModel},
                     {"DetrModel", DetrModel, .like = &DetrPreTrainedModel,
                      .own = {.layout = LAYOUT(RENAME("backbone.conv_encoder", "backbone"),
                                               RENAME("out_proj", "o_proj"),
                                               RENAME("layers.(\\d+).fc1", "layers.\\1.mlp.fc1"),
                                               RENAME("layers.(\\d+).fc2", "layers.\\1.mlp.fc2"))}},
                     {"DetrForObjectDetection", DetrForObjectDetection, .like = &DetrPreTrainedModel},
                     {"DetrForSegmentation", DetrForSegmentation, .like = &DetrPreTrainedModel, .own = {.layout = segmentation_layout}}),
};
