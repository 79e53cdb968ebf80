/* Rotary parameters: old spellings made one dict, per layer type where the config says so, checked. */
#include "rules_impl.h"
#include <math.h>

static bool is_label(const cfg *c, const char *key) {
    val labels = cfg_get(c, "_rope_type_labels");
    if (!val_true(labels)) labels = cfg_get(c, "layer_types");
    for (uint32_t i = 0; labels.kind == VAL_LIST && i < labels.n; i++)
        if (val_is(labels.items[i], key)) return true;
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
    return old->partial.kind == VAL_NULL ? rope : set_default(c, rope, "partial_rotary_factor", old->partial);
}

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
    val preset = val_or(dict_get(c->k->values, "default_theta"), val_real(10000.0));
    old_keys old = {
        .theta = val_or(left_take(c, "rope_theta"), val_or(cfg_get(c, "rope_theta"), preset)),
        .partial = val_or(left_take(c, "partial_rotary_factor"), val_or(cfg_get(c, "partial_rotary_factor"), val_null())),
    };
    if (!each_rope(c, &rope, add_old_keys, &old)) return;
    store_rope(c, rope);
    rope_standardize(c);
}

/* The types that stretch a model's length say from which: the config's own key, else their own, else the length itself. */
static val add_original_length(cfg *c, val rope) {
    static const char *const stretching[] = {"llama3", "yarn", "longrope", NULL};
    static const char key[] = "original_max_position_embeddings";
    if (!val_in(dict_get(rope, "rope_type"), stretching)) return rope;
    val original = cfg_get(c, key), most = cfg_get(c, "max_position_embeddings");
    if (original.kind != VAL_ABSENT && !nested(c, cfg_get(c, "rope_parameters"))) return dict_with(c->s->a, rope, key, original);
    if (dict_get(rope, key).kind != VAL_ABSENT) return rope;
    if (most.kind == VAL_ABSENT) cfg_refuse(c, "max_position_embeddings", "missing_key", "this rope type needs it");
    return dict_with(c->s->a, rope, key, most);
}
static val standard(cfg *c, val rope, void *with) {
    val preset = dict_get(c->k->values, "default_rope_type");
    rope = set_default(c, rope, "rope_type", val_or(dict_get(rope, "type"), val_text("default")));
    rope = add_old_keys(c, rope, with);
    if (preset.kind == VAL_TEXT && val_is(dict_get(rope, "rope_type"), "default")) rope = dict_with(c->s->a, rope, "rope_type", preset);
    return add_original_length(c, rope);
}
void rope_standardize(cfg *c) {
    val theta = val_or(cfg_get(c, "rope_theta"), val_null()), rope = cfg_get(c, "rope_parameters");
    old_keys old = {theta, val_or(cfg_get(c, "partial_rotary_factor"), val_null())};
    if (!val_true(rope) && !val_true(theta)) return;
    if (rope.kind != VAL_DICT) rope = (val){.kind = VAL_DICT};
    if (each_rope(c, &rope, standard, &old)) store_rope(c, rope);
}

/* ---- validation ---- */

static const char *const *needed_keys(val type) {
    static const struct { const char *type, *keys[6]; } rows[] = {
        {"linear", {"factor"}},
        {"dynamic", {"factor"}},
        {"yarn", {"factor", "original_max_position_embeddings"}},
        {"longrope", {"short_factor", "long_factor", "original_max_position_embeddings"}},
        {"llama3", {"factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor", "rope_theta"}},
        {"proportional", {"rope_theta"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (val_is(type, rows[i].type)) return rows[i].keys;
    return NULL;
}
static bool is_number(val v) {
    double d;
    return val_number(v, &d);
}
/* What the reference calculates with: anything but a number is refused there by accident, here in words. 1 after an error. */
static double needed(const cfg *c, val rope, const char *key) {
    double d = 1;
    if (!val_number(dict_get(rope, key), &d)) cfg_refuse(c, "rope_parameters", "bad_type", "its %s has to be a number", key);
    return d;
}
static void need_length(const cfg *c) {
    if (!is_number(cfg_get(c, "max_position_embeddings"))) cfg_refuse(c, "max_position_embeddings", "bad_type", "a number is needed");
}
static void validate_llama3(const cfg *c, val rope) {
    needed(c, rope, "high_freq_factor");
    needed(c, rope, "low_freq_factor");
    needed(c, rope, "original_max_position_embeddings");
    need_length(c);
}
static void validate_yarn(const cfg *c, val rope) {
    if (val_true(dict_get(rope, "beta_fast"))) needed(c, rope, "beta_fast");
    if (val_true(dict_get(rope, "beta_slow"))) needed(c, rope, "beta_slow");
    if (needed(c, rope, "original_max_position_embeddings") == 0)
        cfg_refuse(c, "rope_parameters", "bad_value", "its original_max_position_embeddings is 0");
    need_length(c);
}
/* The reference counts the factors and works out how many there should be, only to warn: whatever has a length passes. */
static void validate_longrope(const cfg *c, val rope) {
    static const char *const keys[] = {"short_factor", "long_factor"};
    val heads = cfg_get(c, "num_attention_heads"), head = cfg_get(c, "head_dim");
    for (int i = 0; i < 2; i++) {
        val v = dict_get(rope, keys[i]);
        if (v.kind != VAL_LIST && v.kind != VAL_TEXT && v.kind != VAL_DICT)
            cfg_refuse(c, "rope_parameters", "bad_type", "its %s has to be a list of numbers", keys[i]);
    }
    if (!is_number(cfg_get(c, "hidden_size"))) cfg_refuse(c, "hidden_size", "bad_type", "rope_type \"longrope\" needs a number");
    if (!val_true(heads) || !is_number(heads))
        cfg_refuse(c, "num_attention_heads", "bad_type", "rope_type \"longrope\" needs a number other than 0");
    if (head.kind != VAL_ABSENT && !is_number(head)) cfg_refuse(c, "head_dim", "bad_type", "rope_type \"longrope\" needs a number");
    if (dict_get(rope, "partial_rotary_factor").kind != VAL_ABSENT) needed(c, rope, "partial_rotary_factor");
}
/* An odd head that rotates whole is refused; heads of up to 4 escape the reference's test. */
static void validate_head(const cfg *c, val rope) {
    val head = cfg_get(c, "head_dim"), share = val_or(dict_get(rope, "partial_rotary_factor"), val_real(1.0));
    double size, part;
    if (!val_given(head)) return;
    if (!val_number(head, &size)) cfg_refuse(c, "head_dim", "bad_type", "a number is needed");
    else if (!(size > 4 && fmod(size, 2) != 0)) return;
    else if (!val_number(share, &part)) cfg_refuse(c, "rope_parameters", "bad_type", "its partial_rotary_factor has to be a number");
    else if (trunc(size * part) == size) cfg_refuse(c, "head_dim", "bad_value", "rotary embeddings need an even number of dimensions");
}
static val validate_one(cfg *c, val rope, void *with) {
    (void)with;
    val type = val_or(dict_get(rope, "rope_type"), val_or(dict_get(rope, "type"), val_text("default")));
    for (const char *const *key = needed_keys(type); key && *key; key++)
        if (dict_get(rope, *key).kind == VAL_ABSENT)
            cfg_refuse(c, "rope_parameters", "missing_key", "rope_type \"%s\" needs %s", type.s, *key);
    if (val_is(type, "llama3")) validate_llama3(c, rope);
    else if (val_is(type, "yarn")) validate_yarn(c, rope);
    else if (val_is(type, "longrope")) validate_longrope(c, rope);
    validate_head(c, rope);
    return set_default(c, rope, "rope_type", type);
}
void rope_validate(const cfg *c) {
    val rope = cfg_get(c, "rope_parameters");
    cfg *mine = (cfg *)c; /* the reference writes rope_type back while it validates */
    if (!val_true(rope)) return;
    if (rope.kind != VAL_DICT) cfg_refuse(c, "rope_parameters", "bad_type", "rotary parameters are an object");
    else if (each_rope(mine, &rope, validate_one, NULL)) store_rope(mine, rope);
}
