/* Falcon-H1: attention and a Mamba 2 mixer side by side in every layer. Mirrors models/falcon_h1, transformers 5.23.0. */
#include "../build/def.h"

static int64_t inner_size(const cfg *c) {
    return has(c, "mamba_d_ssm") ? dim(c, "mamba_d_ssm") : times(dim(c, "mamba_expand"), dim(c, "hidden_size"));
}
static void fill_ones(cfg *c, const char *key, int n) {
    val ones[] = {val_real(1), val_real(1), val_real(1), val_real(1), val_real(1)};
    if (!has(c, key)) put(c, key, list_new(c, ones, (size_t)n), "1 each");
}
static void FalconH1Config(cfg *c) {
    fill_key_value_heads(c);
    if (val_is(get(c, "mamba_d_head"), "auto"))
        derive_int(c, "mamba_d_head", inner_size(c) / dim(c, "mamba_n_heads"), "mamba_d_ssm / mamba_n_heads");
    if (has(c, "time_step_limit") && len(c, "time_step_limit") != 2) refuse(c, "time_step_limit", "is a pair of numbers");
    fill_ones(c, "mlp_multipliers", 2);
    fill_ones(c, "ssm_multipliers", 5);
    if (leftover(c, "layer_types").kind != VAL_ABSENT || leftover(c, "layers_block_type").kind != VAL_ABSENT)
        refuse(c, NULL, "every layer is a hybrid one: layer_types cannot be set");
}
static void FalconH1Config_validate(const cfg *c) {
    int64_t inner = inner_size(c), heads = dim(c, "mamba_n_heads");
    if (inner % heads) refuse(c, "mamba_n_heads", "does not divide the mixer's size, %lld", (long long)inner);
    if (times(dim(c, "mamba_d_head"), heads) != inner)
        refuse(c, "mamba_d_head", "times mamba_n_heads has to be the mixer's size, %lld", (long long)inner);
}

/* What the parts of in_proj's output are multiplied by: gate, input, B, C, dt. */
static made multipliers(mod *m, const cfg *c, int64_t inner, int64_t states, int64_t heads) {
    val by = get(c, "ssm_multipliers");
    double x[5] = {0};
    if (by.kind != VAL_LIST || by.n < 5) fail(m, "ssm_multipliers needs five numbers");
    for (uint32_t i = 0; by.kind == VAL_LIST && i < by.n && i < 5; i++) x[i] = by.items[i].kind == VAL_INT ? (double)by.items[i].i : by.items[i].d;
    return pieces(m, {inner, x[0]}, {inner, x[1]}, {states, x[2]}, {states, x[3]}, {heads, x[4]});
}
static void FalconH1Mixer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "mamba_n_heads"), kernel = dim(c, "mamba_d_conv");
    int64_t inner = inner_size(c), states = times(dim(c, "mamba_n_groups"), count(c, "mamba_d_state")), channels = plus(inner, times(2, states));
    act(m, "act", c, "hidden_act");
    conv1d(m, "conv1d", channels, channels, .kernel = SIZE1(kernel), .groups = channels, .padding = SIZE1(kernel - 1),
           .no_bias = !flag(c, "mamba_conv_bias"));
    linear(m, "in_proj", d, plus(plus(inner, channels), heads), flag(c, "mamba_proj_bias"));
    param(m, "dt_bias", EMPTY, heads);
    param(m, "A_log", EMPTY, heads);
    if (flag(c, "mamba_rms_norm")) norm_silent(m, "norm", "FalconH1RMSNormGated", inner);
    else identity(m, "norm");
    param(m, "D", EMPTY, heads);
    linear(m, "out_proj", inner, d, flag(c, "projectors_bias"));
    buffer(m, "mup_vector", multipliers(m, c, inner, states, heads), DT_DEFAULT, TRANSIENT, 1, 1, plus(plus(inner, channels), heads));
    cache_state(m, times(channels, kernel), times(inner, count(c, "mamba_d_state")));
}
static void FalconH1Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    int64_t head = known(c, "head_dim") ? dim(c, "head_dim") : d / heads;
    bool bias = flag(c, "attention_bias");
    attention_projections(m, d, heads * head, kv_heads * head, bias, bias);
    cache_keys(m, c, kv_heads, head);
}
static void FalconH1MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    bool bias = flag(c, "mlp_bias");
    gated_mlp(m, c, d, ff, bias, "hidden_act");
    if (len(c, "mlp_multipliers") != 2) fail(m, "mlp_multipliers needs two numbers");
}
static void FalconH1DecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "feed_forward", FalconH1MLP, c);
    sub(m, "mamba", FalconH1Mixer, c);
    sub(m, "self_attn", FalconH1Attention, c);
    rmsnorm(m, "input_layernorm", "FalconH1RMSNorm", d, eps);
    rmsnorm(m, "pre_ff_layernorm", "FalconH1RMSNorm", d, eps);
}
static void FalconH1Model(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), FalconH1DecoderLayer, c);
    rmsnorm(m, "final_layernorm", "FalconH1RMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "FalconH1RotaryEmbedding", c, false);
}
static void FalconH1ForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", FalconH1Model, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void FalconH1PreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (!is_a(m, "FalconH1Mixer")) return;
    init_ones(m, "dt_bias");
    init_made(m, "A_log", mapped(m, ARANGE_FROM(1), DT_DEFAULT, THEN_LOG));
    init_ones(m, "D");
}

static const model_facts FalconH1PreTrainedModel = {
    .config = "FalconH1Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("FalconH1DecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES,
    .init_weights = FalconH1PreTrainedModel_init_weights,
};

static val FalconH1Config_computed(cfg *c, const char *key) {
    return same_word(key, "layers_block_type") ? one_type_per_layer(c, "hybrid") : (val){0};
}

const family family_falcon_h1 = {
    .name = "falcon_h1",
    .configs = CONFIGS({.name = "FalconH1Config",
                        .model_type = "falcon_h1",
                        .post_init = FalconH1Config,
                        .computed = FalconH1Config_computed,
                        .validate_architecture = FalconH1Config_validate}),
    .models = MODELS({"FalconH1Model", FalconH1Model, .like = &FalconH1PreTrainedModel},
                     {"FalconH1ForCausalLM", FalconH1ForCausalLM, .like = &FalconH1PreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}}),
};
