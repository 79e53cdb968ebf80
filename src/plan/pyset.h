/* The order in which Python walks through a set of strings, for PYTHONHASHSEED=0: where the reference walks through a set, its
 * answers are in this order, or in another one each time. */
#ifndef TARE_PLAN_PYSET_H
#define TARE_PLAN_PYSET_H
#include "../core/arena.h"
uint64_t py_hash(const char *text);
/* Numbers of the names in that order; names are different, and added in the order given. */
void pyset_order(arena *a, const char *const *names, size_t n, size_t *order);
#endif
