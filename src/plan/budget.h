/* What a model holds in memory besides, and with, its weights: caches, activations, the states of training, what loading needs
 * for a moment. One account for every command. All sums stay at the most when 64 bits do not hold them. */
#ifndef TARE_PLAN_BUDGET_H
#define TARE_PLAN_BUDGET_H
#include "../core/node.h"
#include "../core/num.h"

typedef struct optimizer {
    const char *name, *class_name;
    unsigned copies;        /* tensors like the parameter */
    unsigned more;          /* bytes besides: a float32 step count */
    const char *states;     /* in torch's words */
} optimizer;
const optimizer *optimizer_find(const char *name); /* "adamw", "sgd", "sgd-momentum"; NULL when unknown */

typedef struct budget_ask {
    uint64_t context, batch; /* tokens that are kept of each sequence, sequences; context 0: nothing runs */
    uint64_t source;         /* tokens that an encoder reads; 0: as many as context */
    uint64_t logits;         /* tokens that logits are made for; 0: the last one of a model that generates, else all */
    int kv, file;            /* tare_dtype of the cache and of the files that are read; -1: the layer's own, nothing is read */
    bool activations;
    const optimizer *optimizer; /* NULL: no training */
} budget_ask;

/* ---- caches: what a planner adds to a block ---- */

/* Bytes that m and all below it keep. `layer` is m's place in the nearest list that it lies in, any number where there is none. */
uint64_t budget_cache_below(const node *m, int64_t layer, const budget_ask *a);
uint64_t budget_cache_own(const node *m, int64_t layer, const budget_ask *a); /* without what lies below it */
/* The same for the layers first ... first + count - 1 of a run of equal ones, together. */
uint64_t budget_cache_run(const node *m, int64_t first, int64_t count, const budget_ask *a);
/* Whether two layers of that body may keep different amounts. */
bool budget_cache_varies(const node *m);

typedef struct cache_use { /* modules that keep the same */
    const layer_cache *cache;
    cache_kind kind;        /* as it turned out */
    uint64_t layers, tokens, most, each; /* most: of tokens, by a window, or 0; each: bytes of one layer */
    size_t element;         /* bytes of one */
} cache_use;
/* Calls each for every module that keeps something; equal layers come together where that is cheap. */
void budget_caches(const node *root, const budget_ask *a, void (*each)(void *to, const cache_use *use), void *to);

/* ---- estimates: what a device needs while its layers run ---- */

typedef struct budget_work {
    uint64_t layer, scores, logits; /* bytes: of the largest layer; of its attention weights, where they are made; of the head */
    const char *layer_class;
    uint64_t tokens, hidden, widest, layer_element, heads, kept, vocab, logits_element; /* what they are the products of */
    const node *head;       /* NULL: none makes logits */
} budget_work;
void budget_work_of(const node *root, const budget_ask *a, budget_work *out);

/* ---- all of it, in lines ---- */

void budget_of(const node *root, const budget_ask *a, tare_budget *out);
#endif
