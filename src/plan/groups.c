#include "groups.h"
#include "../core/path.h"
#include <stdlib.h>
#include <string.h>

typedef struct search {
    const measure *w;
    tied_name *names;
    size_t n, cap, path_n;
    bool inside;              /* a shared module: everything below has other names */
    const char *alias;        /* under a second name: the first, which stands for alias_n bytes of path */
    size_t alias_n;
    char path[MODULE_PATH];
} search;

static tied_name *next_name_of(search *s) {
    s->names = arena_grow(s->w->a, s->names, s->n, &s->cap, 1, sizeof *s->names);
    return &s->names[s->n++];
}
static void take_params(search *s, const acc_body *b) {
    arena *a = s->w->a;
    for (const tensor_node *t = b->m->params; t; t = t->next) {
        const tensor_node *held = tensor_held(t);
        if (!held->owner && !s->inside && !s->alias) continue;
        size_t n = s->path_n;
        if (!path_add(s->path, &s->path_n, t->name, 0)) continue;
        tied_name *one = next_name_of(s);
        *one = (tied_name){.path = arena_text(a, s->path, s->path_n), .size = s->alias ? (amount){0, false} : measure_tensor(s->w, b, t), .at = s->n};
        one->owner = held->owner && held->first != t ? held->owner : s->alias ? arena_printf(a, "%s%s", s->alias, s->path + s->alias_n) : one->path;
        path_cut(s->path, &s->path_n, n);
    }
}
static void visit(search *s, const acc_body *b);
static void visit_kid(search *s, const acc_kid *k) {
    for (int64_t i = 0; i < k->n; i++) {
        size_t n = s->path_n;
        if (path_add(s->path, &s->path_n, k->e->name, k->first + i)) visit(s, k->body);
        path_cut(s->path, &s->path_n, n);
    }
}
/* named_parameters(remove_duplicate=False) goes by names: a module that its own parent holds twice counts twice. */
static void visit_more(search *s, const acc_body *b) {
    for (const edge *e = b->m->children; e; e = e->next) {
        bool met = false;
        for (size_t i = 0; i < b->kid_count && !met; i++) met = b->kids[i].e == e;
        if (met) continue;
        acc_body again = {.m = e->to, .again = true};
        for (size_t i = 0; i < b->kid_count; i++)
            if (b->kids[i].e->to == e->to) again.kids = b->kids[i].body->kids, again.kid_count = b->kids[i].body->kid_count;
        visit_kid(s, &(acc_kid){e, 0, 1, &again});
    }
}
static void visit(search *s, const acc_body *b) {
    bool inside = s->inside;
    const char *alias = s->alias;
    size_t alias_n = s->alias_n;
    if (b->m->shared && !b->again) s->inside = true;
    if (b->m->shared && b->again && !alias) s->alias = b->m->first_path, s->alias_n = s->path_n;
    take_params(s, b);
    bool all = s->inside || s->alias;
    for (size_t i = 0; i < b->kid_count; i++)
        if (all || b->kids[i].body->twisted) visit_kid(s, &b->kids[i]);
    if (b->twisted || all) visit_more(s, b);
    s->inside = inside;
    s->alias = alias;
    s->alias_n = alias_n;
}

static int by_owner(const void *a, const void *b) {
    const tied_name *x = a, *y = b;
    int k = strcmp(x->owner, y->owner);
    return k ? k : strcmp(x->path, y->path);
}
/* Groups in the walk order of their first names; the reference's order comes of a set. */
static int by_first(const void *a, const void *b) {
    const tied_group *x = a, *y = b;
    size_t first_x = SIZE_MAX, first_y = SIZE_MAX;
    for (size_t i = 0; i < x->n; i++)
        if (x->names[i].at < first_x) first_x = x->names[i].at;
    for (size_t i = 0; i < y->n; i++)
        if (y->names[i].at < first_y) first_y = y->names[i].at;
    return (first_x > first_y) - (first_x < first_y);
}
static void add_group(tied_groups *g, arena *a, tied_name *names, size_t n) {
    if (n < 2) return;
    g->groups[g->n++] = (tied_group){names, n};
    for (size_t i = 0; i < n; i++) {
        names[i].dotted = arena_printf(a, "%s.", names[i].path);
        for (const char *p = names[i].dotted; *p; p++)
            if (p[1] == '.') g->ends[(unsigned char)*p] = true;
    }
}
void groups_find(tied_groups *g, const measure *w, const acc_body *root) {
    *g = (tied_groups){.n = 0};
    if (!root->twisted) return;
    search s = {.w = w};
    visit(&s, root);
    if (!s.n) return;
    qsort(s.names, s.n, sizeof *s.names, by_owner);
    g->groups = arena_array(w->a, s.n, sizeof *g->groups);
    g->outside = arena_array(w->a, s.n, sizeof *g->outside);
    for (size_t i = 0, end; i < s.n; i = end) {
        for (end = i + 1; end < s.n && !strcmp(s.names[end].owner, s.names[i].owner);) end++;
        add_group(g, w->a, s.names + i, end - i);
    }
    if (g->n) qsort(g->groups, g->n, sizeof *g->groups, by_first);
}

/* ---- asking ---- */

static const char *dotted(arena *a, acc_unit *u) { return arena_printf(a, "%s.", unit_path(a, u)); }
static bool may_touch(const tied_groups *g, const acc_unit *u) {
    size_t n = strlen(u->name);
    return g->n && n && g->ends[(unsigned char)u->name[n - 1]];
}
static size_t names_inside(const tied_group *one, const char *name) {
    size_t n = 0;
    for (size_t i = 0; i < one->n; i++) n += strstr(one->names[i].dotted, name) != NULL;
    return n;
}
size_t groups_outside(const tied_groups *g, arena *a, acc_unit *u) {
    size_t n = 0;
    if (!may_touch(g, u)) return 0;
    const char *name = dotted(a, u);
    for (size_t k = 0; k < g->n; k++) {
        const tied_group *one = &g->groups[k];
        size_t inside = names_inside(one, name);
        for (size_t i = 0; inside && inside < one->n && i < one->n; i++)
            if (!strstr(one->names[i].dotted, name)) g->outside[n++] = &one->names[i];
    }
    return n;
}
bool groups_touch(const tied_groups *g, arena *a, acc_unit *u) {
    if (!may_touch(g, u)) return false;
    const char *name = dotted(a, u);
    for (size_t k = 0; k < g->n; k++)
        if (names_inside(&g->groups[k], name)) return true;
    return false;
}
