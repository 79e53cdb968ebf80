#include "run.h"
#include "draw.h"
#include "orthogonal.h"
#include "philox.h"
#include "values.h"
#include "formula.h"
#include "../core/error.h"
#include <stdlib.h>
#include <string.h>

typedef struct runner {
    const init_plan *p;
    const init_how *how;
    const init_out *out;
    rng *g; /* NULL: philox */
    tare_error *err;
} runner;

static size_t item_bytes(const tensor_node *t) { return tare_dtype_bytes((tare_dtype)t->dtype); }
static uint64_t all_bytes(const tensor_node *t) { return (uint64_t)t->elements * item_bytes(t); }
static void *room(runner *r, uint64_t bytes) {
    void *p = tarei_malloc((size_t)bytes);
    if (!p) error_set(r->err, TARE_IO, "out_of_memory", NULL, "out of memory: a tensor of %llu bytes does not fit", (unsigned long long)bytes);
    return p;
}

/* ---- handing over ---- */

typedef struct handing { const runner *r; size_t slot, item; } handing;
static bool hand_over(void *to, uint64_t first, uint64_t n, const void *bytes) {
    const handing *h = to;
    return h->r->out->piece(h->r->out->to, h->slot, first * h->item, bytes, (size_t)n * h->item);
}
enum { PIECE = 1 << 20 };
/* A value that is the same all over: one piece of it, as often as it takes. */
static bool hand_over_constant(runner *r, const init_op *op, uint64_t first, uint64_t n, const char *element) {
    size_t item = item_bytes(op->t), most = PIECE / item;
    char *piece = room(r, (n < most ? n : most) * item);
    bool ok = piece != NULL;
    for (size_t i = 0; ok && i < (n < most ? n : most); i++) memcpy(piece + i * item, element, item);
    for (uint64_t at = 0; ok && at < n; at += most)
        ok = r->out->piece(r->out->to, op->slot, (first + at) * item, piece, (size_t)(n - at < most ? n - at : most) * item);
    free(piece);
    return ok;
}
static bool is_constant(const fill *f) { return f->op == MADE_ZEROS || f->op == MADE_ONES || f->op == MADE_FULL; }

/* ---- formulas ---- */

/* The elements that an op fills: a row, or all of them. */
typedef struct range { uint64_t from, n; } range;
static range range_of(const init_op *op) {
    uint64_t rows = op->fill->row ? (uint64_t)op->t->shape[0] : 1, n = (uint64_t)op->t->elements / rows;
    return (range){op->fill->row ? (uint64_t)(op->fill->row - 1) * n : 0, n};
}
static bool element_of(runner *r, const init_op *op, char element[16]) {
    int64_t one_shape = 1;
    tensor_node one = *op->t;
    one.rank = 1, one.shape = &one_shape, one.elements = 1;
    return value_fill(&one, op->fill->formula, element, r->err);
}

static bool constant(runner *r, const init_op *op, char *memory) {
    size_t item = item_bytes(op->t);
    range part = range_of(op);
    char element[16];
    if (!element_of(r, op, element)) return false;
    if (!memory) return hand_over_constant(r, op, part.from, part.n, element);
    for (uint64_t i = part.from; i < part.from + part.n; i++) memcpy(memory + i * item, element, item);
    return true;
}
static bool formula(runner *r, const init_op *op, char *memory) {
    if (is_constant(op->fill->formula)) return constant(r, op, memory);
    if (memory) return value_fill(op->t, op->fill->formula, memory, r->err);
    char *whole = room(r, all_bytes(op->t));
    bool ok = whole && value_fill(op->t, op->fill->formula, whole, r->err) && r->out->piece(r->out->to, op->slot, 0, whole, (size_t)all_bytes(op->t));
    free(whole);
    return ok;
}

/* ---- draws ---- */

static bool is_orthogonal(const init_op *op) { return op->fill->kind == FILL_ORTHOGONAL; }
static bool is_drawn(const init_op *op) { return op->fill->kind != FILL_FORMULA && op->fill->kind != FILL_MAGNITUDE; }
static bool is_mapped(const init_op *op) { return op->fill->kind != FILL_FORMULA && op->fill->formula && op->fill->formula->op == MADE_MAPPED; }
static bool is_truncated(const init_op *op) { return op->fill->kind == FILL_TRUNC_NORMAL; }
/* A matrix that becomes orthogonal begins as normal draws in float32 at least. */
static draw draw_of(const init_op *op) {
    const init_fill *f = op->fill;
    draw d = {.kind = f->kind == FILL_UNIFORM ? DRAW_UNIFORM : DRAW_NORMAL, .dtype = (tare_dtype)op->t->dtype, .n = (uint64_t)op->t->elements};
    d.a = is_orthogonal(op) ? 0 : f->a;
    d.b = is_orthogonal(op) ? 1 : f->b;
    if (is_orthogonal(op) && d.dtype != TARE_F64) d.dtype = TARE_F32;
    if (is_mapped(op)) d.dtype = (tare_dtype)mapped_dtype(op->t, f->formula);
    return d;
}
static draw draw_now(const runner *r, const init_op *op) {
    draw d = draw_of(op);
    d.go_on = r->how->go_on, d.go_on_to = r->how->go_on_to;
    return d;
}
static const char *name_of(const init_how *how, size_t slot) {
    const tare_item *item = &how->items[slot];
    return item->owner ? item->owner : item->path;
}
static void undrawn(runner *r, const init_op *op) {
    const init_fill *f = op->fill;
    if (is_truncated(op) && (!(f->b > 0) || f->low > f->high))
        error_set(r->err, TARE_BAD, "bad_value", NULL, "a truncated normal of std %g between %g and %g cannot be drawn", f->b, f->low, f->high);
    else error_set(r->err, TARE_IO, "out_of_memory", NULL, "out of memory while drawing %lld elements", (long long)op->t->elements);
}
static bool draw_values(runner *r, const init_op *op, uint64_t first, uint64_t n, void *memory) {
    draw d = draw_now(r, op);
    const init_how *how = r->how;
    double low = op->fill->low, high = op->fill->high;
    bool ok = true;
    if (how->philox && is_truncated(op)) ok = philox_trunc(how->seed, name_of(how, op->slot), &d, low, high, first, n, how->threads, memory);
    else if (how->philox) philox_fill(how->seed, name_of(how, op->slot), &d, first, n, how->threads, memory);
    else if (is_truncated(op)) ok = draw_trunc(r->g, &d, low, high, how->threads, memory);
    else ok = draw_fill(r->g, &d, how->threads, memory);
    if (!ok) undrawn(r, op);
    return ok;
}
/* Made orthogonal in double, then rounded to the tensor's dtype. */
static bool draw_orthogonal(runner *r, const init_op *op, void *memory) {
    const tensor_node *t = op->t;
    draw d = draw_of(op);
    size_t n = (size_t)t->elements, rows = (size_t)t->shape[0];
    void *drawn = room(r, n * tare_dtype_bytes(d.dtype));
    double *matrix = drawn ? room(r, n * sizeof *matrix) : NULL;
    bool ok = matrix && draw_values(r, op, 0, n, drawn);
    for (size_t i = 0; ok && i < n; i++) matrix[i] = values_get(r->g->lanes, d.dtype, drawn, i);
    ok = ok && orthogonal(matrix, rows, n / rows, op->fill->a, r->err);
    if (ok) values_cast(r->g->lanes, (tare_dtype)t->dtype, matrix, n, memory);
    free(matrix);
    free(drawn);
    return ok;
}
static bool draw_mapped(runner *r, const init_op *op, void *memory) {
    draw d = draw_of(op);
    void *drawn = room(r, d.n * tare_dtype_bytes(d.dtype));
    bool ok = drawn && draw_values(r, op, 0, d.n, drawn) && value_mapped(op->t, op->fill->formula, drawn, memory, r->err);
    free(drawn);
    return ok;
}
static bool draw_whole(runner *r, const init_op *op, void *memory) {
    if (is_mapped(op)) return draw_mapped(r, op, memory);
    return is_orthogonal(op) ? draw_orthogonal(r, op, memory) : draw_values(r, op, 0, (uint64_t)op->t->elements, memory);
}
/* Without an order, a piece is drawn by all threads at once, then handed over. */
static bool philox_in_pieces(runner *r, const init_op *op, handing *h) {
    enum { ELEMENTS = 4 << 20 };
    uint64_t all = (uint64_t)op->t->elements, most = all < ELEMENTS ? all : ELEMENTS;
    void *piece = room(r, most * h->item);
    bool ok = piece != NULL;
    for (uint64_t at = 0; ok && at < all; at += most) {
        uint64_t n = all - at < most ? all - at : most;
        ok = draw_values(r, op, at, n, piece) && hand_over(h, at, n, piece);
    }
    free(piece);
    return ok;
}
static bool draw_in_pieces(runner *r, const init_op *op) {
    draw d = draw_now(r, op);
    handing h = {r, op->slot, item_bytes(op->t)};
    return r->how->philox ? philox_in_pieces(r, op, &h) : draw_stream(r->g, &d, r->how->threads, hand_over, &h);
}
/* What torch redraws depends on all of the tensor. */
static bool needs_all(const runner *r, const init_op *op) {
    draw d = draw_of(op);
    if (op->magnitude != NO_OP || is_orthogonal(op) || is_mapped(op)) return true;
    return is_truncated(op) && !r->how->philox && !draw_trunc_cannot_reject(&d, op->fill->low, op->fill->high);
}
static bool give(runner *r, size_t slot, const tensor_node *t, const void *bytes) {
    void *memory = r->out->memory(r->out->to, slot);
    if (memory) memcpy(memory, bytes, (size_t)all_bytes(t));
    return memory || r->out->piece(r->out->to, slot, 0, bytes, (size_t)all_bytes(t));
}
static bool magnitude(runner *r, const init_op *op, const void *direction) {
    const init_op *m = &r->p->ops[op->magnitude];
    if (!m->live) return true;
    void *norms = room(r, all_bytes(m->t));
    bool ok = norms && value_magnitude(direction, op->t, (int)m->fill->formula->row - 1, m->t, norms, r->err) && give(r, m->slot, m->t, norms);
    free(norms);
    return ok;
}
static bool drawn(runner *r, const init_op *op, char *memory) {
    if (memory) return draw_whole(r, op, memory) && (op->magnitude == NO_OP || magnitude(r, op, memory));
    if (!needs_all(r, op)) return draw_in_pieces(r, op);
    void *whole = room(r, all_bytes(op->t));
    bool ok = whole && draw_whole(r, op, whole) && give(r, op->slot, op->t, whole) && (op->magnitude == NO_OP || magnitude(r, op, whole));
    free(whole);
    return ok;
}
/* How far a truncated draw moves the generator may depend on its values, so those are made even if nobody keeps them. */
static bool passed_over(runner *r, const init_op *op) {
    draw d = draw_of(op);
    if (r->how->philox) return true;
    if (!is_truncated(op) || draw_trunc_cannot_reject(&d, op->fill->low, op->fill->high)) return draw_skip(r->g, &d), true;
    void *lost = room(r, all_bytes(op->t));
    bool ok = lost && draw_whole(r, op, lost);
    free(lost);
    return ok;
}

const char *init_inexact(const init_op *op) {
    const char *why = op->fill->formula ? mapped_inexact(op->t, op->fill->formula) : NULL;
    if (why || !is_drawn(op)) return why;
    draw d = draw_of(op);
    if (is_orthogonal(op)) return "init.orthogonal_: torch's bits are those of LAPACK, which depend on the processor";
    if (is_truncated(op) && d.dtype == TARE_F64 && !(values_inside(&d, op->fill->low, op->fill->high) > 0.3))
        return "init.trunc_normal_ of float64 with most of it cut off: a logarithm decides, whose bits depend on the processor";
    return NULL;
}

/* ---- the run ---- */

static bool is_wanted(const runner *r, size_t slot) { return !r->out->wanted || r->out->wanted(r->out->to, slot); }
static bool carry_out(runner *r, const init_op *op) {
    bool wanted = op->live && (is_wanted(r, op->slot) || (op->magnitude != NO_OP && is_wanted(r, r->p->ops[op->magnitude].slot)));
    if (!wanted) return !is_drawn(op) || passed_over(r, op);
    if (op->fill->kind == FILL_MAGNITUDE) return true; /* made with the draw that it belongs to */
    char *memory = r->out->memory(r->out->to, op->slot);
    return is_drawn(op) ? drawn(r, op, memory) : formula(r, op, memory);
}
/* A slot is done after its last op; norms come into being with the draw after them. */
static bool end_of(runner *r, size_t i) {
    const init_op *op = &r->p->ops[i];
    if (op->live && op->fill->kind != FILL_MAGNITUDE && r->p->slots[op->slot].last == i && is_wanted(r, op->slot) &&
        !r->out->done(r->out->to, op->slot)) return false;
    if (op->magnitude == NO_OP) return true;
    const init_op *m = &r->p->ops[op->magnitude];
    return !m->live || !is_wanted(r, m->slot) || r->out->done(r->out->to, m->slot);
}
bool init_run_to(const init_plan *p, const init_how *how, const init_out *out, init_place *at, size_t end, tare_error *err) {
    runner r = {.p = p, .how = how, .out = out, .g = &at->g, .err = err};
    bool ok = true;
    for (; ok && at->op < end; at->op++) ok = carry_out(&r, &p->ops[at->op]) && end_of(&r, at->op);
    return ok;
}
init_place *init_place_new(tare_error *err) {
    init_place *at = aligned_alloc(64, (sizeof *at + 63) / 64 * 64); /* the generator's state wants its vectors aligned */
    if (!at) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory"), NULL;
    at->op = 0;
    return at;
}
bool init_run(const init_plan *p, const init_how *how, const init_out *out, uint32_t *next, tare_error *err) {
    init_place *at = init_place_new(err);
    if (!at) return false;
    if (how->from) at->g = *how->from;
    else rng_seed(&at->g, how->seed);
    bool ok = init_run_to(p, how, out, at, p->op_count, err);
    if (ok && next) {
        float f = rng_float(&at->g);
        memcpy(next, &f, sizeof f);
    }
    free(at);
    return ok;
}
static bool is_one_of(const init_plan *p, const init_op *op, bool (*wanted)(void *to, size_t slot), void *to) {
    if (op->live && wanted(to, op->slot)) return true;
    return op->magnitude != NO_OP && p->ops[op->magnitude].live && wanted(to, p->ops[op->magnitude].slot);
}
void init_span(const init_plan *p, bool (*wanted)(void *to, size_t slot), void *to, size_t *first, size_t *end) {
    *first = p->op_count, *end = 0;
    for (size_t i = 0; i < p->op_count; i++) {
        if (!is_one_of(p, &p->ops[i], wanted, to)) continue;
        if (*first > i) *first = i;
        *end = i + 1;
    }
}

/* ---- a slice ---- */

/* The part of a constant that lies in [first, first + n). */
static bool constant_slice(runner *r, const init_op *op, uint64_t first, uint64_t n, char *out) {
    size_t item = item_bytes(op->t);
    range part = range_of(op);
    char element[16];
    if (!element_of(r, op, element)) return false;
    uint64_t from = part.from > first ? part.from : first, to = part.from + part.n < first + n ? part.from + part.n : first + n;
    for (uint64_t i = from; i < to; i++) memcpy(out + (i - first) * item, element, item);
    return true;
}
static bool has_slices(const init_op *op) {
    return op->fill->kind == FILL_FORMULA ? is_constant(op->fill->formula) : is_drawn(op) && !is_orthogonal(op) && !is_mapped(op);
}
typedef struct only { size_t slot; void *memory; } only;
static void *memory_of_only(void *to, size_t slot) { return slot == ((only *)to)->slot ? ((only *)to)->memory : NULL; }
static bool lose(void *to, size_t slot, uint64_t first, const void *bytes, size_t n) {
    return (void)to, (void)slot, (void)first, (void)bytes, (void)n, true;
}
static bool is_done(void *to, size_t slot) { return (void)to, (void)slot, true; }
static bool is_only(void *to, size_t slot) { return slot == ((only *)to)->slot; }
/* What depends on all of the tensor is made whole first. */
static bool slice_of_whole(runner *r, size_t slot, uint64_t first, uint64_t n, void *out) {
    const tensor_node *t = r->p->slots[slot].t;
    only w = {slot, room(r, all_bytes(t))};
    init_out take = {.memory = memory_of_only, .piece = lose, .done = is_done, .wanted = is_only, .to = &w};
    bool ok = w.memory && init_run(r->p, r->how, &take, NULL, r->err);
    if (ok) memcpy(out, (char *)w.memory + first * item_bytes(t), (size_t)n * item_bytes(t));
    free(w.memory);
    return ok;
}
bool init_slice(const init_plan *p, const init_how *how, size_t slot, uint64_t first, uint64_t n, void *out, tare_error *err) {
    runner r = {.p = p, .how = how, .err = err};
    const init_slot *s = &p->slots[slot];
    bool ok = true;
    for (size_t i = s->first; i <= s->last; i++)
        if (p->ops[i].slot == slot && p->ops[i].live && !has_slices(&p->ops[i])) return slice_of_whole(&r, slot, first, n, out);
    for (size_t i = s->first; i <= s->last && ok; i++) {
        const init_op *op = &p->ops[i];
        if (op->slot != slot || !op->live) continue;
        ok = op->fill->kind == FILL_FORMULA ? constant_slice(&r, op, first, n, out) : draw_values(&r, op, first, n, out);
    }
    return ok;
}
