/* AWQ: 4-bit integers packed along the outputs, with scales and zero points by groups of inputs. Mirrors integrations/awq.py,
 * transformers 5.23.0, and GPTQModel 7.7.0, on a CPU. */
#include "quant.h"

enum { PACKED = 1, SCALED_ACTIVATION = 2 }; /* the latter and up: less it, the size of its scales */
typedef struct awq {
    int64_t bits, group;
    const char *cls;
    bool pads, torch, by_32; /* inputs need not fill their groups; it says its bits when printed; outputs come by 32 */
    bool any;                /* some layer is packed */
    const char *act, *before;     /* an activation that gets scales, and the layer before it; NULL: none does */
} awq;

static bool has_group(int64_t group, int64_t largest, bool all_inputs) {
    if (group == -1) return all_inputs;
    return group >= 16 && group <= largest && !(group & (group - 1));
}
/* What GPTQModel picks on a CPU. */
static void pick_class(const conf *c, awq *a) {
    const char *backend = conf_word(c, "backend", "auto", SET("auto", "autoawq", "torch_awq", "torch_fused_awq"));
    bool automatic = !strncmp(backend, "auto", 4);
    if (automatic && a->bits == 4 && has_group(a->group, 512, false)) a->cls = "TorchCpuAvx512AwqLinear", a->by_32 = true;
    else if (((automatic && a->group == -1) || !strcmp(backend, "torch_fused_awq")) && a->bits == 4 && has_group(a->group, 128, true))
        a->cls = "TorchFusedAwqLinear", a->pads = true;
    else if (strcmp(backend, "torch_fused_awq") && has_group(a->group, 128, true)) a->cls = "AwqTorchLinear", a->torch = true;
    else conf_refuse(c, "group_size", "no kernel has groups of that size; known are -1 (all inputs), 16, 32, 64, 128, and with 4 bits 256, 512");
}
static void settle(quant *q) {
    const conf *c = settings(q);
    awq *a = room(q, sizeof *a);
    a->bits = conf_int(c, "bits", 4);
    a->group = conf_int(c, "group_size", 128);
    if (a->bits != 2 && a->bits != 3 && a->bits != 4 && a->bits != 8) conf_refuse(c, "bits", "known are 2, 3, 4, 8");
    if (a->group != -1 && a->group < 1) conf_refuse(c, "group_size", "a positive int is needed, or -1 for all inputs");
    const char *key = conf_given(c, "version") ? "version" : "format", *format = conf_text(c, key, "gemm");
    bool gemm = !strcmp(format, "gemm") || (!strcmp(key, "version") && !strcmp(format, "GEMM"));
    if (!gemm) conf_refuse(c, key, "its kernels need a GPU, and the reference refuses it without one; gemm is the portable layout");
    pick_class(c, a);
}
static void start(quant *q) {
    static const struct { const char *type, *act, *before; } scaled[] = {
        {"starcoder2", "act", "c_fc"},      {"RefinedWebModel", "act", "dense_h_to_4h"}, {"falcon", "act", "dense_h_to_4h"},
        {"mpt", "act", "up_proj"},          {"gptj", "act", "fc_in"},                    {"gpt_neox", "act", "dense_h_to_4h"},
        {"gpt_bigcode", "act", "c_fc"},     {"bloom", "gelu_impl", "dense_h_to_4h"},
    };
    awq *a = state(q);
    for (size_t i = 0; i < sizeof scaled / sizeof *scaled; i++)
        if (!strcmp(scaled[i].type, model_type(q))) a->act = scaled[i].act, a->before = scaled[i].before;
    skip_names(q, "modules_to_not_convert", conf_names(settings(q), "modules_to_not_convert"), true);
}
static bool is_named(const char *path, const char *name) {
    const char *dot = strrchr(path, '.');
    return !strcmp(dot ? dot + 1 : path, name);
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    const awq *a = state(q);
    if (is_linear(m)) return skipped(q, path) ? LEAVE : PACKED;
    const mod *before = a->act && is_named(path, a->act) ? sibling(q, a->before) : NULL;
    return before ? SCALED_ACTIVATION + out_features(before_replacement(before)) : LEAVE;
}
static void make_packed(quant *q, mod *to, const mod *from) {
    awq *a = state(q);
    a->any = true;
    int64_t in = in_features(from), out = out_features(from), group = a->group == -1 ? in : a->group;
    const char *bias = param_named(from, "bias") ? "True" : "False";
    if (in % group && !a->pads)
        quant_refuse(q, "unsupported_quantization", "%lld inputs are no whole number of groups of %lld", (long long)in, (long long)group);
    if (a->by_32 ? in % 2 || out % 32 : a->torch && out % 8)
        quant_refuse(q, "unsupported_quantization", "its kernel takes outputs by %d, not %lld", a->by_32 ? 32 : 8, (long long)out);
    int64_t packed = !a->pads ? ceil_div(out * a->bits, 32) : out < 8 ? 1 : out / 8; /* what it pads are inputs alone */
    becomes(to, a->cls);
    extra_repr(to, NULL);
    if (a->torch) extra_repr(to, "in_features=%lld, out_features=%lld, bias=%s, bits=%lld, group_size=%lld", (long long)in, (long long)out, bias,
        (long long)a->bits, (long long)group);
    buffer(to, "qweight", EMPTY, DT_I32, PERSISTENT, in, packed);
    buffer(to, "qzeros", EMPTY, DT_I32, PERSISTENT, ceil_div(in, group), packed);
    buffer(to, "scales", EMPTY, DT_F16, PERSISTENT, ceil_div(in, group), out);
    if (*bias == 'T') buffer(to, "bias", EMPTY, DT_F16, PERSISTENT, out);
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    if (kind == PACKED) {
        make_packed(q, to, from);
        return;
    }
    becomes(to, "ScaledActivation");
    only_holds(to);
    extra_repr(to, NULL);
    keep_as_child(to, "act", from);
    param(to, "scales", ONES, kind - SCALED_ACTIVATION);
}
static void finish(quant *q) {
    const awq *a = state(q);
    if (!a->any && replaces(q)) quant_refuse(q, "unsupported_quantization", "no layer is packed, and then the reference fails (UnboundLocalError)");
    warn_of_random_experts(q);
}

const quant_method method_awq = {
    .name = "awq",
    .names = SET("awq"),
    .not_asked = "it is made from calibration data, elsewhere; the reference loads it only",
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .meanings = MEANINGS({"qweight", "the numbers of the weight, packed"}, {"qzeros", "the zero points of qweight, packed"},
        {"scales", "the scales of qweight"}),
    .finish = finish,
};
