#include "names.h"
#include <string.h>

/* ---- the set: open addressing, never more than half full ---- */

static size_t hash(const char *s) {
    size_t n = strlen(s);
    uint64_t h = n * 0x9e3779b97f4a7c15u, word;
    for (; n >= 8; n -= 8, s += 8) {
        memcpy(&word, s, 8);
        h = (h ^ word) * 0x9fb21c651e98df25u;
        h ^= h >> 32;
    }
    for (; n; n--) h = (h ^ (unsigned char)*s++) * 0x100000001b3u;
    return (size_t)(h ^ h >> 29);
}
static struct name_row *row_of(const name_table *t, const char *name) {
    size_t i = hash(name) & (t->cap - 1);
    while (t->rows[i].name && strcmp(t->rows[i].name, name)) i = (i + 1) & (t->cap - 1);
    return &t->rows[i];
}
static void grow(name_table *t) {
    name_table bigger = {.a = t->a, .n = t->n, .cap = t->cap ? t->cap * 2 : 256};
    bigger.rows = arena_array(t->a, bigger.cap, sizeof *bigger.rows);
    for (size_t i = 0; i < t->cap; i++)
        if (t->rows[i].name) *row_of(&bigger, t->rows[i].name) = t->rows[i];
    *t = bigger;
}
size_t name_put(name_table *t, const char *name, size_t value) {
    if (t->n * 2 >= t->cap) grow(t);
    struct name_row *r = row_of(t, name);
    if (!r->name) *r = (struct name_row){name, value}, t->n++;
    return r->value;
}
size_t name_get(const name_table *t, const char *name) {
    const struct name_row *r = t->n ? row_of(t, name) : NULL;
    return r && r->name ? r->value : SIZE_MAX;
}

/* ---- the order ---- */

typedef struct part { /* between two dots: a text, digits after it */
    const char *text, *digits;
    size_t text_n, digit_n;
    bool named; /* digits alone are a number */
} part;
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static part part_at(const char *s, size_t n) {
    part p = {.text = s, .text_n = n};
    while (p.text_n && is_digit(s[p.text_n - 1])) p.text_n--;
    p.digits = s + p.text_n;
    p.digit_n = n - p.text_n;
    p.named = p.text_n || !n;
    return p;
}
/* Values of any length: without leading zeros the longer is the larger. */
static int number_order(part x, part y) {
    while (x.digit_n > 1 && *x.digits == '0') x.digits++, x.digit_n--;
    while (y.digit_n > 1 && *y.digits == '0') y.digits++, y.digit_n--;
    if (x.digit_n != y.digit_n) return x.digit_n < y.digit_n ? -1 : 1;
    return x.digit_n ? memcmp(x.digits, y.digits, x.digit_n) : 0;
}
static int part_order(part x, part y) {
    if (x.named != y.named) return x.named ? 1 : -1;
    int order = memcmp(x.text, y.text, x.text_n < y.text_n ? x.text_n : y.text_n);
    if (!order && x.text_n != y.text_n) order = x.text_n < y.text_n ? -1 : 1;
    return order ? order : number_order(x, y);
}
static size_t word(const char *s) {
    const char *dot = strchr(s, '.');
    return dot ? (size_t)(dot - s) : strlen(s);
}
int name_order(const char *a, const char *b) {
    for (;;) {
        size_t n = word(a), m = word(b);
        int order = part_order(part_at(a, n), part_at(b, m));
        if (order) return order;
        if (!a[n] || !b[m]) return (a[n] != 0) - (b[m] != 0);
        a += n + 1, b += m + 1;
    }
}
