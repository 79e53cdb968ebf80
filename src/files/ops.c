#include "ops.h"
#include "../config/cfg.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct bundle { /* what upstream's dict has under a name: a tensor, or a list of them */
    const char *name;
    value *v;
    size_t n;
    bool list;
} bundle;
typedef struct running {
    const op_work *w;
    arena *a;
    const transform *t;
    const layout_op *op;
    bundle *now;
    size_t n;
} running;

/* ---- refusing ---- */

static bool refuse(const running *r, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
static bool refuse(const running *r, const char *code, const char *format, ...) {
    char why[400];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    bool tensors = !strcmp(code, "conversion");
    error_set(r->w->p->err, TARE_BAD, code, tensors ? r->w->key : NULL, "the layout rule for \"%.200s\" %s", r->t->from[0], why);
    return false;
}
static bool undefined(const running *r, const char *why) { return refuse(r, "bad_layout", "%s", why); }
static bool too_large(const running *r) {
    return refuse(r, "too_large", r->w->backward ? "would write more than two million tensors" : "would put together more than two million pieces");
}

enum { SHAPE_TEXT = MOST_RANK * 22 + 3 };
static const char *shape_text(int rank, const int64_t *shape, char out[SHAPE_TEXT]) {
    size_t n = 0;
    out[n++] = '[';
    for (int i = 0; i < rank; i++) n += (size_t)snprintf(out + n, SHAPE_TEXT - n, "%s%" PRId64, i ? ", " : "", shape[i]);
    out[n++] = ']';
    out[n] = 0;
    return out;
}
/* "..., and here is [2, 3]" */
static bool refuse_shape(const running *r, const char *why, const value *v) {
    char shape[SHAPE_TEXT];
    return refuse(r, "conversion", "%s, and here is %s", why, shape_text(v->rank, v->shape, shape));
}
static bool refuse_pair(const running *r, const char *why, const value *x, const value *y) {
    char one[SHAPE_TEXT], other[SHAPE_TEXT];
    return refuse(r, "conversion", "%s, and here are %s and %s", why, shape_text(x->rank, x->shape, one), shape_text(y->rank, y->shape, other));
}
/* A dimension as torch counts it, from the end where it is negative. */
static bool dim_of(const running *r, const value *v, int rank, int dim, int *out) {
    *out = dim < 0 ? dim + rank : dim;
    if (*out >= 0 && *out < rank) return true;
    char shape[SHAPE_TEXT];
    return refuse(r, "conversion", "needs dimension %d, and here is %s", dim, shape_text(v->rank, v->shape, shape));
}

/* ---- bundles ---- */

static void set_now(running *r, bundle *now, size_t n) {
    r->now = now;
    r->n = n;
}
static bundle single(const running *r, const char *name, const value *v) {
    bundle b = {.name = name, .v = arena_new(r->a, value), .n = 1};
    *b.v = *v;
    return b;
}
static void set_single(running *r, const char *name, const value *v) {
    bundle *b = arena_new(r->a, bundle);
    *b = single(r, name, v);
    set_now(r, b, 1);
}
static const bundle *bundle_of(const running *r, const char *name) {
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->now[i].name, name)) return &r->now[i];
    return NULL;
}
static const char *numbered(const running *r, const char *pattern, int64_t i) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, i);
    return text_replace(r->a, pattern, "*", digits, true);
}
static bool only_one(const running *r) { return r->n == 1 || undefined(r, "takes one tensor, and here are several"); }

/* ---- parts and wholes ---- */

static const int64_t *equal_bounds(arena *a, int64_t size, int64_t share, int64_t parts) {
    int64_t *bounds = arena_array(a, (size_t)parts + 1, sizeof *bounds);
    for (int64_t i = 1; i <= parts; i++) bounds[i] = size - bounds[i - 1] < share ? size : bounds[i - 1] + share;
    return bounds;
}
/* torch.chunk: equal parts, as many as asked for; the last may be short, or missing. */
static value *chunks(running *r, const value *v, int dim, int64_t *n) {
    if (*n < 1) return refuse(r, "conversion", "asks for %" PRId64 " parts", *n), NULL;
    if (*n > MOST_ENTRIES) return too_large(r), NULL;
    if (!dim_of(r, v, v->rank, dim, &dim)) return NULL;
    int64_t size = v->shape[dim], share = size / *n + (size % *n != 0);
    if (size) *n = size / share + (size % share != 0);
    value *parts = arena_array(r->a, (size_t)*n, sizeof *parts);
    return value_split(r->a, v, dim, equal_bounds(r->a, size, share, *n), (size_t)*n, parts) ? parts : (too_large(r), NULL);
}
/* torch.unbind: all slices along a dimension, without it. */
static value *slices(running *r, const value *v, int dim, int64_t *n) {
    if (!dim_of(r, v, v->rank, dim, &dim)) return NULL;
    *n = v->shape[dim];
    if (*n > MOST_ENTRIES) return too_large(r), NULL;
    value *parts = arena_array(r->a, (size_t)*n, sizeof *parts);
    if (!value_split(r->a, v, dim, equal_bounds(r->a, *n, 1, *n), (size_t)*n, parts)) return too_large(r), NULL;
    for (int64_t i = 0; i < *n; i++) value_drop(&parts[i], dim);
    return parts;
}
static bool joined(running *r, value *const *v, size_t n, int dim, bool stacked, value *out) {
    return value_join(r->a, v, n, dim, stacked, out) || too_large(r);
}
static bool same_shape(const value *x, const value *y) {
    return x->rank == y->rank && !memcmp(x->shape, y->shape, (size_t)x->rank * sizeof *x->shape);
}
static bool stack(running *r, value *v, size_t n, int dim, value *out) {
    if (!n) return refuse(r, "conversion", "stacks tensors, and here is none");
    if (v->rank == MOST_RANK) return refuse_shape(r, "would make too many dimensions", v);
    if (!dim_of(r, v, v->rank + 1, dim, &dim)) return false;
    value **all = arena_array(r->a, n, sizeof *all);
    for (size_t i = 0; i < n; i++) {
        all[i] = &v[i];
        if (!same_shape(v, &v[i])) return refuse_pair(r, "stacks tensors of one shape", v, &v[i]);
    }
    return joined(r, all, n, dim, true, out);
}
/* torch.cat: it passes over tensors of shape [0], whatever the others are. */
static bool cat(running *r, value **v, size_t n, int dim, value *out) {
    size_t kept = 0;
    if (!n) return refuse(r, "conversion", "joins tensors, and here is none");
    for (size_t i = 0; i < n; i++)
        if (!v[i]->rank) return refuse_shape(r, "joins tensors along a dimension", v[i]);
    value *first = v[0];
    for (size_t i = 0; i < n; i++)
        if (v[i]->rank != 1 || v[i]->shape[0]) v[kept++] = v[i];
    if (!kept) v[kept++] = first;
    if (!dim_of(r, v[0], v[0]->rank, dim, &dim)) return false;
    for (size_t i = 1; i < kept; i++) {
        bool fits = v[i]->rank == v[0]->rank;
        for (int k = 0; fits && k < v[0]->rank; k++) fits = k == dim || v[i]->shape[k] == v[0]->shape[k];
        if (!fits) return refuse_pair(r, "joins tensors that differ in one dimension alone", v[0], v[i]);
    }
    return joined(r, v, kept, dim, false, out);
}

/* ---- MergeModulelist ---- */

/* Alone, or first in a chain: then patterns of several tensors stay as they are for those that follow. */
static bool merge(running *r) {
    if (r->n == 1 && r->t->to_n != 1) return undefined(r, "has more names than tensors");
    bundle *out = arena_array(r->a, r->n, sizeof *out);
    for (size_t i = 0; i < r->n; i++) {
        value v;
        if (!r->now[i].list) v = *r->now[i].v;
        else if (!stack(r, r->now[i].v, r->now[i].n, r->op->dim, &v)) return false;
        out[i] = single(r, r->n == 1 ? r->t->to[0] : r->now[i].name, &v);
    }
    set_now(r, out, r->n);
    return true;
}
static bool unmerge(running *r) {
    bundle *out = NULL;
    size_t n = 0, cap = 0;
    if (r->n == 1 && r->t->to_n != 1) return undefined(r, "has more names than tensors");
    for (size_t i = 0; i < r->n; i++) {
        int64_t parts;
        value *v = slices(r, r->now[i].v, r->op->dim, &parts);
        if (!v) return false;
        if (!parts) return refuse_shape(r, "takes a list apart", r->now[i].v); /* torch.chunk refuses to make no part */
        out = arena_grow(r->a, out, n, &cap, (size_t)parts, sizeof *out);
        const char *pattern = r->n == 1 ? r->t->to[0] : r->now[i].name;
        for (int64_t k = 0; k < parts; k++) out[n++] = (bundle){.name = numbered(r, pattern, k), .v = &v[k], .n = 1};
    }
    set_now(r, out, n);
    return true;
}

/* ---- Concatenate, Chunk, Split ---- */

static bool concatenate(running *r) {
    size_t all = 0, n = 0;
    if (r->t->to_n != 1) return undefined(r, "joins tensors, and has several names for the whole");
    for (size_t i = 0; i < r->n; i++) all += r->now[i].n;
    value **v = arena_array(r->a, all, sizeof *v), whole;
    for (size_t i = 0; i < r->t->from_n; i++) {
        const bundle *b = bundle_of(r, r->t->from[i]);
        for (size_t k = 0; b && k < b->n && n < all; k++) v[n++] = &b->v[k];
    }
    if (!cat(r, v, n, r->op->dim, &whole)) return false;
    set_single(r, r->t->to[0], &whole);
    return true;
}
static bool number_of(const running *r, const cfg *c, const char *key, int64_t *out) {
    val v = c ? cfg_get(c, key) : (val){0};
    if (v.kind == VAL_BOOL) v = val_int(v.b);
    if (v.kind != VAL_INT) return refuse(r, "conversion", "needs the config's %.100s, which is %s", key, v.kind ? "no integer" : "not there");
    *out = v.i;
    return true;
}
static bool chunk(running *r) {
    if (!only_one(r)) return false;
    int64_t n = (int64_t)r->t->to_n;
    if (r->op->attribute) {
        if (n > 1) return undefined(r, "has several names for parts that the config counts");
        val text = r->w->config ? cfg_text_part(r->w->config, false) : (val){0};
        if (!number_of(r, text.kind == VAL_CFG ? text.cfg : r->w->config, r->op->attribute, &n)) return false;
    }
    value *parts = chunks(r, r->now->v, r->op->dim, &n);
    if (!parts) return false;
    bundle *out = arena_array(r->a, (size_t)n, sizeof *out);
    for (int64_t i = 0; i < n; i++) {
        value_settle(r->a, &parts[i]);
        out[i] = (bundle){.name = r->op->attribute ? numbered(r, r->t->to[0], i) : r->t->to[i], .v = &parts[i], .n = 1};
    }
    set_now(r, out, (size_t)n);
    return true;
}
static bool parameter(const running *r, const char *key, int *rank, const int64_t **shape) {
    if (r->w->shape_of && r->w->shape_of(r->w->to, key, rank, shape)) return true;
    return refuse(r, "conversion", "asks for the model's parameter %.200s, which is not there", key);
}
/* Parts of the sizes that the model's parameters have. */
static bool split(running *r) {
    if (!only_one(r)) return false;
    const value *v = r->now->v;
    size_t n = r->t->to_n;
    int dim, rank;
    const int64_t *shape;
    int64_t *bounds = arena_array(r->a, n + 1, sizeof *bounds);
    if (!dim_of(r, v, v->rank, r->op->dim, &dim)) return false;
    for (size_t i = 0; i < n; i++) {
        if (!parameter(r, text_replace(r->a, r->w->key, r->t->to[0], r->t->to[i], true), &rank, &shape)) return false;
        int own = r->op->dim < 0 ? r->op->dim + rank : r->op->dim;
        if (own < 0 || own >= rank) return refuse(r, "conversion", "needs dimension %d of a parameter that has %d", r->op->dim, rank);
        if (shape[own] > v->shape[dim] - bounds[i]) return refuse_shape(r, "splits into more than there is", v);
        bounds[i + 1] = bounds[i] + shape[own];
    }
    if (bounds[n] != v->shape[dim]) return refuse_shape(r, "splits into less than there is", v);
    value *parts = arena_array(r->a, n, sizeof *parts);
    bundle *out = arena_array(r->a, n, sizeof *out);
    if (!value_split(r->a, v, dim, bounds, n, parts)) return too_large(r);
    for (size_t i = 0; i < n; i++) {
        value_settle(r->a, &parts[i]);
        out[i] = (bundle){.name = r->t->to[i], .v = &parts[i], .n = 1};
    }
    set_now(r, out, n);
    return true;
}

/* ---- Transpose, Interleave, PermuteForRope ---- */

static bool transpose(running *r) {
    value v = *r->now->v;
    const char *name = r->t->to[0];
    int x, y, rank;
    const int64_t *shape;
    if (!only_one(r)) return false;
    if (r->t->to_n > 1) name = r->t->from[0];
    if (r->t->to_n > 1 && r->t->from_n > 1) return undefined(r, "transposes between several names on both sides");
    if (r->op->check_dims) {
        if (!parameter(r, r->w->key, &rank, &shape)) return false;
        if (rank == v.rank && !memcmp(shape, v.shape, (size_t)rank * sizeof *shape)) return set_single(r, name, &v), true;
    }
    int rank_taken = v.rank ? v.rank : 1; /* torch lets a scalar pass for a row here */
    if (!dim_of(r, &v, rank_taken, r->op->dim, &x) || !dim_of(r, &v, rank_taken, r->op->dim1, &y)) return false;
    value_swap(r->a, &v, x, y);
    value_settle(r->a, &v);
    set_single(r, name, &v);
    return true;
}
/* [outer, x, y] to [outer, y, x] inside of a dimension; where that changes nothing it stays a view. */
static bool regroup(running *r, value *v, int dim, int64_t x, int64_t y) {
    if (!value_regroup(r->a, v, dim, x, y)) return too_large(r);
    if (x > 1 && y > 1 && v->elements) value_copy(r->a, v);
    return true;
}
/* a0 b0 a1 b1 to a0 a1 b0 b1. */
static bool interleave(running *r) {
    value v = *r->now->v;
    int dim;
    if (!dim_of(r, &v, v.rank, r->op->dim, &dim)) return false;
    int64_t size = v.shape[dim];
    if (size % 2 && v.elements) return refuse_shape(r, "sorts pairs along a dimension", &v);
    if (!regroup(r, &v, dim, r->w->backward ? 2 : size / 2, r->w->backward ? size / 2 : 2)) return false;
    value_settle(r->a, &v);
    set_single(r, r->t->to[0], &v);
    return true;
}
static bool heads_of(const running *r, int64_t *heads) {
    const cfg *c = r->w->config;
    val sub = c && r->op->attribute ? cfg_get(c, r->op->attribute) : (val){0};
    *heads = 1;
    if (sub.kind == VAL_CFG) c = sub.cfg;
    else if (sub.kind != VAL_ABSENT) return true; /* null and the like have no such attribute */
    if (!c || cfg_get(c, "num_attention_heads").kind == VAL_ABSENT) return true;
    return number_of(r, c, "num_attention_heads", heads);
}
static bool permute(running *r, value *v) {
    int64_t heads, size = v->rank ? v->shape[0] : 0;
    if (!v->rank) return refuse_shape(r, "sorts the rows of heads", v);
    if (!heads_of(r, &heads)) return false;
    if (v->rank > 2 || !v->elements) return heads != 0 || refuse_shape(r, "sorts the rows of 0 heads", v);
    if (heads < 1 || size % heads || size / heads % 2) {
        char shape[SHAPE_TEXT];
        return refuse(r, "conversion", "sorts the rows of %" PRId64 " heads in pairs, and here is %s", heads, shape_text(v->rank, v->shape, shape));
    }
    int64_t half = size / heads / 2;
    return regroup(r, v, 0, r->w->backward ? 2 : half, r->w->backward ? half : 2);
}
static bool named(const char *const *words, const char *name) {
    for (; *words; words++)
        if (strstr(name, *words)) return true;
    return false;
}
static bool permute_for_rope(running *r) {
    bool alone = r->t->from_n == 1 && r->t->to_n == 1;
    if (!alone && r->t->from_n > 1 && r->t->to_n > 1) return undefined(r, "sorts rows between several names on both sides");
    bundle *out = arena_array(r->a, r->n, sizeof *out);
    for (size_t i = 0; i < r->n; i++) {
        const bundle *b = &r->now[i];
        out[i] = *b;
        if (!r->op->only || named(r->op->only, b->name)) {
            if (b->n > 1) return undefined(r, "sorts the rows of one tensor, and here are several");
            out[i] = single(r, b->name, b->v);
            if (!permute(r, out[i].v)) return false;
        }
        if (alone) out[i].name = r->t->to[0];
    }
    set_now(r, out, r->n);
    return true;
}

/* ---- ErnieFuseAndSplitTextVisionExperts ---- */

static const bundle *needed(const running *r, const char *name) {
    const bundle *b = bundle_of(r, name);
    if (!b) refuse(r, "conversion", "needs tensors for \"%.100s\", and here is none", name);
    return b;
}
/* Each list of experts is halved, for text and for vision; the halves are stacked, and joined over the lists. */
static bool fuse_text_vision(running *r) {
    size_t lists = r->t->from_n, parts = r->t->to_n;
    bundle *out = arena_array(r->a, parts, sizeof *out);
    value *stacked = arena_array(r->a, lists, sizeof *stacked), **all = arena_array(r->a, lists, sizeof *all), whole;
    for (size_t i = 0; i < parts; i++) {
        for (size_t k = 0; k < lists; k++) {
            const bundle *b = needed(r, r->t->from[k]);
            if (!b) return false;
            size_t share = b->n / parts + (b->n % parts != 0), first = i * share, left = first < b->n ? b->n - first : 0;
            if (!stack(r, b->v + (left ? first : 0), left < share ? left : share, r->op->dim, &stacked[k])) return false;
            all[k] = &stacked[k];
        }
        if (!cat(r, all, lists, r->op->dim1, &whole)) return false;
        out[i] = single(r, r->t->to[i], &whole);
    }
    set_now(r, out, parts);
    return true;
}
static bool part_text_vision(running *r) {
    size_t wholes = r->t->from_n, lists = r->t->to_n, n = 0, cap = 0;
    bundle *out = NULL;
    value **parts = arena_array(r->a, wholes, sizeof *parts);
    for (size_t k = 0; k < wholes; k++) {
        int64_t count = (int64_t)lists;
        const bundle *b = needed(r, r->t->from[k]);
        if (!b || !(parts[k] = chunks(r, b->v, r->op->dim1, &count))) return false;
        if (count < (int64_t)lists) return refuse_shape(r, "divides into more parts than there are", b->v);
    }
    for (size_t i = 0; i < lists; i++)
        for (size_t k = 0, number = 0; k < wholes; k++) {
            int64_t count;
            value *v = slices(r, &parts[k][i], r->op->dim, &count);
            if (!v) return false;
            out = arena_grow(r->a, out, n, &cap, (size_t)count, sizeof *out);
            for (int64_t e = 0; e < count; e++) out[n++] = (bundle){.name = numbered(r, r->t->to[i], (int64_t)number++), .v = &v[e], .n = 1};
        }
    set_now(r, out, n);
    return true;
}

/* ---- running ---- */

static bool run_one(running *r) {
    bool back = r->w->backward;
    switch (r->op->what) {
    case OP_MERGE_MODULELIST: return back ? unmerge(r) : merge(r);
    case OP_CONCATENATE: return back ? chunk(r) : concatenate(r);
    case OP_CHUNK: return back ? concatenate(r) : chunk(r);
    case OP_SPLIT: return back ? concatenate(r) : split(r);
    case OP_TRANSPOSE: return transpose(r);
    case OP_INTERLEAVE: return interleave(r);
    case OP_PERMUTE_FOR_ROPE: return permute_for_rope(r);
    case OP_ERNIE_TEXT_VISION: return back ? part_text_vision(r) : fuse_text_vision(r);
    case OP_END: break;
    }
    return undefined(r, "converts by an operation that is not known");
}
static const char *between(arena *a, const char *before, size_t n, const char *name, const char *after) {
    size_t name_n = strlen(name), after_n = strlen(after);
    char *out = arena_alloc(a, n + name_n + after_n + 1);
    memcpy(out, before, n);
    memcpy(out + n, name, name_n);
    memcpy(out + n + name_n, after, after_n);
    return out;
}
/* What stands around the first name that is part of the key stands around all of them. */
static void complete(const running *r, op_outputs *out) {
    const char *full = text_replace(r->a, r->w->key, "*.", "0.", true), *at = NULL;
    size_t found = 0;
    while (found < r->n && !(at = strstr(full, r->now[found].name))) found++;
    *out = (op_outputs){arena_array(r->a, r->n, sizeof *out->v), r->n};
    for (size_t i = 0; i < r->n; i++) {
        const char *name = r->now[i].name;
        if (at) name = between(r->a, full, (size_t)(at - full), name, at + strlen(r->now[found].name));
        out->v[i] = (op_output){name, *r->now[i].v};
    }
}
bool ops_run(const op_work *w, const op_input *inputs, size_t n, op_outputs *out) {
    running r = {.w = w, .a = w->p->a, .t = w->t, .n = n};
    size_t count = 0;
    bool many = false;
    for (; w->ops[count].what != OP_END; count++) many |= w->ops[count].what == OP_ERNIE_TEXT_VISION;
    if (!count) return undefined(&r, "converts by no operation");
    if (r.t->from_n > 1 && r.t->to_n > 1 && !many) return undefined(&r, "has several names on both sides");
    r.now = arena_array(r.a, n, sizeof *r.now);
    for (size_t i = 0; i < n; i++) r.now[i] = (bundle){inputs[i].pattern, inputs[i].values, inputs[i].n, true};
    for (size_t i = 0; i < count; i++) {
        r.op = &w->ops[w->backward ? count - 1 - i : i];
        if (!r.n) return refuse(&r, "conversion", "needs a tensor, and here is none");
        if (!run_one(&r)) return false;
    }
    complete(&r, out);
    return true;
}
