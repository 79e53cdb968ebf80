#include "reader.h"
#include "utf8.h"
#include <math.h>
#include <string.h>

enum { DEEPEST = 127, LARGEST_EXPONENT = 100000 };

reader reader_of(char *text, size_t n) { return (reader){.at = text, .from = text, .end = text + n}; }

bool reader_fail(reader *r, const char *why) {
    if (!r->why) r->why = why;
    return false;
}

static inline void blanks(reader *r) {
    while (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t') r->at++;
}
char reader_next(reader *r) {
    blanks(r);
    return *r->at;
}
/* The text's end is a zero byte, which no value begins with. */
static bool unexpected(reader *r, const char *why) { return reader_fail(r, r->at == r->end ? "it ends too early" : why); }

/* ---- strings ---- */

#define EACH(byte) ((uint64_t)(byte) * UINT64_C(0x0101010101010101))
static inline uint64_t zeros(uint64_t x) { return (x - EACH(1)) & ~x & EACH(0x80); }
/* The first byte from s on that is not plain: a quote, a backslash, a control character, or part of a longer UTF-8 sequence. */
static inline char *plain_end(char *s) {
    for (;; s += 8) {
        uint64_t x;
        memcpy(&x, s, 8);
        uint64_t odd = (x & EACH(0x80)) | zeros(x ^ EACH('"')) | zeros(x ^ EACH('\\')) | ((x - EACH(0x20)) & ~x & EACH(0x80));
        if (odd) return s + (__builtin_ctzll(odd) >> 3); /* what a borrow marks wrongly comes after a right one */
    }
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
static bool hex_code(reader *r, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*r->at);
        if (digit < 0) return unexpected(r, "\\u needs four hexadecimal digits");
        *code = *code << 4 | (uint32_t)digit;
        r->at++;
    }
    return true;
}
static char *put_point(char *to, uint32_t code) {
    if (code < 0x80) return *to++ = (char)code, to;
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *to++ = (char)((0xF0u << (3 - more) & 0xFF) | code >> 6 * more);
    while (more-- > 0) *to++ = (char)(0x80 | (code >> 6 * more & 0x3F));
    return to;
}
/* What follows \u; two surrogates are one character, and one alone is none. */
static bool unicode_escape(reader *r, char **to) {
    uint32_t code, low;
    if (!hex_code(r, &code)) return false;
    if (code >= 0xDC00 && code < 0xE000) return reader_fail(r, "half of a surrogate pair");
    if (code >= 0xD800 && code < 0xDC00) {
        if (r->at[0] != '\\' || r->at[1] != 'u') return unexpected(r, "half of a surrogate pair");
        r->at += 2;
        if (!hex_code(r, &low)) return false;
        if (low < 0xDC00 || low >= 0xE000) return reader_fail(r, "half of a surrogate pair");
        code = 0x10000 + ((code & 0x3FF) << 10 | (low & 0x3FF));
    }
    r->zeros |= !code;
    *to = put_point(*to, code);
    return true;
}
static bool escape(reader *r, char **to) {
    static const char known[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    char c = r->at[1];
    if (r->at + 1 == r->end) return reader_fail(r, "it ends too early");
    if (c == 'u') return r->at += 2, unicode_escape(r, to);
    for (const char *k = known; *k; k += 2)
        if (*k == c) return *(*to)++ = k[1], r->at += 2, true;
    return reader_fail(r, "no such escape");
}
/* A byte that is not plain; what is kept moves down to *to. */
static bool odd_byte(reader *r, char **to) {
    uint32_t code;
    if (*r->at == '\\') return escape(r, to);
    if ((unsigned char)*r->at < 0x20) return unexpected(r, "a control character in a string");
    size_t n = utf8_point(r->at, &code);
    if (!n) return reader_fail(r, "invalid UTF-8");
    memmove(*to, r->at, n);
    *to += n, r->at += n;
    return true;
}
bool reader_string(reader *r, word *out) {
    if (r->why) return false;
    if (reader_next(r) != '"') return unexpected(r, "a string is needed");
    char *from = ++r->at, *to = from;
    for (;;) {
        char *stop = plain_end(r->at);
        size_t n = (size_t)(stop - r->at);
        if (to != r->at) memmove(to, r->at, n);
        to += n, r->at = stop;
        if (*stop == '"') break;
        if (!odd_byte(r, &to)) return false;
    }
    r->at++;
    *to = 0;
    *out = (word){from, (size_t)(to - from)};
    return true;
}

bool reader_plain(reader *r, word w) { return !r->zeros || !memchr(w.s, 0, w.n) || reader_fail(r, "a zero character in a name"); }

/* ---- numbers ---- */

bool reader_whole(reader *r, uint64_t *out) {
    static const char *const needed = "a whole number from 0 to 2^64 - 1 is needed";
    enum { SAFE = 19 }; /* so many digits are always below 2^64 */
    if (r->why) return false;
    blanks(r);
    const char *start = r->at, *p = start;
    uint64_t n = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (p - start < SAFE) n = n * 10 + digit;
        else if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, digit, &n)) return reader_fail(r, needed);
    }
    r->at += p - start;
    if (p == start || *p == '.' || (*p | 0x20) == 'e') return unexpected(r, needed);
    if (*start == '0' && p - start > 1) return reader_fail(r, "a number with a zero before it");
    *out = n;
    return true;
}

static size_t digits(reader *r) {
    char *start = r->at;
    while (*r->at >= '0' && *r->at <= '9') r->at++;
    return (size_t)(r->at - start);
}
/* The exponent after "e", bounded: what is beyond is infinite or zero anyway. */
static bool exponent(reader *r, long *power) {
    r->at++;
    bool negative = *r->at == '-';
    if (*r->at == '-' || *r->at == '+') r->at++;
    char *start = r->at;
    if (!digits(r)) return unexpected(r, "an exponent without digits");
    long n = 0;
    for (; start < r->at; start++) n = n > LARGEST_EXPONENT ? n : n * 10 + (*start - '0');
    *power = negative ? -n : n;
    return true;
}
static double magnitude(const char *whole, size_t n, const char *fraction, size_t m, long power) {
    double sum = 0;
    long dropped = 0;
    for (size_t i = 0; i < n + m; i++) {
        char c = i < n ? whole[i] : fraction[i - n];
        if (sum < 1e17) sum = sum * 10 + (c - '0'), dropped -= i >= n;
        else dropped += i < n;
    }
    power += dropped;
    if (!(sum > 0) || power < -400) return 0;
    return power > 400 ? (double)INFINITY : (double)((long double)sum * powl(10, (long double)power));
}
/* The grammar's number; out may be NULL. */
static bool any_number(reader *r, double *out) {
    bool negative = *r->at == '-';
    r->at += negative;
    char *whole = r->at, *fraction = whole;
    size_t n = digits(r), m = 0;
    long power = 0;
    if (!n) return unexpected(r, "a value is needed");
    if (*whole == '0' && n > 1) return reader_fail(r, "a number with a zero before it");
    if (*r->at == '.') {
        fraction = ++r->at;
        m = digits(r);
        if (!m) return unexpected(r, "a fraction without digits");
    }
    if ((*r->at | 0x20) == 'e' && !exponent(r, &power)) return false;
    bool large = n > 18 || power > 0; /* the only ones that can be too large */
    double d = large || out ? magnitude(whole, n, fraction, m, power) : 0;
    if (isinf(d) && !r->python) return reader_fail(r, "a number that is too large");
    if (out) *out = negative ? -d : d;
    return true;
}

static bool literal(reader *r, const char *text) {
    size_t n = strlen(text);
    if (strncmp(r->at, text, n)) return false; /* stops at the zero byte after the text */
    r->at += n;
    return true;
}
bool reader_null(reader *r) { return !r->why && reader_next(r) == 'n' && literal(r, "null"); }

bool reader_number(reader *r, double *out) {
    char c = r->why ? 0 : reader_next(r);
    if (r->python && literal(r, "NaN")) return *out = (double)NAN, true;
    if (r->python && (literal(r, "Infinity") || literal(r, "-Infinity"))) return *out = (double)INFINITY, true;
    return (c == '-' || (c >= '0' && c <= '9')) && any_number(r, out);
}

/* ---- lists and objects ---- */

bool reader_open(reader *r, char bracket) {
    if (r->why) return false;
    if (reader_next(r) != bracket) return unexpected(r, bracket == '{' ? "an object is needed" : "a list is needed");
    r->at++;
    return ++r->depth <= DEEPEST || reader_fail(r, "it is nested deeper than 127 levels");
}
/* Before a member or an item: its comma, or the bracket that ends them. */
static bool another(reader *r, bool *first, char bracket) {
    if (r->why) return false;
    char c = reader_next(r);
    if (c == bracket) return r->at++, r->depth--, false;
    if (!*first && c != ',') return unexpected(r, bracket == '}' ? "a comma or } is needed" : "a comma or ] is needed");
    r->at += !*first;
    *first = false;
    return true;
}
bool reader_item(reader *r, bool *first) { return another(r, first, ']'); }
bool reader_member(reader *r, bool *first, word *key) {
    if (!another(r, first, '}') || !reader_string(r, key)) return false;
    if (reader_next(r) != ':') return unexpected(r, "a colon is needed");
    r->at++;
    return true;
}

static bool skip_all(reader *r, bool object) {
    bool first = true;
    word key;
    if (!reader_open(r, object ? '{' : '[')) return false;
    while (object ? reader_member(r, &first, &key) : reader_item(r, &first)) reader_skip(r);
    return !r->why;
}
bool reader_skip(reader *r) {
    word text;
    double number;
    if (r->why) return false;
    char c = reader_next(r);
    if (c == '"') return reader_string(r, &text);
    if (c == '{' || c == '[') return skip_all(r, c == '{');
    if (literal(r, "true") || literal(r, "false") || literal(r, "null") || (r->python && reader_number(r, &number))) return true;
    return !r->why && any_number(r, NULL);
}
bool reader_end(reader *r) {
    if (r->why) return false;
    blanks(r);
    return r->at == r->end || reader_fail(r, "more follows after its end");
}
