#include "verdict.h"
#include "cast.h"
#include "source.h"
#include <string.h>

enum { ELEMENTS = 2048, WIDEST = 8 };
typedef struct side { /* of a pair that is compared, some elements at a time */
    const load_slot *slot;
    const file_tensor *t;
    unsigned char read[ELEMENTS * WIDEST];
    _Alignas(16) unsigned char held[ELEMENTS * WIDEST]; /* as they are once they are loaded */
} side;

static bool is_direct(const checkpoint *c, side *s) {
    if (s->slot->from != FROM_FILE || s->slot->made || s->slot->mismatched) return false;
    s->t = &c->tensors[s->slot->tensor];
    return !s->t->odd && c->files[s->t->file].present && cast_exists(s->t->dtype, s->slot->dtype);
}
static bool stored_bytes(const checkpoint *c, size_t tensor, uint64_t at, void *to, size_t n, tare_error *err) {
    sources s;
    if (!c->tensors[tensor].packed) return checkpoint_read(c, tensor, at, to, n, err);
    bool ok = sources_open(&s, c, FILL_PREAD, err) && source_bytes(&s, tensor, c->tensors[tensor].at + at, to, n, err);
    sources_close(&s);
    return ok;
}
static bool take(const checkpoint *c, side *s, uint64_t first, size_t n, tare_error *err) {
    size_t unit = tare_dtype_bytes((tare_dtype)s->t->dtype);
    if (!stored_bytes(c, s->slot->tensor, first * unit, s->read, n * unit, err)) return false;
    cast_run(lanes_best(), (tare_dtype)s->slot->dtype, s->held, (tare_dtype)s->t->dtype, s->read, n, false);
    return true;
}
/* As numbers: both zeros are one. What is no number equals nothing, but a tensor with such is told by its bytes well enough. */
static bool same_numbers(const side *x, const side *y, size_t n) {
    tare_dtype dtype = (tare_dtype)x->slot->dtype;
    if (!memcmp(x->held, y->held, n * tare_dtype_bytes(dtype))) return true;
    for (size_t i = 0, unit = tare_dtype_bytes(dtype); i < n; i++) {
        double a, b;
        cast_run(lanes_best(), TARE_F64, &a, dtype, x->held + i * unit, 1, false);
        cast_run(lanes_best(), TARE_F64, &b, dtype, y->held + i * unit, 1, false);
        if (!(a == b)) return false;
    }
    return true;
}
bool ties_compare(const resolution *r, const load_tie *t, uint64_t most, tie_equal *out, tare_error *err) {
    static _Thread_local side x, y;
    const load_slot *a = x.slot = &r->slots.v[t->target], *b = y.slot = &r->slots.v[t->source];
    *out = TIES_UNKNOWN;
    if (a->from != FROM_FILE || b->from != FROM_FILE || a->made || b->made) return true;
    *out = TIES_DIFFER;
    if (!is_direct(r->c, &x) || !is_direct(r->c, &y) || a->dtype != b->dtype || a->t->elements != b->t->elements) return true;
    uint64_t all = (uint64_t)a->t->elements, wide = tare_dtype_bytes((tare_dtype)x.t->dtype), n = most / wide < all ? most / wide : all;
    for (uint64_t at = 0; at < n; at += ELEMENTS) {
        size_t k = n - at < ELEMENTS ? (size_t)(n - at) : ELEMENTS;
        if (!take(r->c, &x, at, k, err) || !take(r->c, &y, at, k, err)) return false;
        if (!same_numbers(&x, &y, k)) return true;
    }
    *out = n == all ? TIES_EQUAL : TIES_UNKNOWN;
    return true;
}
