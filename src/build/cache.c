/* What layers keep of the tokens they have seen, as the reference's DynamicCache decides it from the config of a model. */
#include "cache.h"

/* ---- verbs ---- */

static void keep(mod *m, const cfg *c, layer_cache k) {
    if (!mod_ok(m)) return;
    layer_cache *own = arena_new(m->b->s->a, layer_cache);
    *own = k;
    own->config = c;
    m->cache = own;
    if (!c || c == m->b->noted) return;
    m->b->noted = c;
    get(c, "layer_types"), get(c, "sliding_window"), get(c, "attention_chunk_size"); /* read by every model with a cache */
}
void cache_keys(mod *m, const cfg *c, int64_t kv_heads, int64_t head_dim) {
    keep(m, c, (layer_cache){.kind = CACHE_FULL, .heads = kv_heads, .k = head_dim, .v = head_dim});
}
void cache_latent(mod *m, const cfg *c, int64_t rank, int64_t rope_dim) {
    keep(m, c, (layer_cache){.kind = CACHE_LATENT, .heads = 1, .k = rank, .v = rope_dim});
}
void cache_cross(mod *m, const cfg *c, int64_t kv_heads, int64_t head_dim, int64_t source) {
    keep(m, c, (layer_cache){.kind = CACHE_CROSS, .heads = kv_heads, .k = head_dim, .v = head_dim, .source = source});
}
void cache_state(mod *m, int64_t in_dtype, int64_t in_float32) {
    keep(m, NULL, (layer_cache){.kind = CACHE_STATE, .heads = 1, .k = in_dtype, .v = in_float32});
}

/* ---- what it comes to ---- */

/* A window takes in the token at hand, so one less is kept. Of a window of one, the slice that the reference takes holds all. */
static int64_t window(const cfg *c, const char *key) {
    val v = cfg_get(c, key);
    return v.kind == VAL_INT && v.i > 1 ? v.i - 1 : 0;
}
/* By the name that layer_types has for the layer. Names that stand for no window count as full attention. */
static cache_rule rule_of(const cfg *c, val type) {
    if (val_in(type, SET("moe", "mlp"))) return (cache_rule){.none = true}; /* layers without attention have a place there too */
    if (val_in(type, SET("sliding_attention", "hybrid_sliding", "reference_sliding_attention")))
        return (cache_rule){.kind = CACHE_SLIDING, .most = window(c, "sliding_window")};
    if (val_is(type, "chunked_attention")) return (cache_rule){.kind = CACHE_CHUNKED, .most = window(c, "attention_chunk_size")};
    return (cache_rule){.kind = CACHE_FULL};
}
static val type_of(const cfg *c, int64_t layer) {
    val types = cfg_get(c, "layer_types");
    if (types.kind == VAL_LIST) return layer >= 0 && layer < types.n ? types.items[layer] : (val){0};
    if (val_given(cfg_get(c, "sliding_window"))) return val_text("sliding_attention");
    return val_given(cfg_get(c, "attention_chunk_size")) ? val_text("chunked_attention") : (val){0};
}
cache_rule cache_rule_of(const layer_cache *k, int64_t layer) {
    if (!k->config) return (cache_rule){.kind = k->kind};
    cache_rule r = rule_of(k->config, type_of(k->config, layer));
    if (!r.most) r.kind = CACHE_FULL;
    if (k->kind != CACHE_FULL) r.kind = k->kind;
    return r;
}
bool cache_varies(const layer_cache *k) { return k->config && cfg_get(k->config, "layer_types").kind == VAL_LIST; }
