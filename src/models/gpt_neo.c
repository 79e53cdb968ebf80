/* GPT-Neo: GPT-2 with every second layer looking back no further than a window; no scale in attention. Mirrors models/gpt_neo,
 * transformers 5.23.0. Its _init_weights() adds nothing to the constructors'. */
#include "../build/def.h"

/* [[["global", "local"], 2]] is global, local, global, local. */
static int64_t expanded(cfg *c, val types, val *into) {
    int64_t n = 0;
    for (uint32_t i = 0; i < types.n; i++) {
        const val *item = types.items[i].kind == VAL_LIST && types.items[i].n >= 2 ? types.items[i].items : NULL;
        if (!item || item[0].kind != VAL_LIST || item[1].kind != VAL_INT) {
            refuse(c, "attention_types", "each item should be a list of types and how often they repeat: [[\"global\", \"local\"], 12]");
            return 0;
        }
        for (int64_t k = 0; k < item[1].i && item[0].n; k++) {
            for (uint32_t j = 0; into && j < item[0].n; j++) into[n + j] = item[0].items[j];
            n += item[0].n;
            if (!into && n > INT32_MAX) return n;
        }
    }
    return n;
}
static void GPTNeoConfig(cfg *c) {
    val types = get(c, "attention_types");
    if (types.kind != VAL_LIST) {
        val both[2] = {val_text("global"), val_text("local")}, item[2] = {list_new(c, both, 2), val_int(12)}, one = list_new(c, item, 2);
        types = list_new(c, &one, 1);
        put(c, "attention_types", types, "global and local in turn");
    }
    int64_t n = expanded(c, types, NULL);
    val *layers = list_room(c, "attention_types", &n);
    if (n) expanded(c, types, layers);
    put(c, "attention_layers", list_in(layers, n), "attention_types written out");
}
static void validate(const cfg *c) {
    int64_t n = len(c, "attention_layers"), layers = count(c, "num_layers");
    if (n != layers) refuse(c, "attention_types", "should name as many layers as num_layers, which is %lld", (long long)layers);
}

static void GPTNeoSelfAttention(mod *m, const cfg *c, bool local) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_heads"), n = dim(c, "max_position_embeddings");
    int64_t window = whole(c, "window_size");
    if (d % heads) refuse(c, "num_heads", "should divide hidden_size, which is %lld", (long long)d);
    buffer(m, "bias", !local ? TRIL : window > 0 ? TRIL_BAND(window) : ZEROS, DT_BOOL, TRANSIENT, 1, 1, n, n);
    dropout(m, "attn_dropout", num_f(real(c, "attention_dropout").d));
    dropout(m, "resid_dropout", num_f(real(c, "resid_dropout").d));
    linear(m, "k_proj", d, d, false);
    linear(m, "v_proj", d, d, false);
    linear(m, "q_proj", d, d, false);
    linear(m, "out_proj", d, d, true);
    cache_keys(m, c, heads, d / heads); /* of all tokens, in local layers too */
}
static void GPTNeoAttention(mod *m, const cfg *c) {
    const char *type = layer_text(m, c, "attention_layers");
    bool local = !strcmp(type, "local");
    if (!local && strcmp(type, "global")) refuse(c, "attention_layers", "a layer is \"global\" or \"local\"");
    sub_as(m, "attention", flash_attention(c) ? "GPTNeoFlashAttention2" : "GPTNeoSelfAttention", GPTNeoSelfAttention, c, local);
}
static void GPTNeoMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim_or(c, "intermediate_size", 4 * d);
    linear(m, "c_fc", d, ff, true);
    linear(m, "c_proj", ff, d, true);
    act(m, "act", c, "activation_function");
    dropout(m, "dropout", num_f(real(c, "resid_dropout").d));
}
static void GPTNeoBlock(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_epsilon");
    layernorm(m, "ln_1", d, eps);
    sub(m, "attn", GPTNeoAttention, c);
    layernorm(m, "ln_2", d, eps);
    sub(m, "mlp", GPTNeoMLP, c);
}
static void GPTNeoModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "wte", dim(c, "vocab_size"), d, NO_PAD);
    embedding(m, "wpe", dim(c, "max_position_embeddings"), d, NO_PAD);
    dropout(m, "drop", num_f(real(c, "embed_dropout").d));
    list(m, "h", count(c, "num_layers"), GPTNeoBlock, c);
    layernorm(m, "ln_f", d, real(c, "layer_norm_epsilon"));
}
static void GPTNeoForCausalLM(mod *m, const cfg *c) {
    sub(m, "transformer", GPTNeoModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}
static void GPTNeoForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "transformer", GPTNeoModel, c);
    linear(m, "score", dim(c, "hidden_size"), num_labels(c), false);
}
static void GPTNeoForTokenClassification(mod *m, const cfg *c) {
    sub(m, "transformer", GPTNeoModel, c);
    dropout(m, "dropout", real(c, "classifier_dropout"));
    linear(m, "classifier", dim(c, "hidden_size"), num_labels(c), true);
}
static void GPTNeoForQuestionAnswering(mod *m, const cfg *c) {
    sub(m, "transformer", GPTNeoModel, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), 2, true);
}

static const model_facts GPTNeoPreTrainedModel = {
    .config = "GPTNeoConfig",
    .base_model_prefix = "transformer",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("GPTNeoBlock"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES,
};

const family family_gpt_neo = {
    .name = "gpt_neo",
    .configs = CONFIGS({.name = "GPTNeoConfig", .model_type = "gpt_neo", .post_init = GPTNeoConfig, .validate_architecture = validate}),
    .models = MODELS(
        {"GPTNeoModel", GPTNeoModel, .like = &GPTNeoPreTrainedModel},
        {"GPTNeoForCausalLM", GPTNeoForCausalLM, .like = &GPTNeoPreTrainedModel,
         .own = {.can_generate = YES, .tied_weights_keys = MAP({"lm_head.weight", "transformer.wte.weight"})}},
        {"GPTNeoForSequenceClassification", GPTNeoForSequenceClassification, .like = &GPTNeoPreTrainedModel},
        {"GPTNeoForTokenClassification", GPTNeoForTokenClassification, .like = &GPTNeoPreTrainedModel},
        {"GPTNeoForQuestionAnswering", GPTNeoForQuestionAnswering, .like = &GPTNeoPreTrainedModel}),
};
