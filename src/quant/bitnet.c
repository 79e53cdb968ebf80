/* BitNet: ternary weights, four in a byte, or dense ones that the forward pass rounds. Mirrors integrations/bitnet.py, transformers 5.23.0. */
#include "quant.h"

enum { PACKED = 1 };
typedef struct bitnet { bool is_auto, online, norm; num eps; } bitnet;

static void settle(quant *q) {
    const conf *c = settings(q);
    bitnet *b = room(q, sizeof *b);
    b->is_auto = !strcmp(conf_word(c, "linear_class", "bitlinear", SET("bitlinear", "autobitlinear")), "autobitlinear");
    b->online = !strcmp(conf_word(c, "quantization_mode", "offline", SET("online", "offline")), "online");
    b->norm = conf_flag(c, "use_rms_norm", false);
    b->eps = conf_number(c, "rms_norm_eps", num_f(1e-6));
}
static int64_t takes(quant *q, const mod *m, const char *path) { return is_linear(m) && !skipped(q, path) ? PACKED : LEAVE; }
static void make_auto(const bitnet *b, mod *to, const mod *from) {
    becomes(to, "AutoBitLinear");
    if (b->online) only_holds(to);
    keep_param(to, from, "weight");
    if (param_named(from, "bias")) keep_param(to, from, "bias");
    if (b->norm) rmsnorm(to, "rms_norm", "LlamaRMSNorm", in_features(from), b->eps);
    if (!b->online) buffer(to, "weight_scale", ONES, DT_DEFAULT, PERSISTENT, 1);
    if (!b->online) freeze_all(to);
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)kind;
    const bitnet *b = state(q);
    int64_t in = in_features(from), out = out_features(from);
    if (b->is_auto) {
        make_auto(b, to, from);
        return;
    }
    becomes(to, "BitLinear");
    extra_repr(to, NULL);
    buffer(to, "weight", EMPTY, DT_U8, PERSISTENT, out / 4, in);
    buffer(to, "weight_scale", ONES, DT_DEFAULT, PERSISTENT, 1);
    if (param_named(from, "bias")) buffer(to, "bias", ZEROS, DT_DEFAULT, PERSISTENT, out);
    if (b->norm) rmsnorm(to, "rms_norm", "LlamaRMSNorm", in, b->eps);
    freeze_all(to);
    if (out % 4) note_warning(q, "%lld outputs are no whole number of fours: the last %lld have no room", (long long)out, (long long)(out % 4));
}

const quant_method method_bitnet = {
    .name = "bitnet",
    .names = SET("bitnet"),
    .not_asked = "it is made by training; the reference loads it only",
    .settle = settle,
    .start = skip_not_converted,
    .takes = takes,
    .make = make,
    .share = 0.9,
    .finish = warn_of_dense_experts,
};
