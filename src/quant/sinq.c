/* SINQ: modules are exchanged for empty ones, which take their weights on loading. Mirrors integrations/sinq.py, transformers 5.23.0.
 * Nothing stays dense by default, the output embedding included. */
#include "quant.h"

enum { EMPTIED = 1 };

static void settle(quant *q) {
    const conf *c = settings(q);
    conf_int(c, "nbits", 4);
    conf_int(c, "group_size", 64);
    const char *how = conf_word(c, "method", "sinq", SET("sinq", "asinq"));
    if (!from_file(q) && !strcmp(how, "asinq")) conf_refuse(c, "method", "the calibrated form is made elsewhere");
}
static void start(quant *q) {
    skip_only(q, "modules_to_not_convert", conf_names(settings(q), "modules_to_not_convert"));
    note_warning(q, "the tree has no tensors for these modules before they are loaded: sizes are those of what stays dense");
}
static int64_t takes(quant *q, const mod *m, const char *path) { return is_linear(m) && !skipped(q, path) ? EMPTIED : LEAVE; }
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)q, (void)from, (void)kind;
    becomes(to, "SINQLinear");
    extra_repr(to, NULL);
}

const quant_method method_sinq = {
    .name = "sinq",
    .names = SET("sinq"),
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
};
