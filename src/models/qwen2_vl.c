/* Qwen2-VL: frames in patches of any number, turned by row and column; a Qwen2 whose heads turn by time, row and column.
 * Mirrors models/qwen2_vl, transformers 5.23.0. */
#include "../build/def.h"

/* Layers from max_window_layers on look back through a window, where there is one. */
static void Qwen2VLTextConfig(cfg *c) {
    if (!flag(c, "use_sliding_window")) put(c, "sliding_window", val_null(), "null without use_sliding_window");
    fill_key_value_heads(c);
    if (has(c, "layer_types")) return;
    int64_t n = count(c, "num_hidden_layers"), full = has(c, "sliding_window") && n ? whole(c, "max_window_layers") : n;
    val *types = list_room(c, "num_hidden_layers", &n);
    for (int64_t i = 0; i < n; i++) types[i] = val_text(i >= full ? "sliding_attention" : "full_attention");
    put(c, "layer_types", list_in(types, n), "sliding_attention from max_window_layers on");
}
/* mrope turns sections of a head by time, height and width: its table is the default one. */
static void Qwen2VLTextConfig_convert_rope(cfg *c) {
    val scaling = take(c, "rope_scaling"), all = val_true(scaling) ? scaling : get(c, "rope_parameters"), theta = take(c, "rope_theta");
    if (all.kind != VAL_DICT && all.kind != VAL_NULL) {
        refuse(c, "rope_parameters", "has to be an object");
        return;
    }
    if (all.kind == VAL_NULL) all = dict_new(c);
    if (dict_get(all, "rope_theta").kind == VAL_ABSENT)
        all = dict_put(c, all, "rope_theta", theta.kind == VAL_ABSENT ? class_value(c, "default_theta") : theta);
    if (val_is(val_or(dict_get(all, "rope_type"), dict_get(all, "type")), "mrope")) all = dict_put(c, all, "rope_type", val_text("default"));
    if (val_true(scaling)) put_legacy(c, "rope_parameters", all, "rope_scaling");
    else put(c, "rope_parameters", all, "completed with defaults");
    standardize_rope(c);
}
/* What old files say of the text at the top. */
static val text_keys(cfg *c) {
    static const char *const keys[] = {
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_act",
        "max_position_embeddings", "initializer_range", "rms_norm_eps", "use_cache", "use_sliding_window", "sliding_window",
        "max_window_layers", "layer_types", "attention_dropout", "rope_parameters", "bos_token_id", "eos_token_id", "pad_token_id",
        "rope_scaling", "rope_theta",
    };
    val all = dict_put(c, dict_new(c), "dtype", val_or(leftover(c, "torch_dtype"), val_null()));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        val one = take(c, keys[i]);
        if (one.kind != VAL_ABSENT) all = dict_put(c, all, keys[i], one);
    }
    return all;
}
static void Qwen2VLConfig(cfg *c) {
    val seen = get(c, "vision_config");
    if (!has(c, "text_config")) put_legacy(c, "text_config", text_keys(c), "keys at the top");
    if (val_is(dict_get(seen, "model_type"), "qwen2_vl"))
        put_legacy(c, "vision_config", dict_put(c, seen, "model_type", val_text("qwen2_vl_vision")), "model_type qwen2_vl");
}
static void Qwen2VLConfig_after(cfg *c) {
    const cfg *language = part(c, "text_config");
    if (!flag(c, "tie_word_embeddings") && flag_or(language, "tie_word_embeddings", false))
        derive_flag(c, "tie_word_embeddings", true, "text_config.tie_word_embeddings");
}

static void PatchEmbed(mod *m, const cfg *c) {
    int64_t patch = dim(c, "patch_size"), frames = dim(c, "temporal_patch_size");
    conv3d(m, "proj", dim(c, "in_channels"), dim(c, "embed_dim"), .kernel = SIZE3(frames, patch, patch),
           .stride = SIZE3(frames, patch, patch), .no_bias = true);
}
static void PatchMerger(mod *m, const cfg *c) {
    int64_t d = dim(c, "embed_dim"), side = dim(c, "spatial_merge_size"), merged = times(times(side, side), d);
    layernorm(m, "ln_q", d, num_f(1e-6));
    mod *mlp = sequential(m, "mlp");
    linear(mlp, "0", merged, merged, true);
    gelu(mlp, "1", "none");
    linear(mlp, "2", merged, dim(c, "hidden_size"), true);
}
static void VisionMlp(mod *m, const cfg *c) {
    int64_t d = dim(c, "embed_dim"), ff = d * dim(c, "mlp_ratio");
    linear(m, "fc1", d, ff, true);
    act(m, "act", c, "hidden_act");
    linear(m, "fc2", ff, d, true);
}
static void VisionAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "embed_dim");
    heads_at_most(c, "num_heads", "embed_dim");
    linear(m, "qkv", d, 3 * d, true);
    linear(m, "proj", d, d, true);
}
static void Qwen2VLVisionBlock(mod *m, const cfg *c) {
    int64_t d = dim(c, "embed_dim");
    layernorm(m, "norm1", d, num_f(1e-6));
    layernorm(m, "norm2", d, num_f(1e-6));
    sub(m, "attn", VisionAttention, c);
    sub(m, "mlp", VisionMlp, c);
}
static void Qwen2VisionTransformerPretrainedModel(mod *m, const cfg *c) {
    sub(m, "patch_embed", PatchEmbed, c);
    rotary_axial(m, "rotary_pos_emb", "Qwen2VLVisionRotaryEmbedding", c, "embed_dim", ONE_TABLE);
    list(m, "blocks", count(c, "depth"), Qwen2VLVisionBlock, c);
    sub(m, "merger", PatchMerger, c);
}

static void Qwen2MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void Qwen2VLAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads"), head = d / heads;
    if (d % heads) refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    attention_projections(m, d, heads * head, kv_heads * head, true, false);
    cache_keys(m, c, kv_heads, head);
}
static void Qwen2VLDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", Qwen2VLAttention, c);
    sub(m, "mlp", Qwen2MLP, c);
    rmsnorm(m, "input_layernorm", "Qwen2VLRMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "Qwen2VLRMSNorm", d, eps);
}
static void Qwen2VLTextModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Qwen2VLDecoderLayer, c);
    rmsnorm(m, "norm", "Qwen2VLRMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "Qwen2VLRotaryEmbedding", c, false);
}
static void Qwen2VLModel(mod *m, const cfg *c) {
    sub_from_config(m, "visual", Qwen2VisionTransformerPretrainedModel, part(c, "vision_config"));
    sub_from_config(m, "language_model", Qwen2VLTextModel, part(c, "text_config"));
}
static void Qwen2VLForConditionalGeneration(mod *m, const cfg *c) {
    const cfg *language = part(c, "text_config");
    sub(m, "model", Qwen2VLModel, c);
    linear(m, "lm_head", dim(language, "hidden_size"), dim(language, "vocab_size"), false);
}

static const model_facts Qwen2VLPreTrainedModel = {
    .config = "Qwen2VLConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Qwen2VLDecoderLayer", "Qwen2VLVisionBlock"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES,
};

const family family_qwen2_vl = {
    .name = "qwen2_vl",
    .configs = CONFIGS({.name = "Qwen2VLVisionConfig", .model_type = "qwen2_vl_vision"},
                       {.name = "Qwen2VLTextConfig",
                        .model_type = "qwen2_vl_text",
                        .post_init = Qwen2VLTextConfig,
                        .convert_rope = Qwen2VLTextConfig_convert_rope},
                       {.name = "Qwen2VLConfig",
                        .model_type = "qwen2_vl",
                        .post_init = Qwen2VLConfig,
                        .after_post_init = Qwen2VLConfig_after}),
    .models = MODELS({"Qwen2VisionTransformerPretrainedModel", Qwen2VisionTransformerPretrainedModel, .like = &Qwen2VLPreTrainedModel,
                      .own = {.config = "Qwen2VLVisionConfig", .no_split_modules = SET("Qwen2VLVisionBlock")}},
                     {"Qwen2VLTextModel", Qwen2VLTextModel, .like = &Qwen2VLPreTrainedModel, .own = {.config = "Qwen2VLTextConfig"}},
                     {"Qwen2VLModel", Qwen2VLModel, .like = &Qwen2VLPreTrainedModel,
                      .own = {.layout = LAYOUT(PREFIX_ADD_IN("model", "language_model"))}},
                     {"Qwen2VLForConditionalGeneration", Qwen2VLForConditionalGeneration, .like = &Qwen2VLPreTrainedModel,
                      .own = {.can_generate = YES,
                              .tied_weights_keys = MAP({"lm_head.weight", "model.language_model.embed_tokens.weight"}),
                              .tp_plan = MAP({"lm_head", "colwise_gather_output"}),
                              .layout = LAYOUT(RENAME("^visual", "model.visual"),
                                               RENAME("^model(?!\\.(language_model|visual))", "model.language_model"))}}),
};
