/* PaliGemma: a SigLIP tower and one linear layer before a Gemma. Mirrors models/paligemma, transformers 5.23.0. */
#include "../build/def.h"

/* The parts learn what the whole knows: that a prefix is seen from both sides, and how wide an image becomes. */
static void PaliGemmaConfig(cfg *c) {
    const cfg *seen = part(c, "vision_config"), *language = part(c, "text_config");
    if (!known(language, "use_bidirectional_attention")) {
        refuse(language, "use_bidirectional_attention", "a text model without it cannot read a prefix from both sides");
        return;
    }
    cfg *text_part = get(c, "text_config").cfg, *vision_part = get(c, "vision_config").cfg;
    if (!has(language, "use_bidirectional_attention")) derive_flag(text_part, "use_bidirectional_attention", true, "always");
    int64_t side = dim(seen, "image_size") / dim(seen, "patch_size");
    derive_int(text_part, "num_image_tokens", side * side, "(image_size / patch_size) squared");
    put(vision_part, "projection_dim", get(c, "projection_dim"), "projection_dim of the whole");
}

static void PaliGemmaMultiModalProjector(mod *m, const cfg *c) {
    const cfg *vision = part(c, "vision_config");
    linear(m, "linear", dim(vision, "hidden_size"), dim(vision, "projection_dim"), true);
}
static void PaliGemmaModel(mod *m, const cfg *c) {
    sub_auto(m, "vision_tower", part(c, "vision_config"), "AutoModel");
    sub(m, "multi_modal_projector", PaliGemmaMultiModalProjector, c);
    sub_auto(m, "language_model", part(c, "text_config"), "AutoModel");
}
static void PaliGemmaForConditionalGeneration(mod *m, const cfg *c) {
    const cfg *language = part(c, "text_config");
    sub(m, "model", PaliGemmaModel, c);
    linear(m, "lm_head", dim(language, "hidden_size"), dim(language, "vocab_size"), false);
}

static const model_facts PaliGemmaPreTrainedModel = {
    .config = "PaliGemmaConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("PaliGemmaMultiModalProjector"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_paligemma = {
    .name = "paligemma",
    .configs = CONFIGS({.name = "PaliGemmaConfig",
                        .model_type = "paligemma",
                        .after_post_init = PaliGemmaConfig,
                        .layout = LAYOUT(RENAME("^language_model.lm_head", "lm_head"),
                                         RENAME("^language_model", "model.language_model"),
                                         RENAME("^vision_tower", "model.vision_tower"),
                                         RENAME("^multi_modal_projector", "model.multi_modal_projector"))}),
    .models = MODELS({"PaliGemmaModel", PaliGemmaModel, .like = &PaliGemmaPreTrainedModel,
                      .own = {.layout = LAYOUT(RENAME("^language_model.model", "language_model"))}},
                     {"PaliGemmaForConditionalGeneration", PaliGemmaForConditionalGeneration, .like = &PaliGemmaPreTrainedModel,
                      .own = {.can_generate = YES,
                              .tied_weights_keys = MAP({"lm_head.weight", "model.language_model.embed_tokens.weight"}),
                              .tp_plan = MAP({"lm_head", "colwise_gather_output"})}}),
};
