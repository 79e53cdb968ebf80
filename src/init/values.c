/* Words to floats to the dtype, in pieces that stay in the first cache. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include "values.h"
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIECE = 512 };

void values_floats(const lanes *l, const draw *d, const uint32_t *words, size_t n, float *out) {
    float a = (float)d->a, b = (float)d->b;
    if (d->kind == DRAW_NORMAL) l->normal(out, words, n, a, b);
    else l->uniform(out, words, n, a, b - a, b);
}

static void round_16(const lanes *l, tare_dtype dtype, const float *in, size_t n, uint16_t *out) {
    if (dtype == TARE_F16) l->f16(out, in, n);
    else l->bf16(out, in, n);
}

static void widen_16(const lanes *l, tare_dtype dtype, const uint16_t *in, size_t n, float *out) {
    if (dtype == TARE_F16) l->of_f16(out, in, n);
    else l->of_bf16(out, in, n);
}

/* Whether the page that holds p has been touched. */
static bool is_there(const char *p) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    unsigned char there = 1;
    return mincore((void *)((uintptr_t)p & ~(page - 1)), 1, &there) != 0 || (there & 1);
}
bool values_large(tare_dtype dtype, uint64_t n, const void *to) {
    uint64_t bytes = n * tare_dtype_bytes(dtype);
    return bytes >= (uint64_t)4 << 20 && is_there((const char *)to + bytes / 2); /* its ends may lie in large pages of its neighbours */
}

static void put(const lanes *l, void *to, const void *from, size_t bytes, bool large) {
    if (large) l->stream(to, from, bytes);
    else memcpy(to, from, bytes);
}

/* The upper end of a range is not part of it, also where rounding to 16 bits reaches it. */
static void close_16(const lanes *l, const draw *d, size_t n, uint16_t *x) {
    const float ends[2] = {(float)d->a, (float)d->b};
    uint16_t rounded[2];
    if (d->kind == DRAW_NORMAL) return;
    round_16(l, d->dtype, ends, 2, rounded);
    l->replace(x, n, rounded[1], rounded[0]);
}

void values_make(const lanes *l, const draw *d, const uint32_t *raw, size_t n, void *to, bool large) {
    _Alignas(64) uint32_t words[PIECE];
    _Alignas(64) float values[PIECE];
    _Alignas(64) uint16_t halves[PIECE];
    size_t size = tare_dtype_bytes(d->dtype);
    for (size_t at = 0; at < n; at += PIECE) {
        size_t k = n - at < PIECE ? n - at : PIECE;
        l->temper(words, raw + at, k);
        values_floats(l, d, words, k, values);
        if (d->dtype != TARE_F32) {
            round_16(l, d->dtype, values, k, halves);
            close_16(l, d, k, halves);
        }
        put(l, (char *)to + at * size, d->dtype == TARE_F32 ? (void *)values : halves, k * size, large);
    }
    if (large) l->fence();
}

void values_store(const lanes *l, tare_dtype dtype, const float *in, size_t n, void *to, bool large) {
    _Alignas(64) uint16_t halves[PIECE];
    double *wide = to;
    if (dtype == TARE_F64) {
        for (size_t i = 0; i < n; i++) wide[i] = (double)in[i];
    } else if (dtype == TARE_F32) {
        put(l, to, in, n * sizeof *in, large);
    } else {
        for (size_t at = 0; at < n; at += PIECE) {
            size_t k = n - at < PIECE ? n - at : PIECE;
            round_16(l, dtype, in + at, k, halves);
            put(l, (uint16_t *)to + at, halves, k * sizeof *halves, large);
        }
    }
}

void values_cast(const lanes *l, tare_dtype dtype, const double *in, size_t n, void *to) {
    size_t size = tare_dtype_bytes(dtype);
    for (size_t i = 0; i < n; i++) {
        float f = (float)in[i];
        uint16_t h;
        round_16(l, dtype, &f, 1, &h);
        const void *from = dtype == TARE_F64 ? (const void *)&in[i] : dtype == TARE_F32 ? (const void *)&f : &h;
        memcpy((char *)to + i * size, from, size);
    }
}

double values_get(const lanes *l, tare_dtype dtype, const void *x, size_t i) {
    float f;
    if (dtype == TARE_F64) return ((const double *)x)[i];
    if (dtype == TARE_F32) return (double)((const float *)x)[i];
    widen_16(l, dtype, (const uint16_t *)x + i, 1, &f);
    return (double)f;
}

double values_round(const lanes *l, tare_dtype dtype, double value) {
    union { double d; float f; uint16_t h; } one;
    values_cast(l, dtype, &value, 1, &one);
    return values_get(l, dtype, &one, 0);
}

static size_t doubles_outside(const double *x, size_t n, double lo, double hi) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += x[i] < lo || x[i] > hi;
    return count;
}

size_t values_outside(const lanes *l, tare_dtype dtype, const void *x, size_t n, double lo, double hi) {
    float values[PIECE];
    size_t count = 0;
    if (dtype == TARE_F64) return doubles_outside(x, n, lo, hi);
    if (dtype == TARE_F32) return l->outside(x, n, (float)lo, (float)hi);
    for (size_t at = 0; at < n; at += PIECE) {
        size_t k = n - at < PIECE ? n - at : PIECE;
        widen_16(l, dtype, (const uint16_t *)x + at, k, values);
        count += l->outside(values, k, (float)lo, (float)hi);
    }
    return count;
}

static void patch_doubles(double *x, const double *fresh, size_t n, double lo, double hi) {
    for (size_t i = 0; i < n; i++) x[i] = x[i] < lo || x[i] > hi ? fresh[i] : x[i];
}

static void patch_16(const lanes *l, tare_dtype dtype, uint16_t *x, const uint16_t *fresh, size_t n, float lo, float hi) {
    float old[PIECE], other[PIECE];
    for (size_t at = 0; at < n; at += PIECE) {
        size_t k = n - at < PIECE ? n - at : PIECE;
        widen_16(l, dtype, x + at, k, old);
        widen_16(l, dtype, fresh + at, k, other);
        l->patch(old, other, k, lo, hi);
        round_16(l, dtype, old, k, x + at);
    }
}

void values_patch(const lanes *l, tare_dtype dtype, void *x, const void *fresh, size_t n, double lo, double hi) {
    if (dtype == TARE_F64) patch_doubles(x, fresh, n, lo, hi);
    else if (dtype == TARE_F32) l->patch(x, fresh, n, (float)lo, (float)hi);
    else patch_16(l, dtype, x, fresh, n, (float)lo, (float)hi);
}

static double below(const draw *d, double x) { return (1 + erf((x - d->a) / d->b / sqrt(2))) / 2; }

double values_inside(const draw *d, double lo, double hi) { return below(d, hi) - below(d, lo); }
