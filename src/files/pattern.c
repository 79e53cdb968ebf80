/* Upstream's WeightTransform: how its patterns are prepared, compiled, matched and replaced, quirks included. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.h"
#include <pcre2.h>
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

/* What group i matched; NULL: nothing. */
static const char *matched(patterns *p, const char *text, uint32_t i) {
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->found);
    if (i >= pcre2_get_ovector_count(p->found) || at[2 * i] == PCRE2_UNSET || at[2 * i + 1] < at[2 * i]) return NULL;
    return arena_text(p->a, text + at[2 * i], at[2 * i + 1] - at[2 * i]);
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

/* ---- compiling ---- */

static bool is_word_end(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
static const char *branch(arena *a, size_t i, const char *source) {
    size_t n = strlen(source);
    const char *bounded = n && is_word_end(source[n - 1]) ? "(?!\\w)" : "";
    return arena_printf(a, "(?P<g%d>%s%s)", (int)i, text_replace(a, source, "*.", ".*\\.", true), bounded);
}
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
    bool *used = arena_array(p->a, t->from_n, sizeof *used);
    for (size_t k = 0; k < t->from_n; k++) {
        size_t i = next_longest(t, used);
        regex = join(p->a, regex, strlen(regex), k ? "|" : "", branch(p->a, i, t->from[i]));
    }
    t->compiled = pattern_compile(p, regex);
    for (size_t i = 0; t->compiled && i < t->from_n; i++) {
        const char *name = arena_printf(p->a, "g%d", (int)i);
        t->group[i] = (uint32_t)pcre2_substring_number_from_name(t->compiled, (PCRE2_SPTR)name);
    }
    return t->compiled != NULL;
}
bool transform_make(patterns *p, const char *const *from, const char *const *to, transform *out) {
    transform t = {.from_n = length_of(from), .to_n = length_of(to)};
    const char *captured = NULL;
    if (!t.from_n || !t.to_n) return bad_layout(p, t.from_n ? from[0] : t.to_n ? to[0] : "", "lacks a side");
    t.from = arena_array(p->a, t.from_n, sizeof *t.from);
    t.to = arena_array(p->a, t.to_n, sizeof *t.to);
    t.group = arena_array(p->a, t.from_n, sizeof *t.group);
    if (!make_targets(p, &t, to, &captured) || !make_sources(p, &t, from, to, captured) || !compile(p, &t)) return false;
    *out = t;
    return true;
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
const char *transform_key(patterns *p, const transform *t, const char *key, size_t *which) {
    size_t skip = 0, i = 0;
    if (t->scope && !in_scope(t, key, &skip)) return NULL;
    const char *rest = key + skip;
    if (!search(p, t->compiled, rest)) return NULL;
    while (i + 1 < t->from_n && !matched(p, rest, t->group[i])) i++;
    const char *found = matched(p, rest, 0), *by = t->to[0];
    if (strstr(by, "\\1")) {
        const char *inner = matched(p, rest, t->group[i] + 1);
        if (!inner) return bad_layout(p, t->from[i], "has no group where its other side needs one"), NULL;
        by = text_replace(p->a, by, "\\1", inner, true);
    }
    *which = i;
    /* Upstream replaces the first occurrence of the text that matched, wherever that is. */
    return join(p->a, key, skip, text_replace(p->a, rest, found, by, false), "");
}
