/* Estimates of what a forward pass holds while a layer runs. No weights are looked at, only sizes: of a layer of tokens, what goes
 * in and the widest thing in between. */
#include "../build/mod.h"
#include "../tree/tree.h"
#include "budget.h"

typedef struct look {
    const budget_ask *a;
    budget_work *out;
    bool crosses;           /* some layer attends to an encoder: layers without a cache are that encoder's */
    uint64_t source;        /* tokens that come out of it */
} look;

static void see_cross(void *to, const cache_use *u) {
    look *l = to;
    if (u->kind == CACHE_CROSS) l->crosses = true, l->source = u->tokens;
}
static uint64_t whole_of(const cfg *c, const char *key) {
    val v = c ? cfg_get(c, key) : (val){0};
    return v.kind == VAL_INT && v.i > 0 ? (uint64_t)v.i : 0;
}
static uint64_t vocab_of(const cfg *c) {
    val part = cfg_get(c, "text_config");
    uint64_t own = whole_of(c, "vocab_size");
    return own || part.kind != VAL_CFG ? own : whole_of(part.cfg, "vocab_size");
}
/* Images and sounds have no number of tokens that a context could tell. */
static bool takes_tokens(const look *l, const node *m) {
    const char *input = FACT(m->model, main_input_name);
    return vocab_of(m->config) && (l->crosses || !input || !strcmp(input, "input_ids"));
}
static size_t element_of(const node *m) {
    const tensor_node *t = tree_first_float(m);
    return tare_dtype_bytes(t ? (tare_dtype)t->dtype : TARE_F32);
}
/* The most that one token is stretched to on its way through a layer. */
static uint64_t widest(const node *m) {
    uint64_t most = 0;
    for (const tensor_node *t = m->kind == KIND_EMBEDDING ? NULL : m->params; t; t = t->next) {
        int64_t last = t->rank > 1 ? t->shape[t->rank - 1] : 0, before = t->rank > 1 ? t->shape[t->rank - 2] : 0;
        uint64_t wide = num_times((uint64_t)(last > before ? last : before), t->rank > 2 && m->experts ? (uint64_t)m->chosen : 1);
        if (wide > most) most = wide;
    }
    for (const edge *e = m->children; e; e = e->next) {
        uint64_t inside = widest(e->to);
        if (inside > most) most = inside;
    }
    return most;
}
static bool keeps(const node *m) {
    if (m->cache) return true;
    for (const edge *e = m->children; e; e = e->next)
        if (keeps(e->to)) return true;
    return false;
}
static void see_layer(look *l, const node *m, const cfg *c) {
    bool decodes = keeps(m);
    uint64_t tokens = decodes || !l->crosses ? l->a->context : l->source, rows = num_times(tokens, l->a->batch);
    uint64_t own = decodes ? whole_of(c, "decoder_attention_heads") : 0, heads = own ? own : whole_of(c, "num_attention_heads");
    uint64_t hidden = whole_of(c, "hidden_size"), wide = widest(m), element = element_of(m);
    uint64_t layer = num_times(num_times(rows, num_plus(hidden, wide)), element);
    bool eager = c->attn_chosen && !strcmp(c->attn_chosen, "eager");
    uint64_t scores = eager ? num_times(num_times(rows, tokens), num_times(heads, element)) : 0;
    budget_work *w = l->out;
    if (num_plus(layer, scores) <= num_plus(w->layer, w->scores)) return;
    w->layer = layer, w->scores = scores, w->layer_class = m->cls;
    w->tokens = tokens, w->hidden = hidden, w->widest = wide, w->layer_element = element, w->heads = heads;
}
static void see_head(look *l, const node *m, const cfg *c, bool generates) {
    const tensor_node *t = m->kind == KIND_LINEAR ? m->params : NULL;
    uint64_t vocab = vocab_of(c);
    if (!t || t->rank != 2 || (uint64_t)t->shape[0] != vocab) return;
    budget_work *w = l->out;
    w->head = m, w->vocab = vocab, w->logits_element = element_of(m);
    w->kept = l->a->logits ? l->a->logits : generates ? 1 : l->a->context;
    w->logits = num_times(num_times(w->kept, l->a->batch), num_times(vocab, w->logits_element));
}
/* Layers are what stands in the outermost lists of a model that takes tokens. */
static void see(look *l, const node *m, const cfg *c, bool tokens, bool generates) {
    if (m->model) c = m->config, tokens = takes_tokens(l, m);
    for (const edge *e = m->children; e; e = e->next) {
        if (e->name) see(l, e->to, c, tokens, generates);
        else if (tokens && c) see_layer(l, e->to, c);
    }
    if (tokens && c) see_head(l, m, c, generates);
}
void budget_work_of(const node *root, const budget_ask *a, budget_work *out) {
    *out = (budget_work){.layer_class = NULL};
    look l = {.a = a, .out = out, .source = a->context};
    budget_caches(root, a, see_cross, &l);
    see(&l, root, NULL, false, root->model && FACT(root->model, can_generate) == YES);
}
