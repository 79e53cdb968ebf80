/* torch.nn.init.trunc_normal_ as of torch 2.12: normals drawn again until all lie between two bounds. */
#include "../core/arena.h"
#include "pieces.h"
#include "values.h"
#include "vecmath.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t size_of(const job *j) { return tare_dtype_bytes(j->d->dtype); }

/* ---- rejection --------------------------------------------------------------------------------------------------------- */

enum { RUN = 64 }; /* elements that are looked at, and made again, together */

static bool is_outside(const job *j, uint64_t first, size_t n) {
    return values_outside(j->g->lanes, j->d->dtype, j->dst + first * size_of(j), n, j->lo, j->hi) != 0;
}

static bool use_first(job *j, uint32_t *raw, uint64_t first, size_t n) {
    draw_make_piece(j->g->lanes, j->d, raw, n, j->dst + first * size_of(j), false);
    if (is_outside(j, first, n)) job_mark(j, &j->dirty);
    return true;
}

/* Elements [at, at + n) of the tensor from whole blocks of words, if any of them needs it. */
static bool patch_run(job *j, const uint32_t *raw, uint64_t at, size_t n) {
    double fresh[RUN];
    if (!is_outside(j, at, n)) return false;
    draw_make(j->g->lanes, j->d, raw, (n + BLOCK - 1) / BLOCK * BLOCK, (char *)fresh, false);
    values_patch(j->g->lanes, j->d->dtype, j->dst + at * size_of(j), fresh, n, j->lo, j->hi);
    return is_outside(j, at, n);
}

/* What is inside is not made again: most of a later draw is words that are only counted. */
static bool use_patch(job *j, uint32_t *raw, uint64_t first, size_t n) {
    size_t body = n % BLOCK ? n - BLOCK : n;
    uint64_t wide = draw_wide(j->d);
    bool dirty = false;
    for (size_t i = 0; i < body; i += RUN) dirty |= patch_run(j, raw + i * wide, first + i, body - i < RUN ? body - i : RUN);
    if (body < n) dirty |= patch_run(j, raw + (draw_words(j->d, n) - BLOCK) * wide, first + body, BLOCK);
    if (dirty) job_mark(j, &j->dirty);
    return true;
}

/* Less than 16 elements. */
static bool few(job *j) {
    double fresh[BLOCK];
    for (draw_fill(j->g, j->d, 1, j->dst); is_outside(j, 0, (size_t)j->d->n);) {
        draw_fill(j->g, j->d, 1, fresh);
        values_patch(j->g->lanes, j->d->dtype, j->dst, fresh, (size_t)j->d->n, j->lo, j->hi);
    }
    return true;
}

static bool reject(job *j, int threads) {
    if (draw_is_small(j->d)) return few(j);
    j->use = use_first;
    for (bool more = true; more; more = j->dirty) {
        j->dirty = false;
        if (!job_run(j, FILL_WORDS / draw_wide(j->d), threads)) return false;
        j->use = use_patch;
    }
    return true;
}

/* ---- by weight ----------------------------------------------------------------------------------------------------------- */

typedef struct weighing {
    const lanes *l;
    const draw *d;
    char *dst;
    double peak;
    unsigned char *pending; /* one for each element */
    _Atomic bool more;
} weighing;

/* The logarithm of the density, as far as it matters; rounded to the dtype after each step, as tensors are. What is subtracted
 * is of the dtype too, the divisor a float. */
static double weight(const weighing *w, double x) {
    tare_dtype t = w->d->dtype;
    double std = t == TARE_F64 ? w->d->b : (double)(float)w->d->b;
    x = values_round(w->l, t, x - values_round(w->l, t, w->d->a));
    x = values_round(w->l, t, x / std);
    x = values_round(w->l, t, x * x);
    return values_round(w->l, t, values_round(w->l, t, x * -0.5) - values_round(w->l, t, w->peak));
}

static bool take_candidates(void *to, uint64_t first, uint64_t n, const void *bytes) {
    weighing *w = to;
    size_t size = tare_dtype_bytes(w->d->dtype);
    for (uint64_t i = 0; i < n; i++)
        if (w->pending[first + i]) memcpy(w->dst + (first + i) * size, (const char *)bytes + i * size, size);
    return true;
}

/* torch.log() of a number of the dtype. */
static double logarithm(tare_dtype dtype, double u) {
    if (dtype == TARE_F64) return log(u);
    return (double)(dtype == TARE_F32 ? vec_log((float)u) : half_log((float)u));
}

static bool take_chances(void *to, uint64_t first, uint64_t n, const void *bytes) {
    weighing *w = to;
    tare_dtype t = w->d->dtype;
    bool more = false;
    for (uint64_t i = 0; i < n; i++) {
        if (!w->pending[first + i]) continue;
        double u = values_get(w->l, t, bytes, i), chance = values_round(w->l, t, logarithm(t, u));
        w->pending[first + i] = chance > weight(w, values_get(w->l, t, w->dst, first + i));
        more |= w->pending[first + i];
    }
    if (more) w->more = true;
    return true;
}

static bool weigh(rng *g, const draw *d, double lo, double hi, int threads, void *dst) {
    double mode = d->a < lo ? lo : d->a > hi ? hi : d->a, off = (mode - d->a) / d->b;
    draw candidates = *d, chances = *d;
    candidates.kind = chances.kind = DRAW_UNIFORM;
    candidates.a = lo, candidates.b = hi, chances.a = 0, chances.b = 1;
    weighing w = {.l = g->lanes, .d = d, .dst = dst, .peak = -0.5 * (off * off), .pending = tarei_malloc(d->n), .more = true};
    if (!w.pending) return false;
    memset(w.pending, 1, d->n);
    bool good = true;
    while (good && w.more) {
        w.more = false;
        good = draw_stream(g, &candidates, threads, take_candidates, &w) && draw_stream(g, &chances, threads, take_chances, &w);
    }
    free(w.pending);
    return good;
}

/* ---- either ------------------------------------------------------------------------------------------------------------- */

bool draw_trunc(rng *g, const draw *d, double lo, double hi, int threads, void *dst) {
    if (!(d->b > 0) || !(lo <= hi)) return false;
    if (d->n == 0) return true;
    if (!(values_inside(d, lo, hi) > 0.3)) return weigh(g, d, lo, hi, threads, dst);
    job j = {.g = g, .d = d, .dst = dst, .lo = values_round(g->lanes, d->dtype, lo), .hi = values_round(g->lanes, d->dtype, hi)};
    return reject(&j, threads);
}

bool draw_trunc_cannot_reject(const draw *d, double lo, double hi) {
    double most = d->dtype == TARE_F64 || draw_is_small(d) ? 8.6 : 5.8;
    return d->b >= 0 && d->a - most * d->b >= lo && d->a + most * d->b <= hi;
}
