/* Sines and cosines of positions: four ways to work them out, each rounded where the reference rounds. */
#include "formula.h"
#include "../build/def.h"
#include "../core/error.h"
#include "../core/half.h"
#include "store.h"
#include "vecmath.h"
#include <stdlib.h>

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
            angles[i] = half_round(t->dtype, half_round(t->dtype, (float)(k / half)) * rates[k % half]);
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
        float x = half_round(t->dtype, slope * half_round(t->dtype, (float)i));
        rates[i] = half_round(t->dtype, t->dtype == TARE_F32 ? vec_exp(x) : half_exp(x));
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
        int64_t column = i % n, wave = how->b != 0 ? column / 2 : column % sines;
        bool sine = how->b != 0 ? column % 2 == 0 : column < sines;
        double angle = (double)(i / n) / pow(how->a, (double)(2 * wave) / (double)n);
        store(dst, i, t->dtype, (double)(float)(sine ? sin(angle) : cos(angle)));
    }
    return true;
}

/* In halves the longest wave belongs to the last entry, in turn to the one after it. */
static bool fill_float_sinusoids(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    int64_t d = t->rank > 1 ? t->shape[t->rank - 1] : 0, half = d / 2;
    bool turn = how->b != 0;
    if (!is_float(t->dtype) || (turn ? d % 2 : d < 4))
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

bool value_sinusoids(const tensor_node *t, const fill *how, void *dst, tare_error *err) {
    switch (how->op) {
    case MADE_ROTARY_SINUSOIDS: return fill_rotary_sinusoids(t, how, dst, err);
    case MADE_DOUBLE_SINUSOIDS: return fill_double_sinusoids(t, how, dst, err);
    case MADE_FLOAT_SINUSOIDS: return fill_float_sinusoids(t, how, dst, err);
    default: return fill_sinusoids(t, how, dst, err);
    }
}
bool value_loaded(const tensor_node *t, void *dst, tare_error *err) {
    fill again = t->how;
    if (again.op != MADE_ROTARY_SINUSOIDS || again.row == TARE_F32 || t->dtype != TARE_F32) return true;
    again.row = TARE_F32;
    return value_sinusoids(t, &again, dst, err);
}
