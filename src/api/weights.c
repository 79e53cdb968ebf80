#define _GNU_SOURCE
#include "weights.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static uint64_t aligned(uint64_t n) { return (n + 63) & ~(uint64_t)63; }

tare_weights *weights_new(const tare_item *items, size_t n, tare_error *err) {
    size_t bytes = sizeof(tare_weights) + (n + 1) * sizeof(void *);
    tare_weights *w = tarei_malloc(bytes);
    if (!w) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory: %zu bytes are needed", bytes), NULL;
    memset(w, 0, bytes);
    w->items = items;
    w->slot_count = n;
    return w;
}
void weights_place(tare_weights *w, size_t slot, uint64_t bytes) {
    w->at[slot] = (void *)(uintptr_t)(w->mapped + 1);
    w->mapped += aligned(bytes);
    w->bytes += bytes;
}
bool weights_map(tare_weights *w, bool sparse, tare_error *err) {
    uint64_t bytes = w->mapped ? w->mapped : 64;
    char *all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (sparse ? MAP_NORESERVE : 0), -1, 0);
    if (all == MAP_FAILED) {
        error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory: %llu bytes are needed", (unsigned long long)w->bytes);
        return false;
    }
    madvise(all, bytes, MADV_HUGEPAGE); /* pages appear two megabytes at a time */
    w->all = all;
    w->mapped = bytes;
    for (size_t i = 0; i < w->slot_count; i++)
        if (w->at[i]) w->at[i] = all + ((uintptr_t)w->at[i] - 1);
    return true;
}
void weights_drop(tare_weights *w) {
    if (!w) return;
    if (w->all) munmap(w->all, w->mapped);
    for (size_t i = 0; i < w->map_count; i++)
        if (w->maps[i].at) munmap(w->maps[i].at, w->maps[i].bytes);
    later_drop(w->later);
    arena_free(&w->a);
    free(w);
}

void *tare_weights_data(const tare_weights *w, const tare_item *t) {
    return w && t >= w->items && t < w->items + w->slot_count ? w->at[t - w->items] : NULL;
}
bool tare_weights_item(const tare_weights *w, const tare_item *t, tare_item *out) {
    if (!tare_weights_data(w, t)) return false;
    *out = w->held ? w->held[t - w->items] : *t;
    return true;
}
uint64_t tare_weights_bytes(const tare_weights *w) { return w ? w->bytes : 0; }
void tare_weights_free(tare_weights *w) { weights_drop(w); }
