/* Random tensors without an order, by counters. */
#include "philox.h"
#include "crew.h"
#include "values.h"
#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { BLOCK = 16, RUN = 64, PIECE = 512, SHARE = 32 << 10 };

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t philox_key(uint64_t seed, const char *name) {
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *s = name; *s; s++) h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return mix(h ^ mix(seed));
}

typedef struct job {
    const lanes *l;
    const draw *d;
    uint64_t key, first, n;
    char *dst;
    bool large;        /* dst is written past the caches */
    bool cut, weighed; /* of a truncated normal: how it is cut off */
    float lo, hi;
    double peak;
    _Atomic uint64_t next;
} job;

/* Elements [at, at + n) of one attempt; both are multiples of 16. */
static void attempt(const job *j, const draw *d, uint64_t number, uint64_t at, size_t n, float *out) {
    uint32_t words[PIECE];
    j->l->philox(words, j->key, at / 4, number, n / 4);
    values_floats(j->l, d, words, n, out);
}

/* ---- cut off --------------------------------------------------------------------------------------------------------- */

static void redraw(const job *j, uint64_t at, size_t n, float *x) {
    float fresh[RUN];
    for (uint64_t number = 1; j->l->outside(x, n, j->lo, j->hi); number++) {
        attempt(j, j->d, number, at, n, fresh);
        j->l->patch(x, fresh, n, j->lo, j->hi);
    }
}

static bool accepted(const job *j, float x, float chance) {
    double off = ((double)x - j->d->a) / j->d->b;
    return !(log((double)chance) > -0.5 * (off * off) - j->peak);
}

/* Even attempts propose, the odd one after each decides. */
static void weigh(const job *j, uint64_t at, size_t n, float *x) {
    draw propose = {.kind = DRAW_UNIFORM, .dtype = TARE_F32, .n = n, .a = (double)j->lo, .b = (double)j->hi};
    draw decide = {.kind = DRAW_UNIFORM, .dtype = TARE_F32, .n = n, .a = 0, .b = 1};
    float candidate[RUN], chance[RUN];
    bool done[RUN] = {false};
    size_t left = n;
    for (uint64_t number = 0; left; number += 2) {
        attempt(j, &propose, number, at, n, candidate);
        attempt(j, &decide, number + 1, at, n, chance);
        for (size_t i = 0; i < n; i++) {
            if (done[i] || !accepted(j, candidate[i], chance[i])) continue;
            x[i] = candidate[i], done[i] = true;
            left--;
        }
    }
}

static void make(const job *j, uint64_t at, size_t n, float *out) {
    if (!j->weighed) attempt(j, j->d, 0, at, n, out);
    if (!j->cut || (!j->weighed && !j->l->outside(out, n, j->lo, j->hi))) return;
    for (size_t i = 0; i < n; i += RUN) (j->weighed ? weigh : redraw)(j, at + i, n - i < RUN ? n - i : RUN, out + i);
}

/* ---- slices ---------------------------------------------------------------------------------------------------------- */

/* Elements [from, to) of the tensor, by way of whole blocks. */
static void slice(const job *j, uint64_t from, uint64_t to) {
    _Alignas(64) float values[PIECE];
    size_t size = tare_dtype_bytes(j->d->dtype);
    while (from < to) {
        uint64_t at = from / BLOCK * BLOCK;
        size_t skipped = (size_t)(from - at), n = (size_t)(to - at < PIECE ? to - at : PIECE);
        make(j, at, (n + BLOCK - 1) / BLOCK * BLOCK, values);
        values_store(j->l, j->d->dtype, values + skipped, n - skipped, j->dst + (from - j->first) * size, j->large);
        from = at + n;
    }
    if (j->large) j->l->fence();
}

static void *work(void *arg) {
    job *j = arg;
    for (uint64_t at; (at = atomic_fetch_add(&j->next, SHARE)) < j->n;)
        slice(j, j->first + at, j->first + (j->n - at < SHARE ? j->n : at + SHARE));
    return NULL;
}

static void run(job *j, int threads) {
    uint64_t useful = j->n >> 19;
    crew_run(useful < 1 ? 1 : useful < (uint64_t)threads ? (int)useful : threads, work, j);
}

void philox_fill(uint64_t seed, const char *name, const draw *d, uint64_t first, uint64_t n, int threads, void *dst) {
    job j = {.l = lanes_best(), .d = d, .key = philox_key(seed, name), .first = first, .n = n, .dst = dst, .large = values_large(d->dtype, n, dst)};
    run(&j, threads);
}

bool philox_trunc(uint64_t seed, const char *name, const draw *d, double lo, double hi, uint64_t first, uint64_t n, int threads, void *dst) {
    job j = {.l = lanes_best(), .d = d, .key = philox_key(seed, name), .first = first, .n = n, .dst = dst, .cut = true};
    j.large = values_large(d->dtype, n, dst);
    if (!(d->b > 0) || !(lo <= hi)) return false;
    double mode = d->a < lo ? lo : d->a > hi ? hi : d->a, off = (mode - d->a) / d->b;
    j.lo = (float)lo, j.hi = (float)hi;
    j.weighed = !(values_inside(d, lo, hi) > 0.3);
    j.peak = -0.5 * (off * off);
    run(&j, threads);
    return true;
}
