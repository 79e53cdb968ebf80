#include "undo.h"
#include <inttypes.h>
#include <string.h>

bool view_of(const tensor_node *t, view *out) {
    *out = (view){.rank = t->rank, .storage = t->elements};
    if (t->rank > MOST_RANK) return false;
    int64_t below = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        out->size[i] = t->shape[i];
        out->step[i] = below;
        below *= t->shape[i]; /* the builder checked the product */
    }
    return true;
}

typedef struct undoing {
    patterns *p;
    const transform *t;
    named_views now;
} undoing;

static bool refuse(const undoing *u, const char *code, const char *why) {
    error_set(u->p->err, TARE_BAD, code, NULL, "the layout rule for \"%.200s\" %.200s", u->t->from[0], why);
    return false;
}
static bool has_dim(const undoing *u, int dim) {
    for (size_t i = 0; i < u->now.n; i++)
        if (dim < 0 || dim >= u->now.v[i].v.rank) return refuse(u, "bad_layout", "names a dimension that its tensor does not have");
    return true;
}
static bool room_for(undoing *u, int64_t n, named_views *out) {
    if (n > MOST_ENTRIES) return refuse(u, "too_large", "would write more than two million tensors");
    *out = (named_views){.v = arena_array(u->p->a, (size_t)n, sizeof *out->v)};
    return true;
}
/* Parts that do not lie in one piece are copied, which makes a storage of each. */
static void copy_where_scattered(view *v, size_t copy) {
    int64_t run = 1;
    bool scattered = false;
    for (int i = v->rank - 1; i >= 0; i--) {
        scattered |= v->size[i] != 1 && v->step[i] != run;
        run *= v->size[i];
    }
    if (scattered && run) v->copy = copy, v->storage = run;
}
/* Chunk: equal parts, as many as there are names; the last may be short, or missing. */
static bool undo_concatenate(undoing *u, int dim) {
    named_views out;
    if (u->now.n != 1) return refuse(u, "bad_layout", "takes one tensor, and here are several");
    if (!has_dim(u, dim) || !room_for(u, (int64_t)u->t->to_n, &out)) return false;
    view whole = u->now.v[0].v;
    int64_t n = whole.size[dim], parts = (int64_t)u->t->to_n, share = n / parts + (n % parts != 0);
    for (int64_t i = 0, at = 0; i < parts && (at < n || !n); i++, at += share) {
        view v = whole;
        v.from += at * v.step[dim];
        v.size[dim] = share < n - at ? share : n - at;
        copy_where_scattered(&v, (size_t)i + 1);
        out.v[out.n++] = (named_view){u->t->to[i], v};
    }
    u->now = out;
    return true;
}
static void drop_dim(view *v, int dim) {
    v->rank--;
    for (int i = dim; i < v->rank; i++) v->size[i] = v->size[i + 1], v->step[i] = v->step[i + 1];
}
/* SplitModulelist: one tensor for each index, which takes the place of the star. */
static bool undo_merge(undoing *u, int dim) {
    named_views out, now = u->now;
    int64_t all = 0;
    if (now.n == 1 && u->t->to_n != 1) return refuse(u, "bad_layout", "has more names than tensors");
    if (!has_dim(u, dim)) return false;
    for (size_t i = 0; i < now.n; i++)
        if (__builtin_add_overflow(all, now.v[i].v.size[dim], &all)) all = INT64_MAX;
    if (!room_for(u, all, &out)) return false;
    for (size_t i = 0; i < now.n; i++) {
        const char *name = now.n == 1 ? u->t->to[0] : now.v[i].name;
        for (int64_t k = 0; k < now.v[i].v.size[dim]; k++) {
            view v = now.v[i].v;
            v.from += k * v.step[dim];
            drop_dim(&v, dim);
            out.v[out.n++] = (named_view){text_replace(u->p->a, name, "*", arena_printf(u->p->a, "%" PRId64, k), true), v};
        }
    }
    u->now = out;
    return true;
}
static bool undo(undoing *u, const layout_op *op) {
    if (op->what == OP_MERGE_MODULELIST) return undo_merge(u, op->dim);
    if (op->what == OP_CONCATENATE && !op->attribute) return undo_concatenate(u, op->dim);
    return refuse(u, "not_available", "needs an operation that is not in this release");
}
/* What stands around the first name that is part of the key stands around all of them. */
static void complete_names(undoing *u, const char *key) {
    arena *a = u->p->a;
    const char *full = text_replace(a, key, "*.", "0.", true), *at = NULL;
    size_t found = 0;
    while (found < u->now.n && !(at = strstr(full, u->now.v[found].name))) found++;
    if (!at) return;
    const char *before = arena_text(a, full, (size_t)(at - full)), *after = at + strlen(u->now.v[found].name);
    for (size_t i = 0; i < u->now.n; i++) u->now.v[i].name = arena_printf(a, "%s%s%s", before, u->now.v[i].name, after);
}
bool undo_ops(patterns *p, const layout_op *ops, const transform *t, size_t which, const char *key, const view *whole, named_views *out) {
    undoing u = {.p = p, .t = t, .now = {arena_new(p->a, named_view), 1}};
    u.now.v[0] = (named_view){t->from[which], *whole};
    size_t n = 0;
    while (ops[n].what != OP_END) n++;
    if (!n) return refuse(&u, "bad_layout", "converts by no operation");
    if (t->from_n > 1) return refuse(&u, "not_available", "makes several tensors of the model from one, which is not in this release");
    while (n--)
        if (!undo(&u, &ops[n])) return false;
    complete_names(&u, key);
    *out = u.now;
    return true;
}
