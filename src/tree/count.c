/* Sums over the tree. Repeated layers are multiplied, not walked. */
#include "tree.h"
#include <string.h>

static bool embeds(const node *m) { return m->kind == KIND_EMBEDDING; }
static void count_params(const node *m, uint64_t times, tare_counts *out) {
    for (const tensor_node *slot = m->params; slot; slot = slot->next) {
        const tensor_node *t = tensor_held(slot);
        uint64_t n = (uint64_t)t->elements * times;
        out->tensors += times;
        out->with_ties += n;
        if (t->owner && t->first != slot) continue; /* counted where it is first */
        out->total += n;
        out->active += m->experts ? (uint64_t)(t->elements / m->experts * m->chosen) * times : n;
        if (!t->frozen) out->trainable += n;
        if (embeds(m)) out->embedding += n;
        out->bytes[t->dtype] += n * tare_dtype_bytes((tare_dtype)t->dtype);
    }
}
static void count_buffers(const node *m, uint64_t times, tare_counts *out) {
    for (const tensor_node *slot = m->buffers; slot; slot = slot->next) {
        const tensor_node *t = tensor_held(slot);
        uint64_t n = (uint64_t)t->elements * times, bytes = n * tare_dtype_bytes((tare_dtype)t->dtype);
        out->tensors += times;
        out->buffers += n;
        if (slot->persistent) out->persistent_bytes += bytes;
        else out->transient_bytes += bytes;
    }
}
/* `path` tells whether a shared module is met for the first time: it is counted there only. */
typedef struct seen { const node *shared[64]; int n; } seen;
static bool seen_before(seen *s, const node *m) {
    if (!m->shared) return false;
    for (int i = 0; i < s->n; i++)
        if (s->shared[i] == m) return true;
    if (s->n < 64) s->shared[s->n++] = m;
    return false;
}
static void count_node(const node *m, uint64_t times, tare_counts *out, seen *s) {
    out->modules += times;
    if (seen_before(s, m)) return;
    count_params(m, times, out);
    count_buffers(m, times, out);
    for (const edge *e = m->children; e; e = e->next) count_node(e->to, times * (e->name ? 1 : (uint64_t)e->count), out, s);
}
void tree_count(const node *root, tare_counts *out) {
    seen s = {.n = 0};
    memset(out, 0, sizeof *out);
    count_node(root, 1, out, &s);
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
