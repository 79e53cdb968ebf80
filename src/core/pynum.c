#include "pynum.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 400 };

typedef struct reader { const char *p, *end; char *out; } reader;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static void copy(reader *r) { *r->out++ = *r->p++; }
bool py_is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f); }

/* The text without blanks around it; its characters, copied as they are read, have room in `plain`. */
static bool begin(reader *r, const char *text, size_t n, char plain[LONGEST]) {
    while (n && py_is_blank(*text)) text++, n--;
    while (n && py_is_blank(text[n - 1])) n--;
    *r = (reader){text, text + n, plain};
    return n && n < LONGEST;
}
/* Digits with single underscores between them, which are dropped. */
static bool digits(reader *r) {
    const char *from = r->p;
    while (r->p < r->end) {
        bool joins = *r->p == '_' && r->p > from && r->p[-1] != '_' && r->p + 1 < r->end && is_digit(r->p[1]);
        if (joins) r->p++;
        else if (is_digit(*r->p)) copy(r);
        else break;
    }
    return r->p > from;
}
static bool decimal(reader *r) {
    bool whole = digits(r), part = false;
    if (r->p < r->end && *r->p == '.') copy(r), part = digits(r);
    if (!whole && !part) return false;
    if (r->p < r->end && lower(*r->p) == 'e') {
        copy(r);
        if (r->p < r->end && (*r->p == '+' || *r->p == '-')) copy(r);
        if (!digits(r)) return false;
    }
    return r->p == r->end;
}
static bool word(const reader *r, const char *w) {
    size_t n = strlen(w), same = 0;
    while (same < n && r->p + same < r->end && lower(r->p[same]) == w[same]) same++;
    return same == n && r->p + n == r->end;
}

bool py_int(const char *text, size_t n, uint64_t *out) {
    char plain[LONGEST];
    reader r;
    if (!begin(&r, text, n, plain)) return false;
    if (*r.p == '+') r.p++;
    if (!digits(&r) || r.p != r.end) return false;
    *r.out = 0;
    *out = strtoull(plain, NULL, 10);
    return true;
}
bool py_float(const char *text, size_t n, double *out) {
    char plain[LONGEST];
    reader r;
    if (!begin(&r, text, n, plain)) return false;
    bool minus = *r.p == '-';
    if (minus || *r.p == '+') r.p++;
    if (word(&r, "inf") || word(&r, "infinity")) *out = HUGE_VAL;
    else if (word(&r, "nan")) *out = (double)NAN;
    else if (!decimal(&r)) return false;
    else *r.out = 0, *out = strtod(plain, NULL);
    if (minus) *out = -*out;
    return true;
}
