#include "cfg.h"
#include "json.h"
#include "rules_impl.h"
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
cfg_entry *cfg_entry_of(const cfg *c, const char *key) {
    key = real_key(c, key);
    return find(c, key, hash_text(key));
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
    val v = key ? cfg_get(c, key) : (val){0};
    if (key && v.kind == VAL_ABSENT) v = left_get(c, key);
    if (!key) error_set(&s->err, TARE_BAD, code, path, "%s: %s", path, why);
    else if (v.kind == VAL_ABSENT) error_set(&s->err, TARE_BAD, code, path, "%s is missing: %s", path, why);
    else if (v.kind == VAL_CFG) error_set(&s->err, TARE_BAD, code, path, "%s: %s", path, why);
    else error_set(&s->err, TARE_BAD, code, path, "%s is %s: %s", path, json_short(s->a, v, 80), why);
}

/* ---- getattr ---- */

static val property(const cfg *c, const char *key) {
    if (!strcmp(key, "num_labels")) {
        val labels = cfg_get(c, "id2label");
        return labels.kind == VAL_DICT ? val_int(labels.n) : val_null();
    }
    if (!strcmp(key, "rope_scaling")) return cfg_get(c, "rope_parameters");
    if (!strcmp(key, "torch_dtype")) return cfg_get(c, "dtype");
    if (!strcmp(key, "use_return_dict")) return cfg_get(c, "return_dict");
    if (!strcmp(key, "output_attentions")) return c->output_attentions;
    if (!strcmp(key, "_attn_implementation")) return c->attn;
    if (!strcmp(key, "_experts_implementation")) return c->experts;
    if (!strcmp(key, "name_or_path")) return c->name_or_path;
    if (!strcmp(key, "model_type")) return val_text(c->k->model_type);
    return dict_get(c->k->values, key);
}
val cfg_get(const cfg *c, const char *key) {
    cfg_entry *e = cfg_entry_of(c, key);
    return e ? e->v : property(c, key);
}

/* ---- setattr ---- */

static bool in_range(val check, val v) {
    double d = v.kind == VAL_REAL ? v.d : v.kind == VAL_INT ? (double)v.i : v.kind == VAL_BOOL ? v.b : -1;
    bool number = v.kind == VAL_REAL || v.kind == VAL_INT || v.kind == VAL_BOOL;
    val least = dict_get(check, "min"), most = dict_get(check, "max");
    if (val_true(dict_get(check, "probability"))) return number && d >= 0 && d <= 1;
    if (least.kind != VAL_ABSENT) {
        double x = least.kind == VAL_INT ? (double)least.i : least.d;
        if (!number || !(d >= x) || (val_true(dict_get(check, "exclude_min")) && d == x)) return false;
    }
    if (most.kind != VAL_ABSENT) {
        double x = most.kind == VAL_INT ? (double)most.i : most.d;
        if (!number || !(d <= x) || (val_true(dict_get(check, "exclude_max")) && d == x)) return false;
    }
    return true;
}
bool cfg_takes(const cfg *c, const cfield *f, val v) {
    session *s = c->s;
    const char *path = NULL;
    if (type_takes(&f->type, v) && (f->check.kind == VAL_ABSENT || in_range(f->check, v))) return true;
    path = arena_printf(s->a, "%s.%s", c->path, f->key);
    if (!type_takes(&f->type, v))
        error_set(&s->err, TARE_BAD, "bad_type", path, "%s is %s (%s): %s takes %s here", path, json_short(s->a, v, 80), val_type(v), c->k->name, f->type_text);
    else
        error_set(&s->err, TARE_BAD, "bad_value", path, "%s is %s: %s takes values within %s", path, json_short(s->a, v, 80), c->k->name, json_short(s->a, f->check, 80));
    return false;
}
static bool readonly(const cfg *c, const char *key) {
    for (uint32_t i = 0; i < c->k->readonly.n && c->k->readonly.kind == VAL_LIST; i++)
        if (!strcmp(c->k->readonly.items[i].s, key)) return true;
    return false;
}
static void set_output_attentions(cfg *c, val v) {
    if (val_true(v) && c->attn.kind == VAL_NULL) cfg_attn(c, val_text("eager"));
    if (val_true(v) && !val_equal(c->attn, val_text("eager"))) cfg_refuse(c, "output_attentions", "bad_value", "it needs attn_implementation \"eager\"");
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
    else if (readonly(c, key)) cfg_refuse(c, NULL, "bad_value", "the key \"%s\" cannot be set: it is computed from other values by %s", key, c->k->name);
    else return false;
    return true;
}
void cfg_set(cfg *c, const char *key, val v, tare_origin origin, const char *detail) {
    if (!session_ok(c->s)) return;
    uint32_t hash = hash_text(key);
    const cfield *f = class_field(c->k, key, hash);
    if (f && !cfg_takes(c, f, v)) return;
    const char *real = real_key(c, key);
    if (real != key) {
        if (!detail) detail = key, origin = origin == TARE_FROM_FILE ? TARE_FROM_ALIAS : origin;
        hash = hash_text(real);
    }
    if (!f && set_property(c, real, v, origin)) return;
    bool known = f || real != key || origin == TARE_FROM_FORMULA || origin == TARE_FROM_LEGACY || class_field(c->k, real, hash);
    store(c, real, hash, v, origin, detail, known);
}

/* ---- implementations, per part ---- */

static cfg *part_of(const cfg *c, size_t i) {
    val v = cfg_get(c, c->k->parts[i].key);
    return v.kind == VAL_CFG ? v.cfg : NULL;
}
static val chosen_for(val v, const char *key, val current) {
    if (v.kind != VAL_DICT) return v;
    val own = dict_get(v, key);
    return own.kind == VAL_ABSENT ? current : own;
}
void cfg_attn(cfg *c, val v) {
    c->attn = chosen_for(v, "", c->attn);
    for (size_t i = 0; i < c->k->part_count; i++) {
        cfg *p = part_of(c, i);
        if (p) cfg_attn(p, chosen_for(v, c->k->parts[i].key, p->attn));
    }
}
void cfg_experts(cfg *c, val v) {
    c->experts = chosen_for(v, "", c->experts);
    for (size_t i = 0; i < c->k->part_count; i++) {
        cfg *p = part_of(c, i);
        if (p) cfg_experts(p, chosen_for(v, c->k->parts[i].key, p->experts));
    }
}
void cfg_dtype(cfg *c, const char *torch_name) {
    val v = torch_name ? val_text(torch_name) : val_null(), now = cfg_get(c, "dtype");
    if (!torch_name && now.kind > VAL_NULL) cfg_refuse(c, "dtype", "bad_type", "a model is built in float32, float16, bfloat16 or float64");
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
        if (v.kind == VAL_ABSENT || v.kind == VAL_NULL) continue;
        if (found.kind != VAL_ABSENT) cfg_refuse(c, names[i], "bad_value", "more than one part could be the text config");
        found = v;
    }
    return found;
}
const cfg *cfg_text_config(const cfg *c, bool decoder) {
    val v = cfg_text_part(c, decoder);
    if (v.kind == VAL_CFG) return v.cfg;
    if (v.kind != VAL_ABSENT) cfg_refuse(c, NULL, "bad_type", "what stands for the text config (decoder, generator, text_config or text_encoder) is %s, not a config", json_short(c->s->a, v, 60));
    return c;
}
