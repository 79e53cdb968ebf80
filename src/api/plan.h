/* What the two kinds of plans share. */
#ifndef TARE_API_PLAN_H
#define TARE_API_PLAN_H
#include "handle.h"
#include "../plan/extra.h"
#include "../plan/optimal.h"

struct tare_plan {
    arena a;
    tare_plan_device *devices;
    tare_plan_entry *entries;
    size_t device_count, entry_count, remark_count;
    const char **remarks;
    tare_plan_sizes sizes;
    /* of the best map */
    const plan_blocks *blocks;
    plan_extra extra;
    plan_task task;
    plan_result result;
    tare_plan_verdict verdict;
};
typedef struct planning { const tare_model *m; tare_plan_options o; tare_plan *g; tare_error err; } planning;

bool plan_best(planning *w);  /* in g's arena; false with w->err */
bool budget_ask_of(budget_ask *a, const tare_budget_options *o, tare_error *err); /* options checked */
#endif
