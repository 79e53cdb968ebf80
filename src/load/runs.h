/* Names that differ in numbers alone, as one: model.layers.{0...31}.mlp.experts.{0...7}.w1.weight. */
#ifndef TARE_LOAD_RUNS_H
#define TARE_LOAD_RUNS_H
#include "../core/arena.h"
#include "../core/buf.h"
#include "../../include/tare.h"

typedef struct name_run { /* rows of the same kind, shapes and reason, up to numbers */
    const char *name;
    size_t first, n; /* the first of the rows that it stands for, how many */
} name_run;
typedef struct runs { name_run *v; size_t n, cap; } runs;
/* Folds those rows that `which` names; in the order of their first ones. In the arena. */
void runs_make(runs *r, arena *a, const tare_row *rows, const size_t *which, size_t n);
#endif
