#include "rules.h"
#include "../build/mod.h"
#include "../tree/tree.h"
#include <string.h>

typedef struct claim { /* a class name or model type whose rules were taken, and where */
    const char *name, *path;
    struct claim *next;
} claim;
typedef struct walk {
    arena *a;
    held_rules *out;
    size_t cap;
    claim *claims;
    const char *twice; /* a module met under a second name: nothing below it is a module of its own */
} walk;

static bool is_below(const char *path, const char *above) {
    size_t n = strlen(above);
    return !n || (!strncmp(path, above, n) && path[n] == '.');
}
static bool claimed(const walk *w, const char *name, const char *path) {
    for (const claim *c = w->claims; c; c = c->next)
        if (!strcmp(c->name, name) && is_below(path, c->path)) return true;
    return false;
}
static void add_claim(walk *w, const char *name, const char *path) {
    claim *c = arena_new(w->a, claim);
    *c = (claim){name, path, w->claims};
    w->claims = c;
}
static void add_rules(walk *w, const layout_rule *rules, const char *scope) {
    for (; rules->what != LAYOUT_END; rules++) {
        held_rules *out = w->out;
        out->v = arena_grow(w->a, out->v, out->n, &w->cap, 1, sizeof *out->v);
        out->v[out->n++] = (held_rule){rules, scope};
    }
}
/* The module's path without the root's base model before it. */
static const char *scope_of(const walk *w, const char *path) {
    size_t n = strlen(w->out->base);
    if (!strncmp(path, w->out->base, n)) path += n;
    return *path == '.' ? path + 1 : path;
}
/* The class's rules come before its config's; only rules of a type claim the type. */
static bool visit(void *to, const tree_item *item) {
    walk *w = to;
    const node *m = item->module;
    if (item->slot || (w->twice && is_below(item->path, w->twice))) return true;
    bool again = m->shared && m->first_path && strcmp(m->first_path, item->path) != 0;
    if (again) w->twice = arena_text(w->a, item->path, item->path_n);
    if (again || !m->model || claimed(w, m->model->name, item->path)) return true;
    const layout_rule *rules = m->model->own.layout;
    const char *type = rules || !m->config ? NULL : m->config->k->model_type;
    if (type && claimed(w, type, item->path)) return true;
    if (type && m->config->k->rules) rules = m->config->k->rules->layout;
    if (!rules) return true;
    const char *path = arena_text(w->a, item->path, item->path_n);
    add_rules(w, rules, *path ? scope_of(w, path) : NULL);
    add_claim(w, m->model->name, path);
    if (type) add_claim(w, type, path);
    return true;
}
void rules_collect(arena *a, const node *root, held_rules *out) {
    const char *base = root->model ? FACT(root->model, base_model_prefix) : NULL;
    *out = (held_rules){.base = base ? base : ""};
    walk w = {.a = a, .out = out};
    tree_walk(root, visit, &w);
}
