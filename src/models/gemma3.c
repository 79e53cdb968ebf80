/* Gemma 3: sliding and full attention in turn, a rotary table for each, an image tower before the text.
 * Mirrors models/gemma3, transformers 5.23.0. */
#include "../build/def.h"

static void Gemma3TextConfig(cfg *c) {
    if (flag(c, "use_bidirectional_attention")) {
        derive_int(c, "sliding_window", count(c, "sliding_window") / 2 + 1, "sliding_window / 2 + 1");
    }
    val period = leftover(c, "sliding_window_pattern");
    put(c, "_sliding_window_pattern", period.kind == VAL_ABSENT ? val_int(6) : period, "sliding_window_pattern, else 6");
    if (has(c, "layer_types")) return;
    alternate_layer_types(c, get(c, "_sliding_window_pattern"), "sliding_window_pattern", 1, "sliding_attention");
}
/* The config keeps the halved window; what is written is the one it came from. */
static void Gemma3TextConfig_to_dict(cfg *c) {
    if (flag_or(c, "use_bidirectional_attention", false)) {
        put(c, "sliding_window", val_int(times(plus(whole(c, "sliding_window"), -1), 2)), "(sliding_window - 1) * 2");
    }
}

/* rope_parameters[layer_type], with rope_theta set if it is not. */
static val with_theta(cfg *c, val all, const char *layer_type, const char *old_key, const char *kind) {
    val given = take(c, old_key), one = dict_get(all, layer_type);
    if (given.kind == VAL_ABSENT) given = dict_get(class_value(c, "default_theta"), kind);
    if (one.kind == VAL_ABSENT || one.kind == VAL_NULL) one = dict_put(c, dict_new(c), "rope_type", val_text("default"));
    if (one.kind != VAL_DICT) refuse(c, "rope_parameters", "%s needs an object", layer_type);
    if (dict_get(one, "rope_theta").kind == VAL_ABSENT) one = dict_put(c, one, "rope_theta", given);
    return dict_put(c, all, layer_type, one);
}
/* rope_scaling, the old spelling, only ever meant the full layers. */
static val with_scaling(cfg *c, val all, val scaling) {
    val full = dict_get(all, "full_attention");
    if (full.kind != VAL_DICT || scaling.kind != VAL_DICT) {
        refuse(c, NULL, "rope_scaling goes into rope_parameters.full_attention, so both have to be objects");
        return all;
    }
    for (uint32_t i = 0; i < scaling.n; i++) full = dict_put(c, full, scaling.members[i].key, scaling.members[i].v);
    return dict_put(c, all, "full_attention", full);
}
static void Gemma3TextConfig_convert_rope(cfg *c) {
    val scaling = take(c, "rope_scaling"), all = get(c, "rope_parameters");
    if (all.kind == VAL_ABSENT || all.kind == VAL_NULL) {
        val plain = dict_put(c, dict_new(c), "rope_type", val_text("default"));
        all = dict_put(c, dict_put(c, dict_new(c), "sliding_attention", plain), "full_attention", plain);
    }
    if (scaling.kind != VAL_ABSENT && scaling.kind != VAL_NULL) all = with_scaling(c, all, scaling);
    all = with_theta(c, all, "full_attention", "rope_theta", "global");
    all = with_theta(c, all, "sliding_attention", "rope_local_base_freq", "local");
    if (scaling.kind == VAL_DICT) put_legacy(c, "rope_parameters", all, "rope_scaling");
    else put(c, "rope_parameters", all, "one entry per layer type");
    standardize_rope(c);
}

static void Gemma3TextScaledWordEmbedding(mod *m, const char *name, int64_t n, int64_t d, int64_t padding_idx) {
    mod *e = embedding_as(m, name, "Gemma3TextScaledWordEmbedding", n, d, padding_idx);
    buffer_scalar(e, "embed_scale", FULL(sqrt((double)d)), DT_DEFAULT, TRANSIENT);
}
static void Gemma3MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_activation");
}
static void Gemma3RMSNorm(mod *m, const char *name, int64_t d, num eps) { rmsnorm_zeros(m, name, "Gemma3RMSNorm", d, eps); }
static void Gemma3Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), head = dim(c, "head_dim");
    int64_t heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    bool bias = flag(c, "attention_bias");
    num eps = real(c, "rms_norm_eps");
    if (!whole(c, "query_pre_attn_scalar")) refuse(c, "query_pre_attn_scalar", "has no inverse square root");
    attention_projections(m, d, heads * head, kv_heads * head, bias, bias);
    Gemma3RMSNorm(m, "q_norm", head, eps);
    Gemma3RMSNorm(m, "k_norm", head, eps);
    cache_keys(m, c, kv_heads, head);
}
static void Gemma3DecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", Gemma3Attention, c);
    sub(m, "mlp", Gemma3MLP, c);
    Gemma3RMSNorm(m, "input_layernorm", d, eps);
    Gemma3RMSNorm(m, "post_attention_layernorm", d, eps);
    Gemma3RMSNorm(m, "pre_feedforward_layernorm", d, eps);
    Gemma3RMSNorm(m, "post_feedforward_layernorm", d, eps);
}
static void Gemma3TextModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    Gemma3TextScaledWordEmbedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Gemma3DecoderLayer, c);
    Gemma3RMSNorm(m, "norm", d, real(c, "rms_norm_eps"));
    rotary_by_layer_type(m, "rotary_emb", "Gemma3RotaryEmbedding", c);
}
static void Gemma3ForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Gemma3TextModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}
static void Gemma3MultiModalProjector(mod *m, const cfg *c) {
    const cfg *vision = part(c, "vision_config");
    int64_t d = dim(vision, "hidden_size"), patches = dim(vision, "image_size") / dim(vision, "patch_size");
    int64_t tokens_per_side = (int64_t)sqrt((double)dim(c, "mm_tokens_per_image"));
    int64_t kernel = patches / tokens_per_side;
    param(m, "mm_input_projection_weight", ZEROS, d, dim(part(c, "text_config"), "hidden_size"));
    Gemma3RMSNorm(m, "mm_soft_emb_norm", d, real(vision, "layer_norm_eps"));
    avg_pool2d(m, "avg_pool", .kernel = SIZE1(kernel), .stride = SIZE1(kernel));
}
static void Gemma3Model(mod *m, const cfg *c) {
    sub_auto(m, "vision_tower", part(c, "vision_config"), "AutoModel");
    sub(m, "multi_modal_projector", Gemma3MultiModalProjector, c);
    sub_auto(m, "language_model", part(c, "text_config"), "AutoModel");
}
static void Gemma3ForConditionalGeneration(mod *m, const cfg *c) {
    const cfg *language = part(c, "text_config");
    sub(m, "model", Gemma3Model, c);
    linear(m, "lm_head", dim(language, "hidden_size"), dim(language, "vocab_size"), false);
}

/* A norm's weight is what it adds to 1. */
static void Gemma3PreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "Gemma3MultiModalProjector")) init_zeros(m, "mm_input_projection_weight");
    else if (class_has(m, "RMSNorm")) init_zeros(m, "weight");
}

static const model_facts Gemma3PreTrainedModel = {
    .config = "Gemma3Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Gemma3DecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = Gemma3PreTrainedModel_init_weights,
};

const family family_gemma3 = {
    .name = "gemma3",
    .configs = CONFIGS({.name = "Gemma3TextConfig",
                        .model_type = "gemma3_text",
                        .post_init = Gemma3TextConfig,
                        .convert_rope = Gemma3TextConfig_convert_rope,
                        .validate_architecture = heads_divide_hidden_size,
                        .to_dict = Gemma3TextConfig_to_dict},
                       {.name = "Gemma3Config",
                        .model_type = "gemma3",
                        .layout = LAYOUT(RENAME("^language_model.lm_head", "lm_head"),
                                         RENAME("^language_model", "model.language_model"),
                                         RENAME("^vision_tower", "model.vision_tower"),
                                         RENAME("^multi_modal_projector", "model.multi_modal_projector"))}),
    .models = MODELS({"Gemma3TextModel", Gemma3TextModel, .like = &Gemma3PreTrainedModel, .own = {.config = "Gemma3TextConfig"}},
                     {"Gemma3ForCausalLM", Gemma3ForCausalLM, .like = &Gemma3PreTrainedModel,
                      .own = {.config = "Gemma3TextConfig",
                              CAUSAL_LM("model.embed_tokens.weight")}},
                     {"Gemma3Model", Gemma3Model, .like = &Gemma3PreTrainedModel,
                      .own = {.layout = LAYOUT(RENAME("^language_model.model", "language_model"))}},
                     {"Gemma3ForConditionalGeneration", Gemma3ForConditionalGeneration, .like = &Gemma3PreTrainedModel,
                      .own = {.can_generate = YES,
                              .tied_weights_keys = MAP({"lm_head.weight", "model.language_model.embed_tokens.weight"}),
                              .tp_plan = MAP({"lm_head", "colwise_gather_output"})}},
                     {"Gemma3TextForSequenceClassification", GenericForSequenceClassification, .like = &Gemma3PreTrainedModel,
                      .own = {.config = "Gemma3TextConfig"}},
                     {"Gemma3ForSequenceClassification", GenericForSequenceClassification, .like = &Gemma3PreTrainedModel}),
};
