/* Draws in torch's order and with torch's bits. */
#include "draw.h"
#include "pieces.h"
#include "values.h"
#include <math.h>
#include <string.h>

enum { STREAM_BYTES = 1 << 20 };
#define PI 3.141592653589793

/* ---- how many words ---------------------------------------------------------------------------------------------------- */

uint64_t draw_wide(const draw *d) { return d->dtype == TARE_F64 ? 2 : 1; }
bool draw_is_small(const draw *d) { return d->kind == DRAW_NORMAL && d->n < BLOCK; }

/* Normals are made in blocks of 16; when some are left over, the last 16 are made again of new words. The two dtypes of 16 bits
 * do not draw for what is made again. In units of draw_wide(). */
uint64_t draw_words(const draw *d, uint64_t n) {
    if (d->kind == DRAW_UNIFORM || n % BLOCK == 0) return n;
    bool whole = d->dtype == TARE_F32 || d->dtype == TARE_F64;
    return (whole ? n : n - n % BLOCK) + BLOCK;
}

/* ---- few normals --------------------------------------------------------------------------------------------------------- */

/* One standard normal; every second one was left over by the one before. */
static double small_normal(rng *g) {
    if (g->cached) {
        g->cached = false;
        return g->normal;
    }
    double u = rng_double(g), v = rng_double(g), r = sqrt(-2 * log1p(-v)), t = 2 * PI * u;
    g->normal = r * sin(t), g->cached = true;
    return r * cos(t);
}

static void small_fill(rng *g, const draw *d, void *dst) {
    double values[BLOCK];
    for (size_t i = 0; i < d->n; i++) values[i] = fma(small_normal(g), d->b, d->a);
    values_cast(g->lanes, d->dtype, values, (size_t)d->n, dst);
}

static void small_skip(rng *g, uint64_t n) {
    if (n && g->cached) {
        g->cached = false;
        n--;
    }
    rng_skip(g, n / 2 * 4);
    if (n % 2) small_normal(g);
}

void draw_skip(rng *g, const draw *d) {
    if (draw_is_small(d)) small_skip(g, d->n);
    else for (uint64_t k = 0; k < draw_wide(d); k++) rng_skip(g, draw_words(d, d->n));
}

/* ---- words to values ----------------------------------------------------------------------------------------------------- */

static void double_block(double p[BLOCK], double mean, double std) {
    for (int j = 0; j < BLOCK / 2; j++) {
        double r = sqrt(-2 * log(1 - p[j])), t = 2 * PI * p[j + BLOCK / 2];
        p[j] = fma(r * cos(t), std, mean);
        p[j + BLOCK / 2] = fma(r * sin(t), std, mean);
    }
}

static double double_uniform(double u, double from, double to) {
    double v = fma(u, to - from, from);
    return v == to ? from : v;
}

/* 16 or fewer; `to` may be where the words are, on any address. */
static void make_doubles(const lanes *l, const draw *d, const uint32_t *raw, size_t n, char *to) {
    uint32_t words[2 * BLOCK];
    double p[BLOCK];
    l->temper(words, raw, 2 * n);
    for (size_t i = 0; i < n; i++)
        p[i] = (double)(((uint64_t)words[2 * i] << 32 | words[2 * i + 1]) & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
    if (d->kind == DRAW_NORMAL) double_block(p, d->a, d->b);
    else for (size_t i = 0; i < n; i++) p[i] = double_uniform(p[i], d->a, d->b);
    memcpy(to, p, n * sizeof *p);
}

void draw_make(const lanes *l, const draw *d, const uint32_t *raw, size_t n, char *to, bool large) {
    if (d->dtype != TARE_F64) values_make(l, d, raw, n, to, large);
    else for (size_t i = 0; i < n; i += BLOCK) make_doubles(l, d, raw + 2 * i, n - i < BLOCK ? n - i : BLOCK, to + i * sizeof(double));
}

void draw_make_piece(const lanes *l, const draw *d, const uint32_t *raw, size_t n, char *to, bool large) {
    size_t rest = d->kind == DRAW_NORMAL ? n % BLOCK : 0;
    draw_make(l, d, raw, n - rest, to, large);
    if (rest) draw_make(l, d, raw + (draw_words(d, n) - BLOCK) * draw_wide(d), BLOCK, to + (n - BLOCK) * tare_dtype_bytes(d->dtype), false);
}

/* ---- filling and streaming --------------------------------------------------------------------------------------------------- */

static char *place(const job *j, uint64_t i) { return j->dst + i * tare_dtype_bytes(j->d->dtype); }

static bool use_fill(job *j, uint32_t *raw, uint64_t first, size_t n) {
    draw_make_piece(j->g->lanes, j->d, raw, n, place(j, first), j->large);
    return true;
}

bool draw_fill(rng *g, const draw *d, int threads, void *dst) {
    job j = {.g = g, .d = d, .use = use_fill, .dst = dst, .large = values_large(d->dtype, d->n, dst)};
    if (d->n == 0) return true;
    if (draw_is_small(d)) return small_fill(g, d, dst), true;
    return job_run(&j, FILL_WORDS / draw_wide(d), threads);
}

static bool use_sink(job *j, uint32_t *raw, uint64_t first, size_t n) {
    draw_make_piece(j->g->lanes, j->d, raw, n, (char *)raw, false);
    return j->sink(j->to, first, n, raw);
}

bool draw_stream(rng *g, const draw *d, int threads, draw_sink sink, void *to) {
    job j = {.g = g, .d = d, .use = use_sink, .sink = sink, .to = to};
    double few[BLOCK];
    if (d->n == 0) return true;
    if (draw_is_small(d)) return small_fill(g, d, few), sink(to, 0, d->n, few);
    return job_run(&j, STREAM_BYTES / tare_dtype_bytes(d->dtype), threads);
}
