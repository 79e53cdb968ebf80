/* Values by formula, each step rounded where the reference rounds. */
#include "formula.h"
#include "../build/def.h"
#include "../core/error.h"
#include "half.h"
#include "store.h"
#include "vecmath.h"
#include <stdlib.h>

static bool refuse_fill(const tensor_node *t, tare_error *err, const char *why) {
    error_set(err, TARE_BAD, "bad_value", t->name, "%s: %s", t->name, why);
    return false;
}
static int64_t last_axis(const tensor_node *t) { return t->rank > 0 ? t->shape[t->rank - 1] : 1; }

/* ---- scalars and counts ------------------------------------------------------------------------------------------ */

static void fill_scalar(const tensor_node *t, double x, void *dst) {
    if (x == 0 && !signbit(x)) {
        memset(dst, 0, (size_t)t->elements * tare_dtype_bytes((tare_dtype)t->dtype));
        return;
    }
    for (int64_t i = 0; i < t->elements; i++) store(dst, i, t->dtype, x);
}
static void fill_arange(const tensor_node *t, double first, void *dst) {
    int64_t n = last_axis(t);
    for (int64_t i = 0; i < t->elements; i++) store(dst, i, t->dtype, first + (double)(i % n));
}
static bool fill_pieces(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    const span *all = how->of;
    int64_t n = last_axis(t), sum = 0, k = 0, end = 0;
    for (int64_t i = 0; i < how->row; i++) sum += all[i].n;
    if (sum != n) return refuse_fill(t, err, "its pieces do not add up to its last axis");
    for (int64_t i = 0; i < t->elements; i++) {
        if (i % n == 0) k = 0, end = all[0].n;
        while (i % n >= end) end += all[++k].n;
        store(dst, i, t->dtype, all[k].value);
    }
    return true;
}
static void fill_tril(const tensor_node *t, void *dst) {
    int64_t n = last_axis(t), rows = t->shape[t->rank - 2];
    for (int64_t i = 0; i < t->elements; i++) store(dst, i, t->dtype, i % n <= i / n % rows);
}

/* ---- linspace ----------------------------------------------------------------------------------------------------- */

/* Sixteen-bit floats are rounded after every step. */
static float in_dtype_of(const tensor_node *t, float x) {
    if (t->dtype == TARE_BF16) return from_bf16(to_bf16(x));
    return t->dtype == TARE_F16 ? from_f16(to_f16(x)) : x;
}
static double linspace_at(const tensor_node *t, double from, double to, int64_t n, int64_t i) {
    bool begin = i < n / 2;
    int64_t steps = begin ? i : n - 1 - i;
    if (t->dtype == TARE_F64) {
        double by = (to - from) / (double)(n - 1);
        return begin ? fma(by, (double)steps, from) : fma(-by, (double)steps, to);
    }
    float a = in_dtype_of(t, (float)from), b = in_dtype_of(t, (float)to);
    float by = in_dtype_of(t, in_dtype_of(t, b - a) / in_dtype_of(t, (float)(n - 1)));
    float base = begin ? a : b, sign = begin ? 1 : -1;
    if (t->dtype == TARE_F32) return (double)fmaf(sign * by, (float)steps, base);
    return (double)(base + sign * in_dtype_of(t, by * in_dtype_of(t, (float)steps)));
}
static bool fill_linspace(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    int64_t n = last_axis(t);
    if (!is_float(t->dtype)) return refuse_fill(t, err, "linspace is made in floating point");
    for (int64_t i = 0; i < t->elements; i++) {
        bool many = n > 1 && i % n > 0;
        store(dst, i, t->dtype, many ? linspace_at(t, how->a, how->b, n, i % n) : how->a);
    }
    return true;
}

/* ---- rotary tables ------------------------------------------------------------------------------------------------ */

/* base ** (2i / over): whole vectors, two at a time, have another power function than the rest. */
static float rope_power(const rope *r, int64_t i) {
    float base = (float)r->theta, exponent = (float)(2 * i) / (float)r->over;
    if (base == 1) return 1;
    return i < r->turning - r->turning % 32 ? vec_pow(base, exponent) : powf(base, exponent);
}
static float rope_yarn(const rope *r, int64_t i) {
    float power = rope_power(r, i), whole = 1 / power, stretched = 1 / ((float)r->factor * power);
    double width = r->low == r->high ? r->high + 0.001 - r->low : r->high - r->low;
    float ramp = fminf(fmaxf(((float)i - (float)r->low) / (float)width, 0), 1), kept = 1 - ramp;
    return stretched * (1 - kept) + whole * kept;
}
static float rope_llama3(const rope *r, int64_t i) {
    float x = 1 / rope_power(r, i), factor = (float)r->factor, wave = 1 / x * 0x1.921fb6p+2f;
    float shortest = (float)(r->original / r->high), longest = (float)(r->original / r->low);
    float slow = wave > longest ? x / factor : x;
    if (wave < shortest || wave > longest) return slow;
    float smooth = (1 / wave * (float)r->original - (float)r->low) / (float)(r->high - r->low);
    return (1 - smooth) * slow / factor + smooth * slow;
}
static float rope_at(const rope *r, int64_t i) {
    if (i >= r->turning) return 0 / (float)r->factor;
    if (!strcmp(r->type, "yarn")) return rope_yarn(r, i);
    if (!strcmp(r->type, "llama3")) return rope_llama3(r, i);
    if (r->short_n) return 1 / ((float)r->short_factors[r->short_n > 1 ? i : 0] * rope_power(r, r->dim > 2 ? i : 0));
    return 1 / rope_power(r, i) / (float)r->factor;
}
static bool fill_rope(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    const rope *r = how->of;
    if (!r || r->entries != t->elements || t->dtype != TARE_F32) return refuse_fill(t, err, "a rotary table has other entries");
    for (int64_t i = 0; i < t->elements; i++) store(dst, i, t->dtype, (double)rope_at(r, i));
    return true;
}

/* ---- sinusoids ---------------------------------------------------------------------------------------------------- */

enum { RUN = 256 }; /* whole vectors, which half_sin() takes together */

/* A run of angles in order: a row holds `half` sines, then as many cosines. */
static void store_waves(const tensor_node *t, const float *angles, int64_t first, size_t n, void *dst) {
    int64_t half = t->shape[1] / 2;
    float sines[RUN], cosines[RUN];
    for (size_t i = 0; t->dtype == TARE_F32 && i < n; i++) {
        sines[i] = vec_sin(angles[i]);
        cosines[i] = vec_cos(angles[i]);
    }
    if (t->dtype != TARE_F32) {
        half_sin(angles, sines, n);
        half_cos(angles, cosines, n);
    }
    for (size_t i = 0; i < n; i++) {
        int64_t k = first + (int64_t)i, at = k / half * 2 * half + k % half;
        store(dst, at, t->dtype, (double)sines[i]);
        store(dst, at + half, t->dtype, (double)cosines[i]);
    }
}
static bool fill_sinusoids(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    if (t->rank != 2 || t->shape[1] % 2 || t->shape[1] < 4 || !is_float(t->dtype) || t->dtype == TARE_F64)
        return refuse_fill(t, err, "sinusoids need rows of an even number of floats, four or more");
    int64_t half = t->shape[1] / 2, all = t->shape[0] * half;
    float *rates = tarei_malloc((size_t)half * sizeof *rates), angles[RUN], slope = (float)(-(log(how->a) / (double)(half - 1)));
    if (!rates) {
        error_set(err, TARE_IO, "out_of_memory", t->name, "%s: out of memory", t->name);
        return false;
    }
    for (int64_t i = 0; i < half; i++) {
        float x = in_dtype_of(t, slope * in_dtype_of(t, (float)i));
        rates[i] = in_dtype_of(t, t->dtype == TARE_F32 ? vec_exp(x) : half_exp(x));
    }
    for (int64_t first = 0; first < all; first += RUN) {
        size_t n = all - first < RUN ? (size_t)(all - first) : RUN;
        for (size_t i = 0; i < n; i++) {
            int64_t k = first + (int64_t)i;
            angles[i] = in_dtype_of(t, in_dtype_of(t, (float)(k / half)) * rates[k % half]);
        }
        store_waves(t, angles, first, n, dst);
    }
    free(rates);
    return true;
}

bool value_fill(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    if (!can_store(t->dtype)) return refuse_fill(t, err, "its dtype is not one that initialisation writes");
    switch (how->op) {
    case MADE_ZEROS: return fill_scalar(t, 0, dst), true;
    case MADE_ONES: return fill_scalar(t, 1, dst), true;
    case MADE_FULL: return fill_scalar(t, how->a, dst), true;
    case MADE_ARANGE: return fill_arange(t, how->a, dst), true;
    case MADE_TRIL: return t->rank < 2 ? refuse_fill(t, err, "a triangle needs two axes") : (fill_tril(t, dst), true);
    case MADE_LINSPACE: return fill_linspace(t, how, dst, err);
    case MADE_ROPE: return fill_rope(t, how, dst, err);
    case MADE_SINUSOIDS: return fill_sinusoids(t, how, dst, err);
    case MADE_PIECES: return fill_pieces(t, how, dst, err);
    case MADE_MAPPED: return value_mapped(t, how, NULL, dst, err);
    default: return refuse_fill(t, err, "it is not made by a formula");
    }
}
