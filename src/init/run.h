/* Carrying out a plan: every draw in torch's order, and the values that stay given to their owner. */
#ifndef TARE_INIT_RUN_H
#define TARE_INIT_RUN_H
#include "mt.h"
#include "plan.h"

typedef struct init_out { /* who takes the values */
    /* The memory that holds all of a slot's value, which is then written there; NULL: it is given in pieces. */
    void *(*memory)(void *to, size_t slot);
    /* Bytes of a slot without memory, in any order, from several threads at once, later ones in place of earlier ones. */
    bool (*piece)(void *to, size_t slot, uint64_t first, const void *bytes, size_t n);
    /* The slot's value is complete. */
    bool (*done)(void *to, size_t slot);
    /* False: its value is known already, and need not be made. NULL: all are wanted. */
    bool (*wanted)(void *to, size_t slot);
    void *to;
} init_out; /* false ends the run; whoever said it knows why */

typedef struct init_how {
    uint64_t seed;
    const rng *from;         /* NULL: a new generator of that seed */
    bool philox;
    int threads;             /* at least 1 */
    const tare_item *items;  /* of the slots: their names are keys of the philox stream */
    bool (*go_on)(void *to); /* asked now and then within a large draw of torch's, from any thread, one at a time; false ends it. NULL: yes */
    void *go_on_to;
} init_how;

/* Elements [first, first + n) of one slot's value, alone, by the philox stream. */
bool init_slice(const init_plan *p, const init_how *how, size_t slot, uint64_t first, uint64_t n, void *out, tare_error *err);
/* False: `out` ended it (err is as it was), or memory ran out. `next`: the bits of the float that torch.rand(1) would give next. */
bool init_run(const init_plan *p, const init_how *how, const init_out *out, uint32_t *next, tare_error *err);
/* Where a run stands: the op that is next, and the generator before it. */
typedef struct init_place { rng g; size_t op; } init_place;
init_place *init_place_new(tare_error *err); /* at the first op, the generator not set; free() takes it. NULL when memory ran out */
/* The ops from there up to `end`. After false the place is no use. */
bool init_run_to(const init_plan *p, const init_how *how, const init_out *out, init_place *at, size_t end, tare_error *err);
/* All ops that write what is wanted are in [first, end). */
void init_span(const init_plan *p, bool (*wanted)(void *to, size_t slot), void *to, size_t *first, size_t *end);
/* Why the values of this op are not the reference's bit for bit; NULL: they are. */
const char *init_inexact(const init_op *op);
#endif
