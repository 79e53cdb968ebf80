/* tare_materialise(): from checkpoint to checkpoint, in pieces. */
#include "loading.h"
#include "../core/buf.h"
#include "../core/sha256.h"
#include "../files/layout.h"
#include "../files/save.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SHARD 50000000000u /* bytes, as save_pretrained() */

typedef struct rewriting {
    loading l;
    tare_save_options how;
    arena a;                /* of the layout */
    const layout *layout;
    save *s;
    size_t *source;         /* of each slot that is filled: where the layout has its pieces */
    uint32_t *open;         /* of each disk tensor: sources that are not complete */
    bool *which;            /* slots that an earlier run has not completed */
    pthread_mutex_t lock;   /* of open */
} rewriting;

/* ---- what is written ---- */

/* The first of the slots that hold a tensor stands for it. */
static bool make_layout(void *to) {
    rewriting *w = to;
    const loading *l = &w->l;
    size_t *first = arena_array(&w->a, l->n, sizeof *first);
    uint8_t *dtypes = arena_array(&w->a, l->n, 1);
    int64_t *lengths = arena_array(&w->a, l->n, sizeof *lengths);
    layout_how how = {.dtypes = dtypes, .lengths = lengths, .rules = w->how.runtime ? NULL : &l->r->rules};
    how.owners = w->source = arena_array(&w->a, l->n, sizeof *w->source);
    for (size_t i = l->n; i-- > 0;) first[l->value[i]] = i;
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].rank == 1) lengths[i] = l->items[i].shape[0];
    for (size_t i = 0; i < l->n; i++) dtypes[i] = (uint8_t)l->items[i].dtype, w->source[i] = first[l->value[i]];
    w->layout = layout_make(&w->a, l->m->root, &how, &w->l.err);
    if (!w->layout) return false;
    w->open = arena_array(&w->a, w->layout->entry_count + 1, sizeof *w->open);
    w->which = arena_array(&w->a, l->n + 1, sizeof *w->which);
    for (size_t i = 0; i < w->layout->source_count; i++)
        for (size_t k = 0; k < w->layout->sources[i].count; k++) w->open[w->layout->sources[i].pieces[k].entry]++;
    return true;
}
/* Everything that decides a byte: so that only a run of the same kind goes on with what another one left. */
static void plan_id(const rewriting *w, char id[65]) {
    sha256 h;
    tare_error err;
    const loading *l = &w->l;
    char text[512];
    sha256_start(&h);
    int n = snprintf(text, sizeof text, "%s rewritten %d %d %" PRIu64 "\n", tare_version(), w->how.runtime, (int)l->o.rng, l->o.seed);
    sha256_take(&h, text, (size_t)n);
    for (size_t i = 0; i < l->r->c->file_count; i++) {
        const weights_file *f = &l->r->c->files[i];
        n = snprintf(text, sizeof text, "%.200s %" PRIu64 " %" PRIu64 "\n", f->name, f->bytes, f->stamp);
        sha256_take(&h, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    }
    for (size_t i = 0; i < l->r->c->tensor_count; i++) sha256_take(&h, l->r->keys[i].name, strlen(l->r->keys[i].name) + 1);
    tare_model_write(l->m, TARE_TEXT_TREE, sha256_take, &h, &err);
    tare_model_write(l->m, TARE_TEXT_SAVED_CONFIG, sha256_take, &h, &err);
    sha256_end(&h, id);
}

/* ---- texts ---- */

static bool save_made(rewriting *w, tare_text what, const char *name) {
    buf text = {0};
    bool ok = tare_model_write(w->l.m, what, buf_take, &text, &w->l.err) == TARE_OK;
    if (ok && text.n) ok = save_text(w->s, name, text.data, text.n, &w->l.err);
    buf_free(&text);
    return ok;
}
/* The folder's own, where it has one, as it is. */
static bool save_generation(rewriting *w) {
    enum { MOST = 1 << 20 };
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/generation_config.json", w->l.c->base);
    FILE *f = n > 0 && n < (int)sizeof path ? fopen(path, "rb") : NULL;
    if (!f) return true;
    char *text = tarei_malloc(MOST);
    size_t bytes = text ? fread(text, 1, MOST, f) : 0;
    bool failed = !text || ferror(f) || bytes == MOST;
    fclose(f);
    if (!failed && bytes) failed = !save_text(w->s, "generation_config.json", text, bytes, &w->l.err);
    free(text);
    if (failed) error_set(&w->l.err, TARE_IO, "io", path, "cannot copy %s", path); /* unless it was something else */
    return !failed;
}

/* ---- from slots to files ---- */

static bool to_file(void *to, size_t entry, uint64_t at, const unsigned char *bytes, size_t n) {
    return save_bytes(((rewriting *)to)->s, entry, at, bytes, n);
}
static bool write_piece(void *to, size_t slot, uint64_t first, const void *bytes, size_t n) {
    rewriting *w = to;
    return layout_scatter(&w->layout->sources[w->source[slot]], first, bytes, n, to_file, w);
}
static bool slot_written(void *to, size_t slot) {
    rewriting *w = to;
    const layout_source *s = &w->layout->sources[w->source[slot]];
    for (size_t i = 0; i < s->count; i++) {
        size_t entry = s->pieces[i].entry;
        pthread_mutex_lock(&w->lock);
        bool last = --w->open[entry] == 0;
        pthread_mutex_unlock(&w->lock);
        if (last && !save_done(w->s, entry)) return false;
    }
    return true;
}
static void leave_out_what_is_done(rewriting *w) {
    for (size_t i = 0; i < w->l.n; i++) {
        const layout_source *s = &w->layout->sources[w->source[i]];
        for (size_t k = 0; k < s->count && !w->which[i]; k++) w->which[i] = !save_has(w->s, s->pieces[k].entry);
    }
}
/* num_parameters() of the loaded model, in which ties that the files contradict are none. */
static uint64_t parameters(const loading *l) {
    uint64_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].kind == TARE_PARAM && !l->items[i].owner) n += (uint64_t)l->r->slots.v[i].t->elements;
    return n;
}
static bool start(rewriting *w, const char *dir) {
    char id[65];
    tare_error *err = &w->l.err;
    if (!guarded(&w->a, err, make_layout, w)) return false;
    save_tensor *tensors = layout_tensors(w->layout);
    if (!tensors) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    plan_id(w, id);
    save_options o = {.max_shard = w->how.max_shard_bytes ? w->how.max_shard_bytes : DEFAULT_SHARD, .force = w->how.force,
                      .parameters = parameters(&w->l), .plan_id = id};
    w->s = save_begin(dir, tensors, w->layout->entry_count, &o, err);
    free(tensors);
    return w->s && save_made(w, TARE_TEXT_SAVED_CONFIG, "config.json") && save_generation(w);
}
static bool finish(rewriting *w, bool ok) {
    if (w->s && !ok) {
        bool failed = save_failed(w->s, &w->l.err);
        save_abandon(w->s, w->l.cancelled && !failed);
    } else if (w->s) ok = save_commit(w->s, false, &w->l.err);
    arena_free(&w->a);
    pthread_mutex_destroy(&w->lock);
    return ok;
}

static bool is_saved(void *to, const tare_item *t) { return (void)to, t->persistent; }
static bool takes_all(const tare_load_options *o, tare_error *err) {
    if (!o || (!o->only && !o->wanted && !o->device_map && !o->slice && o->ranks < 2)) return true;
    error_set(err, TARE_USAGE, "usage", NULL, "a checkpoint is rewritten whole: it goes with no choice of tensors, slices or ranks");
    return false;
}
tare_status tare_materialise(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, const char *dir,
                             const tare_save_options *how, tare_error *err) {
    rewriting w = {.s = NULL};
    tare_error e = {0};
    tare_load_options o = options ? *options : (tare_load_options){.threads = 0};
    if (!takes_all(options, &e)) {
        if (err) *err = e;
        return e.status;
    }
    if (how) w.how = *how;
    pthread_mutex_init(&w.lock, NULL);
    o.wanted = is_saved;
    load_sink taker = {NULL, write_piece, slot_written, &w};
    bool ok = load_begin(&w.l, m, c, &o) && load_fits(&w.l, 0) && start(&w, dir);
    if (ok) leave_out_what_is_done(&w);
    ok = finish(&w, ok && load_run(&w.l, w.which, false, &taker));
    if (!ok && w.l.cancelled) error_set(&w.l.err, TARE_IO, "cancelled", NULL, "cancelled; nothing was written to %s", dir);
    tare_status status = w.l.err.status;
    if (!ok && err) *err = w.l.err;
    load_end(&w.l);
    return ok ? TARE_OK : status;
}
