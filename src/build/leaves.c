/* Equal leaves share a body, as equal layers of a list do: T5 has some sixty linear layers, norms and dropouts of eight kinds. */
#include "builder.h"

static size_t slot_of(const leaf *k) {
    uint64_t x = (uint64_t)k->a * 31 + (uint64_t)k->b * 7 + (uint64_t)k->verb * 5 + (uint64_t)k->dtype;
    return (x ^ x >> 7) % LEAVES;
}
static bool equal(const leaf *k, const leaf *l) {
    return k->cls == l->cls && k->verb == l->verb && k->dtype == l->dtype && k->a == l->a && k->b == l->b && k->text == l->text &&
           k->x.real == l->x.real && k->x.none == l->x.none && !memcmp(&k->x.d, &l->x.d, sizeof k->x.d);
}
bool leaf_repeat(mod *m, const char *name, leaf *key) {
    if (!mod_ok(m)) return true;
    builder *b = m->b;
    key->dtype = b->dtype;
    size_t slot = slot_of(key);
    mod *body = b->leaves[slot].body;
    if (!body || !equal(&b->leaves[slot].key, key)) return false;
    body->common = true;
    if (builder_count(m, 1)) builder_edge(m, name, body);
    return true;
}
void leaf_keep(mod *m, const leaf *key) {
    if (!mod_ok(m)) return;
    size_t slot = slot_of(key);
    m->b->leaves[slot].key = *key;
    m->b->leaves[slot].body = m->last_child->to;
}
