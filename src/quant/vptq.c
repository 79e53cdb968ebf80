/* VPTQ: transformers 5.23.0 fails on every linear layer below the first level of the model, so that a tree comes about only where nothing
 * is quantised. Mirrors integrations/vptq.py. */
#include "quant.h"

static void settle(quant *q) {
    const conf *c = settings(q);
    conf_part(c, "config_for_layers");
    conf_part(c, "shared_layer_config");
    val proxy = conf_get(c, "enable_proxy_error");
    if (proxy.kind == VAL_BOOL && proxy.b) conf_refuse(c, "enable_proxy_error", "it has to be false: training is not supported");
}

const quant_method method_vptq = {
    .name = "vptq",
    .names = SET("vptq"),
    .not_asked = "it is made elsewhere; the reference loads it only",
    .settle = settle,
    .start = skip_not_converted,
    .takes = refuse_linears,
};
