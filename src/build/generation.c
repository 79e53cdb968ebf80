/* What GenerationConfig.from_model_config refuses of a model's config. */
#include "builder.h"

static bool hashable(val v) {
    for (uint32_t i = 0; v.kind == VAL_LIST && i < v.n; i++)
        if (v.items[i].kind == VAL_LIST || v.items[i].kind == VAL_DICT) return false;
    return true;
}
static bool is_cache(val v) {
    static const char *const names[] = {
        "static", "offloaded_static", "sliding_window", "hybrid", "hybrid_chunked", "offloaded_hybrid", "offloaded_hybrid_chunked",
        "dynamic", "offloaded", "quantized", "paged", NULL,
    };
    return val_in(v, names);
}
static void check_kinds(const cfg *c) {
    val pad = cfg_get(c, "pad_token_id"), cache = cfg_get(c, "cache_implementation"), watermark = cfg_get(c, "watermarking_config");
    if (pad.kind > VAL_REAL) cfg_refuse(c, "pad_token_id", "bad_type", "generation needs a number, or null");
    if (val_given(cache) && !is_cache(cache))
        cfg_refuse(c, "cache_implementation", "bad_value", "it is no cache of generation: static, dynamic, offloaded, quantized, ...");
    if (val_given(watermark) && watermark.kind != VAL_DICT) cfg_refuse(c, "watermarking_config", "bad_type", "an object is needed");
    if (!hashable(cfg_get(c, "suppress_tokens"))) cfg_refuse(c, "suppress_tokens", "bad_type", "a list of ints is needed");
}
bool generation_check(const cfg *c) {
    val n = cfg_get(c, "max_new_tokens"), weight = cfg_get(c, "assistant_ensemble_weight");
    double tokens;
    if (val_given(n) && (!val_number(n, &tokens) || tokens <= 0))
        cfg_refuse(c, "max_new_tokens", "bad_value", "generation needs a number above 0");
    if (val_given(cfg_get(c, "compile_config"))) cfg_refuse(c, "compile_config", "bad_value", "a model config cannot hold it");
    if (val_given(weight) && !(weight.kind == VAL_REAL && weight.d > 0 && weight.d < 1))
        cfg_refuse(c, "assistant_ensemble_weight", "bad_value", "a number between 0 and 1 is needed");
    check_kinds(c);
    cfg_text_config(c, true); /* its values complete the outer ones */
    return session_ok(c->s);
}
