/* Values by formula, each step rounded where the reference rounds. */
#include "formula.h"
#include "../build/def.h"
#include "../core/error.h"
#include "../core/half.h"
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
static void fill_tril(const tensor_node *t, const fill *how, void *dst) {
    int64_t n = last_axis(t), rows = t->shape[t->rank - 2], width = how->a > 0 ? (int64_t)how->a : rows;
    for (int64_t i = 0; i < t->elements; i++) {
        int64_t before = i / n % rows - i % n;
        store(dst, i, t->dtype, before >= 0 && before < width);
    }
}

static bool fill_offsets(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    int64_t h = (int64_t)how->a, w = (int64_t)how->b, cells = times(h, w);
    if (cells < 1 || t->elements != times(cells, cells)) return refuse_fill(t, err, "offsets are of each two cells of a window");
    for (int64_t i = 0; i < t->elements; i++) {
        int64_t one = i / cells, other = i % cells, down = one / w - other / w, right = one % w - other % w;
        store(dst, i, t->dtype, (double)((down + h - 1) * (2 * w - 1) + right + w - 1));
    }
    return true;
}

/* ---- linspace ----------------------------------------------------------------------------------------------------- */

static float in_dtype_of(const tensor_node *t, float x) { return half_round(t->dtype, x); }
static bool fill_linspace(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    int64_t n = last_axis(t);
    if (!is_float(t->dtype)) return refuse_fill(t, err, "linspace is made in floating point");
    for (int64_t i = 0; i < t->elements; i++) store(dst, i, t->dtype, linspace_in(t->dtype, how->a, how->b, n, i % n));
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
/* The entry at place i of the table. */
static int64_t rope_entry(const rope *r, int64_t i) {
    int64_t rows = (r->entries + 1) / 2;
    return !r->by_axis ? i : i < rows ? 2 * i : 2 * (i - rows) + 1;
}
static bool fill_rope(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    const rope *r = how->of;
    if (!r || r->entries != t->elements || t->dtype != TARE_F32) return refuse_fill(t, err, "a rotary table has other entries");
    for (int64_t i = 0; i < t->elements; i++) store(dst, i, t->dtype, (double)rope_at(r, rope_entry(r, i)));
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
static float *rates_room(const tensor_node *t, int64_t n, tare_error *err) {
    float *rates = tarei_malloc((size_t)n * sizeof *rates);
    if (!rates) error_set(err, TARE_IO, "out_of_memory", t->name, "%s: out of memory", t->name);
    return rates;
}
/* Every angle is a position times a rate, rounded as the tensor is. */
static void fill_waves(const tensor_node *t, const float *rates, void *dst) {
    int64_t half = t->shape[1] / 2, all = t->shape[0] * half;
    float angles[RUN];
    for (int64_t first = 0; first < all; first += RUN) {
        size_t n = all - first < RUN ? (size_t)(all - first) : RUN;
        for (size_t i = 0; i < n; i++) {
            int64_t k = first + (int64_t)i;
            angles[i] = in_dtype_of(t, in_dtype_of(t, (float)(k / half)) * rates[k % half]);
        }
        store_waves(t, angles, first, n, dst);
    }
}
static bool fill_sinusoids(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    if (t->rank != 2 || t->shape[1] % 2 || t->shape[1] < 4 || !is_float(t->dtype) || t->dtype == TARE_F64)
        return refuse_fill(t, err, "sinusoids need rows of an even number of floats, four or more");
    int64_t half = t->shape[1] / 2;
    float *rates = rates_room(t, half, err), slope = (float)(-(log(how->a) / (double)(half - 1)));
    if (!rates) return false;
    for (int64_t i = 0; i < half; i++) {
        float x = in_dtype_of(t, slope * in_dtype_of(t, (float)i));
        rates[i] = in_dtype_of(t, t->dtype == TARE_F32 ? vec_exp(x) : half_exp(x));
    }
    fill_waves(t, rates, dst);
    free(rates);
    return true;
}
/* Rates in the dtype that was torch's default, of which a vector holds 16 or 32; the waves are float32. */
static bool fill_rotary_sinusoids(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    if (t->rank != 2 || t->shape[1] % 2 || t->dtype != TARE_F32)
        return refuse_fill(t, err, "rotary sinusoids need rows of an even number of float32");
    int64_t half = t->shape[1] / 2, whole = half - half % (how->row == TARE_F32 ? 32 : 64);
    float *rates = rates_room(t, half, err), base = half_round((int)how->row, (float)how->a);
    if (!rates) return false;
    for (int64_t i = 0; i < half; i++) {
        float exponent = half_round((int)how->row, half_round((int)how->row, (float)(2 * i)) / (float)how->b);
        float power = half_round((int)how->row, i < whole ? vec_pow(base, exponent) : powf(base, exponent));
        rates[i] = half_round((int)how->row, 1 / power);
    }
    fill_waves(t, rates, dst);
    free(rates);
    return true;
}
/* An odd row has one sine more. Doubles are float32 before they are anything less. */
static bool fill_double_sinusoids(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    if (t->rank != 2 || !is_float(t->dtype)) return refuse_fill(t, err, "sinusoids need rows of floats");
    int64_t n = t->shape[1], sines = n - n / 2;
    for (int64_t i = 0; i < t->elements; i++) {
        int64_t column = i % n, wave = how->row ? column / 2 : column % sines;
        bool sine = how->row ? column % 2 == 0 : column < sines;
        double angle = (double)(i / n) / pow(how->a, (double)(2 * wave) / (double)n);
        store(dst, i, t->dtype, (double)(float)(sine ? sin(angle) : cos(angle)));
    }
    return true;
}

/* In halves the longest wave belongs to the last entry, in turn to the one after it. */
static bool fill_positions(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    int64_t d = last_axis(t), half = d / 2;
    bool turn = how->b != 0;
    if (t->rank < 2 || !is_float(t->dtype) || (turn ? d % 2 : d < 4))
        return refuse_fill(t, err, turn ? "positions in turn need rows of an even number of floats" : "positions need rows of four floats or more");
    float slope = (float)(turn ? -(log(how->a) / (double)d) : -(log(how->a) / (double)(half - 1)));
    for (int64_t k = 0; k < half; k++) {
        float rate = vec_exp((float)(turn ? 2 * k : k) * slope);
        for (int64_t i = 0; i < t->elements / d; i++) {
            float angle = (float)(i % t->shape[t->rank - 2]) * rate;
            store(dst, i * d + (turn ? 2 * k : k), t->dtype, (double)vec_sin(angle));
            store(dst, i * d + (turn ? 2 * k + 1 : half + k), t->dtype, (double)vec_cos(angle));
        }
    }
    for (int64_t i = 0; !turn && i < t->elements / d; i++) {
        if (d % 2) store(dst, i * d + d - 1, t->dtype, 0);
        for (int64_t k = 0; i + 1 == how->row && k < d; k++) store(dst, i * d + k, t->dtype, 0);
    }
    return true;
}

bool value_fill(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    if (!can_store(t->dtype)) return refuse_fill(t, err, "its dtype is not one that initialisation writes");
    switch (how->op) {
    case MADE_ZEROS: return fill_scalar(t, 0, dst), true;
    case MADE_ONES: return fill_scalar(t, 1, dst), true;
    case MADE_FULL: return fill_scalar(t, how->a, dst), true;
    case MADE_ARANGE: return fill_arange(t, how->a, dst), true;
    case MADE_TRIL: return t->rank < 2 ? refuse_fill(t, err, "a triangle needs two axes") : (fill_tril(t, how, dst), true);
    case MADE_OFFSETS: return fill_offsets(t, how, dst, err);
    case MADE_LINSPACE: return fill_linspace(t, how, dst, err);
    case MADE_ROPE: return fill_rope(t, how, dst, err);
    case MADE_SINUSOIDS: return fill_sinusoids(t, how, dst, err);
    case MADE_ROTARY_SINUSOIDS: return fill_rotary_sinusoids(t, how, dst, err);
    case MADE_DOUBLE_SINUSOIDS: return fill_double_sinusoids(t, how, dst, err);
    case MADE_POSITIONS: return fill_positions(t, how, dst, err);
    case MADE_PIECES: return fill_pieces(t, how, dst, err);
    case MADE_MAPPED: return value_mapped(t, how, NULL, dst, err);
    default: return refuse_fill(t, err, "it is not made by a formula");
    }
}
