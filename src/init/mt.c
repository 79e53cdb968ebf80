/* MT19937. A state is any 624 words of its recurrence in a row, so draws of any length move it without whole blocks. */
#include "mt.h"
#include "jump.h"
#include <string.h>

void rng_seed(rng *g, uint64_t seed) {
    g->x[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < MT_WORDS; i++) g->x[i] = 1812433253u * (g->x[i - 1] ^ (g->x[i - 1] >> 30)) + i;
    g->at = MT_WORDS;
    g->owed = 0;
    g->cached = false, g->normal = 0;
    g->lanes = lanes_best();
}

static void twist_over(rng *g, uint64_t outputs) {
    for (; outputs > MT_WORDS - g->at; g->at = 0) {
        outputs -= MT_WORDS - g->at;
        g->lanes->twist(g->x);
    }
    g->at += (uint32_t)outputs;
}

/* The first window's first word holds bits that the recurrence never had: it is twisted away before a jump. */
static void pay(rng *g) {
    uint64_t outputs = g->owed;
    g->owed = 0;
    if (outputs > JUMP_PAYS) {
        outputs -= MT_WORDS - g->at;
        g->lanes->twist(g->x);
        g->at = 0;
        if (mt_jump(g->lanes, g->x, outputs)) outputs = 0;
    }
    twist_over(g, outputs);
}

uint32_t rng_next(rng *g) {
    if (g->owed) pay(g);
    if (g->at == MT_WORDS) {
        g->lanes->twist(g->x);
        g->at = 0;
    }
    uint32_t out;
    g->lanes->temper(&out, g->x + g->at++, 1);
    return out;
}

double rng_double(rng *g) {
    uint64_t high = rng_next(g), low = rng_next(g);
    return (double)((high << 32 | low) & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

float rng_float(const rng *g) {
    rng copy = *g;
    return (float)(rng_next(&copy) & 0xffffff) * 0x1p-24f;
}

void rng_skip(rng *g, uint64_t outputs) {
    if (outputs > UINT64_MAX - g->owed) pay(g);
    g->owed += outputs;
}

const uint32_t *rng_raw(rng *g, uint32_t *room, size_t n) {
    if (g->owed) pay(g);
    uint32_t at = g->at, left = MT_WORDS - at;
    memcpy(room, g->x, sizeof g->x);
    if (n <= left) {
        g->at += (uint32_t)n;
        return room + at;
    }
    g->lanes->grow(room, n - left);
    memcpy(g->x, room + (n - left), sizeof g->x);
    g->at = MT_WORDS;
    return room + at;
}
