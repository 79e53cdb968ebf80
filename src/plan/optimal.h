/* The exact plan: blocks in their order onto unequal devices, GPUs first, then cpu, then disk; each device takes consecutive
 * blocks, and blocks that hold one tensor stay together at the first of them. Depends on blocks for ties alone. */
#ifndef TARE_PLAN_OPTIMAL_H
#define TARE_PLAN_OPTIMAL_H
#include "blocks.h"

enum { PLAN_MOST_GPUS = 4096, PLAN_MOST_COPIES = 6, PLAN_NOWHERE = -1 };
#define PLAN_NO_BLOCK SIZE_MAX

typedef struct plan_task {
    const uint64_t *bytes, *extra; /* of each block; extra is added, NULL: nothing */
    size_t blocks;
    const plan_tie *ties;          /* sorted by group, then block, the owner first */
    size_t tie_count;
    bool copy_ties;                /* a group may also stay apart: each later block then holds its own copy */
    const uint64_t *gpus;          /* bytes free on each, margins taken off */
    size_t gpu_count;
    bool has_cpu, has_disk;
    uint64_t cpu, disk;            /* UINT64_MAX: no limit */
    uint64_t reserve;              /* kept free on the first GPU when something is not on a GPU, and cpu or disk is there; */
    bool reserve_largest;          /* at least the largest piece that is not on a GPU */
} plan_task;

/* What is best, in this order: all blocks placed, or the fewest bytes missing; fewest bytes off the GPUs; fewest on disk; the
 * smallest largest GPU; the smallest sum of squared GPU loads; fewest GPUs used; fewest bytes copied; the last GPUs least
 * filled. A block of no bytes goes with the one before it. */
typedef struct plan_result {
    int32_t *device;        /* of each block: a GPU; gpu_count is cpu, gpu_count + 1 disk; PLAN_NOWHERE */
    uint64_t *loads;        /* gpu_count + 2 of them */
    uint64_t total;         /* of all blocks, with extra and copies */
    bool placed;            /* every block has a device; else: */
    uint64_t missing;       /* by so many bytes the last device is too small to hold the rest */
    size_t stuck;           /* the first block without a device */
    uint64_t spill, on_disk, max_load;
    uint64_t gpu_missing;   /* by so many bytes the last GPU is too small for all to be on GPUs; 0: it is */
    size_t first_off;       /* the first block that is not on a GPU, or PLAN_NO_BLOCK */
    uint64_t reserved;      /* on the first GPU */
    size_t breaks;          /* with every GPU held to max_load - 1, the block at which as much no longer fits; PLAN_NO_BLOCK if max_load is 0 */
    size_t used;            /* GPUs that hold bytes */
    bool balanced;          /* false: too large to settle the sum of squares */
    uint64_t copied;        /* bytes that are held twice */
    uint32_t copies;        /* bit g: tie group g stays apart */
} plan_result;

/* In the arena, which must have somewhere to unwind to. False: err. */
bool plan_place(plan_result *out, const plan_task *t, arena *a, tare_error *err);
/* The smallest number of further GPUs of `capacity` bytes, after the given ones, on which all is on GPUs; false: no number is enough. */
bool plan_more(const plan_task *t, uint64_t capacity, size_t *more, arena *a, tare_error *err);
#endif
