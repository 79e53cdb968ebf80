/* Carrying out a plan: every draw in torch's order, and the values that stay given to their owner. */
#ifndef TARE_INIT_RUN_H
#define TARE_INIT_RUN_H
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
    bool philox;
    int threads;             /* at least 1 */
    const tare_item *items;  /* of the slots: their names are keys of the philox stream */
} init_how;

/* Elements [first, first + n) of one slot's value, alone, by the philox stream. */
bool init_slice(const init_plan *p, const init_how *how, size_t slot, uint64_t first, uint64_t n, void *out, tare_error *err);
/* False: `out` ended it (err is as it was), or memory ran out. `next`: the bits of the float that torch.rand(1) would give next. */
bool init_run(const init_plan *p, const init_how *how, const init_out *out, uint32_t *next, tare_error *err);
/* Why the values of this op are not the reference's bit for bit; NULL: they are. */
const char *init_inexact(const init_op *op);
#endif
