/* One walk down the keys: a module without keys below it is taken whole. */
#include "verify.h"
#include "blocks.h"
#include "../core/num.h"
#include <stdlib.h>
#include <string.h>

enum { NONE_YET = -3, SEVERAL = -2, HOMELESS = -1 };
typedef struct key { const char *path; int32_t device; uint32_t at; bool used; } key;
typedef struct load { uint64_t tensors, bytes; } load;
typedef struct checker {
    arena *a;
    plan_verdict *out;
    key *keys; /* sorted by path */
    size_t key_count, homeless_cap, cut_cap;
    const char *const *no_split;
    const node *body;   /* a repeated one: what it */
    load body_load;     /* holds */
    met_nodes met;
    bool too_large;
    size_t n;
    char path[MODULE_PATH];
} checker;

/* ---- the map ---- */

static int by_path(const void *a, const void *b) { return strcmp(((const key *)a)->path, ((const key *)b)->path); }

static uint32_t device_number(plan_verdict *out, const char *name) {
    for (size_t i = 0; i < out->device_count; i++)
        if (!strcmp(out->devices[i], name)) return (uint32_t)i;
    out->devices[out->device_count] = name;
    return (uint32_t)out->device_count++;
}
static const char *device_name(arena *a, val v) {
    if (v.kind == VAL_TEXT) return v.s;
    char number[NUM_TEXT];
    return v.kind == VAL_INT ? arena_text(a, number, num_int(number, v.i)) : NULL;
}
enum { MOST_DEVICES = 4096 };
static bool read_map(checker *c, val map, tare_error *err) {
    if (map.kind != VAL_DICT) return error_set(err, TARE_BAD, "bad_value", "$", "the device map must be an object, not %s", val_type(map)), false;
    c->keys = arena_array(c->a, map.n, sizeof *c->keys);
    c->key_count = map.n;
    c->out->devices = arena_array(c->a, MOST_DEVICES, sizeof *c->out->devices);
    c->out->bytes = arena_array(c->a, MOST_DEVICES, sizeof *c->out->bytes);
    for (uint32_t i = 0; i < map.n; i++) {
        const char *name = device_name(c->a, map.members[i].v), *path = map.members[i].key;
        if (!name) {
            error_set(err, TARE_BAD, "bad_value", path, "the device of \"%s\" must be a number or a text, not %s", path, val_type(map.members[i].v));
            return false;
        }
        c->keys[i] = (key){path, (int32_t)device_number(c->out, name), i, false};
        if (c->out->device_count == MOST_DEVICES)
            return error_set(err, TARE_BAD, "too_large", path, "the device map names %d devices or more", MOST_DEVICES), false;
    }
    if (map.n) qsort(c->keys, map.n, sizeof *c->keys, by_path);
    return true;
}
static key *find(const checker *c, const char *path) {
    if (!c->key_count) return NULL;
    return bsearch(&(key){.path = path}, c->keys, c->key_count, sizeof *c->keys, by_path);
}
/* Whether some key is longer than the path here, by words. */
static bool keys_below(checker *c) {
    size_t low = 0, high = c->key_count, n = c->n;
    if (!n) return high && *c->keys[high - 1].path;
    c->path[n] = '.', c->path[n + 1] = 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(c->keys[mid].path, c->path) < 0) low = mid + 1;
        else high = mid;
    }
    bool found = low < c->key_count && !strncmp(c->keys[low].path, c->path, n + 1);
    c->path[n] = 0;
    return found;
}

/* ---- sums ---- */

static void raise(checker *c, uint64_t *to, uint64_t by, uint64_t times) {
    if (__builtin_mul_overflow(by, times, &by) || __builtin_add_overflow(*to, by, to)) c->too_large = true;
}
static bool counted(const tensor_node *t) {
    const tensor_node *held = tensor_held(t);
    return !held->owner || held->first == t;
}
static void add_tensor(checker *c, load *sum, const tensor_node *t, uint64_t times, bool again) {
    sum->tensors += times;
    if (again || !counted(t)) return;
    uint64_t bytes = plan_tensor_bytes(tensor_held(t));
    if (bytes == UINT64_MAX) c->too_large = true;
    else raise(c, &sum->bytes, bytes, times);
}
/* Below a module that was met under another name, nothing is counted again. */
static void add_module(checker *c, load *sum, const node *m, uint64_t times, bool again) {
    again = again || met_before(&c->met, m);
    for (const tensor_node *t = m->params; t; t = t->next) add_tensor(c, sum, t, times, again);
    for (const tensor_node *t = m->buffers; t; t = t->next) add_tensor(c, sum, t, times, again);
    for (const edge *e = m->children; e; e = e->next) add_module(c, sum, e->to, times * (e->name ? 1 : (uint64_t)e->count), again);
}
static load whole(checker *c, const node *m, bool again) {
    if (m == c->body) return c->body_load;
    load sum = {0};
    add_module(c, &sum, m, 1, again);
    return sum;
}

/* ---- the walk ---- */

static int32_t fold(int32_t a, int32_t b) { return a == NONE_YET ? b : b == NONE_YET || a == b ? a : SEVERAL; }
static int32_t take(checker *c, int32_t device, load sum) {
    plan_verdict *o = c->out;
    if (!sum.tensors) return NONE_YET;
    raise(c, &o->total, sum.bytes, 1);
    if (device != HOMELESS) return raise(c, &o->bytes[device], sum.bytes, 1), device;
    o->homeless = arena_grow(c->a, o->homeless, o->homeless_count, &c->homeless_cap, 1, sizeof *o->homeless);
    o->homeless[o->homeless_count++] = (plan_homeless){arena_text(c->a, c->path, c->n), sum.tensors, sum.bytes};
    o->homeless_tensors += sum.tensors;
    o->homeless_bytes += sum.bytes;
    return NONE_YET;
}
static int32_t device_here(checker *c, int32_t outer) {
    key *k = find(c, c->path);
    if (!k) return outer;
    k->used = true;
    return k->device;
}
static int32_t visit_tensors(checker *c, const tensor_node *first, int32_t device, bool again) {
    int32_t on = NONE_YET;
    for (const tensor_node *t = first; t; t = t->next) {
        size_t before = c->n;
        load sum = {0};
        path_add(c->path, &c->n, t->name, 0);
        add_tensor(c, &sum, t, 1, again);
        on = fold(on, take(c, device_here(c, device), sum));
        path_cut(c->path, &c->n, before);
    }
    return on;
}
static int32_t visit(checker *c, const node *m, int32_t device, bool inside, bool again);
static int32_t visit_children(checker *c, const edge *e, int32_t device, bool inside, bool again) {
    int32_t on = NONE_YET;
    c->body = NULL;
    for (int64_t i = 0, n = e->name ? 1 : e->count; i < n && !c->too_large; i++) {
        size_t before = c->n;
        path_add(c->path, &c->n, e->name, e->first + i);
        if (n > 1 && !c->body && !keys_below(c)) c->body_load = whole(c, e->to, again), c->body = e->to;
        on = fold(on, visit(c, e->to, device, inside, again));
        path_cut(c->path, &c->n, before);
    }
    c->body = NULL;
    return on;
}
static int32_t visit(checker *c, const node *m, int32_t device, bool inside, bool again) {
    device = device_here(c, device);
    if (!keys_below(c)) return take(c, device, whole(c, m, again));
    bool stays = !inside && c->n && word_in(m->cls, c->no_split);
    again = met_before(&c->met, m) || again;
    int32_t on = visit_tensors(c, m->params, device, again);
    on = fold(on, visit_tensors(c, m->buffers, device, again));
    for (const edge *e = m->children; e && !c->too_large; e = e->next) on = fold(on, visit_children(c, e, device, inside || stays, again));
    if (!stays || on != SEVERAL) return on;
    plan_verdict *o = c->out;
    o->cuts = arena_grow(c->a, o->cuts, o->cut_count, &c->cut_cap, 1, sizeof *o->cuts);
    o->cuts[o->cut_count++] = (plan_cut){arena_text(c->a, c->path, c->n), m->cls};
    return on;
}

/* ---- ties and keys ---- */

static int32_t device_of(checker *c, const char *path) {
    for (path_cut(c->path, &c->n, 0), path_add(c->path, &c->n, path, 0);;) {
        const key *k = find(c, c->path);
        if (k) return k->device;
        if (!c->n) return HOMELESS;
        const char *dot = strrchr(c->path, '.');
        path_cut(c->path, &c->n, dot ? (size_t)(dot - c->path) : 0);
    }
}
static void tell_ties(checker *c, const plan_blocks *b) {
    plan_verdict *o = c->out;
    int32_t *on = arena_array(c->a, b->tie_count, sizeof *on);
    o->apart = arena_array(c->a, b->tie_count, sizeof *o->apart);
    for (size_t i = 0, first = 0; i < b->tie_count; i++) {
        const plan_tie *t = &b->ties[i];
        on[i] = device_of(c, t->path);
        if (t->group != b->ties[first].group) first = i;
        if (on[i] == HOMELESS || on[first] == HOMELESS || on[i] == on[first]) continue;
        bool there = false;
        for (size_t k = first; k < i; k++) there = there || on[k] == on[i];
        o->apart[o->apart_count++] = (plan_apart){t->path, t->first, (uint32_t)on[i], (uint32_t)on[first], there ? 0 : t->bytes};
        raise(c, &o->copied, there ? 0 : t->bytes, 1);
    }
}
static void tell_unknown(checker *c, val map) {
    bool *used = arena_array(c->a, map.n, sizeof *used);
    for (size_t i = 0; i < c->key_count; i++) used[c->keys[i].at] = c->keys[i].used;
    c->out->unknown = arena_array(c->a, map.n, sizeof *c->out->unknown);
    for (uint32_t i = 0; i < map.n; i++)
        if (!used[i]) c->out->unknown[c->out->unknown_count++] = map.members[i].key;
}
bool plan_verify(plan_verdict *out, const node *root, val map, const char *const *no_split, arena *a, tare_error *err) {
    checker c = {.a = a, .out = out, .no_split = no_split ? no_split : plan_no_split(a, root)};
    plan_blocks b;
    *out = (plan_verdict){0};
    if (!read_map(&c, map, err) || !plan_blocks_of(&b, root, &(plan_blocks_options){.no_split = no_split}, a, err)) return false;
    visit(&c, root, HOMELESS, false, false);
    tell_ties(&c, &b);
    tell_unknown(&c, map);
    if (c.too_large) error_set(err, TARE_BAD, "too_large", "", "the model has more bytes than 64 bits count");
    return !c.too_large;
}
