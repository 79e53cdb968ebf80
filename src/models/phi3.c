/* Phi-3: Llama with queries, keys and values in one projection, gate and up in another. Mirrors models/phi3, transformers 5.23.0. */
#include "../build/def.h"

static val or_else(cfg *c, val d, const char *key, val v) { return dict_get(d, key).kind == VAL_ABSENT ? dict_put(c, d, key, v) : d; }
/* partial_rotary_factor is always in rope_parameters, and stays a key of its own where a file has it. */
static void Phi3Config_convert_rope(cfg *c) {
    val scaling = take(c, "rope_scaling"), params = val_true(scaling) ? scaling : get(c, "rope_parameters");
    if (val_true(params) && params.kind != VAL_DICT) {
        refuse(c, NULL, "rope_scaling and rope_parameters have to be objects");
        return;
    }
    if (params.kind != VAL_DICT) params = dict_new(c);
    params = or_else(c, params, "rope_theta", val_or(take(c, "rope_theta"), val_real(10000.0)));
    params = or_else(c, params, "partial_rotary_factor", val_or(leftover(c, "partial_rotary_factor"), val_real(1.0)));
    if (val_true(scaling)) put_legacy(c, "rope_parameters", params, "rope_scaling");
    else put(c, "rope_parameters", params, "completed with defaults");
    standardize_rope(c);
    params = get(c, "rope_parameters");
    if (val_in(dict_get(params, "rope_type"), SET("su", "yarn")))
        put(c, "rope_parameters", dict_put(c, params, "rope_type", val_text("longrope")), "su and yarn are longrope here");
}
static void check_factors(const cfg *c, const char *key, double n) {
    val factors = dict_get(get(c, "rope_parameters"), key);
    double x;
    if (!val_given(factors)) return;
    bool ok = factors.kind == VAL_LIST && factors.n == n;
    for (uint32_t i = 0; ok && i < factors.n; i++) ok = val_number(factors.items[i], &x);
    if (!ok) refuse(c, "rope_parameters", "its %s has to be a list of %g numbers", key, n);
}
static void Phi3Config_validate(const cfg *c) {
    val params = get(c, "rope_parameters");
    double share = 1;
    if (!val_in(dict_get(params, "rope_type"), SET("default", "longrope")))
        refuse(c, "rope_parameters", "its rope_type has to be \"default\" or \"longrope\"");
    if (!val_number(dict_get(params, "partial_rotary_factor"), &share))
        refuse(c, "rope_parameters", "its partial_rotary_factor has to be a number");
    double turned = trunc((double)(dim(c, "hidden_size") / dim(c, "num_attention_heads")) * share);
    check_factors(c, "short_factor", floor(turned / 2));
    check_factors(c, "long_factor", floor(turned / 2));
}

static void Phi3MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    linear(m, "gate_up_proj", d, 2 * ff, false);
    linear(m, "down_proj", ff, d, false);
    act(m, "activation_fn", c, "hidden_act");
}
static void Phi3Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    int64_t head = known(c, "head_dim") ? dim(c, "head_dim") : d / heads;
    linear(m, "o_proj", heads * head, d, false);
    linear(m, "qkv_proj", d, times(heads + 2 * kv_heads, head), false);
    cache_keys(m, c, kv_heads, head);
}
static void Phi3DecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps"), drop = real(c, "resid_pdrop");
    sub(m, "self_attn", Phi3Attention, c);
    sub(m, "mlp", Phi3MLP, c);
    rmsnorm(m, "input_layernorm", "Phi3RMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "Phi3RMSNorm", d, eps);
    dropout(m, "resid_attn_dropout", drop);
    dropout(m, "resid_mlp_dropout", drop);
}
static void Phi3Model(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Phi3DecoderLayer, c);
    rmsnorm(m, "norm", "Phi3RMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "Phi3RotaryEmbedding", c, true);
}
static void Phi3ForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Phi3Model, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static const model_facts Phi3PreTrainedModel = {
    .config = "Phi3Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Phi3DecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_phi3 = {
    .name = "phi3",
    .configs = CONFIGS({.name = "Phi3Config",
                        .model_type = "phi3",
                        .post_init = fill_key_value_heads,
                        .convert_rope = Phi3Config_convert_rope,
                        .validate_architecture = Phi3Config_validate}),
    .models = MODELS({"Phi3Model", Phi3Model, .like = &Phi3PreTrainedModel},
                     {"Phi3ForCausalLM", Phi3ForCausalLM, .like = &Phi3PreTrainedModel, .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"Phi3ForSequenceClassification", GenericForSequenceClassification, .like = &Phi3PreTrainedModel},
                     {"Phi3ForTokenClassification", GenericForTokenClassification, .like = &Phi3PreTrainedModel}),
};
