/* clean_device_map: parts of a module that all lie on one device become the module. */
#include "accelerate.h"

enum { MIXED = -1, MADE = -2 };

static void count(acc_unit *u, int32_t device) {
    for (u = u->parent; u; u = u->parent) {
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
size_t placed_clean(acc_placed *placed, size_t n, acc_placed *groups) {
    size_t kept = 0, made = 0;
    for (size_t i = 0; i < n; i++) count(placed[i].unit, placed[i].device);
    for (size_t i = 0; i < n; i++) {
        acc_unit *group = group_of(placed[i].unit);
        if (!group) placed[kept++] = placed[i];
        else if (group->device != MADE) groups[made++] = (acc_placed){group, placed[i].device}, group->device = MADE;
    }
    for (size_t i = 0; i < made; i++) placed[kept++] = groups[i];
    return kept;
}
