/* What a block holds besides its tensors: caches, and the gradients and states of training; and what every device needs while its
 * layers run. */
#ifndef TARE_PLAN_EXTRA_H
#define TARE_PLAN_EXTRA_H
#include "blocks.h"
#include "budget.h"

typedef struct plan_extra {
    uint64_t *cache, *training; /* of each block */
    uint64_t *sum;              /* both, and the logits in the block that makes them */
    uint64_t logits;
    size_t head;                /* that block; SIZE_MAX: none */
    uint64_t running;           /* on every GPU that holds layers: activations, or what loading holds for a moment */
} plan_extra;
/* In the arena, which must have somewhere to unwind to. */
void plan_extra_of(plan_extra *out, const plan_blocks *b, const node *root, const budget_ask *ask, arena *a);
#endif
