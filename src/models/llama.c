/* Llama: pre-norm decoder, grouped-query attention, gated MLP. Mirrors models/llama, transformers 5.23.0. */
#include "../build/def.h"

static void LlamaConfig(cfg *c) {
    fill_int(c, "head_dim", dim(c, "hidden_size") / dim(c, "num_attention_heads"), "hidden_size / num_attention_heads");
    fill_key_value_heads(c);
}

static void LlamaMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    bool bias = flag(c, "mlp_bias");
    gated_mlp(m, c, d, ff, bias, "hidden_act");
}
static void LlamaAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), head = dim(c, "head_dim");
    int64_t heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    bool bias = flag(c, "attention_bias");
    attention_projections(m, d, heads * head, kv_heads * head, bias, bias);
    cache_keys(m, c, kv_heads, head);
}
static void LlamaDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "rms_norm_eps");
    sub(m, "self_attn", LlamaAttention, c);
    sub(m, "mlp", LlamaMLP, c);
    rmsnorm(m, "input_layernorm", "LlamaRMSNorm", d, eps);
    rmsnorm(m, "post_attention_layernorm", "LlamaRMSNorm", d, eps);
}
static void LlamaModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", count(c, "num_hidden_layers"), LlamaDecoderLayer, c);
    rmsnorm(m, "norm", "LlamaRMSNorm", d, real(c, "rms_norm_eps"));
    rotary(m, "rotary_emb", "LlamaRotaryEmbedding", c, false);
}
static void LlamaForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", LlamaModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static const model_facts LlamaPreTrainedModel = {
    .config = "LlamaConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("LlamaDecoderLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_llama = {
    .name = "llama",
    .configs = CONFIGS({.name = "LlamaConfig",
                        .model_type = "llama",
                        .post_init = LlamaConfig,
                        .validate_architecture = heads_divide_hidden_size}),
    .models = MODELS({"LlamaModel", LlamaModel, .like = &LlamaPreTrainedModel},
                     {"LlamaForCausalLM", LlamaForCausalLM, .like = &LlamaPreTrainedModel, .own = {CAUSAL_LM("model.embed_tokens.weight")}},
                     {"LlamaForSequenceClassification", GenericForSequenceClassification, .like = &LlamaPreTrainedModel},
                     {"LlamaForQuestionAnswering", GenericForQuestionAnswering, .like = &LlamaPreTrainedModel,
                      .own = {.base_model_prefix = "transformer"}},
                     {"LlamaForTokenClassification", GenericForTokenClassification, .like = &LlamaPreTrainedModel}),
};
