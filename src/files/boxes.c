#include "boxes.h"
#include "../core/num.h"
#include <string.h>

/* ---- whole tensors ---- */

static bool count(value *v) {
    v->elements = 1;
    for (int i = 0; i < v->rank; i++)
        if (!v->shape[i]) return v->elements = 0, true;
    for (int i = 0; i < v->rank; i++)
        if (!num_mul(v->elements, v->shape[i], &v->elements)) return false;
    return true;
}
static void set_rows(value *v) {
    int64_t below = 1;
    for (int i = v->rank - 1; i >= 0; i--) {
        v->stride[i] = below;
        if (v->elements) below *= v->shape[i];
    }
}
bool value_whole(arena *a, size_t source, int rank, const int64_t *shape, value *out) {
    *out = (value){.rank = rank};
    if (rank > MOST_RANK) return false;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0) return false;
        out->shape[i] = shape[i];
    }
    if (!count(out)) return false;
    set_rows(out);
    if (!out->elements) return true;
    out->boxes = arena_new(a, box);
    out->n = 1;
    out->boxes->source = source;
    for (int i = 0; i < rank; i++) out->boxes->axis[i] = (box_axis){0, shape[i], 1, out->stride[i]};
    return true;
}

/* ---- torch's memory ---- */

bool value_contiguous(const value *v) {
    int64_t run = 1;
    if (!v->elements) return true;
    for (int i = v->rank - 1; i >= 0; i--) {
        if (v->shape[i] != 1 && v->stride[i] != run) return false;
        run *= v->shape[i];
    }
    return true;
}
void value_copy(arena *a, value *v) {
    set_rows(v);
    if (!v->in) return;
    v->in = arena_new(a, memory);
    v->in->elements = v->elements;
}
void value_settle(arena *a, value *v) {
    if (!value_contiguous(v)) value_copy(a, v);
}

/* ---- parts ---- */

/* Which of its elements lie in lo <= place < hi: `size` of them from the first one on. */
static int64_t cut(const box_axis *x, int64_t lo, int64_t hi, int64_t *first) {
    int64_t end = hi > x->at ? (hi - x->at - 1) / x->apart + 1 : 0;
    *first = lo > x->at ? (lo - x->at - 1) / x->apart + 1 : 0;
    if (end > x->size) end = x->size;
    return end > *first ? end - *first : 0;
}
/* The part that a place is in. */
static size_t part_of(const int64_t *bounds, size_t n, int64_t place) {
    size_t low = 0;
    for (size_t high = n; high - low > 1;) {
        size_t middle = low + (high - low) / 2;
        if (bounds[middle] <= place) low = middle;
        else high = middle;
    }
    return low;
}
static size_t last_part(const int64_t *bounds, size_t n, const box_axis *x) {
    return part_of(bounds, n, x->at + (x->size - 1) * x->apart);
}
static void start_part(const value *v, int dim, int64_t size, value *part) {
    *part = *v;
    part->n = 0;
    part->shape[dim] = size;
    count(part);
}
bool value_split(arena *a, const value *v, int dim, const int64_t *bounds, size_t n, value *parts) {
    size_t all = 0;
    for (size_t i = 0; i < n; i++) start_part(v, dim, bounds[i + 1] - bounds[i], &parts[i]);
    for (size_t k = 0; k < v->n; k++) {
        const box_axis *x = &v->boxes[k].axis[dim];
        size_t first = part_of(bounds, n, x->at), last = last_part(bounds, n, x);
        if ((all += last - first + 1) > MOST_BOXES) return false;
        for (size_t i = first; i <= last; i++) parts[i].n++;
    }
    box *room = arena_array(a, all, sizeof *room);
    for (size_t i = 0; i < n; room += parts[i++].n) parts[i].boxes = room;
    for (size_t i = 0; i < n; i++) parts[i].n = 0;
    for (size_t k = 0; k < v->n; k++) {
        const box_axis *x = &v->boxes[k].axis[dim];
        for (size_t i = part_of(bounds, n, x->at), last = last_part(bounds, n, x); i <= last; i++) {
            int64_t first, size = cut(x, bounds[i], bounds[i + 1], &first);
            if (!size) continue;
            box *b = &parts[i].boxes[parts[i].n++];
            *b = v->boxes[k];
            b->from += first * x->step;
            b->axis[dim].at = x->at + first * x->apart - bounds[i];
            b->axis[dim].size = size;
        }
    }
    return true;
}
void value_drop(value *v, int dim) {
    size_t after = (size_t)(--v->rank - dim);
    memmove(v->shape + dim, v->shape + dim + 1, after * sizeof *v->shape);
    memmove(v->stride + dim, v->stride + dim + 1, after * sizeof *v->stride);
    for (size_t i = 0; i < v->n; i++) memmove(v->boxes[i].axis + dim, v->boxes[i].axis + dim + 1, after * sizeof *v->boxes[i].axis);
}

/* ---- wholes ---- */

bool value_join(arena *a, value *const *v, size_t n, int dim, bool stacked, value *out) {
    value all = *v[0];
    size_t boxes = 0;
    if (stacked) {
        memmove(all.shape + dim + 1, all.shape + dim, (size_t)(all.rank - dim) * sizeof *all.shape);
        all.rank++;
    }
    all.shape[dim] = 0;
    for (size_t i = 0; i < n; i++) {
        if (__builtin_add_overflow(all.shape[dim], stacked ? 1 : v[i]->shape[dim], &all.shape[dim])) return false;
        if ((boxes += v[i]->n) > MOST_BOXES) return false;
    }
    if (!count(&all)) return false;
    box *b = all.boxes = arena_array(a, boxes, sizeof *all.boxes);
    int64_t at = 0;
    for (size_t i = 0; i < n; at += stacked ? 1 : v[i]->shape[dim], i++)
        for (size_t k = 0; k < v[i]->n; k++, b++) {
            *b = v[i]->boxes[k];
            if (stacked) {
                memmove(b->axis + dim + 1, b->axis + dim, (size_t)(all.rank - 1 - dim) * sizeof *b->axis);
                b->axis[dim] = (box_axis){at, 1, 1, 0};
            } else b->axis[dim].at += at;
        }
    all.n = boxes;
    value_copy(a, &all);
    *out = all;
    return true;
}

/* ---- other orders ---- */

static void own_boxes(arena *a, value *v) {
    box *b = arena_array(a, v->n, sizeof *b);
    if (v->n) memcpy(b, v->boxes, v->n * sizeof *b);
    v->boxes = b;
}
static void swap(int64_t *x, int64_t *y) {
    int64_t old = *x;
    *x = *y;
    *y = old;
}
void value_swap(arena *a, value *v, int x, int y) {
    swap(&v->shape[x], &v->shape[y]);
    swap(&v->stride[x], &v->stride[y]);
    own_boxes(a, v);
    for (size_t i = 0; i < v->n; i++) {
        box_axis old = v->boxes[i].axis[x];
        v->boxes[i].axis[x] = v->boxes[i].axis[y];
        v->boxes[i].axis[y] = old;
    }
}

typedef struct regroup { /* place (o, i, j) of [outer, x, y] goes to (o, j, i) of [outer, y, x] */
    arena *a;
    int dim;
    int64_t x, y;
    box *out;
    size_t n, cap;
} regroup;
/* `size` elements of b from the first one on, every period-th of them: they lie apart from each other, and begin at `to`. */
static void put(regroup *g, const box *b, int64_t first, int64_t size, int64_t period, int64_t to, int64_t apart) {
    g->out = arena_grow(g->a, g->out, g->n, &g->cap, 1, sizeof *g->out);
    box *one = &g->out[g->n++];
    const box_axis *old = &b->axis[g->dim];
    *one = *b;
    one->from += first * old->step;
    one->axis[g->dim] = (box_axis){to, size, apart, old->step * period};
}
static int64_t moved(const regroup *g, int64_t place) {
    int64_t in = place % (g->x * g->y);
    return place - in + in % g->y * g->x + in / g->y;
}
/* Runs of y that are not broken keep together, x apart. */
static bool by_runs(regroup *g, const box *b, int64_t lo, int64_t hi) {
    for (int64_t run = lo / g->y; run <= (hi - 1) / g->y; run++) {
        int64_t first, from = run * g->y > lo ? run * g->y : lo, to = (run + 1) * g->y < hi ? (run + 1) * g->y : hi;
        const box_axis *old = &b->axis[g->dim];
        int64_t size = cut(old, from, to, &first);
        if (!size) continue;
        if (g->n == MOST_BOXES) return false;
        put(g, b, first, size, 1, moved(g, old->at + first * old->apart), old->apart * g->x);
    }
    return true;
}
static int64_t divisor(int64_t a, int64_t b) { return b ? divisor(b, a % b) : a; }
/* Every y-th one, and those that follow it at y's distance, come to lie in a row. */
static bool by_classes(regroup *g, const box *b, int64_t lo, int64_t hi) {
    const box_axis *old = &b->axis[g->dim];
    int64_t first, size = cut(old, lo, hi, &first), period = g->y / divisor(g->y, old->apart);
    for (int64_t i = 0; i < period && i < size; i++) {
        if (g->n == MOST_BOXES) return false;
        put(g, b, first + i, (size - i - 1) / period + 1, period, moved(g, old->at + (first + i) * old->apart), period * old->apart / g->y);
    }
    return true;
}
bool value_regroup(arena *a, value *v, int dim, int64_t x, int64_t y) {
    regroup g = {.a = a, .dim = dim, .x = x, .y = y};
    if (x <= 1 || y <= 1) return true;
    int64_t group = x * y;
    for (size_t k = 0; k < v->n; k++) {
        const box *b = &v->boxes[k];
        const box_axis *old = &b->axis[dim];
        int64_t end = old->at + (old->size - 1) * old->apart + 1;
        for (int64_t o = old->at / group; o * group < end; o++) {
            int64_t lo = o * group > old->at ? o * group : old->at, hi = (o + 1) * group < end ? (o + 1) * group : end;
            if (!(x <= y ? by_runs(&g, b, lo, hi) : by_classes(&g, b, lo, hi))) return false;
        }
    }
    v->boxes = g.out;
    v->n = g.n;
    return true;
}
