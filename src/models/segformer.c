/* SegFormer: stages of attention over reduced sequences, and a decoder of linear layers. Mirrors models/segformer, transformers 5.23.0. */
#include "../build/def.h"

static void SegformerOverlapPatchEmbeddings(mod *m, int64_t in, int64_t out, int64_t patch, int64_t stride) {
    conv2d(m, "proj", in, out, .kernel = SAME2(patch), .stride = SAME2(stride), .padding = SAME2(patch / 2));
    layernorm(m, "layer_norm", out, num_f(1e-5));
}
static void SegformerSequenceReduction(mod *m, int64_t d, int64_t ratio) {
    conv2d(m, "sequence_reduction", d, d, .kernel = SAME2(ratio), .stride = SAME2(ratio));
    layernorm(m, "layer_norm", d, num_f(1e-5));
}
static void SegformerAttention(mod *m, const cfg *c, int64_t d, int64_t heads, int64_t ratio) {
    int64_t width = heads * (d / heads);
    if (!width) refuse(c, "num_attention_heads", "a stage of %d channels cannot have %d heads", (int)d, (int)heads);
    attention_projections(m, d, width, width, true, true);
    if (ratio > 1) sub(m, "sequence_reduction", SegformerSequenceReduction, d, ratio);
}
static void SegformerDepthWiseConv(mod *m, int64_t d) {
    conv2d(m, "dwconv", d, d, .kernel = SAME2(3), .padding = SAME2(1), .groups = d);
}
static void SegformerMixMLP(mod *m, const cfg *c, int64_t d, int64_t ff) {
    linear(m, "fc1", d, ff, true);
    sub(m, "dwconv", SegformerDepthWiseConv, ff);
    act(m, "activation_fn", c, "hidden_act");
    linear(m, "fc2", ff, d, true);
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
}
/* What the layers of a stage have in common. */
typedef struct stage {
    int64_t width, heads, ratio, ff, first; /* first: so many layers lie in the stages before */
} stage;
/* Rates rise evenly over all layers of the model. */
static num drop_path_rate(mod *m, const cfg *c, int64_t first) {
    double most = real(c, "drop_path_rate").d;
    int64_t layers = sum_before(c, "depths", INT64_MAX);
    return num_f(most == 0 ? 0 : most * (double)(first + layer_idx(m)) / (double)(layers > 1 ? layers - 1 : 1));
}
static void SegformerLayer(mod *m, const cfg *c, stage s) {
    num rate = drop_path_rate(m, c, s.first);
    layernorm(m, "layernorm_before", s.width, num_f(1e-5));
    sub(m, "attention", SegformerAttention, c, s.width, s.heads, s.ratio);
    drop_path(m, "SegformerDropPath", rate);
    layernorm(m, "layernorm_after", s.width, num_f(1e-5));
    sub(m, "mlp", SegformerMixMLP, c, s.width, s.ff);
    dropout(m, "hidden_dropout", real(c, "hidden_dropout_prob"));
}
static void SegformerStage(mod *m, const cfg *c) {
    int64_t in = layer_dim_before(m, c, "hidden_sizes", dim(c, "num_channels")), d = layer_dim(m, c, "hidden_sizes");
    int64_t patch = layer_dim(m, c, "patch_sizes"), stride = layer_dim(m, c, "strides"), depth = layer_count(m, c, "depths");
    int64_t before = real(c, "drop_path_rate").d == 0 ? 0 : sum_before(c, "depths", layer_idx(m));
    sub(m, "patch_embeddings", SegformerOverlapPatchEmbeddings, in, d, patch, stride);
    if (depth) {
        stage s = {d, layer_dim(m, c, "num_attention_heads"), layer_count(m, c, "sr_ratios"), d * layer_dim(m, c, "mlp_ratios"), before};
        list(m, "blocks", depth, SegformerLayer, c, s);
    } else module_list(m, "blocks");
    layernorm(m, "layer_norm", d, num_f(1e-5));
}
static void SegformerModel(mod *m, const cfg *c) {
    list(m, "stages", count(c, "num_encoder_blocks"), SegformerStage, c);
}
static void SegformerForImageClassification(mod *m, const cfg *c) {
    sub(m, "segformer", SegformerModel, c);
    linear(m, "classifier", dim_at(c, "hidden_sizes", len(c, "hidden_sizes") - 1), num_labels(c), true);
}
static void SegformerMLP(mod *m, const cfg *c) {
    linear(m, "proj", layer_dim(m, c, "hidden_sizes"), dim(c, "decoder_hidden_size"), true);
}
static void SegformerDecodeHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "decoder_hidden_size"), stages = count(c, "num_encoder_blocks");
    list(m, "linear_projections", stages, SegformerMLP, c);
    conv2d(m, "linear_fuse", d * stages, d, .kernel = SAME2(1), .no_bias = true);
    batchnorm2d(m, "batch_norm", d, .no_affine = false);
    activation(m, "activation", "ReLU");
    dropout(m, "dropout", real(c, "classifier_dropout_prob"));
    conv2d(m, "classifier", d, num_labels(c), .kernel = SAME2(1));
}
static void SegformerForSemanticSegmentation(mod *m, const cfg *c) {
    sub(m, "segformer", SegformerModel, c);
    sub(m, "decode_head", SegformerDecodeHead, c);
}

static const model_facts SegformerPreTrainedModel = {
    .config = "SegformerConfig",
    .base_model_prefix = "segformer",
    .main_input_name = "pixel_values",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("SegformerStage"),
    .supports_sdpa = YES, .supports_flash_attn = YES, .supports_flex_attn = YES,
};

const family family_segformer = {
    .name = "segformer",
    .configs = CONFIGS({.name = "SegformerConfig", .model_type = "segformer"}),
    .models = MODELS(
        {"SegformerModel", SegformerModel, .like = &SegformerPreTrainedModel,
         .own = {.layout = LAYOUT(RENAME("encoder.patch_embeddings.(\\d+).", "stages.\\1.patch_embeddings."),
                                  RENAME("encoder.block.(\\d+).", "stages.\\1.blocks."),
                                  RENAME("encoder.layer_norm.(\\d+)", "stages.\\1.layer_norm"),
                                  RENAME("attention.self.query", "attention.q_proj"),
                                  RENAME("attention.self.key", "attention.k_proj"),
                                  RENAME("attention.self.value", "attention.v_proj"),
                                  RENAME("attention.self.sr", "attention.sequence_reduction.sequence_reduction"),
                                  RENAME("attention.self.layer_norm", "attention.sequence_reduction.layer_norm"),
                                  RENAME("attention.output.dense", "attention.o_proj"),
                                  RENAME("mlp.dense1", "mlp.fc1"),
                                  RENAME("mlp.dense2", "mlp.fc2"),
                                  RENAME("layer_norm_1", "layernorm_before"),
                                  RENAME("layer_norm_2", "layernorm_after"))}},
        {"SegformerForImageClassification", SegformerForImageClassification, .like = &SegformerPreTrainedModel},
        {"SegformerForSemanticSegmentation", SegformerForSemanticSegmentation, .like = &SegformerPreTrainedModel,
         .own = {.layout = LAYOUT(RENAME("decode_head.linear_c", "decode_head.linear_projections"))}}),
};
