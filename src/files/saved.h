/* What save_pretrained takes from a model: the state dict, without what is not to be saved and without tied duplicates. */
#ifndef TARE_FILES_SAVED_H
#define TARE_FILES_SAVED_H
#include "pattern.h"
#include "../core/node.h"

typedef struct saved_slot { /* a parameter or buffer slot, in walk order */
    const char *path;
    const tensor_node *tensor; /* that it holds */
    size_t owner;              /* the first slot that holds it: its own index, mostly */
    size_t next;               /* the next slot that holds it, 0: none (slot 0 is a first one) */
    uint8_t dtype;
    bool saved;
} saved_slot;
typedef struct saved_slots {
    arena *a;
    const node *root;
    saved_slot *v;
    size_t n, cap;
    bool shared; /* some tensor has several slots */
} saved_slots;
/* False, with an error, for what the reference refuses to save. Of a model that was loaded: which slot each one's tensor is, and what
 * dtype it has; else NULL. */
bool saved_collect(saved_slots *s, patterns *p, const node *root, const size_t *owners, const uint8_t *dtypes);
#endif
