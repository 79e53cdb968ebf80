#include "extra.h"
#include <string.h>

typedef struct training {
    const optimizer *o;
    met_nodes met;
} training;

/* As budget.c counts them: a gradient like the parameter, the optimizer's copies, and a step count, which the first part has. */
static uint64_t of_tensor(const training *t, const tensor_node *slot, uint64_t parts, bool first) {
    const tensor_node *held = tensor_held(slot);
    if (slot->kind != TARE_PARAM || held->frozen || (held->owner && held->first != slot)) return 0;
    uint64_t bytes = plan_tensor_bytes(held) / parts;
    return num_plus(num_times(bytes, t->o->copies + 1), first ? t->o->more : 0);
}
static uint64_t of_module(training *t, const node *m) {
    uint64_t sum = 0;
    if (met_before(&t->met, m)) return 0;
    for (const tensor_node *p = m->params; p; p = p->next) sum = num_plus(sum, of_tensor(t, p, 1, true));
    for (const edge *e = m->children; e; e = e->next) sum = num_plus(sum, num_times(of_module(t, e->to), e->name ? 1 : (uint64_t)e->count));
    return sum;
}
static uint64_t of_block(training *t, const plan_block *b) {
    if (b->slot) return of_tensor(t, b->slot, 1, true);
    if (b->expert == NO_EXPERT) return of_module(t, b->module);
    uint64_t sum = 0;
    for (const tensor_node *p = b->module->params; p; p = p->next) sum = num_plus(sum, of_tensor(t, p, (uint64_t)b->module->experts, b->expert == 0));
    return sum;
}
static uint64_t cache_of(const plan_blocks *b, size_t i, const budget_ask *ask) {
    const plan_block *p = &b->all[i];
    uint64_t own = p->slot || p->expert != NO_EXPERT ? 0 : budget_cache_below(p->module, plan_block_layer(b, i), ask);
    return p->keeper ? num_plus(own, budget_cache_own(p->keeper, plan_block_layer(b, i), ask)) : own;
}
static bool holds(const node *m, const node *wanted) {
    if (m == wanted) return true;
    for (const edge *e = m->children; e; e = e->next)
        if (holds(e->to, wanted)) return true;
    return false;
}
/* Logits lie where the head is; it is the last block that holds it. */
static void add_logits(plan_extra *x, const plan_blocks *b, const budget_work *w) {
    for (size_t i = b->n; w->head && w->logits && i-- > 0;) {
        if (b->all[i].slot || !holds(b->all[i].module, w->head)) continue;
        x->logits = w->logits, x->head = i;
        x->sum[i] = num_plus(x->sum[i], w->logits);
        return;
    }
}
static uint64_t loading(const node *root, const budget_ask *ask) {
    tare_budget b;
    budget_of(root, ask, &b);
    for (size_t i = 0; i < b.count; i++)
        if (!strcmp(b.lines[i].name, "loading")) return b.lines[i].bytes;
    return 0;
}
/* Experts that are blocks of their own follow the module that they lie in, which holds the rest. */
static void take_experts(const plan_blocks *b, uint64_t *all) {
    for (size_t i = 0, whole = 0; i < b->n; i++) {
        if (b->all[i].expert == NO_EXPERT) whole = i;
        else if (all[whole] != UINT64_MAX) all[whole] -= all[i];
    }
}
/* Equal blocks in a row cost one measurement. */
void plan_extra_of(plan_extra *out, const plan_blocks *b, const node *root, const budget_ask *ask, arena *a) {
    training t = {.o = ask->optimizer};
    uint64_t *all = arena_array(a, 3 * b->n + 1, sizeof *all);
    *out = (plan_extra){.cache = all, .training = all + b->n, .sum = all + 2 * b->n, .head = SIZE_MAX};
    for (size_t i = 0; i < b->n; i++) {
        bool again = i && b->all[i].module == b->all[i - 1].module && !b->all[i].slot && !b->all[i - 1].slot && !b->all[i].keeper &&
                     !b->all[i - 1].keeper && b->all[i].expert == NO_EXPERT && b->all[i - 1].expert == NO_EXPERT;
        out->cache[i] = !ask->context ? 0 : again && !budget_cache_varies(b->all[i].module) ? out->cache[i - 1] : cache_of(b, i, ask);
        out->training[i] = !ask->optimizer ? 0 : again && !b->all[i].module->shared ? out->training[i - 1] : of_block(&t, &b->all[i]);
    }
    if (ask->optimizer) take_experts(b, out->training);
    for (size_t i = 0; i < b->n; i++) out->sum[i] = num_plus(out->cache[i], out->training[i]);
    budget_work w = {0};
    if (ask->activations) budget_work_of(root, ask, &w), add_logits(out, b, &w);
    uint64_t held = ask->file >= 0 ? loading(root, ask) : 0;
    out->running = num_plus(w.layer, w.scores);
    if (held > out->running) out->running = held;
}
