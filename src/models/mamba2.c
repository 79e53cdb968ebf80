/* Mamba 2: a state space mixer in every layer, no attention. Mirrors models/mamba2, transformers 5.23.0. */
#include "../build/def.h"

static void Mamba2Config(cfg *c) {
    if (val_is(get(c, "time_step_rank"), "auto"))
        derive_int(c, "time_step_rank", (dim(c, "hidden_size") + 15) / 16, "hidden_size / 16, rounded up");
}
static void Mamba2Config_validate(const cfg *c) {
    if (times(whole(c, "hidden_size"), whole(c, "expand")) != times(whole(c, "num_heads"), whole(c, "head_dim")))
        refuse(c, "num_heads", "num_heads * head_dim has to be hidden_size * expand");
}

static int64_t inner_size(const cfg *c) { return times(dim(c, "expand"), dim(c, "hidden_size")); }
static int64_t conv_size(const cfg *c) { return plus(inner_size(c), times(2, times(dim(c, "n_groups"), count(c, "state_size")))); }

static void Mamba2Mixer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_heads"), kernel = dim(c, "conv_kernel");
    int64_t inner = inner_size(c), channels = conv_size(c);
    bool bias = flag(c, "use_bias");
    if (get(c, "time_step_rank").kind == VAL_TEXT) refuse(c, "time_step_rank", "is neither a number nor \"auto\"");
    act(m, "act", c, "hidden_act");
    conv1d(m, "conv1d", channels, channels, .kernel = SIZE1(kernel), .groups = channels, .padding = SIZE1(kernel - 1),
           .no_bias = !flag(c, "use_conv_bias"));
    linear(m, "in_proj", d, plus(plus(inner, channels), heads), bias);
    param(m, "dt_bias", EMPTY, heads);
    param(m, "A_log", EMPTY, heads);
    norm_silent(m, "norm", "MambaRMSNormGated", inner);
    param(m, "D", EMPTY, heads);
    linear(m, "out_proj", inner, d, bias);
    cache_state(m, times(channels, kernel), times(inner, count(c, "state_size")));
}
static void Mamba2Block(mod *m, const cfg *c) {
    norm_silent(m, "norm", "Mamba2RMSNorm", dim(c, "hidden_size"));
    sub(m, "mixer", Mamba2Mixer, c);
}
static void Mamba2Model(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embeddings", dim(c, "vocab_size"), d, NO_PAD);
    list(m, "layers", count(c, "num_hidden_layers"), Mamba2Block, c);
    norm_silent(m, "norm_f", "Mamba2RMSNorm", d);
}
static void Mamba2ForCausalLM(mod *m, const cfg *c) {
    sub(m, "backbone", Mamba2Model, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

/* A step of dt is drawn between time_step_min and time_step_max, evenly by its logarithm. */
static void init_mixer(mod *m, const cfg *c) {
    double least = real(c, "time_step_min").d, most = real(c, "time_step_max").d, floor = real(c, "time_step_floor").d;
    if (!(least > 0 && most > 0)) fail(m, "time_step_min and time_step_max have no logarithm");
    init_made(m, "A_log", mapped(m, ARANGE_FROM(1), DT_F32, THEN_LOG));
    init_ones(m, "D");
    init_made(m, "dt_bias", mapped(m, RAND, DT_F32, THEN_TIMES(log(most) - log(least)), THEN_PLUS(log(least)), THEN_EXP,
                                   THEN_AT_LEAST(floor), THEN_UNSOFTPLUS));
}
static void Mamba2PreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (!is_a(m, "Mamba2Mixer")) return;
    init_mixer(m, c);
    init_kaiming_uniform(m, "conv1d.weight", sqrt(5));
    if (has_tensor(m, "conv1d.bias")) init_zeros(m, "conv1d.bias");
    if (!flag(c, "rescale_prenorm_residual")) init_kaiming_uniform(m, "out_proj.weight", sqrt(5));
    else {
        made drawn = {.op = MADE_KAIMING_UNIFORM, .a = sqrt(5), .b = (double)tensor_dim(m, "out_proj.weight", 1)};
        init_made(m, "out_proj.weight", mapped(m, drawn, DT_DEFAULT, THEN_OVER(sqrt((double)count(c, "num_hidden_layers")))));
    }
}

static const model_facts Mamba2PreTrainedModel = {
    .config = "Mamba2Config",
    .base_model_prefix = "backbone",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Mamba2Block"),
    .init_weights = Mamba2PreTrainedModel_init_weights,
};

static val Mamba2Config_computed(cfg *c, const char *key) {
    return same_word(key, "layer_types") ? one_type_per_layer(c, "linear_attention") : (val){0};
}

const family family_mamba2 = {
    .name = "mamba2",
    .configs = CONFIGS({.name = "Mamba2Config",
                        .model_type = "mamba2",
                        .post_init = Mamba2Config,
                        .computed = Mamba2Config_computed,
                        .validate_architecture = Mamba2Config_validate}),
    .models = MODELS({"Mamba2Model", Mamba2Model, .like = &Mamba2PreTrainedModel},
                     {"Mamba2ForCausalLM", Mamba2ForCausalLM, .like = &Mamba2PreTrainedModel,
                      .own = {.can_generate = YES, .tied_weights_keys = MAP({"lm_head.weight", "backbone.embeddings.weight"})}}),
};
