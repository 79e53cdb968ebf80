/* accelerate's own answers: get_max_memory, get_balanced_memory, compute_module_sizes, infer_auto_device_map. */
#ifndef TARE_PLAN_ACCELERATE_H
#define TARE_PLAN_ACCELERATE_H
#include "../core/error.h"
#include "queue.h"

typedef struct acc_device {
    const char *name;    /* "0", "cpu", "mps", "disk" */
    bool numbered;       /* an accelerator, by its number: */
    int64_t number;
    bool given, none;    /* given: disk may be added; none: Python's None, which is no limit, or an error */
    amount budget;
    double load;         /* bytes of what lies here */
    /* while placing */
    bool is_disk, is_main;
    amount used;         /* what the reference believes */
    bool has_least;
    double buffers;
    amount least;        /* what would have been needed for a first module */
} acc_device;

typedef struct acc_entry { const char *path; int32_t device; } acc_entry;
typedef struct accelerate_plan { /* all in the arena */
    acc_device *devices;
    size_t device_count;
    acc_entry *entries;
    size_t entry_count;
    const char **remarks;
    size_t remark_count;
    amount root, largest;    /* sizes of the whole model and of the largest layer; */
    uint64_t largest_n;      /* so many are that large: */
    const char *largest_names[3];
} accelerate_plan;

typedef struct accelerate_options {
    const tare_device *devices;
    size_t device_count;
    tare_map_mode mode;
    const char *const *no_split;              /* NULL-ended; NULL: none */
    const char *dtype;                        /* NULL: each tensor's own */
    const tare_special_dtype *special_dtypes;
    size_t special_count;
    bool keep_parts, offload_buffers, fallback_allocation, budgets_only;
    double share;                             /* of each budget, once they are balanced, this much counts; 0: all */
    double element;                           /* bytes of an element of a quantised weight; 0: as its dtype says */
} accelerate_options;
/* False with an error, where the reference raises one too. Memory exhaustion unwinds. */
bool accelerate_map(arena *a, const node *root, const accelerate_options *o, accelerate_plan *out, tare_error *err);

/* ---- pieces ---- */

/* The devices in the reference's order. */
bool budgets_read(arena *a, const accelerate_options *o, accelerate_plan *out, tare_error *err);
bool budgets_balance(accelerate_plan *p, const measure *w, acc_body *root, bool low_zero, tare_error *err);
/* Parts of a module that all lie on one device become the module, behind the rest. How many entries are left. */
typedef struct acc_placed { acc_unit *unit; int32_t device; } acc_placed;
size_t placed_clean(arena *a, acc_placed *placed, size_t n, acc_unit *root);
/* A module of the queue, or a part of one, that is no larger than `most` with what is tied to it: taken out of the queue. NULL: there is
 * none, or an error. */
struct tied_groups;
acc_unit *fallback_find(acc_queue *q, const struct tied_groups *g, double most, tare_error *err);
/* The size of u with all modules of the queue that hold `tied` names; those modules to holders, one for each name. */
bool size_with_ties(acc_queue *q, const acc_unit *u, const struct tied_groups *g, size_t tied, acc_run **holders, amount *out, tare_error *err);
#endif
