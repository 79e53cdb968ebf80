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
    for (int i = 0; i < rank; i++) out->boxes->size[i] = shape[i], out->boxes->apart[i] = 1, out->boxes->step[i] = out->stride[i];
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
static int64_t cut(const box *b, int dim, int64_t lo, int64_t hi, int64_t *first) {
    int64_t at = b->at[dim], apart = b->apart[dim], end = hi > at ? (hi - at - 1) / apart + 1 : 0;
    *first = lo > at ? (lo - at - 1) / apart + 1 : 0;
    if (end > b->size[dim]) end = b->size[dim];
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
static int64_t last_place(const box *b, int dim) { return b->at[dim] + (b->size[dim] - 1) * b->apart[dim]; }
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
        size_t first = part_of(bounds, n, v->boxes[k].at[dim]), last = part_of(bounds, n, last_place(&v->boxes[k], dim));
        if ((all += last - first + 1) > MOST_BOXES) return false;
        for (size_t i = first; i <= last; i++) parts[i].n++;
    }
    box *room = arena_array(a, all, sizeof *room);
    for (size_t i = 0; i < n; room += parts[i++].n) parts[i].boxes = room;
    for (size_t i = 0; i < n; i++) parts[i].n = 0;
    for (size_t k = 0; k < v->n; k++) {
        const box *old = &v->boxes[k];
        for (size_t i = part_of(bounds, n, old->at[dim]), last = part_of(bounds, n, last_place(old, dim)); i <= last; i++) {
            int64_t first, size = cut(old, dim, bounds[i], bounds[i + 1], &first);
            if (!size) continue;
            box *b = &parts[i].boxes[parts[i].n++];
            *b = *old;
            b->from += first * old->step[dim];
            b->at[dim] = old->at[dim] + first * old->apart[dim] - bounds[i];
            b->size[dim] = size;
        }
    }
    return true;
}
static void copy_axis(box *to, int d, const box *from, int e) {
    to->step[d] = from->step[e];
    to->at[d] = from->at[e];
    to->size[d] = from->size[e];
    to->apart[d] = from->apart[e];
}
void value_drop(value *v, int dim) {
    v->rank--;
    for (int d = dim; d < v->rank; d++) v->shape[d] = v->shape[d + 1], v->stride[d] = v->stride[d + 1];
    for (size_t i = 0; i < v->n; i++)
        for (int d = dim; d < v->rank; d++) copy_axis(&v->boxes[i], d, &v->boxes[i], d + 1);
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
            const box *old = &v[i]->boxes[k];
            b->source = old->source, b->from = old->from;
            for (int d = 0; d < v[i]->rank; d++) copy_axis(b, d + (stacked && d >= dim), old, d);
            if (stacked) b->size[dim] = b->apart[dim] = 1, b->at[dim] = at;
            else b->at[dim] += at;
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
        box old = v->boxes[i];
        copy_axis(&v->boxes[i], x, &old, y);
        copy_axis(&v->boxes[i], y, &old, x);
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
    *one = *b;
    one->from += first * b->step[g->dim];
    one->step[g->dim] *= period;
    one->at[g->dim] = to;
    one->size[g->dim] = size;
    one->apart[g->dim] = apart;
}
/* Where element i of b goes. */
static int64_t moved(const regroup *g, const box *b, int64_t i) {
    int64_t place = b->at[g->dim] + i * b->apart[g->dim], in = place % (g->x * g->y);
    return place - in + in % g->y * g->x + in / g->y;
}
/* Runs of y that are not broken keep together, x apart. */
static bool by_runs(regroup *g, const box *b, int64_t lo, int64_t hi) {
    for (int64_t run = lo / g->y; run <= (hi - 1) / g->y; run++) {
        int64_t first, from = run * g->y > lo ? run * g->y : lo, to = (run + 1) * g->y < hi ? (run + 1) * g->y : hi;
        int64_t size = cut(b, g->dim, from, to, &first);
        if (!size) continue;
        if (g->n == MOST_BOXES) return false;
        put(g, b, first, size, 1, moved(g, b, first), b->apart[g->dim] * g->x);
    }
    return true;
}
static int64_t divisor(int64_t a, int64_t b) { return b ? divisor(b, a % b) : a; }
/* Every y-th one, and those that follow it at y's distance, come to lie in a row. */
static bool by_classes(regroup *g, const box *b, int64_t lo, int64_t hi) {
    int64_t first, apart = b->apart[g->dim], size = cut(b, g->dim, lo, hi, &first), period = g->y / divisor(g->y, apart);
    for (int64_t i = 0; i < period && i < size; i++) {
        if (g->n == MOST_BOXES) return false;
        put(g, b, first + i, (size - i - 1) / period + 1, period, moved(g, b, first + i), period * apart / g->y);
    }
    return true;
}
bool value_regroup(arena *a, value *v, int dim, int64_t x, int64_t y) {
    regroup g = {.a = a, .dim = dim, .x = x, .y = y};
    if (x <= 1 || y <= 1) return true;
    int64_t group = x * y;
    for (size_t k = 0; k < v->n; k++) {
        const box *b = &v->boxes[k];
        int64_t at = b->at[dim], end = last_place(b, dim) + 1;
        for (int64_t o = at / group; o * group < end; o++) {
            int64_t lo = o * group > at ? o * group : at, hi = (o + 1) * group < end ? (o + 1) * group : end;
            if (!(x < y ? by_runs(&g, b, lo, hi) : by_classes(&g, b, lo, hi))) return false;
        }
    }
    v->boxes = g.out;
    v->n = g.n;
    return true;
}
