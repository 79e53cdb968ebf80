#include "layout.h"
#include "names.h"
#include "rules.h"
#include "saved.h"
#include "undo.h"
#include "../core/num.h"
#include <stdlib.h>
#include <string.h>

typedef struct maker {
    arena *a;
    tare_error *err;
    patterns p;
    saved_slots slots;
    rule_set rules;
    layout_entry *entries;
    layout_source *sources;
    size_t n, cap;
    name_table keys;
} maker;

/* ---- entries ---- */

static bool too_large(maker *k, const char *key) {
    error_set(k->err, TARE_BAD, "too_large", key, "%s: this model has more to save than a file can name", key);
    return false;
}
static layout_entry *new_entry(maker *k, const char *key) {
    if (k->n == MOST_ENTRIES) return too_large(k, key), NULL;
    if (name_put(&k->keys, key, k->n) != k->n) {
        error_set(k->err, TARE_BAD, "bad_layout", key, "the layout rules give the name %s to two tensors", key);
        return NULL;
    }
    k->entries = arena_grow(k->a, k->entries, k->n, &k->cap, 1, sizeof *k->entries);
    layout_entry *e = &k->entries[k->n++];
    *e = (layout_entry){.key = key};
    return e;
}
/* The longest run that is contiguous on both sides, and an axis for each dimension before it. */
static layout_piece piece_of(arena *a, const view *v, size_t entry, uint64_t unit) {
    layout_piece p = {.from = (uint64_t)v->from * unit, .entry = entry};
    int64_t run = 1;
    int outer = v->rank;
    while (outer && (v->size[outer - 1] == 1 || v->step[outer - 1] == run)) run *= v->size[--outer];
    p.n = (uint64_t)run * unit;
    layout_axis *axes = outer ? arena_array(a, (size_t)outer, sizeof *axes) : NULL;
    for (int i = outer - 1; i >= 0; i--) {
        axes[i] = (layout_axis){v->size[i], (uint64_t)v->step[i] * unit, (uint64_t)run * unit};
        run *= v->size[i];
    }
    p.axes = axes;
    p.axis_count = outer;
    return p;
}
static bool add_view(maker *k, const char *key, const view *v, const tensor_node *t, layout_source *s, layout_piece *pieces) {
    layout_entry *e = new_entry(k, key);
    if (!e) return false;
    int64_t *shape = arena_array(k->a, (size_t)v->rank, sizeof *shape), bytes, unit = (int64_t)tare_dtype_bytes((tare_dtype)t->dtype);
    e->shape = shape;
    e->rank = (int8_t)v->rank;
    e->dtype = t->dtype;
    e->elements = 1;
    for (int i = 0; i < v->rank; i++) e->elements *= shape[i] = v->size[i]; /* no more than the whole has */
    if (!num_mul(t->elements, unit, &bytes)) return too_large(k, key);
    e->bytes = (uint64_t)(e->elements * unit);
    e->storage = (uint64_t)(v->storage * unit);
    e->with = (size_t)(e - k->entries);
    if (e->elements) pieces[s->count++] = piece_of(k->a, v, (size_t)(e - k->entries), (uint64_t)unit);
    return true;
}
static int by_place(const void *x, const void *y) {
    uint64_t a = ((const layout_piece *)x)->from, b = ((const layout_piece *)y)->from;
    return a < b ? -1 : a > b;
}
static bool add_views(maker *k, const saved_slot *slot, const named_views *views) {
    layout_source *s = &k->sources[slot->owner];
    layout_piece *pieces = arena_array(k->a, views->n, sizeof *pieces);
    s->pieces = pieces;
    for (size_t i = 0; i < views->n; i++) {
        if (!add_view(k, rules_rename(&k->p, &k->rules, views->v[i].name), &views->v[i].v, slot->tensor, s, pieces)) return false;
        if (i && views->v[i].v.copy == views->v[i - 1].v.copy) k->entries[k->n - 1].with = k->entries[k->n - 2].with; /* they follow each other */
    }
    qsort(pieces, s->count, sizeof *pieces, by_place);
    return true;
}

/* ---- slots ---- */

static bool add_slot(maker *k, const saved_slot *slot) {
    named_view whole = {.name = slot->path};
    named_views views = {&whole, 1};
    size_t converter, which;
    if (!view_of(slot->tensor, &whole.v)) return too_large(k, slot->path);
    const char *key = rules_convert(&k->p, &k->rules, slot->path, &converter, &which);
    if (key && !undo_ops(&k->p, k->rules.converters[converter].ops, &k->rules.converters[converter].t, which, key, &whole.v, &views)) return false;
    return add_views(k, slot, &views) && k->err->status == TARE_OK;
}
static int by_name(const void *x, const void *y) {
    const saved_slot *a = *(saved_slot *const *)x, *b = *(saved_slot *const *)y;
    int order = name_order(a->path, b->path);
    return order ? order : a < b ? -1 : a > b;
}
/* The order of the state dict; where anything was converted back, the reference has sorted it. */
static bool add_slots(maker *k) {
    saved_slots *s = &k->slots;
    saved_slot **sorted = arena_array(k->a, s->n, sizeof *sorted);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].saved) sorted[n++] = &s->v[i];
    if (n && k->rules.renaming_n + k->rules.converter_n) qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; i < n; i++)
        if (!add_slot(k, sorted[i])) return false;
    return true;
}

const layout *layout_make(arena *a, const node *root, tare_error *err) {
    maker k = {.a = a, .err = err, .keys = {.a = a}};
    patterns_start(&k.p, a, err);
    if (!saved_collect(&k.slots, &k.p, root) || !rules_for_save(&k.p, root, &k.rules)) return NULL;
    k.sources = arena_array(a, k.slots.n, sizeof *k.sources);
    for (size_t i = 0; i < k.slots.n; i++) k.sources[i].tensor = k.slots.v[i].tensor;
    if (!add_slots(&k)) return NULL;
    layout *l = arena_new(a, layout);
    *l = (layout){k.entries, k.n, k.sources, k.slots.n};
    return l;
}

/* ---- scattering ---- */

typedef struct portion { /* bytes of a tensor, on their way */
    uint64_t at;
    const unsigned char *bytes;
    size_t n;
    layout_put put;
    void *to;
} portion;
static bool hand_on(const portion *in, const layout_piece *p, uint64_t from, uint64_t to) {
    uint64_t begin = from > in->at ? from : in->at, end = from + p->n < in->at + in->n ? from + p->n : in->at + in->n;
    if (begin >= end) return true;
    return in->put(in->to, p->entry, to + (begin - from), in->bytes + (begin - in->at), (size_t)(end - begin));
}
/* How far the axes from `axis` on reach. */
static uint64_t extent(const layout_piece *p, int axis) {
    uint64_t n = p->n;
    for (; axis < p->axis_count; axis++) n += (uint64_t)(p->axes[axis].count - 1) * p->axes[axis].from_step;
    return n;
}
static bool spread(const portion *in, const layout_piece *p, int axis, uint64_t from, uint64_t to) {
    if (axis == p->axis_count) return hand_on(in, p, from, to);
    const layout_axis *x = &p->axes[axis];
    uint64_t inner = extent(p, axis + 1), i = in->at > from + inner ? (in->at - from - inner) / x->from_step : 0;
    for (; i < (uint64_t)x->count && from + i * x->from_step < in->at + in->n; i++)
        if (!spread(in, p, axis + 1, from + i * x->from_step, to + i * x->to_step)) return false;
    return true;
}
bool layout_scatter(const layout_source *s, uint64_t at, const unsigned char *bytes, size_t n, layout_put put, void *to) {
    portion in = {at, bytes, n, put, to};
    for (size_t i = 0; i < s->count && s->pieces[i].from < at + n; i++)
        if (!spread(&in, &s->pieces[i], 0, s->pieces[i].from, s->pieces[i].to)) return false;
    return true;
}
