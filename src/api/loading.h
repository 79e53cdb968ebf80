/* What all ways of loading share: what goes where, decided before the first byte is read. */
#ifndef TARE_API_LOADING_H
#define TARE_API_LOADING_H
#include "checkpoint.h"
#include "filling.h"
#include "../load/fill.h"

typedef struct loading {
    const tare_model *m;
    const tare_checkpoint *c;
    tare_load_options o;
    arena a;
    const resolution *r;
    size_t n;               /* slots: tensors of the model in walk order */
    const tare_item *of_model;
    tare_item *items;       /* as they are loaded; their owners are those of the loaded model */
    size_t *value;          /* of each slot: the slot whose memory holds it */
    bool *wanted;           /* of each slot: it was asked for by its own name */
    bool *held;             /* of each slot: its memory is wanted, by itself or by one that is tied to it */
    bool *made;             /* no file has it: its init rule or formula makes it */
    fill_target *targets;   /* what comes from files */
    size_t *slot_of;        /* each target's slot */
    size_t target_n;
    val tp_plan;            /* where ranks are asked for */
    val device_map;
    uint64_t bytes, reading; /* of all held tensors; what is needed besides */
    uint64_t to_read, read;
    fill_odd *odd;
    tare_error err;
    bool cancelled;
} loading;

typedef struct load_sink { /* who takes tensors, by slot; as fill_out */
    void *(*memory)(void *to, size_t slot);
    bool (*piece)(void *to, size_t slot, uint64_t first, const void *bytes, size_t n);
    bool (*done)(void *to, size_t slot);
    void *to;
} load_sink;

/* False with l->err; load_end() either way. */
bool load_begin(loading *l, const tare_model *m, const tare_checkpoint *c, const tare_load_options *o);
/* Refuses what is larger than the limit; `more`: bytes that the caller takes besides. */
bool load_fits(loading *l, uint64_t more);
/* Fills the held slots of `which` (NULL: all). */
bool load_run(loading *l, const bool *which, bool in_order, const load_sink *taker);
void load_end(loading *l);
uint64_t item_bytes(const tare_item *t);
#endif
