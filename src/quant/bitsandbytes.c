/* bitsandbytes: 8 bit by rows (LLM.int8), 4 bit in blocks of 64 (fp4, nf4). Mirrors integrations/bitsandbytes.py, transformers 5.23.0,
 * and bitsandbytes 0.50.2. */
#include "quant.h"

enum { EIGHT_BIT = 1, FOUR_BIT };
typedef struct bnb { int kind, storage; bool fp16_weights, double_quant; const char *type; } bnb;

static bool claims(const conf *c) { return conf_flag(c, "load_in_8bit", false) || conf_flag(c, "load_in_4bit", false); }
/* Truth and falsehood alone, as BitsAndBytesConfig wants them. */
static bool strict_flag(const conf *c, const char *key) {
    val v = conf_get(c, key);
    if (v.kind == VAL_ABSENT) return false;
    if (v.kind != VAL_BOOL) conf_refuse(c, key, "true or false is needed");
    return v.kind == VAL_BOOL && v.b;
}
static int storage_of(const conf *c) {
    static const struct { const char *name; int dtype; } known[] = {
        {"float16", DT_F16}, {"float32", DT_F32}, {"int8", DT_I8}, {"uint8", DT_U8}, {"float64", DT_F64}, {"bfloat16", DT_BF16},
    };
    const char *name = conf_word(c, "bnb_4bit_quant_storage", "uint8", SET("float16", "float32", "int8", "uint8", "float64", "bfloat16"));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) return known[i].dtype;
    return DT_U8;
}
static void settle(quant *q) {
    const conf *c = settings(q);
    bnb *b = room(q, sizeof *b);
    bool four = strict_flag(c, "load_in_4bit"), eight = strict_flag(c, "load_in_8bit");
    if (!four && !eight) eight = val_is(conf_get(c, "quant_method"), "bitsandbytes_8bit"), four = !eight;
    if (four && eight) conf_refuse(c, "load_in_8bit", "load_in_4bit is true as well, and only one of them can be");
    b->kind = four ? FOUR_BIT : EIGHT_BIT;
    b->storage = storage_of(c);
    b->fp16_weights = strict_flag(c, "llm_int8_has_fp16_weight");
    b->double_quant = strict_flag(c, "bnb_4bit_use_double_quant");
    b->type = conf_text(c, "bnb_4bit_quant_type", "fp4");
    val threshold = conf_get(c, "llm_int8_threshold");
    if (threshold.kind != VAL_ABSENT && threshold.kind != VAL_REAL) conf_refuse(c, "llm_int8_threshold", "a float is needed");
    strict_flag(c, "llm_int8_enable_fp32_cpu_offload");
    if (eight && b->fp16_weights && from_file(q))
        conf_refuse(c, "llm_int8_has_fp16_weight", "weights that are stored in 8 bits cannot be trained in 16");
    if (four && strcmp(b->type, "fp4") && strcmp(b->type, "nf4")) conf_refuse(c, "bnb_4bit_quant_type", "known are fp4, nf4");
}
static void start(quant *q) {
    skip_names(q, "llm_int8_skip_modules", conf_names(settings(q), "llm_int8_skip_modules"), false);
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    refuse_stacked(q, m);
    const bnb *b = state(q);
    if ((!is_plain_linear(m) && !is_conv1d(m)) || skipped(q, path)) return LEAVE;
    return b->kind;
}
/* What the state dict of a Linear4bit has: numbers two in a byte, and beside them how blocks of 64 are scaled, and by which table. Scales
 * may be numbers of such a kind themselves, in blocks of 256. How the parts go together is told in JSON. */
static void four_bits(quant *q, mod *to, int64_t out, int64_t in) {
    const bnb *b = state(q);
    int64_t element = b->storage == DT_F64 ? 8 : b->storage == DT_F32 ? 4 : b->storage == DT_F16 || b->storage == DT_BF16 ? 2 : 1;
    int64_t blocks = ceil_div(out * in, 64), twice = ceil_div(blocks, 256);
    freeze(stored_in(param(to, "weight", EMPTY, ceil_div(ceil_div(out * in, 2), element), 1), b->storage));
    buffer(to, "weight.absmax", EMPTY, b->double_quant ? DT_U8 : DT_F32, PERSISTENT, blocks);
    if (b->double_quant) buffer(to, "weight.nested_absmax", EMPTY, DT_F32, PERSISTENT, twice);
    if (b->double_quant) buffer(to, "weight.nested_quant_map", EMPTY, DT_F32, PERSISTENT, 256);
    buffer(to, "weight.quant_map", EMPTY, DT_F32, PERSISTENT, 16);
    const char *how = !strcmp(b->type, "nf4") ? "weight.quant_state.bitsandbytes__nf4" : "weight.quant_state.bitsandbytes__fp4";
    any_size(q, buffer(to, how, EMPTY, DT_U8, PERSISTENT, 0));
}
static void eight_bits(mod *to, int64_t out, int64_t in) {
    freeze(stored_in(param(to, "weight", EMPTY, out, in), DT_I8));
    buffer(to, "SCB", EMPTY, DT_F32, PERSISTENT, out);
    buffer_scalar(to, "weight_format", EMPTY, DT_U8, PERSISTENT);
}
static void make_stored(quant *q, mod *to, int64_t out, int64_t in, int64_t kind) {
    if (kind == FOUR_BIT) four_bits(q, to, out, in);
    else eight_bits(to, out, in);
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    const bnb *b = state(q);
    int64_t out = out_features(from), in = in_features(from);
    bool bias = param_named(from, "bias");
    becomes(to, kind == FOUR_BIT ? "Linear4bit" : "Linear8bitLt");
    extra_repr(to, "in_features=%lld, out_features=%lld, bias=%s", (long long)in, (long long)out, bias ? "True" : "False");
    if (in_files(q)) {
        make_stored(q, to, out, in, kind);
    } else {
        tensor *weight = param(to, "weight", EMPTY, out, in);
        if (from_file(q)) in_dtype(weight, kind == FOUR_BIT ? b->storage : DT_I8);
        freeze(weight);
    }
    if (bias) freeze(param(to, "bias", EMPTY, out));
}

static double element(const quant *q) { return ((const bnb *)state(q))->kind == FOUR_BIT ? 0.5 : 1; }

/* ---- back to floats ---- */

static int64_t positive(val v) { return v.kind == VAL_INT && v.i > 0 ? v.i : 0; }
/* absmax = table[byte] * its own scale + an offset, in float32. */
static bool unpack_nested(packed_parts *s, packed_form *p, const char *key, val how, const char *missing) {
    size_t map = stored_part(s, key, ".nested_quant_map"), outer = stored_part(s, key, ".nested_absmax");
    val offset = dict_get(how, "nested_offset");
    if (map == SIZE_MAX || outer == SIZE_MAX || !val_number(offset, &(double){0})) return stored_wrong(s, SIZE_MAX, "%s", missing);
    double shift = 0;
    val_number(offset, &shift);
    float *table = stored_room(s, 256), *scales = stored_room(s, stored_elements(s, outer));
    p->scale_kind = SCALES_NESTED;
    p->scale_table = table, p->outer = scales, p->shift = (float)shift;
    p->outer_count = stored_elements(s, outer), p->outer_block = positive(dict_get(how, "nested_blocksize"));
    if (!p->outer_block || p->outer_count < ceil_div(p->scale_columns, p->outer_block))
        return stored_wrong(s, outer, "it does not reach over all blocks");
    if (!stored_read(s, map, table, 256 * sizeof *table) || !stored_read(s, outer, scales, (size_t)p->outer_count * sizeof *scales)) return false;
    stored_hide(s, map);
    stored_hide(s, outer);
    return true;
}
static int dtype_named(val name) {
    return val_is(name, "float32") ? DT_F32 : val_is(name, "float16") ? DT_F16 : val_is(name, "bfloat16") ? DT_BF16 : -1;
}
/* table[code] * absmax in float32, rounded to the dtype that the weight had; the first of two codes in the upper half of a byte. */
static void unpack_four(packed_parts *s, size_t codes, size_t absmax) {
    const char *key = stored_key(s), *missing = "what describes it, and how its scales are scaled, is not all in the files";
    size_t how_part = stored_part(s, key, ".quant_state.bitsandbytes__nf4"), map = stored_part(s, key, ".quant_map");
    if (how_part == SIZE_MAX) how_part = stored_part(s, key, ".quant_state.bitsandbytes__fp4");
    if (how_part == SIZE_MAX || map == SIZE_MAX) {
        stored_wrong(s, SIZE_MAX, "%s", missing);
        return;
    }
    packed_form p = plain_form(codes, absmax);
    val how = stored_json(s, how_part), size = dict_get(how, "shape");
    int64_t shape[8];
    if (how.kind != VAL_DICT) return;
    p.rows = p.columns = 1;
    for (uint32_t i = 0; i < size.n && i < 8; i++)
        if (__builtin_mul_overflow(p.columns, shape[i] = positive(size.items[i]), &p.columns)) p.columns = 0;
    p.codes = CODES_NIBBLES, p.high_first = true;
    p.block_columns = positive(dict_get(how, "blocksize")), p.scale_columns = stored_elements(s, absmax);
    int dtype = dtype_named(dict_get(how, "dtype"));
    if (size.kind != VAL_LIST || !size.n || size.n > 8 || !p.columns || !p.block_columns || dtype < 0) {
        stored_wrong(s, how_part, "it names no shape, block size and dtype");
        return;
    }
    p.dtype = (uint8_t)dtype;
    if (!stored_read(s, map, p.table, sizeof p.table) || (stored_dtype(s, absmax) == DT_U8 && !unpack_nested(s, &p, key, how, missing))) return;
    stored_hide(s, how_part);
    stored_hide(s, map);
    stored_packed(s, key, (int)size.n, shape, &p);
}
/* code * scale * (1 / 127), in float32. */
static void unpack_eight(packed_parts *s, size_t codes, const char *stem) {
    size_t scales = stored_part(s, stem, ".SCB"), order = stored_part(s, stem, ".weight_format");
    uint8_t format = 0;
    if (scales == SIZE_MAX) {
        stored_wrong(s, SIZE_MAX, "its scales, %s.SCB, are not in the files", stem);
        return;
    }
    if (order != SIZE_MAX && !stored_read(s, order, &format, 1)) return;
    if (format) {
        stored_wrong(s, order, "the weight lies in an order of some GPU's; only rows are read here");
        return;
    }
    packed_form p = plain_form(codes, scales);
    int64_t shape[2] = {stored_size(s, codes, 0), stored_size(s, codes, 1)};
    p.factor = 7.874015718698502e-3f;
    if (!stored_grid(s, &p, 1, 0)) return;
    stored_hide(s, order);
    stored_packed(s, stored_key(s), 2, shape, &p);
}
static void unpack(quant *q, packed_parts *s) {
    const bnb *b = state(q);
    const char *stem = stored_stem(s, ".weight");
    size_t codes = stem ? stored_part(s, stem, ".weight") : SIZE_MAX, absmax = stem ? stored_part(s, stored_key(s), ".absmax") : SIZE_MAX;
    if (codes == SIZE_MAX) return;
    if (absmax != SIZE_MAX) unpack_four(s, codes, absmax);
    else if (b->kind == EIGHT_BIT && stored_dtype(s, codes) == DT_I8 && stored_rank(s, codes) == 2) unpack_eight(s, codes, stem);
    else if (stored_dtype(s, codes) == DT_U8) stored_wrong(s, SIZE_MAX, "its scales, %s.absmax, are not in the files", stored_key(s));
}

const quant_method method_bitsandbytes = {
    .name = "bitsandbytes",
    .names = SET("bitsandbytes_4bit", "bitsandbytes_8bit"),
    .claims = claims,
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .unpack = unpack,
    .share = 0.9,
    .element = element,
    .meanings = MEANINGS({"weight", "the numbers, packed"},
        {"weight.absmax", "the scales of weight, one for a block of 64 numbers"},
        {"weight.quant_map", "the table of the values that the numbers of weight stand for"},
        {"weight.nested_absmax", "the scales of weight.absmax, one for 256 of them"},
        {"weight.nested_quant_map", "the table of the values that the numbers of weight.absmax stand for"},
        {"weight.quant_state.bitsandbytes__nf4", "how weight is packed, and its shape"},
        {"weight.quant_state.bitsandbytes__fp4", "how weight is packed, and its shape"},
        {"SCB", "the scales of weight, one for a row"},
        {"weight_format", "in which order weight lies"}),
    .finish = warn_of_dense_experts,
};
