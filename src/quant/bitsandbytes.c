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

const quant_method method_bitsandbytes = {
    .name = "bitsandbytes",
    .names = SET("bitsandbytes_4bit", "bitsandbytes_8bit"),
    .claims = claims,
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
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
};
