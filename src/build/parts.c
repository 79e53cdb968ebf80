/* The parts that encoders and decoders of many families are made of. */
#include "mod.h"
#include <math.h>
#include <string.h>

/* ---- attention ---- */

void heads_at_most(const cfg *c, const char *heads, const char *width) {
    if (dim(c, heads) > dim(c, width)) refuse(c, heads, "should be at most %s, which is %lld", width, (long long)dim(c, width));
}
void attention_projections(mod *m, int64_t d, int64_t queries, int64_t keys, bool bias, bool out_bias) {
    linear(m, "q_proj", d, queries, bias);
    linear(m, "k_proj", d, keys, bias);
    linear(m, "v_proj", d, keys, bias);
    linear(m, "o_proj", queries, d, out_bias);
}
void square_attention(mod *m, int64_t d) {
    linear(m, "k_proj", d, d, true);
    linear(m, "v_proj", d, d, true);
    linear(m, "q_proj", d, d, true);
    linear(m, "out_proj", d, d, true);
}

/* ---- BART's layers ---- */

static int64_t d_model_for(const cfg *c, int64_t heads, const char *heads_key) {
    int64_t d = dim(c, "d_model");
    if (d % heads) refuse(c, heads_key, "should divide d_model, which is %lld", (long long)d);
    return d;
}
static void seq2seq_self_attention(mod *m, const cfg *c, const char *heads_key, bool keeps) {
    int64_t heads = dim(c, heads_key), d = d_model_for(c, heads, heads_key);
    square_attention(m, d);
    if (keeps) cache_keys(m, c, heads, d / heads);
}
bool reads_encoder(const cfg *c) { return flag(c, "is_encoder_decoder") || flag_or(c, "add_cross_attention", false); }
static void seq2seq_cross_attention(mod *m, const cfg *c, const char *heads_key) {
    int64_t heads = dim(c, heads_key), d = d_model_for(c, heads, heads_key);
    square_attention(m, d);
    if (reads_encoder(c)) cache_cross(m, c, heads, d / heads, 0);
}
void seq2seq_encoder_layer(mod *m, const cfg *c, const char *attention) {
    int64_t d = dim(c, "d_model"), ff = dim(c, "encoder_ffn_dim");
    sub_as(m, "self_attn", attention, seq2seq_self_attention, c, "encoder_attention_heads", false);
    layernorm(m, "self_attn_layer_norm", d, num_f(1e-5));
    fc_mlp(m, c, d, ff, "activation_function");
    layernorm(m, "final_layer_norm", d, num_f(1e-5));
}
void seq2seq_decoder_layer(mod *m, const cfg *c, const char *attention) {
    int64_t d = dim(c, "d_model"), ff = dim(c, "decoder_ffn_dim");
    sub_as(m, "self_attn", attention, seq2seq_self_attention, c, "decoder_attention_heads", true);
    act(m, "activation_fn", c, "activation_function");
    layernorm(m, "self_attn_layer_norm", d, num_f(1e-5));
    sub_as(m, "encoder_attn", attention, seq2seq_cross_attention, c, "decoder_attention_heads");
    layernorm(m, "encoder_attn_layer_norm", d, num_f(1e-5));
    linear(m, "fc1", d, ff, true);
    linear(m, "fc2", ff, d, true);
    layernorm(m, "final_layer_norm", d, num_f(1e-5));
}

/* ---- feed-forward ---- */

void gated_mlp(mod *m, const cfg *c, int64_t d, int64_t ff, bool bias, const char *act_key) {
    linear(m, "gate_proj", d, ff, bias);
    linear(m, "up_proj", d, ff, bias);
    linear(m, "down_proj", ff, d, bias);
    act(m, "act_fn", c, act_key);
}
void fc_mlp(mod *m, const cfg *c, int64_t d, int64_t ff, const char *act_key) {
    act(m, "activation_fn", c, act_key);
    linear(m, "fc1", d, ff, true);
    linear(m, "fc2", ff, d, true);
}
void stacked_experts(mod *m, const cfg *c, const char *experts_key, const char *size_key) {
    int64_t n = dim(c, experts_key), d = dim(c, "hidden_size"), ff = dim(c, size_key);
    param(m, "gate_up_proj", EMPTY, n, times(2, ff), d);
    param(m, "down_proj", EMPTY, n, d, ff);
    routed(m, c, "num_experts_per_tok", n);
    act(m, "act_fn", c, "hidden_act");
}
void init_stacked_experts(mod *m, double std) {
    init_normal(m, "gate_up_proj", 0, std);
    init_normal(m, "down_proj", 0, std);
}
void dense_act(mod *m, const cfg *c) {
    linear(m, "dense", dim(c, "hidden_size"), dim(c, "intermediate_size"), true);
    act(m, "intermediate_act_fn", c, "hidden_act");
}
void dense_norm_dropout(mod *m, const cfg *c, int64_t in, int64_t d) {
    linear(m, "dense", in, d, true);
    layernorm(m, "LayerNorm", d, real(c, "layer_norm_eps"));
    dropout(m, "dropout", real(c, "hidden_dropout_prob"));
}
void drop_path(mod *m, const char *cls, num rate) {
    if (!(rate.d > 0)) {
        identity(m, "drop_path");
        return;
    }
    mod *path = child(m, "drop_path", cls);
    extra_repr(path, "p=%s", show(m, rate));
    done(path);
}

/* ---- images ---- */

void patch_projection(mod *m, const cfg *c) {
    int64_t channels = dim(c, "num_channels"), d = dim(c, "hidden_size");
    pair patch = dim_pair(c, "patch_size");
    conv2d(m, "projection", channels, d, .kernel = SIZE2(patch.h, patch.w), .stride = SIZE2(patch.h, patch.w));
}

/* ---- heads ---- */

static void dropout_or_identity(mod *m, const char *name, const cfg *c, const char *key) {
    if (known(c, key) && real(c, key).d > 0) dropout(m, name, real(c, key));
    else identity(m, name);
}
void sequence_summary(mod *m, const cfg *c, int64_t labels) {
    int64_t d = dim(c, "hidden_size");
    if (!strcmp(text(c, "summary_type"), "attn")) refuse(c, "summary_type", "the reference has no such summary");
    if (flag(c, "summary_use_proj")) linear(m, "summary", d, flag_or(c, "summary_proj_to_labels", false) ? labels : d, true);
    else identity(m, "summary");
    if (flag(c, "summary_activation")) act(m, "activation", c, "summary_activation");
    else identity(m, "activation");
    dropout_or_identity(m, "first_dropout", c, "summary_first_dropout");
    dropout_or_identity(m, "last_dropout", c, "summary_last_dropout");
}

/* ---- heads ---- */

void token_classifier(mod *m, const cfg *c) {
    dropout(m, "dropout", real_or(c, "classifier_dropout", real_or(c, "hidden_dropout", num_f(0.1))));
    linear(m, "classifier", dim(c, "hidden_size"), num_labels(c), true);
}

/* ---- convolutions over sound ---- */

void speech_convs_agree(const cfg *c) {
    val layers = get(c, "num_feat_extract_layers");
    for (const char *const *key = SET("conv_stride", "conv_kernel", "conv_dim"); *key; key++)
        if (!val_equal(layers, val_int(len(c, *key)))) refuse(c, *key, "should have as many items as num_feat_extract_layers says");
}
val speech_computed(cfg *c, const char *key) {
    int64_t product = 1;
    if (!same_word(key, "inputs_to_logits_ratio")) return (val){0};
    for (int64_t i = 0; i < len(c, "conv_stride"); i++) product = times(product, dim_at(c, "conv_stride", i));
    return val_int(product);
}
static int64_t speech_conv(mod *m, const cfg *c) {
    int64_t in = layer_dim_before(m, c, "conv_dim", 1), out = layer_dim(m, c, "conv_dim");
    int64_t kernel = layer_dim(m, c, "conv_kernel"), stride = layer_dim(m, c, "conv_stride");
    conv1d(m, "conv", in, out, .kernel = SIZE1(kernel), .stride = SIZE1(stride), .no_bias = !flag(c, "conv_bias"));
    return out;
}
static void speech_layer_norm_conv(mod *m, const cfg *c) {
    int64_t out = speech_conv(m, c);
    layernorm(m, "layer_norm", out, num_f(1e-5));
    act(m, "activation", c, "feat_extract_activation");
}
/* Only the first layer is normed, a group for each channel. */
static void speech_group_norm_conv(mod *m, const cfg *c) {
    int64_t out = speech_conv(m, c);
    act(m, "activation", c, "feat_extract_activation");
    if (layer_first(m)) groupnorm(m, "layer_norm", out, out, num_f(1e-5), true);
}
void speech_convs(mod *m, const cfg *c, const char *prefix) {
    const char *norm = text(c, "feat_extract_norm"), *layer = mod_printf(m, "%sLayerNormConvLayer", prefix);
    const char *first = mod_printf(m, "%sGroupNormConvLayer", prefix), *rest = mod_printf(m, "%sNoLayerNormConvLayer", prefix);
    bool by_group = !strcmp(norm, "group");
    if (!by_group && strcmp(norm, "layer")) refuse(c, "feat_extract_norm", "should be \"group\" or \"layer\"");
    mod *convs = list_open(m, "conv_layers", "ModuleList", dim(c, "num_feat_extract_layers"));
    for (mod *conv = list_next(convs, by_group ? first : layer); conv; done(conv), conv = list_next(convs, by_group ? rest : layer)) {
        if (by_group) speech_group_norm_conv(conv, c);
        else speech_layer_norm_conv(conv, c);
    }
}

/* ---- layers by the config ---- */

int64_t sum_before(const cfg *c, const char *key, int64_t n) {
    int64_t sum = 0;
    val all = get(c, key);
    for (int64_t i = 0; i < n && i < len(c, key); i++) sum = plus(sum, all.items[i].i);
    return sum;
}
/* Python's i % period == 0, for any number. */
static bool divides(val period, int64_t i) {
    if (period.kind == VAL_INT) return i % period.i == 0;
    return period.kind == VAL_BOOL || fmod((double)i, period.d) == 0;
}
val one_type_per_layer(cfg *c, const char *type) {
    int64_t n = count(c, "num_hidden_layers");
    val *types = list_room(c, "num_hidden_layers", &n);
    for (int64_t i = 0; i < n; i++) types[i] = val_text(type);
    return list_in(types, n);
}
void alternate_layer_types(cfg *c, val period, const char *key, int64_t first, const char *other) {
    int64_t n = count(c, "num_hidden_layers");
    double any;
    if (n > 0 && (!val_number(period, &any) || !val_true(period))) {
        refuse(c, key, "has to be a number other than 0 where there are no layer_types");
        return;
    }
    val *types = list_room(c, "num_hidden_layers", &n);
    for (int64_t i = 0; i < n; i++) types[i] = val_text(divides(period, i + first) ? "full_attention" : other);
    put(c, "layer_types", list_in(types, n), arena_printf(c->s->a, "full_attention every %s layers", key));
}
bool layer_has_experts(mod *m, const cfg *c, const char *experts_key) {
    if (layer_in(m, c, "mlp_only_layers") || whole(c, experts_key) <= 0) return false;
    int64_t every = dim(c, "decoder_sparse_step");
    return layer_mod(m, every) == every - 1;
}
