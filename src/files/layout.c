#include "layout.h"
#include "names.h"
#include "ops.h"
#include "rules.h"
#include "saved.h"
#include "../core/num.h"
#include <stdlib.h>
#include <string.h>

typedef struct group { /* what is saved together: tensors of the model that one converter takes, or a single one */
    const char *key;
    const rule_converter *converter; /* NULL: it is saved as it is */
    size_t slot;                     /* its first tensor's */
    op_input *inputs;                /* of a converter */
    size_t n, cap;
} group;
typedef struct found_piece { /* of a source */
    layout_piece piece;
    struct found_piece *next;
} found_piece;
typedef struct maker {
    arena *a;
    tare_error *err;
    const node *root;
    patterns p;
    saved_slots slots;
    rule_set rules; /* backwards: the last rule first */
    group *groups;
    size_t group_n, group_cap;
    name_table group_names, parameters, keys;
    layout_entry *entries;
    layout_source *sources;
    found_piece **found; /* of each source */
    size_t n, cap;
    const int64_t *lengths;
    bool sort; /* the reference has sorted the state dict, whether there are rules or not */
} maker;

/* ---- entries ---- */

static bool too_large(maker *k, const char *key) {
    error_set(k->err, TARE_BAD, "too_large", key, "%s: this model has more to save than a file can name", key);
    return false;
}
static bool twice(maker *k, const char *key) {
    error_set(k->err, TARE_BAD, "bad_layout", key, "the layout rules give the name %s to two tensors", key);
    return false;
}
static layout_entry *new_entry(maker *k, const char *key, uint8_t dtype) {
    if (k->n == MOST_ENTRIES) return too_large(k, key), NULL;
    if (name_put(&k->keys, key, k->n) != k->n) return twice(k, key), NULL;
    k->entries = arena_grow(k->a, k->entries, k->n, &k->cap, 1, sizeof *k->entries);
    layout_entry *e = &k->entries[k->n];
    *e = (layout_entry){.key = key, .with = k->n++, .dtype = dtype};
    return e;
}
static void add_piece(maker *k, size_t source, const layout_piece *p) {
    found_piece *f = arena_new(k->a, found_piece);
    *f = (found_piece){*p, k->found[source]};
    k->found[source] = f;
    k->sources[source].count++;
}
static bool add_whole(maker *k, const char *key, size_t slot) {
    const tensor_node *t = k->slots.v[slot].tensor;
    uint8_t dtype = k->slots.v[slot].dtype;
    int64_t bytes, elements = t->any_size && k->lengths ? k->lengths[slot] : t->elements;
    if (!num_mul(elements, (int64_t)tare_dtype_bytes((tare_dtype)dtype), &bytes)) return too_large(k, key);
    layout_entry *e = new_entry(k, key, dtype);
    if (!e) return false;
    e->shape = t->any_size && k->lengths ? &k->lengths[slot] : t->shape;
    e->rank = t->rank;
    e->elements = elements;
    e->bytes = e->storage = (uint64_t)bytes;
    if (bytes) add_piece(k, k->slots.v[slot].owner, &(layout_piece){.n = e->bytes, .entry = e->with});
    return true;
}

/* ---- pieces ---- */

typedef struct draft { /* a piece in the making; its axes' steps in the model's tensor fall */
    size_t source;
    uint64_t from, to;
    layout_axis axes[MOST_AXES];
    int n;
} draft;
static void add_axis(draft *d, int64_t count, uint64_t from_step, uint64_t to_step) {
    int i = d->n++;
    for (; i && d->axes[i - 1].from_step < from_step; i--) d->axes[i] = d->axes[i - 1];
    d->axes[i] = (layout_axis){count, from_step, to_step};
}
static void join_axes(draft *d) {
    int n = 0;
    for (int i = 0; i < d->n; i++) {
        layout_axis *outer = n ? &d->axes[n - 1] : NULL, x = d->axes[i];
        uint64_t count = (uint64_t)x.count;
        if (outer && outer->from_step == count * x.from_step && outer->to_step == count * x.to_step) x.count *= outer->count, n--;
        d->axes[n++] = x;
    }
    d->n = n;
}
static draft draft_of(const value *v, const box *b, uint64_t unit) {
    draft d = {.source = b->source, .from = (uint64_t)b->from * unit};
    uint64_t row = unit;
    for (int i = v->rank - 1; i >= 0; row *= (uint64_t)v->shape[i--]) {
        d.to += (uint64_t)b->at[i] * row;
        if (b->size[i] > 1) add_axis(&d, b->size[i], (uint64_t)b->step[i] * unit, (uint64_t)b->apart[i] * row);
    }
    join_axes(&d);
    return d;
}
static bool repeats(const draft *x, const draft *y) {
    if (x->source != y->source || x->n != y->n || x->n == MOST_AXES || y->from <= x->from || y->to <= x->to) return false;
    for (int i = 0; i < x->n; i++)
        if (x->axes[i].count != y->axes[i].count || x->axes[i].from_step != y->axes[i].from_step || x->axes[i].to_step != y->axes[i].to_step)
            return false;
    return true;
}
/* Drafts that repeat at equal distances are one, with an axis more. */
static size_t fold(draft *d, size_t n) {
    size_t kept = 0;
    for (size_t i = 0, k; i < n; i = k) {
        draft one = d[i];
        for (k = i + 1; k < n && repeats(&d[k - 1], &d[k]); k++)
            if (d[k].from - d[k - 1].from != d[i + 1].from - one.from || d[k].to - d[k - 1].to != d[i + 1].to - one.to) break;
        if (k > i + 1) add_axis(&one, (int64_t)(k - i), d[i + 1].from - one.from, d[i + 1].to - one.to), join_axes(&one);
        d[kept++] = one;
    }
    return kept;
}
/* The innermost axis is a run of bytes where it is contiguous on both sides, else each element is one. */
static void add_draft(maker *k, draft *d, size_t entry, uint64_t unit) {
    layout_piece p = {.from = d->from, .to = d->to, .n = unit, .entry = entry};
    if (d->n && d->axes[d->n - 1].from_step == unit && d->axes[d->n - 1].to_step == unit) p.n = (uint64_t)d->axes[--d->n].count * unit;
    layout_axis *axes = d->n ? arena_array(k->a, (size_t)d->n, sizeof *axes) : NULL;
    for (int i = 0; i < d->n; i++) axes[i] = d->axes[i];
    p.axes = axes;
    p.axis_count = d->n;
    add_piece(k, d->source, &p);
}
static void add_pieces(maker *k, const value *v, size_t entry, uint64_t unit) {
    draft one, *d = v->n > 1 ? arena_array(k->a, v->n, sizeof *d) : &one;
    for (size_t i = 0; i < v->n; i++) d[i] = draft_of(v, &v->boxes[i], unit);
    size_t n = v->n, before = 0;
    while (n > 1 && n != before) before = n, n = fold(d, n);
    for (size_t i = 0; i < n; i++) add_draft(k, &d[i], entry, unit);
}

/* ---- what converters make ---- */

static bool one_dtype(maker *k, const char *key, const value *v, uint8_t dtype) {
    for (size_t i = 0; i < v->n; i++) {
        if (k->slots.v[v->boxes[i].source].dtype == dtype) continue;
        error_set(k->err, TARE_NO, "not_available", key, "%s is put together from tensors of several dtypes, which is not in this release", key);
        return false;
    }
    return true;
}
static bool add_value(maker *k, const char *key, const value *v, uint8_t dtype) {
    int64_t bytes, storage, unit = (int64_t)tare_dtype_bytes((tare_dtype)dtype), *shape = arena_array(k->a, (size_t)v->rank, sizeof *shape);
    layout_entry *e = one_dtype(k, key, v, dtype) ? new_entry(k, key, dtype) : NULL;
    if (!e) return false;
    if (!num_mul(v->elements, unit, &bytes) || !num_mul(v->in->elements, unit, &storage)) return too_large(k, key);
    memcpy(shape, v->shape, (size_t)v->rank * sizeof *shape);
    e->shape = shape;
    e->rank = (int8_t)v->rank;
    e->elements = v->elements;
    e->bytes = (uint64_t)bytes;
    e->storage = (uint64_t)storage;
    if (v->in->mark) e->with = v->in->mark - 1;
    else v->in->mark = e->with + 1;
    add_pieces(k, v, (size_t)(e - k->entries), (uint64_t)unit);
    return true;
}
static bool parameter_shape(void *to, const char *key, int *rank, const int64_t **shape) {
    maker *k = to;
    if (!k->parameters.n)
        for (size_t i = 0; i < k->slots.n; i++)
            if (k->slots.v[i].tensor->kind == TARE_PARAM) name_put(&k->parameters, k->slots.v[i].path, i);
    size_t i = name_put(&k->parameters, key, k->slots.n);
    if (i == k->slots.n) return false;
    *rank = k->slots.v[i].tensor->rank;
    *shape = k->slots.v[i].tensor->shape;
    return true;
}
static bool add_group(maker *k, const group *g) {
    if (!g->converter) return add_whole(k, g->key, g->slot);
    op_work w = {.p = &k->p, .t = &g->converter->t, .ops = g->converter->ops, .backward = true, .config = k->root->config,
                 .shape_of = parameter_shape, .to = k, .key = g->key};
    op_outputs out;
    if (!ops_run(&w, g->inputs, g->n, &out)) return false;
    for (size_t i = 0; i < out.n; i++)
        if (!add_value(k, rules_rename(&k->p, &k->rules, out.v[i].name), &out.v[i].v, k->slots.v[g->slot].dtype)) return false;
    return true;
}

/* ---- slots ---- */

static bool take_input(maker *k, group *g, const saved_slot *slot, const char *pattern) {
    size_t i = 0;
    while (i < g->n && strcmp(g->inputs[i].pattern, pattern)) i++;
    if (i == g->n) {
        g->inputs = arena_grow(k->a, g->inputs, g->n, &g->cap, 1, sizeof *g->inputs);
        g->inputs[g->n++] = (op_input){.pattern = pattern};
    }
    op_input *in = &g->inputs[i];
    in->values = arena_grow(k->a, in->values, in->n, &in->cap, 1, sizeof *in->values);
    value *v = &in->values[in->n++];
    if (!value_whole(k->a, slot->owner, slot->tensor->rank, slot->tensor->shape, v)) return too_large(k, slot->path);
    v->in = arena_new(k->a, memory);
    v->in->elements = v->elements;
    return true;
}
/* Converters come first, renamings when they are done; a tensor that none takes is renamed at once. */
static bool take_slot(maker *k, const saved_slot *slot) {
    size_t converter, which;
    const char *key = rules_convert(&k->p, &k->rules, slot->path, &converter, &which);
    rule_converter *c = key ? &k->rules.converters[converter] : NULL;
    if (!key) key = rules_rename(&k->p, &k->rules, slot->path);
    size_t i = name_put(&k->group_names, key, k->group_n);
    if (i == k->group_n) {
        k->groups = arena_grow(k->a, k->groups, k->group_n, &k->group_cap, 1, sizeof *k->groups);
        k->groups[k->group_n++] = (group){.key = key, .converter = c, .slot = (size_t)(slot - k->slots.v)};
    } else if (!c || !k->groups[i].converter) return twice(k, key);
    return (!c || take_input(k, &k->groups[i], slot, c->t.from[which])) && k->err->status == TARE_OK;
}
static int by_name(const void *x, const void *y) {
    const saved_slot *a = *(saved_slot *const *)x, *b = *(saved_slot *const *)y;
    int order = name_order(a->path, b->path);
    return order ? order : a < b ? -1 : a > b;
}
/* The order of the state dict; where anything was converted back, the reference has sorted it. */
static bool take_slots(maker *k) {
    saved_slots *s = &k->slots;
    saved_slot **sorted = arena_array(k->a, s->n, sizeof *sorted);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].saved) sorted[n++] = &s->v[i];
    if (n && (k->sort || k->rules.renaming_n + k->rules.converter_n)) qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; i < n; i++)
        if (!take_slot(k, sorted[i])) return false;
    return true;
}
static int by_place(const void *x, const void *y) {
    uint64_t a = ((const layout_piece *)x)->from, b = ((const layout_piece *)y)->from;
    return a < b ? -1 : a > b;
}
static void sort_pieces(maker *k, size_t source) {
    layout_source *s = &k->sources[source];
    layout_piece *pieces = arena_array(k->a, s->count, sizeof *pieces);
    size_t n = s->count;
    for (const found_piece *f = k->found[source]; f; f = f->next) pieces[--n] = f->piece;
    if (s->count > 1) qsort(pieces, s->count, sizeof *pieces, by_place);
    s->pieces = pieces;
}
static bool collect(maker *k, const layout_how *how) {
    if (!saved_collect(&k->slots, &k->p, k->root, how ? how->owners : NULL, how ? how->dtypes : NULL)) return false;
    return how ? !how->rules || rules_taken_back(&k->p, how->rules, &k->rules) : rules_for_save(&k->p, k->root, &k->rules);
}
const layout *layout_make(arena *a, const node *root, const layout_how *how, tare_error *err) {
    maker k = {.lengths = how ? how->lengths : NULL, .sort = how && how->rules, .a = a, .err = err, .root = root, .group_names = {.a = a},
               .parameters = {.a = a}, .keys = {.a = a}};
    patterns_start(&k.p, a, err);
    if (!collect(&k, how)) return NULL;
    k.sources = arena_array(a, k.slots.n, sizeof *k.sources);
    k.found = arena_array(a, k.slots.n, sizeof *k.found);
    for (size_t i = 0; i < k.slots.n; i++) k.sources[i].tensor = k.slots.v[i].tensor;
    if (!take_slots(&k)) return NULL;
    for (size_t i = 0; i < k.group_n; i++)
        if (!add_group(&k, &k.groups[i])) return NULL;
    if (err->status != TARE_OK) return NULL;
    for (size_t i = 0; i < k.slots.n; i++) sort_pieces(&k, i);
    layout *l = arena_new(a, layout);
    *l = (layout){k.entries, k.n, k.sources, k.slots.n};
    return l;
}

save_tensor *layout_tensors(const layout *l) {
    save_tensor *tensors = tarei_malloc((l->entry_count + 1) * sizeof *tensors);
    for (size_t i = 0; tensors && i < l->entry_count; i++) {
        const layout_entry *e = &l->entries[i];
        tensors[i] = (save_tensor){.key = e->key, .dtype = (tare_dtype)e->dtype, .rank = e->rank, .shape = e->shape, .part_of = e->with + 1,
                                   .storage = e->storage};
    }
    return tensors;
}
