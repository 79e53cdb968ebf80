/* MXFP4, as gpt-oss ships it: experts in 4-bit floats, two in a byte, with a scale for 32 of them. Mirrors integrations/mxfp4.py,
 * transformers 5.23.0. Scales are no parameters: they are kept beside the kernels' weights. */
#include "quant.h"

enum { PACKED = 1 };

static int64_t takes(quant *q, const mod *m, const char *path) {
    return !strcmp(class_of(m), "GptOssMLP") && !skipped(q, path_below(q, path, "experts")) ? PACKED : LEAVE;
}
static void in_blocks(mod *m, const char *blocks, const char *scales, int64_t n, int64_t out, int64_t in) {
    freeze(stored_in(param(m, blocks, EMPTY, n, out, in / 32, 16), DT_U8));
    freeze(stored_in(param(m, scales, EMPTY, n, out, in / 32), DT_U8));
}
static void experts_in_files(mod *m, int64_t n, int64_t d, int64_t ff) {
    in_blocks(m, "gate_up_proj_blocks", "gate_up_proj_scales", n, 2 * ff, d);
    freeze(stored_in(param(m, "gate_up_proj_bias", EMPTY, n, 2 * ff), DT_BF16));
    in_blocks(m, "down_proj_blocks", "down_proj_scales", n, d, ff);
    freeze(stored_in(param(m, "down_proj_bias", EMPTY, n, d), DT_BF16));
}
static void experts(mod *m, int64_t n, int64_t d, int64_t ff) {
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
    mod *m = replaced_child(q, to, "experts", "Mxfp4GptOssExperts", child_named(from, "experts"));
    extra_repr(m, NULL);
    (in_files(q) ? experts_in_files : experts)(m, dim(c, "num_local_experts"), dim(c, "hidden_size"), dim(c, "intermediate_size"));
}

/* value * 2 ** exponent, in float32, with two values in a byte and the first in its lower half. The model holds it the other way round. */
static void unpack(quant *q, packed_parts *s) {
    const char *stem = stored_stem(s, "_blocks");
    size_t blocks = stem ? stored_part(s, stem, "_blocks") : SIZE_MAX, scales = stem ? stored_part(s, stem, "_scales") : SIZE_MAX;
    (void)q;
    if (blocks == SIZE_MAX || stored_dtype(s, blocks) != DT_U8) return;
    if (scales == SIZE_MAX) {
        stored_wrong(s, SIZE_MAX, "its scales, %s_scales, are not in the files", stem);
        return;
    }
    int64_t shape[3] = {stored_size(s, blocks, 0), stored_size(s, blocks, 1), stored_size(s, blocks, 2)};
    if (stored_rank(s, blocks) != 4 || stored_size(s, blocks, 3) != 16 || stored_dtype(s, scales) != DT_U8 ||
        __builtin_mul_overflow(shape[2], 32, &shape[2])) {
        stored_wrong(s, blocks, "it is no stack of rows of 16 bytes with a byte of scale for each");
        return;
    }
    packed_form p = plain_form(blocks, scales);
    fours_of(&p);
    p.scale_kind = SCALES_EXPONENT;
    p.columns = shape[2], p.block_columns = 32, p.scale_columns = shape[2] / 32;
    p.scale_rows = p.matrix_rows = shape[1];
    if (__builtin_mul_overflow(shape[0], shape[1], &p.rows)) return;
    stored_packed(s, stored_key(s), 3, shape, &p);
}
static const stored_rules floats = {
    .first = LAYOUT(CONVERT_ONCE(SET("gate_up_proj_blocks"), SET("gate_up_proj"), Transpose(1, 2)),
                    CONVERT_ONCE(SET("down_proj_blocks"), SET("down_proj"), Transpose(1, 2))),
};

const quant_method method_mxfp4 = {
    .name = "mxfp4",
    .names = SET("mxfp4"),
    .start = skip_not_converted,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
    .unpack = unpack,
    .floats = &floats,
    .meanings = MEANINGS({"gate_up_proj_blocks", "the numbers of gate_up_proj, two in a byte"},
        {"gate_up_proj_scales", "the scales of gate_up_proj, one for 32 numbers"},
        {"down_proj_blocks", "the numbers of down_proj, two in a byte"},
        {"down_proj_scales", "the scales of down_proj, one for 32 numbers"}),
};
