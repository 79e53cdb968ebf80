/* Which method a config names, or a request. */
#include "work.h"
#include "../config/json.h"
#include "../core/quants.h"
#include <stdio.h>

/* ---- methods ---- */

static const quant_method *named(const char *name) {
    for (size_t i = 0; i < quant_method_count; i++)
        if (word_in(name, quant_methods[i]->names)) return quant_methods[i];
    return NULL;
}
static const quant_method *claiming(const conf *c) {
    for (size_t i = 0; i < quant_method_count; i++)
        if (quant_methods[i]->claims && quant_methods[i]->claims(c)) return quant_methods[i];
    return NULL;
}
static const char *known_names(arena *a) {
    const char *all = "";
    for (size_t i = 0; i < quant_method_count; i++)
        for (const char *const *n = quant_methods[i]->names; *n; n++) all = arena_printf(a, "%s%s%s", all, *all ? ", " : "", *n);
    return all;
}

/* ---- the config's own ---- */

typedef struct source { val d; const char *path; cfg *c; } source;
/* The model's, else its text config's: an empty object counts only there. */
static source config_source(session *s, cfg *c) {
    source own = {cfg_get(c, "quantization_config"), arena_printf(s->a, "%s.quantization_config", c->path), c};
    if (val_true(own.d)) return own;
    const cfg *text = cfg_text_config(c, true);
    if (!text || text == c) return own;
    return (source){cfg_get(text, "quantization_config"), arena_printf(s->a, "%s.quantization_config", text->path), (cfg *)text};
}
static bool refuse_source(session *s, source from, const char *code, const char *why) {
    error_set(&s->err, TARE_BAD, code, from.path, "%s is %s: %s", from.path, json_short(s->a, from.d, 80), why);
    return false;
}
static bool from_config(quant *q, source from, const char **unknown) {
    session *s = q->s;
    if (from.d.kind != VAL_DICT) return refuse_source(s, from, "bad_type", "an object is needed");
    q->top = (conf){q, from.d, from.path};
    q->from_file = true;
    q->asking = from.c;
    q->method = claiming(&q->top);
    if (q->method) return true;
    val name = dict_get(from.d, "quant_method");
    if (!val_given(name)) return refuse_source(s, from, "bad_quantization", "it names no quant_method, so nothing says how these weights are stored");
    if (name.kind != VAL_TEXT) return refuse_source(s, from, "bad_type", "its quant_method is no text");
    q->method = named(name.s);
    if (!q->method)
        *unknown = arena_printf(s->a, "%s.quant_method is \"%.60s\", which the reference does not know: it builds the plain model; known are %s",
            from.path, name.s, known_names(s->a));
    else if (q->method->not_in_config)
        quant_refuse(q, "unsupported_quantization", "%s", q->method->not_in_config);
    return true;
}

/* ---- what is asked for: METHOD[:key=value,...] ---- */

/* The comma that ends a value, outside of brackets and quotes. */
static const char *value_end(const char *p) {
    int depth = 0;
    for (bool quoted = false; *p; p++) {
        if (*p == '"') quoted = !quoted;
        if (quoted) continue;
        if (*p == '[' || *p == '{') depth++;
        else if (*p == ']' || *p == '}') depth--;
        else if (*p == ',' && depth <= 0) break;
    }
    return p;
}
static bool bad_request(session *s, const char *asked, const char *why) {
    error_set(&s->err, TARE_USAGE, "usage", NULL, "--quantize \"%.100s\": %s", asked, why);
    return false;
}
static bool read_request(session *s, const char *asked, const char *at, val *d) {
    while (*at) {
        const char *equals = strchr(at, '='), *end = value_end(at);
        if (!equals || equals > end || equals == at) return bad_request(s, asked, "write METHOD:key=value,key=value");
        const char *key = arena_text(s->a, at, (size_t)(equals - at)), *text = arena_text(s->a, equals + 1, (size_t)(end - equals - 1));
        tare_error not_json = {0};
        val v;
        if (!json_read(s->a, text, strlen(text), "the value", &v, &not_json)) v = val_text(text); /* a bare word is text */
        *d = dict_with(s->a, *d, key, v);
        at = *end ? end + 1 : end;
    }
    return true;
}
static bool from_request(quant *q, const char *asked) {
    session *s = q->s;
    size_t n = strcspn(asked, ":");
    const char *name = arena_text(s->a, asked, n);
    val d = dict_with(s->a, (val){.kind = VAL_DICT}, "quant_method", val_text(name));
    if (!read_request(s, asked, asked[n] ? asked + n + 1 : asked + n, &d)) return false;
    q->top = (conf){q, d, "--quantize"};
    q->method = claiming(&q->top);
    if (!q->method) q->method = named(name);
    if (!q->method) {
        error_set(&s->err, TARE_USAGE, "usage", NULL, "--quantize: unknown method \"%.60s\"; known are %s", name, known_names(s->a));
        return false;
    }
    if (q->method->not_asked) quant_refuse(q, "unsupported_quantization", "%s", q->method->not_asked);
    return true;
}

/* ---- opening ---- */

/* A config that is quantised goes before a request, which may then only say the same. */
static bool choose(quant *q, cfg *c, const quant_wish *wish, const char **unknown) {
    source from = config_source(q->s, c);
    if (!session_ok(q->s)) return false;
    bool own = val_given(from.d) && !from_config(q, from, unknown);
    if (own) return false;
    const quant_method *theirs = q->method;
    if (!wish->asked || !session_ok(q->s)) return session_ok(q->s);
    if (!theirs) return q->from_file = false, from_request(q, wish->asked);
    size_t n = strcspn(wish->asked, ":");
    if (named(arena_text(q->s->a, wish->asked, n)) == theirs) return true;
    error_set(&q->s->err, TARE_BAD, "bad_quantization", from.path, "%s says %s, and --quantize another method: a checkpoint is quantised once",
        from.path, theirs->name);
    return false;
}
quant *quant_open(session *s, cfg *c, const quant_wish *wish, const char **unknown, bool *ok) {
    *ok = true;
    *unknown = NULL;
    if (!wish->config && !wish->asked) return NULL;
    quant *q = arena_new(s->a, quant);
    q->s = s;
    q->config = c;
    *ok = choose(q, c, wish, unknown) && session_ok(s);
    if (!*ok || !q->method) return NULL;
    q->dequantized = wish->dequantize || val_true(conf_get(&q->top, "dequantize"));
    q->loaded = wish->loaded;
    if (q->method->settle) q->method->settle(q);
    q->from_file |= q->loaded; /* what is asked for is done by then */
    *ok = session_ok(s);
    return *ok ? q : NULL;
}
int quant_dtype(quant *q, int dtype) { return q && q->method->dtype ? q->method->dtype(q, dtype) : dtype; }
preparation quant_preparation(quant *q) { return (preparation){quant_prepare, q}; }

/* ---- what came of it ---- */

static uint64_t elements(const tensor *first) {
    uint64_t n = 0;
    for (const tensor *t = first; t; t = t->next) n = num_plus(n, (uint64_t)t->elements);
    return n;
}
static uint64_t bytes(const tensor *first) {
    uint64_t n = 0;
    for (const tensor *t = first; t; t = t->next)
        if (t->persistent) n = num_plus(n, num_times((uint64_t)t->elements, tare_dtype_bytes((tare_dtype)t->dtype)));
    return n;
}
static void describe(const node *m, uint64_t times, const node *stands_for, tare_quantization *out) {
    if (m->dense) {
        out->replaced += times;
        out->weights = num_plus(out->weights, num_times(elements(m->dense->params), times));
        stands_for = m;
    } else if (m->kind == KIND_LINEAR) {
        out->left += times;
    }
    if (stands_for) out->bytes = num_plus(out->bytes, num_times(num_plus(bytes(m->params), bytes(m->buffers)), times));
    for (const edge *e = m->children; e; e = e->next) describe(e->to, times * (e->name ? 1 : (uint64_t)e->count), stands_for, out);
}
void quant_forget(quant *q) {
    if (q && q->dequantized && q->asking) cfg_forget(q->asking, "quantization_config");
}
double quant_share(const quant *q) { return q && q->method->share > 0 ? q->method->share : 1; }
double quant_element(const quant *q) { return q && !q->loaded && !q->dequantized && q->method->element ? q->method->element(q) : 0; }
void quant_describe(const quant *q, const node *root, tare_quantization *out) {
    *out = (tare_quantization){.method = q->method->name, .warnings = q->warnings, .warning_count = q->warning_count};
    describe(root, 1, NULL, out);
}
