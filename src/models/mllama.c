/* Llama 3.2 with images: layers of their own attend to what a tower of tiles and gates has seen. The text's embedding has
 * eight rows more than the vocabulary. Mirrors models/mllama, transformers 5.23.0. */
#include "../build/def.h"

/* Tiles across and down: all shapes of at most four tiles. */
static val usual_ratios(cfg *c) {
    static const int ratios[][2] = {{1, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 1}, {2, 2}, {3, 1}, {4, 1}};
    val all[8];
    for (int i = 0; i < 8; i++) all[i] = list_new(c, (const val[]){val_int(ratios[i][0]), val_int(ratios[i][1])}, 2);
    return list_new(c, all, 8);
}
static void MllamaVisionConfig(cfg *c) {
    static const int seen[] = {3, 7, 15, 23, 30};
    val layers[5];
    for (int i = 0; i < 5; i++) layers[i] = val_int(seen[i]);
    if (!has(c, "supported_aspect_ratios")) put(c, "supported_aspect_ratios", usual_ratios(c), "all of at most four tiles");
    if (!has(c, "intermediate_layers_indices")) put(c, "intermediate_layers_indices", list_new(c, layers, 5), "five of 32 layers");
}
static void MllamaVisionConfig_validate(const cfg *c) {
    if (val_equal(get(c, "supported_aspect_ratios"), usual_ratios((cfg *)c)) && !val_equal(get(c, "max_num_tiles"), val_int(4)))
        refuse(c, "max_num_tiles", "the usual supported_aspect_ratios need 4");
}
static void MllamaTextConfig(cfg *c) {
    val layers[8];
    for (int i = 0; i < 8; i++) layers[i] = val_int(3 + 5 * i);
    if (!has(c, "cross_attention_layers")) put(c, "cross_attention_layers", list_new(c, layers, 8), "every fifth of 40 layers, from 3");
}

static int64_t max_aspect_ratio_id(const cfg *c) { return len(c, "supported_aspect_ratios"); }
static int64_t num_patches(const cfg *c) {
    int64_t side = dim(c, "image_size") / dim(c, "patch_size");
    return side * side + 1;
}
static void MllamaPrecomputedAspectRatioEmbedding(mod *m, const cfg *c) {
    embedding(m, "embedding", max_aspect_ratio_id(c) + 1, dim(c, "max_num_tiles") * dim(c, "hidden_size"), NO_PAD);
    param(m, "gate", ZEROS, 1);
}
static void MllamaPrecomputedPositionEmbedding(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), patches = num_patches(c);
    param(m, "gate", ZEROS, 1);
    param(m, "embedding", NORMAL(0, pow((double)d, -0.5)), patches, d);
    embedding(m, "tile_embedding", max_aspect_ratio_id(c) + 1, times(times(dim(c, "max_num_tiles"), patches), d), NO_PAD);
}
static void MllamaVisionMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    fc_mlp(m, c, d, ff, "hidden_act");
}
static void MllamaVisionAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "attention_heads"), all = heads * (d / heads);
    attention_projections(m, d, all, all, false, false);
}
static void MllamaVisionEncoderLayer(mod *m, const cfg *c, bool is_gated) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "norm_eps");
    sub(m, "self_attn", MllamaVisionAttention, c);
    sub(m, "mlp", MllamaVisionMLP, c);
    layernorm(m, "input_layernorm", d, eps);
    layernorm(m, "post_attention_layernorm", d, eps);
    if (!is_gated) return;
    param(m, "gate_attn", FULL(acos(-1) / 4), 1);
    param(m, "gate_ffn", FULL(acos(-1) / 4), 1);
}
static void MllamaVisionEncoder(mod *m, const cfg *c, int64_t layers, bool is_gated) {
    list(m, "layers", layers, MllamaVisionEncoderLayer, c, is_gated);
}
static void MllamaVisionModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), patch = dim(c, "patch_size");
    num eps = num_f(1e-5);
    conv2d(m, "patch_embedding", dim(c, "num_channels"), d, .kernel = SAME2(patch), .stride = SAME2(patch), .padding_text = "valid",
           .no_bias = true);
    param(m, "class_embedding", NORMAL(0, pow((double)d, -0.5)), d);
    sub(m, "gated_positional_embedding", MllamaPrecomputedPositionEmbedding, c);
    sub(m, "pre_tile_positional_embedding", MllamaPrecomputedAspectRatioEmbedding, c);
    sub(m, "post_tile_positional_embedding", MllamaPrecomputedAspectRatioEmbedding, c);
    layernorm(m, "layernorm_pre", d, eps);
    layernorm(m, "layernorm_post", d, eps);
    sub(m, "transformer", MllamaVisionEncoder, c, count(c, "num_hidden_layers"), false);
    sub(m, "global_transformer", MllamaVisionEncoder, c, count(c, "num_global_layers"), true);
}

static void attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads"), head = d / heads;
    attention_projections(m, d, heads * head, kv_heads * head, false, false);
}
static void MllamaTextCrossAttention(mod *m, const cfg *c) {
    int64_t kv_heads = dim(c, "num_key_value_heads"), head = dim(c, "hidden_size") / dim(c, "num_attention_heads");
    num eps = real(c, "rms_norm_eps");
    attention(m, c);
    rmsnorm(m, "q_norm", "MllamaTextRMSNorm", head, eps);
    rmsnorm(m, "k_norm", "MllamaTextRMSNorm", head, eps);
    cache_cross(m, c, kv_heads, head, 0);
}
static void MllamaTextSelfAttention(mod *m, const cfg *c) {
    attention(m, c);
    cache_keys(m, c, dim(c, "num_key_value_heads"), dim(c, "hidden_size") / dim(c, "num_attention_heads"));
}
static void MllamaTextMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void MllamaSelfAttentionDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", MllamaTextSelfAttention, c);
    sub(m, "mlp", MllamaTextMLP, c);
    rmsnorm(m, "input_layernorm", "MllamaTextRMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "MllamaTextRMSNorm", d, eps);
}
static void MllamaCrossAttentionDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    becomes(m, "MllamaCrossAttentionDecoderLayer");
    sub(m, "cross_attn", MllamaTextCrossAttention, c);
    rmsnorm(m, "input_layernorm", "MllamaTextRMSNorm", d, eps);
    param(m, "cross_attn_attn_gate", ZEROS, 1);
    sub(m, "mlp", MllamaTextMLP, c);
    rmsnorm(m, "post_attention_layernorm", "MllamaTextRMSNorm", d, eps);
    param(m, "cross_attn_mlp_gate", ZEROS, 1);
}
static void decoder_layer(mod *m, const cfg *c) {
    if (layer_in(m, c, "cross_attention_layers")) MllamaCrossAttentionDecoderLayer(m, c);
    else MllamaSelfAttentionDecoderLayer(m, c);
}
static void MllamaTextModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size") + 8, d, pad(c));
    list_as(m, "layers", count(c, "num_hidden_layers"), "MllamaSelfAttentionDecoderLayer", decoder_layer, c);
    rmsnorm(m, "norm", "MllamaTextRMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "MllamaRotaryEmbedding", c, false);
}
static void MllamaForCausalLM(mod *m, const cfg *c) {
    sub_from_config(m, "model", MllamaTextModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}
static void MllamaModel(mod *m, const cfg *c) {
    const cfg *language = part(c, "text_config"), *vision = part(c, "vision_config");
    sub_from_config(m, "vision_model", MllamaVisionModel, vision);
    sub_from_config(m, "language_model", MllamaTextModel, language);
    linear(m, "multi_modal_projector", dim(vision, "vision_output_dim"), dim(language, "hidden_size"), true);
}
static void MllamaForConditionalGeneration(mod *m, const cfg *c) {
    const cfg *language = part(c, "text_config");
    sub(m, "model", MllamaModel, c);
    linear(m, "lm_head", dim(language, "hidden_size"), dim(language, "vocab_size"), false);
}

static void MllamaPreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = known(c, "initializer_range") ? real(c, "initializer_range").d : real(text_config(c), "initializer_range").d;
    init_weights(m, c);
    if (is_a(m, "MllamaVisionModel")) init_normal(m, "class_embedding", 0, std);
    else if (is_a(m, "MllamaPrecomputedPositionEmbedding")) {
        init_normal(m, "embedding", 0, std);
        init_zeros(m, "gate");
    } else if (is_a(m, "MllamaVisionEncoderLayer") && has_tensor(m, "gate_attn")) {
        init_normal(m, "gate_attn", 0, std);
        init_normal(m, "gate_ffn", 0, std);
    } else if (is_a(m, "MllamaCrossAttentionDecoderLayer")) {
        init_zeros(m, "cross_attn_attn_gate");
        init_zeros(m, "cross_attn_mlp_gate");
    } else if (is_a(m, "MllamaPrecomputedAspectRatioEmbedding")) init_zeros(m, "gate");
}

static const model_facts MllamaPreTrainedModel = {
    .config = "MllamaConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("MllamaVisionEncoderLayer", "MllamaCrossAttentionDecoderLayer", "MllamaSelfAttentionDecoderLayer"),
    .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = MllamaPreTrainedModel_init_weights,
};

static val MllamaVisionConfig_computed(cfg *c, const char *key) {
    return same_word(key, "max_aspect_ratio_id") ? val_int(len(c, "supported_aspect_ratios")) : (val){0};
}

const family family_mllama = {
    .name = "mllama",
    .configs = CONFIGS({.name = "MllamaVisionConfig",
                        .model_type = "mllama_vision_model",
                        .computed = MllamaVisionConfig_computed,
                        .post_init = MllamaVisionConfig,
                        .validate_architecture = MllamaVisionConfig_validate},
                       {.name = "MllamaTextConfig", .model_type = "mllama_text_model", .post_init = MllamaTextConfig},
                       {.name = "MllamaConfig",
                        .model_type = "mllama",
                        .layout = LAYOUT(RENAME("^language_model.lm_head", "lm_head"),
                                         RENAME("^language_model", "model.language_model"),
                                         RENAME("^vision_model", "model.vision_model"),
                                         RENAME("^multi_modal_projector", "model.multi_modal_projector"))}),
    .models = MODELS({"MllamaVisionModel", MllamaVisionModel, .like = &MllamaPreTrainedModel,
                      .own = {.config = "MllamaVisionConfig", .base_model_prefix = "vision_model"}},
                     {"MllamaTextModel", MllamaTextModel, .like = &MllamaPreTrainedModel,
                      .own = {.config = "MllamaTextConfig", .base_model_prefix = "language_model.model"}},
                     {"MllamaForCausalLM", MllamaForCausalLM, .like = &MllamaPreTrainedModel,
                      .own = {.config = "MllamaTextConfig", .base_model_prefix = "language_model", .can_generate = YES}},
                     {"MllamaModel", MllamaModel, .like = &MllamaPreTrainedModel,
                      .own = {.layout = LAYOUT(RENAME("^language_model.model", "language_model"))}},
                     {"MllamaForConditionalGeneration", MllamaForConditionalGeneration, .like = &MllamaPreTrainedModel,
                      .own = {.can_generate = YES}}),
};
