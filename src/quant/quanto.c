/* quanto: weights are quantised when they are loaded, and until then the tree has them as they are. Mirrors integrations/quanto.py,
 * transformers 5.23.0, and optimum-quanto 0.2.7. */
#include "quant.h"

enum { LINEAR = 1, NORM };

static void settle(quant *q) {
    const conf *c = settings(q);
    bool *activations = room(q, sizeof *activations);
    conf_word(c, "weights", "int8", SET("float8", "int8", "int4", "int2"));
    *activations = conf_word(c, "activations", NULL, SET("int8", "float8")) != NULL;
    if (*activations) note_warning(q, "transformers itself refuses quanto with activations; this is the tree that it would have");
}
static void start(quant *q) {
    skip_names(q, "modules_to_not_convert", conf_names(settings(q), "modules_to_not_convert"), false);
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    const bool *activations = state(q);
    bool norm = *activations && is_layernorm(m);
    if ((!norm && !is_linear(m)) || skipped(q, path)) return LEAVE;
    return norm ? NORM : LINEAR;
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)q;
    becomes(to, kind == NORM ? "QLayerNorm" : "QLinear");
    keep_tensors(to, from);
    buffer_scalar(to, "input_scale", ONES, DT_DEFAULT, PERSISTENT);
    buffer_scalar(to, "output_scale", ONES, DT_DEFAULT, PERSISTENT);
}

static double element(const quant *q) {
    const char *kind = conf_text(settings((quant *)(uintptr_t)q), "weights", "int8");
    return !strcmp(kind, "int4") ? 0.5 : !strcmp(kind, "int2") ? 0.25 : 1;
}

const quant_method method_quanto = {
    .name = "quanto",
    .names = SET("quanto"),
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .share = 0.9,
    .element = element,
    .finish = warn_of_dense_experts,
};
