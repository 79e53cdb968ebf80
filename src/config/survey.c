#include "survey.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t wrong(survey *s, const char *why, size_t at) {
    s->why = why;
    s->at = at;
    return s->n;
}

/* ---- strings ---- */

/* The four hex digits behind the \\u at i; -1 when they are none, which json-c refuses. */
static int unicode(const survey *s, size_t i) {
    int code = 0;
    if (s->n - i < 6 || s->text[i] != '\\' || s->text[i + 1] != 'u') return -1;
    for (size_t k = i + 2; k < i + 6; k++) {
        const char *digits = "0123456789abcdefABCDEF", *at = s->text[k] ? strchr(digits, s->text[k]) : NULL;
        if (!at) return -1;
        code = code * 16 + (int)(at - digits < 16 ? at - digits : at - digits - 6);
    }
    return code;
}
/* From a backslash to the last character of what it stands for. */
static size_t survey_escape(survey *s, size_t i) {
    int code = unicode(s, i);
    if (code < 0) return i + 1;
    if (code == 0) return s->unkept = true, wrong(s, "a zero character in a string, which cannot be kept,", i);
    if (code == SURVEY_MARK) s->marks = true;
    if (code < 0xd800 || code > 0xdfff) return i + 5;
    int low = code < 0xdc00 && i + 6 < s->n ? unicode(s, i + 6) : -1;
    if (low < 0xdc00 || low > 0xdfff) return s->unkept = true, wrong(s, "half of a surrogate pair, which cannot be kept,", i);
    return i + 11;
}
/* From behind the opening quote to the closing one. */
static size_t survey_string(survey *s, size_t i) {
    enum { PLAIN, CONTROL, QUOTE, ESCAPE };
    static const unsigned char kinds[256] = {
        CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL,
        CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL,
        CONTROL, CONTROL, CONTROL, CONTROL, ['"'] = QUOTE, ['\\'] = ESCAPE};
    for (; i < s->n; i++) {
        unsigned char c = (unsigned char)s->text[i];
        s->wide |= c >= 0x80;
        if (kinds[c] == PLAIN) continue;
        if (kinds[c] == QUOTE) return i;
        if (kinds[c] == CONTROL) return wrong(s, "a raw control character in a string", i);
        i = survey_escape(s, i);
    }
    return i;
}

/* ---- numbers ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool fits(const char *digits, size_t n, bool negative) {
    char copy[24] = {negative ? '-' : '+'};
    if (n < 19) return true;
    memcpy(copy + 1, digits, n < 22 ? n : 22);
    errno = 0;
    (void)strtoll(copy, NULL, 10);
    return errno == 0;
}
static size_t survey_number(survey *s, size_t i) {
    size_t from = i, digits = 0;
    bool whole = true, negative = from && s->text[from - 1] == '-';
    for (; i < s->n; i++) {
        char c = s->text[i];
        if (is_digit(c)) digits++;
        else if (c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-') whole = false;
        else break;
        if (c == '.' && (i + 1 == s->n || !is_digit(s->text[i + 1]))) return wrong(s, "a number that ends in a point", i);
    }
    if (!whole || fits(s->text + from, digits, negative)) return i - 1;
    if (s->text[from] == '0') return wrong(s, "a number that begins with 0", from);
    if (s->huge == SURVEY_HUGE) return s->unkept = true, wrong(s, "more than 16 integers beyond 64 bits", from);
    s->huge_at[s->huge] = from - negative;
    s->huge_n[s->huge++] = digits + negative;
    return i - 1;
}

bool survey_text(survey *s) {
    for (size_t i = 0; i < s->n && !s->why; i++) {
        char c = s->text[i];
        if (c == '"') i = survey_string(s, i + 1);
        else if (is_digit(c)) i = survey_number(s, i);
        else if (c == '\'') wrong(s, "a single quote", i);
    }
    if (!s->why && s->huge && s->marks)
        s->unkept = true, wrong(s, "an integer beyond 64 bits beside a string with the character U+001F", s->huge_at[0]);
    return !s->why;
}

const char *survey_marked(const survey *s, arena *a, size_t *n) {
    static const char open[] = "\"\\u001f";
    size_t from = 0, extra = 0;
    for (int i = 0; i < s->huge; i++) extra += sizeof open - 1 + 1;
    char *out = arena_alloc(a, s->n + extra + 1), *p = out;
    for (int i = 0; i < s->huge; i++) {
        size_t before = s->huge_at[i] - from;
        memcpy(p, s->text + from, before);
        memcpy(p += before, open, sizeof open - 1);
        memcpy(p += sizeof open - 1, s->text + s->huge_at[i], s->huge_n[i]);
        p += s->huge_n[i];
        *p++ = '"';
        from = s->huge_at[i] + s->huge_n[i];
    }
    memcpy(p, s->text + from, s->n - from);
    *n = (size_t)(p - out) + s->n - from;
    return out;
}
