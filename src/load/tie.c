#include "tie.h"
#include "../build/ties.h"
#include <string.h>

static bool is_there(const resolution *r, size_t slot) { return r->slots.v[slot].from != FROM_NOWHERE; }
/* Both are missing, but a third one may hold the same source's tensor. */
static size_t third(const resolution *r, size_t after) {
    for (size_t i = after + 1; i < r->tie_n; i++)
        if (r->ties[i].source == r->ties[after].source && is_there(r, r->ties[i].target)) return r->ties[i].target;
    return SIZE_MAX;
}
static void tie_to(resolution *r, size_t target, size_t source) {
    load_slot *t = &r->slots.v[target];
    t->from = FROM_TIE;
    t->tie = source;
}
static void settle_one(resolution *r, size_t i) {
    load_tie *t = &r->ties[i];
    bool source = is_there(r, t->source), target = is_there(r, t->target);
    if (source && target) {
        t->which = TIE_BOTH;
    } else if (source) {
        tie_to(r, t->target, t->source);
    } else if (target) {
        t->swapped = true;
        tie_to(r, t->source, t->target);
    } else {
        size_t other = third(r, i);
        if (other != SIZE_MAX) tie_to(r, t->target, other);
        else t->which = TIE_NEITHER;
    }
}
void ties_settle(resolution *r, arena *a, const node *root) {
    val all = tied_keys(a, root);
    r->ties = arena_array(a, all.n, sizeof *r->ties);
    for (uint32_t i = 0; i < all.n; i++) {
        size_t target = slots_find(&r->slots, all.members[i].key), source = slots_find(&r->slots, all.members[i].v.s);
        if (target != SIZE_MAX && source != SIZE_MAX) r->ties[r->tie_n++] = (load_tie){.target = target, .source = source, .which = TIE_ABSENT};
    }
    for (size_t i = 0; i < r->tie_n; i++) settle_one(r, i);
}
