/* tare_map_check_open() and its getters. */
#include "handle.h"
#include "../config/json.h"
#include "../plan/verify.h"
#include <stdlib.h>

struct tare_map_check {
    arena a;
    tare_map_device *devices;
    tare_fault *faults;
    size_t device_count, fault_count;
};
typedef struct checking { const tare_model *m; const char *json; size_t n; const char *const *no_split; tare_map_check *c; tare_error err; } checking;

static void add(tare_map_check *c, tare_fault_kind kind, const char *path, const char *other, uint64_t bytes) {
    c->faults[c->fault_count++] = (tare_fault){kind, path, other, bytes};
}
static void keep(tare_map_check *c, const plan_verdict *v) {
    c->devices = arena_array(&c->a, v->device_count + 1, sizeof *c->devices);
    for (size_t i = 0; i < v->device_count; i++) c->devices[c->device_count++] = (tare_map_device){v->devices[i], v->bytes[i]};
    c->faults = arena_array(&c->a, v->homeless_count + v->cut_count + v->apart_count + v->unknown_count + 1, sizeof *c->faults);
    for (size_t i = 0; i < v->homeless_count; i++) add(c, TARE_FAULT_NO_DEVICE, v->homeless[i].path, NULL, v->homeless[i].bytes);
    for (size_t i = 0; i < v->cut_count; i++) add(c, TARE_FAULT_CUT, v->cuts[i].path, v->cuts[i].cls, 0);
    for (size_t i = 0; i < v->apart_count; i++) add(c, TARE_FAULT_APART, v->apart[i].path, v->apart[i].first, v->apart[i].bytes);
    for (size_t i = 0; i < v->unknown_count; i++) add(c, TARE_FAULT_UNKNOWN, v->unknown[i], NULL, 0);
}
static bool work(void *to) {
    checking *w = to;
    val map;
    plan_verdict v;
    if (!json_read(&w->c->a, w->json, w->n, "the map", &map, &w->err)) return false;
    if (!plan_verify(&v, w->m->root, map, w->no_split, &w->c->a, &w->err)) return false;
    keep(w->c, &v);
    return true;
}
tare_map_check *tare_map_check_open(const tare_model *m, const char *json, size_t n, const char *const *no_split, tare_error *err) {
    checking w = {.m = m, .json = json, .n = n, .no_split = no_split, .c = tarei_malloc(sizeof *w.c)};
    if (w.c) *w.c = (tare_map_check){.faults = NULL};
    else error_set(&w.err, TARE_IO, "out_of_memory", NULL, "out of memory");
    if (w.c && guarded(&w.c->a, &w.err, work, &w)) return w.c;
    if (err) *err = w.err;
    tare_map_check_free(w.c);
    return NULL;
}
size_t tare_map_check_devices(const tare_map_check *c, const tare_map_device **rows) { return *rows = c->devices, c->device_count; }
size_t tare_map_check_faults(const tare_map_check *c, const tare_fault **rows) { return *rows = c->faults, c->fault_count; }
void tare_map_check_free(tare_map_check *c) {
    if (!c) return;
    arena_free(&c->a);
    free(c);
}
