/* A plan as a device map: the shallowest modules that lie on one device as a whole, in walk order; every tensor is covered. */
#ifndef TARE_PLAN_MAP_H
#define TARE_PLAN_MAP_H
#include "blocks.h"

typedef struct plan_entry {
    const char *path;  /* of a module or a tensor; "" is the whole model */
    int32_t device;
    int64_t expert, experts; /* so many stacked experts from this one on, with "[3:7]" in the path; NO_EXPERT: none */
} plan_entry;
/* device[i] is that of block i. Where a module is divided, what it keeps whole is told before its experts. In the arena. */
size_t plan_map_of(plan_entry **out, const plan_blocks *b, const int32_t *device, arena *a);
#endif
