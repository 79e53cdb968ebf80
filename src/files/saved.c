#include "saved.h"
#include "names.h"
#include "../build/mod.h"
#include "../tree/tree.h"
#include <stdlib.h>
#include <string.h>

/* ---- slots ---- */

static bool listed(const char *const *names, const char *path) {
    for (; names && *names; names++)
        if (!strcmp(*names, path)) return true;
    return false;
}
/* A model adds to its own _keys_to_ignore_on_save those of the models right below it. */
static bool ignored(const node *m, const char *path) {
    if (!m->model) return false;
    if (listed(FACT(m->model, keys_to_ignore_on_save), path)) return true;
    for (const edge *e = m->children; e; e = e->next) {
        size_t n = e->name ? strlen(e->name) : 0;
        if (n && !strncmp(path, e->name, n) && path[n] == '.' && ignored(e->to, path + n + 1)) return true;
    }
    return false;
}
static bool take_slot(void *to, const tree_item *item) {
    saved_slots *s = to;
    if (!item->slot) return true;
    s->v = arena_grow(s->a, s->v, s->n, &s->cap, 1, sizeof *s->v);
    saved_slot *one = &s->v[s->n];
    *one = (saved_slot){.path = arena_text(s->a, item->path, item->path_n), .tensor = tensor_held(item->slot), .owner = s->n};
    one->dtype = one->tensor->dtype;
    one->saved = (item->slot->kind == TARE_PARAM || item->slot->persistent) && !ignored(s->root, item->path);
    if (item->owner && one->tensor->elements) s->shared = true; /* tensors without elements have no memory to share */
    s->n++;
    return true;
}

/* ---- tied duplicates ---- */

static bool link_slot(void *to, const tree_item *item) {
    struct linking { saved_slots *s; name_table *names; size_t i; } *l = to;
    if (!item->slot) return true;
    saved_slot *v = l->s->v, *one = &v[l->i];
    name_put(l->names, one->path, l->i);
    if (item->owner && one->tensor->elements) {
        size_t last = one->owner = name_put(l->names, item->owner, l->i);
        while (v[last].next) last = v[last].next;
        if (last != l->i) v[last].next = l->i;
    }
    l->i++;
    return true;
}
static void link_slots(saved_slots *s) {
    name_table names = {.a = s->a};
    struct { saved_slots *s; name_table *names; size_t i; } l = {s, &names, 0};
    tree_walk(s->root, link_slot, &l);
}

/* A loaded model's own: what is shared, and as what it is held. */
static void take_loaded(saved_slots *s, const size_t *owners, const uint8_t *dtypes) {
    s->shared = false;
    for (size_t i = 0; i < s->n; i++) {
        saved_slot *one = &s->v[i];
        one->owner = owners[i];
        one->dtype = dtypes[i];
        if (owners[i] == i || !one->tensor->elements) continue;
        size_t last = owners[i];
        while (s->v[last].next) last = s->v[last].next;
        s->v[last].next = i;
        s->shared = true;
    }
}

typedef struct tied_names { patterns *p; void **compiled; size_t n, cap; } tied_names;
static void add_pattern(tied_names *t, const char *path, const char *key) {
    arena *a = t->p->a;
    t->compiled = arena_grow(a, t->compiled, t->n, &t->cap, 1, sizeof *t->compiled);
    t->compiled[t->n++] = pattern_compile(t->p, *path ? arena_printf(a, "%s.%s", path, key) : key);
}
/* _tied_weights_keys of every model, whether its config ties or not. */
static bool take_patterns(void *to, const tree_item *item) {
    if (item->slot) return true;
    for (const text_pair *tie = TIES_OF(item->module); tie && tie->from; tie++) add_pattern(to, item->path, tie->from);
    return true;
}
static bool is_tied_name(const tied_names *t, const char *path) {
    for (size_t i = 0; i < t->n; i++)
        if (pattern_found(t->p, t->compiled[i], path)) return true;
    return false;
}
static int by_path(const void *x, const void *y) { return strcmp((*(saved_slot *const *)x)->path, (*(saved_slot *const *)y)->path); }
/* Names that a tie's target has go, in byte order, but never all of them. */
static bool drop_group(saved_slots *s, const tied_names *t, size_t first) {
    size_t n = 0, kept = 0;
    for (size_t i = first, more = 1; more; more = i = s->v[i].next) n++;
    saved_slot **group = arena_array(s->a, n, sizeof *group), *last[2] = {NULL, NULL};
    n = 0;
    for (size_t i = first, more = 1; more; more = i = s->v[i].next)
        if (s->v[i].saved) group[n++] = &s->v[i];
    if (n < 2) return true;
    qsort(group, n, sizeof *group, by_path);
    for (size_t i = 0, gone = 0; i < n; i++) {
        if (gone + 1 < n && is_tied_name(t, group[i]->path)) group[i]->saved = false, gone++;
        else kept++, last[0] = last[1], last[1] = group[i];
    }
    if (kept == 1) return true;
    error_set(t->p->err, TARE_NO, "shared_weights", last[0]->path,
        "%s and %s are one tensor and no tie says so: the reference refuses to save such a model", last[0]->path, last[1]->path);
    return false;
}

bool saved_collect(saved_slots *s, patterns *p, const node *root, const size_t *owners, const uint8_t *dtypes) {
    *s = (saved_slots){.a = p->a, .root = root};
    tree_walk(root, take_slot, s);
    if (owners) take_loaded(s, owners, dtypes);
    if (!s->shared) return true;
    if (!owners) link_slots(s);
    tied_names t = {.p = p};
    tree_walk(root, take_patterns, &t);
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].owner == i && s->v[i].next && !drop_group(s, &t, i)) return false;
    return p->err->status == TARE_OK;
}
