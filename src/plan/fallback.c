/* fallback_allocation: where the next module does not fit into an empty device, the first one that does, however deep. */
#include "accelerate.h"
#include "groups.h"

bool size_with_ties(acc_queue *q, const acc_unit *u, const tied_groups *g, size_t tied, acc_run **holders, amount *out, tare_error *err) {
    *out = u->size;
    for (size_t i = 0; i < tied; i++) {
        acc_run *r = queue_holder(q, g->outside[i]->path);
        if (!r) {
            error_set(err, TARE_BAD, "no_map", g->outside[i]->path,
                "%s is tied to %s, and no module that waits for a device holds it: accelerate cannot place it", g->outside[i]->path,
                u->path ? u->path : u->name);
            return false;
        }
        if (holders) holders[i] = r;
        *out = amount_add(*out, amount_sub(r->kid.body->size, g->outside[i]->size));
    }
    return true;
}

/* Nothing in a unit fits, as far as its sizes tell, and ties, which only add, do not concern it. */
static bool is_hopeless(acc_unit *u, const tied_groups *g, arena *a, double most) {
    return u->b && u->b->least > most && !groups_touch(g, a, u);
}
static acc_unit *search(acc_queue *q, const tied_groups *g, double most, tare_error *err) {
    while (q->first) {
        amount size;
        acc_unit *u = queue_pop(q);
        if (is_hopeless(u, g, q->a, most)) continue;
        if (!size_with_ties(q, u, g, groups_outside(g, q->a, u), NULL, &size, err)) return NULL;
        if (size.n <= most) return u;
        if (u->b && acc_splits(u->b)) queue_push_parts(q, u);
    }
    return NULL;
}
/* The same unit out of the real queue: modules around it are split there. */
static acc_unit *lay_bare(acc_queue *q, const acc_unit *found, acc_unit **around) {
    acc_unit *outer = NULL;
    if (found->parent) lay_bare(q, found->parent, &outer);
    acc_run *r = found->parent ? queue_find(q, outer ? outer : found->parent, found->name, found->b != NULL) : NULL;
    acc_unit *u = r ? run_unit(q, r) : NULL;
    if (r && around) queue_split(q, r), *around = u;
    else if (r) queue_drop(q, r);
    return u;
}
acc_unit *fallback_find(acc_queue *q, const tied_groups *g, double most, tare_error *err) {
    acc_queue copy = queue_copy(q);
    const acc_unit *found = search(&copy, g, most, err);
    return found ? lay_bare(q, found, NULL) : NULL;
}
