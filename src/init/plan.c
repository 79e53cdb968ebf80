#include "plan.h"
#include "../core/error.h"
#include "../tree/tree.h"
#include <stdlib.h>
#include <string.h>

typedef struct cached { const node *m, *model; init_event *events; bool asked; } cached;
typedef struct shared_place { const node *m; uint64_t base; bool numbered, constructed, initialised; } shared_place;
typedef struct held_place { const tensor_node *t; size_t slot; } held_place;
typedef struct maker {
    arena *a;
    init_plan *p;
    size_t op_cap;
    cached *cache;                    /* what rules said, by module body and model: a power of two */
    size_t cache_size, cache_used;
    shared_place shared[MOST_SHARED]; /* the builder makes no more */
    int shared_n;
    held_place *held;                 /* tensors that several slots hold */
    size_t held_n, held_cap;
    const node **settled;             /* models whose post_init is over and that tied something */
    size_t settled_n, settled_cap;
} maker;

/* ---- numbering ---- */

static shared_place *shared_of(maker *k, const node *m) {
    for (int i = 0; i < k->shared_n; i++)
        if (k->shared[i].m == m) return &k->shared[i];
    k->shared[k->shared_n] = (shared_place){.m = m};
    return &k->shared[k->shared_n++];
}
static void number_tensors(maker *k, const tensor_node *first, size_t *at, size_t value) {
    for (const tensor_node *t = first; t; t = t->next, value++, ++*at) {
        k->p->slots[*at] = (init_slot){.t = t, .value = value, .first = NO_OP, .last = NO_OP};
        if (t->same || !t->several || value != *at) continue;
        k->held = arena_grow(k->a, k->held, k->held_n, &k->held_cap, 1, sizeof *k->held);
        k->held[k->held_n++] = (held_place){t, *at};
    }
}
/* Gives every slot its number; those of a shared module met again hold what the first ones do. */
static size_t number(maker *k, const node *m, size_t at, size_t value) {
    size_t start = at;
    if (m->shared) {
        shared_place *s = shared_of(k, m);
        if (!s->numbered) s->base = value, s->numbered = true;
        value = s->base;
    }
    number_tensors(k, m->params, &at, value);
    number_tensors(k, m->buffers, &at, value + (at - start));
    for (const edge *e = m->children; e; e = e->next)
        for (int64_t i = 0; i < (e->name ? 1 : e->count); i++) at = number(k, e->to, at, value + (at - start));
    return at;
}
static size_t slot_of_held(const maker *k, const tensor_node *t) {
    for (size_t i = 0; i < k->held_n; i++)
        if (k->held[i].t == t) return k->held[i].slot;
    return NO_OP;
}
static void number_all(maker *k, const node *root) {
    init_plan *p = k->p;
    p->slot_count = slots_below(root);
    p->slots = arena_array(k->a, p->slot_count + 1, sizeof *p->slots);
    number(k, root, 0, 0);
    for (size_t i = 0; k->held_n && i < p->slot_count; i++) {
        const tensor_node *t = p->slots[p->slots[i].value].t;
        if (t->same) p->slots[i].value = slot_of_held(k, t->same);
    }
}

/* ---- ops ---- */

static bool is_settled(const maker *k, const node *model) {
    for (size_t i = 0; i < k->settled_n; i++)
        if (k->settled[i] == model) return true;
    return false;
}
/* Once a slot is tied, what is written to it goes to the tensor that it shares. */
static size_t target(const maker *k, const tensor_node *t, size_t slot) {
    return t->same && t->tied_by && is_settled(k, t->tied_by) ? slot_of_held(k, t->same) : slot;
}
static void push(maker *k, const init_fill *f, const tensor_node *t, size_t slot) {
    init_plan *p = k->p;
    p->ops = arena_grow(k->a, p->ops, p->op_count, &k->op_cap, 1, sizeof *p->ops);
    p->ops[p->op_count++] = (init_op){.fill = f, .t = t, .slot = slot == NO_OP ? NO_OP : target(k, t, slot), .magnitude = NO_OP};
}
/* The direction of weight norm is the weight that the layer drew shortly before, and its norms are taken of that. */
static void adopt(maker *k, const tensor_node *direction, size_t slot) {
    init_plan *p = k->p;
    size_t magnitude = NO_OP;
    for (size_t i = p->op_count; i-- > 0;) {
        init_op *op = &p->ops[i];
        if (op->fill->kind == FILL_MAGNITUDE && op->fill->formula->of == direction->how.of) magnitude = i;
        if (op->t != direction->how.of) continue;
        op->slot = slot;
        op->magnitude = magnitude;
        return;
    }
}
static void construct_tensor(maker *k, const tensor_node *t, size_t slot) {
    init_fill fills[2];
    int n = fills_of(t, &t->how, fills);
    if (t->how.op == MADE_DIRECTION) adopt(k, t, slot);
    for (int i = 0; i < n; i++) {
        init_fill *kept = arena_new(k->a, init_fill);
        *kept = fills[i];
        push(k, kept, t, t->gone ? NO_OP : slot);
    }
}
static size_t own_slot(const node *m, const tensor_node *which) {
    size_t n = 0;
    for (const tensor_node *t = m->params; t; t = t->next, n++)
        if (t == which) return n;
    for (const tensor_node *t = m->buffers; t; t = t->next, n++)
        if (t == which) return n;
    return NO_OP;
}

/* ---- rules ---- */

static cached *cache_find(cached *table, size_t size, const node *m, const node *model) {
    uint64_t x = ((uint64_t)(uintptr_t)m >> 4) * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)model >> 4;
    for (size_t i = (size_t)(x ^ x >> 29) & (size - 1);; i = (i + 1) & (size - 1))
        if (!table[i].m || (table[i].m == m && table[i].model == model)) return &table[i];
}
static void cache_grow(maker *k) {
    size_t size = k->cache_size ? 2 * k->cache_size : 256;
    cached *table = arena_array(k->a, size, sizeof *table);
    for (size_t i = 0; i < k->cache_size; i++)
        if (k->cache[i].m) *cache_find(table, size, k->cache[i].m, k->cache[i].model) = k->cache[i];
    k->cache = table;
    k->cache_size = size;
}
static const init_event *events_of(maker *k, const node *m, const node *model) {
    if (2 * k->cache_used >= k->cache_size) cache_grow(k);
    cached *c = cache_find(k->cache, k->cache_size, m, model);
    if (!c->asked) {
        *c = (cached){.m = m, .model = model, .asked = true};
        c->events = rule_events(m, model, k->a);
        k->cache_used++;
    }
    return c->events;
}
/* Children first, then the module itself; models inside have done this already. */
static void initialise(maker *k, const node *model, const node *m, size_t base) {
    size_t at = base + (size_t)slots_before(m, m->children);
    for (const edge *e = m->children; e; e = e->next)
        for (int64_t i = 0; i < (e->name ? 1 : e->count); i++, at += (size_t)slots_below(e->to)) {
            size_t place = at;
            if (e->to->model) continue;
            if (e->to->shared) {
                shared_place *s = shared_of(k, e->to);
                if (s->initialised) continue;
                s->initialised = true;
                place = s->base;
            }
            initialise(k, model, e->to, place);
        }
    for (const init_event *e = events_of(k, m, model); e; e = e->next) {
        size_t from = e->anchor ? shared_of(k, e->anchor)->base : base;
        push(k, &e->fill, e->t, e->slot == NO_SLOT ? NO_OP : from + (size_t)e->slot);
    }
}
static void settle(maker *k, const node *model) {
    if (!model->holds_tied) return;
    k->settled = arena_grow(k->a, k->settled, k->settled_n, &k->settled_cap, 1, sizeof *k->settled);
    k->settled[k->settled_n++] = model;
}

/* ---- constructors ---- */

static void construct(maker *k, const node *m, size_t base);
static void construct_child(maker *k, const edge *e, size_t at) {
    if (e->to->shared) {
        shared_place *s = shared_of(k, e->to);
        if (s->constructed) return;
        s->constructed = true;
        at = s->base;
    }
    for (int64_t i = 0; i < (e->name ? 1 : e->count); i++) construct(k, e->to, at + (size_t)i * (size_t)slots_below(e->to));
}
/* Steps name the children in the order of their edges, so one pass over both finds every child's slots. */
static void construct(maker *k, const node *m, size_t base) {
    const edge *e = m->children;
    size_t at = base + (size_t)slots_before(m, e);
    for (const step *s = m->steps; s; s = s->next) {
        if (s->what == STEP_TENSOR) construct_tensor(k, s->of, base + own_slot(m, s->of));
        else if (s->what == STEP_POST_INIT) initialise(k, m, m, base), settle(k, m);
        else {
            for (; e && e != s->of; e = e->next) at += (size_t)(e->name ? 1 : e->count) * (size_t)slots_below(e->to);
            if (e) construct_child(k, e, at);
        }
    }
}

/* ---- what is left in the end ---- */

/* From the last op back: one that a later op covers whole does nothing but move the generator. */
static void mark_live(init_plan *p, bool *covered) {
    for (size_t i = p->op_count; i-- > 0;) {
        init_op *op = &p->ops[i];
        bool needed = op->magnitude != NO_OP && p->ops[op->magnitude].live;
        if (op->slot == NO_OP) continue;
        init_slot *s = &p->slots[op->slot];
        if (s->value != op->slot || (covered[op->slot] && !needed)) continue;
        op->live = true;
        if (s->last == NO_OP) s->last = i;
        s->first = i;
        if (!op->fill->row) covered[op->slot] = true;
    }
}
typedef struct search { size_t slot, at; char path[256]; const char *cls; } search;
static bool find_path(void *to, const tree_item *item) {
    search *s = to;
    if (!item->slot || s->at++ != s->slot) return true;
    size_t n = item->path_n < sizeof s->path - 1 ? item->path_n : sizeof s->path - 1;
    memcpy(s->path, item->path, n);
    s->path[n] = 0;
    s->cls = item->module->cls;
    return false;
}
bool init_plan_fills(const init_plan *p, size_t slot, const node *root, tare_error *err) {
    if (p->slots[slot].value != slot || p->covered[slot]) return true;
    search s = {.slot = slot};
    tree_walk(root, find_path, &s);
    error_set(err, TARE_BAD, "no_source", s.path, "%s (of a %s) has no source: neither its constructor nor an init rule fills it", s.path, s.cls);
    return false;
}
bool init_plan_fills_all(const init_plan *p, const node *root, tare_error *err) {
    for (size_t i = 0; i < p->slot_count; i++)
        if (!init_plan_fills(p, i, root, err)) return false;
    return true;
}
bool init_plan_make(init_plan *p, const node *root, arena *a, tare_error *err) {
    maker k = {.a = a, .p = p};
    session *s = root->b->s;
    *p = (init_plan){0};
    number_all(&k, root);
    construct(&k, root, 0);
    if (!session_ok(s)) { /* the model itself is as good as before */
        *err = s->err;
        s->err = (tare_error){0};
        return false;
    }
    p->covered = arena_array(a, p->slot_count + 1, sizeof *p->covered);
    mark_live(p, p->covered);
    return true;
}
