/* AQLM: weights as sums of entries of learned codebooks. Mirrors integrations/aqlm.py, transformers 5.23.0, and aqlm 1.1.7. Nothing stays
 * dense by default, the output embedding included. */
#include "quant.h"

enum { PACKED = 1 };
typedef struct aqlm { int64_t in_group, out_group, codebooks, bits; } aqlm;

static int64_t positive(const conf *c, const char *key, int64_t other, int64_t most) {
    int64_t n = conf_int(c, key, other);
    if (n < 1 || n > most) conf_refuse(c, key, "an int from 1 to %lld is needed", (long long)most);
    return n < 1 || n > most ? 1 : n;
}
static void settle(quant *q) {
    const conf *c = settings(q);
    aqlm *a = room(q, sizeof *a);
    a->in_group = positive(c, "in_group_size", 8, INT32_MAX);
    a->out_group = positive(c, "out_group_size", 1, INT32_MAX);
    a->codebooks = positive(c, "num_codebooks", 1, INT32_MAX);
    a->bits = positive(c, "nbits_per_codebook", 16, 32);
}
static void start(quant *q) {
    skip_only(q, "linear_weights_not_to_quantize", conf_texts(settings(q), "linear_weights_not_to_quantize"));
}
static int64_t takes(quant *q, const mod *m, const char *path) { return is_linear(m) && !skipped(q, path) ? PACKED : LEAVE; }
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)kind;
    const aqlm *a = state(q);
    int64_t in = in_features(from), out = out_features(from);
    if (in % a->in_group || out % a->out_group)
        fail(to, "its %lld inputs and %lld outputs are no whole number of groups of %lld and %lld", (long long)in, (long long)out,
            (long long)a->in_group, (long long)a->out_group);
    becomes(to, "QuantizedLinear");
    extra_repr(to, NULL);
    param(to, "codebooks", EMPTY, a->codebooks, INT64_C(1) << a->bits, a->out_group, a->in_group);
    stored_in(param(to, "codes", EMPTY, out / a->out_group, in / a->in_group, a->codebooks), a->bits <= 8 ? DT_I8 : a->bits <= 16 ? DT_I16 : DT_I32);
    param(to, "scales", EMPTY, out / a->out_group, 1, 1, 1);
    if (param_named(from, "bias")) param(to, "bias", EMPTY, out);
    freeze_all(to);
}

const quant_method method_aqlm = {
    .name = "aqlm",
    .names = SET("aqlm"),
    .not_asked = "it is made from calibration data, elsewhere; the reference loads it only",
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
};
