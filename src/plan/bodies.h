/* What accelerate's functions ask about modules, measured once per body: sizes, layers, leaves. A body that many modules repeat is
 * measured once; a module under its second name, and one that special dtypes reach into, have measures of their own. */
#ifndef TARE_PLAN_BODIES_H
#define TARE_PLAN_BODIES_H
#include "../core/node.h"
#include "sizes.h"

typedef struct special { const char *path; amount bytes; } special; /* of one element */

typedef struct acc_body acc_body;
typedef struct acc_kid { /* a child, or a run of equal numbered ones; named_children() counts a module once */
    const edge *e;
    int64_t first, n;
    acc_body *body;
} acc_kid;
struct acc_body {
    const node *m;
    bool again;              /* a module under its second name: named_parameters() has met all of it */
    bool whole;              /* its class is not to be split */
    bool twisted;            /* some tensor here or below has several names */
    acc_kid *kids;
    size_t kid_count;
    const special *special;  /* those below, sorted; each path from byte special_at on */
    size_t special_n, special_at;
    amount size;
    uint64_t params, entries; /* tensors with a size of their own here and below; entries: buffers too */
    double finals;            /* bytes of the modules without modules below, as far as any has a tensor; their number */
    uint64_t final_count;
    double buffers;
    amount largest;           /* of the layers here and below: what is not to be split or cannot be; how many are that large */
    uint64_t largest_n;
    double least;             /* of all that splitting could lay bare */
    uint32_t seen;
};

typedef struct measure { /* how sizes are taken */
    arena *a;
    bool cast;                /* a dtype for all is given: */
    amount element;           /* its size */
    const char *const *no_split; /* NULL-ended */
    special *specials;        /* sorted by path */
    size_t special_count;
    double quantised;         /* bytes of an element of a quantised weight; 0: as its dtype says */
    /* inside */
    acc_body **table;
    size_t used, cap;
    met_nodes met;
} measure;
acc_body *measure_root(measure *w, const node *root);
/* What module_sizes holds for a tensor of the body: 0 under a second name. */
amount measure_tensor(const measure *w, const acc_body *b, const tensor_node *slot);
static inline bool acc_splits(const acc_body *b) { return b->kid_count && !b->whole; }
/* Whether named_parameters(recurse=False) leaves a slot out: the module holds its tensor further up. */
bool acc_held_before(const tensor_node *first, const tensor_node *slot);
#endif
