#include "slice.h"

bool slice_fits(int rank, const int64_t *shape, const tare_slice *s) {
    if (s->axis < 0 || s->axis >= rank || s->blocks < 1 || s->first < 0 || s->n < 0 || shape[s->axis] % s->blocks) return false;
    int64_t block = shape[s->axis] / s->blocks;
    return s->first <= block && s->n <= block - s->first;
}
/* What of a box is in [from, from + n) of the axis, moved to where that range begins in the slice. */
static bool cut(const box *b, int axis, int64_t from, int64_t n, int64_t to, box *out) {
    int64_t begin = b->at[axis] > from ? b->at[axis] : from, end = b->at[axis] + b->size[axis];
    if (end > from + n) end = from + n;
    if (begin >= end) return false;
    *out = *b;
    out->from += (begin - b->at[axis]) * b->step[axis];
    out->at[axis] = to + (begin - from);
    out->size[axis] = end - begin;
    return true;
}
bool value_slice(arena *a, const value *whole, const tare_slice *s, value *out) {
    if (!slice_fits(whole->rank, whole->shape, s)) return false;
    int64_t length = whole->shape[s->axis], block = length / s->blocks;
    size_t cap = 0;
    *out = *whole;
    out->boxes = NULL;
    out->n = 0;
    out->shape[s->axis] = s->n * s->blocks;
    out->elements = length ? whole->elements / length * out->shape[s->axis] : 0;
    for (int64_t k = 0; k < s->blocks; k++)
        for (size_t i = 0; i < whole->n; i++) {
            out->boxes = arena_grow(a, out->boxes, out->n, &cap, 1, sizeof *out->boxes);
            out->n += cut(&whole->boxes[i], s->axis, k * block + s->first, s->n, k * s->n, &out->boxes[out->n]);
        }
    return true;
}
