/* Cohere 2 (Command R7B): attention and MLP side by side behind one norm, every fourth layer attends to everything.
 * Mirrors models/cohere2, transformers 5.23.0. */
#include "../build/def.h"

static void Cohere2Config(cfg *c) {
    fill_key_value_heads(c);
    derive_int(c, "head_dim", dim(c, "hidden_size") / dim(c, "num_attention_heads"), "hidden_size / num_attention_heads");
    if (has(c, "layer_types")) return;
    val period = take(c, "sliding_window_pattern");
    alternate_layer_types(c, period.kind == VAL_ABSENT ? val_int(4) : period, "sliding_window_pattern", 1, "sliding_attention");
}

static void Cohere2Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), head = dim(c, "head_dim");
    int64_t heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    bool bias = flag(c, "attention_bias");
    attention_projections(m, d, heads * head, kv_heads * head, bias, bias);
    cache_keys(m, c, kv_heads, head);
}
static void Cohere2MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
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
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_cohere2 = {
    .name = "cohere2",
    .configs = CONFIGS({.name = "Cohere2Config", .model_type = "cohere2", .post_init = Cohere2Config}),
    .models = MODELS({"Cohere2Model", Cohere2Model, .like = &Cohere2PreTrainedModel},
                     {"Cohere2ForCausalLM", Cohere2ForCausalLM, .like = &Cohere2PreTrainedModel,
                      .own = {CAUSAL_LM("model.embed_tokens.weight")}}),
};
