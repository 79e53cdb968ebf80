/* MXFP4, as gpt-oss ships it: experts in 4-bit floats, two in a byte, with a scale for 32 of them. Mirrors integrations/mxfp4.py,
 * transformers 5.23.0. Scales are no parameters: they are kept beside the kernels' weights. */
#include "quant.h"

enum { PACKED = 1 };

static void start(quant *q) {
    skip_names(q, "modules_to_not_convert", conf_names(settings(q), "modules_to_not_convert"), false);
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    return !strcmp(class_of(m), "GptOssMLP") && !skipped(q, path_below(q, path, "experts")) ? PACKED : LEAVE;
}
static void experts(mod *m, int64_t n, int64_t d, int64_t ff) {
    extra_repr(m, NULL);
    freeze(stored_in(param(m, "gate_up_proj", EMPTY, n, 2 * ff, d / 2), DT_U8));
    freeze(stored_in(param(m, "gate_up_proj_bias", EMPTY, n, 2 * ff), DT_F32));
    freeze(stored_in(param(m, "down_proj", EMPTY, n, d, ff / 2), DT_U8));
    freeze(stored_in(param(m, "down_proj_bias", EMPTY, n, d), DT_F32));
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)kind;
    const cfg *c = root_config(q);
    becomes(to, "Mxfp4GptOssMLP");
    only_holds(to);
    keep_as_child(to, "router", child_named(from, "router"));
    experts(replaced_child(q, to, "experts", "Mxfp4GptOssExperts", child_named(from, "experts")), dim(c, "num_local_experts"),
        dim(c, "hidden_size"), dim(c, "intermediate_size"));
}

const quant_method method_mxfp4 = {
    .name = "mxfp4",
    .names = SET("mxfp4"),
    .start = start,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
};
