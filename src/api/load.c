/* tare_load(): all of it in memory; tare_load_to(): to whoever takes it. */
#define _GNU_SOURCE
#include "loading.h"
#include "weights.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool failed(loading *l, bool ok, tare_error *err) {
    if (!ok && err) *err = l->err;
    load_end(l);
    return !ok;
}

/* ---- in memory ---- */

/* Strings of the model live as long as it does; shapes of slices must outlive the arena of the load. */
typedef struct keeping { const loading *l; tare_weights *w; } keeping;
static bool keep_items(void *to) {
    keeping *k = to;
    const loading *l = k->l;
    tare_item *items = arena_array(&k->w->a, l->n, sizeof *items);
    for (size_t i = 0; i < l->n; i++) {
        items[i] = l->items[i];
        items[i].owner = NULL;
        if (l->items[i].owner)
            for (size_t o = i; o-- > 0 && !items[i].owner;)
                if (l->value[o] == l->value[i] && !l->items[o].owner) items[i].owner = l->of_model[o].path;
        if (!items[i].rank || items[i].shape == l->of_model[i].shape) continue;
        int64_t *shape = arena_array(&k->w->a, (size_t)items[i].rank, sizeof *shape);
        items[i].shape = memcpy(shape, items[i].shape, (size_t)items[i].rank * sizeof *shape);
    }
    k->w->held = items;
    return true;
}

/* A tensor that the file holds just so is not copied: its pages are the file's until they are written to. */
static bool stays_mapped(const loading *l, const fill_target *t, size_t *which) {
    const value *v = t->value;
    if (l->o.io != TARE_IO_MAP || l->o.odd || v->n != 1 || !v->elements) return false;
    const file_tensor *f = &l->r->c->tensors[*which = v->boxes[0].source];
    if (f->packed) return false;
    size_t unit = tare_dtype_bytes((tare_dtype)f->dtype);
    if (f->dtype != t->dtype || (f->at + (uint64_t)v->boxes[0].from * unit) % unit) return false;
    int64_t run = 1;
    for (int i = v->rank; i-- > 0;) {
        const box *b = &v->boxes[0];
        if (b->size[i] != 1 && b->step[i] != run) return false;
        run *= b->size[i];
    }
    return true;
}
static char *mapping_of(const loading *l, tare_weights *w, size_t file, tare_error *err) {
    weights_mapping *m = &w->maps[file];
    if (m->at) return m->at;
    int fd = checkpoint_fd(l->r->c, file, err);
    if (fd < 0) return NULL;
    void *at = mmap(NULL, l->r->c->files[file].bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    if (at == MAP_FAILED) return error_set(err, TARE_IO, "io", l->r->c->files[file].path, "cannot map %s", l->r->c->files[file].path), NULL;
    *m = (weights_mapping){at, l->r->c->files[file].bytes};
    return at;
}
typedef struct in_memory { loading l; tare_weights *w; bool *copied; } in_memory;
static bool map_files(in_memory *i) {
    loading *l = &i->l;
    if (l->o.io != TARE_IO_MAP) return true;
    i->w->maps = arena_array(&i->w->a, l->r->c->file_count, sizeof *i->w->maps);
    i->w->map_count = l->r->c->file_count;
    for (size_t k = 0, which; k < l->target_n; k++) {
        if (!stays_mapped(l, &l->targets[k], &which)) continue;
        const file_tensor *f = &l->r->c->tensors[which];
        char *file = mapping_of(l, i->w, f->file, &l->err);
        if (!file) return false;
        uint64_t unit = tare_dtype_bytes((tare_dtype)f->dtype);
        i->w->at[l->slot_of[k]] = file + f->at + (uint64_t)l->targets[k].value->boxes[0].from * unit;
        i->copied[l->slot_of[k]] = false;
        i->w->bytes += item_bytes(&l->items[l->slot_of[k]]);
    }
    return true;
}
static bool map_in_arena(void *to) { return map_files(to); }
static bool keep_in_arena(void *to) { return keep_items(to); }

static void *memory_of(void *to, size_t slot) { return ((in_memory *)to)->w->at[slot]; }
static bool no_piece(void *to, size_t slot, uint64_t first, const void *bytes, size_t n) {
    (void)to, (void)slot, (void)first, (void)bytes;
    return !n;
}
static bool nothing(void *to, size_t slot) { return (void)to, (void)slot, true; }

/* What is mapped has its address; of the rest the region is made. */
static bool take_memory(in_memory *i) {
    loading *l = &i->l;
    uint64_t region = 0;
    for (size_t k = 0; k < l->n; k++)
        if (l->held[k] && i->copied[k]) region += item_bytes(&l->items[k]);
    if (!load_fits(l, region)) return false;
    void **mapped = tarei_malloc((l->n + 1) * sizeof *mapped);
    if (!mapped) return error_set(&l->err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    memcpy(mapped, i->w->at, l->n * sizeof *mapped);
    memset(i->w->at, 0, l->n * sizeof *i->w->at);
    for (size_t k = 0; k < l->n; k++)
        if (l->held[k] && i->copied[k]) weights_place(i->w, k, item_bytes(&l->items[k]));
    bool ok = weights_map(i->w, false, &l->err);
    for (size_t k = 0; ok && k < l->n; k++)
        if (mapped[k]) i->w->at[k] = mapped[k];
    free(mapped);
    return ok;
}
static bool load_all(in_memory *i) {
    loading *l = &i->l;
    i->w = weights_new(l->of_model, l->n, &l->err);
    i->copied = tarei_malloc(l->n + 1);
    if (!i->w) return false;
    if (!i->copied) return error_set(&l->err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    memset(i->copied, 1, l->n + 1);
    keeping k = {l, i->w};
    if (!guarded(&i->w->a, &l->err, map_in_arena, i) || !guarded(&i->w->a, &l->err, keep_in_arena, &k) || !take_memory(i)) return false;
    load_sink taker = {memory_of, no_piece, nothing, i};
    if (!load_run(l, i->copied, false, &taker)) return false;
    for (size_t s = 0; s < l->n; s++) i->w->at[s] = i->w->at[l->value[s]];
    return true;
}
tare_weights *tare_load(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, tare_error *err) {
    in_memory i = {.w = NULL};
    bool ok = load_begin(&i.l, m, c, options) && load_all(&i);
    free(i.copied);
    if (!failed(&i.l, ok, err)) return i.w;
    tare_weights_free(i.w);
    return NULL;
}
tare_status tare_load_need(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, uint64_t *tensors, uint64_t *reading,
                           tare_error *err) {
    loading l;
    bool ok = load_begin(&l, m, c, options);
    tare_status status = l.err.status;
    if (ok) *tensors = l.bytes, *reading = l.reading;
    return failed(&l, ok, err) ? status : TARE_OK;
}

/* ---- to whoever takes it ---- */

typedef struct handing { loading l; const tare_receiver *r; } handing;
static void *their_memory(void *to, size_t slot) {
    handing *h = to;
    const tare_item *t = &h->l.items[slot];
    return h->r->memory ? h->r->memory(h->r->to, t, item_bytes(t)) : NULL;
}
static bool their_piece(void *to, size_t slot, uint64_t first, const void *bytes, size_t n) {
    handing *h = to;
    return !h->r->piece || h->r->piece(h->r->to, &h->l.items[slot], first, bytes, n);
}
static bool their_done(void *to, size_t slot) {
    handing *h = to;
    return !h->r->done || h->r->done(h->r->to, &h->l.items[slot]);
}
tare_status tare_load_to(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, const tare_receiver *receiver,
                         tare_error *err) {
    handing h = {.r = receiver};
    load_sink taker = {their_memory, their_piece, their_done, &h};
    bool ok = load_begin(&h.l, m, c, options) && load_fits(&h.l, 0) && load_run(&h.l, NULL, true, &taker);
    tare_status status = h.l.err.status;
    return failed(&h.l, ok, err) ? status : TARE_OK;
}
