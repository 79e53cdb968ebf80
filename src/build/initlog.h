/* What rules ask for, in order: def.h's init verbs write it, initialisation reads it. */
#ifndef TARE_BUILD_INITLOG_H
#define TARE_BUILD_INITLOG_H
#include "mod.h"

typedef struct map_rule { /* what mapped() says */
    fill from;
    int dtype;
    const map_step *steps;
    size_t n;
} map_rule;
typedef struct init_fill { /* one way to fill a tensor, or a part of it */
    enum { FILL_FORMULA, FILL_UNIFORM, FILL_NORMAL, FILL_TRUNC_NORMAL, FILL_ORTHOGONAL, FILL_MAGNITUDE } kind;
    double a, b;           /* from, to; or mean, std; or gain */
    double low, high;      /* of a truncated normal */
    const fill *formula;   /* how its values are made, or made of those that are drawn */
    int64_t row;           /* only this row, from 1; 0: all of it */
} init_fill;

typedef struct init_event {
    init_fill fill;
    const tensor *t;       /* what is filled; one that weight norm took away is drawn for nothing */
    const mod *anchor;     /* the shared module that `slot` counts from; NULL: the module that the rule was asked about */
    uint64_t slot;         /* of t, from there; NO_SLOT: t is gone */
    struct init_event *next;
} init_event;
#define NO_SLOT UINT64_MAX

typedef struct init_log {
    arena *a;              /* of events */
    init_event *first, *last;
} init_log;

/* Tensors of a module and all below it, each repeated layer's counted: slots are numbered in walk order. */
uint64_t slots_below(const mod *m);
uint64_t slots_before(const mod *m, const edge *e); /* of m's slots, those that come before the edge's first child */
/* The fills that `how` of a constructor stands for; 0: it leaves the tensor as it is. */
int fills_of(const tensor *t, const fill *how, init_fill out[2]);
/* Asks the rule of `model` about m; NULL-ended list of events, or an error in the session. */
init_event *rule_events(const mod *m, const mod *model, arena *a);
#endif
