/* One line of a batch is split into its members here, so that id comes back byte for byte and config reaches the library
 * without being parsed twice. Everything but config is checked as strictly as JSON asks (NaN and Infinity pass, as Python
 * writes them); of config only the extent is found, for the library checks it. */
#include "lines.h"
#include "tokens.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEY = 16 };

/* From the first byte of a string to its closing quote, which an even number of backslashes precedes; NULL: it is not closed. */
static const char *closing_quote(const char *from, const char *end) {
    for (const char *p = from; (p = memchr(p, '"', (size_t)(end - p))); p++) {
        const char *slash = p;
        while (slash > from && slash[-1] == '\\') slash--;
        if ((p - slash) % 2 == 0) return p;
    }
    return NULL;
}

/* Steps over an object by its brackets and strings alone. */
static bool extent(scan *s) {
    size_t depth = 0;
    for (const char *p = s->p; p < s->end; p++) {
        if (*p == '"') {
            p = closing_quote(p + 1, s->end);
            if (!p) return false;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if ((*p == '}' || *p == ']') && --depth == 0) {
            s->p = p + 1;
            return true;
        }
    }
    return false;
}

typedef enum name_state { NAME_OK, NAME_TYPE, NAME_LONG } name_state;
typedef struct reading {
    scan s;
    request *r;
    name_state class_state, dtype_state;
} reading;

/* A name or null into text (size bytes with its zero). */
static bool read_name(scan *s, char *text, size_t size, name_state *state) {
    bool cut;
    text[0] = '\0';
    *state = NAME_OK;
    if (!scan_blank(s)) return false;
    if (scan_word(s, "null")) return true;
    if (*s->p != '"') return *state = NAME_TYPE, scan_value(s);
    if (!scan_string(s, text, size, &cut)) return false;
    if (cut) *state = NAME_LONG;
    return true;
}

static void keep_member(request *r, const char *key, span at) {
    const struct { const char *key; span *to; } members[] = {
        {"id", &r->id}, {"seed", &r->seed}, {"mode", &r->mode}, {"max_memory", &r->max_memory}, {"no_split", &r->no_split}, {"args", &r->args},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(key, members[i].key) == 0) *members[i].to = at;
}

static bool member(reading *in) {
    char key[KEY];
    bool cut;
    if (!scan_string(&in->s, key, sizeof key, &cut) || !scan_take(&in->s, ':') || !scan_blank(&in->s)) return false;
    if (strcmp(key, "class") == 0) return read_name(&in->s, in->r->class_name, sizeof in->r->class_name, &in->class_state);
    if (strcmp(key, "dtype") == 0) return read_name(&in->s, in->r->dtype, sizeof in->r->dtype, &in->dtype_state);
    const char *from = in->s.p;
    bool is_config = strcmp(key, "config") == 0;
    if (!(is_config && *from == '{' ? extent(&in->s) : scan_value(&in->s))) return false;
    span at = {from, (size_t)(in->s.p - from)};
    if (is_config) in->r->config = at; /* the last of equal keys counts, as in Python */
    else keep_member(in->r, key, at);
    return true;
}

static bool members(reading *in) {
    if (!scan_take(&in->s, '{')) return false;
    if (scan_take(&in->s, '}')) return !scan_blank(&in->s);
    do {
        if (!member(in)) return false;
    } while (scan_take(&in->s, ','));
    return scan_take(&in->s, '}') && !scan_blank(&in->s);
}

static bool refuse(tare_error *err, const char *code, const line *in, const char *path, const char *what) {
    error_fill(err, TARE_BAD, code, "line %" PRIu64 ": %s", in->number, what);
    snprintf(err->path, sizeof err->path, "%s", path);
    return false;
}

bool request_read(request *r, const line *in, tare_error *err) {
    reading at = {.s = {in->text, in->text ? in->text + in->n : NULL}, .r = r};
    *r = (request){.class_name = ""};
    if (!in->text) return refuse(err, "too_large", in, "", "longer than 64 MiB");
    if (!members(&at)) {
        *r = (request){.class_name = ""};
        return refuse(err, "bad_json", in, "", "not one JSON object {\"id\": ..., \"config\": {...}}");
    }
    if (at.class_state == NAME_TYPE) return refuse(err, "bad_type", in, "$.class", "$.class is not a text, but should be the name of a class");
    if (at.class_state == NAME_LONG) return refuse(err, "unknown_class", in, "$.class", "$.class is longer than the name of any class");
    r->no_dtype = at.dtype_state != NAME_OK;
    if (!r->config.text) return refuse(err, "missing_key", in, "$.config", "$.config is missing");
    if (*r->config.text != '{') return refuse(err, "bad_type", in, "$.config", "$.config is not an object");
    return true;
}

void request_begin(const request *r, out *o) {
    out_text(o, "{\"id\":");
    if (r->id.text) out_put(o, r->id.text, r->id.n);
    else out_text(o, "null");
}

void request_fail(const request *r, out *o, size_t begin, const char *before, const tare_error *err) {
    o->n = begin;
    request_begin(r, o);
    out_text(o, before);
    out_text(o, ",\"error\":");
    out_error(o, err);
}
