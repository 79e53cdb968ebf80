#include "pyset.h"
#include <string.h>

/* ---- SipHash-1-3 with a key of zeros ---- */

static uint64_t turned(uint64_t x, int by) { return x << by | x >> (64 - by); }
static void stir(uint64_t v[4]) {
    v[0] += v[1], v[1] = turned(v[1], 13) ^ v[0], v[0] = turned(v[0], 32);
    v[2] += v[3], v[3] = turned(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = turned(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = turned(v[1], 17) ^ v[2], v[2] = turned(v[2], 32);
}
static void take_word(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    stir(v);
    v[0] ^= word;
}
uint64_t py_hash(const char *text) {
    uint64_t v[4] = {0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261, 0x7465646279746573}, word;
    size_t n = strlen(text), i = 0;
    if (!n) return 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, text + i, 8);
        take_word(v, word);
    }
    word = 0;
    memcpy(&word, text + i, n - i);
    take_word(v, word | (uint64_t)n << 56);
    v[2] ^= 0xff;
    for (int k = 0; k < 3; k++) stir(v);
    uint64_t hash = v[0] ^ v[1] ^ v[2] ^ v[3];
    return hash == UINT64_MAX ? UINT64_MAX - 1 : hash;
}

/* ---- the table: a few neighbours are tried before it jumps ---- */

enum { NEIGHBOURS = 9, SMALLEST = 8, MANY = 50000 };
typedef struct table { size_t *at; /* number + 1 */ size_t size; const uint64_t *hashes; } table;
static void insert(table *t, size_t which) {
    uint64_t perturb = t->hashes[which], mask = t->size - 1;
    for (uint64_t i = perturb & mask;; perturb >>= 5, i = (i * 5 + 1 + perturb) & mask) {
        uint64_t last = i + NEIGHBOURS <= mask ? i + NEIGHBOURS : i;
        for (uint64_t k = i; k <= last; k++)
            if (!t->at[k]) {
                t->at[k] = which + 1;
                return;
            }
    }
}
static table larger(arena *a, const table *old, size_t least) {
    table t = {.size = SMALLEST, .hashes = old->hashes};
    while (t.size <= least) t.size *= 2;
    t.at = arena_array(a, t.size, sizeof *t.at);
    for (size_t i = 0; i < old->size; i++)
        if (old->at[i]) insert(&t, old->at[i] - 1);
    return t;
}
void pyset_order(arena *a, const char *const *names, size_t n, size_t *order) {
    uint64_t *hashes = arena_array(a, n, sizeof *hashes);
    for (size_t i = 0; i < n; i++) hashes[i] = py_hash(names[i]);
    table none = {.hashes = hashes}, t = larger(a, &none, 0);
    for (size_t used = 1; used <= n; used++) {
        insert(&t, used - 1);
        if (used * 5 >= (t.size - 1) * 3) t = larger(a, &t, used > MANY ? used * 2 : used * 4);
    }
    for (size_t i = 0, k = 0; i < t.size; i++)
        if (t.at[i]) order[k++] = t.at[i] - 1;
}
