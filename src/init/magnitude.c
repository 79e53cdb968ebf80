/* Weight norm's magnitude: Euclidean norms, their squares added up in the reference's order. */
#include "../core/error.h"
#include "store.h"
#include "formula.h"
#include <math.h>

/* The direction's axes as four: `kept` is the axis of the norms, which add up `outer`, `middle` and `inner`. */
typedef struct layout {
    const void *from;
    int dtype;
    int64_t outer, middle, kept, inner;
} layout;

static layout layout_of(const void *direction, const tensor_node *t, int axis) {
    layout l = {.from = direction, .dtype = t->dtype, .outer = 1, .middle = 1, .kept = 1, .inner = 1};
    if (axis < 0) l.inner = t->elements;
    for (int i = 0; axis >= 0 && i < t->rank; i++)
        *(i == axis ? &l.kept : i > axis ? &l.inner : i == 0 || axis == t->rank - 1 ? &l.outer : &l.middle) *= t->shape[i];
    return l;
}
/* Element d of row k: unless it is the last, the axis that is kept changes places with the first one; then memory order. */
static float element(const layout *l, int64_t k, int64_t d) {
    int64_t inner = d % l->inner, outer = d / l->inner % l->outer, middle = d / l->inner / l->outer;
    return load(l->from, ((outer * l->middle + middle) * l->kept + k) * l->inner + inner, l->dtype);
}

/* Eight sums side by side. Of the rest, four float32 squares are rounded before they are added, the others are not; those of
 * bfloat16, of which sixteen are read at once, are exact. */
static float norm_by_vectors(const layout *l, int64_t k) {
    int64_t n = l->outer * l->middle * l->inner, d = 0, whole = n - n % (l->dtype == TARE_F32 ? 8 : 16);
    float lanes[8] = {0};
    for (; d < whole; d++) {
        float x = element(l, k, d);
        lanes[d % 8] += x * x;
    }
    float s = lanes[0];
    for (int i = 1; i < 8; i++) s += lanes[i];
    for (; d < n; d++) {
        float x = element(l, k, d), squared = x * x;
        s = n % 8 >= 4 && d < whole + 4 ? s + squared : fmaf(x, x, s);
    }
    return sqrtf(s);
}
/* One after the other, many rows at once where they lie next to each other. */
static void norms_in_order(const layout *l, int64_t first, int64_t count, float *norms) {
    int64_t n = l->outer * l->middle * l->inner;
    for (int64_t k = 0; k < count; k++) norms[k] = 0;
    for (int64_t d = 0; d < n; d++)
        for (int64_t k = 0; k < count; k++) {
            float x = element(l, first + k, d), squared = x * x;
            norms[k] += squared;
        }
    for (int64_t k = 0; k < count; k++) norms[k] = sqrtf(norms[k]);
}
bool value_magnitude(const void *direction, const tensor_node *direction_t, int axis, const tensor_node *t, void *dst, tare_error *err) {
    layout l = layout_of(direction, direction_t, axis);
    if (!is_float(l.dtype) || l.dtype == TARE_F64 || !is_float(t->dtype) || axis >= direction_t->rank || t->elements != l.kept) {
        error_set(err, TARE_BAD, "bad_value", t->name, "%s: weight norm takes 32-bit or 16-bit floats along one of their axes", t->name);
        return false;
    }
    bool by_vectors = l.dtype != TARE_F16 && (axis <= 0 || axis < direction_t->rank - 1 || l.kept == 1);
    for (int64_t k = 0; k < l.kept; k += 64) {
        float norms[64];
        int64_t count = l.kept - k < 64 ? l.kept - k : 64;
        if (!by_vectors) norms_in_order(&l, k, count, norms);
        for (int64_t i = 0; i < count; i++) store(dst, k + i, t->dtype, (double)(by_vectors ? norm_by_vectors(&l, k + i) : norms[i]));
    }
    return true;
}
