/* Any device map, whoever made it, against the tree: what it puts where, and what is wrong with it. */
#ifndef TARE_PLAN_VERIFY_H
#define TARE_PLAN_VERIFY_H
#include "../core/error.h"
#include "../core/node.h"
#include "../core/val.h"

typedef struct plan_homeless { const char *path; uint64_t tensors, bytes; } plan_homeless; /* a tensor, or a module of which nothing has a device */
typedef struct plan_cut { const char *path, *cls; } plan_cut;
typedef struct plan_apart { /* a tied slot on another device than the tensor's owner */
    const char *path, *first;
    uint32_t device, first_device;
    uint64_t bytes; /* that a copy takes there; 0: another slot has it there already */
} plan_apart;
typedef struct plan_verdict {
    const char **devices;  /* as the map spells them, in its order */
    uint64_t *bytes;       /* on each: every tensor once, where its owner is; buffers too */
    size_t device_count;
    plan_homeless *homeless; /* in walk order */
    size_t homeless_count;
    uint64_t homeless_tensors, homeless_bytes;
    plan_cut *cuts;        /* no-split modules whose tensors are on several devices, the outermost ones */
    size_t cut_count;
    plan_apart *apart;
    size_t apart_count;
    uint64_t copied;       /* the copies' bytes */
    const char **unknown;  /* keys that name nothing in the model, in the map's order */
    size_t unknown_count;
    uint64_t total;
} plan_verdict;

/* map: {"model.layers.0": 0, "lm_head": "cpu"}; the longest key that holds a tensor decides. no_split: classes ended by NULL, or
 * NULL for the model's. In the arena, which must have somewhere to unwind to. False: err. */
bool plan_verify(plan_verdict *out, const node *root, val map, const char *const *no_split, arena *a, tare_error *err);
#endif
