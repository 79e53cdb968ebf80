/* def.h's ways to read a config and to state its rules. */
#include "../config/backbone.h"
#include "../config/json.h"
#include "../config/rules_impl.h"
#include "../core/pynum.h"
#include "mod.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- reading ---- */

val get(const cfg *c, const char *key) {
    cfg_entry *e = cfg_entry_of(c, key);
    if (!e) return cfg_get(c, key);
    e->read = true;
    return e->v;
}
static void needed(const cfg *c, const char *key, val v, const char *what) {
    cfg_refuse(c, key, v.kind == VAL_ABSENT ? "missing_key" : "bad_type", "%s is needed", what);
}
static int64_t an_int(const cfg *c, const char *key, int64_t least, const char *what) {
    if (!session_ok(c->s)) return 1;
    val v = get(c, key);
    if (v.kind == VAL_INT && v.i >= least && v.i <= INT32_MAX) return v.i;
    if (v.kind == VAL_BIG || (v.kind == VAL_INT && v.i > INT32_MAX)) cfg_refuse(c, key, "too_large", "sizes up to 2147483647 are built");
    else if (v.kind == VAL_INT) cfg_refuse(c, key, "bad_value", "%s is needed", what);
    else needed(c, key, v, what);
    return 1;
}
int64_t dim(const cfg *c, const char *key) { return an_int(c, key, 1, "an int of at least 1"); }
int64_t count(const cfg *c, const char *key) {
    val v = get(c, key);
    return v.kind == VAL_BOOL ? v.b : an_int(c, key, 0, "an int of at least 0"); /* range(True): only keys without a type get here */
}
int64_t whole(const cfg *c, const char *key) {
    val v = get(c, key);
    if (v.kind == VAL_INT) return v.i;
    needed(c, key, v, "an int");
    return 1;
}
static bool to_num(val v, num *out) {
    if (v.kind == VAL_INT) *out = num_i(v.i);
    else if (v.kind == VAL_REAL) *out = num_f(v.d);
    else return false;
    return true;
}
num real(const cfg *c, const char *key) {
    num n = num_f(0);
    val v = get(c, key);
    if (!to_num(v, &n)) needed(c, key, v, "a number");
    return n;
}
num real_or_none(const cfg *c, const char *key) {
    return get(c, key).kind == VAL_NULL ? (num){.none = true} : real(c, key);
}
bool flag(const cfg *c, const char *key) {
    val v = get(c, key);
    if (v.kind == VAL_ABSENT) cfg_refuse(c, key, "missing_key", "true or false is needed");
    return val_true(v);
}
const char *text(const cfg *c, const char *key) {
    val v = get(c, key);
    if (v.kind == VAL_TEXT) return v.s;
    needed(c, key, v, "a string");
    return "";
}
bool known(const cfg *c, const char *key) { return get(c, key).kind != VAL_ABSENT; }
bool has(const cfg *c, const char *key) { return val_given(get(c, key)); }
int64_t dim_or(const cfg *c, const char *key, int64_t other) { return has(c, key) ? dim(c, key) : other; }
num real_or(const cfg *c, const char *key, num other) { return has(c, key) ? real(c, key) : other; }
bool flag_or(const cfg *c, const char *key, bool other) { return known(c, key) ? flag(c, key) : other; }
const char *text_or(const cfg *c, const char *key, const char *other) { return has(c, key) ? text(c, key) : other; }

static val a_list(const cfg *c, const char *key) {
    val v = get(c, key);
    if (v.kind == VAL_LIST) return v;
    needed(c, key, v, "a list");
    return (val){.kind = VAL_LIST};
}
int64_t len(const cfg *c, const char *key) { return a_list(c, key).n; }
int64_t dim_at(const cfg *c, const char *key, int64_t i) {
    val v = a_list(c, key);
    if (!session_ok(c->s)) return 1;
    if (i < 0 && i >= -(int64_t)v.n) i += v.n;
    if (i >= 0 && i < v.n && v.items[i].kind == VAL_INT && v.items[i].i >= 1 && v.items[i].i <= INT32_MAX) return v.items[i].i;
    cfg_refuse(c, key, "bad_value", "its item %" PRId64 " has to be an int of at least 1", i);
    return 1;
}
const char *text_at(const cfg *c, const char *key, int64_t i) {
    val v = a_list(c, key);
    if (i < 0 && i >= -(int64_t)v.n) i += v.n;
    if (session_ok(c->s) && i >= 0 && i < v.n && v.items[i].kind == VAL_TEXT) return v.items[i].s;
    cfg_refuse(c, key, "bad_value", "its item %" PRId64 " has to be a string", i);
    return "";
}
pair dim_pair(const cfg *c, const char *key) {
    val v = get(c, key);
    if (v.kind == VAL_LIST && v.n == 2) return (pair){dim_at(c, key, 0), dim_at(c, key, 1)};
    if (v.kind == VAL_LIST) cfg_refuse(c, key, "bad_value", "an int or a list of two ints is needed");
    int64_t n = dim(c, key);
    return (pair){n, n};
}
const cfg *part(const cfg *c, const char *key) {
    val v = get(c, key);
    if (v.kind == VAL_CFG) return v.cfg;
    needed(c, key, v, "a part of the config");
    return c;
}
int64_t num_labels(const cfg *c) {
    val v = get(c, "id2label");
    if (v.kind == VAL_DICT) return v.n;
    cfg_refuse(c, "id2label", "bad_type", "labels are needed");
    return 1;
}
int64_t pad(const cfg *c) {
    return has(c, "pad_token_id") ? whole(c, "pad_token_id") : NO_PAD;
}
const cfg *text_config(const cfg *c) { return cfg_text_config(c, false); }
void refuse(const cfg *c, const char *key, const char *format, ...) {
    char why[512];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    cfg_refuse(c, key, "bad_value", "%s", why);
}

/* ---- variants ---- */

static const cfg *with(const cfg *c, const char *key, val v) {
    cfg *copy = arena_new(c->s->a, cfg);
    *copy = *c;
    copy->entries = arena_array(c->s->a, c->n + 2, sizeof *copy->entries);
    copy->cap = c->n + 2;
    memcpy(copy->entries, c->entries, c->n * sizeof *copy->entries);
    cfg_set(copy, key, v, TARE_FROM_FORMULA, NULL);
    return copy;
}
const cfg *with_flag(const cfg *c, const char *key, bool v) { return with(c, key, val_bool(v)); }
const cfg *with_int(const cfg *c, const char *key, int64_t v) { return with(c, key, val_int(v)); }
const cfg *with_text(const cfg *c, const char *key, const char *v) { return with(c, key, val_text(v)); }
void writes(const cfg *c, const char *key, val v) {
    cfg *mine = (cfg *)c;
    mine->written = dict_with(c->s->a, c->written, key, v);
}
void writes_own(const cfg *c, const char *key, val v) {
    cfg *mine = (cfg *)c;
    mine->written_own = dict_with(c->s->a, c->written_own, key, v);
}

const char *attn_implementation(const cfg *c) { return c->attn_chosen ? c->attn_chosen : ""; }

/* ---- rules ---- */

void put(cfg *c, const char *key, val v, const char *formula) { cfg_set(c, key, v, TARE_FROM_FORMULA, formula); }
void fill_int(cfg *c, const char *key, int64_t v, const char *formula) {
    if (!val_given(cfg_get(c, key))) put(c, key, val_int(v), formula);
}
void fill_text(cfg *c, const char *key, const char *v, const char *formula) {
    if (!val_given(cfg_get(c, key))) put(c, key, val_text(v), formula);
}
void derive_int(cfg *c, const char *key, int64_t v, const char *formula) { put(c, key, val_int(v), formula); }
void derive_flag(cfg *c, const char *key, bool v, const char *formula) { put(c, key, val_bool(v), formula); }
void derive_text(cfg *c, const char *key, const char *v, const char *formula) { put(c, key, val_text(v), formula); }
void force_flag(cfg *c, const char *key, bool v) {
    left_take(c, key);
    put(c, key, val_bool(v), "always");
}
void put_legacy(cfg *c, const char *key, val v, const char *spelling) { cfg_set(c, key, v, TARE_FROM_LEGACY, spelling); }
bool defaulted(const cfg *c, const char *key) {
    const cfg_entry *e = cfg_entry_of(c, key);
    return e && e->origin == TARE_FROM_DEFAULT;
}
val leftover(const cfg *c, const char *key) {
    for (uint32_t i = 0; i < c->left_n; i++)
        if (same_word(c->left[i].key, key)) c->left[i].read = true;
    return left_get(c, key);
}
val take(cfg *c, const char *key) { return left_take(c, key); }
void leftover_or(cfg *c, const char *key, val v) { left_default(c, key, v); }
void drop(cfg *c, const char *key) {
    cfg_entry *e = cfg_entry_of(c, key);
    if (!e) return;
    memmove(e, e + 1, (size_t)(c->entries + c->n - (e + 1)) * sizeof *e);
    c->n--;
}
val dict_new(cfg *c) { return (void)c, (val){.kind = VAL_DICT}; }
val dict_put(cfg *c, val d, const char *key, val v) { return dict_with(c->s->a, d, key, v); }
val list_new(cfg *c, const val *items, size_t n) { return list_of(c->s->a, items, n); }
val *list_room(cfg *c, const char *key, int64_t *n) {
    if (*n > MOST_MODULES) cfg_refuse(c, key, "too_large", "lists of up to %d values are made", MOST_MODULES), *n = 0;
    return arena_array(c->s->a, (size_t)*n, sizeof(val));
}
val list_in(const val *items, int64_t n) { return (val){.kind = VAL_LIST, .n = (uint32_t)n, .items = items}; }
val text_new(cfg *c, const char *format, ...) {
    char out[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, sizeof out, format, args);
    va_end(args);
    return val_text(arena_text(c->s->a, out, n < 0 ? 0 : (size_t)n < sizeof out ? (size_t)n : sizeof out - 1));
}
static val a_word(const cfg *c, const char *from, size_t n) {
    while (n && py_is_blank(*from)) from++, n--;
    while (n && py_is_blank(from[n - 1])) n--;
    char *word = arena_text(c->s->a, from, n);
    for (char *p = word; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    return val_text(word);
}
val words_of(const cfg *c, const char *all, char mark) {
    size_t n = 1, length;
    for (const char *p = all; *p; p++) n += *p == mark;
    val *words = arena_array(c->s->a, n, sizeof *words);
    for (size_t i = 0; i < n; i++, all += length + 1) {
        const char *end = strchr(all, mark);
        length = end ? (size_t)(end - all) : strlen(all);
        words[i] = a_word(c, all, length);
    }
    return list_in(words, (int64_t)n);
}
val class_value(const cfg *c, const char *key) { return dict_get(c->k->values, key); }
val config_to_dict(cfg *c, const char *config_class_name, val d) {
    const cclass *k = class_by_name(config_class_name, &c->s->err);
    if (d.kind != VAL_DICT && session_ok(c->s))
        cfg_refuse(c, NULL, "bad_type", "a dict for %s is %s: an object is needed", config_class_name, json_short(c->s->a, d, 60));
    cfg *other = k ? cfg_make(c->s, k, d, (val){0}, c->path, NULL) : NULL;
    return other ? cfg_to_dict(other) : (val){.kind = VAL_DICT};
}
void backbone_outputs(cfg *c, val out_features, val out_indices) { backbone_settle(c, out_features, out_indices); }
val backbone_computed(cfg *c, const char *key) {
    if (same_word(key, "out_features")) return get(c, "_out_features");
    return same_word(key, "out_indices") ? get(c, "_out_indices") : (val){0};
}
bool backbone_assign(cfg *c, const char *key, val v) {
    if (same_word(key, "out_features")) backbone_settle(c, v, (val){0});
    else if (same_word(key, "out_indices")) backbone_settle(c, (val){0}, v);
    else return false;
    return true;
}
void backbone_verify(const cfg *c) { backbone_check((cfg *)c); }
void backbone_to_dict(cfg *c) {
    put(c, "out_features", get(c, "_out_features"), NULL);
    put(c, "out_indices", get(c, "_out_indices"), NULL);
    drop(c, "_out_features");
    drop(c, "_out_indices");
}
void standardize_rope(cfg *c) { rope_standardize(c); }
void fill_key_value_heads(cfg *c) { fill_int(c, "num_key_value_heads", dim(c, "num_attention_heads"), "num_attention_heads"); }
void heads_divide_hidden_size(const cfg *c) {
    int64_t d = whole(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    if (session_ok(c->s) && d % heads) refuse(c, "hidden_size", "it is not a multiple of num_attention_heads, %" PRId64, heads);
}
