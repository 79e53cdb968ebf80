/* What GenerationConfig.from_model_config refuses of a model's config. */
#include "builder.h"

static bool given(val v) { return v.kind != VAL_ABSENT && v.kind != VAL_NULL; }

bool generation_check(const cfg *c) {
    val n = cfg_get(c, "max_new_tokens"), weight = cfg_get(c, "assistant_ensemble_weight");
    bool number = n.kind == VAL_INT || n.kind == VAL_REAL || n.kind == VAL_BOOL;
    if (given(n) && (!number || (n.kind == VAL_INT ? n.i <= 0 : n.kind == VAL_REAL ? n.d <= 0 : !n.b))) cfg_refuse(c, "max_new_tokens", "bad_value", "generation needs a number above 0");
    if (given(cfg_get(c, "compile_config"))) cfg_refuse(c, "compile_config", "bad_value", "a model config cannot hold it");
    if (given(weight) && !(weight.kind == VAL_REAL && weight.d > 0 && weight.d < 1)) cfg_refuse(c, "assistant_ensemble_weight", "bad_value", "a number between 0 and 1 is needed");
    cfg_text_config(c, true); /* its values complete the outer ones */
    return session_ok(c->s);
}
