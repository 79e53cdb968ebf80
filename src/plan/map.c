/* Modules merge upwards while all below is on one device; modules without tensors go along. */
#include "map.h"
#include "../core/num.h"
#include <string.h>

enum { NONE_YET = -3, SEVERAL = -2 };

static int32_t fold(int32_t a, int32_t b) { return a == NONE_YET ? b : b == NONE_YET || a == b ? a : SEVERAL; }

/* The device that all of each divided module is on. */
static int32_t *device_of_places(const plan_blocks *b, const int32_t *device, arena *a) {
    int32_t *on = arena_array(a, b->place_count, sizeof *on);
    for (size_t i = 0; i < b->place_count; i++) on[i] = NONE_YET;
    for (size_t i = 0; i < b->n; i++)
        if (!b->all[i].empty) on[b->all[i].word.above] = fold(on[b->all[i].word.above], device[i]);
    for (size_t i = b->place_count; i-- > 1;) on[b->places[i].above] = fold(on[b->places[i].above], on[i]);
    return on;
}
/* The topmost place that holds block i and lies on one device; false: there is none. */
static bool merged(const plan_blocks *b, const int32_t *on, size_t i, uint32_t *place) {
    bool found = false;
    for (uint32_t at = b->all[i].word.above;; at = b->places[at].above) {
        if (on[at] == SEVERAL) return found;
        found = true;
        *place = at;
        if (!at) return true;
    }
}
static const char *expert_path(const plan_blocks *b, size_t i, int64_t experts, arena *a) {
    char path[MODULE_PATH], number[NUM_TEXT];
    plan_block_path(b, i, path);
    if (experts == 1) return arena_text(a, path, strlen(path));
    num_int(number, b->all[i].expert + experts);
    return arena_printf(a, "%.*s:%s]", (int)strlen(path) - 1, path, number);
}
static plan_entry entry_of(const plan_blocks *b, const int32_t *device, size_t i, arena *a) {
    plan_entry e = {.device = device[i], .expert = b->all[i].expert};
    char path[MODULE_PATH];
    if (e.expert == NO_EXPERT) e.path = arena_text(a, path, plan_block_path(b, i, path));
    else {
        for (e.experts = 1; i + (size_t)e.experts < b->n; e.experts++) {
            const plan_block *next = &b->all[i + (size_t)e.experts];
            if (next->word.above != b->all[i].word.above || next->expert == NO_EXPERT || device[i + (size_t)e.experts] != e.device) break;
        }
        e.path = expert_path(b, i, e.experts, a);
    }
    return e;
}
size_t plan_map_of(plan_entry **out, const plan_blocks *b, const int32_t *device, arena *a) {
    int32_t *on = device_of_places(b, device, a);
    bool *told = arena_array(a, b->place_count, sizeof *told);
    plan_entry *all = *out = arena_array(a, b->n, sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < b->n;) {
        uint32_t place;
        if (!merged(b, on, i, &place)) {
            all[n] = entry_of(b, device, i, a);
            i += all[n].experts ? (size_t)all[n].experts : 1;
            n++;
            continue;
        }
        if (!told[place]) {
            char path[MODULE_PATH];
            size_t k = plan_place_path(b, place, path);
            all[n++] = (plan_entry){arena_text(a, path, k), on[place] == NONE_YET ? device[i] : on[place], NO_EXPERT, 0};
        }
        told[place] = true;
        i++;
    }
    return n;
}
