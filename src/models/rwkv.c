/* RWKV-4: a recurrence in place of attention, whose first weights follow from the place of a layer.
 * Mirrors models/rwkv, transformers 5.23.0. */
#include "../build/def.h"

static void RwkvConfig(cfg *c) {
    fill_int(c, "attention_hidden_size", dim(c, "hidden_size"), "hidden_size");
    fill_int(c, "intermediate_size", times(4, dim(c, "hidden_size")), "4 * hidden_size");
}

/* (i / d) ** exponent, for element i of d. */
static made mix(mod *m, int64_t d, double exponent) {
    return mapped(m, mapped(m, ARANGE, DT_F64, THEN_OVER((double)d)), DT_DEFAULT, THEN_POWER(exponent));
}
static void RwkvSelfAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), inner = dim_or(c, "attention_hidden_size", d);
    double i = (double)layer_idx(m), n = (double)count(c, "num_hidden_layers"), rising = i / (n - 1), falling = 1.0 - i / n;
    param(m, "time_decay",
          mapped(m, ARANGE, DT_F64, THEN_OVER((double)(inner - 1)), THEN_POWER(0.7 + 1.3 * rising), THEN_TIMES(8), THEN_PLUS(-5)), inner);
    param(m, "time_first", ONES, inner);
    param(m, "time_mix_key", mix(m, d, falling), 1, 1, d);
    param(m, "time_mix_value", mapped(m, mix(m, d, falling), DT_DEFAULT, THEN_PLUS(0.3 * rising)), 1, 1, d);
    param(m, "time_mix_receptance", mix(m, d, 0.5 * falling), 1, 1, d);
    zero_pad2d(m, "time_shift", 0, 0, 1, -1);
    linear(m, "key", d, inner, false);
    linear(m, "value", d, inner, false);
    linear(m, "receptance", d, inner, false);
    linear(m, "output", inner, d, false);
}
static void RwkvFeedForward(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim_or(c, "intermediate_size", times(4, d));
    double falling = 1.0 - (double)layer_idx(m) / (double)count(c, "num_hidden_layers");
    zero_pad2d(m, "time_shift", 0, 0, 1, -1);
    param(m, "time_mix_key", mix(m, d, falling), 1, 1, d);
    param(m, "time_mix_receptance", mix(m, d, falling), 1, 1, d);
    linear(m, "key", d, ff, false);
    linear(m, "receptance", d, d, false);
    linear(m, "value", ff, d, false);
}
static void RwkvBlock(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_epsilon");
    if (layer_idx(m) == 0) layernorm(m, "pre_ln", d, eps);
    layernorm(m, "ln1", d, eps);
    layernorm(m, "ln2", d, eps);
    sub(m, "attention", RwkvSelfAttention, c);
    sub(m, "feed_forward", RwkvFeedForward, c);
    cache_state(m, times(2, d), times(3, d));
}
static void RwkvModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embeddings", dim(c, "vocab_size"), d, NO_PAD);
    list(m, "blocks", count(c, "num_hidden_layers"), RwkvBlock, c);
    layernorm(m, "ln_out", d, num_f(1e-5));
}
static void RwkvForCausalLM(mod *m, const cfg *c) {
    sub(m, "rwkv", RwkvModel, c);
    linear(m, "head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

/* The values of time_* are those of the constructors above. */
static void RwkvPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "RwkvSelfAttention")) {
        if (count(c, "num_hidden_layers") == 1 || tensor_dim(m, "time_decay", 0) == 1)
            fail(m, "time_decay spreads over two layers and two channels at least");
        init_reset(m, "");
    } else if (is_a(m, "RwkvFeedForward")) init_reset(m, "");
    else if (is_linear(m)) {
        int64_t out = tensor_dim(m, "weight", 0), in = tensor_dim(m, "weight", 1);
        double gain = out > in ? sqrt((double)out / (double)in) : 1;
        init_orthogonal(m, "weight", out == dim(c, "vocab_size") && in == dim(c, "hidden_size") ? gain * 0.5 : gain);
    } else if (is_embedding(m)) {
        int64_t n = tensor_dim(m, "weight", 0), d = tensor_dim(m, "weight", 1);
        init_orthogonal(m, "weight", 1e-4 * sqrt((double)(n > d ? n : d)));
    }
}

static const model_facts RwkvPreTrainedModel = {
    .config = "RwkvConfig",
    .base_model_prefix = "rwkv",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("RwkvBlock"),
    .keep_in_fp32_modules = SET("time_decay", "time_first"),
    .init_weights = RwkvPreTrainedModel_init_weights,
};

const family family_rwkv = {
    .name = "rwkv",
    .configs = CONFIGS({.name = "RwkvConfig", .model_type = "rwkv", .post_init = RwkvConfig}),
    .models = MODELS({"RwkvModel", RwkvModel, .like = &RwkvPreTrainedModel},
                     {"RwkvForCausalLM", RwkvForCausalLM, .like = &RwkvPreTrainedModel,
                      .own = {.can_generate = YES, .tied_weights_keys = MAP({"head.weight", "rwkv.embeddings.weight"})}}),
};
