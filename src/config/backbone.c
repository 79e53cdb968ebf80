/* Backbone configs: which stages a vision backbone gives out, by name or by index; one follows from the other. */
#include "backbone.h"
#include "json.h"
#include <string.h>

static int64_t stage_of(val stages, val name) {
    for (uint32_t i = 0; i < stages.n; i++)
        if (val_equal(stages.items[i], name)) return i;
    return -1;
}
static bool check_features(cfg *c, val stages, val features) {
    int64_t last = -1;
    if (features.kind != VAL_LIST) return cfg_refuse(c, "_out_features", "bad_type", "out_features is a list of stage names"), false;
    for (uint32_t i = 0; i < features.n; i++) {
        int64_t at = stage_of(stages, features.items[i]);
        if (at < 0) {
            cfg_refuse(c, "_out_features", "bad_value", "out_features item %u is none of the stages %s", i, json_short(c->s->a, stages, 120));
            return false;
        }
        if (at <= last) return cfg_refuse(c, "_out_features", "bad_value", "out_features names stages once and in their order"), false;
        last = at;
    }
    return true;
}
/* Python's True and False are ints. */
static int64_t index_of(val v) { return v.kind == VAL_BOOL ? v.b : v.i; }
static bool check_indices(cfg *c, val stages, val indices) {
    int64_t last = -1;
    if (indices.kind != VAL_LIST) return cfg_refuse(c, "_out_indices", "bad_type", "out_indices is a list of ints"), false;
    for (uint32_t i = 0; i < indices.n; i++) {
        val v = indices.items[i];
        if (v.kind != VAL_INT && v.kind != VAL_BOOL) return cfg_refuse(c, "_out_indices", "bad_type", "out_indices is a list of ints"), false;
        /* Python's modulo: any negative number lands on a stage */
        int64_t at = index_of(v) < 0 ? ((v.i % stages.n) + stages.n) % stages.n : index_of(v);
        if (at >= stages.n) return cfg_refuse(c, "_out_indices", "bad_value", "there are %u stages", stages.n), false;
        if (at <= last) return cfg_refuse(c, "_out_indices", "bad_value", "out_indices names stages once and in their order"), false;
        last = at;
    }
    return true;
}
static bool check(cfg *c, val stages) {
    val features = cfg_get(c, "_out_features"), indices = cfg_get(c, "_out_indices");
    if (features.kind != VAL_NULL && !check_features(c, stages, features)) return false;
    if (indices.kind != VAL_NULL && !check_indices(c, stages, indices)) return false;
    if (features.kind == VAL_NULL || indices.kind == VAL_NULL) return true;
    bool agree = features.n == indices.n;
    for (uint32_t i = 0; agree && i < indices.n; i++) {
        int64_t at = index_of(indices.items[i]);
        if (at < 0) at += stages.n;
        agree = at >= 0 && at < stages.n && val_equal(stages.items[at], features.items[i]);
    }
    if (!agree) cfg_refuse(c, "_out_indices", "bad_value", "out_features and out_indices name different stages");
    return agree;
}

bool backbone_check(cfg *c) {
    val stages = cfg_get(c, "stage_names");
    if (stages.kind == VAL_LIST && stages.n) return check(c, stages);
    cfg_refuse(c, "stage_names", "missing_key", "a backbone needs the names of its stages");
    return false;
}

static val names_of(cfg *c, val stages, val indices) {
    val *items = arena_array(c->s->a, indices.n, sizeof *items);
    for (uint32_t i = 0; i < indices.n; i++) {
        int64_t at = index_of(indices.items[i]);
        if (at < 0) at += stages.n;
        if (at < 0) cfg_refuse(c, "_out_indices", "bad_value", "there are %u stages", stages.n);
        else items[i] = stages.items[at];
    }
    return (val){.kind = VAL_LIST, .n = indices.n, .items = items};
}
static val indices_of(cfg *c, val stages, val features) {
    val *items = arena_array(c->s->a, features.n, sizeof *items);
    for (uint32_t i = 0; i < features.n; i++) items[i] = val_int(stage_of(stages, features.items[i]));
    return (val){.kind = VAL_LIST, .n = features.n, .items = items};
}
void backbone_settle(cfg *c, val features, val indices) {
    val stages = cfg_get(c, "stage_names");
    cfg_set(c, "_out_features", val_or(features, val_null()), TARE_FROM_FORMULA, "out_features");
    cfg_set(c, "_out_indices", val_or(indices, val_null()), TARE_FROM_FORMULA, "out_indices");
    if (!session_ok(c->s) || !backbone_check(c)) return;
    features = cfg_get(c, "_out_features");
    indices = cfg_get(c, "_out_indices");
    if (features.kind == VAL_NULL && indices.kind == VAL_NULL) {
        val last = val_int(stages.n - 1);
        indices = list_of(c->s->a, &last, 1);
        features = list_of(c->s->a, &stages.items[stages.n - 1], 1);
    } else if (indices.kind == VAL_NULL) indices = indices_of(c, stages, features);
    else if (features.kind == VAL_NULL) features = names_of(c, stages, indices);
    cfg_set(c, "_out_features", features, TARE_FROM_FORMULA, "out_features");
    cfg_set(c, "_out_indices", indices, TARE_FROM_FORMULA, "out_indices");
    if (session_ok(c->s)) check(c, stages);
}
