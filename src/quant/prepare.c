/* The pass over a finished tree: modules are exchanged where a method takes them. Layers that are one body stay one where the method
 * decides alike for all of them; where it tells them apart, those that it treats alike share a body again. */
#include "work.h"
#include "../core/path.h"

typedef struct exchanged { /* a body that several places share is exchanged once for each kind */
    const mod *from;
    int64_t kind;
    mod *to;
    struct exchanged *next;
} exchanged;
enum { BUCKETS = 64 };
typedef struct pass {
    quant *q;
    char path[MODULE_PATH];
    size_t n;
    met_nodes met;
    exchanged *made[BUCKETS];
} pass;

static int64_t taken(pass *p, const mod *parent, const mod *m) {
    p->q->parent = parent;
    return p->q->method->takes(p->q, m, p->path);
}
/* Children that it has made stand for something too. */
static void tell(const quant_method *method, const mod *m) {
    const tensor *const lists[] = {m->params, m->buffers};
    for (int i = 0; i < 2; i++)
        for (const tensor *t = lists[i]; t; t = t->next)
            for (const meaning *x = method->meanings; x && x->name; x++)
                if (!strcmp(x->name, t->name)) ((tensor *)t)->meaning = x->text;
    for (const edge *e = m->children; e; e = e->next)
        if (e->to->dense) tell(method, e->to);
}
static void change(pass *p, mod *m);
static mod *exchange(pass *p, mod *parent, const char *name, mod *from, int64_t kind) {
    exchanged **slot = &p->made[((uintptr_t)from >> 4 ^ (uintptr_t)kind) % BUCKETS];
    for (exchanged *x = *slot; x; x = x->next)
        if (x->from == from && x->kind == kind) return x->to->common = true, x->to;
    builder *b = p->q->b;
    mod *to = builder_mod(b, parent, name, from->cls);
    to->kind = from->kind;
    to->extra = from->extra;
    to->dense = from;
    to->may_be_empty = true; /* packed sizes are quotients */
    to->chosen = from->chosen;
    to->experts = from->experts;
    p->q->look_below = false;
    p->q->method->make(p->q, to, from, kind);
    tell(p->q->method, to);
    if (p->q->look_below && session_ok(b->s)) change(p, to);
    exchanged *x = arena_new(b->s->a, exchanged);
    *x = (exchanged){from, kind, to, *slot};
    return (*slot = x)->to;
}

/* ---- lists ---- */

typedef struct piece { int64_t first, count; mod *from, *to; uint64_t answers; } piece;
typedef struct pieces { piece *v; size_t n, cap; } pieces;

/* What the method answers on a body and all in it, as one number. */
static void mix(uint64_t *h, uint64_t x) { *h = (*h ^ x) * UINT64_C(0x9E3779B97F4A7C15), *h ^= *h >> 29; }
static void answers(pass *p, const mod *parent, const mod *m, uint64_t *h) {
    int64_t kind = taken(p, parent, m);
    mix(h, (uint64_t)kind + 1);
    for (const edge *e = kind ? NULL : m->children; e; e = e->next)
        for (int64_t i = 0; i < (e->name ? 1 : e->count); i++) {
            size_t before = p->n;
            if (path_add(p->path, &p->n, e->name, e->first + i)) answers(p, m, e->to, h);
            path_cut(p->path, &p->n, before);
        }
}
static void add_piece(pass *p, pieces *all, mod *from, int64_t index, int64_t count, uint64_t h) {
    piece *last = all->n ? &all->v[all->n - 1] : NULL;
    if (last && last->from == from && last->answers == h && last->first + last->count == index) {
        last->count += count;
        return;
    }
    all->v = arena_grow(p->q->s->a, all->v, all->n, &all->cap, 1, sizeof *all->v);
    all->v[all->n++] = (piece){.first = index, .count = count, .from = from, .answers = h};
}
static void cut_run(pass *p, pieces *all, const mod *list, const edge *e) {
    if (!p->q->by_layer) {
        add_piece(p, all, e->to, e->first, e->count, 0);
        return;
    }
    for (int64_t i = 0; i < e->count; i++) {
        size_t before = p->n;
        uint64_t h = 0;
        if (path_add(p->path, &p->n, NULL, e->first + i)) answers(p, list, e->to, &h);
        path_cut(p->path, &p->n, before);
        add_piece(p, all, e->to, e->first + i, 1, h);
    }
}
/* Pieces with the same body and answers share what comes of it; the first of a body has the body itself. True: this one is new. */
static bool share_piece(pass *p, pieces *all, size_t i, mod *list) {
    piece *x = &all->v[i];
    bool used = false;
    for (size_t k = 0; k < i; k++) {
        if (all->v[k].from != x->from) continue;
        if (all->v[k].answers == x->answers) return x->to = all->v[k].to, x->to->common = true, false;
        used = true;
    }
    x->to = used ? builder_copy(p->q->b, x->from, list) : x->from;
    if (!used) x->to->common = false;
    return true;
}
static mod *change_item(pass *p, mod *list, piece *x) {
    size_t before = p->n;
    mod *to = x->to;
    if (path_add(p->path, &p->n, NULL, x->first)) {
        int64_t kind = taken(p, list, to);
        if (kind) to = exchange(p, list, arena_printf(p->q->s->a, "%lld", (long long)x->first), to, kind);
        else change(p, to);
    }
    path_cut(p->path, &p->n, before);
    return to;
}
/* Neighbours differ in their bodies, so that no piece reaches over an edge. */
static void put_pieces(pass *p, mod *list, edge *e, const pieces *all) {
    for (size_t i = 0; i < all->n; i++, e = e->next) {
        if (all->v[i].count < e->count) builder_cut(p->q->b, list, e, all->v[i].count);
        e->to = all->v[i].to;
    }
}
/* All runs of a list at once: bodies may come back. */
static edge *change_runs(pass *p, mod *list, edge *first) {
    pieces all = {0};
    edge *after = first;
    for (; after && !after->name; after = after->next) cut_run(p, &all, list, after);
    bool *is_new = arena_array(p->q->s->a, all.n, sizeof *is_new);
    for (size_t i = 0; i < all.n; i++) is_new[i] = share_piece(p, &all, i, list);
    for (size_t i = 0; i < all.n && session_ok(p->q->s); i++) {
        if (!is_new[i]) continue;
        mod *before = all.v[i].to, *to = change_item(p, list, &all.v[i]);
        for (size_t k = i; k < all.n; k++)
            if (all.v[k].to == before) all.v[k].to = to, to->common |= k > i;
    }
    put_pieces(p, list, first, &all);
    return after;
}

/* ---- modules ---- */

/* What was replaced comes last, by name: deleted and set again. */
static void move_last(mod *m) {
    edge *kept = NULL, **kept_end = &kept, *moved = NULL;
    for (edge *e = m->children, *next; e; e = next) {
        next = e->next;
        if (!e->name || !e->to->dense) {
            *kept_end = e;
            kept_end = &e->next;
            continue;
        }
        edge **at = &moved;
        while (*at && strcmp((*at)->name, e->name) < 0) at = &(*at)->next;
        e->next = *at;
        *at = e;
    }
    *kept_end = moved;
    m->children = kept;
    for (edge *e = m->children; e; e = e->next) m->last_child = e;
}
static void change_child(pass *p, mod *m, edge *e) {
    size_t before = p->n;
    if (met_before(&p->met, e->to) || !path_add(p->path, &p->n, e->name, 0)) return;
    int64_t kind = taken(p, m, e->to);
    if (kind) e->to = exchange(p, m, e->name, e->to, kind);
    else if (e->to->children) builder_own(e, m), change(p, e->to);
    path_cut(p->path, &p->n, before);
}
static void change(pass *p, mod *m) {
    for (edge *e = m->children; e && session_ok(p->q->s);) {
        if (!e->name) e = change_runs(p, m, e);
        else change_child(p, m, e), e = e->next;
    }
    if (p->q->method->extend && session_ok(p->q->s)) p->q->method->extend(p->q, m);
    if (p->q->method->moves && session_ok(p->q->s)) move_last(m);
}
bool quant_prepare(void *to, builder *b) {
    quant *q = to;
    q->b = b;
    q->dtype = b->dtype;
    if (q->method->start) q->method->start(q);
    if (!session_ok(b->s)) return false;
    if (q->method->takes && !q->dequantized) {
        pass *p = arena_new(b->s->a, pass);
        p->q = q;
        change(p, b->root);
    }
    if (q->loaded) b->root->stored = q->dequantized ? q->method->floats : q->method->files;
    if (q->dequantized) return session_ok(b->s);
    if (session_ok(b->s)) warn_of_heads(q);
    if (session_ok(b->s) && q->method->finish) q->method->finish(q);
    return session_ok(b->s);
}
