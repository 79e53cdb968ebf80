/* SpQR: transformers 5.23.0 fails on every linear layer below the first level of the model, so that a tree comes about only where nothing
 * is quantised. Mirrors integrations/spqr.py. */
#include "quant.h"

static void settle(quant *q) {
    const conf *c = settings(q);
    if (conf_int(c, "bits", 3) != 3) conf_refuse(c, "bits", "known is 3");
    if (conf_int(c, "beta1", 16) != 16) conf_refuse(c, "beta1", "known is 16");
    if (conf_int(c, "beta2", 16) != 16) conf_refuse(c, "beta2", "known is 16");
    conf_part(c, "shapes");
}
/* Float16 or nothing. */
static int dtype(quant *q, int asked) {
    if (asked != DT_F16) quant_refuse(q, "unsupported_quantization", "its models are built in float16 alone");
    return asked;
}

const quant_method method_spqr = {
    .name = "spqr",
    .names = SET("spqr"),
    .not_asked = "it is made elsewhere; the reference loads it only",
    .settle = settle,
    .dtype = dtype,
    .start = skip_not_converted,
    .takes = refuse_linears,
};
