/* Cohere 2 (Command R7B): attention and MLP side by side behind one norm, every fourth layer attends to everything.
 * Mirrors models/cohere2, transformers 5.23.0. */
#include "../build/def.h"

/* Python's i % period == 0, for any number. */
static bool divides(val period, int64_t i) {
    if (period.kind == VAL_INT) return i % period.i == 0;
    return period.kind == VAL_BOOL || fmod((double)i, period.d) == 0;
}
static void alternate_layer_types(cfg *c) {
    val period = take(c, "sliding_window_pattern");
    int64_t n = count(c, "num_hidden_layers");
    if (period.kind == VAL_ABSENT) period = val_int(4);
    bool is_number = period.kind == VAL_INT || period.kind == VAL_BOOL || period.kind == VAL_REAL;
    if (n && (!is_number || !val_true(period))) {
        refuse(c, NULL, "without layer_types, sliding_window_pattern has to be a number other than 0");
        return;
    }
    val *types = list_room(c, "num_hidden_layers", &n);
    for (int64_t i = 0; i < n; i++) types[i] = val_text(divides(period, i + 1) ? "full_attention" : "sliding_attention");
    put(c, "layer_types", list_in(types, n), "full_attention every sliding_window_pattern layers");
}
static void Cohere2Config(cfg *c) {
    fill_int(c, "num_key_value_heads", dim(c, "num_attention_heads"), "num_attention_heads");
    derive_int(c, "head_dim", dim(c, "hidden_size") / dim(c, "num_attention_heads"), "hidden_size / num_attention_heads");
    if (!has(c, "layer_types")) alternate_layer_types(c);
}

static void Cohere2Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), head = dim(c, "head_dim");
    int64_t heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    bool bias = flag(c, "attention_bias");
    linear(m, "q_proj", d, heads * head, bias);
    linear(m, "k_proj", d, kv_heads * head, bias);
    linear(m, "v_proj", d, kv_heads * head, bias);
    linear(m, "o_proj", heads * head, d, bias);
    cache_keys(m, c, kv_heads, head);
}
static void Cohere2MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    linear(m, "gate_proj", d, ff, false);
    linear(m, "up_proj", d, ff, false);
    linear(m, "down_proj", ff, d, false);
    act(m, "act_fn", c, "hidden_act");
}
static void Cohere2LayerNorm(mod *m, const char *name, const cfg *c) {
    real(c, "layer_norm_eps"); /* read, not printed */
    norm_silent(m, name, "Cohere2LayerNorm", dim(c, "hidden_size"));
}
static void Cohere2DecoderLayer(mod *m, const cfg *c) {
    sub(m, "self_attn", Cohere2Attention, c);
    sub(m, "mlp", Cohere2MLP, c);
    Cohere2LayerNorm(m, "input_layernorm", c);
}
static void Cohere2Model(mod *m, const cfg *c) {
    embedding(m, "embed_tokens", dim(c, "vocab_size"), dim(c, "hidden_size"), pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Cohere2DecoderLayer, c);
    Cohere2LayerNorm(m, "norm", c);
    rotary(m, "rotary_emb", "Cohere2RotaryEmbedding", c, false);
}
static void Cohere2ForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Cohere2Model, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static const model_facts Cohere2PreTrainedModel = {
    .config = "Cohere2Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Cohere2DecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES,
    .supports_sdpa = YES,
    .supports_flex_attn = YES,
};

const family family_cohere2 = {
    .name = "cohere2",
    .configs = CONFIGS({.name = "Cohere2Config", .model_type = "cohere2", .post_init = Cohere2Config}),
    .models = MODELS({"Cohere2Model", Cohere2Model, .like = &Cohere2PreTrainedModel},
                     {"Cohere2ForCausalLM", Cohere2ForCausalLM, .like = &Cohere2PreTrainedModel,
                      .own = {.can_generate = YES,
                              .tied_weights_keys = MAP({"lm_head.weight", "model.embed_tokens.weight"}),
                              .tp_plan = MAP({"lm_head", "colwise_gather_output"}),
                              .pp_plan = SET("lm_head")}}),
};
