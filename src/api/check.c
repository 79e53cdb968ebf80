/* tare_check() and its report. */
#include "checkpoint.h"
#include "../quant/open.h"
#include "../load/report.h"
#include <stdlib.h>
#include <string.h>

struct tare_report {
    arena a;
    pthread_mutex_t lock; /* of what is made when it is first asked for */
    verdict v;
    report_facts facts;
};
typedef struct checking {
    const tare_model *m;
    const tare_checkpoint *c;
    tare_check_options o;
    tare_report *r;
    tare_error err;
} checking;

/* The method takes notes while it looks for what is packed. */
static const checkpoint *unpacked(arena *a, const tare_model *m, const tare_checkpoint *c, tare_error *err) {
    pthread_mutex_t *lock = &((tare_model *)(uintptr_t)m)->base.lock;
    if (!m->quant) return c->c;
    if (!quant_can_unpack(m->quant)) {
        error_set(err, TARE_NO, "not_available", NULL, "%s has no way back to floats in this release: load it as it is stored", quant_name(m->quant));
        return NULL;
    }
    pthread_mutex_lock(lock);
    const checkpoint *view = quant_unpacked(m->quant, a, c->c, err);
    pthread_mutex_unlock(lock);
    return view;
}
resolution *resolution_of(arena *a, const tare_model *m, const tare_checkpoint *c, const tare_check_options *o, tare_error *err) {
    resolve_options how = {.dtype = m->dtype, .strip_prefix = o->strip_prefix, .add_prefix = o->add_prefix};
    const checkpoint *view = unpacked(a, m, c, err);
    return view ? resolve(a, m->root, view, &how, err) : NULL;
}
static bool work(void *to) {
    checking *w = to;
    const resolution *r = resolution_of(&w->r->a, w->m, w->c, &w->o, &w->err);
    return r && verdict_make(&w->r->v, &w->r->a, r, w->m->root, &w->o, &w->err);
}
/* There is a file at least, if there is memory for the list. */
static bool note_facts(checking *w) {
    const tare_stored_file *files;
    size_t n = tare_checkpoint_files(w->c, &files);
    if (!n) return error_set(&w->err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    w->r->facts = (report_facts){.class_name = tare_model_class(w->m), .files = n};
    for (size_t i = 0; i < n; i++) w->r->facts.present += files[i].present;
    return true;
}
tare_report *tare_check(const tare_model *m, const tare_checkpoint *c, const tare_check_options *options, tare_error *err) {
    checking w = {.m = m, .c = c, .r = tarei_malloc(sizeof *w.r)};
    if (options) w.o = *options;
    if (w.r) {
        memset(w.r, 0, sizeof *w.r);
        pthread_mutex_init(&w.r->lock, NULL);
        if (note_facts(&w) && guarded(&w.r->a, &w.err, work, &w)) return w.r;
        tare_report_free(w.r);
    } else error_set(&w.err, TARE_IO, "out_of_memory", NULL, "out of memory");
    if (err) *err = w.err;
    return NULL;
}
void tare_report_free(tare_report *r) {
    if (!r) return;
    pthread_mutex_destroy(&r->lock);
    arena_free(&r->a);
    free(r);
}

/* ---- reading it ---- */

const char *tare_row_name(tare_row_kind kind) {
    static const char *const names[TARE_ROW_KINDS] = {
        "matched", "renamed", "converted", "tied", "formula", "made", "missing", "shape", "dtype", "conversion", "unexpected",
        "ignorable", "surplus", "file",
    };
    return (unsigned)kind < TARE_ROW_KINDS ? names[kind] : "?";
}
void tare_report_verdict(const tare_report *r, tare_verdict *out) { *out = r->v.sum; }
size_t tare_report_rows(const tare_report *r, const tare_row **rows) { return *rows = r->v.rows, r->v.row_n; }
size_t tare_report_causes(const tare_report *r, const char *const **texts) { return *texts = r->v.causes, r->v.cause_n; }
static bool make_lists(void *to) { return verdict_lists(to), true; }
static bool listed(const tare_report *r) {
    tare_report *mine = (tare_report *)r;
    pthread_mutex_lock(&mine->lock);
    bool ok = mine->v.listed || guarded(&mine->a, NULL, make_lists, &mine->v);
    pthread_mutex_unlock(&mine->lock);
    return ok;
}
size_t tare_report_missing(const tare_report *r, const char *const **names) {
    if (!listed(r)) return *names = NULL, 0;
    return *names = r->v.missing, r->v.missing_n;
}
size_t tare_report_unexpected(const tare_report *r, const char *const **names) {
    if (!listed(r)) return *names = NULL, 0;
    return *names = r->v.unexpected, r->v.unexpected_n;
}
typedef struct telling { const tare_report *r; arena a; sink s; } telling;
static bool tell(void *to) {
    telling *w = to;
    return report_text(&w->r->v, &w->r->facts, &w->a, &w->s), true;
}
tare_status tare_report_write(const tare_report *r, tare_sink out, void *to, tare_error *err) {
    telling w = {.r = r};
    tare_error wrong = {0};
    sink_open(&w.s, out, to);
    bool told = guarded(&w.a, &wrong, tell, &w);
    arena_free(&w.a);
    sink_flush(&w.s);
    if (told && w.s.failed) error_set(&wrong, TARE_IO, "io", NULL, "the output could not be written");
    if (err && wrong.status) *err = wrong;
    return wrong.status;
}
tare_status tare_report_mapping(const tare_report *r, bool (*visit)(void *to, const tare_mapping *row), void *to) {
    return mapping_walk(&r->v, visit, to) ? TARE_OK : TARE_NO;
}
