#include "json.h"
#include "survey.h"
#include "../core/num.h"
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- reading ---- */

static val read_value(arena *a, struct json_object *o, bool marked);

static val read_list(arena *a, struct json_object *o, bool marked) {
    size_t n = json_object_array_length(o);
    val *items = arena_array(a, n, sizeof *items);
    for (size_t i = 0; i < n; i++) items[i] = read_value(a, json_object_array_get_idx(o, i), marked);
    return (val){.kind = VAL_LIST, .n = (uint32_t)n, .items = items};
}
/* {"__float__": "NaN"}: how a saved config holds what JSON has no number for. */
static bool tagged_float(val d, double *out) {
    static const struct { const char *name; double value; } known[] = {{"Infinity", INFINITY}, {"-Infinity", -INFINITY}, {"NaN", (double)NAN}};
    for (size_t i = 0; d.n == 1 && !strcmp(d.members[0].key, "__float__") && i < 3; i++)
        if (val_is(d.members[0].v, known[i].name)) return *out = known[i].value, true;
    return false;
}
static val read_dict(arena *a, struct json_object *o, bool marked) {
    size_t n = (size_t)json_object_object_length(o), i = 0;
    member *m = arena_array(a, n, sizeof *m);
    double d;
    json_object_object_foreach(o, key, value) {
        m[i].key = arena_text(a, key, strlen(key));
        m[i++].v = read_value(a, value, marked);
    }
    val v = {.kind = VAL_DICT, .n = (uint32_t)n, .members = m};
    return tagged_float(v, &d) ? val_real(d) : v;
}
static val read_value(arena *a, struct json_object *o, bool marked) {
    switch (json_object_get_type(o)) {
    case json_type_boolean: return val_bool(json_object_get_boolean(o));
    case json_type_int: return val_int(json_object_get_int64(o));
    case json_type_double: return val_real(json_object_get_double(o));
    case json_type_string: {
        size_t n = (size_t)json_object_get_string_len(o);
        const char *text = arena_text(a, json_object_get_string(o), n);
        if (marked && *text == SURVEY_MARK) return (val){.kind = VAL_BIG, .n = (uint32_t)n - 1, .s = text + 1};
        return (val){.kind = VAL_TEXT, .n = (uint32_t)n, .s = text};
    }
    case json_type_array: return read_list(a, o, marked);
    case json_type_object: return read_dict(a, o, marked);
    default: return val_null();
    }
}

static void say_where(tare_error *err, const char *code, const char *what, const char *text, size_t n, size_t at, const char *why) {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < n; i++) {
        column++;
        if (text[i] == '\n') line++, column = 1;
    }
    error_set(err, TARE_BAD, code, what, "%s %s at line %zu, column %zu", what, why, line, column);
}
static void say_json(tare_error *err, const survey *s, const char *what) {
    char words[160];
    snprintf(words, sizeof words, "%s %s", s->unkept ? "holds" : "is not valid JSON:", s->why);
    say_where(err, s->unkept ? "bad_value" : "bad_json", what, s->text, s->n, s->at, words);
}
static const char *reason(enum json_tokener_error e) {
    switch (e) {
    case json_tokener_error_depth: return "it is nested deeper than 128 levels";
    case json_tokener_error_parse_utf8_string: return "invalid UTF-8";
    case json_tokener_error_parse_eof:
    case json_tokener_continue: return "it ends too early";
    case json_tokener_error_size: return "it is too large";
    default: return json_tokener_error_desc(e);
    }
}

static bool is_blank(const char *text, size_t n) {
    while (n && strchr(" \t\r\n", *text) && *text) text++, n--;
    return n == 0;
}

bool json_read(arena *a, const char *text, size_t n, const char *what, val *out, tare_error *err) {
    if (n > JSON_LARGEST) {
        error_set(err, TARE_BAD, "too_large", what, "%s has %zu bytes; a config of more than 16 MiB is refused", what, n);
        return false;
    }
    if (is_blank(text, n)) return error_set(err, TARE_BAD, "bad_json", what, "%s is empty", what), false;
    survey s = {.text = text, .n = n};
    if (!survey_text(&s)) return say_json(err, &s, what), false;
    if (s.huge) text = survey_marked(&s, a, &n);
    struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH);
    if (!t) arena_exhausted(a);
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | (s.wide ? JSON_TOKENER_VALIDATE_UTF8 : 0));
    struct json_object *o = json_tokener_parse_ex(t, text, (int)n);
    if (json_tokener_get_error(t) == json_tokener_continue) o = json_tokener_parse_ex(t, "", 1); /* the zero byte ends a bare number */
    enum json_tokener_error e = json_tokener_get_error(t);
    size_t at = json_tokener_get_parse_end(t);
    json_tokener_free(t);
    if (e != json_tokener_success) {
        json_object_put(o);
        bool early = e == json_tokener_continue || e == json_tokener_error_parse_eof;
        s.why = reason(e);
        s.at = early ? s.n : at;
        return say_json(err, &s, what), false;
    }
    /* The arena unwinds when memory runs out: give json-c's tree back first. */
    jmp_buf *outer = a->unwind, here;
    a->unwind = &here;
    if (setjmp(here)) {
        json_object_put(o);
        a->unwind = outer;
        arena_exhausted(a);
    }
    *out = read_value(a, o, s.huge > 0);
    a->unwind = outer;
    json_object_put(o);
    return true;
}

/* ---- writing ---- */

typedef struct writer { sink *s; int indent; bool ascii; } writer;

static void put_code(sink *s, unsigned c) {
    static const char hex[] = "0123456789abcdef";
    char code[6] = {'\\', 'u', hex[c >> 12], hex[c >> 8 & 15], hex[c >> 4 & 15], hex[c & 15]};
    sink_put(s, code, 6);
}
/* The character at p, of valid UTF-8, as one or two escapes; returns its bytes. */
static size_t put_wide(sink *s, const char *p) {
    unsigned char first = (unsigned char)*p;
    size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    unsigned c = first & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) c = c << 6 | ((unsigned char)p[i] & 0x3f);
    if (c > 0xffff) put_code(s, 0xd800 + ((c - 0x10000) >> 10));
    put_code(s, c > 0xffff ? 0xdc00 + ((c - 0x10000) & 0x3ff) : c);
    return n;
}
static void quote(const writer *w, const char *text, size_t n) {
    sink *s = w->s;
    sink_char(s, '"');
    for (size_t i = 0, from = 0; i <= n; i++) {
        unsigned char c = i < n ? (unsigned char)text[i] : 0;
        bool wide = w->ascii && c >= 0x80;
        if (i < n && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && !wide) continue;
        sink_put(s, text + from, i - from);
        if (i == n) break;
        const char *known = strchr("\"\"\\\\\nn\tt\rr\bb\ff", c);
        if (wide) i += put_wide(s, text + i) - 1;
        else if (c && known) sink_char(s, '\\'), sink_char(s, known[1]);
        else put_code(s, c);
        from = i + 1;
    }
    sink_char(s, '"');
}

static void newline(const writer *w, int depth) {
    if (w->indent < 0) return;
    sink_char(w->s, '\n');
    sink_spaces(w->s, (size_t)(w->indent * depth));
}
static void write_value(const writer *w, val v, int depth) {
    char text[NUM_TEXT];
    sink *s = w->s;
    switch (v.kind) {
    case VAL_BOOL: sink_text(s, v.b ? "true" : "false"); return;
    case VAL_INT: sink_int(s, v.i); return;
    case VAL_REAL: sink_put(s, text, num_float(text, v.d)); return;
    case VAL_BIG: sink_put(s, v.s, v.n); return;
    case VAL_TEXT: quote(w, v.s, v.n); return;
    case VAL_LIST:
    case VAL_DICT:
        sink_char(s, v.kind == VAL_LIST ? '[' : '{');
        for (uint32_t i = 0; i < v.n; i++) {
            if (i) sink_text(s, w->indent < 0 ? ", " : ",");
            newline(w, depth + 1);
            if (v.kind == VAL_DICT) quote(w, v.members[i].key, strlen(v.members[i].key)), sink_text(s, ": ");
            write_value(w, v.kind == VAL_LIST ? v.items[i] : v.members[i].v, depth + 1);
        }
        if (v.n) newline(w, depth);
        sink_char(s, v.kind == VAL_LIST ? ']' : '}');
        return;
    default: sink_text(s, "null");
    }
}
void json_write(sink *s, val v, int indent) { write_value(&(writer){s, indent, false}, v, 0); }
void json_write_ascii(sink *s, val v, int indent) { write_value(&(writer){s, indent, true}, v, 0); }

typedef struct cut { char *data; size_t n, most; bool more; } cut;
static bool cut_take(void *to, const char *data, size_t n) {
    cut *c = to;
    if (n > c->most - c->n) n = c->most - c->n, c->more = true;
    memcpy(c->data + c->n, data, n);
    c->n += n;
    return !c->more;
}
const char *json_short(arena *a, val v, size_t most) {
    cut c = {.data = arena_alloc(a, most + 4), .most = most};
    sink s;
    sink_open(&s, cut_take, &c);
    json_write(&s, v, -1);
    sink_flush(&s);
    while (c.more && c.n && ((unsigned char)c.data[c.n - 1] & 0xc0) == 0x80) c.n--; /* not in the middle of a character */
    if (c.more && c.n && (unsigned char)c.data[c.n - 1] >= 0xc0) c.n--;
    if (c.more) memcpy(c.data + c.n, "...", 4);
    return c.data;
}
const char *json_line(arena *a, val v) {
    buf b = {0};
    sink s;
    sink_open(&s, buf_take, &b);
    json_write(&s, v, -1);
    sink_flush(&s);
    bool failed = s.failed;
    char *text = failed ? NULL : arena_text(a, b.data, b.n);
    buf_free(&b);
    if (failed) arena_exhausted(a);
    return text;
}
