/* The finished tree as text: print(model), the canonical tree, and sums over it. */
#ifndef TARE_TREE_TREE_H
#define TARE_TREE_TREE_H
#include "../core/buf.h"
#include "../core/node.h"

void tree_print(const node *root, sink *s);     /* print(model), with its newline */
void tree_canonical(const node *root, sink *s); /* docs/formats.md */

typedef struct tree_item { /* one line of the canonical tree */
    const node *module;         /* the module, or the one that holds the tensor */
    const tensor_node *slot;    /* NULL for a module */
    const char *path, *owner;
    size_t path_n;
} tree_item;
/* Calls visit for every line in walk order until it returns false; false when it did. */
bool tree_walk(const node *root, bool (*visit)(void *to, const tree_item *item), void *to);

/* Calls visit for every body: it is met `times` times on the walk and was built `once` times, which is less where a module is shared. */
void tree_bodies(const node *root, void (*visit)(void *to, const node *m, uint64_t times, uint64_t once), void *to);
/* The tensor of this slot is another one's, on the walk an earlier one's. */
static inline bool tree_is_tied(const tensor_node *slot) { return tensor_held(slot)->owner && tensor_held(slot)->first != slot; }
uint64_t tree_params(const node *root, bool trainable_only); /* each shared tensor once */
void tree_count(const node *root, tare_counts *out);
const tensor_node *tree_first_float(const node *root);       /* the parameter whose dtype is the model's; NULL */
#endif
