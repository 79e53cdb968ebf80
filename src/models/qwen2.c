/* Qwen2: Llama with biases on queries, keys and values, and a window on its later layers. Mirrors models/qwen2, transformers 5.23.0. */
#include "../build/def.h"

/* Layers from max_window_layers on attend to a window, if there is one. */
static void window_later_layers(cfg *c) {
    int64_t n = count(c, "num_hidden_layers"), from = whole(c, "max_window_layers");
    bool window = has(c, "sliding_window");
    val *types = list_room(c, "num_hidden_layers", &n);
    for (int64_t i = 0; i < n; i++) types[i] = val_text(window && i >= from ? "sliding_attention" : "full_attention");
    put(c, "layer_types", list_in(types, n), "sliding_attention from max_window_layers on, if there is a window");
}
static void Qwen2Config(cfg *c) {
    if (!flag(c, "use_sliding_window")) put(c, "sliding_window", val_null(), "null without use_sliding_window");
    fill_key_value_heads(c);
    if (!has(c, "layer_types")) window_later_layers(c);
}

static void Qwen2MLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    gated_mlp(m, c, d, ff, false, "hidden_act");
}
static void Qwen2Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    int64_t head = known(c, "head_dim") ? dim(c, "head_dim") : d / heads;
    attention_projections(m, d, heads * head, kv_heads * head, true, false);
    cache_keys(m, c, kv_heads, head);
}
static void Qwen2DecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", Qwen2Attention, c);
    sub(m, "mlp", Qwen2MLP, c);
    rmsnorm(m, "input_layernorm", "Qwen2RMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "Qwen2RMSNorm", d, eps);
}
static void Qwen2Model(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), Qwen2DecoderLayer, c);
    rmsnorm(m, "norm", "Qwen2RMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "Qwen2RotaryEmbedding", c, false);
}
static void Qwen2ForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", Qwen2Model, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static const model_facts Qwen2PreTrainedModel = {
    .config = "Qwen2Config",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("Qwen2DecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_qwen2 = {
    .name = "qwen2",
    .configs = CONFIGS({.name = "Qwen2Config", .model_type = "qwen2", .post_init = Qwen2Config}),
    .models = MODELS({"Qwen2Model", Qwen2Model, .like = &Qwen2PreTrainedModel},
                     {"Qwen2ForCausalLM", Qwen2ForCausalLM, .like = &Qwen2PreTrainedModel, .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"Qwen2ForSequenceClassification", GenericForSequenceClassification, .like = &Qwen2PreTrainedModel},
                     {"Qwen2ForTokenClassification", GenericForTokenClassification, .like = &Qwen2PreTrainedModel},
                     {"Qwen2ForQuestionAnswering", GenericForQuestionAnswering, .like = &Qwen2PreTrainedModel,
                      .own = {.base_model_prefix = "transformer"}}),
};
