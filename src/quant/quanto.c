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
static int64_t takes(quant *q, const mod *m, const char *path) {
    const bool *activations = state(q);
    bool norm = *activations && is_layernorm(m);
    if ((!norm && !is_linear(m)) || skipped(q, path)) return LEAVE;
    return norm ? NORM : LINEAR;
}
/* Bytes with a scale for a row, as optimum-quanto names them in a state dict. Fewer bits lie in ways that depend on the device. */
static int bytes_of(const quant *q) {
    const char *kind = conf_text(settings((quant *)(uintptr_t)q), "weights", "int8");
    return !strcmp(kind, "int8") ? DT_I8 : !strcmp(kind, "float8") ? DT_F8_E4M3 : DT_DEFAULT;
}
static void quantised(quant *q, mod *to, const mod *from) {
    int64_t out = out_features(from), in = in_features(from);
    freeze(stored_in(param(to, "weight._data", EMPTY, out, in), bytes_of(q)));
    freeze(param(to, "weight._scale", EMPTY, out, 1));
    keep_param(to, from, "bias");
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    becomes(to, kind == NORM ? "QLayerNorm" : "QLinear");
    if (in_files(q) && kind == LINEAR && bytes_of(q) != DT_DEFAULT) quantised(q, to, from);
    else keep_tensors(to, from);
    buffer_scalar(to, "input_scale", ONES, DT_DEFAULT, PERSISTENT);
    buffer_scalar(to, "output_scale", ONES, DT_DEFAULT, PERSISTENT);
}

static double element(const quant *q) {
    const char *kind = conf_text(settings((quant *)(uintptr_t)q), "weights", "int8");
    return !strcmp(kind, "int4") ? 0.5 : !strcmp(kind, "int2") ? 0.25 : 1;
}

static void finish(quant *q) {
    warn_of_dense_experts(q);
    if (in_files(q) && bytes_of(q) == DT_DEFAULT) note_warning(q, "weights of less than 8 bits are counted as they are before they are quantised");
}

const quant_method method_quanto = {
    .name = "quanto",
    .names = SET("quanto"),
    .settle = settle,
    .start = skip_not_converted,
    .takes = takes,
    .make = make,
    .share = 0.9,
    .element = element,
    .finish = finish,
};
