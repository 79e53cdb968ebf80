/* One line of a batch is split into its members here, so that id comes back byte for byte and config reaches the library
 * without being parsed twice. Everything but config is checked as strictly as JSON asks (NaN and Infinity pass, as Python
 * writes them); of config only the extent is found, for the library checks it. */
#include "lines.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH = 128, KEY = 16 };
typedef struct scan {
    const char *p, *end;
} scan;

static bool blank(scan *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n')) s->p++;
    return s->p < s->end;
}

static bool take(scan *s, char c) {
    if (!blank(s) || *s->p != c) return false;
    s->p++;
    return true;
}

static int hex(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What follows a backslash. Beyond ASCII it becomes '?': no name we look for holds such a letter. */
static bool escape(scan *s, char *letter) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (s->p == s->end) return false;
    char c = *s->p++;
    const char *at = c ? strchr(from, c) : NULL;
    if (at) return *letter = to[at - from], true;
    if (c != 'u' || s->end - s->p < 4) return false;
    int code = 0;
    for (int i = 0; i < 4; i++) {
        int d = hex(*s->p++);
        if (d < 0) return false;
        code = code * 16 + d;
    }
    *letter = (char)(code > 0 && code < 128 ? code : '?');
    return true;
}

/* A string, decoded into text (size bytes with its zero; cut when it does not fit, and then *cut is set). */
static bool string(scan *s, char *text, size_t size, bool *cut) {
    size_t k = 0;
    *cut = false;
    if (!take(s, '"')) return false;
    while (s->p < s->end && *s->p != '"') {
        char c = *s->p;
        size_t n = utf8_length(s->p, (size_t)(s->end - s->p));
        if (!n || (unsigned char)c < 0x20) return false;
        s->p += n;
        if (c == '\\' && !escape(s, &c)) return false;
        if (k + 1 < size) text[k++] = n > 1 ? '?' : c;
        else *cut = true;
    }
    if (s->p == s->end) return false;
    s->p++;
    if (size) text[k] = '\0';
    return true;
}

static size_t digits(scan *s) {
    const char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') s->p++;
    return (size_t)(s->p - from);
}

static bool word(scan *s, const char *w) {
    size_t n = strlen(w);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0) return false;
    s->p += n;
    return true;
}

static bool number(scan *s) {
    if (s->p < s->end && *s->p == '-') s->p++;
    if (word(s, "Infinity")) return true;
    bool zero = s->p < s->end && *s->p == '0';
    size_t n = digits(s);
    if (!n || (zero && n > 1)) return false;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!digits(s)) return false;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-')) s->p++;
        return digits(s) > 0;
    }
    return true;
}

/* Steps over one value, all of it checked. */
static bool value(scan *s, int depth) {
    bool cut;
    if (!blank(s) || depth == DEPTH) return false;
    char c = *s->p;
    if (c == '"') return string(s, NULL, 0, &cut);
    if (c != '{' && c != '[') return word(s, "true") || word(s, "false") || word(s, "null") || word(s, "NaN") || number(s);
    char close = c == '{' ? '}' : ']';
    s->p++;
    if (take(s, close)) return true;
    do {
        if (c == '{' && (!string(s, NULL, 0, &cut) || !take(s, ':'))) return false;
        if (!value(s, depth + 1)) return false;
    } while (take(s, ','));
    return take(s, close);
}

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
    if (!blank(s)) return false;
    if (word(s, "null")) return true;
    if (*s->p != '"') return *state = NAME_TYPE, value(s, 0);
    if (!string(s, text, size, &cut)) return false;
    if (cut) *state = NAME_LONG;
    return true;
}

static bool member(reading *in) {
    char key[KEY];
    bool cut;
    if (!string(&in->s, key, sizeof key, &cut) || !take(&in->s, ':') || !blank(&in->s)) return false;
    if (strcmp(key, "class") == 0) return read_name(&in->s, in->r->class_name, sizeof in->r->class_name, &in->class_state);
    if (strcmp(key, "dtype") == 0) return read_name(&in->s, in->r->dtype, sizeof in->r->dtype, &in->dtype_state);
    const char *from = in->s.p;
    bool is_config = strcmp(key, "config") == 0;
    if (!(is_config && *from == '{' ? extent(&in->s) : value(&in->s, 0))) return false;
    span at = {from, (size_t)(in->s.p - from)};
    if (is_config) in->r->config = at; /* the last of equal keys counts, as in Python */
    else if (strcmp(key, "id") == 0) in->r->id = at;
    else if (strcmp(key, "seed") == 0) in->r->seed = at;
    return true;
}

static bool members(reading *in) {
    if (!take(&in->s, '{')) return false;
    if (take(&in->s, '}')) return !blank(&in->s);
    do {
        if (!member(in)) return false;
    } while (take(&in->s, ','));
    return take(&in->s, '}') && !blank(&in->s);
}

static bool refuse(tare_error *err, const char *code, const line *in, const char *path, const char *what) {
    error_fill(err, TARE_BAD, code, "line %" PRIu64 ": %s", in->number, what);
    snprintf(err->path, sizeof err->path, "%s", path);
    return false;
}

bool request_read(request *r, const line *in, tare_error *err) {
    reading at = {.s = {in->text, in->text + in->n}, .r = r};
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
