/* Metal: affine integers packed into uint32, with scales and biases by groups, for Apple's GPUs. Mirrors
 * integrations/metal_quantization.py, transformers 5.23.0. */
#include "quant.h"

enum { PACKED = 1 };
typedef struct metal { int64_t bits, group; } metal;

static void settle(quant *q) {
    const conf *c = settings(q);
    metal *x = room(q, sizeof *x);
    x->bits = conf_int(c, "bits", 4);
    x->group = conf_int(c, "group_size", 64);
    if (x->bits != 2 && x->bits != 4 && x->bits != 8) conf_refuse(c, "bits", "known are 2, 4, 8");
    if (x->group < 1) conf_refuse(c, "group_size", "a positive int is needed");
}
static int64_t takes(quant *q, const mod *m, const char *path) { return is_linear(m) && !skipped(q, path) ? PACKED : LEAVE; }
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)kind;
    const metal *x = state(q);
    int64_t in = in_features(from), out = out_features(from);
    bool bias = param_named(from, "bias"), packed = from_file(q);
    int scales = packed ? DT_F32 : main_dtype(q);
    becomes(to, "MetalLinear");
    extra_repr(to, "in_features=%lld, out_features=%lld, bias=%s", (long long)in, (long long)out, bias ? "True" : "False");
    freeze(stored_in(param(to, "weight", EMPTY, out, packed ? in / (32 / x->bits) : in), packed ? DT_U32 : main_dtype(q)));
    freeze(stored_in(param(to, "scales", EMPTY, out, in / x->group), scales));
    freeze(stored_in(param(to, "qbiases", EMPTY, out, in / x->group), scales));
    if (bias) param(to, "bias", ZEROS, out);
}

const quant_method method_metal = {
    .name = "metal",
    .names = SET("metal"),
    .settle = settle,
    .start = skip_not_converted,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
};
