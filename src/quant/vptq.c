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
static void start(quant *q) {
    skip_names(q, "modules_to_not_convert", conf_names(settings(q), "modules_to_not_convert"), false);
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    if (!is_linear(m) || skipped(q, path)) return LEAVE;
    if (strchr(path, '.'))
        quant_refuse(q, "unsupported_quantization", "the reference fails on %s (KeyError), which is not the model's own child", path);
    else quant_refuse(q, "unsupported_quantization", "what %s would hold depends on a package that is not known here", path);
    return LEAVE;
}

const quant_method method_vptq = {
    .name = "vptq",
    .names = SET("vptq"),
    .not_asked = "it is made elsewhere; the reference loads it only",
    .settle = settle,
    .start = start,
    .takes = takes,
};
