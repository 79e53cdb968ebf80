#include "tokens.h"
#include "cli.h"
#include <string.h>

enum { DEPTH = 128 };

bool scan_blank(scan *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n')) s->p++;
    return s->p < s->end;
}

bool scan_take(scan *s, char c) {
    if (!scan_blank(s) || *s->p != c) return false;
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

bool scan_string(scan *s, char *text, size_t size, bool *cut) {
    size_t k = 0;
    *cut = false;
    if (!scan_take(s, '"')) return false;
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

bool scan_word(scan *s, const char *w) {
    size_t n = strlen(w);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0) return false;
    s->p += n;
    return true;
}

bool scan_number(scan *s) {
    if (s->p < s->end && *s->p == '-') s->p++;
    if (scan_word(s, "Infinity")) return true;
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
    if (!scan_blank(s) || depth == DEPTH) return false;
    char c = *s->p;
    if (c == '"') return scan_string(s, NULL, 0, &cut);
    if (c != '{' && c != '[') return scan_word(s, "true") || scan_word(s, "false") || scan_word(s, "null") || scan_word(s, "NaN") || scan_number(s);
    char close = c == '{' ? '}' : ']';
    s->p++;
    if (scan_take(s, close)) return true;
    do {
        if (c == '{' && (!scan_string(s, NULL, 0, &cut) || !scan_take(s, ':'))) return false;
        if (!value(s, depth + 1)) return false;
    } while (scan_take(s, ','));
    return scan_take(s, close);
}

bool scan_value(scan *s) { return value(s, 0); }
