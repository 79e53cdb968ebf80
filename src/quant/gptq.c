/* GPTQ: packed integers with scales and zero points by groups of inputs. Mirrors optimum 2.3.0 (which modules, in which order) and
 * GPTQModel 7.7.0 (their tensors). The class is that of the CPU kernel that GPTQModel prefers where nothing else is asked for. */
#include "quant.h"

enum { PACKED = 1 };
typedef struct gptq {
    int64_t bits, group; /* group -1: all inputs */
    const char *cls, *block;
    bool pads;           /* inputs need not fill their last group */
    val modules;         /* lists of names; absent: all in the block */
} gptq;

static bool one_of(int64_t n, const int64_t *all, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (all[i] == n) return true;
    return false;
}
#define ONE_OF(n, ...) one_of((n), (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* What GPTQModel picks on a CPU: of its classes the first by rank that takes these bits and groups. */
static void pick_class(const conf *c, gptq *g, const char *format) {
    const char *backend = conf_word(c, "backend", "auto", SET("auto", "torch", "gptq_torch"));
    bool automatic = !strcmp(backend, "auto"), planar = !strcmp(format, "gptq_p");
    g->pads = true;
    if (automatic && !planar && g->bits == 4 && ONE_OF(g->group, 16, 32, 64, 128, 256, 512)) g->cls = "TorchCpuAvx512Linear", g->pads = false;
    else if (automatic && !planar && g->bits == 4 && g->group == -1) g->cls = "TorchFusedLinear";
    else if (ONE_OF(g->group, -1, 16, 32, 64, 128, 256, 512, 1024)) g->cls = "TorchLinear";
    else conf_refuse(c, "group_size", "no kernel has groups of that size; known are -1 (all inputs), 16, 32, 64, 128, 256, 512, 1024");
}
static void read_modules(const conf *c, gptq *g) {
    val v = conf_get(c, "modules_in_block_to_quantize");
    if (!val_given(v)) return;
    bool lists = v.kind == VAL_LIST;
    for (uint32_t i = 0; lists && i < v.n; i++) lists = v.items[i].kind == VAL_LIST;
    if (!lists) conf_refuse(c, "modules_in_block_to_quantize", "a list of lists of names is needed");
    else g->modules = v;
}
static void settle(quant *q) {
    const conf *c = settings(q);
    gptq *g = room(q, sizeof *g);
    g->bits = conf_int(c, "bits", 0);
    g->group = conf_int(c, "group_size", 128);
    if (!ONE_OF(g->bits, 2, 3, 4, 8)) conf_refuse(c, "bits", "known are 2, 3, 4, 8");
    if (g->group != -1 && g->group < 1) conf_refuse(c, "group_size", "a positive int is needed, or -1 for all inputs");
    const char *key = conf_given(c, "checkpoint_format") ? "checkpoint_format" : "format";
    pick_class(c, g, conf_word(c, key, "gptq", SET("gptq", "gptq_v2", "gptq_p")));
    g->block = conf_text(c, "block_name_to_quantize", NULL);
    read_modules(c, g);
}
static void start(quant *q) {
    static const char *const blocks[] = {
        "transformer.h", "model.decoder.layers", "gpt_neox.layers", "model.layers", "model.language_model.layers", "h", "decoder.layers", "layers",
    };
    gptq *g = state(q);
    if (strcmp(input_name(q), "input_ids")) {
        quant_refuse(q, "unsupported_quantization", "it is for models of text alone, and the input of this one is %s", input_name(q));
        return;
    }
    for (size_t i = 0; !g->block && i < sizeof blocks / sizeof *blocks; i++)
        if (has_module(q, blocks[i])) g->block = blocks[i];
    if (!g->block) quant_refuse(q, "unsupported_quantization", "no layers are where it looks for them; name them as block_name_to_quantize");
    else note_pattern(q, g->block);
    for (uint32_t i = 0; i < g->modules.n; i++)
        for (uint32_t k = 0; k < g->modules.items[i].n; k++)
            if (g->modules.items[i].items[k].kind == VAL_TEXT) note_pattern(q, g->modules.items[i].items[k].s);
}
static bool is_listed(const gptq *g, const char *path) {
    if (g->modules.kind != VAL_LIST) return true;
    for (uint32_t i = 0; i < g->modules.n; i++)
        for (uint32_t k = 0; k < g->modules.items[i].n; k++)
            if (g->modules.items[i].items[k].kind == VAL_TEXT && ends_with(path, g->modules.items[i].items[k].s)) return true;
    return false;
}
/* Children that are numbered are no attributes, and only attributes are looked at. */
static bool is_numbered(const char *path) {
    const char *dot = strrchr(path, '.'), *name = dot ? dot + 1 : path;
    return *name >= '0' && *name <= '9';
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    const gptq *g = state(q);
    if (!is_plain_linear(m) && !is_conv1d(m) && !is_conv(m, 2)) return LEAVE;
    return !strncmp(path, g->block, strlen(g->block)) && is_listed(g, path) && !is_numbered(path) ? PACKED : LEAVE;
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)kind;
    const gptq *g = state(q);
    int64_t in = in_features(from), out = out_features(from), group = g->group == -1 ? in : g->group, groups = ceil_div(in, group);
    if (!g->pads && (in % group || out % 32))
        quant_refuse(q, "unsupported_quantization", "its kernel takes inputs by %lld and outputs by 32, not %lld and %lld", (long long)group,
            (long long)in, (long long)out);
    becomes(to, g->cls);
    extra_repr(to, NULL);
    buffer(to, "qweight", EMPTY, DT_I32, PERSISTENT, ceil_div(in * g->bits, 32), out);
    buffer(to, "qzeros", EMPTY, DT_I32, PERSISTENT, groups, ceil_div(out * g->bits, 32));
    buffer(to, "scales", EMPTY, DT_F16, PERSISTENT, groups, out);
    buffer(to, "g_idx", EMPTY, DT_I32, PERSISTENT, in);
    if (param_named(from, "bias")) buffer(to, "bias", EMPTY, DT_F16, PERSISTENT, out);
}

const quant_method method_gptq = {
    .name = "gptq",
    .names = SET("gptq"),
    .not_asked = "it is made from calibration data, and until then the tree is the plain one",
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .meanings = MEANINGS({"qweight", "the numbers of the weight, packed"}, {"qzeros", "the zero points of qweight, packed"},
        {"scales", "the scales of qweight"}, {"g_idx", "the group that each input belongs to"}),
    .finish = warn_of_random_experts,
    .moves = true,
};
