#include "cls.h"
#include "types.h"
#include <string.h>

/* ---- the type texts of src/models/NAME.json: "int | None", "list[int] | tuple[int, ...]", "dict[str, any]", "literal['a']" ---- */

typedef struct scan {
    arena *a;
    const char *at;
    bool bad;
} scan;

static void blanks(scan *s) { while (*s->at == ' ') s->at++; }
static bool eat(scan *s, const char *word) {
    blanks(s);
    size_t n = strlen(word);
    if (strncmp(s->at, word, n)) return false;
    s->at += n;
    return true;
}
static ctype parse_union(scan *s);

static val parse_literal(scan *s) {
    blanks(s);
    if (*s->at == '\'') {
        const char *from = ++s->at;
        while (*s->at && *s->at != '\'') s->at++;
        size_t n = (size_t)(s->at - from);
        if (*s->at) s->at++;
        return (val){.kind = VAL_TEXT, .n = (uint32_t)n, .s = arena_text(s->a, from, n)};
    }
    if (eat(s, "True")) return val_bool(true);
    if (eat(s, "False")) return val_bool(false);
    if (eat(s, "None")) return val_null();
    int64_t sign = eat(s, "-") ? -1 : 1, i = 0;
    for (; *s->at >= '0' && *s->at <= '9'; s->at++) i = i * 10 + (*s->at - '0');
    return val_int(sign * i);
}
static void parse_literals(scan *s, ctype *t) {
    val items[64];
    size_t n = 0;
    do items[n++] = parse_literal(s);
    while (n < 64 && eat(s, ","));
    t->literals = list_of(s->a, items, n);
}
static void parse_args(scan *s, ctype *t) {
    ctype args[16];
    do {
        if (eat(s, "...")) continue;
        args[t->n++] = parse_union(s);
    } while (t->n < 16 && eat(s, ","));
    ctype *copy = arena_array(s->a, t->n, sizeof *copy);
    memcpy(copy, args, t->n * sizeof *copy);
    t->args = copy;
}
static ctype parse_one(scan *s) {
    static const struct { const char *word; type_kind kind; } words[] = {
        {"any", TYPE_ANY}, {"never", TYPE_NEVER}, {"None", TYPE_NONE}, {"bool", TYPE_BOOL}, {"int", TYPE_INT}, {"float", TYPE_FLOAT},
        {"str", TYPE_STR}, {"dict", TYPE_DICT}, {"list", TYPE_LIST}, {"tuple", TYPE_TUPLE}, {"sequence", TYPE_SEQUENCE},
        {"config", TYPE_CONFIG}, {"dtype", TYPE_NEVER}, {"literal", TYPE_LITERAL}, {"set", TYPE_NEVER},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!eat(s, words[i].word)) continue;
        ctype t = {.kind = words[i].kind};
        if (!eat(s, "[")) return t;
        if (t.kind == TYPE_LITERAL) parse_literals(s, &t);
        else parse_args(s, &t);
        if (!eat(s, "]")) s->bad = true;
        return t;
    }
    s->bad = true;
    return (ctype){.kind = TYPE_ANY};
}
static ctype parse_union(scan *s) {
    ctype args[16];
    uint32_t n = 0;
    do args[n++] = parse_one(s);
    while (n < 16 && eat(s, "|"));
    if (n == 1) return args[0];
    ctype *copy = arena_array(s->a, n, sizeof *copy);
    memcpy(copy, args, n * sizeof *copy);
    return (ctype){.kind = TYPE_UNION, .n = n, .args = copy};
}
bool type_parse(arena *a, const char *text, ctype *out) {
    scan s = {a, text, false};
    *out = parse_union(&s);
    blanks(&s);
    return !s.bad && !*s.at;
}

/* ---- does a value fit: the rules of huggingface_hub's strict dataclasses ---- */

static bool all_fit(const ctype *t, val v) {
    if (!t->n) return true;
    for (uint32_t i = 0; i < v.n; i++)
        if (!type_takes(&t->args[0], v.items[i])) return false;
    return true;
}
static bool members_fit(const ctype *t, val v) {
    if (t->n < 2) return true;
    for (uint32_t i = 0; i < v.n; i++)
        if (!type_takes(&t->args[0], val_text(v.members[i].key)) || !type_takes(&t->args[1], v.members[i].v)) return false;
    return true;
}
bool type_takes(const ctype *t, val v) {
    switch (t->kind) {
    case TYPE_ANY: return true;
    case TYPE_NONE: return v.kind == VAL_NULL;
    case TYPE_BOOL: return v.kind == VAL_BOOL;
    case TYPE_INT: return v.kind == VAL_INT || v.kind == VAL_BIG;
    case TYPE_FLOAT: return v.kind == VAL_REAL;
    case TYPE_STR: return v.kind == VAL_TEXT;
    case TYPE_CONFIG: return v.kind == VAL_CFG;
    case TYPE_LIST: return v.kind == VAL_LIST && all_fit(t, v);
    case TYPE_SEQUENCE: return v.kind == VAL_TEXT || (v.kind == VAL_LIST && all_fit(t, v));
    case TYPE_DICT: return v.kind == VAL_DICT && members_fit(t, v);
    case TYPE_LITERAL:
        for (uint32_t i = 0; i < t->literals.n; i++)
            if (t->literals.items[i].kind == v.kind && val_equal(t->literals.items[i], v)) return true;
        return false;
    case TYPE_UNION:
        for (uint32_t i = 0; i < t->n; i++)
            if (type_takes(&t->args[i], v)) return true;
        return false;
    default: return false; /* JSON has no tuples, and a TypedDict takes nothing */
    }
}
