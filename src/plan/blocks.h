/* The blocks that a plan keeps whole, in walk order: a module of a no-split class, else a module without children; parameters
 * and buffers that a divided module holds itself are blocks of their own, before and after its children. A body that a list
 * repeats is measured once. */
#ifndef TARE_PLAN_BLOCKS_H
#define TARE_PLAN_BLOCKS_H
#include "../core/error.h"
#include "../core/node.h"
#include "../core/path.h"

enum { PLAN_MOST_BLOCKS = 1 << 22 };
typedef struct plan_word { /* of a path: a name, or a number where name is NULL */
    const char *name;
    int64_t number;
    uint32_t above; /* the place that it is in */
} plan_word;
typedef struct plan_block {
    plan_word word;          /* without a name and with number -1: the path is the place's own */
    const node *module;      /* the block itself, or the module that holds the tensor */
    const tensor_node *slot; /* a single tensor; NULL: a module */
    int64_t expert;          /* this one of the module's stacked experts; NO_EXPERT: not one of these */
    bool empty;              /* holds no tensor at all */
    const node *keeper;      /* a divided module around it that keeps a cache of its own, of which this is the first block; or NULL */
} plan_block;
#define NO_EXPERT INT64_C(-1)

typedef struct plan_tie { /* a slot of a tensor that several slots hold */
    uint32_t block, group;
    bool owner;        /* the first of them, which counts the bytes */
    uint64_t bytes;    /* of the tensor, whoever counts them */
    const char *path;  /* of the slot */
    const char *first; /* of the owner */
} plan_tie;

typedef struct plan_blocks {
    plan_block *all;
    uint64_t *bytes; /* of each block: every tensor at the first of its paths, buffers too */
    size_t n, cap;
    plan_word *places; /* the divided modules; 0 is the root, and a place comes after the one above it */
    size_t place_count, place_cap;
    plan_tie *ties; /* sorted by group, then block; the owner first */
    size_t tie_count, tie_cap, groups;
    uint64_t total;
} plan_blocks;

typedef struct plan_blocks_options {
    const char *const *no_split; /* classes, ended by NULL; NULL: the model's */
    bool split_experts;          /* the experts that a module holds stacked are blocks of their own, wherever they are */
} plan_blocks_options;

/* The model's no-split classes with those of the models directly below it, ended by NULL; in the arena. */
const char *const *plan_no_split(arena *a, const node *root);
/* In the arena, which must have somewhere to unwind to. False: err says what is too large. */
bool plan_blocks_of(plan_blocks *out, const node *root, const plan_blocks_options *o, arena *a, tare_error *err);

/* The path of a block or of a place, with its zero; the length. An expert's ends in "[3]". */
size_t plan_block_path(const plan_blocks *b, size_t i, char out[MODULE_PATH]);
size_t plan_place_path(const plan_blocks *b, uint32_t place, char out[MODULE_PATH]);
/* The place in the nearest list around block i; 0 where there is none. */
int64_t plan_block_layer(const plan_blocks *b, size_t i);
uint64_t plan_tensor_bytes(const tensor_node *t); /* UINT64_MAX when beyond 64 bits */
#endif
