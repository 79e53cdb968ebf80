/* Pixtral's image tower: patches of images of any shape, turned by row and column. Mirrors models/pixtral, transformers 5.23.0. */
#include "../build/def.h"

static void PixtralVisionConfig(cfg *c) {
    derive_int(c, "head_dim", dim(c, "hidden_size") / dim(c, "num_attention_heads"), "hidden_size / num_attention_heads");
}

static void PixtralAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    heads_at_most(c, "num_attention_heads", "hidden_size");
    linear(m, "k_proj", d, d, false);
    linear(m, "v_proj", d, d, false);
    linear(m, "q_proj", d, d, false);
    linear(m, "o_proj", d, d, false);
}
static void PixtralMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void PixtralRMSNorm(mod *m, const char *name, const cfg *c) {
    rmsnorm(m, name, "PixtralRMSNorm", dim(c, "hidden_size"), num_f(1e-5));
}
static void PixtralAttentionLayer(mod *m, const cfg *c) {
    PixtralRMSNorm(m, "attention_norm", c);
    sub(m, "feed_forward", PixtralMLP, c);
    sub(m, "attention", PixtralAttention, c);
    PixtralRMSNorm(m, "ffn_norm", c);
}
static void PixtralTransformer(mod *m, const cfg *c) {
    list(m, "layers", count(c, "num_hidden_layers"), PixtralAttentionLayer, c);
}
static void PixtralVisionModel(mod *m, const cfg *c) {
    pair patch = dim_pair(c, "patch_size");
    conv2d(m, "patch_conv", dim(c, "num_channels"), dim(c, "hidden_size"), .kernel = SIZE2(patch.h, patch.w),
           .stride = SIZE2(patch.h, patch.w), .no_bias = true);
    PixtralRMSNorm(m, "ln_pre", c);
    sub(m, "transformer", PixtralTransformer, c);
    rotary_axial(m, "patch_positional_embedding", "PixtralVisionRotaryEmbedding", c, "hidden_size", BY_AXIS);
}

static const model_facts PixtralPreTrainedModel = {
    .config = "PixtralVisionConfig",
    .base_model_prefix = "model",
    .main_input_name = "pixel_values",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("PixtralAttentionLayer"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_pixtral = {
    .name = "pixtral",
    .configs = CONFIGS({.name = "PixtralVisionConfig", .model_type = "pixtral", .post_init = PixtralVisionConfig}),
    .models = MODELS({"PixtralVisionModel", PixtralVisionModel, .like = &PixtralPreTrainedModel,
                      .own = {.base_model_prefix = "vision_encoder"}}),
};
