#ifndef TARE_API_FACTS_H
#define TARE_API_FACTS_H
#include "../build/mod.h"
val facts_of(arena *a, const node *root); /* a dict; keys as docs/formats.md lists them */
val tp_plan_of(arena *a, const node *root);  /* the tensor-parallel plan: patterns of names -> styles */
/* What of a tensor a rank holds by such a plan. False: a style that is not known. */
bool rank_slice(val plan, const tare_item *t, int rank, int ranks, tare_slice *s, tare_error *err);
#endif
