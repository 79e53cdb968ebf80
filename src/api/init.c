/* tare_init() and its kin: fresh weights. */
#include "filling.h"
#include "generator.h"
#include "weights.h"
#include "../init/crew.h"
#include "../core/sha256.h"
#include <stdlib.h>
#include <string.h>

/* ---- the plan ---- */

typedef struct planning { tare_model *m; tare_error err; bool ok; } planning;
static bool make_plan(void *to) {
    planning *w = to;
    w->ok = init_plan_make(&w->m->plan, w->m->root, &w->m->lazy, &w->err);
    return true;
}
/* Rules read the config, which takes memory of the model's own arena too. */
static bool make_plan_in_lazy(void *to) {
    planning *w = to;
    return guarded(&w->m->lazy, &w->err, make_plan, w);
}
const init_plan *plan_of(const tare_model *m, tare_error *err) {
    planning w = {.m = (tare_model *)m};
    pthread_mutex_lock(&w.m->base.lock);
    if (!m->planned) w.m->planned = guarded(&w.m->base.a, &w.err, make_plan_in_lazy, &w) && w.ok;
    pthread_mutex_unlock(&w.m->base.lock);
    if (m->planned) return &m->plan;
    if (err) *err = w.err;
    return NULL;
}

/* ---- what all ways of filling share ---- */

uint64_t slot_bytes(const filling *f, size_t slot) {
    const tensor_node *t = f->plan->slots[slot].t;
    return (uint64_t)t->elements * tare_dtype_bytes((tare_dtype)t->dtype);
}
static bool out_of_memory(tare_error *err, uint64_t bytes) {
    error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory: %llu bytes are needed", (unsigned long long)bytes);
    return false;
}
bool fill_begin(filling *f, const tare_model *m, const tare_init_options *o) {
    *f = (filling){.m = m, .o = o ? *o : (tare_init_options){0}};
    f->plan = plan_of(m, &f->err);
    if (!f->plan || !init_plan_fills_all(f->plan, m->root, &f->err)) return false;
    f->items = tare_tensor_at(m, 0);
    if (f->plan->slot_count && !f->items) return out_of_memory(&f->err, f->plan->slot_count * sizeof *f->items);
    for (size_t i = 0; i < f->plan->slot_count; i++)
        if (f->plan->slots[i].value == i) f->all += slot_bytes(f, i);
    return true;
}
bool tell(filling *f, uint64_t bytes) {
    f->made += bytes;
    if (!f->o.progress || f->o.progress(f->o.progress_to, f->made, f->all)) return true;
    f->cancelled = true;
    return false;
}
static bool go_on(void *to) { return tell(to, 0); }
init_how run_how(filling *f) {
    int threads = f->o.threads > 0 ? f->o.threads : crew_cores();
    return (init_how){.seed = f->o.seed, .from = f->o.from ? &f->o.from->g : NULL, .philox = f->o.rng == TARE_RNG_PHILOX, .threads = threads,
                      .items = f->items, .go_on = f->within && f->o.progress ? go_on : NULL, .go_on_to = f};
}
bool fill_ended(filling *f, bool ok) {
    if (f->cancelled) f->err = (tare_error){0}; /* a draw that was stopped may have called it want of memory */
    if (f->cancelled) error_set(&f->err, TARE_IO, "cancelled", NULL, "cancelled; nothing was kept");
    return ok && !f->cancelled;
}
bool fill_all(filling *f, const init_out *out) {
    init_how how = run_how(f);
    uint32_t next;
    if (!fill_ended(f, init_run(f->plan, &how, out, &next, &f->err))) return false;
    if (f->o.next) *f->o.next = next;
    return true;
}
bool refused(bool ok, const filling *f, tare_error *err) {
    if (!ok && err) *err = f->err;
    return !ok;
}

/* ---- all at once, in memory ---- */

typedef struct in_memory { filling f; tare_weights *w; } in_memory;

static void *memory_of(void *to, size_t slot) {
    tare_weights *w = ((in_memory *)to)->w;
    return w->at[slot];
}
static bool slot_done(void *to, size_t slot) {
    in_memory *i = to;
    return tell(&i->f, slot_bytes(&i->f, slot));
}
tare_weights *weights_for(filling *f, bool sparse) {
    const init_plan *p = f->plan;
    tare_weights *w = weights_new(f->items, p->slot_count, &f->err);
    for (size_t i = 0; w && i < p->slot_count; i++)
        if (p->slots[i].value == i) weights_place(w, i, slot_bytes(f, i));
    if (!w || !weights_map(w, sparse, &f->err)) return weights_drop(w), NULL;
    for (size_t i = 0; i < p->slot_count; i++) w->at[i] = w->at[p->slots[i].value];
    return w;
}
tare_weights *tare_init(const tare_model *m, const tare_init_options *options, tare_error *err) {
    in_memory i = {.w = NULL};
    bool ok = fill_begin(&i.f, m, options) && (i.w = weights_for(&i.f, false));
    i.f.within = true;
    ok = ok && fill_all(&i.f, &(init_out){.memory = memory_of, .done = slot_done, .to = &i});
    if (!refused(ok, &i.f, err)) return i.w;
    tare_weights_free(i.w);
    return NULL;
}
/* ---- one at a time ---- */

typedef struct held { size_t slot; void *bytes; struct held *next; } held;
typedef struct one_by_one { filling f; tare_take take; void *to; held *held; } one_by_one;

static held **held_at(one_by_one *o, size_t slot) {
    held **h = &o->held;
    while (*h && (*h)->slot != slot) h = &(*h)->next;
    return h;
}
/* Most tensors are filled by one op, and gone before the next one begins. */
static void *memory_for_now(void *to, size_t slot) {
    one_by_one *o = to;
    held *h = *held_at(o, slot);
    if (h) return h->bytes;
    size_t n = (size_t)slot_bytes(&o->f, slot);
    h = tarei_malloc(sizeof *h);
    void *bytes = h ? tarei_malloc(n ? n : 1) : NULL;
    if (!bytes) return free(h), NULL;
    *h = (held){slot, bytes, o->held};
    o->held = h;
    return bytes;
}
static bool no_room(void *to, size_t slot, uint64_t first, const void *bytes, size_t n) {
    one_by_one *o = to;
    (void)first, (void)bytes, (void)n;
    return out_of_memory(&o->f.err, slot_bytes(&o->f, slot));
}
static bool pass(void *to, size_t slot) {
    one_by_one *o = to;
    held **at = held_at(o, slot), *h = *at;
    if (!h) return no_room(to, slot, 0, NULL, 0);
    size_t n = (size_t)slot_bytes(&o->f, slot);
    o->f.cancelled = !o->take(o->to, &o->f.items[slot], h->bytes, n);
    *at = h->next;
    free(h->bytes);
    free(h);
    return !o->f.cancelled && tell(&o->f, n);
}
tare_status tare_init_each(const tare_model *m, const tare_init_options *options, tare_take each, void *to, tare_error *err) {
    one_by_one o = {.take = each, .to = to};
    bool ok = fill_begin(&o.f, m, options);
    ok = ok && fill_all(&o.f, &(init_out){.memory = memory_for_now, .piece = no_room, .done = pass, .to = &o});
    for (held *h = o.held, *next; h; h = next) {
        next = h->next;
        free(h->bytes);
        free(h);
    }
    return refused(ok, &o.f, err) ? o.f.err.status : TARE_OK;
}

/* ---- a part of one ---- */

static bool is_slice(filling *f, const tare_item *t, uint64_t first, uint64_t n) {
    tare_error *err = &f->err;
    if (f->o.rng != TARE_RNG_PHILOX)
        error_set(err, TARE_USAGE, "usage", NULL, "a slice alone needs the philox generator: torch's values depend on all draws before");
    else if (t < f->items || t >= f->items + f->plan->slot_count) error_set(err, TARE_USAGE, "usage", NULL, "the tensor is none of this model");
    else {
        uint64_t elements = (uint64_t)f->plan->slots[t - f->items].t->elements;
        if (first <= elements && n <= elements - first) return true;
        error_set(err, TARE_USAGE, "usage", t->path, "%s has %llu elements, and the slice ends beyond them", t->path, (unsigned long long)elements);
    }
    return false;
}
tare_status tare_init_slice(const tare_model *m, const tare_init_options *options, const tare_item *t, uint64_t first, uint64_t n, void *out,
                            tare_error *err) {
    filling f;
    bool ok = fill_begin(&f, m, options) && is_slice(&f, t, first, n);
    init_how how = run_how(&f);
    ok = ok && init_slice(f.plan, &how, f.plan->slots[t - f.items].value, first, n, out, &f.err);
    return refused(ok, &f, err) ? f.err.status : TARE_OK;
}
tare_status tare_init_inexact(const tare_model *m, tare_remark remark, void *to, tare_error *err) {
    filling f;
    bool ok = fill_begin(&f, m, NULL);
    for (size_t i = 0; ok && i < f.plan->op_count; i++) {
        const init_op *op = &f.plan->ops[i];
        const char *why = op->live ? init_inexact(op) : NULL;
        if (why && !remark(to, &f.items[op->slot], why)) return TARE_NO;
    }
    return refused(ok, &f, err) ? f.err.status : TARE_OK;
}
void tare_sha256(const void *bytes, size_t n, char hex[65]) {
    sha256 h;
    sha256_start(&h);
    sha256_take(&h, bytes, n);
    sha256_end(&h, hex);
}
