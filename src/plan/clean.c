/* clean_device_map: parts of a module that all lie on one device become the module. */
#include "accelerate.h"
#include "pyset.h"

enum { MIXED = -1, MADE = -2 };

static void add_part(acc_unit *u, acc_unit *part) {
    *(u->last_part ? &u->last_part->next_part : &u->parts) = part;
    u->last_part = part;
    u->parts_n++;
}
static void count(acc_unit *part, int32_t device) {
    bool fresh = true;
    for (acc_unit *u = part->parent; u; part = u, u = u->parent) {
        if (fresh) add_part(u, part);
        fresh = !u->below;
        if (!u->below++) u->device = device;
        else if (u->device != device) u->device = MIXED;
    }
}
/* The outermost module around an entry with several entries, all on one device; NULL. */
static acc_unit *group_of(acc_unit *u) {
    acc_unit *group = NULL;
    for (u = u->parent; u; u = u->parent)
        if (u->below > 1 && u->device != MIXED) group = u;
    return group;
}

/* ---- the order of groups: the reference goes through sets of names ---- */

typedef struct listing { arena *a; acc_placed *out; size_t n; } listing;
static void list_groups(listing *l, acc_unit *u);
static void list_in_order(listing *l, acc_unit *u) {
    acc_unit **parts = arena_array(l->a, u->parts_n, sizeof *parts);
    const char **names = arena_array(l->a, u->parts_n, sizeof *names);
    size_t n = 0, *order = arena_array(l->a, u->parts_n, sizeof *order);
    for (acc_unit *part = u->parts; part; part = part->next_part) parts[n] = part, names[n++] = unit_path(l->a, part);
    pyset_order(l->a, names, n, order);
    for (size_t i = 0; i < n; i++) list_groups(l, parts[order[i]]);
}
static void list_groups(listing *l, acc_unit *u) {
    if (!u->groups) return;
    if (u->device == MADE) {
        acc_unit *entry = u;
        while (entry->parts) entry = entry->parts;
        l->out[l->n++] = (acc_placed){u, entry->device};
    } else if (u->groups > 1) {
        list_in_order(l, u);
    } else {
        for (acc_unit *part = u->parts; part; part = part->next_part) list_groups(l, part);
    }
}
size_t placed_clean(arena *a, acc_placed *placed, size_t n, acc_unit *root) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        placed[i].unit->device = placed[i].device;
        count(placed[i].unit, placed[i].device);
    }
    for (size_t i = 0; i < n; i++) {
        acc_unit *group = group_of(placed[i].unit);
        if (!group) placed[kept++] = placed[i];
        else if (group->device != MADE) {
            group->device = MADE;
            for (acc_unit *u = group; u; u = u->parent) u->groups++;
        }
    }
    listing l = {.a = a, .out = placed + kept};
    list_groups(&l, root);
    return kept + l.n;
}
