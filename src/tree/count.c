/* Sums over the tree. Repeated layers are multiplied, not walked. */
#include "tree.h"
#include <string.h>

static bool embeds(const node *m) { return m->kind == KIND_EMBEDDING; }
/* A tensor or module that was built `once` times is met `times` times on the walk: a shared module is built at the first of
 * its paths alone. */
static void count_params(const node *m, uint64_t times, uint64_t once, tare_counts *out) {
    for (const tensor_node *slot = m->params; slot; slot = slot->next) {
        const tensor_node *t = tensor_held(slot);
        uint64_t n = (uint64_t)t->elements * once;
        out->tensors += times;
        out->with_ties += (uint64_t)t->elements * times;
        if (tree_is_tied(slot)) continue; /* counted where it is first */
        out->total += n;
        out->active += m->experts ? (uint64_t)(t->elements / m->experts * m->chosen) * once : n;
        if (!t->frozen) out->trainable += n;
        if (embeds(m)) out->embedding += n;
        out->bytes[t->dtype] += n * tare_dtype_bytes((tare_dtype)t->dtype);
    }
}
static void count_buffers(const node *m, uint64_t times, uint64_t once, tare_counts *out) {
    for (const tensor_node *slot = m->buffers; slot; slot = slot->next) {
        const tensor_node *t = tensor_held(slot);
        uint64_t n = (uint64_t)t->elements * once, bytes = n * tare_dtype_bytes((tare_dtype)t->dtype);
        out->tensors += times;
        out->buffers += n;
        if (slot->persistent) out->persistent_bytes += bytes;
        else out->transient_bytes += bytes;
    }
}
typedef struct bodies {
    void (*visit)(void *to, const node *m, uint64_t times, uint64_t once);
    void *to;
    met_nodes met;
} bodies;
static void visit_body(bodies *b, const node *m, uint64_t times, uint64_t once) {
    if (once && m->shared) once = !met_before(&b->met, m);
    b->visit(b->to, m, times, once);
    for (const edge *e = m->children; e; e = e->next) {
        uint64_t n = e->name ? 1 : (uint64_t)e->count;
        visit_body(b, e->to, times * n, once * n);
    }
}
void tree_bodies(const node *root, void (*visit)(void *to, const node *m, uint64_t times, uint64_t once), void *to) {
    bodies b = {.visit = visit, .to = to};
    visit_body(&b, root, 1, 1);
}
static void count_body(void *to, const node *m, uint64_t times, uint64_t once) {
    tare_counts *out = to;
    out->modules += times;
    count_params(m, times, once, out);
    count_buffers(m, times, once, out);
}
void tree_count(const node *root, tare_counts *out) {
    memset(out, 0, sizeof *out);
    tree_bodies(root, count_body, out);
}
uint64_t tree_params(const node *root, bool trainable_only) {
    tare_counts c;
    tree_count(root, &c);
    return trainable_only ? c.trainable : c.total;
}
static bool is_float(uint8_t dtype) {
    switch (dtype) {
    case TARE_F64:
    case TARE_F32:
    case TARE_F16:
    case TARE_BF16:
    case TARE_F8_E4M3:
    case TARE_F8_E5M2: return true;
    default: return false;
    }
}
const tensor_node *tree_first_float(const node *root) {
    for (const tensor_node *slot = root->params; slot; slot = slot->next) {
        const tensor_node *t = tensor_held(slot);
        if (is_float(t->dtype)) return t;
    }
    for (const edge *e = root->children; e; e = e->next) {
        const tensor_node *t = tree_first_float(e->to);
        if (t) return t;
    }
    return NULL;
}
