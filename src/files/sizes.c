#include "sizes.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 64 };

/* What Python's strip() takes off, of ASCII. */
static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f); }
static void strip(const char **text, size_t *n) {
    while (*n && is_blank(**text)) ++*text, --*n;
    while (*n && is_blank((*text)[*n - 1])) --*n;
}
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Digits, single underscores between them allowed, copied to *out without those; how many characters there were. */
static size_t digits(const char *text, size_t n, char **out) {
    size_t i = 0;
    for (; i < n; i++) {
        if (is_digit(text[i])) *(*out)++ = text[i];
        else if (text[i] != '_' || !i || text[i - 1] == '_' || i + 1 == n || !is_digit(text[i + 1])) break;
    }
    return i;
}

/* The number without its underscores: an int when `whole`, else a float. */
static bool number(const char *text, size_t n, bool whole, char out[LONGEST]) {
    if (!n || n >= LONGEST) return false;
    size_t i = *text == '+', first = digits(text + i, n - i, &out), after = 0;
    i += first;
    if (!whole && i < n && text[i] == '.') {
        *out++ = text[i++];
        i += after = digits(text + i, n - i, &out);
    }
    if (!first && !after) return false;
    if (!whole && i < n && (text[i] == 'e' || text[i] == 'E')) {
        *out++ = text[i++];
        if (i < n && (text[i] == '+' || text[i] == '-')) *out++ = text[i++];
        size_t exponent = digits(text + i, n - i, &out);
        if (!exponent) return false;
        i += exponent;
    }
    *out = 0;
    return i == n;
}

/* The power of ten of a unit; 0 when there is no such unit. */
static double unit_of(const char *two) {
    static const struct { char name[3]; double size; } units[] = {{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (toupper((unsigned char)two[0]) == units[i].name[0] && toupper((unsigned char)two[1]) == 'B') return units[i].size;
    return 0;
}

static uint64_t whole_bytes(double d) { return d >= 0x1p64 ? UINT64_MAX : (uint64_t)d; }

bool size_parse(const char *text, uint64_t *bytes) {
    size_t n = strlen(text);
    char plain[LONGEST];
    strip(&text, &n);
    if (number(text, n, true, plain)) return *bytes = strtoull(plain, NULL, 10), true;
    double unit = n > 2 ? unit_of(text + n - 2) : 0;
    if (unit == 0) return false;
    n -= 2;
    strip(&text, &n);
    if (!number(text, n, false, plain)) return false;
    double size = strtod(plain, NULL) * unit;
    if (!isfinite(size)) return false;
    *bytes = whole_bytes(size);
    return true;
}
