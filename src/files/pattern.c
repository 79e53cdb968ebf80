/* Upstream's WeightTransform: how its patterns are prepared, compiled, matched and replaced, quirks included. */
#define _GNU_SOURCE
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.h"
#include <inttypes.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_GROUPS = 31 };

/* ---- regular expressions, in the arena: nothing is to be given back when memory runs out halfway ---- */

static void *take_memory(PCRE2_SIZE n, void *to) { return arena_alloc(((patterns *)to)->a, n); }
static void leave_memory(void *old, void *to) { (void)old, (void)to; }

void patterns_start(patterns *p, arena *a, tare_error *err) {
    *p = (patterns){.a = a, .err = err};
    p->memory = pcre2_general_context_create(take_memory, leave_memory, p);
    p->found = pcre2_match_data_create(MOST_GROUPS + 1, p->memory);
}
static bool bad_layout(patterns *p, const char *pattern, const char *why) {
    error_set(p->err, TARE_BAD, "bad_layout", NULL, "the layout rule \"%.200s\" %.200s", pattern, why);
    return false;
}
void *pattern_compile(patterns *p, const char *regex) {
    int code;
    PCRE2_SIZE at;
    pcre2_compile_context *c = pcre2_compile_context_create(p->memory);
    void *compiled = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED, 0, &code, &at, c);
    uint32_t groups = 0;
    char why[160] = "has too many groups";
    if (compiled) pcre2_pattern_info(compiled, PCRE2_INFO_CAPTURECOUNT, &groups);
    else pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
    if (compiled && groups <= MOST_GROUPS) return compiled;
    bad_layout(p, regex, why);
    return NULL;
}
static bool search(patterns *p, const void *compiled, const char *text) {
    int n = pcre2_match(compiled, (PCRE2_SPTR)text, strlen(text), 0, 0, p->found, NULL);
    if (n < 0 && n != PCRE2_ERROR_NOMATCH) bad_layout(p, text, "is a name that costs its pattern too much to match");
    return n > 0;
}
bool pattern_found(patterns *p, const void *compiled, const char *text) { return compiled && search(p, compiled, text); }
int64_t pattern_begin(const patterns *p) { return (int64_t)pcre2_get_ovector_pointer(p->found)[0]; }

typedef struct span { size_t at, end; } span;
/* What group i matched; false: nothing. */
static bool matched(const patterns *p, uint32_t i, span *out) {
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->found);
    if (i >= pcre2_get_ovector_count(p->found) || at[2 * i] == PCRE2_UNSET || at[2 * i + 1] < at[2 * i]) return false;
    *out = (span){at[2 * i], at[2 * i + 1]};
    return true;
}

/* ---- text ---- */

static const char *join(arena *a, const char *x, size_t x_n, const char *y, const char *z) {
    size_t y_n = strlen(y), z_n = strlen(z);
    char *out = arena_alloc(a, x_n + y_n + z_n + 1);
    if (x_n) memcpy(out, x, x_n);
    memcpy(out + x_n, y, y_n);
    memcpy(out + x_n + y_n, z, z_n);
    return out;
}
const char *text_replace(arena *a, const char *text, const char *what, const char *by, bool all) {
    size_t n = strlen(what), done = 0;
    for (const char *at; (at = strstr(text + done, what)); done += strlen(by)) {
        done = (size_t)(at - text);
        text = join(a, text, done, by, at + n);
        if (!all || !n) return text;
    }
    return text;
}

/* ---- preparing ---- */

/* Drops (?...) as upstream's "\(\?.+?\)?\)" finds it. */
static void drop_assertions(char *s) {
    for (char *p = strstr(s, "(?"); p; p = strstr(p, "(?")) {
        char *end = p[2] ? strchr(p + 3, ')') : NULL;
        if (!end) return;
        end += end[1] == ')' ? 2 : 1;
        memmove(p, end, strlen(end) + 1);
    }
}
/* A pattern that becomes what is put in: no anchor, no assertions, its first group \1, dots unescaped. */
static const char *as_target(arena *a, const char *pattern, const char **captured) {
    pattern += *pattern == '^';
    char *s = arena_text(a, pattern, strlen(pattern));
    drop_assertions(s);
    const char *open = strchr(s, '('), *close = open && open[1] ? strchr(open + 2, ')') : NULL, *out = s;
    *captured = close ? arena_text(a, open, (size_t)(close + 1 - open)) : NULL;
    if (close) out = join(a, s, (size_t)(open - s), "\\1", close + 1);
    return text_replace(a, out, "\\.", ".", true);
}
static size_t length_of(const char *const *list) {
    size_t n = 0;
    while (list && list[n]) n++;
    return n;
}
static bool make_targets(patterns *p, transform *t, const char *const *to, const char **captured) {
    for (size_t i = 0; i < t->to_n; i++) {
        const char *one;
        t->to[i] = as_target(p->a, to[i], &one);
        if (one && *captured && strcmp(one, *captured)) return bad_layout(p, to[i], "has another group than its neighbour");
        if (one) *captured = one;
    }
    return true;
}
/* A source is anchored where its target was: what a rule renames from the start, it renames back there. */
static bool make_sources(patterns *p, transform *t, const char *const *from, const char *const *to, const char *captured) {
    for (size_t i = 0; i < t->from_n; i++) {
        const char *s = from[i];
        if (strstr(s, "\\1")) {
            if (!captured) return bad_layout(p, s, "names a group, and its other side has none");
            s = text_replace(p->a, s, "\\1", captured, false);
        }
        if (t->from_n == t->to_n && *to[i] == '^' && *s != '^') s = join(p->a, "^", 1, s, "");
        t->from[i] = s;
    }
    return true;
}

/* ---- literals: most patterns are nothing else, and a key that lacks one needs no regular expression ---- */

enum { ANY = 0 }; /* stands for a dot: no key holds a zero byte */
typedef struct literal {
    const char *text;     /* n bytes, some ANY */
    size_t n;
    const char *run;      /* its longest run without ANY, which is looked for first */
    size_t run_at, run_n;
} literal;
typedef struct branch {
    size_t i;             /* of from[i] */
    uint32_t group;       /* in the compiled expression */
    bool plain;           /* part[0], and .* part[1] where that is not empty, say all of it */
    bool anchored, bounded, tail; /* ^ before; no word goes on after; (.+) after */
    literal part[2];      /* where not plain: part[0].run is in every match; NULL: no such run is known */
} branch;

static bool is_word_end(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
static bool is_word(char c) { return is_word_end(c) || c == '_'; }

static void find_run(arena *a, literal *l) {
    for (size_t i = 0, n; i < l->n; i += n + 1) {
        for (n = 0; i + n < l->n && l->text[i + n] != ANY; n++) {}
        if (n > l->run_n) l->run_at = i, l->run_n = n;
    }
    if (l->run_n) l->run = arena_text(a, l->text + l->run_at, l->run_n);
}
/* Takes a pattern apart as literals; false: it needs a regular expression. */
static bool read_plain(arena *a, const char *s, branch *b) {
    char *end = arena_alloc(a, strlen(s) + 1);
    literal *l = b->part;
    b->bounded = *s && is_word_end(s[strlen(s) - 1]);
    b->anchored = *s == '^';
    l->text = end;
    for (s += b->anchored; *s; s++, l->n++) {
        if (s[0] == '*' && s[1] == '.' && l == b->part) {
            (++l)->text = end;
            *end++ = *++s;
        } else if (!strcmp(s, "(.+)")) return b->tail = true;
        else if (*s == '\\' && s[1] && s[1] != '*' && !is_word_end(s[1])) *end++ = *++s;
        else if (strchr("\\^$()[]{}|?+*", *s)) return false;
        else *end++ = *s == '.' ? ANY : *s;
    }
    return true;
}
/* The longest run of plain letters outside of groups, none of them optional. */
static void find_needed(arena *a, const char *s, literal *l) {
    char *run = arena_alloc(a, strlen(s) + 1);
    size_t n = 0, len;
    *l = (literal){.text = NULL};
    for (int depth = 0;; s += len) {
        len = *s == '\\' && s[1] ? 2 : 1;
        if ((*s == '|' && !depth) || (s[0] == '(' && s[1] == '?' && !strchr(":!=<P", s[2]))) { /* alternatives; a change of the rules */
            *l = (literal){.text = NULL};
            return;
        }
        bool letter = *s && !depth && (len == 2 ? !is_word_end(s[1]) : !strchr("^$()[]{}|?+*.", *s));
        if (letter && !(s[len] && strchr("?*{", s[len]))) run[n++] = s[len - 1];
        else if (n > l->run_n) l->run = arena_text(a, run, n), l->run_n = n, n = 0;
        else n = 0;
        if (!*s) return;
        const char *close = *s == '[' && s[1] ? strchr(s + 2, ']') : *s == '{' ? strchr(s, '}') : NULL; /* nothing in these is a letter */
        if (close) s = close;
        depth += (*s == '(') - (*s == ')');
    }
}

/* ---- compiling ---- */

/* The longest pattern is tried first; of equal ones the first. */
static size_t next_longest(const transform *t, bool *used) {
    size_t best = t->from_n;
    for (size_t i = 0; i < t->from_n; i++)
        if (!used[i] && (best == t->from_n || strlen(t->from[i]) > strlen(t->from[best]))) best = i;
    used[best] = true;
    return best;
}
static bool compile(patterns *p, transform *t) {
    const char *regex = "";
    for (size_t k = 0; k < t->from_n; k++) {
        branch *b = &t->branches[k];
        const char *source = text_replace(p->a, t->from[b->i], "*.", ".*\\.", true);
        find_needed(p->a, source, b->part);
        b->plain = false;
        const char *one = arena_printf(p->a, "%s(?P<g%d>%s%s)", k ? "|" : "", (int)b->i, source, b->bounded ? "(?!\\w)" : "");
        regex = join(p->a, regex, strlen(regex), one, "");
    }
    t->compiled = pattern_compile(p, regex);
    for (size_t k = 0; t->compiled && k < t->from_n; k++) {
        const char *name = arena_printf(p->a, "g%d", (int)t->branches[k].i);
        t->branches[k].group = (uint32_t)pcre2_substring_number_from_name(t->compiled, (PCRE2_SPTR)name);
    }
    return t->compiled != NULL;
}
static bool make_branches(patterns *p, transform *t) {
    bool plain = true, *used = arena_array(p->a, t->from_n, sizeof *used);
    t->branches = arena_array(p->a, t->from_n, sizeof *t->branches);
    for (size_t k = 0; k < t->from_n; k++) {
        branch *b = &t->branches[k];
        b->i = next_longest(t, used);
        b->plain = read_plain(p->a, t->from[b->i], b);
        for (int i = 0; b->plain && i < 2; i++) find_run(p->a, &b->part[i]);
        plain &= b->plain && b->part[0].run_n && (!b->part[1].n || b->part[1].run_n);
    }
    return plain || compile(p, t);
}
bool transform_make(patterns *p, const char *const *from, const char *const *to, transform *out) {
    transform t = {.from_n = length_of(from), .to_n = length_of(to)};
    const char *captured = NULL;
    if (!t.from_n || !t.to_n) return bad_layout(p, t.from_n ? from[0] : t.to_n ? to[0] : "", "lacks a side");
    t.from = arena_array(p->a, t.from_n, sizeof *t.from);
    t.to = arena_array(p->a, t.to_n, sizeof *t.to);
    if (!make_targets(p, &t, to, &captured) || !make_sources(p, &t, from, to, captured) || !make_branches(p, &t)) return false;
    *out = t;
    return true;
}

/* ---- matching ---- */

typedef struct match {
    const branch *b;
    span all, tail; /* tail: what (.+) took */
} match;
static bool fits(const literal *l, const char *at) {
    for (size_t i = 0; i < l->n; i++)
        if (l->text[i] == ANY ? !at[i] || at[i] == '\n' : at[i] != l->text[i]) return false;
    return true;
}
/* The next place from `at` on where it fits. */
static const char *next_place(const literal *l, const char *text, const char *at) {
    for (const char *run = at; (run = strstr(run, l->run)) != NULL; run++) {
        if ((size_t)(run - text) < l->run_at || run - l->run_at < at) continue;
        if (fits(l, run - l->run_at)) return run - l->run_at;
    }
    return NULL;
}
static const char *end_of_line(const char *s) { return s + strcspn(s, "\n"); }
/* Where the match ends that begins with part[0] at `at`; NULL: there is none. */
static const char *match_end(const branch *b, const char *text, const char *at, const char **tail) {
    const char *end = at + b->part[0].n;
    if (b->part[1].n) { /* a star takes as much as it can */
        const char *stop = end_of_line(end), *last = NULL;
        for (const char *p = end; (p = next_place(&b->part[1], text, p)) != NULL && p <= stop; p++)
            if (!b->bounded || !is_word(p[b->part[1].n])) last = p;
        if (!last) return NULL;
        end = last + b->part[1].n;
    }
    *tail = end;
    if (b->tail) return *end && *end != '\n' ? end_of_line(end) : NULL;
    return b->bounded && is_word(*end) ? NULL : end;
}
static bool match_plain(const branch *b, const char *text, match *m) {
    const literal *l = b->part;
    const char *tail, *end;
    for (const char *p = b->anchored ? (fits(l, text) ? text : NULL) : next_place(l, text, text); p; p = next_place(l, text, p + 1)) {
        if ((end = match_end(b, text, p, &tail)) != NULL) {
            *m = (match){b, {(size_t)(p - text), (size_t)(end - text)}, {(size_t)(tail - text), (size_t)(end - text)}};
            return true;
        }
        if (b->anchored) return false;
    }
    return false;
}
/* As a regular expression has it: the match that begins first, of those the branch that is tried first. */
static bool find(patterns *p, const transform *t, const char *text, match *best) {
    bool found = false, needed = false;
    match m;
    for (size_t k = 0; k < t->from_n; k++) {
        const branch *b = &t->branches[k];
        if (t->compiled) needed |= !b->part[0].run || strstr(text, b->part[0].run);
        else if (match_plain(b, text, &m) && (!found || m.all.at < best->all.at)) *best = m, found = true;
    }
    if (!needed || !search(p, t->compiled, text)) return found;
    *best = (match){.b = NULL};
    for (size_t k = 0; k < t->from_n; k++)
        if (matched(p, t->branches[k].group, &best->all)) best->b = &t->branches[k];
    return matched(p, 0, &best->all);
}

/* ---- renaming ---- */

/* How many bytes of the key the scope takes; false: the key is not in it. */
static bool in_scope(const transform *t, const char *key, size_t *skip) {
    size_t base = strlen(t->base), scope = strlen(t->scope);
    const char *p = key;
    if (base && !strncmp(p, t->base, base) && p[base] == '.') p += base + 1;
    else if (base) p = NULL;
    for (int round = 0; round < 2; round++, p = key) { /* with the base's prefix, then without */
        if (!p || (scope && (strncmp(p, t->scope, scope) || p[scope] != '.'))) continue;
        *skip = (size_t)(p - key) + (scope ? scope + 1 : 0);
        return true;
    }
    return false;
}
/* Text of the i-th group inside of the branch that matched; NULL, with an error: there is none. */
static const char *inner_text(patterns *p, const transform *t, const match *m, const char *text, uint32_t i) {
    span at = m->tail;
    int64_t number;
    if (t->compiled ? !matched(p, m->b->group + i, &at) : !m->b->tail || i != 1)
        return bad_layout(p, t->from[m->b->i], "has no group where its other side needs one"), NULL;
    const char *inner = arena_text(p->a, text + at.at, at.end - at.at);
    if (!t->offset) return inner;
    char *end;
    number = strtoll(inner, &end, 10);
    if (*end || end - inner > 18) return bad_layout(p, t->from[m->b->i], "counts, and what it found is no small number"), NULL;
    return arena_printf(p->a, "%" PRId64, number + t->offset);
}
/* What is put in for the match: groups take the place of their numbers. */
static const char *other_side(patterns *p, const transform *t, const match *m, const char *text) {
    const char *by = t->to[t->pairs ? m->b->i : 0], *inner;
    if (!strchr(by, '\\')) return by;
    char number[3] = {'\\', '1', 0};
    for (uint32_t i = 1; i <= (t->pairs ? 9u : 1u); i++) {
        number[1] = (char)('0' + i);
        if (!strstr(by, number)) continue;
        if (!(inner = inner_text(p, t, m, text, i))) return NULL;
        by = text_replace(p->a, by, number, inner, true);
    }
    return by;
}
const char *transform_key(patterns *p, transform *t, const char *key, size_t *which) {
    size_t skip = 0;
    match m;
    if (t->scope && !in_scope(t, key, &skip)) return NULL;
    const char *rest = key + skip;
    if (!find(p, t, rest, &m)) return NULL;
    if (t->pairs && !m.b->i) t->awake = true;
    if (t->pairs && !t->awake) return NULL;
    const char *by = other_side(p, t, &m, rest);
    if (!by) return NULL;
    t->used = true;
    *which = m.b->i;
    /* Upstream replaces the first occurrence of the text that matched, wherever that is. */
    size_t n = m.all.end - m.all.at;
    const char *at = memmem(rest, m.all.end, rest + m.all.at, n);
    return join(p->a, key, (size_t)(at - key), by, at + n);
}
