/* ModernBERT: pre-norm encoder, gated MLP, local attention in two of three layers with a rotary table of its own.
 * Mirrors models/modernbert, transformers 5.23.0. */
#include "../build/def.h"

/* A window is half of what local_attention says. */
static void set_sliding_window(cfg *c, val half) {
    if (half.kind == VAL_BOOL) half = val_int(half.b);
    if (half.kind != VAL_INT) refuse(c, "sliding_window", "has to be an int");
    else put(c, "local_attention", val_int(times(2, half.i)), "2 * sliding_window");
}
static void ModernBertConfig(cfg *c) {
    val half = take(c, "sliding_window"), period = val_or(leftover(c, "global_attn_every_n_layers"), val_int(3));
    if (!has(c, "layer_types")) alternate_layer_types(c, period, "global_attn_every_n_layers", 0, "sliding_attention");
    if (half.kind == VAL_ABSENT) return;
    set_sliding_window(c, half);
}
static void ModernBertConfig_to_dict(cfg *c) { drop(c, "reference_compile"); }

/* rope_parameters[layer_type], with rope_theta set if it is not. */
static val with_theta(cfg *c, val all, const char *layer_type, const char *old_key, const char *kind) {
    val given = take(c, old_key), one = dict_get(all, layer_type);
    if (given.kind == VAL_ABSENT) given = dict_get(class_value(c, "default_theta"), kind);
    if (!val_given(one)) one = dict_put(c, dict_new(c), "rope_type", val_text("default"));
    if (one.kind != VAL_DICT) refuse(c, "rope_parameters", "%s needs an object", layer_type);
    if (dict_get(one, "rope_theta").kind == VAL_ABSENT) one = dict_put(c, one, "rope_theta", given);
    return dict_put(c, all, layer_type, one);
}
/* rope_scaling, the old spelling, meant both kinds of layers. */
static val with_scaling(cfg *c, val all, val scaling, const char *layer_type) {
    val one = dict_get(all, layer_type);
    if (one.kind != VAL_DICT || scaling.kind != VAL_DICT) {
        refuse(c, NULL, "rope_scaling goes into rope_parameters.%s, so both have to be objects", layer_type);
        return all;
    }
    for (uint32_t i = 0; i < scaling.n; i++) one = dict_put(c, one, scaling.members[i].key, scaling.members[i].v);
    return dict_put(c, all, layer_type, one);
}
static void ModernBertConfig_convert_rope(cfg *c) {
    val scaling = take(c, "rope_scaling"), all = get(c, "rope_parameters");
    if (!val_given(all)) {
        val plain = dict_put(c, dict_new(c), "rope_type", val_text("default"));
        all = dict_put(c, dict_put(c, dict_new(c), "sliding_attention", plain), "full_attention", plain);
    }
    if (val_given(scaling)) {
        all = with_scaling(c, all, scaling, "full_attention");
        all = with_scaling(c, all, scaling, "sliding_attention");
    }
    all = with_theta(c, all, "full_attention", "global_rope_theta", "global");
    all = with_theta(c, all, "sliding_attention", "local_rope_theta", "local");
    if (scaling.kind == VAL_DICT) put_legacy(c, "rope_parameters", all, "rope_scaling");
    else put(c, "rope_parameters", all, "one entry per layer type");
    standardize_rope(c);
}

static void norm(mod *m, const char *name, const cfg *c) {
    layernorm_with(m, name, dim(c, "hidden_size"), real(c, "norm_eps"), .no_bias = !flag(c, "norm_bias"));
}
static void ModernBertEmbeddings(mod *m, const cfg *c) {
    embedding(m, "tok_embeddings", dim(c, "vocab_size"), dim(c, "hidden_size"), pad(c));
    norm(m, "norm", c);
    dropout(m, "drop", real(c, "embedding_dropout"));
}
static void ModernBertMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    linear(m, "Wi", d, 2 * ff, flag(c, "mlp_bias"));
    act(m, "act", c, "hidden_activation");
    dropout(m, "drop", real(c, "mlp_dropout"));
    linear(m, "Wo", ff, d, flag(c, "mlp_bias"));
}
static void ModernBertAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num p = real(c, "attention_dropout");
    if (d % dim(c, "num_attention_heads")) refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    linear(m, "Wqkv", d, 3 * d, flag(c, "attention_bias"));
    linear(m, "Wo", d, d, flag(c, "attention_bias"));
    if (p.d > 0) dropout(m, "out_drop", p);
    else identity(m, "out_drop");
}
static void ModernBertEncoderLayer(mod *m, const cfg *c) {
    if (layer_first(m)) identity(m, "attn_norm"); /* the embeddings are normalised already */
    else norm(m, "attn_norm", c);
    sub(m, "attn", ModernBertAttention, c);
    norm(m, "mlp_norm", c);
    sub(m, "mlp", ModernBertMLP, c);
}
static void ModernBertPredictionHead(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    linear(m, "dense", d, d, flag(c, "classifier_bias"));
    act(m, "act", c, "classifier_activation");
    norm(m, "norm", c);
}

static void ModernBertModel(mod *m, const cfg *c) {
    int64_t n = count(c, "num_hidden_layers");
    if (!n) refuse(c, "num_hidden_layers", "fresh weights are divided by its square root, so one layer is needed");
    sub(m, "embeddings", ModernBertEmbeddings, c);
    list(m, "layers", n, ModernBertEncoderLayer, c);
    norm(m, "final_norm", c);
    rotary_by_layer_type(m, "rotary_emb", "ModernBertRotaryEmbedding", c);
}
static void ModernBertForMaskedLM(mod *m, const cfg *c) {
    sub(m, "model", ModernBertModel, c);
    sub(m, "head", ModernBertPredictionHead, c);
    linear(m, "decoder", dim(c, "hidden_size"), dim(c, "vocab_size"), flag(c, "decoder_bias"));
}
static void classifier(mod *m, const cfg *c, int64_t labels) {
    sub(m, "model", ModernBertModel, c);
    sub(m, "head", ModernBertPredictionHead, c);
    dropout(m, "drop", real(c, "classifier_dropout"));
    linear(m, "classifier", dim(c, "hidden_size"), labels, true);
}
static void ModernBertForSequenceClassification(mod *m, const cfg *c) { classifier(m, c, num_labels(c)); }
static void ModernBertForTokenClassification(mod *m, const cfg *c) { classifier(m, c, num_labels(c)); }
static void ModernBertForQuestionAnswering(mod *m, const cfg *c) { classifier(m, c, num_labels(c)); }
static void ModernBertForMultipleChoice(mod *m, const cfg *c) { classifier(m, c, 1); }

static void cut_normal(mod *m, const cfg *c, const char *weight, const char *bias, double std) {
    double cut = real(c, "initializer_cutoff_factor").d;
    init_trunc_normal(m, weight, 0, std, -cut * std, cut * std);
    if (bias && has_tensor(m, bias)) init_zeros(m, bias);
}
static void ModernBertPreTrainedModel_init_weights(mod *m, const cfg *c) {
    double in = real(c, "initializer_range").d, out = in / sqrt(2.0 * (double)count(c, "num_hidden_layers"));
    init_weights(m, c);
    if (is_a(m, "ModernBertEmbeddings")) cut_normal(m, c, "tok_embeddings.weight", NULL, in);
    else if (is_a(m, "ModernBertMLP")) {
        cut_normal(m, c, "Wi.weight", "Wi.bias", in);
        cut_normal(m, c, "Wo.weight", "Wo.bias", out);
    } else if (is_a(m, "ModernBertAttention")) {
        cut_normal(m, c, "Wqkv.weight", "Wqkv.bias", in);
        cut_normal(m, c, "Wo.weight", "Wo.bias", out);
    } else if (is_a(m, "ModernBertPredictionHead")) cut_normal(m, c, "dense.weight", "dense.bias", out);
    else if (is_a(m, "ModernBertForMaskedLM")) cut_normal(m, c, "decoder.weight", "decoder.bias", out);
    else if (is_a(m, "ModernBertForSequenceClassification", "ModernBertForMultipleChoice", "ModernBertForTokenClassification",
                  "ModernBertForQuestionAnswering"))
        cut_normal(m, c, "classifier.weight", "classifier.bias", pow((double)dim(c, "hidden_size"), -0.5));
}

static const model_facts ModernBertPreTrainedModel = {
    .config = "ModernBertConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("ModernBertEmbeddings", "ModernBertEncoderLayer"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = ModernBertPreTrainedModel_init_weights,
};

static val ModernBertConfig_computed(cfg *c, const char *key) {
    return same_word(key, "sliding_window") ? val_int(whole(c, "local_attention") >> 1) : (val){0};
}
static bool ModernBertConfig_assign(cfg *c, const char *key, val v) {
    if (!same_word(key, "sliding_window")) return false;
    set_sliding_window(c, v);
    return true;
}

const family family_modernbert = {
    .name = "modernbert",
    .configs = CONFIGS({.name = "ModernBertConfig",
                        .model_type = "modernbert",
                        .post_init = ModernBertConfig,
                        .convert_rope = ModernBertConfig_convert_rope,
                        .computed = ModernBertConfig_computed,
                        .assign = ModernBertConfig_assign,
                        .to_dict = ModernBertConfig_to_dict}),
    .models = MODELS(
        {"ModernBertModel", ModernBertModel, .like = &ModernBertPreTrainedModel},
        {"ModernBertForMaskedLM", ModernBertForMaskedLM, .like = &ModernBertPreTrainedModel,
         .own = {.tied_weights_keys = MAP({"decoder.weight", "model.embeddings.tok_embeddings.weight"})}},
        {"ModernBertForSequenceClassification", ModernBertForSequenceClassification, .like = &ModernBertPreTrainedModel},
        {"ModernBertForTokenClassification", ModernBertForTokenClassification, .like = &ModernBertPreTrainedModel},
        {"ModernBertForQuestionAnswering", ModernBertForQuestionAnswering, .like = &ModernBertPreTrainedModel},
        {"ModernBertForMultipleChoice", ModernBertForMultipleChoice, .like = &ModernBertPreTrainedModel}),
};
