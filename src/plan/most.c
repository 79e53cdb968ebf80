/* The longest context and the largest batch that fit. More tokens never need less, so halving finds them. */
#include "budget.h"

uint64_t budget_largest(bool (*fits)(void *to, uint64_t n), void *to, uint64_t limit) {
    uint64_t good = 0, bad = limit;
    if (!limit) return 0;
    if (fits(to, limit)) return limit;
    while (bad - good > 1) {
        uint64_t middle = good + (bad - good) / 2;
        if (fits(to, middle)) good = middle;
        else bad = middle;
    }
    return good;
}

typedef struct trial { const node *root; const budget_device *d; size_t n; budget_ask a; uint64_t *turned; } trial;

static uint64_t needs(const budget_device *d, const budget_ask *a, const budget_work *w) {
    uint64_t sum = 0;
    for (size_t i = 0; i < d->n; i++) sum = num_plus(sum, budget_cache_run(d->parts[i].m, d->parts[i].first, d->parts[i].count, a));
    if (!a->activations) return sum;
    if (d->n) sum = num_plus(sum, num_plus(w->layer, w->scores));
    return d->head ? num_plus(sum, w->logits) : sum;
}
uint64_t budget_device_needs(const node *root, const budget_device *d, const budget_ask *a) {
    budget_work w = {0};
    if (a->activations) budget_work_of(root, a, &w);
    return needs(d, a, &w);
}
static bool all_fit(void *to, uint64_t n) {
    trial *t = to;
    budget_work w = {0};
    *t->turned = n;
    if (t->a.activations) budget_work_of(t->root, &t->a, &w);
    for (size_t i = 0; i < t->n; i++)
        if (needs(&t->d[i], &t->a, &w) > t->d[i].free) return false;
    return true;
}
uint64_t budget_max_context(const node *root, const budget_device *d, size_t n, const budget_ask *a, uint64_t limit) {
    trial t = {.root = root, .d = d, .n = n, .a = *a};
    t.turned = &t.a.context;
    return budget_largest(all_fit, &t, limit);
}
uint64_t budget_max_batch(const node *root, const budget_device *d, size_t n, const budget_ask *a, uint64_t limit) {
    trial t = {.root = root, .d = d, .n = n, .a = *a};
    t.turned = &t.a.batch;
    return budget_largest(all_fit, &t, limit);
}
