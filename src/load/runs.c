/* Rows are grouped by what is left of them without numbers; in a group the numbers at each place make a set, and where the group holds
 * every combination it is one line. Where it does not, it is divided by the values at its first place that vary, equal rests together. */
#include "runs.h"
#include <stdlib.h>
#include <string.h>

enum { PLACES = 8, DEPTH = 8 };
typedef struct entry {
    const tare_row *row;
    size_t at;             /* of the row */
    uint64_t form;         /* a digest of what is not a number */
    uint64_t number[PLACES];
    int n;
    uint64_t rest;         /* while a group is divided */
} entry;

/* ---- what a row is without its numbers ---- */

static uint64_t mix(uint64_t h, const void *data, size_t n) {
    for (const unsigned char *p = data; n--; p++) h = (h ^ *p) * 0x100000001b3u;
    return h;
}
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
/* Only whole words between dots are numbers, and no longer than they can be held. */
static size_t number_length(const char *name, const char *p) {
    size_t n = strspn(p, "0123456789");
    bool word = n && n < 18 && (p == name || p[-1] == '.') && (!p[n] || p[n] == '.');
    return word && (n == 1 || *p != '0') ? n : 0;
}
static uint64_t form_of_text(uint64_t h, const char *text) {
    for (; text && *text; text++)
        if (!is_digit(*text) || !is_digit(text[1])) h = mix(h, is_digit(*text) ? "#" : text, 1);
    return mix(h, "", 1);
}
static uint64_t form_of_shape(uint64_t h, int rank, const int64_t *shape) {
    h = mix(h, &rank, sizeof rank);
    return rank > 0 ? mix(h, shape, (size_t)rank * sizeof *shape) : h;
}
static entry entry_of(const tare_row *row, size_t at) {
    entry e = {.row = row, .at = at};
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *p = row->name; *p;) {
        size_t n = e.n < PLACES ? number_length(row->name, p) : 0;
        if (n) e.number[e.n++] = strtoull(p, NULL, 10), h = mix(h, "#", 1), p += n;
        else h = mix(h, p++, 1);
    }
    h = form_of_text(h, row->why);
    h = mix(h, &row->dtype, sizeof row->dtype);
    h = mix(h, &row->file_dtype, sizeof row->file_dtype);
    h = form_of_shape(h, row->rank, row->shape);
    e.form = form_of_shape(h, row->file_rank, row->file_shape);
    return e;
}

/* ---- groups ---- */

static int by_numbers(const entry *a, const entry *b, int from) {
    for (int i = from; i < a->n; i++)
        if (a->number[i] != b->number[i]) return a->number[i] < b->number[i] ? -1 : 1;
    return 0;
}
static int by_form(const void *x, const void *y) {
    const entry *a = x, *b = y;
    if (a->form != b->form) return a->form < b->form ? -1 : 1;
    if (a->n != b->n) return a->n - b->n;
    int order = by_numbers(a, b, 0);
    return order ? order : a->at < b->at ? -1 : a->at > b->at;
}
static int by_rest(const void *x, const void *y) {
    const entry *a = x, *b = y;
    if (a->rest != b->rest) return a->rest < b->rest ? -1 : 1;
    int order = by_numbers(a, b, 0);
    return order ? order : a->at < b->at ? -1 : a->at > b->at;
}
static int by_first(const void *x, const void *y) {
    const name_run *a = x, *b = y;
    return a->first < b->first ? -1 : a->first > b->first;
}
static int by_value(const void *x, const void *y) {
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

/* {0...3,5,7...9}; a single number as it is. */
static void put_set(sink *o, const uint64_t *v, size_t n) {
    if (n == 1) {
        sink_int(o, (int64_t)v[0]);
        return;
    }
    sink_char(o, '{');
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && v[end] == v[end - 1] + 1;) end++;
        if (end - i == 2) end--;
        if (i) sink_char(o, ',');
        sink_int(o, (int64_t)v[i]);
        if (end - i > 1) sink_text(o, "..."), sink_int(o, (int64_t)v[end - 1]);
    }
    sink_char(o, '}');
}
/* The distinct numbers at one place, sorted into `v`. */
static size_t set_of(const entry *e, size_t n, int place, uint64_t *v) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) v[i] = e[i].number[place];
    qsort(v, n, sizeof *v, by_value);
    for (size_t i = 0; i < n; i++)
        if (!kept || v[kept - 1] != v[i]) v[kept++] = v[i];
    return kept;
}
static bool is_product(const entry *e, size_t n, uint64_t *v) {
    size_t product = 1;
    for (int i = 0; i < e->n; i++) {
        size_t k = set_of(e, n, i, v);
        if (__builtin_mul_overflow(product, k, &product) || product > n) return false;
    }
    return product == n;
}
typedef struct folding {
    runs *r;
    arena *a;
    uint64_t *v; /* room for as many numbers as there are rows */
} folding;
typedef struct name_text { arena *a; char *data; size_t n, cap; } name_text;
static bool name_take(void *to, const char *data, size_t n) {
    name_text *t = to;
    t->data = arena_grow(t->a, t->data, t->n, &t->cap, n, 1);
    memcpy(t->data + t->n, data, n);
    t->n += n;
    return true;
}
static void add_run(folding *f, const entry *e, size_t n) {
    name_text name = {.a = f->a};
    sink s;
    const char *text = e->row->name;
    int place = 0;
    sink_open(&s, name_take, &name);
    for (const char *p = text; *p;) {
        size_t k = place < e->n ? number_length(text, p) : 0;
        if (k) put_set(&s, f->v, set_of(e, n, place++, f->v)), p += k;
        else sink_char(&s, *p++);
    }
    sink_char(&s, '\0');
    sink_flush(&s);
    size_t first = e->at;
    for (size_t i = 1; i < n; i++)
        if (e[i].at < first) first = e[i].at;
    f->r->v = arena_grow(f->a, f->r->v, f->r->n, &f->r->cap, 1, sizeof *f->r->v);
    f->r->v[f->r->n++] = (name_run){name.data, first, n};
}
static void divide(folding *f, entry *e, size_t n, int depth);
/* Every value at `place` has a rest: the numbers behind it. Values with equal rests stay together. */
static void divide_at(folding *f, entry *e, size_t n, int place, int depth) {
    for (size_t i = 0, end; i < n; i = end) {
        uint64_t rest = 0xcbf29ce484222325u;
        for (end = i; end < n && e[end].number[place] == e[i].number[place]; end++)
            rest = mix(rest, &e[end].number[place + 1], (size_t)(e->n - place - 1) * sizeof *e->number);
        for (size_t k = i; k < end; k++) e[k].rest = rest;
    }
    qsort(e, n, sizeof *e, by_rest);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && e[end].rest == e[i].rest;) end++;
        divide(f, e + i, end - i, depth + 1);
    }
}
static void divide(folding *f, entry *e, size_t n, int depth) {
    if (is_product(e, n, f->v)) {
        add_run(f, e, n);
        return;
    }
    for (int place = 0; depth < DEPTH && place + 1 < e->n; place++)
        if (set_of(e, n, place, f->v) > 1) {
            divide_at(f, e, n, place, depth);
            return;
        }
    for (size_t i = 0; i < n; i++) add_run(f, e + i, 1);
}

void runs_make(runs *r, arena *a, const tare_row *rows, const size_t *which, size_t n) {
    entry *e = arena_array(a, n + 1, sizeof *e);
    folding f = {.r = r, .a = a, .v = arena_array(a, n + 1, sizeof *f.v)};
    *r = (runs){0};
    for (size_t i = 0; i < n; i++) e[i] = entry_of(&rows[which[i]], which[i]);
    if (n) qsort(e, n, sizeof *e, by_form);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && e[end].form == e[i].form && e[end].n == e[i].n;) end++;
        divide(&f, e + i, end - i, 0);
    }
    if (r->n) qsort(r->v, r->n, sizeof *r->v, by_first);
}
