#include "verdict.h"
#include <string.h>

/* Both as they are in the file, so that equal bytes are equal tensors. */
static bool same_form(const resolution *r, const load_slot *a, const load_slot *b) {
    const file_tensor *x = &r->c->tensors[a->tensor], *y = &r->c->tensors[b->tensor];
    if (a->made || b->made || x->odd || y->odd || x->dtype != y->dtype || x->rank != y->rank || x->bytes != y->bytes) return false;
    for (int i = 0; i < x->rank; i++)
        if (x->shape[i] != y->shape[i]) return false;
    return true;
}
static bool is_readable(const checkpoint *c, size_t tensor) { return c->files[c->tensors[tensor].file].present; }

bool ties_compare(const resolution *r, const load_tie *t, uint64_t most, tie_equal *out, tare_error *err) {
    enum { PIECE = 32 << 10 };
    char x[PIECE], y[PIECE];
    const load_slot *a = &r->slots.v[t->target], *b = &r->slots.v[t->source];
    const checkpoint *c = r->c;
    *out = TIES_UNKNOWN;
    if (a->from != FROM_FILE || b->from != FROM_FILE) return true;
    if (a->t->rank != b->t->rank || a->mismatched != b->mismatched) return *out = TIES_DIFFER, true;
    if (!same_form(r, a, b) || !is_readable(c, a->tensor) || !is_readable(c, b->tensor)) return true;
    uint64_t all = c->tensors[a->tensor].bytes, n = all < most ? all : most;
    for (uint64_t at = 0; at < n; at += PIECE) {
        size_t k = n - at < PIECE ? (size_t)(n - at) : PIECE;
        if (!checkpoint_read(c, a->tensor, at, x, k, err) || !checkpoint_read(c, b->tensor, at, y, k, err)) return false;
        if (memcmp(x, y, k)) return *out = TIES_DIFFER, true;
    }
    if (n == all) *out = TIES_EQUAL;
    return true;
}
