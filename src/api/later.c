/* tare_init_later(): weights that are made when they are needed, tensor by tensor, each from its own place in the stream. */
#include "../core/error.h"
#include "../plan/here.h"
#include "filling.h"
#include "generator.h"
#include "weights.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 1 << 26 }; /* bytes from which on it is asked whether there is so much memory */

struct later {
    filling f;
    tare_weights *w;
    init_place *start, *at;  /* before the first op; where the last run ended */
    pthread_mutex_t lock;    /* of all but `made` */
    bool *asked;             /* by slots, as is */
    _Atomic bool made[];
};
typedef struct later later;

static size_t value_of(const later *l, size_t slot) { return l->f.plan->slots[slot].value; }
static bool is_asked(void *to, size_t slot) { return ((later *)to)->asked[slot]; }
static void *memory_of(void *to, size_t slot) { return is_asked(to, slot) ? ((later *)to)->w->at[slot] : NULL; }
/* What is made along with something else may be made already, and not as it was any more. */
static bool lose(void *to, size_t slot, uint64_t first, const void *bytes, size_t n) {
    return (void)to, (void)slot, (void)first, (void)bytes, (void)n, true;
}
static bool is_made(void *to, size_t slot) {
    later *l = to;
    atomic_store_explicit(&l->made[slot], true, memory_order_release);
    return tell(&l->f, slot_bytes(&l->f, slot));
}

/* ---- making ---- */

static bool fits(later *l) {
    uint64_t there;
    char which[256];
    if (l->f.all < LARGE || !here_memory("", &there, which, sizeof which) || l->f.all <= there) return true;
    error_set(&l->f.err, TARE_IO, "out_of_memory", NULL, "%" PRIu64 " bytes are needed for these weights, and there are %" PRIu64, l->f.all, there);
    return false;
}
static bool run(later *l, size_t first, size_t end) {
    init_how how = run_how(&l->f);
    init_out out = {.memory = memory_of, .piece = lose, .done = is_made, .wanted = is_asked, .to = l};
    if (l->at->op > first) *l->at = *l->start;
    bool ok = fill_ended(&l->f, init_run_to(l->f.plan, &how, &out, l->at, end, &l->f.err));
    if (!ok) *l->at = *l->start;
    return ok;
}
static void ask(later *l, size_t slot) {
    size_t value = value_of(l, slot);
    if (l->asked[value] || atomic_load_explicit(&l->made[value], memory_order_acquire)) return;
    l->asked[value] = true;
    l->f.all += slot_bytes(&l->f, value);
}
static bool make(later *l, const tare_item *const *tensors, size_t n, const tare_init_options *how) {
    size_t count = l->f.plan->slot_count, first, end;
    l->f.o.progress = how ? how->progress : NULL, l->f.o.progress_to = how ? how->progress_to : NULL;
    l->f.o.threads = how ? how->threads : 0;
    l->f.err = (tare_error){0}, l->f.cancelled = false, l->f.made = l->f.all = 0;
    memset(l->asked, 0, count);
    for (size_t i = 0; i < (tensors ? n : count); i++) ask(l, tensors ? (size_t)(tensors[i] - l->f.items) : i);
    init_span(l->f.plan, is_asked, l, &first, &end);
    return first >= end || (fits(l) && run(l, first, end));
}
/* The quick way, for what is there. */
static bool all_made(const later *l, const tare_item *const *tensors, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!atomic_load_explicit(&l->made[value_of(l, (size_t)(tensors[i] - l->f.items))], memory_order_acquire)) return false;
    return tensors != NULL;
}
static bool are_its(const tare_weights *w, const tare_item *const *tensors, size_t n, tare_error *err) {
    for (size_t i = 0; tensors && i < n; i++)
        if (tensors[i] < w->items || tensors[i] >= w->items + w->slot_count) {
            if (err) error_set(err, TARE_USAGE, "usage", NULL, "the tensor is none of this model");
            return false;
        }
    return true;
}
tare_status tare_weights_need(tare_weights *w, const tare_item *const *tensors, size_t n, const tare_init_options *how, tare_error *err) {
    later *l = w->later;
    if (!are_its(w, tensors, n, err)) return TARE_USAGE;
    if (!l || all_made(l, tensors, n)) return TARE_OK;
    pthread_mutex_lock(&l->lock);
    bool ok = make(l, tensors, n, how);
    tare_status status = refused(ok, &l->f, err) ? l->f.err.status : TARE_OK;
    pthread_mutex_unlock(&l->lock);
    return status;
}

/* ---- the handle ---- */

void later_drop(later *l) {
    if (!l) return;
    pthread_mutex_destroy(&l->lock);
    free(l->start);
    free(l->at);
    free(l->asked);
    free(l);
}
static later *later_new(filling *f) {
    size_t n = f->plan->slot_count;
    later *l = tarei_malloc(sizeof *l + (n + 1) * sizeof *l->made);
    if (!l) return error_set(&f->err, TARE_IO, "out_of_memory", NULL, "out of memory"), NULL;
    memset(l, 0, sizeof *l + (n + 1) * sizeof *l->made);
    l->f = *f, l->f.within = true;
    pthread_mutex_init(&l->lock, NULL);
    l->asked = tarei_malloc(n + 1);
    l->start = init_place_new(&f->err), l->at = init_place_new(&f->err);
    if (!l->asked) error_set(&f->err, TARE_IO, "out_of_memory", NULL, "out of memory");
    if (!l->asked || !l->start || !l->at) return later_drop(l), NULL;
    if (f->o.from) l->start->g = f->o.from->g;
    else rng_seed(&l->start->g, f->o.seed);
    l->f.o.from = NULL, l->f.o.next = NULL;
    *l->at = *l->start;
    return l;
}
tare_weights *tare_init_later(const tare_model *m, const tare_init_options *options, tare_error *err) {
    filling f;
    tare_weights *w = NULL;
    bool ok = fill_begin(&f, m, options) && (w = weights_for(&f, true)) && (w->later = later_new(&f));
    if (ok) w->later->w = w;
    if (!refused(ok, &f, err)) return w;
    weights_drop(w);
    return NULL;
}
