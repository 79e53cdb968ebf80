/* The budget in lines. Training is as torch's optimizers hold it after the first step: frozen parameters have no gradient and no
 * state, a tied one is held once. */
#include "budget.h"
#include "../build/cache.h"
#include "../core/buf.h"
#include "../tree/tree.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const optimizer optimizers[] = {
    {"adamw", "torch.optim.AdamW", 2, 4, "exp_avg, exp_avg_sq, step"},
    {"sgd", "torch.optim.SGD", 0, 0, "none"},
    {"sgd-momentum", "torch.optim.SGD", 1, 0, "momentum_buffer"},
};
const optimizer *optimizer_find(const char *name) {
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
        if (!strcmp(optimizers[i].name, name)) return &optimizers[i];
    return NULL;
}

/* ---- lines ---- */

/* Adds to a formula; what does not fit is left out. */
static void say(tare_budget_line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(tare_budget_line *l, const char *format, ...) {
    size_t used = strlen(l->formula);
    va_list args;
    va_start(args, format);
    vsnprintf(l->formula + used, sizeof l->formula - used, format, args);
    va_end(args);
}
static tare_budget_line *line(tare_budget *b, const char *name, uint64_t bytes) {
    tare_budget_line *l = &b->lines[b->count++];
    snprintf(l->name, sizeof l->name, "%s", name);
    l->bytes = bytes;
    b->total = num_plus(b->total, bytes);
    return l;
}
static void say_batch(tare_budget_line *l, const budget_ask *a) {
    if (a->batch != 1) say(l, " x %" PRIu64 " sequences", a->batch);
}

/* ---- weights, training, loading ---- */

typedef struct held {
    const budget_ask *a;
    uint64_t elements[TARE_DTYPE_COUNT], buffers, transient, gradients, states;
    uint64_t reading;       /* elements of the largest tensor that is not read straight into its place */
} held;

static uint64_t bytes_of(uint64_t elements, int dtype) { return num_times(elements, tare_dtype_bytes((tare_dtype)dtype)); }
static bool is_real(int dtype) { return dtype <= TARE_F64 || dtype >= TARE_F8_E4M3; }

/* A tensor is read aside when its dtype changes, or when its parts are put together: the experts of a layer are files' tensors
 * of their own. */
static void see_file(held *h, const node *m, const tensor_node *t) {
    bool converted = h->a->file >= 0 && is_real(t->dtype) && t->dtype != h->a->file, stacked = m->experts && t->rank == 3;
    if (h->a->file >= 0 && (converted || stacked) && (uint64_t)t->elements > h->reading) h->reading = (uint64_t)t->elements;
}
static void hold(void *to, const node *m, uint64_t times, uint64_t once) {
    held *h = to;
    (void)times;
    for (const tensor_node *slot = m->params; slot; slot = slot->next) {
        const tensor_node *t = tensor_held(slot);
        if (tree_is_tied(slot)) continue;
        uint64_t n = num_times((uint64_t)t->elements, once), bytes = bytes_of(n, t->dtype);
        h->elements[t->dtype] = num_plus(h->elements[t->dtype], n);
        see_file(h, m, t);
        if (t->frozen || !h->a->optimizer) continue;
        uint64_t states = num_plus(num_times(bytes, h->a->optimizer->copies), num_times(h->a->optimizer->more, once));
        h->gradients = num_plus(h->gradients, bytes);
        h->states = num_plus(h->states, states);
    }
    for (const tensor_node *slot = m->buffers; slot; slot = slot->next) {
        const tensor_node *t = tensor_held(slot);
        uint64_t bytes = bytes_of(num_times((uint64_t)t->elements, once), t->dtype);
        if (tree_is_tied(slot)) continue;
        h->buffers = num_plus(h->buffers, bytes);
        if (slot->persistent) see_file(h, m, t);
        else h->transient = num_plus(h->transient, bytes);
    }
}
static void put_parameters(tare_budget *b, const held *h) {
    uint64_t sum = 0;
    for (int i = 0; i < TARE_DTYPE_COUNT; i++) sum = num_plus(sum, bytes_of(h->elements[i], i));
    tare_budget_line *l = line(b, "parameters", sum);
    for (int i = 0; i < TARE_DTYPE_COUNT; i++) {
        if (!h->elements[i]) continue;
        size_t each = tare_dtype_bytes((tare_dtype)i);
        say(l, "%s%" PRIu64 " x %zu %s", *l->formula ? " + " : "", h->elements[i], each, each == 1 ? "byte" : "bytes");
    }
}
static void put_held(tare_budget *b, const held *h) {
    const optimizer *o = h->a->optimizer;
    put_parameters(b, h);
    if (o) say(line(b, "gradients", h->gradients), "one for every trainable parameter");
    if (o) say(line(b, "optimizer", h->states), "%s", o->states);
    tare_budget_line *l = line(b, "buffers", h->buffers);
    if (h->transient) say(l, "%" PRIu64 " transient", h->transient);
}

/* ---- caches ---- */

enum { MOST_USES = 16 };
typedef struct uses { /* alike ones together; those beyond are counted in `bytes` alone */
    cache_use rows[MOST_USES];
    size_t n;
    uint64_t bytes[CACHE_KINDS];
    bool any[CACHE_KINDS], more[CACHE_KINDS];
} uses;

static bool alike(const cache_use *x, const cache_use *y) {
    return x->kind == y->kind && x->each == y->each && x->most == y->most && x->tokens == y->tokens && x->element == y->element &&
           x->cache->heads == y->cache->heads && x->cache->k == y->cache->k && x->cache->v == y->cache->v;
}
static void gather(void *to, const cache_use *u) {
    uses *s = to;
    s->any[u->kind] = true;
    s->bytes[u->kind] = num_plus(s->bytes[u->kind], num_times(u->each, u->layers));
    for (size_t i = 0; i < s->n; i++)
        if (alike(&s->rows[i], u)) {
            s->rows[i].layers = num_plus(s->rows[i].layers, u->layers);
            return;
        }
    if (s->n < MOST_USES) s->rows[s->n++] = *u;
    else s->more[u->kind] = true;
}
static void say_use(tare_budget_line *l, const cache_use *u, const budget_ask *a) {
    const layer_cache *k = u->cache;
    say(l, "%s%" PRIu64 " %s x ", *l->formula ? " + " : "", u->layers, u->layers == 1 ? "layer" : "layers");
    if (u->kind == CACHE_STATE) {
        say(l, "(%" PRId64 " x %zu + %" PRId64 " x 4) bytes", k->k, u->element, k->v);
    } else {
        if (k->heads != 1) say(l, "%" PRId64 " heads x ", k->heads);
        say(l, "(%" PRId64 " + %" PRId64 ") x ", k->k, k->v);
        if (u->most && u->most < u->tokens) say(l, "%" PRIu64 " of ", u->most);
        say(l, "%" PRIu64 " tokens x %zu %s", u->tokens, u->element, u->element == 1 ? "byte" : "bytes");
    }
    say_batch(l, a);
}
static uint64_t one_more(const node *root, const budget_ask *a) {
    budget_ask now = *a, then = *a;
    now.batch = then.batch = 1;
    now.source = then.source = a->source ? a->source : a->context;
    then.context = num_plus(a->context, 1);
    return budget_cache_below(root, -1, &then) - budget_cache_below(root, -1, &now);
}
static void put_caches(tare_budget *b, const node *root, const budget_ask *a) {
    static const char *const names[] = {"cache_full", "cache_sliding", "cache_chunked", "cache_latent", "cache_cross", "cache_state"};
    uses s = {.n = 0};
    budget_caches(root, a, gather, &s);
    for (size_t kind = 0; kind < CACHE_KINDS; kind++) {
        if (!s.any[kind]) continue;
        tare_budget_line *l = line(b, names[kind], s.bytes[kind]);
        b->cache = num_plus(b->cache, s.bytes[kind]);
        for (size_t i = 0; i < s.n; i++)
            if (s.rows[i].kind == kind) say_use(l, &s.rows[i], a);
        if (s.more[kind]) say(l, " + others");
    }
    b->token = one_more(root, a);
    if (!s.n) say(line(b, "cache", 0), "no layer keeps one");
}

/* ---- what is there for a moment ---- */

static void put_work(tare_budget *b, const node *root, const budget_ask *a) {
    budget_work w;
    budget_work_of(root, a, &w);
    tare_budget_line *l = line(b, "activations", w.layer);
    if (!w.layer_class) say(l, "no layer takes tokens");
    else say(l, "%s: %" PRIu64 " tokens x (%" PRIu64 " + %" PRIu64 ") x ", w.layer_class, w.tokens, w.hidden, w.widest);
    if (w.layer_class) say(l, "%" PRIu64 " bytes", w.layer_element);
    if (w.layer_class) say_batch(l, a);
    if (w.scores) {
        l = line(b, "scores", w.scores);
        say(l, "%" PRIu64 " heads x %" PRIu64 " x %" PRIu64 " tokens x %" PRIu64 " bytes", w.heads, w.tokens, w.tokens, w.layer_element);
        say_batch(l, a);
    }
    if (!w.head) return;
    l = line(b, "logits", w.logits);
    say(l, "%" PRIu64 " %s x %" PRIu64 " words x %" PRIu64 " bytes", w.kept, w.kept == 1 ? "token" : "tokens", w.vocab, w.logits_element);
    say_batch(l, a);
}
/* Nothing runs while weights are read, so the larger of the two counts. */
static void put_loading(tare_budget *b, const held *h, uint64_t settled) {
    uint64_t running = b->total - settled, reading = bytes_of(h->reading, h->a->file);
    tare_budget_line *l = line(b, "loading", reading);
    size_t each = tare_dtype_bytes((tare_dtype)h->a->file);
    if (h->reading) say(l, "%" PRIu64 " x %zu bytes, the largest tensor that is converted or stacked", h->reading, each);
    b->total = num_plus(settled, running > reading ? running : reading);
}
void budget_of(const node *root, const budget_ask *a, tare_budget *out) {
    held h = {.a = a};
    memset(out, 0, sizeof *out);
    tree_bodies(root, hold, &h);
    put_held(out, &h);
    if (a->optimizer) out->optimizer = a->optimizer->class_name;
    if (a->context) put_caches(out, root, a);
    uint64_t settled = out->total;
    if (a->context && a->activations) put_work(out, root, a);
    if (a->file >= 0) put_loading(out, &h, settled);
}
