/* A config object's attributes: read, written and refused as the reference does. */
#include "cfg.h"
#include "json.h"
#include "rules_impl.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* ---- storage ---- */

static const char *real_key(const cfg *c, const char *key) {
    val v = dict_get(c->k->aliases, key);
    return v.kind == VAL_TEXT ? v.s : key;
}
static cfg_entry *find(const cfg *c, const char *key, uint32_t hash) {
    for (uint32_t i = 0; i < c->n; i++)
        if (c->entries[i].hash == hash && !strcmp(c->entries[i].key, key)) return &c->entries[i];
    return NULL;
}
/* Definitions ask for the same few literals again and again, so where each was found is remembered by its address. */
cfg_entry *cfg_entry_of(const cfg *c, const char *key) {
    uintptr_t address = (uintptr_t)key;
    _Atomic uint8_t *hint = &((cfg *)c)->hints[(address ^ address >> 6) % 64];
    unsigned at = atomic_load_explicit(hint, memory_order_relaxed);
    if (at && at <= c->n && same_word(c->entries[at - 1].key, key)) return &c->entries[at - 1];
    const char *real = real_key(c, key);
    cfg_entry *e = find(c, real, hash_text(real));
    if (e && real == key && e - c->entries < UINT8_MAX) atomic_store_explicit(hint, (uint8_t)(e - c->entries + 1), memory_order_relaxed);
    return e;
}
static cfg_entry *store(cfg *c, const char *key, uint32_t hash, val v, tare_origin origin, const char *detail, bool known) {
    cfg_entry *e = find(c, key, hash);
    if (!e) {
        if (c->n == c->cap) {
            uint32_t cap = c->cap ? c->cap * 2 : 64;
            cfg_entry *bigger = arena_array(c->s->a, cap, sizeof *bigger);
            if (c->n) memcpy(bigger, c->entries, c->n * sizeof *bigger);
            c->entries = bigger;
            c->cap = cap;
        }
        e = &c->entries[c->n++];
        *e = (cfg_entry){.key = key, .hash = hash};
    }
    e->v = v;
    e->origin = (uint8_t)origin;
    e->detail = detail;
    e->known |= known;
    return e;
}

/* ---- errors ---- */

/* The key as the file spells it: definitions may ask by an alias, and so may the file. */
static const char *spelling(const cfg *c, const char *key) {
    const cfg_entry *e = cfg_entry_of(c, key);
    if (!e) return key;
    return (e->origin == TARE_FROM_ALIAS || e->origin == TARE_FROM_LEGACY) && e->detail ? e->detail : e->key;
}
void cfg_refuse(const cfg *c, const char *key, const char *code, const char *format, ...) {
    session *s = c->s;
    if (!session_ok(s)) return;
    const char *path = key ? arena_printf(s->a, "%s.%s", c->path, spelling(c, key)) : c->path;
    va_list args;
    va_start(args, format);
    char why[512];
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    val v = key ? val_or(cfg_get(c, key), left_get(c, key)) : (val){0};
    if (!key || v.kind == VAL_CFG) error_set(&s->err, TARE_BAD, code, path, "%s: %s", path, why);
    else if (v.kind == VAL_ABSENT) error_set(&s->err, TARE_BAD, code, path, "%s is missing: %s", path, why);
    else error_set(&s->err, TARE_BAD, code, path, "%s is %s: %s", path, json_short(s->a, v, 80), why);
}

/* ---- getattr ---- */

static val property(const cfg *c, const char *key) {
    if (same_word(key, "num_labels")) {
        val labels = cfg_get(c, "id2label");
        return labels.kind == VAL_DICT ? val_int(labels.n) : val_null();
    }
    if (same_word(key, "rope_scaling")) return cfg_get(c, "rope_parameters");
    if (same_word(key, "torch_dtype")) return cfg_get(c, "dtype");
    if (same_word(key, "use_return_dict")) return cfg_get(c, "return_dict");
    if (same_word(key, "output_attentions")) return c->output_attentions;
    if (same_word(key, "_attn_implementation")) return c->attn;
    if (same_word(key, "_experts_implementation")) return c->experts;
    if (same_word(key, "name_or_path") || same_word(key, "_name_or_path")) return c->name_or_path;
    if (same_word(key, "model_type")) return val_text(c->k->model_type);
    return dict_get(c->k->values, key);
}
val cfg_get(const cfg *c, const char *key) {
    cfg_entry *e = cfg_entry_of(c, key);
    return e ? e->v : property(c, key);
}

val cfg_computed(cfg *c, const char *key) {
    const config_class *rules = c->k->rules;
    return rules && rules->computed ? rules->computed(c, real_key(c, key)) : (val){0};
}

/* ---- setattr ---- */

static bool in_range(val check, val v) {
    double d = 0, least, most;
    bool number = val_number(v, &d);
    if (val_true(dict_get(check, "probability"))) return number && d >= 0 && d <= 1;
    if (val_number(dict_get(check, "min"), &least)) {
        bool fits = val_true(dict_get(check, "exclude_min")) ? d > least : d >= least;
        if (!number || !fits) return false;
    }
    if (val_number(dict_get(check, "max"), &most)) {
        bool fits = val_true(dict_get(check, "exclude_max")) ? d < most : d <= most;
        if (!number || !fits) return false;
    }
    return true;
}
bool cfg_takes(const cfg *c, const cfield *f, val v) {
    session *s = c->s;
    bool typed = type_takes(&f->type, v);
    if (typed && (f->check.kind == VAL_ABSENT || in_range(f->check, v))) return true;
    const char *path = arena_printf(s->a, "%s.%s", c->path, f->key), *shown = json_short(s->a, v, 80);
    if (!typed)
        error_set(&s->err, TARE_BAD, "bad_type", path, "%s is %s (%s): %s takes %s here", path, shown, val_type(v), c->k->name, f->type_text);
    else
        error_set(&s->err, TARE_BAD, "bad_value", path, "%s is %s: %s takes values within %s", path, shown, c->k->name,
            json_short(s->a, f->check, 80));
    return false;
}
static bool readonly(const cfg *c, const char *key) {
    for (uint32_t i = 0; i < c->k->readonly.n && c->k->readonly.kind == VAL_LIST; i++)
        if (val_is(c->k->readonly.items[i], key)) return true;
    return false;
}
static void set_output_attentions(cfg *c, val v) {
    if (val_true(v) && c->attn.kind == VAL_NULL) cfg_attn(c, val_text("eager"));
    if (val_true(v) && !val_is(c->attn, "eager"))
        cfg_refuse(c, "output_attentions", "bad_value", "it needs attn_implementation \"eager\"");
    c->output_attentions = v;
}
/* Attributes that are properties in the reference; true: handled. */
static bool set_property(cfg *c, const char *key, val v, tare_origin origin) {
    if (!strcmp(key, "num_labels")) labels_count(c, v, origin);
    else if (!strcmp(key, "rope_scaling")) {
        cfg_set(c, "rope_parameters", v, TARE_FROM_LEGACY, key);
        if (c->done && v.kind != VAL_NULL) rope_standardize(c);
    } else if (!strcmp(key, "torch_dtype")) cfg_set(c, "dtype", v, TARE_FROM_LEGACY, key);
    else if (!strcmp(key, "output_attentions")) set_output_attentions(c, v);
    else if (!strcmp(key, "_output_attentions")) c->output_attentions = v; /* where the reference keeps it, past its check */
    else if (!strcmp(key, "_attn_implementation")) cfg_attn(c, v);
    else if (!strcmp(key, "_experts_implementation")) cfg_experts(c, v);
    else if (!strcmp(key, "name_or_path")) c->name_or_path = v;
    else if (readonly(c, key))
        cfg_refuse(c, NULL, "bad_value", "the key \"%s\" cannot be set: it is computed from other values by %s", key, c->k->name);
    else return false;
    return true;
}
void cfg_forget(cfg *c, const char *key) {
    cfg_entry *e = cfg_entry_of(c, key);
    if (!e) return;
    size_t after = c->n - 1 - (size_t)(e - c->entries);
    memmove(e, e + 1, after * sizeof *e);
    c->n--;
}
void cfg_set(cfg *c, const char *key, val v, tare_origin origin, const char *detail) {
    if (!session_ok(c->s)) return;
    uint32_t hash = hash_text(key);
    const cfield *f = class_field(c->k, key, hash);
    if (f && !cfg_takes(c, f, v)) return;
    const char *real = real_key(c, key);
    if (real != key) {
        if (!detail && origin == TARE_FROM_FILE) origin = TARE_FROM_ALIAS;
        if (!detail) detail = key;
        hash = hash_text(real);
    }
    if (!f && set_property(c, real, v, origin)) return;
    bool known = f || real != key || origin == TARE_FROM_FORMULA || origin == TARE_FROM_LEGACY || class_field(c->k, real, hash);
    store(c, real, hash, v, origin, detail, known);
}

void cfg_assign(cfg *c, const char *key, val v) {
    const config_class *rules = c->k->rules;
    if (!rules || !rules->assign || !rules->assign(c, real_key(c, key), v)) cfg_set(c, key, v, TARE_FROM_OVERRIDE, NULL);
}

/* ---- implementations, per part ---- */

static cfg *part_of(const cfg *c, size_t i) {
    val v = cfg_get(c, c->k->parts[i].key);
    return v.kind == VAL_CFG ? v.cfg : NULL;
}
/* One choice for all, or an object of choices by part, "" for the config itself; a part that it does not name keeps its own. */
static val chosen_for(val v, const char *key, val current) { return v.kind == VAL_DICT ? val_or(dict_get(v, key), current) : v; }
typedef val *(*choice)(cfg *c);
static val *attn_of(cfg *c) { return &c->attn; }
static val *experts_of(cfg *c) { return &c->experts; }
static void choose(cfg *c, val v, choice of) {
    *of(c) = chosen_for(v, "", *of(c));
    for (size_t i = 0; i < c->k->part_count; i++) {
        cfg *p = part_of(c, i);
        if (p) choose(p, chosen_for(v, c->k->parts[i].key, *of(p)), of);
    }
}
void cfg_attn(cfg *c, val v) { choose(c, v, attn_of); }
void cfg_experts(cfg *c, val v) { choose(c, v, experts_of); }
void cfg_dtype(cfg *c, const char *torch_name) {
    val v = torch_name ? val_text(torch_name) : val_null(), now = cfg_get(c, "dtype");
    if (!torch_name && val_given(now)) cfg_refuse(c, "dtype", "bad_type", "a model is built in float32, float16, bfloat16 or float64");
    store(c, "dtype", hash_text("dtype"), v, TARE_FROM_OVERRIDE, NULL, true);
    for (size_t i = 0; i < c->k->part_count; i++) {
        cfg *p = part_of(c, i);
        if (p) store(p, "dtype", hash_text("dtype"), v, TARE_FROM_OVERRIDE, NULL, true);
    }
}

/* Leftover keys of these names count too, whatever they hold. */
val cfg_text_part(const cfg *c, bool decoder) {
    static const char *const names[] = {"text_encoder", "decoder", "generator", "text_config"};
    val found = {0};
    for (size_t i = decoder; i < 4; i++) {
        val v = cfg_get(c, names[i]);
        if (!val_given(v)) continue;
        if (found.kind != VAL_ABSENT) cfg_refuse(c, names[i], "bad_value", "more than one part could be the text config");
        found = v;
    }
    return found;
}
const cfg *cfg_text_config(const cfg *c, bool decoder) {
    val v = cfg_text_part(c, decoder);
    if (v.kind == VAL_CFG) return v.cfg;
    if (v.kind != VAL_ABSENT)
        cfg_refuse(c, NULL, "bad_type",
            "what stands for the text config (decoder, generator, text_config or text_encoder) is %s, not a config",
            json_short(c->s->a, v, 60));
    return c;
}
