/* Tensors in memory: one region for all that was made or read, and the mappings of files that others lie in. */
#ifndef TARE_API_WEIGHTS_H
#define TARE_API_WEIGHTS_H
#include "handle.h"

typedef struct weights_mapping { void *at; size_t bytes; } weights_mapping;
struct tare_weights {
    const tare_item *items;  /* of the model: slots in walk order */
    const tare_item *held;   /* as they are held, in `a`; NULL: as the model's */
    size_t slot_count;
    uint64_t bytes, mapped;  /* of tensors, each shared one once; of the region */
    char *all;
    weights_mapping *maps;
    size_t map_count;
    struct later *later;     /* of tare_init_later() */
    arena a;
    void *at[];              /* where each slot's tensor is; NULL: it is not held. Until weights_map() its offset, plus one */
};
tare_weights *weights_new(const tare_item *items, size_t n, tare_error *err);
void weights_place(tare_weights *w, size_t slot, uint64_t bytes); /* room in the region */
/* Takes the region, and offsets become addresses; sparse: address space alone, where the system lets it. */
bool weights_map(tare_weights *w, bool sparse, tare_error *err);
void weights_drop(tare_weights *w);
void later_drop(struct later *l);
#endif
