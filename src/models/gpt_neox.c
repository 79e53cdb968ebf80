/* GPT-NeoX: fused query_key_value, rotary over a quarter of each head unless told otherwise. Mirrors models/gpt_neox,
 * transformers 5.23.0. */
#include "../build/def.h"

/* Old configs say rotary_emb_base and rotary_pct. */
static void GPTNeoXConfig_convert_rope(cfg *c) {
    val scaling = take(c, "rope_scaling"), all = val_true(scaling) ? scaling : get(c, "rope_parameters");
    if (!val_given(all)) all = dict_new(c);
    if (all.kind != VAL_DICT) {
        refuse(c, "rope_parameters", "should be an object");
        return;
    }
    val base = val_or(take(c, "rotary_emb_base"), val_real(10000.0)), part = val_or(take(c, "rotary_pct"), val_real(0.25));
    if (dict_get(all, "rope_theta").kind == VAL_ABSENT) all = dict_put(c, all, "rope_theta", base);
    if (dict_get(all, "partial_rotary_factor").kind == VAL_ABSENT) all = dict_put(c, all, "partial_rotary_factor", part);
    if (val_true(scaling)) put_legacy(c, "rope_parameters", all, "rope_scaling");
    else put(c, "rope_parameters", all, "rotary_emb_base, rotary_pct");
    standardize_rope(c);
}

static void GPTNeoXMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    linear(m, "dense_h_to_4h", d, ff, true);
    linear(m, "dense_4h_to_h", ff, d, true);
    act(m, "act", c, "hidden_act");
}
static void GPTNeoXAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    bool bias = flag(c, "attention_bias");
    linear(m, "query_key_value", d, 3 * d, bias);
    linear(m, "dense", d, d, bias);
    cache_keys(m, c, heads, d / heads);
}
static void GPTNeoXLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_eps"), p = real(c, "hidden_dropout");
    layernorm(m, "input_layernorm", d, eps);
    layernorm(m, "post_attention_layernorm", d, eps);
    dropout(m, "post_attention_dropout", p);
    dropout(m, "post_mlp_dropout", p);
    sub(m, "attention", GPTNeoXAttention, c);
    sub(m, "mlp", GPTNeoXMLP, c);
}
static void GPTNeoXModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "embed_in", dim(c, "vocab_size"), d, NO_PAD);
    dropout(m, "emb_dropout", real(c, "hidden_dropout"));
    list(m, "layers", count(c, "num_hidden_layers"), GPTNeoXLayer, c);
    layernorm(m, "final_layer_norm", d, real(c, "layer_norm_eps"));
    rotary(m, "rotary_emb", "GPTNeoXRotaryEmbedding", c, true);
}
static void GPTNeoXForCausalLM(mod *m, const cfg *c) {
    sub(m, "gpt_neox", GPTNeoXModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}
static void GPTNeoXForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "gpt_neox", GPTNeoXModel, c);
    linear(m, "score", dim(c, "hidden_size"), num_labels(c), false);
}
static void GPTNeoXForTokenClassification(mod *m, const cfg *c) {
    sub(m, "gpt_neox", GPTNeoXModel, c);
    dropout(m, "dropout", real(c, "classifier_dropout"));
    linear(m, "classifier", dim(c, "hidden_size"), num_labels(c), true);
}
static void GPTNeoXForQuestionAnswering(mod *m, const cfg *c) {
    sub(m, "gpt_neox", GPTNeoXModel, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), 2, true);
}

static const model_facts GPTNeoXPreTrainedModel = {
    .config = "GPTNeoXConfig",
    .base_model_prefix = "gpt_neox",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("GPTNeoXLayer"),
    .skip_keys_device_placement = SET("past_key_values"),
    .keys_to_ignore_on_load_unexpected = SET("attention.bias", "attention.masked_bias"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_gpt_neox = {
    .name = "gpt_neox",
    .configs = CONFIGS({.name = "GPTNeoXConfig",
                        .model_type = "gpt_neox",
                        .convert_rope = GPTNeoXConfig_convert_rope,
                        .validate_architecture = heads_divide_hidden_size}),
    .models = MODELS(
        {"GPTNeoXModel", GPTNeoXModel, .like = &GPTNeoXPreTrainedModel},
        {"GPTNeoXForCausalLM", GPTNeoXForCausalLM, .like = &GPTNeoXPreTrainedModel,
         .own = {CAUSAL_LM("gpt_neox.embed_in.weight"),
                 .layout = LAYOUT(RENAME("^embed_out\\.", "lm_head."))}},
        {"GPTNeoXForSequenceClassification", GPTNeoXForSequenceClassification, .like = &GPTNeoXPreTrainedModel},
        {"GPTNeoXForTokenClassification", GPTNeoXForTokenClassification, .like = &GPTNeoXPreTrainedModel},
        {"GPTNeoXForQuestionAnswering", GPTNeoXForQuestionAnswering, .like = &GPTNeoXPreTrainedModel}),
};
