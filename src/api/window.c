/* tare_window_open(): a model, layer by layer, in memory that is used again. */
#define _GNU_SOURCE
#include "loading.h"
#include "../build/sets.h"
#include "../tree/tree.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct tare_window {
    loading l;
    tare_unit *units;
    size_t unit_n, unit_cap;
    size_t now;             /* the unit that is loaded; SIZE_MAX: none */
    uint64_t bytes, mapped; /* of the largest; of the region */
    char *all;
    uint64_t *at;           /* of each slot in the unit that is loaded */
    bool *which;            /* the slots whose memory it needs */
};

/* ---- units ---- */

typedef struct dividing {
    tare_window *w;
    val no_split;
    size_t slot;
    bool open;              /* the last unit goes on */
} dividing;

static bool is_below(const char *path, const char *above) {
    size_t n = strlen(above);
    return !n || (!strncmp(path, above, n) && (!path[n] || path[n] == '.'));
}
static bool stays_whole(const dividing *d, const node *m) {
    for (uint32_t i = 0; i < d->no_split.n; i++)
        if (!strcmp(d->no_split.items[i].s, m->cls)) return true;
    return !m->children && (m->params || m->buffers);
}
static void begin_unit(dividing *d, const tree_item *item, const char *class_name) {
    tare_window *w = d->w;
    w->units = arena_grow(&w->l.a, w->units, w->unit_n, &w->unit_cap, 1, sizeof *w->units);
    w->units[w->unit_n++] = (tare_unit){arena_text(&w->l.a, item->path, item->path_n), class_name, d->slot, 0, 0};
}
static bool divide(void *to, const tree_item *item) {
    dividing *d = to;
    tare_window *w = d->w;
    if (d->open && !is_below(item->path, w->units[w->unit_n - 1].path)) d->open = false;
    if (!item->slot) {
        if (!d->open && stays_whole(d, item->module)) begin_unit(d, item, item->module->cls), d->open = true;
        return true;
    }
    if (!d->open) begin_unit(d, item, NULL);
    w->units[w->unit_n - 1].n++;
    d->slot++;
    return true;
}
/* Gives every tensor that a unit needs its place in the region; the bytes of all. */
static uint64_t place(tare_window *w, const tare_unit *u) {
    loading *l = &w->l;
    uint64_t end = 0;
    memset(w->which, 0, l->n);
    for (size_t i = u->first; i < u->first + u->n; i++) {
        size_t from = l->value[i];
        if (!l->wanted[i] || w->which[from]) continue;
        w->which[from] = true;
        w->at[from] = end;
        end += (item_bytes(&l->items[from]) + 63) & ~(uint64_t)63;
    }
    return end;
}
static bool make_units(void *to) {
    tare_window *w = to;
    dividing d = {.w = w, .no_split = set_of(&w->l.a, w->l.m->root, SET_NO_SPLIT)};
    tree_walk(w->l.m->root, divide, &d);
    w->at = arena_array(&w->l.a, w->l.n, sizeof *w->at);
    w->which = arena_array(&w->l.a, w->l.n, sizeof *w->which);
    size_t kept = 0;
    for (size_t i = 0; i < w->unit_n; i++) {
        tare_unit u = w->units[i];
        u.bytes = place(w, &u);
        if (u.bytes) w->units[kept++] = u;
        if (u.bytes > w->bytes) w->bytes = u.bytes;
    }
    w->unit_n = kept;
    return true;
}

/* ---- the window ---- */

static bool take_region(tare_window *w) {
    w->mapped = w->bytes ? w->bytes : 64;
    if (!load_fits(&w->l, w->mapped)) return false;
    char *all = mmap(NULL, w->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return error_set(&w->l.err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    madvise(all, w->mapped, MADV_HUGEPAGE);
    w->all = all;
    return true;
}
tare_window *tare_window_open(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, tare_error *err) {
    tare_window *w = tarei_malloc(sizeof *w);
    tare_error none = {0};
    if (!w) return error_set(err ? err : &none, TARE_IO, "out_of_memory", NULL, "out of memory"), NULL;
    memset(w, 0, sizeof *w);
    w->now = SIZE_MAX;
    if (load_begin(&w->l, m, c, options) && guarded(&w->l.a, &w->l.err, make_units, w) && take_region(w)) return w;
    if (err) *err = w->l.err;
    tare_window_free(w);
    return NULL;
}
void tare_window_free(tare_window *w) {
    if (!w) return;
    if (w->all) munmap(w->all, w->mapped);
    load_end(&w->l);
    free(w);
}
size_t tare_window_units(const tare_window *w, const tare_unit **rows) { return *rows = w->units, w->unit_n; }
uint64_t tare_window_bytes(const tare_window *w) { return w->bytes; }

static void *memory_of(void *to, size_t slot) {
    tare_window *w = to;
    return w->all + w->at[slot];
}
static bool no_piece(void *to, size_t slot, uint64_t first, const void *bytes, size_t n) {
    (void)to, (void)slot, (void)first, (void)bytes;
    return !n;
}
static bool nothing(void *to, size_t slot) { return (void)to, (void)slot, true; }
tare_status tare_window_load(tare_window *w, size_t unit, tare_error *err) {
    load_sink taker = {memory_of, no_piece, nothing, w};
    w->l.err = (tare_error){0};
    w->now = SIZE_MAX;
    if (unit >= w->unit_n) error_set(&w->l.err, TARE_USAGE, "usage", NULL, "there is no unit %zu of %zu", unit, w->unit_n);
    else if (place(w, &w->units[unit]), load_run(&w->l, w->which, false, &taker)) return w->now = unit, TARE_OK;
    if (err) *err = w->l.err;
    return w->l.err.status;
}
void *tare_window_data(const tare_window *w, const tare_item *t, tare_item *as_held) {
    const loading *l = &w->l;
    if (w->now == SIZE_MAX || t < l->of_model || t >= l->of_model + l->n) return NULL;
    const tare_unit *u = &w->units[w->now];
    size_t i = (size_t)(t - l->of_model);
    if (i < u->first || i >= u->first + u->n || !l->wanted[i]) return NULL;
    if (as_held) *as_held = l->items[i];
    return w->all + w->at[l->value[i]];
}
