/* What stays dense: names and patterns, and how a path is held against them. */
#include "work.h"
#include "../build/sets.h"
#include "../build/ties.h"
#include "../files/rules.h"
#include "../core/path.h"
#include <fnmatch.h>

/* ---- patterns ---- */

void tells_layers_apart(quant *q) { q->by_layer = true; }
bool are_layers_apart(const quant *q) { return q->by_layer; }

static bool is_literal(const char *text) {
    for (; *text; text++)
        if (!(*text == '_' || *text == '.' || (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z')))
            return false;
    return true;
}
/* Layers are told apart by digits, or by what may match them. A name without either cannot reach past a layer's number, from either end. */
void note_pattern(quant *q, const char *text) {
    if (!is_literal(text) || strpbrk(text, "0123456789") || *text == '.' || strstr(text, "..")) tells_layers_apart(q);
}
static const void *compile(quant *q, const char *key, const char *pattern, const char *whole) {
    if (!q->found.a) patterns_start(&q->found, q->s->a, &q->pattern_err);
    const void *compiled = pattern_compile(&q->found, whole);
    if (!compiled && quant_ok(q)) {
        conf_refuse(&q->top, key, "\"%.100s\" is no regular expression", pattern);
        q->pattern_err = (tare_error){0};
    }
    return compiled;
}
static bool found(const quant *q, const void *compiled, const char *text) {
    bool is = pattern_found((patterns *)&q->found, compiled, text);
    if (q->pattern_err.status != TARE_OK && session_ok(q->s))
        error_set(&q->s->err, TARE_BAD, "bad_quantization", q->top.path, "%s: a pattern costs too much to match against %.200s", q->top.path, text);
    return is;
}
const regex *regex_of(quant *q, const char *key, const char *pattern, bool at_start) {
    const void *compiled = compile(q, key, pattern, at_start ? arena_printf(q->s->a, "^(?:%s)", pattern) : pattern);
    if (!compiled) return NULL;
    note_pattern(q, pattern);
    regex *r = arena_new(q->s->a, regex);
    r->compiled = compiled;
    return r;
}
const regex *regex_if_any(quant *q, const char *pattern) {
    if (!quant_ok(q)) return NULL;
    if (!q->found.a) patterns_start(&q->found, q->s->a, &q->pattern_err);
    const void *compiled = pattern_compile(&q->found, pattern);
    q->pattern_err = (tare_error){0};
    if (!compiled) return NULL;
    regex *r = arena_new(q->s->a, regex);
    r->compiled = compiled;
    return r;
}
int64_t regex_begin(const quant *q, const regex *r, const char *text) {
    return r && found(q, r->compiled, text) ? pattern_begin(&q->found) : -1;
}
bool regex_matches(const quant *q, const regex *r, const char *text) { return r && found(q, r->compiled, text); }

bool shell_matches(const char *pattern, const char *text) { return !fnmatch(pattern, text, FNM_NOESCAPE); }

bool ends_with(const char *path, const char *tail) {
    size_t n = strlen(path), k = strlen(tail);
    return k <= n && !memcmp(path + n - k, tail, k);
}
/* A dot stands for any character, as in every regular expression; the end is that of the path or of a part of it. */
static bool literal_matches(const skip_name *p, const char *path) {
    for (size_t i = 0; i < p->n; i++)
        if (!path[i] || (p->text[i] != '.' && path[i] != p->text[i])) return false;
    return !path[p->n] || path[p->n] == '.' || (p->n && path[p->n - 1] == '.');
}
bool skipped(const quant *q, const char *path) {
    for (const skip_name *p = q->skips; p; p = p->next) {
        if (p->compiled ? found(q, p->compiled, path) : literal_matches(p, path)) return true;
        if (!p->anywhere && ends_with(path, p->text)) return true;
    }
    return false;
}
static void skip(quant *q, const char *key, const char *text) {
    for (const skip_name *p = q->skips; p; p = p->next)
        if (!strcmp(p->text, text)) return;
    skip_name *p = arena_new(q->s->a, skip_name);
    *p = (skip_name){.text = text, .n = strlen(text)};
    if (!is_literal(text)) p->compiled = compile(q, key, text, arena_printf(q->s->a, "^(?:%s)(?:(?<=\\.)|(?=\\.|$))", text));
    note_pattern(q, text);
    if (q->last_skip) q->last_skip->next = p;
    else q->skips = p;
    q->last_skip = p;
}

/* ---- the default ---- */

const char *module_name(quant *q, const char *param) {
    size_t n = strlen(param);
    return ends_with(param, ".weight") ? arena_text(q->s->a, param, n - strlen(".weight")) : param;
}
/* The last parameter in walk order, a shared module counted under its first name; "" when there is none. */
typedef struct last_walk { char path[MODULE_PATH], last[MODULE_PATH]; size_t n; met_nodes met; } last_walk;
static void last_param(last_walk *w, const mod *m) {
    if (met_before(&w->met, m)) return;
    for (const tensor *t = m->params; t; t = t->next) {
        size_t before = w->n;
        if (path_add(w->path, &w->n, t->name, 0)) memcpy(w->last, w->path, w->n + 1);
        path_cut(w->path, &w->n, before);
    }
    for (const edge *e = m->children; e; e = e->next) {
        size_t before = w->n;
        if (!path_add(w->path, &w->n, e->name, e->first + (e->name ? 0 : e->count - 1))) return;
        last_param(w, e->to);
        path_cut(w->path, &w->n, before);
    }
}
const mod *module_at(const mod *m, const char *path) {
    while (*path) {
        size_t n = strcspn(path, ".");
        const edge *e = m->children;
        while (e && !(e->name && strlen(e->name) == n && !memcmp(e->name, path, n))) e = e->next;
        if (!e) return NULL;
        m = e->to;
        path += n + (path[n] == '.');
    }
    return m;
}
/* Without any embedding the reference finds no input, and then no output either. */
static bool is_embedded(const quant *q, const mod *m, const char *path, const void *of) { return (void)q, (void)path, (void)of, is_embedding(m); }
static void skip_output(quant *q) {
    const mod *root = q->b->root;
    const char *path = output_embedding_of(root->cls);
    if (!path) path = "lm_head";
    if (*path && module_at(root, path) && some_module(q, is_embedded, NULL)) skip(q, NULL, path);
}
static void skip_default(quant *q) {
    val ties = tied_keys(q->s->a, q->b->root);
    for (uint32_t i = 0; i < ties.n; i++) {
        skip(q, NULL, module_name(q, ties.members[i].key));
        skip(q, NULL, module_name(q, ties.members[i].v.s));
    }
    last_walk w = {.n = 0};
    last_param(&w, q->b->root);
    if (*w.last) skip(q, NULL, module_name(q, arena_text(q->s->a, w.last, strlen(w.last))));
    skip_output(q);
}
/* Found anywhere, each is an expression of its own. */
void skip_anywhere(quant *q, const char *key, val list) {
    skip_default(q);
    skip_only(q, key, list);
    for (skip_name *p = q->skips; p && quant_ok(q); p = p->next) {
        p->anywhere = true;
        p->compiled = compile(q, key, p->text, p->text);
        if (!p->compiled) return;
    }
}
void skip_only(quant *q, const char *key, val list) {
    for (uint32_t i = 0; list.kind == VAL_LIST && i < list.n; i++) skip(q, key, list.items[i].s);
}
void skip_names(quant *q, const char *key, val list, bool add) {
    if (!val_given(list) || add) skip_default(q);
    skip_only(q, key, list);
    val kept = set_of(q->s->a, q->b->root, SET_KEEP_FP32);
    for (uint32_t i = 0; i < kept.n; i++) skip(q, NULL, kept.items[i].s);
}
void skip_not_converted(quant *q) {
    skip_names(q, "modules_to_not_convert", conf_names(settings(q), "modules_to_not_convert"), false);
}
val renamed_as_loaded(quant *q, val names) {
    if (names.kind != VAL_LIST || !names.n || !quant_ok(q)) return names;
    arena *a = q->s->a;
    patterns p;
    patterns_start(&p, a, &q->s->err);
    rule_set rules;
    if (!rules_for_load(&p, q->b->root, &rules)) return names;
    val *items = arena_array(a, names.n, sizeof *items);
    for (uint32_t i = 0; i < names.n; i++) {
        size_t converter, which;
        const char *key = rules_rename(&p, &rules, arena_printf(a, "%s.", names.items[i].s));
        const char *converted = rules_convert(&p, &rules, key, &converter, &which);
        if (converted) key = converted;
        size_t n = strlen(key);
        items[i] = val_text(arena_text(a, key, n && key[n - 1] == '.' ? n - 1 : n));
    }
    return (val){.kind = VAL_LIST, .n = names.n, .items = items};
}

/* ---- what is easily missed ---- */

/* A head that is quantised: because a list took the place of the default, or because the default knows output embeddings alone. */
void warn_of_heads(quant *q) {
    const mod *root = q->b->root;
    const char *output = output_embedding_of(root->cls);
    if (!output) output = "lm_head";
    const mod *head = *output ? module_at(root, output) : NULL;
    if (head && head->dense) note_warning(q, "%s, the output embedding, is quantised: a list of what stays dense replaces the default", output);
    val tied = tied_keys(q->s->a, root);
    for (uint32_t i = 0; i < tied.n; i++) {
        const mod *m = module_at(root, module_name(q, tied.members[i].key));
        if (m && m->dense)
            note_warning(q, "%s belongs to a quantised module and is tied to %s: it holds the numbers of that one",
                tied.members[i].key, tied.members[i].v.s);
    }
    for (const edge *e = root->children; e; e = e->next)
        if (e->name && e->to->dense && e->to != head && e->to->kind == KIND_LINEAR)
            note_warning(q, "%s, a head of this model, is quantised: by default the output embedding alone stays dense", e->name);
}
