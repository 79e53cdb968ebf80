/* LLaVA: an image tower, two linear layers, a language model, each of any type. Mirrors models/llava, transformers 5.23.0. */
#include "../build/def.h"

/* Old files say only of the text whether its embeddings are tied. */
static void LlavaConfig(cfg *c) {
    const cfg *language = part(c, "text_config");
    if (!flag(c, "tie_word_embeddings") && flag(language, "tie_word_embeddings"))
        put(c, "tie_word_embeddings", get(language, "tie_word_embeddings"), "text_config.tie_word_embeddings");
}

/* The states of one layer of the tower, or of several side by side. */
static void LlavaMultiModalProjector(mod *m, const cfg *c) {
    int64_t d = dim(part(c, "text_config"), "hidden_size"), seen = dim(part(c, "vision_config"), "hidden_size");
    bool one = get(c, "vision_feature_layer").kind == VAL_INT, bias = flag(c, "multimodal_projector_bias");
    may_be_empty(m); /* of no layer at all */
    linear(m, "linear_1", times(seen, one ? 1 : len(c, "vision_feature_layer")), d, bias);
    act(m, "act", c, "projector_hidden_act");
    linear(m, "linear_2", d, d, bias);
}
static void LlavaModel(mod *m, const cfg *c) {
    sub_auto(m, "vision_tower", part(c, "vision_config"), "AutoModel");
    sub(m, "multi_modal_projector", LlavaMultiModalProjector, c);
    sub_auto(m, "language_model", part(c, "text_config"), "AutoModel");
}
static void LlavaForConditionalGeneration(mod *m, const cfg *c) {
    const cfg *language = part(c, "text_config");
    sub(m, "model", LlavaModel, c);
    linear(m, "lm_head", dim(language, "hidden_size"), dim(language, "vocab_size"), false);
}

static const model_facts LlavaPreTrainedModel = {
    .config = "LlavaConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_llava = {
    .name = "llava",
    .configs = CONFIGS({.name = "LlavaConfig",
                        .model_type = "llava",
                        .after_post_init = LlavaConfig,
                        .layout = LAYOUT(RENAME("^language_model.lm_head", "lm_head"),
                                         RENAME("^language_model", "model.language_model"),
                                         RENAME("^vision_tower", "model.vision_tower"),
                                         RENAME("^multi_modal_projector", "model.multi_modal_projector"))}),
    .models = MODELS({"LlavaModel", LlavaModel, .like = &LlavaPreTrainedModel,
                      .own = {.layout = LAYOUT(RENAME("^language_model.model", "language_model"))}},
                     {"LlavaForConditionalGeneration", LlavaForConditionalGeneration, .like = &LlavaPreTrainedModel,
                      .own = {.can_generate = YES,
                              .tied_weights_keys = MAP({"lm_head.weight", "model.language_model.embed_tokens.weight"}),
                              .tp_plan = MAP({"lm_head", "colwise_gather_output"})}}),
};
