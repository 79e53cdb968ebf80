#include "accelerate.h"
#include "groups.h"
#include "../core/num.h"
#include "../core/val.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STUCK = 1 << 16 }; /* rounds without a step forward, where the reference would go round for ever */

typedef struct placing {
    arena *a;
    accelerate_plan *p;
    const accelerate_options *o;
    measure w;
    acc_unit root;
    acc_queue q;
    tied_groups ties;
    amount largest;          /* of the layers that wait, when they were last looked through; */
    uint64_t left;           /* so many of that size were not taken up since */
    uint32_t round;          /* which look that was */
    size_t device;
    acc_placed *placed;
    size_t placed_n, placed_cap;
    acc_run **holders;       /* for each tied name */
    size_t tied;
    tare_error *err;
} placing;
typedef struct turn { /* what is known when a unit is looked at */
    acc_unit *u;
    acc_device *d;
    amount room, whole;      /* whole: the unit with all that is tied to it */
} turn;

/* ---- largest layers ---- */

static uint64_t as_large(const acc_unit *u, double size) {
    if (!u->b) return u->size.n == size;
    return u->b->largest.n == size ? u->b->largest_n : 0;
}
/* get_max_layer_size() over the queue. Tensors count at the very first look only. */
static void look_through(placing *w, bool tensors) {
    w->largest = (amount){0, false};
    w->left = 0;
    w->round++;
    if (!tensors && !w->q.modules) return;
    for (acc_run *r = w->q.first; r; r = r->next) {
        if (r->slot && !tensors) continue;
        amount size = r->slot ? run_unit(&w->q, r)->size : r->kid.body->largest;
        uint64_t n = r->slot ? 1 : r->kid.body->largest_n * (uint64_t)r->kid.n;
        if (size.n > w->largest.n) w->largest = size, w->left = n;
        else if (size.n == w->largest.n) w->left += n;
    }
}
static acc_unit *take_up(placing *w) {
    acc_unit *u = queue_pop(&w->q);
    if (u->counted != w->round && (u->b || w->round == 1)) w->left -= as_large(u, w->largest.n);
    if (!w->left) look_through(w, false);
    u->counted = w->round;
    return u;
}

/* ---- placing ---- */

static void put(placing *w, acc_unit *u) {
    w->placed = arena_grow(w->a, w->placed, w->placed_n, &w->placed_cap, 1, sizeof *w->placed);
    w->placed[w->placed_n++] = (acc_placed){u, (int32_t)w->device};
    w->p->devices[w->device].load += u->size.n;
}
static void place(placing *w, const turn *t) {
    t->d->used = amount_add(t->d->used, t->whole);
    put(w, t->u);
    for (size_t i = 0; i < w->tied; i++) {
        bool met = false;
        for (size_t k = 0; k < i && !met; k++) met = w->holders[k] == w->holders[i];
        if (met) continue;
        put(w, run_unit(&w->q, w->holders[i]));
        queue_drop(&w->q, w->holders[i]);
    }
    if (w->o->offload_buffers || !t->u->b) return;
    t->d->buffers += t->u->b->buffers;
}
/* Makes what is tied to a unit smaller, if some of it can be split. */
static bool split_tied(placing *w, const turn *t) {
    for (size_t i = 0; i < w->tied; i++) {
        if (!acc_splits(w->holders[i]->kid.body)) continue;
        queue_split(&w->q, w->holders[i]);
        queue_push(&w->q, t->u);
        look_through(w, false);
        return true;
    }
    return false;
}
static bool split(placing *w, const turn *t) {
    if (!t->u->b || !acc_splits(t->u->b)) return false;
    queue_push_parts(&w->q, t->u);
    look_through(w, false);
    return true;
}
static bool fall_back(placing *w, const turn *t) {
    amount most = amount_sub(amount_sub(t->d->budget, amount_max(w->largest, t->whole)), t->d->used);
    if (most.real) {
        error_set(w->err, TARE_BAD, "bad_type", NULL,
            "fallback_allocation works with whole bytes only, and here sizes or budgets have fractions (a bool tensor has eighths)");
        return false;
    }
    acc_unit *found = most.n >= 0 ? fallback_find(&w->q, &w->ties, most.n, w->err) : NULL;
    if (!found) return false;
    queue_push(&w->q, t->u);
    queue_push(&w->q, found);
    return true;
}
static void next_device(placing *w, const turn *t) {
    amount reserved = t->d->is_main ? w->largest : (amount){0, false};
    if (t->d->used.n == 0) t->d->has_least = true, t->d->least = amount_add(t->whole, reserved);
    t->d->used = amount_add(t->d->used, reserved);
    w->device++;
    queue_push(&w->q, t->u);
}

typedef enum outcome { PLACED, SPLIT, FELL_BACK, MOVED_ON, REFUSED } outcome;
static outcome treat(placing *w) {
    acc_unit *u = take_up(w);
    turn t = {.u = u, .d = &w->p->devices[w->device]};
    w->tied = groups_outside(&w->ties, w->a, u);
    if (t.d->none && t.d->is_main) {
        error_set(w->err, TARE_BAD, "bad_type", NULL, "device %s has no number of bytes to keep room for the largest layer in", t.d->name);
        return REFUSED;
    }
    if (!size_with_ties(&w->q, u, &w->ties, w->tied, w->holders, &t.whole, w->err)) return REFUSED;
    t.room = t.d->is_main ? amount_sub(t.d->budget, w->largest) : t.d->budget;
    double used = t.d->used.n;
    if (t.d->is_disk || t.d->none || used + t.whole.n <= t.room.n) return place(w, &t), PLACED;
    if (w->tied && used + u->size.n <= t.room.n && split_tied(w, &t)) return SPLIT;
    if (used + u->size.n >= t.room.n && split(w, &t)) return SPLIT;
    if (w->o->fallback_allocation && used == 0 && fall_back(w, &t)) return FELL_BACK;
    if (w->err->status) return REFUSED;
    return next_device(w, &t), MOVED_ON;
}
static bool place_all(placing *w) {
    int stuck = 0;
    while (w->q.first) {
        outcome o = treat(w);
        if (o == REFUSED) return false;
        stuck = o == FELL_BACK ? stuck + 1 : 0;
        if (stuck < STUCK) continue;
        error_set(w->err, TARE_BAD, "no_map", NULL, "fallback_allocation finds the same modules over and over: accelerate never ends here");
        return false;
    }
    return true;
}

/* ---- devices ---- */

static void add_disk(accelerate_plan *p) {
    for (size_t i = 0; i < p->device_count; i++) {
        acc_device *d = &p->devices[i];
        if (!d->numbered && !strcmp(d->name, "disk")) return;
    }
    p->devices[p->device_count++] = (acc_device){.name = "disk"};
}
static bool is_named(const acc_device *d, const char *name) { return !d->numbered && !strcmp(d->name, name); }
static bool is_gpu(const acc_device *d) { return !is_named(d, "cpu") && !is_named(d, "disk"); }
/* Devices that keep room for the largest layer, should some be offloaded. */
static void mark_devices(accelerate_plan *p) {
    bool mps = false;
    for (size_t i = 0; i < p->device_count; i++) mps |= is_named(&p->devices[i], "mps");
    for (size_t i = 0; i < p->device_count; i++) {
        acc_device *d = &p->devices[i];
        d->is_disk = is_named(d, "disk");
        d->is_main = mps ? is_named(d, "mps") : is_named(d, "cpu") || (i == 0 && is_gpu(d));
    }
}

/* ---- remarks ---- */

static const char *bytes_text(arena *a, amount n) {
    char text[NUM_TEXT];
    if (n.n == floor(n.n) && n.n < 0x1p63) num_int(text, (int64_t)n.n);
    else num_float(text, n.n);
    return arena_text(a, text, strlen(text));
}
static void remark(placing *w, const char *text) { w->p->remarks[w->p->remark_count++] = text; }
/* Buffers of modules that lie on cpu or disk are moved to a GPU whole: is there one with that much room? */
static void remark_buffers(placing *w) {
    double offloaded = 0;
    bool gpus = false;
    for (size_t i = 0; i < w->p->device_count; i++)
        if (!is_gpu(&w->p->devices[i])) offloaded += w->p->devices[i].buffers;
    if (offloaded <= 0) return;
    for (size_t i = 0; i < w->p->device_count; i++) {
        const acc_device *d = &w->p->devices[i];
        if (!is_gpu(d)) continue;
        gpus = true;
        if (d->budget.n >= offloaded + d->used.n) return;
    }
    if (!gpus) return;
    const char *bytes = bytes_text(w->a, (amount){offloaded, false});
    remark(w, arena_printf(w->a, "the offloaded modules have %s bytes of buffers, and no accelerator has that much room left; "
        "consider offloading buffers", bytes));
}
static void remark_empty(placing *w) {
    const acc_device *d = w->p->devices;
    for (size_t i = 0; i < w->p->device_count; i++)
        if (d[i].has_least)
            remark(w, arena_printf(w->a, "device %s is too small for any module: the next one takes %s bytes there", d[i].name,
                bytes_text(w->a, d[i].least)));
}

/* ---- what was asked for ---- */

static int by_path(const void *a, const void *b) { return strcmp(((const special *)a)->path, ((const special *)b)->path); }
static bool read_dtype(const char *name, amount *out, tare_error *err) {
    if (dtype_amount(name, out)) return true;
    error_set(err, TARE_BAD, "bad_value", NULL, "\"%.60s\" is no dtype of torch's, and none of custom:int2, custom:int4 and custom:fp8", name);
    return false;
}
static bool read_options(placing *w) {
    const accelerate_options *o = w->o;
    special *s = arena_array(w->a, o->special_count, sizeof *s);
    w->w = (measure){.a = w->a, .cast = o->dtype != NULL, .no_split = o->no_split, .specials = s, .special_count = o->special_count,
                   .quantised = o->element};
    if (o->dtype && !read_dtype(o->dtype, &w->w.element, w->err)) return false;
    for (size_t i = 0; i < o->special_count; i++) {
        s[i].path = o->special_dtypes[i].path;
        if (!read_dtype(o->special_dtypes[i].dtype, &s[i].bytes, w->err)) return false;
    }
    if (o->special_count) qsort(s, o->special_count, sizeof *s, by_path);
    return true;
}

/* ---- largest names ---- */

typedef struct naming { arena *a; accelerate_plan *p; size_t n; } naming;
static void name_largest(naming *w, acc_unit *u) {
    if (w->n == 3 || !as_large(u, w->p->largest.n)) return;
    if (!u->b || !acc_splits(u->b)) {
        w->p->largest_names[w->n++] = unit_path(w->a, u);
        return;
    }
    acc_queue q = {.a = w->a};
    for (size_t i = 0; i < u->b->kid_count && w->n < 3; i++) {
        acc_kid k = u->b->kids[i];
        for (; k.n > 0 && w->n < 3; k.first++, k.n--) {
            acc_run one = {.parent = u, .kid = k};
            one.kid.n = 1;
            name_largest(w, run_unit(&q, &one));
        }
    }
}
static void note_sizes(placing *w) {
    accelerate_plan *p = w->p;
    naming n = {.a = w->a, .p = p};
    p->root = w->root.size;
    p->largest = w->largest;
    p->largest_n = w->left;
    for (acc_run *r = w->q.first; r && n.n < 3; r = r->next)
        for (acc_run one = *r; one.kid.n > 0 && n.n < 3; one.kid.first++, one.kid.n--, one.made = NULL) name_largest(&n, run_unit(&w->q, &one));
}

/* ---- all of it ---- */

static void give(placing *w) {
    if (!w->o->keep_parts) w->placed_n = placed_clean(w->a, w->placed, w->placed_n, &w->root);
    w->p->entries = arena_array(w->a, w->placed_n, sizeof *w->p->entries);
    w->p->entry_count = w->placed_n;
    for (size_t i = 0; i < w->placed_n; i++) w->p->entries[i] = (acc_entry){unit_path(w->a, w->placed[i].unit), w->placed[i].device};
    w->p->remarks = arena_array(w->a, w->p->device_count + 1, sizeof *w->p->remarks);
    if (!w->o->offload_buffers) remark_buffers(w);
    remark_empty(w);
}
static bool measured(placing *w, const node *root) {
    acc_body *b = measure_root(&w->w, root);
    if (b->size.n >= 0x1p53) {
        error_set(w->err, TARE_BAD, "too_large", "", "the model has 2^53 bytes or more: beyond what accelerate's numbers hold exactly");
        return false;
    }
    w->root = (acc_unit){.b = b, .name = "", .path = "", .size = b->size};
    return true;
}
bool accelerate_map(arena *a, const node *root, const accelerate_options *o, accelerate_plan *out, tare_error *err) {
    placing w = {.a = a, .p = out, .o = o, .q = {.a = a}, .err = err};
    bool low_zero = o->mode == TARE_MAP_BALANCED_LOW_0, balance = low_zero || o->mode == TARE_MAP_AUTO || o->mode == TARE_MAP_BALANCED;
    *out = (accelerate_plan){.device_count = 0};
    if (!read_options(&w) || !measured(&w, root) || !budgets_read(a, o, out, err)) return false;
    if (balance && !budgets_balance(out, &w.w, w.root.b, low_zero, err)) return false;
    if (o->budgets_only) return true;
    for (size_t i = 0; o->share > 0 && o->share != 1 && i < out->device_count; i++)
        if (!out->devices[i].none) out->devices[i].budget = (amount){out->devices[i].budget.n * o->share, true};
    add_disk(out);
    mark_devices(out);
    w.q.w = &w.w;
    groups_find(&w.ties, &w.w, w.root.b);
    size_t names = 0;
    for (size_t i = 0; i < w.ties.n; i++) names += w.ties.groups[i].n;
    w.holders = arena_array(a, names, sizeof *w.holders);
    queue_begin(&w.q, &w.root);
    look_through(&w, true);
    note_sizes(&w);
    if (!place_all(&w)) return false;
    give(&w);
    return true;
}
