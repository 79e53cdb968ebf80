/* Bytes of caches, by walking bodies and runs: equal layers are measured once, unless the config tells them apart. */
#include "../build/cache.h"
#include "../tree/tree.h"
#include "budget.h"

typedef struct caches { const budget_ask *a; void (*each)(void *to, const cache_use *use); void *to; } caches;

static uint64_t tokens_of(const layer_cache *k, const budget_ask *a) {
    if (k->kind != CACHE_CROSS) return a->context;
    return k->source ? (uint64_t)k->source : a->source ? a->source : a->context;
}
/* States are kept in the dtype that the layer computes in, keys and values in that of the cache. */
static size_t element_of(const node *m, const budget_ask *a) {
    if (a->kv >= 0 && m->cache->kind != CACHE_STATE) return tare_dtype_bytes((tare_dtype)a->kv);
    const tensor_node *t = tree_first_float(m);
    return tare_dtype_bytes(t ? (tare_dtype)t->dtype : TARE_F32);
}
static uint64_t bytes_of(const layer_cache *k, const cache_use *u, const budget_ask *a) {
    uint64_t keys = (uint64_t)k->k, values = (uint64_t)k->v;
    if (k->kind == CACHE_STATE) return num_times(a->batch, num_plus(num_times(keys, u->element), num_times(values, 4)));
    uint64_t kept = u->most && u->most < u->tokens ? u->most : u->tokens;
    return num_times(num_times(num_times(a->batch, (uint64_t)k->heads), num_plus(keys, values)), num_times(kept, u->element));
}
static void use(const caches *c, const node *m, int64_t layer, uint64_t times) {
    const layer_cache *k = m->cache;
    cache_rule rule = cache_rule_of(k, layer);
    if (rule.none || !c->a->context) return;
    cache_use u = {.cache = k, .kind = rule.kind, .layers = times, .tokens = tokens_of(k, c->a), .most = (uint64_t)rule.most};
    u.element = element_of(m, c->a);
    u.each = bytes_of(k, &u, c->a);
    c->each(c->to, &u);
}
/* Layers first ... first + count - 1 of the nearest list, all of them `times` times. */
static void below(const caches *c, const node *m, int64_t first, int64_t count, uint64_t times) {
    if (m->cache && !cache_varies(m->cache)) use(c, m, first, num_times(times, (uint64_t)count));
    else if (m->cache)
        for (int64_t i = 0; i < count; i++) use(c, m, first + i, times);
    for (const edge *e = m->children; e; e = e->next) {
        if (e->name) below(c, e->to, first, count, times);
        else below(c, e->to, e->first, e->count, num_times(times, (uint64_t)count));
    }
}
void budget_caches(const node *root, const budget_ask *a, void (*each)(void *to, const cache_use *use), void *to) {
    below(&(caches){a, each, to}, root, -1, 1, 1);
}
static void add(void *to, const cache_use *u) {
    uint64_t *sum = to;
    *sum = num_plus(*sum, num_times(u->each, u->layers));
}
uint64_t budget_cache_run(const node *m, int64_t first, int64_t count, const budget_ask *a) {
    uint64_t sum = 0;
    below(&(caches){a, add, &sum}, m, first, count, 1);
    return sum;
}
uint64_t budget_cache_own(const node *m, int64_t layer, const budget_ask *a) {
    uint64_t sum = 0;
    if (m->cache) use(&(caches){a, add, &sum}, m, layer, 1);
    return sum;
}
uint64_t budget_cache_below(const node *m, int64_t layer, const budget_ask *a) { return budget_cache_run(m, layer, 1, a); }
bool budget_cache_varies(const node *m) {
    if (m->cache && cache_varies(m->cache)) return true;
    for (const edge *e = m->children; e; e = e->next)
        if (e->name && budget_cache_varies(e->to)) return true; /* what lies in a list of its own goes by its place there */
    return false;
}
