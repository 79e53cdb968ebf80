/* The modules that still wait for a device, in order. Equal numbered neighbours wait as one run until one of them is looked at. */
#ifndef TARE_PLAN_QUEUE_H
#define TARE_PLAN_QUEUE_H
#include "bodies.h"

typedef struct acc_unit { /* one module or tensor */
    struct acc_unit *parent; /* NULL: the root */
    acc_body *b;             /* NULL: a tensor */
    const char *name;        /* "": the root */
    const char *path;        /* made when asked for */
    amount size;
    uint32_t counted;        /* when it was last struck off the largest layers */
    bool is_buffer;
    /* while a map is cleaned */
    uint32_t below, groups;  /* entries and groups under it */
    int32_t device;          /* of those entries; else what clean.c says */
    uint32_t parts_n;
    struct acc_unit *parts, *last_part, *next_part; /* those with entries, in the entries' order */
} acc_unit;
const char *unit_path(arena *a, acc_unit *u);

typedef struct acc_run {
    struct acc_run *next, *before;
    acc_unit *parent;
    acc_kid kid;
    const tensor_node *slot; /* a tensor; NULL: modules */
    acc_unit *made;          /* of one that was looked at */
} acc_run;
typedef struct acc_queue {
    arena *a;
    const measure *w;
    acc_run *first, *last;
    uint64_t modules;        /* runs of them */
} acc_queue;

acc_unit *queue_pop(acc_queue *q);
void queue_push(acc_queue *q, acc_unit *u);                 /* in front */
void queue_push_parts(acc_queue *q, acc_unit *u);           /* its own parameters, then its children, in front */
void queue_begin(acc_queue *q, acc_unit *root);             /* the root's parameters, children, buffers */
void queue_split(acc_queue *q, acc_run *r);                 /* one module by its parts, in its place */
void queue_drop(acc_queue *q, acc_run *r);
acc_queue queue_copy(const acc_queue *q);
acc_unit *run_unit(acc_queue *q, acc_run *r);               /* of a run of one */
/* The first module that has the tensor below it, as a run of one; NULL: none. */
acc_run *queue_holder(acc_queue *q, const char *tensor);
/* The entry of that very name below that parent, as a run of one; NULL: none. */
acc_run *queue_find(acc_queue *q, const acc_unit *parent, const char *name, bool is_module);
#endif
