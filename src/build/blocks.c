/* Blocks that many families share. */
#include "mod.h"
#include "../config/json.h"
#include <inttypes.h>
#include <string.h>

/* ---- ACT2FN ---- */

static const struct { const char *name, *cls, *extra; } acts[] = {
    {"gelu", "GELUActivation", NULL}, {"gelu_10", "ClippedGELUActivation", NULL}, {"gelu_fast", "FastGELUActivation", NULL},
    {"gelu_new", "NewGELUActivation", NULL}, {"gelu_python", "GELUActivation", NULL}, {"gelu_pytorch_tanh", "GELUTanh", NULL},
    {"gelu_python_tanh", "GELUTanh", NULL}, {"gelu_accurate", "AccurateGELUActivation", NULL}, {"hardswish", "Hardswish", NULL},
    {"laplace", "LaplaceActivation", NULL}, {"leaky_relu", "LeakyReLU", "negative_slope=0.01"}, {"linear", "LinearActivation", NULL},
    {"mish", "MishActivation", NULL}, {"quick_gelu", "QuickGELUActivation", NULL}, {"relu", "ReLU", NULL},
    {"relu2", "ReLUSquaredActivation", NULL}, {"relu6", "ReLU6", NULL}, {"sigmoid", "Sigmoid", NULL}, {"silu", "SiLUActivation", NULL},
    {"sqrtsoftplus", "SqrtSoftplusActivation", NULL}, {"swish", "SiLU", NULL}, {"tanh", "Tanh", NULL}, {"prelu", "PReLU", NULL},
    {"xielu", "XIELUActivation", NULL},
};
static int act_index(const char *name) {
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (same_word(acts[i].name, name)) return (int)i;
    return -1;
}
static const char *act_name(size_t i, void *to) { return (void)to, i < sizeof acts / sizeof *acts ? acts[i].name : NULL; }

/* XIELUActivation learns two scalars, made in bfloat16 whatever the default dtype is: log(expm1(x)) of 0.8 and 0.3, where each
 * step is rounded to that. */
static void xielu(mod *m) {
    in_dtype(param(m, "alpha_p", FULL(0.2041015625), 1), DT_BF16);
    in_dtype(param(m, "alpha_n", FULL(-1.046875), 1), DT_BF16);
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
    leaf key = {.cls = acts[i].cls, .verb = LEAF_ACT, .a = i};
    if (leaf_repeat(m, name, &key)) return;
    mod *x = child(m, name, acts[i].cls);
    extra_repr(x, acts[i].extra ? "%s" : NULL, acts[i].extra);
    if (!strcmp(activation, "xielu")) xielu(x);
    done(x);
    leaf_keep(m, &key);
}
void act(mod *m, const char *name, const cfg *c, const char *key) {
    if (!mod_ok(m)) return;
    const char *activation = text(c, key);
    char near[160];
    if (mod_ok(m) && act_index(activation) < 0) {
        near_names(activation, act_name, NULL, near, sizeof near);
        cfg_refuse(c, key, "unknown_activation", "there is no such activation\nknown names: %s",
            *near ? near : "gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu, swish, tanh, ...");
    }
    if (mod_ok(m)) act_named(m, name, activation);
}

/* ---- norms, Conv1D ---- */

static void norm(mod *m, const char *name, const char *cls, int64_t d, num eps, made how) {
    leaf key = {.cls = cls, .verb = LEAF_NORM, .a = d, .b = how.op, .x = eps};
    if (leaf_repeat(m, name, &key)) return;
    mod *n = child(m, name, cls);
    param(n, "weight", how, d);
    extra_repr(n, "(%" PRId64 ",), eps=%s", d, show(m, eps));
    done(n);
    leaf_keep(m, &key);
}
void rmsnorm(mod *m, const char *name, const char *cls, int64_t d, num eps) { norm(m, name, cls, d, eps, ONES); }
void rmsnorm_zeros(mod *m, const char *name, const char *cls, int64_t d, num eps) { norm(m, name, cls, d, eps, ZEROS); }
void norm_silent(mod *m, const char *name, const char *cls, int64_t d) {
    leaf key = {.cls = cls, .verb = LEAF_NORM_SILENT, .a = d};
    if (leaf_repeat(m, name, &key)) return;
    mod *n = child(m, name, cls);
    param(n, "weight", ONES, d);
    done(n);
    leaf_keep(m, &key);
}
void conv1d_gpt(mod *m, const char *name, int64_t nf, int64_t nx) {
    leaf key = {.cls = "Conv1D", .verb = LEAF_CONV1D, .a = nf, .b = nx};
    if (leaf_repeat(m, name, &key)) return;
    mod *x = child(m, name, "Conv1D");
    param(x, "weight", NORMAL(0, 0.02), nx, nf);
    param(x, "bias", ZEROS, nf);
    extra_repr(x, "nf=%" PRId64 ", nx=%" PRId64, nf, nx);
    done(x);
    leaf_keep(m, &key);
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
