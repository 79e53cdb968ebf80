#include "val.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

val val_text(const char *s) { return (val){.kind = VAL_TEXT, .n = (uint32_t)strlen(s), .s = s}; }

uint32_t hash_text(const char *s) {
    uint32_t h = 2166136261u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

bool word_in(const char *word, const char *const *words) {
    while (*words && !same_word(*words, word)) words++;
    return *words != NULL;
}

bool val_number(val v, double *d) {
    if (v.kind == VAL_BOOL) return *d = v.b, true;
    if (v.kind == VAL_INT) return *d = (double)v.i, true;
    if (v.kind == VAL_REAL) return *d = v.d, true;
    if (v.kind == VAL_BIG) return *d = strtod(v.s, NULL), true;
    return false;
}
bool val_given(val v) { return v.kind != VAL_ABSENT && v.kind != VAL_NULL; }
val val_or(val v, val other) { return v.kind == VAL_ABSENT ? other : v; }

static bool items_equal(val a, val b) {
    for (uint32_t i = 0; i < a.n; i++)
        if (!val_equal(a.items[i], b.items[i])) return false;
    return true;
}
static bool members_equal(val a, val b) {
    for (uint32_t i = 0; i < a.n; i++) {
        val other = dict_get(b, a.members[i].key);
        if (other.kind == VAL_ABSENT || !val_equal(a.members[i].v, other)) return false;
    }
    return true;
}
bool val_equal(val a, val b) {
    double x, y;
    if (a.kind == VAL_INT && b.kind == VAL_INT) return a.i == b.i;
    bool big = a.kind == VAL_BIG && b.kind == VAL_BIG;
    if (!big && val_number(a, &x) && val_number(b, &y)) return x == y;
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case VAL_BIG:
    case VAL_TEXT: return a.n == b.n && !memcmp(a.s, b.s, a.n);
    case VAL_LIST: return a.n == b.n && items_equal(a, b);
    case VAL_DICT: return a.n == b.n && members_equal(a, b);
    case VAL_CFG: return a.cfg == b.cfg;
    default: return true;
    }
}
bool val_is(val v, const char *word) { return v.kind == VAL_TEXT && same_word(v.s, word); }
bool val_in(val v, const char *const *words) { return v.kind == VAL_TEXT && word_in(v.s, words); }
bool val_true(val v) {
    switch (v.kind) {
    case VAL_BOOL: return v.b;
    case VAL_INT: return v.i != 0;
    case VAL_REAL: return v.d != 0;
    case VAL_TEXT:
    case VAL_LIST:
    case VAL_DICT: return v.n > 0;
    default: return v.kind == VAL_CFG || v.kind == VAL_BIG;
    }
}
const char *val_type(val v) {
    static const char *const names[] = {"nothing", "NoneType", "bool", "int", "float", "str", "list", "dict", "config", "int"};
    return names[v.kind];
}

val dict_get(val d, const char *key) {
    if (d.kind == VAL_DICT)
        for (uint32_t i = 0; i < d.n; i++)
            if (same_word(d.members[i].key, key)) return d.members[i].v;
    return (val){0};
}
val dict_with(arena *a, val d, const char *key, val v) {
    uint32_t n = d.kind == VAL_DICT ? d.n : 0, at = 0;
    member *m = arena_array(a, n + 1, sizeof *m);
    if (n) memcpy(m, d.members, n * sizeof *m);
    while (at < n && strcmp(m[at].key, key)) at++;
    m[at] = (member){key, v};
    return (val){.kind = VAL_DICT, .n = at < n ? n : n + 1, .members = m};
}
val dict_without(arena *a, val d, const char *key) {
    if (dict_get(d, key).kind == VAL_ABSENT) return d;
    member *m = arena_array(a, d.n, sizeof *m);
    uint32_t n = 0;
    for (uint32_t i = 0; i < d.n; i++)
        if (strcmp(d.members[i].key, key)) m[n++] = d.members[i];
    return (val){.kind = VAL_DICT, .n = n, .members = m};
}
val list_of(arena *a, const val *items, size_t n) {
    val *copy = arena_array(a, n, sizeof *copy);
    if (n) memcpy(copy, items, n * sizeof *copy);
    return (val){.kind = VAL_LIST, .n = (uint32_t)n, .items = copy};
}
