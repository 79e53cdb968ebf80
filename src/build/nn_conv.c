/* torch.nn: convolutions, pools and Unfold. */
#include "nn_inner.h"

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

static bool is_tuple(const int64_t size[4]) { return size[3] != SIZE_NUMBER || size[1] || size[2]; }
static bool is_given(const int64_t size[4]) { return is_tuple(size) || size[0]; }

/* The size of every axis: a number is used for all of them, and what is not given is torch's default. */
static void spread(int64_t out[3], const int64_t size[4], int64_t otherwise) {
    for (int i = 0; i < 3; i++) out[i] = is_tuple(size) ? size[i] : is_given(size) ? size[0] : otherwise;
}

static bool all_equal(const int64_t *sizes, int n, int64_t to) {
    for (int i = 0; i < n; i++)
        if (sizes[i] != to) return false;
    return true;
}

static const char *tuple_text(mod *m, const int64_t *sizes, int n, bool as_list) {
    const char *open = as_list ? "[" : "(", *close = as_list ? "]" : ")";
    if (!n) return as_list ? "[]" : "()";
    if (n == 1) return mod_printf(m, as_list ? "[%" PRId64 "]" : "(%" PRId64 ",)", sizes[0]);
    if (n == 2) return mod_printf(m, "%s%" PRId64 ", %" PRId64 "%s", open, sizes[0], sizes[1], close);
    return mod_printf(m, "%s%" PRId64 ", %" PRId64 ", %" PRId64 "%s", open, sizes[0], sizes[1], sizes[2], close);
}

/* A size as it was given, for the layers that keep their arguments as they are. */
static const char *given_text(mod *m, const int64_t size[4], int n, int64_t otherwise) {
    if (is_tuple(size)) return tuple_text(m, size, n, size[3] == SIZE_LIST);
    return mod_printf(m, "%" PRId64, is_given(size) ? size[0] : otherwise);
}

/* ---- convolutions ------------------------------------------------------------------------------------------------ */

typedef struct conv {
    int n;
    bool transposed, bias;
    int64_t in, out, groups, kernel[3], stride[3], padding[3], dilation[3], output_padding[3];
    const char *cls, *padding_text, *padding_mode;
} conv;

static const char *conv_class(int n, bool transposed) {
    static const char *const names[2][3] = {{"Conv1d", "Conv2d", "Conv3d"}, {"ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"}};
    return names[transposed][n - 1];
}

static conv conv_of(int n, bool transposed, int64_t in, int64_t out, const conv_spec *s) {
    conv c = {.n = n, .transposed = transposed, .bias = !s->no_bias, .in = in, .out = out, .groups = s->groups ? s->groups : 1};
    c.cls = s->cls ? s->cls : conv_class(n, transposed);
    c.padding_text = s->padding_text;
    c.padding_mode = s->padding_mode ? s->padding_mode : "zeros";
    spread(c.kernel, s->kernel, 0);
    spread(c.stride, s->stride, 1);
    spread(c.padding, s->padding, 0);
    spread(c.dilation, s->dilation, 1);
    spread(c.output_padding, s->output_padding, 0);
    return c;
}

static bool one_of(const char *word, const char *const *words) {
    for (; *words; words++)
        if (!strcmp(word, *words)) return true;
    return false;
}

/* What torch's constructor refuses. */
static bool conv_fits(mod *x, const conv *c) {
    bool same = c->padding_text && !strcmp(c->padding_text, "same");
    if (c->groups < 1) fail(x, "groups must be at least 1, not %" PRId64, c->groups);
    else if (c->in % c->groups) fail(x, "in_channels %" PRId64 " must be divisible by groups %" PRId64, c->in, c->groups);
    else if (c->out % c->groups) fail(x, "out_channels %" PRId64 " must be divisible by groups %" PRId64, c->out, c->groups);
    else if (c->padding_text && !one_of(c->padding_text, SET("same", "valid")))
        fail(x, "padding must be 'same', 'valid' or numbers, not '%s'", c->padding_text);
    else if (same && !all_equal(c->stride, c->n, 1)) fail(x, "padding 'same' needs a stride of 1");
    else if (!one_of(c->padding_mode, c->transposed ? SET("zeros") : SET("zeros", "reflect", "replicate", "circular")))
        fail(x, "padding_mode must be %s, not '%s'", c->transposed ? "zeros" : "zeros, reflect, replicate or circular", c->padding_mode);
    return mod_ok(x);
}

static const char *named(mod *x, const char *name, const char *value) { return mod_printf(x, ", %s=%s", name, value); }

/* `, name=(sizes)`, or nothing when they are torch's default. */
static const char *unless(mod *x, const char *name, const int64_t *sizes, int n, int64_t otherwise) {
    return all_equal(sizes, n, otherwise) ? "" : named(x, name, tuple_text(x, sizes, n, false));
}

static void conv_repr(mod *x, const conv *c) {
    const char *kernel = tuple_text(x, c->kernel, c->n, false), *stride = tuple_text(x, c->stride, c->n, false);
    const char *padding = c->padding_text ? named(x, "padding", c->padding_text) : unless(x, "padding", c->padding, c->n, 0);
    const char *dilation = unless(x, "dilation", c->dilation, c->n, 1);
    const char *output_padding = unless(x, "output_padding", c->output_padding, c->n, 0);
    const char *groups = c->groups == 1 ? "" : mod_printf(x, ", groups=%" PRId64, c->groups);
    const char *mode = strcmp(c->padding_mode, "zeros") ? named(x, "padding_mode", c->padding_mode) : "";
    extra_repr(x, "%" PRId64 ", %" PRId64 ", kernel_size=%s, stride=%s%s%s%s%s%s%s", c->in, c->out, kernel, stride, padding, dilation,
               output_padding, groups, c->bias ? "" : ", bias=False", mode);
}

/* A transposed convolution keeps its channels the other way round, and its fan-in is taken from the same axis all the same. */
static void conv_params(mod *x, const conv *c) {
    int64_t rows = c->transposed ? c->in : c->out, columns = (c->transposed ? c->out : c->in) / c->groups;
    int64_t shape[5] = {rows, columns, c->kernel[0], c->kernel[1], c->kernel[2]};
    double fan_in = (double)columns;
    for (int i = 0; i < c->n; i++) fan_in *= (double)c->kernel[i];
    add_param(x, "weight", drawn_weight(fan_in), shape, 2 + c->n);
    if (c->bias) param(x, "bias", drawn_evenly(fan_in > 0 ? 1 / sqrt(fan_in) : 0), c->out);
}

mod *conv_(mod *m, const char *name, int n, bool transposed, int64_t in, int64_t out, conv_spec s) {
    conv c = conv_of(n, transposed, in, out, &s);
    mod *x = child(m, name, c.cls);
    if (!conv_fits(x, &c)) return x;
    mod_mark(x, transposed ? KIND_CONV_TRANSPOSE : KIND_CONV);
    conv_repr(x, &c);
    conv_params(x, &c);
    done(x);
    return x;
}

/* ---- pools ------------------------------------------------------------------------------------------------------- */

/* AvgPool1d alone makes tuples of its numbers. */
mod *pool_(mod *m, const char *name, const char *kind, int n, pool_spec s) {
    bool max = !strcmp(kind, "MaxPool"), tuples = !max && n == 1;
    mod *x = child(m, name, s.cls ? s.cls : mod_printf(m, "%s%dd", kind, n));
    const int64_t *strides = is_given(s.stride) ? s.stride : s.kernel;
    const char *kernel = tuples ? tuple_text(x, s.kernel, 1, false) : given_text(x, s.kernel, n, 0);
    const char *stride = tuples ? tuple_text(x, strides, 1, false) : given_text(x, strides, n, 0);
    const char *padding = tuples ? tuple_text(x, s.padding, 1, false) : given_text(x, s.padding, n, 0);
    if (max)
        extra_repr(x, "kernel_size=%s, stride=%s, padding=%s, dilation=%s, ceil_mode=%s", kernel, stride, padding,
                   given_text(x, s.dilation, n, 1), py_bool(s.ceil_mode));
    else extra_repr(x, "kernel_size=%s, stride=%s, padding=%s", kernel, stride, padding);
    done(x);
    return x;
}

static void adaptive_pool(mod *m, const char *name, const char *cls, int64_t h, int64_t w) {
    mod *x = child(m, name, cls);
    if (w) extra_repr(x, "output_size=(%" PRId64 ", %" PRId64 ")", h, w);
    else extra_repr(x, "output_size=%" PRId64, h);
    done(x);
}

void adaptive_avg_pool1d(mod *m, const char *name, int64_t out) { adaptive_pool(m, name, "AdaptiveAvgPool1d", out, 0); }
void adaptive_avg_pool2d(mod *m, const char *name, int64_t h, int64_t w) { adaptive_pool(m, name, "AdaptiveAvgPool2d", h, w); }
void adaptive_max_pool2d(mod *m, const char *name, int64_t h, int64_t w) { adaptive_pool(m, name, "AdaptiveMaxPool2d", h, w); }

/* ---- unfold ------------------------------------------------------------------------------------------------------ */

void unfold_spec_(mod *m, const char *name, unfold_spec s) {
    mod *x = child(m, name, "Unfold");
    extra_repr(x, "kernel_size=%s, dilation=%s, padding=%s, stride=%s", given_text(x, s.kernel, 2, 0), given_text(x, s.dilation, 2, 1),
               given_text(x, s.padding, 2, 0), given_text(x, s.stride, 2, 1));
    done(x);
}

void unfold(mod *m, const char *name, int64_t kernel, int64_t dilation, int64_t padding, int64_t stride) {
    unfold_with(m, name, .kernel = SIZE1(kernel), .dilation = SIZE1(dilation), .padding = SIZE1(padding), .stride = SIZE1(stride));
}
