/* The generator behind torch's CPU draws: MT19937, and the normal that an odd number of small draws leaves over. */
#ifndef TARE_INIT_MT_H
#define TARE_INIT_MT_H
#include "lanes.h"
#include <stdbool.h>

typedef struct rng {
    _Alignas(64) uint32_t x[MT_WORDS]; /* 624 words of the recurrence in a row; memory from malloc is not aligned enough */
    uint32_t at;                       /* how many of them are used up */
    uint64_t owed;                     /* outputs that are to be skipped before the next: rows of skips become one */
    bool cached;
    double normal;                     /* the left over one */
    const lanes *lanes;                /* lanes_best(), unless a test sets another */
} rng;

/* As torch.manual_seed(seed): only the low 32 bits count. */
void rng_seed(rng *g, uint64_t seed);
uint32_t rng_next(rng *g);
/* Two outputs make a double in [0,1) of 53 bits. */
double rng_double(rng *g);
/* What torch.rand(1) would give next; nothing is used up. */
float rng_float(const rng *g);
/* Costs nothing by itself; the next output pays for all skips before it, some milliseconds at most. */
void rng_skip(rng *g, uint64_t outputs);
/* The next n words, not yet tempered: at the address returned, somewhere in `room`, which has place for 624 + n. */
const uint32_t *rng_raw(rng *g, uint32_t *room, size_t n);
#endif
