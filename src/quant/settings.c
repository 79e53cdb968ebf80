/* Reading a quantization_config: typed, with the paths of what is wrong. */
#include "work.h"
#include "../config/json.h"
#include <stdarg.h>
#include <stdio.h>

const conf *settings(quant *q) { return &q->top; }
bool quant_ok(const quant *q) { return session_ok(q->s); }
bool from_file(const quant *q) { return q->from_file; }
bool to_floats(const quant *q) { return q->dequantized; }
bool in_files(const quant *q) { return q->loaded; }
void *room(quant *q, size_t bytes) { return q->state = arena_alloc(q->s->a, bytes); }
void *state(const quant *q) { return q->state; }

void *memory(quant *q, size_t n, size_t size) { return arena_array(q->s->a, n, size); }
bool replaces(const quant *q) { return !q->dequantized; }
void dequantizes(quant *q) { q->dequantized = true; }

conf conf_of_json(quant *q, const char *json, const char *path) {
    conf c = {.q = q, .path = path};
    tare_error err = {0};
    json_read(q->s->a, json, strlen(json), path, &c.d, &err);
    return c;
}
val conf_get(const conf *c, const char *key) { return dict_get(c->d, key); }
bool conf_given(const conf *c, const char *key) { return val_given(conf_get(c, key)); }

void conf_refuse(const conf *c, const char *key, const char *format, ...) {
    if (!quant_ok(c->q)) return;
    char why[400];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    arena *a = c->q->s->a;
    const char *path = key ? arena_printf(a, "%s.%s", c->path, key) : c->path;
    val v = key ? conf_get(c, key) : c->d;
    const char *shown = v.kind == VAL_ABSENT ? "missing" : json_short(a, v, 60);
    error_set(&c->q->s->err, TARE_BAD, "bad_quantization", path, "%s is %s: %s", path, shown, why);
}
void quant_refuse(quant *q, const char *code, const char *format, ...) {
    if (!quant_ok(q)) return;
    char why[600];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    error_set(&q->s->err, TARE_BAD, code, q->top.path, "%s: %s", q->method->name, why);
}
conf conf_part(const conf *c, const char *key) {
    conf part = {.q = c->q, .d = conf_get(c, key), .path = arena_printf(c->q->s->a, "%s.%s", c->path, key)};
    if (val_given(part.d) && part.d.kind != VAL_DICT) conf_refuse(c, key, "an object is needed");
    if (part.d.kind != VAL_DICT) part.d = (val){0};
    return part;
}
int64_t conf_int(const conf *c, const char *key, int64_t other) {
    val v = conf_get(c, key);
    if (v.kind == VAL_ABSENT) return other;
    if (v.kind != VAL_INT) conf_refuse(c, key, "an int is needed");
    return v.kind == VAL_INT ? v.i : other;
}
num conf_number(const conf *c, const char *key, num other) {
    val v = conf_get(c, key);
    if (v.kind == VAL_ABSENT) return other;
    if (v.kind == VAL_REAL) return num_f(v.d);
    if (v.kind != VAL_INT) conf_refuse(c, key, "a number is needed");
    return v.kind == VAL_INT ? num_i(v.i) : other;
}
bool conf_flag(const conf *c, const char *key, bool other) {
    val v = conf_get(c, key);
    return v.kind == VAL_ABSENT ? other : val_true(v);
}
bool conf_bool(const conf *c, const char *key, bool other) {
    val v = conf_get(c, key);
    if (v.kind == VAL_ABSENT) return other;
    if (v.kind != VAL_BOOL && !(v.kind == VAL_INT && (v.i == 0 || v.i == 1))) conf_refuse(c, key, "true or false is needed");
    return val_true(v);
}
const char *conf_text(const conf *c, const char *key, const char *other) {
    val v = conf_get(c, key);
    if (!val_given(v)) return other;
    if (v.kind != VAL_TEXT) conf_refuse(c, key, "a text is needed");
    return v.kind == VAL_TEXT ? v.s : other;
}
const char *conf_word(const conf *c, const char *key, const char *other, const char *const *words) {
    const char *word = conf_text(c, key, other);
    if (!word || word_in(word, words)) return word;
    buf list = {0};
    for (const char *const *w = words; *w; w++) {
        if (w != words) buf_take(&list, ", ", 2);
        buf_take(&list, *w, strlen(*w));
    }
    conf_refuse(c, key, "known are %s", list.data ? list.data : "none");
    buf_free(&list);
    return other;
}
val conf_names(const conf *c, const char *key) {
    if (conf_get(c, key).kind != VAL_TEXT) return conf_texts(c, key);
    note_warning(c->q, "%s.%s is a text, not a list of names: what stays dense is the default", c->path, key);
    return (val){0};
}
val conf_texts(const conf *c, const char *key) {
    val v = conf_get(c, key);
    if (!val_given(v)) return (val){0};
    bool texts = v.kind == VAL_LIST;
    for (uint32_t i = 0; texts && i < v.n; i++) texts = v.items[i].kind == VAL_TEXT;
    if (!texts) conf_refuse(c, key, "a list of names is needed");
    return texts ? v : (val){0};
}
