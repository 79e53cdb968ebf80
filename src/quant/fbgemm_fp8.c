/* FBGEMM's FP8: e4m3 weights with a scale for each row. Mirrors integrations/fbgemm_fp8.py, transformers 5.23.0. The model is built in
 * bfloat16 whatever its config says. */
#include "quant.h"

enum { LINEAR = 1, EXPERTS };

static int dtype(quant *q, int asked) { return (void)q, (void)asked, DT_BF16; }
static int64_t takes(quant *q, const mod *m, const char *path) {
    bool experts = !strcmp(class_of(m), "Llama4TextExperts");
    if ((!experts && !is_linear(m)) || skipped(q, path)) return LEAVE;
    return experts ? EXPERTS : LINEAR;
}
static int weight_dtype(const quant *q) { return from_file(q) ? DT_F8_E4M3 : main_dtype(q); }
static void make_linear(quant *q, mod *to, const mod *from) {
    int64_t in = in_features(from), out = out_features(from);
    bool bias = param_named(from, "bias");
    becomes(to, "FbgemmFp8Linear");
    extra_repr(to, "in_features=%lld, out_features=%lld, bias=%s", (long long)in, (long long)out, bias ? "True" : "False");
    freeze(stored_in(param(to, "weight", EMPTY, out, in), weight_dtype(q)));
    if (bias) freeze(stored_in(param(to, "bias", EMPTY, out), DT_F32));
    freeze(stored_in(param(to, "weight_scale", EMPTY, out, 1), DT_F32));
}
static void make_experts(quant *q, mod *to, const mod *from) {
    const cfg *c = text_config(root_config(q));
    int64_t n = dim(c, "num_local_experts"), d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    becomes(to, "FbgemmFp8Llama4TextExperts");
    extra_repr(to, NULL);
    stored_in(param(to, "gate_up_proj", EMPTY, n, d, 2 * ff), DT_F8_E4M3);
    stored_in(param(to, "gate_up_proj_scale", EMPTY, n, 1, 2 * ff), DT_F32);
    stored_in(param(to, "down_proj", EMPTY, n, ff, d), DT_F8_E4M3);
    stored_in(param(to, "down_proj_scale", EMPTY, n, d, 1), DT_F32);
    keep_children(to, from);
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    if (kind == EXPERTS) make_experts(q, to, from);
    else make_linear(q, to, from);
    buffer(to, "input_scale_ub", EMPTY, DT_F32, TRANSIENT, 1);
}

const quant_method method_fbgemm_fp8 = {
    .name = "fbgemm_fp8",
    .names = SET("fbgemm_fp8"),
    .dtype = dtype,
    .start = skip_not_converted,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
};
