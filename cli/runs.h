/* Names that differ in numbers alone, as one: model.layers.{0...31}.mlp.experts.{0...7}.w1.weight. */
#ifndef TARE_CLI_RUNS_H
#define TARE_CLI_RUNS_H
#include "cli.h"

typedef struct name_run { /* rows of the same kind, shapes and reason, up to numbers */
    char *name;
    size_t first, n; /* the first of the rows that it stands for, how many */
} name_run;
typedef struct runs { name_run *v; size_t n, cap; } runs;
/* Folds those rows that `which` names; in the order of their first ones. False: out of memory. */
bool runs_make(runs *r, const tare_row *rows, const size_t *which, size_t n);
void runs_free(runs *r);
#endif
