/* tare_model_budget(): options checked, then counted. */
#include "plan.h"

static bool dtype_read(const char *name, const char *what, int *out, tare_error *err) {
    const char *word = name ? dtype_word(name) : NULL;
    *out = word ? dtype_number(word) : -1;
    if (!name || *out >= 0) return true;
    error_set(err, TARE_USAGE, "usage", NULL, "\"%.60s\" is no dtype that %s can have: say float32, bfloat16, float8_e4m3fn, ...", name, what);
    return false;
}
static bool optimizer_read(const char *name, const optimizer **out, tare_error *err) {
    *out = name ? optimizer_find(name) : NULL;
    if (!name || *out) return true;
    error_set(err, TARE_USAGE, "usage", NULL, "\"%.60s\" is no optimizer that is known: adamw, sgd or sgd-momentum", name);
    return false;
}
bool budget_ask_of(budget_ask *a, const tare_budget_options *o, tare_error *err) {
    *a = (budget_ask){.context = o->context, .batch = o->batch ? o->batch : 1, .source = o->source, .logits = o->logits,
                      .activations = o->activations};
    if (!dtype_read(o->kv_dtype, "a cache", &a->kv, err) || !dtype_read(o->file_dtype, "a file", &a->file, err)) return false;
    if (!optimizer_read(o->optimizer, &a->optimizer, err)) return false;
    if (o->activations && o->optimizer)
        error_set(err, TARE_USAGE, "usage", NULL, "activations are estimated for a forward pass alone, not for training");
    else if (o->activations && !o->context) error_set(err, TARE_USAGE, "usage", NULL, "activations need a context, a number of tokens");
    else return true;
    return false;
}
tare_status tare_model_budget(const tare_model *m, const tare_budget_options *options, tare_budget *out, tare_error *err) {
    tare_budget_options none = {0};
    tare_error why = {0};
    budget_ask a;
    if (budget_ask_of(&a, options ? options : &none, &why)) {
        budget_of(m->root, &a, out);
        return TARE_OK;
    }
    if (err) *err = why;
    return why.status;
}
