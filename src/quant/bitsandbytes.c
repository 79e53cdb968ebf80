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
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    const bnb *b = state(q);
    int64_t out = out_features(from), in = in_features(from);
    bool bias = param_named(from, "bias");
    becomes(to, kind == FOUR_BIT ? "Linear4bit" : "Linear8bitLt");
    extra_repr(to, "in_features=%lld, out_features=%lld, bias=%s", (long long)in, (long long)out, bias ? "True" : "False");
    tensor *weight = param(to, "weight", EMPTY, out, in);
    if (from_file(q)) in_dtype(weight, kind == FOUR_BIT ? b->storage : DT_I8);
    freeze(weight);
    if (bias) freeze(param(to, "bias", EMPTY, out));
}

const quant_method method_bitsandbytes = {
    .name = "bitsandbytes",
    .names = SET("bitsandbytes_4bit", "bitsandbytes_8bit"),
    .claims = claims,
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
    .unstacks = true,
};
