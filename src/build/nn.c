/* torch.nn: Linear, Embedding, Dropout, and the layers without tensors. */
#include "nn_inner.h"

/* ---- linear ------------------------------------------------------------------------------------------------------ */

mod *linear_as(mod *m, const char *name, const char *cls, int64_t in, int64_t out, bool bias) {
    mod *x = child(m, name, cls);
    mod_mark(x, KIND_LINEAR);
    extra_repr(x, "in_features=%" PRId64 ", out_features=%" PRId64 ", bias=%s", in, out, py_bool(bias));
    param(x, "weight", drawn_weight((double)in), out, in);
    if (bias) param(x, "bias", drawn_evenly(in ? 1 / sqrt((double)in) : 0), out);
    done(x);
    return x;
}

void linear(mod *m, const char *name, int64_t in, int64_t out, bool bias) {
    leaf key = {.cls = "Linear", .verb = LEAF_LINEAR, .a = in, .b = bias ? out : -out};
    if (leaf_repeat(m, name, &key)) return;
    linear_as(m, name, "Linear", in, out, bias);
    leaf_keep(m, &key);
}

void bilinear(mod *m, const char *name, int64_t in1, int64_t in2, int64_t out, bool bias) {
    made how = drawn_evenly(1 / sqrt((double)in1));
    mod *x = child(m, name, "Bilinear");
    extra_repr(x, "in1_features=%" PRId64 ", in2_features=%" PRId64 ", out_features=%" PRId64 ", bias=%s", in1, in2, out, py_bool(bias));
    param(x, "weight", how, out, in1, in2);
    if (bias) param(x, "bias", how, out);
    done(x);
}

/* The first cutoff is the head's own share of the classes; each later one opens a cluster that the head stands for with one output. */
static bool cutoffs_ascend(const int64_t *cutoffs, int64_t cutoff_count, int64_t n) {
    for (int64_t i = 0; i < cutoff_count; i++)
        if (cutoffs[i] < 1 || cutoffs[i] > n - 1 || (i && cutoffs[i] <= cutoffs[i - 1])) return false;
    return cutoff_count > 0;
}

void adaptive_log_softmax(mod *m, const char *name, int64_t in, int64_t n, const int64_t *cutoffs, int64_t cutoff_count, num div_value,
                          bool head_bias) {
    mod *x = child(m, name, "AdaptiveLogSoftmaxWithLoss");
    if (!cutoffs_ascend(cutoffs, cutoff_count, n)) {
        fail(x, "its cutoffs must ascend and lie between 1 and %" PRId64, n - 1);
        return;
    }
    linear(x, "head", in, cutoffs[0] + cutoff_count, head_bias);
    mod *tail = module_list(x, "tail");
    for (int64_t i = 0; i < cutoff_count && mod_ok(x); i++) {
        int64_t end = i + 1 < cutoff_count ? cutoffs[i + 1] : n;
        double width = floor((double)in / pow(div_value.d, (double)(i + 1)));
        mod *cluster = sequential(tail, next_name(tail));
        linear(cluster, "0", in, width >= 1 && width <= (double)in ? (int64_t)width : 0, false);
        linear(cluster, "1", width >= 1 && width <= (double)in ? (int64_t)width : 0, end - cutoffs[i], false);
    }
    done(x);
}

/* ---- embedding --------------------------------------------------------------------------------------------------- */

/* A negative padding row counts from the end, and prints as what it stands for. */
static int64_t padding_row(mod *x, int64_t n, int64_t padding_idx) {
    if (padding_idx == NO_PAD || padding_idx == 0 || (padding_idx > 0 && padding_idx < n)) return padding_idx;
    if (padding_idx < 0 && padding_idx >= -n) return padding_idx + n;
    fail(x, "padding_idx %" PRId64 " is outside its %" PRId64 " rows", padding_idx, n);
    return NO_PAD;
}

mod *embedding_as(mod *m, const char *name, const char *cls, int64_t n, int64_t d, int64_t padding_idx) {
    mod *x = child(m, name, cls);
    int64_t row = padding_row(x, n, padding_idx);
    mod_mark(x, KIND_EMBEDDING);
    if (row == NO_PAD) extra_repr(x, "%" PRId64 ", %" PRId64, n, d);
    else extra_repr(x, "%" PRId64 ", %" PRId64 ", padding_idx=%" PRId64, n, d, row);
    param(x, "weight", ((made){.op = MADE_NORMAL, .b = 1, .row = row == NO_PAD ? 0 : row + 1}), n, d);
    done(x);
    return x;
}

mod *embedding(mod *m, const char *name, int64_t n, int64_t d, int64_t padding_idx) {
    return embedding_as(m, name, "Embedding", n, d, padding_idx);
}

/* ---- dropout ----------------------------------------------------------------------------------------------------- */

static void dropout_(mod *m, const char *name, const char *cls, num p, bool inplace) {
    leaf key = {.cls = cls, .verb = LEAF_DROPOUT, .a = inplace, .x = p};
    if (leaf_repeat(m, name, &key)) return;
    mod *x = child(m, name, cls);
    if (p.d < 0 || p.d > 1) fail(x, "a dropout probability must be between 0 and 1, not %s", show(x, p));
    mod_mark(x, KIND_DROPOUT);
    extra_repr(x, "p=%s, inplace=%s", show(x, p), py_bool(inplace));
    done(x);
    leaf_keep(m, &key);
}

void dropout(mod *m, const char *name, num p) { dropout_(m, name, "Dropout", p, false); }
void dropout_inplace(mod *m, const char *name, num p) { dropout_(m, name, "Dropout", p, true); }
void dropout1d(mod *m, const char *name, num p) { dropout_(m, name, "Dropout1d", p, false); }
void dropout2d(mod *m, const char *name, num p) { dropout_(m, name, "Dropout2d", p, false); }

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

void identity(mod *m, const char *name) { done(child(m, name, "Identity")); }

void flatten(mod *m, const char *name, int64_t from, int64_t to) {
    mod *x = child(m, name, "Flatten");
    extra_repr(x, "start_dim=%" PRId64 ", end_dim=%" PRId64, from, to);
    done(x);
}

void unflatten(mod *m, const char *name, int64_t axis, int64_t a, int64_t b) {
    mod *x = child(m, name, "Unflatten");
    extra_repr(x, "dim=%" PRId64 ", unflattened_size=(%" PRId64 ", %" PRId64 ")", axis, a, b);
    done(x);
}

void pixel_shuffle(mod *m, const char *name, int64_t factor) {
    mod *x = child(m, name, "PixelShuffle");
    extra_repr(x, "upscale_factor=%" PRId64, factor);
    done(x);
}

void pixel_unshuffle(mod *m, const char *name, int64_t factor) {
    mod *x = child(m, name, "PixelUnshuffle");
    extra_repr(x, "downscale_factor=%" PRId64, factor);
    done(x);
}

/* Scales are floats whatever was given, and align_corners never shows. */
void upsample(mod *m, const char *name, num scale, const char *mode, bool align_corners, bool has_align) {
    (void)align_corners, (void)has_align;
    mod *x = child(m, name, "Upsample");
    if (scale.d != 0) extra_repr(x, "scale_factor=%s, mode='%s'", show(x, num_f(scale.d)), mode);
    else extra_repr(x, "size=None, mode='%s'", mode);
    done(x);
}

/* ---- padding ----------------------------------------------------------------------------------------------------- */

static const char *pad_text(mod *m, const int64_t p[4], int n) {
    if (n == 2) return mod_printf(m, "(%" PRId64 ", %" PRId64 ")", p[0], p[1]);
    return mod_printf(m, "(%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ")", p[0], p[1], p[2], p[3]);
}

static void pad_with(mod *m, const char *name, const char *cls, const int64_t p[4], int n, const num *value) {
    mod *x = child(m, name, cls);
    if (value) extra_repr(x, "padding=%s, value=%s", pad_text(x, p, n), show(x, *value));
    else extra_repr(x, "%s", pad_text(x, p, n));
    done(x);
}

void zero_pad2d(mod *m, const char *name, int64_t left, int64_t right, int64_t top, int64_t bottom) {
    pad_with(m, name, "ZeroPad2d", (const int64_t[4]){left, right, top, bottom}, 4, NULL);
}

void constant_pad1d(mod *m, const char *name, int64_t left, int64_t right, num value) {
    pad_with(m, name, "ConstantPad1d", (const int64_t[4]){left, right}, 2, &value);
}

void constant_pad2d(mod *m, const char *name, int64_t left, int64_t right, int64_t top, int64_t bottom, num value) {
    pad_with(m, name, "ConstantPad2d", (const int64_t[4]){left, right, top, bottom}, 4, &value);
}

void reflection_pad1d(mod *m, const char *name, int64_t left, int64_t right) {
    pad_with(m, name, "ReflectionPad1d", (const int64_t[4]){left, right}, 2, NULL);
}

void reflection_pad2d(mod *m, const char *name, int64_t left, int64_t right, int64_t top, int64_t bottom) {
    pad_with(m, name, "ReflectionPad2d", (const int64_t[4]){left, right, top, bottom}, 4, NULL);
}

/* ---- parameters as modules --------------------------------------------------------------------------------------- */

/* What they print are their tensors, whose dtypes may still change: the printer writes those lines. */
static mod *parameters(mod *m, const char *name, const char *cls, int kind) {
    mod *x = child(m, name, cls);
    mod_mark(x, kind);
    done(x);
    return x;
}

mod *parameter_list(mod *m, const char *name) { return parameters(m, name, "ParameterList", KIND_PARAMETER_LIST); }
mod *parameter_dict(mod *m, const char *name) { return parameters(m, name, "ParameterDict", KIND_PARAMETER_DICT); }
