/* tare_plan_make() and its getters. */
#include "plan.h"
#include "../build/sets.h"
#include "../plan/accelerate.h"
#include "../quant/open.h"
#include <stdlib.h>
#include <string.h>

static const char *const *names_of(arena *a, val list) {
    const char **names = arena_array(a, list.n + 1, sizeof *names);
    for (uint32_t i = 0; i < list.n; i++) names[i] = list.items[i].s;
    return names;
}
static uint64_t whole_bytes(double n) { return n >= 0x1p64 ? UINT64_MAX : n > 0 ? (uint64_t)n : 0; }
static void keep(tare_plan *g, const accelerate_plan *p) {
    g->device_count = p->device_count;
    g->devices = arena_array(&g->a, p->device_count, sizeof *g->devices);
    for (size_t i = 0; i < p->device_count; i++) {
        const acc_device *d = &p->devices[i];
        g->devices[i] = (tare_plan_device){.name = d->name, .is_number = d->numbered, .given = d->given, .has_budget = d->given && !d->none,
                                           .budget = d->budget.n, .real = d->budget.real, .load = whole_bytes(d->load)};
    }
    g->entry_count = p->entry_count;
    g->entries = arena_array(&g->a, p->entry_count, sizeof *g->entries);
    for (size_t i = 0; i < p->entry_count; i++) g->entries[i] = (tare_plan_entry){p->entries[i].path, (size_t)p->entries[i].device};
    g->remarks = p->remarks;
    g->remark_count = p->remark_count;
    g->sizes = (tare_plan_sizes){.root = p->root.n, .largest = p->largest.n, .largest_count = p->largest_n};
    memcpy(g->sizes.largest_names, p->largest_names, sizeof p->largest_names);
}
static bool as_accelerate(planning *w) {
    const tare_plan_options *o = &w->o;
    accelerate_plan p;
    accelerate_options how = {
        .devices = o->devices, .device_count = o->device_count, .mode = o->mode, .dtype = o->dtype, .special_dtypes = o->special_dtypes,
        .special_count = o->special_count, .keep_parts = o->keep_parts, .offload_buffers = o->offload_buffers,
        .fallback_allocation = o->fallback_allocation, .budgets_only = o->budgets_only,
    };
    how.share = quant_share(w->m->quant);
    how.element = quant_element(w->m->quant);
    how.no_split = o->no_split ? o->no_split : names_of(&w->g->a, set_of(&w->g->a, w->m->root, SET_NO_SPLIT));
    if (!accelerate_map(&w->g->a, w->m->root, &how, &p, &w->err)) return false;
    keep(w->g, &p);
    return true;
}
static bool work(void *to) {
    planning *w = to;
    return w->o.accelerate ? as_accelerate(w) : plan_best(w);
}
static bool can_be(const tare_plan_options *o, tare_error *err) {
    bool lists = (unsigned)o->mode <= TARE_MAP_SEQUENTIAL && (o->devices || !o->device_count) && (o->special_dtypes || !o->special_count);
    if (lists && (o->accelerate || !o->budgets_only)) return true;
    if (lists) error_set(err, TARE_USAGE, "usage", NULL, "budgets alone are of accelerate's map");
    else error_set(err, TARE_USAGE, "usage", NULL, "the options of the map name a mode or lists that are not there");
    return false;
}
tare_plan *tare_plan_make(const tare_model *m, const tare_plan_options *options, tare_error *err) {
    planning w = {.m = m, .o = options ? *options : (tare_plan_options){.accelerate = false}};
    w.g = tarei_malloc(sizeof *w.g);
    if (w.g) *w.g = (tare_plan){.entries = NULL};
    else error_set(&w.err, TARE_IO, "out_of_memory", NULL, "out of memory");
    if (w.g && can_be(&w.o, &w.err) && guarded(&w.g->a, &w.err, work, &w)) return w.g;
    if (err) *err = w.err;
    tare_plan_free(w.g);
    return NULL;
}
void tare_plan_free(tare_plan *g) {
    if (!g) return;
    arena_free(&g->a);
    free(g);
}
size_t tare_plan_devices(const tare_plan *g, const tare_plan_device **rows) { return *rows = g->devices, g->device_count; }
size_t tare_plan_entries(const tare_plan *g, const tare_plan_entry **rows) { return *rows = g->entries, g->entry_count; }
size_t tare_plan_remarks(const tare_plan *g, const char *const **texts) { return *texts = g->remarks, g->remark_count; }
void tare_plan_sizes_of(const tare_plan *g, tare_plan_sizes *out) { *out = g->sizes; }
