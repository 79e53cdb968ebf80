/* Fine-grained FP8: weights in e4m3 with one scale for a block of them, as DeepSeek-V3 ships them; mxfp8 is another name for it.
 * Mirrors integrations/finegrained_fp8.py, transformers 5.23.0. */
#include "quant.h"

enum { LINEAR = 1, GROUPED, EXPERTS, UNGATED_EXPERTS, EMBEDDING_TABLE };
typedef struct fp8 {
    int64_t rows, columns; /* of a block; 0: one scale for all */
    bool is_static, ue8m0, fp4_experts;
    bool apart;            /* fused halves have blocks of their own, as in files, where they are not fused */
    val convert;           /* names of embeddings that are stored in FP8 too */
} fp8;

static void read_block(const conf *c, fp8 *f) {
    val v = conf_get(c, "weight_block_size");
    f->rows = f->columns = 128;
    if (v.kind == VAL_ABSENT) return;
    f->rows = f->columns = 0;
    if (v.kind == VAL_NULL) return;
    if (v.kind != VAL_LIST || v.n != 2 || v.items[0].kind != VAL_INT || v.items[1].kind != VAL_INT || v.items[0].i < 1 || v.items[1].i < 1) {
        conf_refuse(c, "weight_block_size", "two positive ints are needed, the rows and columns of a block, or null for one scale");
        return;
    }
    f->rows = v.items[0].i;
    f->columns = v.items[1].i;
}
static void settle(quant *q) {
    const conf *c = settings(q);
    fp8 *f = room(q, sizeof *f);
    const char *scheme = lower_case(q, conf_text(c, "activation_scheme", "dynamic"));
    f->is_static = !strcmp(scheme, "static");
    if (!f->is_static && strcmp(scheme, "dynamic")) conf_refuse(c, "activation_scheme", "known are dynamic, static");
    read_block(c, f);
    f->ue8m0 = !strcmp(conf_word(c, "scale_fmt", "float", SET("float", "ue8m0")), "ue8m0");
    f->fp4_experts = !strcmp(conf_word(c, "expert_dtype", "fp8", SET("fp8", "fp4")), "fp4");
    f->convert = conf_texts(c, "modules_to_convert");
    f->apart = in_files(q);
}
static bool is_converted(const fp8 *f, const char *path);
static void start(quant *q) {
    const conf *c = settings(q);
    const fp8 *f = state(q);
    const char *key = conf_given(c, "modules_to_not_convert") ? "modules_to_not_convert" : "ignored_layers";
    skip_names(q, key, renamed_as_loaded(q, conf_names(c, key)), false);
    for (uint32_t i = 0; i < f->convert.n; i++) note_pattern(q, f->convert.items[i].s);
    val tied = ties(q);
    for (uint32_t i = 0; i < tied.n; i++) {
        const char *source = module_name(q, tied.members[i].v.s);
        if (is_converted(f, source) && !skipped(q, source))
            note_warning(q, "%s is stored in FP8 and %s is tied to it: that one gets the FP8 numbers without their scale", source,
                tied.members[i].key);
    }
}
static bool is_converted(const fp8 *f, const char *path) {
    for (uint32_t i = 0; i < f->convert.n; i++)
        if (ends_with(path, f->convert.items[i].s)) return true;
    return false;
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    const fp8 *f = state(q);
    bool experts = ends_with(path, ".experts");
    if (!experts && !is_linear(m) && !is_plain_embedding(m)) return LEAVE;
    if (skipped(q, path)) return LEAVE;
    if (experts) return param_named(m, "up_proj") ? UNGATED_EXPERTS : EXPERTS;
    if (is_plain_embedding(m)) return from_file(q) && is_converted(f, path) ? EMBEDDING_TABLE : LEAVE;
    if (is_plain_linear(m)) return LINEAR;
    return strstr(class_of(m), "GroupedLinear") ? GROUPED : LEAVE;
}

static int scale_dtype(const fp8 *f) { return f->ue8m0 ? DT_F8_E8M0 : DT_F32; }
static int64_t blocks(int64_t n, int64_t block) { return block ? ceil_div(n, block) : 1; }
static void make_linear(const fp8 *f, mod *to, const mod *from) {
    int64_t out = out_features(from), in = in_features(from);
    in_dtype(param(to, "weight", EMPTY, out, in), DT_F8_E4M3);
    bool bias = param_named(from, "bias");
    if (bias) param(to, "bias", EMPTY, out);
    if (f->rows) in_dtype(param(to, "weight_scale_inv", EMPTY, blocks(out, f->rows), blocks(in, f->columns)), scale_dtype(f));
    else in_dtype(param_scalar(to, "weight_scale_inv", EMPTY), DT_F32);
    if (f->is_static) in_dtype(param_scalar(to, "activation_scale", EMPTY), DT_F32);
}
/* One stacked projection of one or two parts, and its scales, which have a row for each part at least. */
static void projection(const fp8 *f, mod *to, const char *name, const char *scale, int64_t n, int64_t out, int64_t in, int64_t least) {
    int64_t rows = f->fp4_experts ? out : blocks(out, f->rows), columns = f->fp4_experts ? ceil_div(in, 32) : blocks(in, f->columns);
    if (f->apart && !f->fp4_experts) rows = least * blocks(out / least, f->rows);
    tensor *weight = param(to, name, EMPTY, n, out, f->fp4_experts ? in / 2 : in);
    in_dtype(weight, f->fp4_experts ? DT_I8 : DT_F8_E4M3);
    if (f->fp4_experts) freeze(weight);
    in_dtype(param(to, scale, EMPTY, n, rows < least ? least : rows, columns), scale_dtype(f));
}
static int64_t first_size(const cfg *c, const char *key, const char *other) { return dim(c, has(c, key) ? key : other); }
static void make_experts(quant *q, const fp8 *f, mod *to, const mod *from, bool gated) {
    const cfg *c = text_config(root_config(q));
    if (param_named(from, "gate_up_proj_bias") || param_named(from, "down_proj_bias")) {
        quant_refuse(q, "unsupported_quantization", "%s has biases, for which FP8Experts has no room: the reference refuses this model",
            class_of(from));
        return;
    }
    int64_t n = first_size(c, "num_local_experts", "num_experts"), d = dim(c, "hidden_size");
    int64_t ff = first_size(c, "moe_intermediate_size", "intermediate_size");
    becomes(to, "FP8Experts");
    extra_repr(to, NULL);
    if (gated) projection(f, to, "gate_up_proj", "gate_up_proj_scale_inv", n, 2 * ff, d, 2);
    else projection(f, to, "up_proj", "up_proj_scale_inv", n, ff, d, 1);
    projection(f, to, "down_proj", "down_proj_scale_inv", n, d, ff, 1);
    if (f->is_static) {
        in_dtype(param(to, "gate_up_proj_activation_scale", EMPTY, n), DT_F32);
        in_dtype(param(to, "down_proj_activation_scale", EMPTY, n), DT_F32);
    }
    keep_children(to, from);
    if (gated && f->rows && !f->fp4_experts && 2 * blocks(ff, f->rows) != blocks(2 * ff, f->rows))
        note_warning(q, "experts of %lld rows are no whole number of blocks of %lld: files hold the scales of each projection, and the reference "
            "cannot load them into the fused ones", (long long)ff, (long long)f->rows);
    if (gated && !f->rows && !f->fp4_experts)
        note_warning(q, "experts with one scale each: the reference cannot load them into the fused ones");
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    const fp8 *f = state(q);
    switch (kind) {
    case LINEAR: becomes(to, "FP8Linear"), make_linear(f, to, from); break;
    case GROUPED: becomes(to, "FP8GroupedLinear"), make_linear(f, to, from); break;
    case EMBEDDING_TABLE:
        becomes(to, "FP8Embedding");
        freeze(stored_in(keep_param(to, from, "weight"), DT_F8_E4M3));
        freeze(param(to, "weight_scale", EMPTY, 1));
        break;
    default: make_experts(q, f, to, from, kind == EXPERTS);
    }
}

/* ---- back to floats ---- */

/* Two 4-bit floats in a byte, the first in its lower half. */
static bool halve(packed_form *p, int64_t *columns) {
    fours_of(p);
    return !__builtin_mul_overflow(*columns, 2, columns);
}
static size_t scales_of(packed_parts *s) {
    static const char *const endings[] = {".scale", ".qscale_weight"};
    const char *stem = stored_stem(s, ".weight");
    size_t found = stored_part(s, stored_key(s), "_scale_inv");
    if (found == SIZE_MAX) found = stored_part(s, stored_key(s), "_scale");
    for (size_t i = 0; found == SIZE_MAX && stem && i < sizeof endings / sizeof *endings; i++) found = stored_part(s, stem, endings[i]);
    return found;
}
static void hide_activations(packed_parts *s) {
    const char *stem = stored_stem(s, ".weight");
    stored_hide(s, stem ? stored_part(s, stem, ".activation_scale") : stored_part(s, stored_key(s), "_activation_scale"));
}
/* code * scale in float32, and then rounded to the model's dtype: in one step, as nothing lies between. */
static void unpack(quant *q, packed_parts *s) {
    const fp8 *f = state(q);
    size_t codes = stored_part(s, stored_key(s), ""), scales = scales_of(s);
    if (codes == SIZE_MAX) return;
    int dtype = stored_dtype(s, codes), rank = stored_rank(s, codes);
    bool pairs = dtype == DT_I8 && scales != SIZE_MAX, floats = dtype == DT_F8_E4M3 || dtype == DT_F8_E5M2;
    if ((!pairs && !floats) || rank < 1 || rank > 8) return;
    if (scales == SIZE_MAX) {
        stored_wrong(s, SIZE_MAX, "its scales, %s_scale_inv, are not in the files", stored_key(s));
        return;
    }
    packed_form p = plain_form(codes, scales);
    int64_t shape[8];
    for (int i = 0; i < rank; i++) shape[i] = stored_size(s, codes, i);
    if (stored_dtype(s, scales) == DT_U8) p.scale_kind = SCALES_EXPONENT;
    if (!stored_grid(s, &p, pairs ? 1 : f->rows, pairs ? 16 : f->columns)) return;
    if (pairs && !(halve(&p, &shape[rank - 1]) && halve(&p, &p.columns) && halve(&p, &p.block_columns))) return;
    hide_activations(s);
    stored_packed(s, stored_key(s), rank, shape, &p);
}

/* Names that other makers of such files use. */
static const stored_rules files = {
    .first = LAYOUT(RENAME_ONCE("^(.+)\\.scale", "\\1.weight_scale_inv"), RENAME_ONCE("\\.qscale_weight", ".weight_scale_inv")),
    .param = "weight",
    .companions = SET("_scale_inv"),
};

const quant_method method_fp8 = {
    .name = "fp8",
    .names = SET("fp8", "mxfp8"),
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .unpack = unpack,
    .files = &files,
    .meanings = MEANINGS({"weight_scale_inv", "the scales of weight, one for a block of it"},
        {"activation_scale", "the scale of what goes into this layer"},
        {"gate_up_proj_scale_inv", "the scales of gate_up_proj, one for a block of it"},
        {"up_proj_scale_inv", "the scales of up_proj, one for a block of it"},
        {"down_proj_scale_inv", "the scales of down_proj, one for a block of it"},
        {"gate_up_proj_activation_scale", "the scales of what goes into gate_up_proj, one for an expert"},
        {"down_proj_activation_scale", "the scales of what goes into down_proj, one for an expert"},
        {"weight_scale", "the scale of weight"}),
};
