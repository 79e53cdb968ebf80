/* The run: targets are taken in the order in which they lie in the files and cut into units, which threads take one by one.
 *
 * Into memory a unit is a range of the source's order, so that also what is turned round on its way is read once, in large requests. What is
 * handed over in pieces is cut by the target's own order. Small tensors that lie side by side are read in one request. */
#include "fill.h"
#include "../init/crew.h"
#include "../init/values.h"
#include "source.h"
#include "place.h"
#include <stdlib.h>
#include <string.h>

enum { GAP = 4 << 10, MOST_THREADS = 256 }; /* what is nearer than a gap is read in one request */
/* What is cast in one piece stays in the second cache. */
static const fill_sizes usual = {.unit = 8 << 20, .window = 4 << 20, .room = 8 << 20, .cast = 128 << 10, .small = 64 << 10};

typedef struct key { uint32_t file; uint64_t at; size_t target; } key; /* where a target begins */
typedef struct opened { /* a target that is being filled */
    size_t target, busy;    /* units that are under way */
    char *memory;
    int64_t size;           /* elements in all */
    size_t box;             /* into memory: where the next unit begins, */
    int64_t at;             /* an element of that box, or of the value */
    bool cut;               /* all units are taken */
    bool past;              /* its memory is there, and larger than the caches: what is cast is written past them */
    bool used;
} opened;

typedef struct run {
    sources s;
    const fill_target *targets;
    size_t n;
    const fill_how *how;
    const fill_out *out;
    const fill_sizes *sizes;
    const lanes *l;
    key *keys;
    size_t next;            /* of the keys */
    opened *open, *current; /* threads + 1 of them; the one that units are cut from */
    int threads, started;
    char *rooms;
    bool stopped;
    tare_error err;
    pthread_mutex_t lock, telling;
} run;

typedef struct unit {
    opened *o;              /* NULL: whole targets, keys [first, end) */
    size_t box, first_key, end_key;
    int64_t first, n;       /* elements, from that of the box or of the value on */
} unit;

typedef struct worker {
    run *r;
    char *room, *window;
    uint64_t nan, inf, read;
    tare_error err;
} worker;

static const file_tensor *tensor_of(const run *r, size_t source) { return &r->s.c->tensors[source]; }
static size_t wide(const run *r, size_t source) { return tare_dtype_bytes((tare_dtype)tensor_of(r, source)->dtype); }

/* ---- putting a place ---- */

typedef struct spot { /* where a place goes */
    size_t source;
    char *base;             /* of the value's element `origin` */
    int64_t origin;
    tare_dtype dtype;
    bool past;
} spot;

static placing placing_of(worker *w, const spot *to) {
    bool counts = w->r->how->odd != NULL;
    return (placing){.l = w->r->l, .from = (tare_dtype)tensor_of(w->r, to->source)->dtype, .to = to->dtype,
        .past = to->past, .nan = counts ? &w->nan : NULL, .inf = counts ? &w->inf : NULL};
}
static char *goes_to(const spot *to, const place *p) { return to->base + (p->to - to->origin) * (int64_t)tare_dtype_bytes(to->dtype); }

/* What is packed is cast as it is unpacked, where that is the same: it is smaller then. */
static bool put_packed(worker *w, const place *p, const spot *to) {
    const packed_form *form = tensor_of(w->r, to->source)->packed;
    bool same = form->dtype == TARE_F32 && tare_dtype_bytes(to->dtype) <= sizeof(float) && !w->r->how->odd;
    placing how = placing_of(w, to);
    if (same) how.from = to->dtype;
    if (!source_unpack(&w->r->s, to->source, p->from, place_span(p, 0), &(unpack_to){how.from, w->room, false}, &w->err)) return false;
    place_put(&how, p, w->room, goes_to(to, p));
    return true;
}
/* One request for all that lies between a place's first and last element. */
static bool put_request(worker *w, const place *p, const spot *to) {
    if (tensor_of(w->r, to->source)->packed) return put_packed(w, p, to);
    const file_tensor *t = tensor_of(w->r, to->source);
    size_t item = wide(w->r, to->source);
    uint64_t at = t->at + (uint64_t)p->from * item;
    const char *src = source_get(&w->r->s, to->source, at, w->room, (size_t)place_span(p, 0) * item, &w->err);
    placing how = placing_of(w, to);
    if (src) place_put(&how, p, src, goes_to(to, p));
    return src != NULL;
}
/* What needs no cast is read to where it belongs. */
static bool put_straight(worker *w, const place *p, const spot *to) {
    const file_tensor *t = tensor_of(w->r, to->source);
    size_t item = wide(w->r, to->source), n = (size_t)place_elements(p) * item, most = w->r->how->odd ? w->r->sizes->cast : n;
    char *dst = goes_to(to, p);
    for (size_t at = 0, k; at < n; at += k) {
        k = n - at < most ? n - at : most;
        if (!source_bytes(&w->r->s, to->source, t->at + (uint64_t)p->from * item + at, dst + at, k, &w->err)) return false;
        if (w->r->how->odd) cast_odd(w->r->l, to->dtype, dst + at, k / item, &w->nan, &w->inf);
    }
    return true;
}
/* From which loop on inwards a place is read at once: as far out as the gaps are small and it fits. */
static int level_of(const place *p, int64_t most, int64_t gap) {
    int level = p->rank;
    while (level > 0) {
        int64_t span = place_span(p, level);
        if (span > most || p->src[level - 1] - span > gap) break;
        level--;
    }
    return level;
}
/* The system is told of large reads before they begin, and of as much after them: without that a disk waits for each few pages. */
static void announce(worker *w, const place *p, const spot *to) {
    enum { LEAST = 1 << 20, MOST = 64 << 20 };
    uint64_t item = wide(w->r, to->source), n = (uint64_t)place_span(p, 0) * item;
    if (n >= LEAST && n <= MOST) source_soon(&w->r->s, to->source, tensor_of(w->r, to->source)->at + (uint64_t)p->from * item, 2 * n);
}
/* Of a packed tensor, right to where it belongs. */
static bool put_unpacked(worker *w, const place *p, const spot *to) {
    return source_unpack(&w->r->s, to->source, p->from, place_elements(p), &(unpack_to){to->dtype, goes_to(to, p), to->past}, &w->err);
}
static bool put_place(worker *w, const place *any, const spot *to) {
    place p = place_by_source(any), part;
    const run *r = w->r;
    announce(w, &p, to);
    int64_t item = (int64_t)wide(r, to->source), all = place_elements(&p);
    bool is_run = place_is_run(&p);
    if (is_run && tensor_of(r, to->source)->packed && !r->how->odd) return put_unpacked(w, &p, to);
    if (r->how->io == FILL_MMAP && !tensor_of(r, to->source)->packed) return put_request(w, &p, to);
    if (is_run && r->how->io == FILL_PREAD && tensor_of(r, to->source)->dtype == to->dtype) return put_straight(w, &p, to);
    int64_t most = (int64_t)(is_run ? r->sizes->cast : r->sizes->room) / item, inner = 1, k = 1;
    int level = level_of(&p, most, GAP / item);
    for (int d = level + 1; d < p.rank; d++) inner *= p.size[d];
    if (level < p.rank && p.src[level]) k = (most - place_span(&p, level + 1)) / p.src[level] + 1;
    if (level < p.rank && (!p.src[level] || k > p.size[level])) k = p.size[level];
    for (int64_t at = 0; at < all;) {
        at += place_cut(&p, at, k * inner, &part);
        if (!put_request(w, &part, to)) return false;
    }
    return true;
}
/* Elements [first, first + n) of a place. */
static bool put_range(worker *w, const place *p, int64_t first, int64_t n, const spot *to) {
    place part;
    w->read += (uint64_t)n * wide(w->r, to->source);
    for (int64_t k; n > 0; first += k, n -= k) {
        k = place_cut(p, first, n, &part);
        if (!put_place(w, &part, to)) return false;
    }
    return true;
}

/* ---- units ---- */

static int64_t elements_of(const box *b, int rank) {
    int64_t n = 1;
    for (int d = 0; d < rank; d++) n *= b->size[d];
    return n;
}
static bool do_memory(worker *w, const unit *u) {
    const fill_target *t = &w->r->targets[u->o->target];
    int64_t first = u->first, left = u->n;
    for (size_t i = u->box; left > 0; i++, first = 0) {
        const box *b = &t->value->boxes[i];
        place p = place_of(t->value, b);
        int64_t all = elements_of(b, t->value->rank) - first, n = left < all ? left : all;
        p = place_by_source(&p);
        spot to = {b->source, u->o->memory, 0, t->dtype, u->o->past};
        if (n > 0 && !put_range(w, &p, first, n, &to)) return false;
        left -= n;
    }
    if (u->o->past) w->r->l->fence();
    return true;
}
static bool has_stopped(run *r) {
    pthread_mutex_lock(&r->lock);
    bool stopped = r->stopped;
    pthread_mutex_unlock(&r->lock);
    return stopped;
}
static bool hand_over(worker *w, size_t target, int64_t first, const char *bytes, int64_t n) {
    int64_t item = (int64_t)tare_dtype_bytes(w->r->targets[target].dtype);
    return w->r->out->piece(w->r->out->to, target, (uint64_t)(first * item), bytes, (size_t)(n * item));
}
static bool do_window(worker *w, size_t target, int64_t first, int64_t n) {
    const fill_target *t = &w->r->targets[target];
    for (size_t i = 0; i < t->value->n; i++) {
        const box *b = &t->value->boxes[i];
        if (elements_of(b, t->value->rank) == 0) continue;
        place p = place_of(t->value, b);
        int64_t from = place_before(&p, first), to = place_before(&p, first + n);
        if (to > from && !put_range(w, &p, from, to - from, &(spot){b->source, w->window, first, t->dtype, false})) return false;
    }
    return hand_over(w, target, first, w->window, n);
}
static bool told(worker *w);
static int64_t window_of(const run *r, size_t target) { return (int64_t)(r->sizes->window / tare_dtype_bytes(r->targets[target].dtype)); }
static bool do_windows(worker *w, const unit *u) {
    size_t target = u->o->target;
    int64_t most = window_of(w->r, target), end = u->first + u->n;
    for (int64_t at = u->first; at < end; at += most) {
        int64_t n = end - at < most ? end - at : most;
        if (has_stopped(w->r) || !do_window(w, target, at, n) || !told(w)) return false;
    }
    return true;
}

/* Of a small target: it is one run of one tensor. */
static bool put_small(worker *w, size_t target, const char *src) {
    const fill_target *t = &w->r->targets[target];
    spot to = {t->value->boxes[0].source, w->r->out->memory(w->r->out->to, target), 0, t->dtype, false};
    bool keeps = to.base != NULL;
    placing how = placing_of(w, &to);
    place p = place_of(t->value, &t->value->boxes[0]);
    if (!keeps) to.base = w->window;
    place_put(&how, &p, src, to.base);
    w->read += (uint64_t)t->value->elements * wide(w->r, to.source);
    return keeps || hand_over(w, target, 0, to.base, t->value->elements);
}
static void add_odd(worker *w, size_t target) {
    fill_odd *odd = w->r->how->odd;
    if (odd) odd[target].nan += w->nan, odd[target].inf += w->inf;
    w->nan = w->inf = 0;
}
static bool do_together(worker *w, const unit *u) {
    run *r = w->r;
    const key *k = r->keys + u->first_key, *last = r->keys + u->end_key - 1;
    const value *v = r->targets[last->target].value;
    size_t source = v->boxes[0].source, n = (size_t)(last->at - k->at) + (size_t)v->elements * wide(r, source);
    const char *src = source_get(&r->s, source, k->at, w->room, n, &w->err);
    for (const key *i = k; src && i <= last; i++) {
        if (!put_small(w, i->target, src + (i->at - k->at))) return false;
        add_odd(w, i->target);
        if (!r->out->done(r->out->to, i->target)) return false;
    }
    return src != NULL;
}

/* ---- taking units ---- */

/* One run of a few bytes, which lies in its file as in the target. */
static bool is_small(const run *r, size_t target) {
    const value *v = r->targets[target].value;
    if (v->n != 1 || v->elements <= 0 || tensor_of(r, v->boxes[0].source)->packed) return false;
    place p = place_of(v, &v->boxes[0]);
    size_t source = wide(r, v->boxes[0].source), own = tare_dtype_bytes(r->targets[target].dtype);
    return place_is_run(&p) && (uint64_t)v->elements * (source > own ? source : own) <= r->sizes->small;
}
/* How many keys from `first` on are read together. */
static size_t together(const run *r, size_t first) {
    const key *k = r->keys + first;
    uint64_t end = k->at;
    size_t i = first;
    for (; i < r->n && is_small(r, r->keys[i].target); i++) {
        const key *next = r->keys + i;
        const value *v = r->targets[next->target].value;
        uint64_t bytes = (uint64_t)v->elements * wide(r, v->boxes[0].source);
        if (next->file != k->file || next->at > end + GAP || next->at + bytes - k->at > r->sizes->cast) break;
        if (next->at + bytes > end) end = next->at + bytes;
        else break; /* the same bytes again: the last one must end last */
    }
    return i - first;
}
static void open_next(run *r) {
    opened *o = r->open;
    while (o->used) o++;
    size_t target = r->keys[r->next++].target;
    *o = (opened){.target = target, .size = r->targets[target].value->elements, .used = true};
    if (o->size > 0) o->memory = r->out->memory(r->out->to, target);
    o->past = o->memory && values_large(r->targets[target].dtype, (uint64_t)o->size, o->memory);
    r->current = o;
}
/* As many bytes of sources as a unit has, from the current place on. */
static void cut_memory(run *r, unit *u) {
    opened *o = r->current;
    const value *v = r->targets[o->target].value;
    uint64_t bytes = 0;
    u->box = o->box, u->first = o->at;
    while (o->box < v->n && bytes < r->sizes->unit) {
        const box *b = &v->boxes[o->box];
        int64_t item = (int64_t)wide(r, b->source), left = elements_of(b, v->rank) - o->at, most = (int64_t)(r->sizes->unit - bytes) / item + 1;
        int64_t n = left < most ? left : most;
        u->n += n, bytes += (uint64_t)(n * item), o->at += n;
        if (n == left) o->box++, o->at = 0;
    }
    o->cut = o->box == v->n;
}
static void cut_window(run *r, unit *u) {
    opened *o = r->current;
    int64_t most = r->how->in_order ? o->size : window_of(r, o->target);
    u->first = o->at;
    u->n = o->size - o->at < most ? o->size - o->at : most;
    o->at += u->n;
    o->cut = o->at == o->size;
}
static bool take(run *r, unit *u) {
    *u = (unit){0};
    pthread_mutex_lock(&r->lock);
    bool more = !r->stopped && (r->current || r->next < r->n);
    size_t n = more && !r->current ? together(r, r->next) : 0;
    if (n > 1) {
        u->first_key = r->next, u->end_key = r->next += n;
    } else if (more) {
        if (!r->current) open_next(r);
        u->o = r->current;
        if (u->o->memory) cut_memory(r, u);
        else cut_window(r, u);
        u->o->busy++;
        if (u->o->cut) r->current = NULL;
    }
    pthread_mutex_unlock(&r->lock);
    return more;
}
/* The unit is done; and its target, if that was the last one. */
static bool finish(worker *w, const unit *u) {
    run *r = w->r;
    if (!u->o) return true;
    size_t target = u->o->target;
    pthread_mutex_lock(&r->lock);
    add_odd(w, target);
    bool last = --u->o->busy == 0 && u->o->cut;
    if (last) u->o->used = false;
    pthread_mutex_unlock(&r->lock);
    return !last || r->out->done(r->out->to, target);
}
static bool told(worker *w) {
    const fill_how *how = w->r->how;
    uint64_t bytes = w->read;
    w->read = 0;
    if (!how->progress || !bytes) return true;
    pthread_mutex_lock(&w->r->telling);
    bool ok = how->progress(how->progress_to, bytes);
    pthread_mutex_unlock(&w->r->telling);
    return ok;
}
static void stop(worker *w) {
    run *r = w->r;
    pthread_mutex_lock(&r->lock);
    if (!r->stopped) r->err = w->err;
    r->stopped = true;
    pthread_mutex_unlock(&r->lock);
}
static size_t pages(size_t n) { return (n + SOURCE_PAGE - 1) / SOURCE_PAGE * SOURCE_PAGE; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
/* A thread's window, which holds a small target too, and its room. */
static size_t window_bytes(const fill_sizes *s) { return pages(larger(s->window, s->small)); }
static size_t room_of(const fill_sizes *s) { return window_bytes(s) + pages(larger(s->room, s->cast)) + 2 * SOURCE_PAGE; }
static void *work(void *job) {
    run *r = job;
    worker w = {.r = r};
    pthread_mutex_lock(&r->lock);
    w.window = r->rooms + (size_t)r->started++ * room_of(r->sizes);
    pthread_mutex_unlock(&r->lock);
    w.room = w.window + window_bytes(r->sizes);
    for (unit u; take(r, &u);) {
        bool ok = u.o ? u.o->memory ? do_memory(&w, &u) : do_windows(&w, &u) : do_together(&w, &u);
        if (!ok || !told(&w) || !finish(&w, &u)) stop(&w);
    }
    return NULL;
}

/* ---- before and after ---- */

bool fill_can_cast(int from, int to) { return cast_exists(from, to) && tare_dtype_bytes((tare_dtype)from) > 0; }

/* A box that leaves its tensor would read another one. */
static bool is_within(const checkpoint *c, const value *v, const box *b) {
    if (b->source >= c->tensor_count) return false;
    const file_tensor *t = &c->tensors[b->source];
    int64_t low = b->from, high = b->from, all = (int64_t)(t->bytes / tare_dtype_bytes((tare_dtype)t->dtype));
    for (int d = 0; d < v->rank; d++) {
        if (b->size[d] == 0) return true;
        int64_t far = (b->size[d] - 1) * b->step[d];
        if (far < 0) low += far;
        else high += far;
        if (b->size[d] < 0 || b->at[d] < 0 || b->apart[d] < 1 || b->at[d] + (b->size[d] - 1) * b->apart[d] >= v->shape[d]) return false;
    }
    return low >= 0 && high < all;
}
static bool check(const checkpoint *c, const fill_target *t, tare_error *err) {
    for (size_t i = 0; i < t->value->n; i++) {
        const box *b = &t->value->boxes[i];
        const file_tensor *f = b->source < c->tensor_count ? &c->tensors[b->source] : NULL;
        if (f && (f->odd || !fill_can_cast(f->dtype, (int)t->dtype))) {
            error_set(err, TARE_BAD, "conversion", f->key, "%s: there is no way from %s to %s", f->key, tare_dtype_name((tare_dtype)f->dtype),
                tare_dtype_name(t->dtype));
            return false;
        }
        if (!f || !is_within(c, t->value, b)) {
            error_set(err, TARE_BAD, "conversion", f ? f->key : NULL, "%s: a part beyond its end is asked for", f ? f->key : "no tensor");
            return false;
        }
    }
    return true;
}

static int by_place(const void *a, const void *b) {
    const key *x = a, *y = b;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return x->target < y->target ? -1 : x->target > y->target;
}
static void sort(run *r) {
    for (size_t i = 0; i < r->n; i++) {
        const value *v = r->targets[i].value;
        r->keys[i] = (key){.target = i};
        if (!v->n) continue;
        const box *b = &v->boxes[0];
        r->keys[i].file = tensor_of(r, b->source)->file;
        r->keys[i].at = tensor_of(r, b->source)->at + (uint64_t)b->from * wide(r, b->source);
    }
    qsort(r->keys, r->n, sizeof *r->keys, by_place);
}
static int threads_of(const fill_how *how) { return how->threads < 1 ? 1 : how->threads < MOST_THREADS ? how->threads : MOST_THREADS; }
static uint64_t rooms_of(int threads, const fill_sizes *s) { return (uint64_t)threads * room_of(s) + SOURCE_PAGE; }
static const fill_sizes *sizes_of(const fill_how *how) { return how->sizes ? how->sizes : &usual; }

uint64_t fill_bound(const checkpoint *c, size_t n, const fill_how *how) {
    int threads = threads_of(how);
    return rooms_of(threads, sizes_of(how)) + ((uint64_t)threads + 1) * sizeof(opened) + n * sizeof(key) + (c->file_count + 1) * sizeof(source_file);
}

static bool run_all(run *r, char *rooms) {
    r->rooms = rooms + (-(uintptr_t)rooms & (SOURCE_PAGE - 1));
    for (int i = 0; i <= r->threads; i++) r->open[i].used = false;
    for (size_t i = 0; r->how->odd && i < r->n; i++) r->how->odd[i] = (fill_odd){0};
    sort(r);
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->telling, NULL);
    crew_run(r->threads, work, r);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->telling);
    return !r->stopped;
}
bool fill_run(const checkpoint *c, const fill_target *targets, size_t n, const fill_how *how, const fill_out *out, tare_error *err) {
    run r = {.targets = targets, .n = n, .how = how, .out = out, .sizes = sizes_of(how), .l = lanes_best(), .threads = threads_of(how)};
    for (size_t i = 0; i < n; i++)
        if (!check(c, &targets[i], err)) return false;
    if (!sources_open(&r.s, c, how->io, err)) return false;
    r.keys = tarei_malloc((n + 1) * sizeof *r.keys);
    r.open = tarei_malloc(((size_t)r.threads + 1) * sizeof *r.open);
    char *rooms = r.keys && r.open ? tarei_malloc((size_t)rooms_of(r.threads, r.sizes)) : NULL;
    bool ok = rooms && run_all(&r, rooms);
    if (!rooms) error_set(&r.err, TARE_IO, "out_of_memory", NULL, "out of memory: %llu bytes are needed to read tensors",
                     (unsigned long long)fill_bound(c, n, how));
    if (!ok && err && err->status == TARE_OK) *err = r.err;
    free(rooms);
    free(r.open);
    free(r.keys);
    sources_close(&r.s);
    return ok;
}
