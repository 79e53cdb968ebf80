/* The tensors of a model that is to be filled: its state dict, by name. */
#ifndef TARE_LOAD_SLOTS_H
#define TARE_LOAD_SLOTS_H
#include "../core/node.h"
#include "../files/names.h"
#include "../files/ops.h"

typedef enum slot_source { /* where what a tensor holds comes from */
    FROM_NOWHERE, /* missing */
    FROM_FILE,
    FROM_TIE,     /* it is another slot's tensor */
    FROM_ITSELF   /* a transient buffer, or one that nobody misses: made as for a fresh model */
} slot_source;

typedef struct load_slot { /* a parameter or buffer, in walk order */
    const char *path;
    const tensor_node *t;  /* of the slot itself: its shape and dtype */
    size_t same;           /* the first slot of the very same module's tensor: its own index, but for modules with two names */
    bool state;            /* in the state dict: a parameter or a persistent buffer */
    bool packed;           /* a part of a quantised weight, whose bytes are kept as they are */
    bool mismatched;       /* a file has it in another shape */
    uint8_t dtype;         /* that it has once it is loaded */
    slot_source from;
    size_t tensor;         /* FROM_FILE: the tensor of the checkpoint, or the first of them */
    const value *made;     /* FROM_FILE, and not as it is: of which tensors it is put together; NULL: it is `tensor` */
    size_t tie;            /* FROM_TIE: whose tensor it is */
    int8_t rank;           /* mismatched: as the file has it */
    const int64_t *shape;
} load_slot;

typedef struct load_slots {
    load_slot *v;
    size_t n;
    name_table names;      /* of all slots */
    bool dtype_kept;       /* some pattern keeps tensors in float32 */
} load_slots;

/* main: the dtype that the model is loaded in, which may keep tensors of some names in float32. */
bool slots_make(load_slots *s, patterns *p, const node *root, int main, tare_error *err);
/* Where a quantised tree wants `dtype`, a file may hold `held`: the same bits under another name, or exponents written out as numbers. */
bool same_bits(int dtype, int held);
size_t slots_find(const load_slots *s, const char *path); /* of the state dict; SIZE_MAX */
#endif
