/* tare_init_save() and tare_save(): weights as a checkpoint folder. */
#include "filling.h"
#include "../core/sha256.h"
#include "../files/layout.h"
#include "../core/buf.h"
#include "../files/save.h"
#include "../files/sizes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what goes into the folder ---- */

#define DEFAULT_SHARD 50000000000u /* bytes, as save_pretrained() */

typedef struct writing {
    filling f;              /* first: what fills hands this over */
    arena a;                /* of the layout */
    const layout *l;
    save *s;
    size_t *first_of;       /* the source that stands for each slot's value */
    uint32_t *open;         /* of each disk tensor: sources that are not complete */
    pthread_mutex_t lock;   /* of progress */
} writing;

static bool make_layout(void *to) {
    writing *w = to;
    w->l = layout_make(&w->a, w->f.m->root, NULL, &w->f.err);
    return w->l != NULL;
}
static bool no_memory(writing *w) {
    error_set(&w->f.err, TARE_IO, "out_of_memory", NULL, "out of memory");
    return false;
}
/* Everything that decides a byte of the tensors, so that only a run of the same kind goes on with what another one left. */
static void plan_id(const writing *w, bool given, char id[65]) {
    sha256 h;
    tare_error err;
    const tare_init_options *o = &w->f.o;
    char text[160];
    int n = snprintf(text, sizeof text, "%s %s %d %llu\n", tare_version(), given ? "given" : "drawn", (int)o->rng, (unsigned long long)o->seed);
    sha256_start(&h);
    sha256_take(&h, text, (size_t)n);
    tare_model_write(w->f.m, TARE_TEXT_TREE, sha256_take, &h, &err);
    tare_model_write(w->f.m, TARE_TEXT_SAVED_CONFIG, sha256_take, &h, &err);
    sha256_end(&h, id);
}
static bool save_texts(writing *w) {
    static const struct { tare_text what; const char *name; } texts[] = {
        {TARE_TEXT_SAVED_CONFIG, "config.json"}, {TARE_TEXT_SAVED_GENERATION, "generation_config.json"},
    };
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof texts / sizeof *texts; i++) {
        buf text = {0};
        ok = tare_model_write(w->f.m, texts[i].what, buf_take, &text, &w->f.err) == TARE_OK;
        if (ok && text.n) ok = save_text(w->s, texts[i].name, text.data, text.n, &w->f.err);
        buf_free(&text);
    }
    return ok;
}

/* ---- from slots to files ---- */

static bool to_file(void *to, size_t entry, uint64_t at, const unsigned char *bytes, size_t n) {
    return save_bytes(((writing *)to)->s, entry, at, bytes, n);
}
static bool count_written(writing *w, uint64_t n) {
    pthread_mutex_lock(&w->lock);
    bool ok = tell(&w->f, n);
    pthread_mutex_unlock(&w->lock);
    return ok;
}
static void *never_whole(void *to, size_t slot) { return (void)to, (void)slot, NULL; }
static bool write_piece(void *to, size_t slot, uint64_t first, const void *bytes, size_t n) {
    writing *w = to;
    return layout_scatter(&w->l->sources[w->first_of[slot]], first, bytes, n, to_file, w) && count_written(w, n);
}
static bool slot_written(void *to, size_t slot) {
    writing *w = to;
    const layout_source *s = &w->l->sources[w->first_of[slot]];
    for (size_t i = 0; i < s->count; i++)
        if (--w->open[s->pieces[i].entry] == 0 && !save_done(w->s, s->pieces[i].entry)) return false;
    return true;
}
/* What is not saved, or was saved by the run before, is not made. */
static bool slot_wanted(void *to, size_t slot) {
    writing *w = to;
    const layout_source *s = &w->l->sources[w->first_of[slot]];
    for (size_t i = 0; i < s->count; i++)
        if (!save_has(w->s, s->pieces[i].entry)) return true;
    return false;
}
static bool prepare(writing *w) {
    const init_plan *p = w->f.plan;
    w->first_of = tarei_malloc((p->slot_count + 1) * sizeof *w->first_of);
    w->open = tarei_malloc((w->l->entry_count + 1) * sizeof *w->open);
    if (!w->first_of || !w->open) return no_memory(w);
    memset(w->open, 0, (w->l->entry_count + 1) * sizeof *w->open);
    for (size_t i = p->slot_count; i-- > 0;) w->first_of[p->slots[i].value] = i;
    for (size_t i = 0; i < w->l->source_count; i++)
        for (size_t k = 0; k < w->l->sources[i].count; k++) w->open[w->l->sources[i].pieces[k].entry]++;
    return true;
}
/* Progress counts what is to be made now. */
static void count_all(writing *w) {
    const init_plan *p = w->f.plan;
    w->f.all = 0;
    for (size_t i = 0; i < p->slot_count; i++)
        if (p->slots[i].value == i && slot_wanted(w, i)) w->f.all += slot_bytes(&w->f, i);
}
static bool start(writing *w, const char *dir, const tare_save_options *o, bool given) {
    char id[65];
    save_tensor *tensors = guarded(&w->a, &w->f.err, make_layout, w) && prepare(w) ? layout_tensors(w->l) : NULL;
    if (!tensors) return w->f.err.status ? false : no_memory(w);
    plan_id(w, given, id);
    save_options options = {.max_shard = o && o->max_shard_bytes ? o->max_shard_bytes : DEFAULT_SHARD, .force = o && o->force,
                            .parameters = w->f.m->counts.total, .plan_id = id};
    w->s = save_begin(dir, tensors, w->l->entry_count, &options, &w->f.err);
    free(tensors);
    if (!w->s || !save_texts(w)) return false;
    count_all(w);
    return true;
}
/* Only what was stopped by the caller, or from outside, is kept to go on from. */
static bool finish(writing *w, bool ok) {
    if (w->s && !ok) {
        bool failed = save_failed(w->s, &w->f.err);
        save_abandon(w->s, w->f.cancelled && !failed);
    } else if (w->s) ok = save_commit(w->s, false, &w->f.err);
    free(w->first_of);
    free(w->open);
    arena_free(&w->a);
    pthread_mutex_destroy(&w->lock);
    return ok;
}

/* ---- the calls ---- */

tare_status tare_init_save(const tare_model *m, const tare_init_options *options, const char *dir, const tare_save_options *how, tare_error *err) {
    writing w = {.s = NULL};
    pthread_mutex_init(&w.lock, NULL);
    bool ok = fill_begin(&w.f, m, options) && start(&w, dir, how, false);
    init_out out = {.memory = never_whole, .piece = write_piece, .done = slot_written, .wanted = slot_wanted, .to = &w};
    ok = finish(&w, ok && fill_all(&w.f, &out));
    return refused(ok, &w.f, err) ? w.f.err.status : TARE_OK;
}
/* One slot from memory, in pieces that keep progress moving. */
static bool write_slot(writing *w, const tare_weights *weights, size_t slot) {
    enum { PIECE = 8 << 20 };
    const char *bytes = tare_weights_data(weights, &w->f.items[slot]);
    uint64_t n = slot_bytes(&w->f, slot);
    for (uint64_t at = 0; at < n; at += PIECE)
        if (!write_piece(w, slot, at, bytes + at, (size_t)(n - at < PIECE ? n - at : PIECE))) return false;
    return slot_written(w, slot);
}
tare_status tare_save(const tare_model *m, const tare_weights *weights, const char *dir, const tare_save_options *how, tare_error *err) {
    writing w = {.s = NULL};
    tare_init_options o = {.progress = how ? how->progress : NULL, .progress_to = how ? how->progress_to : NULL};
    pthread_mutex_init(&w.lock, NULL);
    bool ok = fill_begin(&w.f, m, &o);
    if (ok && !tare_weights_data(weights, w.f.items)) ok = false, error_set(&w.f.err, TARE_USAGE, "usage", NULL, "the weights are not this model's");
    ok = ok && start(&w, dir, how, true);
    for (size_t i = 0; ok && i < w.f.plan->slot_count; i++)
        if (w.f.plan->slots[i].value == i && slot_wanted(&w, i)) ok = write_slot(&w, weights, i);
    ok = finish(&w, ok);
    if (!ok && w.f.cancelled) error_set(&w.f.err, TARE_IO, "cancelled", NULL, "cancelled; nothing was written to %s", dir);
    return refused(ok, &w.f, err) ? w.f.err.status : TARE_OK;
}
tare_status tare_size_parse(const char *text, uint64_t *bytes) { return size_parse(text, bytes) ? TARE_OK : TARE_USAGE; }
