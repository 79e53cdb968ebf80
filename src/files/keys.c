#define _DEFAULT_SOURCE
#include "keys.h"
#include <string.h>
#include <sys/random.h>

__extension__ typedef unsigned __int128 wide;

uint64_t keys_seed(void) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) seed = (uint64_t)(uintptr_t)&seed;
    return seed;
}

static uint64_t fold(uint64_t a, uint64_t b) {
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}
uint32_t key_hash(uint64_t seed, const char *key, size_t n) {
    uint64_t h = seed ^ n, x;
    for (; n > 8; key += 8, n -= 8) {
        memcpy(&x, key, 8);
        h = fold(h ^ x, UINT64_C(0x9E3779B97F4A7C15) ^ seed);
    }
    x = 0;
    memcpy(&x, key, n);
    h = fold(h ^ x, UINT64_C(0xD6E8FEB86659FD93));
    return (uint32_t)(h ^ h >> 32);
}

/* At most three quarters full. */
void keys_reserve(arena *a, key_table *t, size_t more) {
    size_t cap = t->cap ? t->cap : 64;
    while (cap / 4 * 3 < t->n + more) cap *= 2;
    if (cap == t->cap) return;
    key_table bigger = {.rows = arena_array(a, cap, sizeof *t->rows), .n = t->n, .cap = cap, .seed = t->seed};
    for (size_t i = 0; i < t->cap; i++) {
        if (!t->rows[i].key) continue;
        size_t to = t->rows[i].hash & (cap - 1);
        while (bigger.rows[to].key) to = (to + 1) & (cap - 1);
        bigger.rows[to] = t->rows[i];
    }
    *t = bigger;
}
key_row *keys_row(const key_table *t, const char *key, uint32_t hash) {
    if (!t->cap) return NULL;
    size_t i = hash & (t->cap - 1);
    while (t->rows[i].key && (t->rows[i].hash != hash || strcmp(t->rows[i].key, key))) i = (i + 1) & (t->cap - 1);
    return &t->rows[i];
}
