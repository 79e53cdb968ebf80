/* Qwen3: Qwen2 with a norm on the heads of queries and keys, and no biases by default. Mirrors models/qwen3, transformers 5.23.0. */
#include "../build/def.h"

/* Layers from max_window_layers on attend to a window, if there is one. */
static void window_later_layers(cfg *c) {
    int64_t n = count(c, "num_hidden_layers"), from = whole(c, "max_window_layers");
    bool window = has(c, "sliding_window");
    val *types = list_room(c, "num_hidden_layers", &n);
    for (int64_t i = 0; i < n; i++) types[i] = val_text(window && i >= from ? "sliding_attention" : "full_attention");
    put(c, "layer_types", list_in(types, n), "sliding_attention from max_window_layers on, if there is a window");
}
static void Qwen3Config(cfg *c) {
    if (!flag(c, "use_sliding_window")) put(c, "sliding_window", val_null(), "null without use_sliding_window");
    fill_key_value_heads(c);
    if (!has(c, "layer_types")) window_later_layers(c);
}

static void Qwen3MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void Qwen3Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), head = dim(c, "head_dim");
    int64_t heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    bool bias = flag(c, "attention_bias");
    num eps = real(c, "rms_norm_eps");
    attention_projections(m, d, heads * head, kv_heads * head, bias, bias);
    rmsnorm(m, "q_norm", "Qwen3RMSNorm", head, eps);
    rmsnorm(m, "k_norm", "Qwen3RMSNorm", head, eps);
    cache_keys(m, c, kv_heads, head);
}
static void Qwen3DecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", Qwen3Attention, c);
    sub(m, "mlp", Qwen3MLP, c);
    rmsnorm(m, "input_layernorm", "Qwen3RMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "Qwen3RMSNorm", d, eps);
}
static void Qwen3Model(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Qwen3DecoderLayer, c);
    rmsnorm(m, "norm", "Qwen3RMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "Qwen3RotaryEmbedding", c, false);
}
static void Qwen3ForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Qwen3Model, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static const model_facts Qwen3PreTrainedModel = {
    .config = "Qwen3Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Qwen3DecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_qwen3 = {
    .name = "qwen3",
    .configs = CONFIGS({.name = "Qwen3Config", .model_type = "qwen3", .post_init = Qwen3Config}),
    .models = MODELS({"Qwen3Model", Qwen3Model, .like = &Qwen3PreTrainedModel},
                     {"Qwen3ForCausalLM", Qwen3ForCausalLM, .like = &Qwen3PreTrainedModel, .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"Qwen3ForSequenceClassification", GenericForSequenceClassification, .like = &Qwen3PreTrainedModel},
                     {"Qwen3ForTokenClassification", GenericForTokenClassification, .like = &Qwen3PreTrainedModel},
                     {"Qwen3ForQuestionAnswering", GenericForQuestionAnswering, .like = &Qwen3PreTrainedModel,
                      .own = {.base_model_prefix = "transformer"}}),
};
