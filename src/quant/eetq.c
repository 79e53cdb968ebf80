/* EETQ: int8 weights, transposed, with a scale for each output. Mirrors integrations/eetq.py, transformers 5.23.0. */
#include "quant.h"

enum { PACKED = 1 };

static void settle(quant *q) { conf_word(settings(q), "weights", "int8", SET("int8")); }
static int64_t takes(quant *q, const mod *m, const char *path) { return is_linear(m) && !skipped(q, path) ? PACKED : LEAVE; }
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)kind;
    int64_t in = in_features(from), out = out_features(from);
    becomes(to, "EetqLinear");
    extra_repr(to, NULL);
    freeze(stored_in(param(to, "weight", EMPTY, in, out), from_file(q) ? DT_I8 : main_dtype(q)));
    stored_in(param(to, "weight_scales", EMPTY, out), DT_F16);
    if (param_named(from, "bias")) stored_in(param(to, "bias", EMPTY, out), DT_F16);
}

const quant_method method_eetq = {
    .name = "eetq",
    .names = SET("eetq"),
    .settle = settle,
    .start = skip_not_converted,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
};
