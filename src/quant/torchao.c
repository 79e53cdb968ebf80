/* torchao: weights become other kinds of tensors when they are loaded; before that the tree is the plain one. Mirrors
 * quantizers/quantizer_torchao.py, transformers 5.23.0. */
#include "quant.h"

static void settle(quant *q) {
    const conf *c = settings(q);
    if (!from_file(q)) return;
    conf type = conf_part(c, "quant_type");
    if (conf_get(c, "quant_type").kind == VAL_TEXT) conf_refuse(c, "quant_type", "names of types have been removed: an object is needed");
    if (type.d.n != 1 || conf_get(&type, "default").kind != VAL_DICT)
        conf_refuse(c, "quant_type", "an object with the one key \"default\" is needed");
}
static void start(quant *q) { note_warning(q, "weights are as they are in the model until they are loaded: sizes are those of the plain tree"); }

const quant_method method_torchao = {
    .name = "torchao",
    .names = SET("torchao"),
    .settle = settle,
    .start = start,
    .share = 0.9,
};
