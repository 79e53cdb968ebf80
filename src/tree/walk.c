/* Walking the tree as named_modules(remove_duplicate=False) does, and the canonical text. */
#include "tree.h"
#include "../core/path.h"
#include <string.h>

typedef struct walker {
    bool (*visit)(void *to, const tree_item *item);
    void *to;
    size_t n;               /* of path */
    const char *alias;      /* inside a shared module seen before: its first path; */
    size_t alias_at;        /* what follows this many bytes of path follows it there too */
    char path[MODULE_PATH], owner[MODULE_PATH];
} walker;

static const char *alias_of(walker *w) {
    size_t k = strlen(w->alias);
    memcpy(w->owner, w->alias, k);
    memcpy(w->owner + k, w->path + w->alias_at, w->n - w->alias_at + 1);
    return w->owner;
}
static bool walk_tensors(walker *w, const node *m, const tensor_node *first) {
    for (const tensor_node *t = first; t; t = t->next) {
        size_t before = w->n;
        if (!path_add(w->path, &w->n, t->name, 0)) return true;
        const tensor_node *held = tensor_held(t);
        const char *owner = held->owner && held->first != t ? held->owner : NULL;
        if (w->alias && !owner) owner = alias_of(w);
        tree_item item = {m, t, w->path, owner, w->n};
        bool go_on = w->visit(w->to, &item);
        path_cut(w->path, &w->n, before);
        if (!go_on) return false;
    }
    return true;
}
static bool walk(walker *w, const node *m) {
    const char *outer = w->alias;
    size_t outer_at = w->alias_at;
    if (m->shared && m->first_path && strcmp(m->first_path, w->path)) w->alias = m->first_path, w->alias_at = w->n;
    tree_item item = {m, NULL, w->path, NULL, w->n};
    bool go_on = w->visit(w->to, &item) && walk_tensors(w, m, m->params) && walk_tensors(w, m, m->buffers);
    for (const edge *e = m->children; e && go_on; e = e->next) {
        size_t before = w->n;
        for (int64_t i = 0; go_on && i < (e->name ? 1 : e->count); i++) {
            if (path_add(w->path, &w->n, e->name, e->first + i)) go_on = walk(w, e->to);
            path_cut(w->path, &w->n, before);
        }
    }
    w->alias = outer;
    w->alias_at = outer_at;
    return go_on;
}
bool tree_walk(const node *root, bool (*visit)(void *, const tree_item *), void *to) {
    walker w;
    w.visit = visit;
    w.to = to;
    w.n = 0;
    w.alias = NULL;
    w.alias_at = 0;
    w.path[0] = 0;
    return walk(&w, root);
}

static bool write_item(void *to, const tree_item *item) {
    sink *s = to;
    const tensor_node *slot = item->slot;
    sink_text(s, !slot ? "module\t" : slot->kind == TARE_PARAM ? "param\t" : "buffer\t");
    sink_put(s, item->path, item->path_n);
    sink_char(s, '\t');
    if (!slot) sink_text(s, item->module->cls);
    else {
        const tensor_node *t = tensor_held(slot);
        sink_text(s, tare_dtype_name((tare_dtype)t->dtype));
        sink_char(s, '\t');
        for (int i = 0; i < t->rank; i++) {
            if (i) sink_char(s, ',');
            sink_int(s, t->shape[i]);
        }
        if (slot->kind == TARE_PARAM) sink_text(s, t->frozen ? "\tfrozen" : "\tgrad");
        else sink_text(s, slot->persistent ? "\tpersistent" : "\ttransient");
        if (item->owner) sink_text(s, "\t="), sink_text(s, item->owner);
    }
    sink_char(s, '\n');
    return !s->failed;
}
void tree_canonical(const node *root, sink *s) { tree_walk(root, write_item, s); }
