/* Idefics 3: an image tower, its patches shuffled into fewer and wider ones, a language model. Mirrors models/idefics3,
 * transformers 5.23.0. */
#include "../build/def.h"

/* pad_token_id is a property here, which to_dict() does not see; what it stands for has a default of its own. */
static void Idefics3Config(cfg *c) {
    val given = take(c, "pad_token_id");
    put(c, "_pad_token_id", given.kind == VAL_ABSENT ? val_int(128002) : given, "pad_token_id");
}

static val Idefics3Config_computed(cfg *c, const char *key) {
    return same_word(key, "pad_token_id") ? get(c, "_pad_token_id") : (val){0};
}
static bool Idefics3Config_assign(cfg *c, const char *key, val v) {
    if (!same_word(key, "pad_token_id")) return false;
    put(c, "_pad_token_id", v, key);
    return true;
}

static void Idefics3VisionEmbeddings(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), patch = dim(c, "patch_size"), side = dim(c, "image_size") / patch;
    conv2d(m, "patch_embedding", dim(c, "num_channels"), d, .kernel = SAME2(patch), .stride = SAME2(patch), .padding_text = "valid");
    embedding(m, "position_embedding", side * side, d, NO_PAD);
}
static void Idefics3VisionAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    if (d % dim(c, "num_attention_heads")) refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    square_attention(m, d);
}
static void Idefics3VisionMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    fc_mlp(m, c, d, ff, "hidden_act");
}
static void Idefics3EncoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_eps");
    sub(m, "self_attn", Idefics3VisionAttention, c);
    layernorm(m, "layer_norm1", d, eps);
    sub(m, "mlp", Idefics3VisionMLP, c);
    layernorm(m, "layer_norm2", d, eps);
}
static void Idefics3Encoder(mod *m, const cfg *c) {
    list(m, "layers", count(c, "num_hidden_layers"), Idefics3EncoderLayer, c);
}
static void Idefics3VisionTransformer(mod *m, const cfg *c) {
    sub(m, "embeddings", Idefics3VisionEmbeddings, c);
    sub(m, "encoder", Idefics3Encoder, c);
    layernorm(m, "post_layernorm", dim(c, "hidden_size"), real(c, "layer_norm_eps"));
}
static void Idefics3SimpleMLP(mod *m, const cfg *c) {
    int64_t scale = dim(c, "scale_factor"), seen = dim(part(c, "vision_config"), "hidden_size");
    linear(m, "proj", times(times(scale, scale), seen), dim(part(c, "text_config"), "hidden_size"), false);
}
static void Idefics3Connector(mod *m, const cfg *c) { sub(m, "modality_projection", Idefics3SimpleMLP, c); }
static void Idefics3Model(mod *m, const cfg *c) {
    const cfg *language = part(c, "text_config");
    if (!known(language, "vocab_size") || !known(language, "pad_token_id")) fail(m, "the text's config has no vocab_size or no pad_token_id");
    sub_from_config(m, "vision_model", Idefics3VisionTransformer, part(c, "vision_config"));
    sub(m, "connector", Idefics3Connector, c);
    sub_auto(m, "text_model", language, "AutoModel");
}
static void Idefics3ForConditionalGeneration(mod *m, const cfg *c) {
    const cfg *language = part(c, "text_config");
    sub(m, "model", Idefics3Model, c);
    linear(m, "lm_head", dim(language, "hidden_size"), dim(language, "vocab_size"), false);
}

static const model_facts Idefics3PreTrainedModel = {
    .config = "Idefics3Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Idefics3VisionAttention"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_idefics3 = {
    .name = "idefics3",
    .configs = CONFIGS({.name = "Idefics3VisionConfig", .model_type = "idefics3_vision"},
                       {.name = "Idefics3Config", .model_type = "idefics3", .post_init = Idefics3Config,
                        .computed = Idefics3Config_computed, .assign = Idefics3Config_assign}),
    .models = MODELS({"Idefics3VisionTransformer", Idefics3VisionTransformer, .like = &Idefics3PreTrainedModel,
                      .own = {.config = "Idefics3VisionConfig"}},
                     {"Idefics3Model", Idefics3Model, .like = &Idefics3PreTrainedModel},
                     {"Idefics3ForConditionalGeneration", Idefics3ForConditionalGeneration, .like = &Idefics3PreTrainedModel,
                      .own = {.can_generate = YES,
                              .tied_weights_keys = MAP({"lm_head.weight", "model.text_model.embed_tokens.weight"}),
                              .tp_plan = MAP({"lm_head", "colwise_gather_output"})}}),
};
