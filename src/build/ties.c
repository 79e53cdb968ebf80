/* Ties, settled when all modules exist: tie_weights() of every model, in the order in which their post_init ran. */
#include "builder.h"
#include "ties.h"
#include "../core/path.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct place { /* a parameter or buffer slot */
    mod *in;
    const char *name;
    tensor *slot;
} place;

static size_t word(const char *path) {
    const char *dot = strchr(path, '.');
    return dot ? (size_t)(dot - path) : strlen(path);
}
static edge *edge_to(builder *b, mod *m, const char *name, size_t n) {
    char *end;
    int64_t index = strtoll(name, &end, 10);
    bool number = end == name + n;
    for (edge *e = m->children; e; e = e->next) {
        if (e->name && strlen(e->name) == n && !strncmp(e->name, name, n)) return e;
        if (!e->name && number && index >= e->first && index < e->first + e->count) return builder_split(b, m, e, index);
    }
    return NULL;
}
static tensor *slot_of(mod *m, const char *name) {
    for (tensor *t = m->params; t; t = t->next)
        if (!strcmp(t->name, name)) return t;
    for (tensor *t = m->buffers; t; t = t->next)
        if (!strcmp(t->name, name)) return t;
    return NULL;
}
static bool find_place(builder *b, mod *m, const char *path, place *out) {
    for (size_t n; path[n = word(path)] == '.'; path += n + 1) {
        edge *e = edge_to(b, m, path, n);
        if (!e) return false;
        builder_own(e, m);
        m = e->to;
    }
    *out = (place){m, path, slot_of(m, path)};
    return true;
}
static void mark(mod *m) {
    for (; m && !m->holds_tied; m = m->parent) m->holds_tied = true;
}
/* A buffer that a parameter takes the place of is one no more: it comes last among the parameters. */
static void make_param(mod *m, tensor *t) {
    tensor **at = &m->buffers, *before = NULL;
    while (*at && *at != t) before = *at, at = &(*at)->next;
    if (!*at) return;
    *at = t->next;
    if (m->last_buffer == t) m->last_buffer = before;
    t->next = NULL;
    t->kind = TARE_PARAM;
    if (m->last_param) m->last_param->next = t;
    else m->params = t;
    m->last_param = t;
}
/* setattr(parent, name, source): the slot keeps its place if it exists, else comes last. */
static void tie(builder *b, mod *by, place target, place from) {
    const tensor *source = from.slot;
    tensor *t = target.slot;
    if (!t) {
        t = arena_new(b->s->a, tensor_node);
        *t = *source;
        t->name = target.name;
        t->next = NULL;
        if (target.in->last_param) target.in->last_param->next = t;
        else target.in->params = t;
        target.in->last_param = t;
    }
    if (t->kind != TARE_PARAM && source->kind == TARE_PARAM) make_param(target.in, t);
    tensor *held = (tensor *)tensor_held(source);
    t->same = held == t ? NULL : held;
    if (!t->tied_by) t->tied_by = by;
    held->several = true;
    b->tied = true;
    mark(target.in);
    mark(from.in);
}
static bool plain_path(const char *path) {
    for (; *path; path++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.", *path)) return false;
    return true;
}
/* What a model class ties, where its config asks for it: rows up to one without `from`, or NULL. */
static const text_pair *ties_of(const mod *m) {
    const text_pair *ties = TIES_OF(m);
    return ties && val_true(cfg_get(m->config, "tie_word_embeddings")) ? ties : NULL;
}
static void tie_model(builder *b, mod *by, mod *m) {
    const text_pair *ties = ties_of(m);
    if (!ties) return;
    if (m->layer) fail(m, "ties inside of repeated models are not built by this release");
    for (; ties->from && session_ok(b->s); ties++) {
        place from, to;
        if (!plain_path(ties->from) || !plain_path(ties->to))
            fail(m, "the tie of %s to %s is a pattern, which is not built by this release", ties->from, ties->to);
        else if (!find_place(b, m, ties->to, &from) || !from.slot)
            fail(m, "%s is to be tied to %s, which this model does not have", ties->from, ties->to);
        else if (!find_place(b, m, ties->from, &to))
            fail(m, "%s is to be tied, and this model has no such module", ties->from);
        else tie(b, by, to, from);
    }
}
static bool is_below(const mod *m, const mod *above) {
    while (m && m != above) m = m->parent;
    return m != NULL;
}
/* tie_weights() of one model ties all models below it too, in walk order. */
static void tie_below(builder *b, mod *above) {
    for (model_entry *e = b->begun; e && session_ok(b->s); e = e->next)
        if (is_below(e->m, above)) tie_model(b, above, e->m);
}

/* ---- owners: the first path in walk order of every tensor that several slots hold ---- */

typedef struct owner_walk { builder *b; char path[MODULE_PATH]; size_t n; } owner_walk;
static void own_all(owner_walk *w, tensor *first) {
    for (tensor *t = first; t; t = t->next) {
        tensor *held = (tensor *)tensor_held(t);
        if (held->owner || (!t->same && !held->several)) continue;
        held->owner = arena_printf(w->b->s->a, "%.*s%s%s", (int)w->n, w->path, w->n ? "." : "", t->name);
        held->first = t;
    }
}
static void own(owner_walk *w, mod *m) {
    if (m->shared && m->first_path) return;
    if (m->shared) m->first_path = arena_text(w->b->s->a, w->path, w->n);
    own_all(w, m->params);
    own_all(w, m->buffers);
    for (edge *e = m->children; e; e = e->next) {
        if (!w->b->shares && !e->to->holds_tied) continue;
        size_t before = w->n;
        if (!path_add(w->path, &w->n, e->name, e->first)) {
            fail(e->to, "module names nest too long");
            return;
        }
        own(w, e->to);
        w->n = before;
    }
}
bool settle_ties(builder *b) {
    for (model_entry *e = b->models; e && session_ok(b->s); e = e->next) tie_below(b, e->m);
    if (!session_ok(b->s)) return false;
    if (b->tied || b->shares) {
        owner_walk w = {.b = b};
        own(&w, b->root);
    }
    return session_ok(b->s);
}

/* ---- all_tied_weights_keys: a fact ---- */

val tied_keys(arena *a, const mod *m) {
    val all = {.kind = VAL_DICT};
    for (const text_pair *ties = ties_of(m); ties && ties->from; ties++) all = dict_with(a, all, ties->from, val_text(ties->to));
    for (const edge *e = m->children; e; e = e->next) {
        if (!e->to->model || !e->name) continue;
        val below = tied_keys(a, e->to);
        for (uint32_t i = 0; i < below.n; i++) {
            const char *from = arena_printf(a, "%s.%s", e->name, below.members[i].key);
            all = dict_with(a, all, from, val_text(arena_printf(a, "%s.%s", e->name, below.members[i].v.s)));
        }
    }
    return all;
}
