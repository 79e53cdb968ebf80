/* The order in which a model's tensors are filled: what the constructors do, then what the init rules do as each model's
 * constructor ends. Slots are the tensors in walk order, as tare_tensor_at() counts them. */
#ifndef TARE_INIT_PLAN_H
#define TARE_INIT_PLAN_H
#include "../build/initlog.h"

typedef struct init_op {
    const init_fill *fill;
    const tensor_node *t;   /* its shape and dtype */
    size_t slot;            /* NO_OP: drawn for nothing */
    size_t magnitude;       /* the op that takes its norms right after it, or NO_OP */
    bool live;              /* some of it is there in the end */
} init_op;
#define NO_OP SIZE_MAX

typedef struct init_slot {
    const tensor_node *t;   /* what this slot was made as */
    size_t value;           /* the slot that holds its value: itself, but for tied and shared ones */
    size_t first, last;     /* its first and last live op; NO_OP for slots whose value is elsewhere */
} init_slot;

typedef struct init_plan {
    init_op *ops;
    size_t op_count;
    init_slot *slots;
    bool *covered;          /* of each slot that is its own value: something fills all of it */
    size_t slot_count;
} init_plan;

/* Whether the tensor of a slot, or of every slot, has what fills it; false with err, which names the one that has not. */
bool init_plan_fills(const init_plan *p, size_t slot, const node *root, tare_error *err);
bool init_plan_fills_all(const init_plan *p, const node *root, tare_error *err);
/* Makes the plan in `a`, which like the arena of the model's session must have somewhere to unwind to. False: a rule is wrong, and err
 * says which. The tree takes notes: no two threads at once for one model. */
bool init_plan_make(init_plan *p, const node *root, arena *a, tare_error *err);
#endif
