/* NVFP4 on loading: weights in 4-bit floats with scales for 16 of them, for bias-free layers. Mirrors integrations/nvfp4.py,
 * transformers 5.23.0. The kernel decides the shape of the swizzled scales; here it is that of cuBLAS: rows by 128, scales by 4. */
#include "quant.h"

enum { PACKED = 1 };

static void start(quant *q) {
    skip_not_converted(q);
    note_warning(q, "the shape of weight_sf is the kernel's to choose; it is taken to be cuBLAS's layout of 128 rows by 4 scales");
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    if (!is_linear(m) || param_named(m, "bias") || in_features(m) % 16 || out_features(m) % 16) return LEAVE;
    return skipped(q, path) ? LEAVE : PACKED;
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)q, (void)kind;
    int64_t in = in_features(from), out = out_features(from);
    becomes(to, "NVFP4Linear");
    extra_repr(to, "in_features=%lld, out_features=%lld, nvfp4", (long long)in, (long long)out);
    buffer(to, "weight", EMPTY, DT_BF16, PERSISTENT, out, in);
    buffer(to, "weight_sf", EMPTY, DT_I32, PERSISTENT, ceil_div(out, 128) * 128, ceil_div(in / 16, 4));
    buffer(to, "weight_sf_rowmajor", EMPTY, DT_U8, PERSISTENT, out, in / 16);
    buffer(to, "weight_global_scale", EMPTY, DT_F32, PERSISTENT, 1);
}

const quant_method method_nvfp4 = {
    .name = "nvfp4",
    .names = SET("nvfp4"),
    .not_in_config = "the reference does not load files that are quantised so: it quantises on loading alone (--quantize nvfp4)",
    .start = start,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
};
