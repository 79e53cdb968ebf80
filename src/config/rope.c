/* Rotary parameters: old spellings made one dict, per layer type where the config says so, checked. */
#include "cfg.h"
#include "json.h"
#include "rules_impl.h"
#include <math.h>
#include <string.h>

static bool is_label(const cfg *c, const char *key) {
    val labels = cfg_get(c, "_rope_type_labels");
    if (!val_true(labels)) labels = cfg_get(c, "layer_types");
    for (uint32_t i = 0; labels.kind == VAL_LIST && i < labels.n; i++)
        if (val_equal(labels.items[i], val_text(key))) return true;
    return false;
}
static bool nested(const cfg *c, val rope) {
    for (uint32_t i = 0; rope.kind == VAL_DICT && i < rope.n; i++)
        if (is_label(c, rope.members[i].key)) return true;
    return false;
}
static val set_default(cfg *c, val d, const char *key, val v) {
    return dict_get(d, key).kind == VAL_ABSENT ? dict_with(c->s->a, d, key, v) : d;
}
static void store_rope(cfg *c, val rope) {
    cfg_entry *e = cfg_entry_of(c, "rope_parameters");
    if (e && e->v.kind == VAL_DICT && e->v.members == rope.members) return;
    if (e && e->origin != TARE_FROM_DEFAULT) e->v = rope; /* completed, not replaced: the origin stays */
    else cfg_set(c, "rope_parameters", rope, TARE_FROM_FORMULA, "completed with defaults");
}

/* Applies fn to the flat dict, or to each layer type's. False after an error. */
typedef val (*rope_step)(cfg *c, val rope, void *with);
static bool each_rope(cfg *c, val *rope, rope_step fn, void *with) {
    if (!nested(c, *rope)) {
        *rope = fn(c, *rope, with);
        return session_ok(c->s);
    }
    val all = *rope;
    for (uint32_t i = 0; i < all.n; i++) {
        const char *key = all.members[i].key;
        val one = all.members[i].v;
        if (!is_label(c, key) || one.kind == VAL_NULL) continue;
        if (one.kind != VAL_DICT) {
            cfg_refuse(c, "rope_parameters", "bad_type", "its entry \"%s\" has to be an object", key);
            return false;
        }
        *rope = dict_with(c->s->a, *rope, key, fn(c, one, with));
    }
    return session_ok(c->s);
}

typedef struct old_keys { val theta, partial; } old_keys;
static val add_old_keys(cfg *c, val rope, void *with) {
    old_keys *old = with;
    rope = set_default(c, rope, "rope_theta", old->theta);
    if (old->partial.kind != VAL_NULL) rope = set_default(c, rope, "partial_rotary_factor", old->partial);
    return rope;
}
static val present(val v, val other) { return v.kind == VAL_ABSENT ? other : v; }

void rope_convert(cfg *c) {
    val scaling = left_take(c, "rope_scaling"), rope = cfg_get(c, "rope_parameters");
    if (val_true(scaling)) {
        cfg_set(c, "rope_parameters", scaling, TARE_FROM_LEGACY, "rope_scaling");
        if (!session_ok(c->s)) return;
        rope = scaling;
    }
    if (rope.kind != VAL_DICT && val_true(rope)) {
        cfg_refuse(c, "rope_parameters", "bad_type", "rotary parameters are an object");
        return;
    }
    if (rope.kind != VAL_DICT) rope = (val){.kind = VAL_DICT};
    val preset = present(dict_get(c->k->values, "default_theta"), val_real(10000.0));
    old_keys old = {
        .theta = present(left_take(c, "rope_theta"), present(cfg_get(c, "rope_theta"), preset)),
        .partial = present(left_take(c, "partial_rotary_factor"), present(cfg_get(c, "partial_rotary_factor"), val_null())),
    };
    if (!each_rope(c, &rope, add_old_keys, &old)) return;
    store_rope(c, rope);
    rope_standardize(c);
}

static bool long_range(val type) {
    return val_equal(type, val_text("llama3")) || val_equal(type, val_text("yarn")) || val_equal(type, val_text("longrope"));
}
static val standard(cfg *c, val rope, void *with) {
    old_keys *old = with;
    rope = set_default(c, rope, "rope_type", present(dict_get(rope, "type"), val_text("default")));
    rope = add_old_keys(c, rope, old);
    val preset = dict_get(c->k->values, "default_rope_type");
    if (preset.kind == VAL_TEXT && val_equal(dict_get(rope, "rope_type"), val_text("default"))) rope = dict_with(c->s->a, rope, "rope_type", preset);
    if (!long_range(dict_get(rope, "rope_type"))) return rope;
    val original = cfg_get(c, "original_max_position_embeddings"), most = cfg_get(c, "max_position_embeddings");
    if (original.kind != VAL_ABSENT && !nested(c, cfg_get(c, "rope_parameters"))) return dict_with(c->s->a, rope, "original_max_position_embeddings", original);
    if (dict_get(rope, "original_max_position_embeddings").kind != VAL_ABSENT) return rope;
    if (most.kind == VAL_ABSENT) {
        cfg_refuse(c, "max_position_embeddings", "missing_key", "this rope type needs it");
        return rope;
    }
    return dict_with(c->s->a, rope, "original_max_position_embeddings", most);
}
void rope_standardize(cfg *c) {
    val theta = present(cfg_get(c, "rope_theta"), val_null()), rope = cfg_get(c, "rope_parameters");
    old_keys old = {theta, present(cfg_get(c, "partial_rotary_factor"), val_null())};
    if (!val_true(rope) && !val_true(theta)) return;
    if (rope.kind != VAL_DICT) rope = (val){.kind = VAL_DICT};
    if (each_rope(c, &rope, standard, &old)) store_rope(c, rope);
}

/* ---- validation ---- */

static bool number(val v, double *d) {
    if (v.kind == VAL_INT) return *d = (double)v.i, true;
    if (v.kind == VAL_REAL) return *d = v.d, true;
    if (v.kind == VAL_BOOL) return *d = v.b, true;
    return false;
}
static const char *const *needed_keys(val type) {
    static const char *const linear[] = {"factor", NULL}, *const yarn[] = {"factor", "original_max_position_embeddings", NULL},
                            *const longrope[] = {"short_factor", "long_factor", "original_max_position_embeddings", NULL},
                            *const llama3[] = {"factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor", "rope_theta", NULL},
                            *const proportional[] = {"rope_theta", NULL};
    static const struct { const char *type; const char *const *keys; } rows[] = {{"linear", linear}, {"dynamic", linear}, {"yarn", yarn}, {"longrope", longrope}, {"llama3", llama3}, {"proportional", proportional}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (val_equal(type, val_text(rows[i].type))) return rows[i].keys;
    return NULL;
}
/* Two numbers that the reference compares: anything else is refused there by accident, here in words. */
static void comparable(const cfg *c, val rope, const char *key, double *d) {
    val v = dict_get(rope, key);
    if (!number(v, d)) cfg_refuse(c, "rope_parameters", "bad_type", "its %s has to be a number", key);
}
/* The reference counts the factors and works out how many there should be, only to warn: whatever has a length passes. */
static void validate_longrope(const cfg *c, val rope) {
    static const char *const keys[] = {"short_factor", "long_factor"};
    val heads = cfg_get(c, "num_attention_heads"), head = cfg_get(c, "head_dim");
    double size, share = 1;
    for (int i = 0; i < 2; i++) {
        val v = dict_get(rope, keys[i]);
        if (v.kind != VAL_LIST && v.kind != VAL_TEXT && v.kind != VAL_DICT) cfg_refuse(c, "rope_parameters", "bad_type", "its %s has to be a list of numbers", keys[i]);
    }
    if (!number(cfg_get(c, "hidden_size"), &size)) cfg_refuse(c, "hidden_size", "bad_type", "rope_type \"longrope\" needs a number");
    if (!val_true(heads) || !number(heads, &size)) cfg_refuse(c, "num_attention_heads", "bad_type", "rope_type \"longrope\" needs a number other than 0");
    if (head.kind != VAL_ABSENT && !number(head, &size)) cfg_refuse(c, "head_dim", "bad_type", "rope_type \"longrope\" needs a number");
    if (dict_get(rope, "partial_rotary_factor").kind != VAL_ABSENT) comparable(c, rope, "partial_rotary_factor", &share);
}
static void validate_type(const cfg *c, val rope, val type) {
    double low, high, original, most, beta[2] = {32, 1};
    val length = cfg_get(c, "max_position_embeddings");
    if (val_equal(type, val_text("llama3"))) {
        comparable(c, rope, "high_freq_factor", &high);
        comparable(c, rope, "low_freq_factor", &low);
        comparable(c, rope, "original_max_position_embeddings", &original);
        if (!number(length, &most)) cfg_refuse(c, "max_position_embeddings", "bad_type", "a number is needed");
    } else if (val_equal(type, val_text("yarn"))) {
        static const char *const keys[] = {"beta_fast", "beta_slow"};
        for (int i = 0; i < 2; i++)
            if (val_true(dict_get(rope, keys[i])) && !number(dict_get(rope, keys[i]), &beta[i])) cfg_refuse(c, "rope_parameters", "bad_type", "its %s has to be a number", keys[i]);
        comparable(c, rope, "original_max_position_embeddings", &original);
        if (session_ok(c->s) && original == 0) cfg_refuse(c, "rope_parameters", "bad_value", "its original_max_position_embeddings is 0");
        if (!number(length, &most)) cfg_refuse(c, "max_position_embeddings", "bad_type", "a number is needed");
    } else if (val_equal(type, val_text("longrope"))) {
        validate_longrope(c, rope);
    }
}
static val validate_one(cfg *c, val rope, void *with) {
    (void)with;
    val type = present(dict_get(rope, "rope_type"), present(dict_get(rope, "type"), val_text("default")));
    for (const char *const *key = needed_keys(type); key && *key; key++)
        if (dict_get(rope, *key).kind == VAL_ABSENT) cfg_refuse(c, "rope_parameters", "missing_key", "rope_type \"%s\" needs %s", type.s, *key);
    if (session_ok(c->s)) validate_type(c, rope, type);
    val head = cfg_get(c, "head_dim"), share = present(dict_get(rope, "partial_rotary_factor"), val_real(1.0));
    double dim, part;
    if (head.kind != VAL_ABSENT && head.kind != VAL_NULL && session_ok(c->s)) {
        if (!number(head, &dim)) cfg_refuse(c, "head_dim", "bad_type", "a number is needed");
        else if (dim > 4 && fmod(dim, 2) != 0) {
            if (!number(share, &part)) cfg_refuse(c, "rope_parameters", "bad_type", "its partial_rotary_factor has to be a number");
            else if (trunc(dim * part) == dim) cfg_refuse(c, "head_dim", "bad_value", "rotary embeddings need an even number of dimensions");
        }
    }
    return dict_get(rope, "rope_type").kind == VAL_ABSENT ? dict_with(c->s->a, rope, "rope_type", type) : rope;
}
void rope_validate(const cfg *c) {
    val rope = cfg_get(c, "rope_parameters");
    if (!val_true(rope)) return;
    if (rope.kind != VAL_DICT) {
        cfg_refuse(c, "rope_parameters", "bad_type", "rotary parameters are an object");
        return;
    }
    cfg *mine = (cfg *)c; /* the reference writes rope_type back while it validates */
    if (each_rope(mine, &rope, validate_one, NULL)) store_rope(mine, rope);
}
