/* Values by formula, each step rounded where the reference rounds. */
#include "formula.h"
#include "../build/def.h"
#include "../core/error.h"
#include "../core/half.h"
#include "store.h"
#include "vecmath.h"
#include <stdlib.h>

bool refuse_fill(const tensor_node *t, tare_error *err, const char *why) {
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
/* It blends by a ramp of dim / 2 places: of 3 dimensions that is one, for both entries. */
static float rope_yarn(const rope *r, int64_t i) {
    float power = rope_power(r, i), whole = 1 / power, stretched = 1 / ((float)r->factor * power);
    int64_t at = r->dim > 3 ? i : 0;
    double width = r->low == r->high ? r->high + 0.001 - r->low : r->high - r->low;
    float ramp = fminf(fmaxf(((float)at - (float)r->low) / (float)width, 0), 1), kept = 1 - ramp;
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
    case MADE_SINUSOIDS:
    case MADE_ROTARY_SINUSOIDS:
    case MADE_FLOAT_SINUSOIDS:
    case MADE_DOUBLE_SINUSOIDS: return value_sinusoids(t, how, dst, err);
    case MADE_PIECES: return fill_pieces(t, how, dst, err);
    case MADE_MAPPED: return value_mapped(t, how, NULL, dst, err);
    default: return refuse_fill(t, err, "it is not made by a formula");
    }
}
