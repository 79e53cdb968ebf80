/* HIGGS: 2 to 4 bits by a table of grid points, after a Hadamard transform. Mirrors integrations/higgs.py, transformers 5.23.0. */
#include "quant.h"

enum { PACKED = 1 };
typedef struct higgs { int64_t bits, group; } higgs;

static void settle(quant *q) {
    const conf *c = settings(q);
    higgs *h = room(q, sizeof *h);
    int64_t p = conf_int(c, "p", 2), hadamard = conf_int(c, "hadamard_size", 512);
    h->bits = conf_int(c, "bits", 4);
    h->group = conf_int(c, "group_size", 256);
    if (h->bits < 2 || h->bits > 4) conf_refuse(c, "bits", "known are 2, 3, 4");
    if (p != 1 && p != 2) conf_refuse(c, "p", "known are 1, 2");
    if (h->group != 64 && h->group != 128 && h->group != 256) conf_refuse(c, "group_size", "known are 64, 128, 256");
    else if (hadamard % h->group) conf_refuse(c, "hadamard_size", "it has to be a whole number of groups");
}
static int dtype(quant *q, int asked) {
    if (asked != DT_F16 && asked != DT_BF16)
        quant_refuse(q, "unsupported_quantization", "its models are built in float16 or bfloat16; say --dtype bfloat16");
    return asked;
}
static int64_t takes(quant *q, const mod *m, const char *path) { return is_linear(m) && !skipped(q, path) ? PACKED : LEAVE; }
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)kind;
    const higgs *h = state(q);
    int64_t in = in_features(from), out = out_features(from), points = INT64_C(1) << h->bits;
    if (in % h->group) fail(to, "its %lld inputs are no whole number of groups of %lld", (long long)in, (long long)h->group);
    becomes(to, "HiggsLinear");
    extra_repr(to, NULL);
    freeze(stored_in(param(to, "weight", EMPTY, out * h->bits / 16, in), DT_I16));
    freeze(param(to, "scales", EMPTY, out, in / h->group));
    freeze(param(to, "tables", EMPTY, points));
    freeze(param(to, "tables2", EMPTY, points, points, 2));
    if (param_named(from, "bias")) freeze(param(to, "bias", EMPTY, out));
}

const quant_method method_higgs = {
    .name = "higgs",
    .names = SET("higgs"),
    .settle = settle,
    .dtype = dtype,
    .start = skip_not_converted,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
};
