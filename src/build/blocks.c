/* Blocks that many families share. */
#include "mod.h"
#include "../config/json.h"
#include <inttypes.h>
#include <string.h>

/* ---- ACT2FN ---- */

static const struct { const char *name, *cls, *extra; } acts[] = {
    {"gelu", "GELUActivation", NULL}, {"gelu_10", "ClippedGELUActivation", NULL}, {"gelu_fast", "FastGELUActivation", NULL}, {"gelu_new", "NewGELUActivation", NULL},
    {"gelu_python", "GELUActivation", NULL}, {"gelu_pytorch_tanh", "GELUTanh", NULL}, {"gelu_python_tanh", "GELUTanh", NULL}, {"gelu_accurate", "AccurateGELUActivation", NULL},
    {"hardswish", "Hardswish", NULL}, {"laplace", "LaplaceActivation", NULL}, {"leaky_relu", "LeakyReLU", "negative_slope=0.01"}, {"linear", "LinearActivation", NULL},
    {"mish", "MishActivation", NULL}, {"quick_gelu", "QuickGELUActivation", NULL}, {"relu", "ReLU", NULL}, {"relu2", "ReLUSquaredActivation", NULL}, {"relu6", "ReLU6", NULL},
    {"sigmoid", "Sigmoid", NULL}, {"silu", "SiLUActivation", NULL}, {"sqrtsoftplus", "SqrtSoftplusActivation", NULL}, {"swish", "SiLU", NULL}, {"tanh", "Tanh", NULL},
    {"prelu", "PReLU", NULL}, {"xielu", "XIELUActivation", NULL},
};
static int act_index(const char *name) {
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (!strcmp(acts[i].name, name)) return (int)i;
    return -1;
}
static const char *act_name(size_t i, void *to) { return (void)to, i < sizeof acts / sizeof *acts ? acts[i].name : NULL; }

/* XIELUActivation learns two scalars, made in bfloat16 whatever the default dtype is. */
static void xielu(mod *m) {
    in_dtype(param(m, "alpha_p", FULL(log(expm1(0.8))), 1), DT_BF16);
    in_dtype(param(m, "alpha_n", FULL(log(expm1(0.8 - 0.5))), 1), DT_BF16);
    buffer_scalar(m, "beta", FULL(0.5), DT_BF16, PERSISTENT);
    buffer_scalar(m, "eps", FULL(-1e-6), DT_BF16, PERSISTENT);
}
void act_named(mod *m, const char *name, const char *activation) {
    int i = act_index(activation);
    if (i < 0) {
        fail(m, "there is no activation \"%.60s\"", activation);
        return;
    }
    if (!strcmp(activation, "prelu")) {
        prelu(m, name, 1);
        return;
    }
    mod *a = child(m, name, acts[i].cls);
    extra_repr(a, acts[i].extra ? "%s" : NULL, acts[i].extra);
    if (!strcmp(activation, "xielu")) xielu(a);
    done(a);
}
void act(mod *m, const char *name, const cfg *c, const char *key) {
    if (!mod_ok(m)) return;
    const char *activation = text(c, key);
    char near[160];
    if (mod_ok(m) && act_index(activation) < 0) {
        near_names(activation, act_name, NULL, near, sizeof near);
        cfg_refuse(c, key, "unknown_activation", "there is no such activation\nknown names: %s", *near ? near : "gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu, swish, tanh, ...");
    }
    if (mod_ok(m)) act_named(m, name, activation);
}

/* ---- norms, Conv1D ---- */

static void norm(mod *m, const char *name, const char *cls, int64_t d, num eps, made how) {
    mod *n = child(m, name, cls);
    param(n, "weight", how, d);
    extra_repr(n, "(%" PRId64 ",), eps=%s", d, show(m, eps));
    done(n);
}
void rmsnorm(mod *m, const char *name, const char *cls, int64_t d, num eps) { norm(m, name, cls, d, eps, ONES); }
void rmsnorm_zeros(mod *m, const char *name, const char *cls, int64_t d, num eps) { norm(m, name, cls, d, eps, ZEROS); }
void norm_silent(mod *m, const char *name, const char *cls, int64_t d) {
    mod *n = child(m, name, cls);
    param(n, "weight", ONES, d);
    done(n);
}
void conv1d_gpt(mod *m, const char *name, int64_t nf, int64_t nx) {
    mod *x = child(m, name, "Conv1D");
    param(x, "weight", NORMAL(0, 0.02), nx, nf);
    param(x, "bias", ZEROS, nf);
    extra_repr(x, "nf=%" PRId64 ", nx=%" PRId64, nf, nx);
    done(x);
}

/* ---- rotary embeddings ---- */

static const char *const rope_types[] = {"default", "linear", "dynamic", "yarn", "longrope", "llama3", "proportional"};

static bool number(val v, double *d) {
    if (v.kind == VAL_INT) *d = (double)v.i;
    else if (v.kind == VAL_REAL) *d = v.d;
    else if (v.kind == VAL_BOOL) *d = v.b;
    else return false;
    return true;
}
/* head_dim may come from a leftover key, which nothing holds to be an int: 0 and null count as not given. */
static double head_dim_of(const cfg *c) {
    val v = get(c, "head_dim");
    double d = 0;
    if (val_true(v) && !number(v, &d)) cfg_refuse(c, "head_dim", "bad_type", "a number is needed");
    return d != 0 ? d : (double)(dim(c, "hidden_size") / dim(c, "num_attention_heads"));
}
static double needed(const cfg *c, val params, const char *key) {
    double d = 1;
    if (!number(dict_get(params, key), &d)) cfg_refuse(c, "rope_parameters", "bad_type", "its %s has to be a number", key);
    return d;
}
/* What the formula of each type reads has to be there, and to be a number. */
static void check_type(const cfg *c, val params, const char *type) {
    if (!strcmp(type, "linear") || !strcmp(type, "dynamic") || !strcmp(type, "llama3")) needed(c, params, "factor");
    if (!strcmp(type, "yarn") && needed(c, params, "factor") <= 0) cfg_refuse(c, "rope_parameters", "bad_value", "its factor has to be above 0");
}
static const struct rope *table(mod *m, const cfg *c, val params, const char *layer_type, bool partial) {
    val type = dict_get(params, "rope_type");
    double share = 1, theta;
    struct rope *r = arena_new(c->s->a, struct rope);
    size_t i = 0, types = sizeof rope_types / sizeof *rope_types;
    while (i < types && !val_equal(type, val_text(rope_types[i]))) i++;
    if (i == types) {
        cfg_refuse(c, "rope_parameters", "bad_value", "its rope_type is none of default, linear, dynamic, yarn, longrope, llama3, proportional");
        return NULL;
    }
    theta = needed(c, params, "rope_theta");
    check_type(c, params, type.s);
    /* every type but the class's own default honours partial_rotary_factor, and "proportional" keeps the full size */
    if ((partial || i) && strcmp(rope_types[i], "proportional") && dict_get(params, "partial_rotary_factor").kind != VAL_ABSENT) share = needed(c, params, "partial_rotary_factor");
    double size = head_dim_of(c) * share;
    int64_t d = size > 0 && size <= INT32_MAX ? (int64_t)(share == 1 ? ceil(size) : size) : 0;
    *r = (struct rope){.type = rope_types[i], .theta = theta, .dim = d, .config = c, .layer_type = layer_type};
    if (mod_ok(m) && d == 2 && !strcmp(rope_types[i], "dynamic")) cfg_refuse(c, "rope_parameters", "bad_value", "rope_type \"dynamic\" needs more than 2 rotary dimensions");
    if (mod_ok(m) && d < 1) fail(m, "the rotary part of the head has no dimensions");
    return mod_ok(m) ? r : NULL;
}
static void rope_buffers(mod *m, const char *prefix, const struct rope *r) {
    if (!r) return;
    made how = {.op = MADE_ROPE, .rope = r};
    buffer(m, mod_printf(m, "%sinv_freq", prefix), how, DT_F32, TRANSIENT, (r->dim + 1) / 2);
    buffer(m, mod_printf(m, "%soriginal_inv_freq", prefix), how, DT_F32, TRANSIENT, (r->dim + 1) / 2);
}
void rotary(mod *m, const char *name, const char *cls, const cfg *c, bool partial) {
    mod *x = child(m, name, cls);
    if (!mod_ok(m)) return;
    val params = get(c, "rope_parameters");
    if (params.kind != VAL_DICT) cfg_refuse(c, "rope_parameters", "bad_type", "rotary parameters are an object");
    rope_buffers(x, "", mod_ok(m) ? table(x, c, params, NULL, partial) : NULL);
    done(x);
}
void rotary_by_layer_type(mod *m, const char *name, const char *cls, const cfg *c) {
    mod *x = child(m, name, cls);
    if (!mod_ok(m)) return;
    val params = get(c, "rope_parameters"), types = get(c, "layer_types");
    const char *last = "";
    if (types.kind != VAL_LIST) cfg_refuse(c, "layer_types", "bad_type", "a list of layer types is needed");
    for (;;) { /* the sorted set, by picking the next larger name each time */
        const char *next = NULL;
        for (uint32_t i = 0; types.kind == VAL_LIST && i < types.n; i++) {
            const char *s = types.items[i].kind == VAL_TEXT ? types.items[i].s : "";
            if (strcmp(s, last) > 0 && (!next || strcmp(s, next) < 0)) next = s;
        }
        if (!next || !mod_ok(m)) break;
        last = next;
        val one = dict_get(params, next);
        if (one.kind == VAL_NULL) continue;
        if (one.kind != VAL_DICT) cfg_refuse(c, "rope_parameters", "missing_key", "it needs an entry \"%s\"", next);
        else rope_buffers(x, mod_printf(x, "%s_", next), table(x, c, one, next, false));
    }
    done(x);
}

/* ---- generic heads ---- */

static const char *base_prefix(mod *m) {
    const char *prefix = m->model ? FACT(m->model, base_model_prefix) : NULL;
    return m->model && m->model->own.base_model_prefix ? prefix : "model";
}
void GenericForSequenceClassification(mod *m, const cfg *c) {
    int64_t labels = num_labels(c);
    sub_auto(m, base_prefix(m), c, "AutoModel");
    linear(m, "score", dim(text_config(c), "hidden_size"), labels, false);
}
void GenericForQuestionAnswering(mod *m, const cfg *c) {
    sub_auto(m, base_prefix(m), c, "AutoModel");
    linear(m, "qa_outputs", dim(c, "hidden_size"), 2, true);
}
void GenericForTokenClassification(mod *m, const cfg *c) {
    int64_t labels = num_labels(c);
    sub_auto(m, base_prefix(m), c, "AutoModel");
    dropout(m, "dropout", real_or(c, "classifier_dropout", real_or(c, "hidden_dropout", num_f(0.1))));
    linear(m, "score", dim(text_config(c), "hidden_size"), labels, flag_or(c, "token_classification_bias", true));
}
