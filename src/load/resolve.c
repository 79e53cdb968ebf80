#define _GNU_SOURCE
#include "resolve.h"
#include "name.h"
#include "tie.h"
#include "../build/sets.h"
#include <stdlib.h>
#include <string.h>

typedef struct resolving {
    arena *a;
    patterns p;
    resolution *r;
    const node *root;
    const char **first_key;                 /* of each slot that is filled: the first key that did it */
    tare_error err;                         /* of the patterns and operations */
} resolving;

/* ---- filling slots ---- */

static bool same_shape(const load_slot *s, int rank, const int64_t *shape) {
    if (s->t->any_size) return rank == 1;
    bool same = rank == s->t->rank;
    for (int i = 0; same && i < rank; i++) same = shape[i] == s->t->shape[i];
    return same;
}
/* What upstream sets later stays: keys come in order, and each tensor is set when its first key's turn comes. */
static void fill_slot(resolving *w, size_t slot, const char *first_key, size_t first, const value *parts, int rank, const int64_t *shape) {
    load_slot *s = &w->r->slots.v[w->r->slots.v[slot].same];
    const char **before = &w->first_key[s - w->r->slots.v];
    if (*before && name_order(first_key, *before) < 0) return;
    *before = first_key;
    s->from = FROM_FILE;
    s->tensor = first;
    s->made = parts;
    s->mismatched = !same_shape(s, rank, shape);
    s->rank = (int8_t)rank;
    s->shape = shape;
}
static void add_fault(resolving *w, size_t slot, const char *message) {
    resolution *r = w->r;
    r->faults = arena_grow(w->a, r->faults, r->fault_n, &r->fault_cap, 1, sizeof *r->faults);
    r->faults[r->fault_n++] = (load_fault){slot, message};
}

typedef struct bucket { const size_t *tensors; size_t n; } bucket; /* of the checkpoint, in upstream's order: what became one name */

static bool shape_of(void *to, const char *key, int *rank, const int64_t **shape) {
    const load_slots *s = to;
    size_t i = slots_find(s, key);
    if (i == SIZE_MAX) return false;
    *rank = s->v[i].t->rank;
    *shape = s->v[i].t->shape;
    return true;
}
/* Every later key that is not the converter's own: upstream hands it to the operations all the same. Only where they look for their
 * patterns by name it does no harm. */
static bool foreign(resolving *w, const transform *t, load_key *k) {
    k->fate = KEY_SURPLUS;
    if (t->from_n == 1) w->r->crash = arena_printf(w->a, "%s is in the file both whole and in parts", k->name);
    return t->from_n == 1;
}
static op_input *input_of(op_input *inputs, size_t *n, const char *pattern) {
    for (size_t i = 0; i < *n; i++)
        if (inputs[i].pattern == pattern) return &inputs[i];
    inputs[*n] = (op_input){.pattern = pattern};
    return &inputs[(*n)++];
}
static bool collect(resolving *w, const bucket *b, size_t converter, op_input *inputs, size_t *n) {
    const transform *t = &w->r->rules.converters[converter].t;
    for (size_t i = 0; i < b->n; i++) {
        load_key *k = &w->r->keys[b->tensors[i]];
        const file_tensor *f = &w->r->c->tensors[b->tensors[i]];
        if (k->converter != converter) {
            if (foreign(w, t, k)) return false;
            continue;
        }
        op_input *in = input_of(inputs, n, t->from[k->pattern]);
        in->values = arena_grow(w->a, in->values, in->n, &in->cap, 1, sizeof *in->values);
        if (!value_whole(w->a, b->tensors[i], f->rank, f->shape, &in->values[in->n++])) {
            add_fault(w, k->slot, arena_printf(w->a, "%s has %d dimensions, more than is known here", f->key, f->rank));
            return false;
        }
    }
    return true;
}
static void convert(resolving *w, const bucket *b) {
    resolution *r = w->r;
    const load_key *first = &r->keys[b->tensors[0]];
    const rule_converter *rule = &r->rules.converters[first->converter];
    op_input *inputs = arena_array(w->a, rule->t.from_n, sizeof *inputs);
    op_outputs out = {0};
    size_t n = 0;
    if (!collect(w, b, first->converter, inputs, &n)) return;
    op_work work = {.p = &w->p, .t = &rule->t, .ops = rule->ops, .config = w->root->config, .shape_of = shape_of, .to = &r->slots,
                    .key = first->name};
    if (!ops_run(&work, inputs, n, &out)) {
        if (strcmp(w->err.code, "conversion")) return;
        add_fault(w, first->slot, arena_text(w->a, w->err.message, strlen(w->err.message)));
        w->err = (tare_error){0};
        return;
    }
    for (size_t i = 0; i < out.n; i++) {
        size_t slot = slots_find(&r->slots, out.v[i].name);
        if (slot == SIZE_MAX) r->crash = arena_printf(w->a, "a converter makes %s, which the model does not have", out.v[i].name);
        else fill_slot(w, slot, r->c->tensors[b->tensors[0]].key, b->tensors[0], &out.v[i].v, out.v[i].v.rank, out.v[i].v.shape);
    }
}
static void fill_from(resolving *w, const bucket *b) {
    load_key *first = &w->r->keys[b->tensors[0]];
    if (first->converter != SIZE_MAX) {
        convert(w, b);
        return;
    }
    const file_tensor *f = &w->r->c->tensors[b->tensors[0]];
    fill_slot(w, first->slot, f->key, b->tensors[0], NULL, f->rank, f->shape);
    for (size_t i = 1; i < b->n; i++) w->r->keys[b->tensors[i]].fate = KEY_SURPLUS;
}

/* ---- upstream's order ---- */

/* Tensors of the checkpoint by the slot that they became, each slot's in the order of their keys. */
static void fill_all(resolving *w) {
    resolution *r = w->r;
    size_t n = r->c->tensor_count, *count = arena_array(w->a, r->slots.n + 1, sizeof *count), *sorted = arena_array(w->a, n, sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        if (!r->c->tensors[i].replaced && r->keys[i].slot != SIZE_MAX) count[r->keys[i].slot + 1]++;
    for (size_t i = 0; i < r->slots.n; i++) count[i + 1] += count[i];
    for (size_t i = 0; i < n; i++)
        if (!r->c->tensors[i].replaced && r->keys[i].slot != SIZE_MAX) sorted[count[r->keys[i].slot]++] = i;
    for (size_t slot = 0, from = 0; slot < r->slots.n && w->err.status == TARE_OK; from = count[slot++]) {
        bucket b = {sorted + from, count[slot] - from};
        if (b.n > 1) qsort_r(sorted + from, b.n, sizeof *sorted, key_order, (void *)(uintptr_t)r->c);
        if (b.n) fill_from(w, &b);
    }
}
/* ---- what nobody minds ---- */

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}
static bool has_buffer(const load_slots *s, const char *end) {
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].t->kind == TARE_BUFFER && ends_with(s->v[i].path, end)) return true;
    return false;
}
typedef struct ignore_list { const char **text; void **compiled; size_t n; } ignore_list;
static ignore_list ignores(resolving *w, model_set which, const char *const *more) {
    val set = set_of(w->a, w->root, which);
    ignore_list l = {arena_array(w->a, set.n + 2, sizeof *l.text), arena_array(w->a, set.n + 2, sizeof *l.compiled), 0};
    for (uint32_t i = 0; i < set.n; i++) l.text[l.n++] = set.items[i].s;
    while (more && *more) l.text[l.n++] = *more++;
    for (size_t i = 0; i < l.n; i++) l.compiled[i] = pattern_compile(&w->p, l.text[i]);
    return l;
}
static const char *ignored(resolving *w, const ignore_list *l, const char *name) {
    for (size_t i = 0; i < l->n; i++)
        if (pattern_found(&w->p, l->compiled[i], name)) return l->text[i];
    return NULL;
}
static void ignore_keys(resolving *w) {
    const char *more[3] = {NULL, NULL, NULL};
    size_t n = 0;
    if (has_buffer(&w->r->slots, "rotary_emb.inv_freq")) more[n++] = "rotary_emb\\.inv_freq";
    if (has_buffer(&w->r->slots, "position_ids")) more[n++] = "(^|\\.)position_ids$";
    ignore_list l = ignores(w, SET_IGNORE_UNEXPECTED, more);
    for (size_t i = 0; l.n && i < w->r->c->tensor_count; i++) {
        load_key *k = &w->r->keys[i];
        if (k->fate == KEY_UNEXPECTED && (k->ignored_by = ignored(w, &l, k->name))) k->fate = KEY_IGNORED;
    }
}
static void ignore_slots(resolving *w) {
    ignore_list l = ignores(w, SET_IGNORE_MISSING, NULL);
    for (size_t i = 0; l.n && i < w->r->slots.n; i++) {
        load_slot *s = &w->r->slots.v[i];
        if (s->from == FROM_NOWHERE && ignored(w, &l, s->path)) s->from = FROM_ITSELF;
    }
}
/* The dtype that all parts of a slot have in the files; -1 where they differ. */
static int file_dtype(const checkpoint *c, const load_slot *s) {
    int dtype = c->tensors[s->tensor].dtype;
    for (size_t i = 0; s->made && i < s->made->n; i++)
        if (c->tensors[s->made->boxes[i].source].dtype != dtype) return -1;
    return dtype;
}
/* What is packed stays as it is stored. */
static void settle_packed(const checkpoint *c, load_slots *s) {
    for (size_t i = 0; i < s->n; i++) {
        load_slot *one = &s->v[i];
        int held = one->packed && one->from == FROM_FILE ? file_dtype(c, one) : -1;
        if (held >= 0 && same_bits(one->dtype, held)) one->dtype = (uint8_t)held;
    }
}
/* A module's second name means the tensors of its first. What is not loaded keeps the dtype that it was made in. */
static void settle(load_slots *s) {
    for (size_t i = 0; i < s->n; i++) {
        load_slot *one = &s->v[i];
        if (one->same != i && one->from == FROM_NOWHERE && s->v[one->same].from != FROM_NOWHERE) one->from = FROM_TIE, one->tie = one->same;
        if (one->from == FROM_NOWHERE || one->from == FROM_ITSELF) one->dtype = tensor_held(one->t)->dtype;
    }
}

resolution *resolve(arena *a, const node *root, const checkpoint *c, const resolve_options *o, tare_error *err) {
    resolving w = {.a = a, .root = root, .r = arena_new(a, resolution)};
    w.r->c = c;
    patterns_start(&w.p, a, &w.err);
    if (slots_make(&w.r->slots, &w.p, root, o->dtype, &w.err) && keys_name(w.r, a, root, o, &w.err)) {
        w.first_key = arena_array(a, w.r->slots.n, sizeof *w.first_key);
        fill_all(&w);
        if (w.err.status == TARE_OK) ties_settle(w.r, a, root);
        ignore_keys(&w);
        ignore_slots(&w);
        settle(&w.r->slots);
        settle_packed(c, &w.r->slots);
    }
    if (w.err.status == TARE_OK) return w.r;
    *err = w.err;
    return NULL;
}
