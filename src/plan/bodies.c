#include "bodies.h"
#include "../core/num.h"
#include "../core/val.h"
#include <stdlib.h>
#include <string.h>

/* ---- the special dtypes below a module: a range of the sorted list, narrowed name by name ---- */

typedef struct range { const special *s; size_t n, at; } range;
static int order(const special *s, size_t at, const char *prefix, size_t n) { return strncmp(s->path + at, prefix, n); }
/* Those that go on with `prefix`. */
static range narrow(range r, const char *prefix, size_t n) {
    size_t low = 0, high = r.n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (order(&r.s[middle], r.at, prefix, n) < 0) low = middle + 1;
        else high = middle;
    }
    size_t end = low;
    while (end < r.n && order(&r.s[end], r.at, prefix, n) == 0) end++;
    return (range){r.s + low, end - low, r.at + n};
}
static range narrow_child(measure *w, range r, const char *name) {
    if (!r.n) return r;
    const char *prefix = arena_printf(w->a, "%s.", name);
    return narrow(r, prefix, strlen(prefix));
}
static const special *special_of(const acc_body *b, const char *name) {
    range r = {b->special, b->special_n, b->special_at};
    size_t n = strlen(name);
    if (r.n) r = narrow(r, name, n + 1);
    return r.n ? r.s : NULL;
}

/* ---- tensors ---- */

static bool is_counted(const acc_body *b, const tensor_node *slot) {
    const tensor_node *held = tensor_held(slot);
    return !b->again && (!held->owner || held->first == slot);
}
/* What a cast leaves alone. */
static bool keeps_dtype(int dtype) {
    return dtype == TARE_I64 || dtype == TARE_I32 || dtype == TARE_I16 || dtype == TARE_I8 || dtype == TARE_U8 || dtype == TARE_BOOL;
}
static amount element_of(const measure *w, int dtype) {
    amount own = dtype == TARE_BOOL ? (amount){0.125, true} : (amount){(double)tare_dtype_bytes((tare_dtype)dtype), false};
    return w->cast && !keeps_dtype(dtype) ? amount_min(w->element, own) : own;
}
amount measure_tensor(const measure *w, const acc_body *b, const tensor_node *slot) {
    const tensor_node *t = tensor_held(slot);
    if (!is_counted(b, slot)) return (amount){0, false};
    const special *s = special_of(b, slot->name);
    bool quantised = w->quantised > 0 && b->m->dense && slot->kind == TARE_PARAM && strcmp(slot->name, "bias");
    if (quantised && !s) return (amount){w->quantised * (double)t->elements, w->quantised < 1};
    return amount_times(s ? s->bytes : element_of(w, t->dtype), (double)t->elements);
}
bool acc_held_before(const tensor_node *first, const tensor_node *slot) {
    const tensor_node *held = tensor_held(slot);
    if (!held->several && !slot->same) return false;
    for (; first != slot; first = first->next)
        if (tensor_held(first) == held) return true;
    return false;
}
static void add_tensors(const measure *w, acc_body *b, const tensor_node *first) {
    for (const tensor_node *t = first; t; t = t->next) {
        amount size = measure_tensor(w, b, t);
        uint64_t counted = is_counted(b, t);
        b->size = amount_add(b->size, size);
        b->entries += counted;
        if (t->kind == TARE_PARAM) b->params += counted;
        else b->buffers += element_of(w, tensor_held(t)->dtype).n * (double)tensor_held(t)->elements;
        if (t->kind == TARE_PARAM && size.n < b->least) b->least = size.n;
    }
}

/* ---- bodies ---- */

static size_t slot_for(const measure *w, const node *m, bool again) {
    size_t i = ((size_t)(uintptr_t)m >> 4) * (size_t)0x9E3779B97F4A7C15u;
    for (i = (i >> 20) & (w->cap - 1); w->table[i] && (w->table[i]->m != m || w->table[i]->again != again); i = (i + 1) & (w->cap - 1)) {}
    return i;
}
static void grow(measure *w) {
    acc_body **old = w->table;
    size_t n = w->cap;
    w->cap = n ? n * 2 : 128;
    w->table = arena_array(w->a, w->cap, sizeof *w->table);
    for (size_t i = 0; i < n; i++)
        if (old[i]) w->table[slot_for(w, old[i]->m, old[i]->again)] = old[i];
}
static acc_body *body_for(measure *w, const node *m, bool again, range r);

/* A shared module is itself at its first path in walk order, and nothing but a name at the others. A body that is this module's
 * alone is not looked up: the special dtypes below make it so. */
static acc_body *body_of(measure *w, const node *m, bool again, range r) {
    if (!again && met_before(&w->met, m)) again = true;
    if (again) r.n = 0;
    if (r.n) return body_for(w, m, false, r);
    if (w->used * 2 >= w->cap) grow(w);
    size_t i = slot_for(w, m, again);
    if (w->table[i]) return w->table[i];
    acc_body *b = body_for(w, m, again, r);
    w->table[slot_for(w, m, again)] = b;
    w->used++;
    return b;
}

static bool is_met(const node *m, const edge *e) {
    if (!e->to->shared) return false;
    for (const edge *o = m->children; o != e; o = o->next)
        if (o->to == e->to) return true;
    return false;
}
static void put_kid(acc_body *b, const edge *e, int64_t first, int64_t n, acc_body *body) {
    if (n > 0) b->kids[b->kid_count++] = (acc_kid){e, first, n, body};
}
static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}
/* The numbers in a run that special dtypes reach into, ascending. */
static size_t numbers_in(measure *w, const edge *e, range r, int64_t **out) {
    int64_t *at = *out = arena_array(w->a, r.n, sizeof *at);
    size_t n = 0;
    for (size_t i = 0; i < r.n; i++) {
        char *end, text[NUM_TEXT];
        int64_t k = strtoll(r.s[i].path + r.at, &end, 10);
        size_t digits = num_int(text, k);
        if (*end != '.' || strncmp(text, r.s[i].path + r.at, digits) || r.s[i].path[r.at + digits] != '.') continue;
        if (k >= e->first && k < e->first + e->count) at[n++] = k;
    }
    if (n) qsort(at, n, sizeof *at, by_number);
    return n;
}
/* `left`: edges still to come, this one included. */
static void add_run(measure *w, acc_body *b, const edge *e, range r, size_t left) {
    int64_t *special_at = NULL, from = e->first;
    size_t n = r.n ? numbers_in(w, e, r, &special_at) : 0;
    range none = {NULL, 0, 0};
    if (n) { /* at most two pieces more for each */
        acc_kid *kids = arena_array(w->a, b->kid_count + 2 * n + left, sizeof *kids);
        if (b->kid_count) memcpy(kids, b->kids, b->kid_count * sizeof *kids);
        b->kids = kids;
    }
    for (size_t i = 0; i < n; i++) {
        char name[NUM_TEXT];
        if (i && special_at[i] == special_at[i - 1]) continue;
        num_int(name, special_at[i]);
        if (special_at[i] > from) put_kid(b, e, from, special_at[i] - from, body_of(w, e->to, b->again, none));
        put_kid(b, e, special_at[i], 1, body_of(w, e->to, b->again, narrow_child(w, r, name)));
        from = special_at[i] + 1;
    }
    if (from < e->first + e->count) put_kid(b, e, from, e->first + e->count - from, body_of(w, e->to, b->again, none));
}
static size_t room_for(const node *m) {
    size_t n = 0;
    for (const edge *e = m->children; e; e = e->next) n++;
    return n;
}
static void add_kids(measure *w, acc_body *b, range r) {
    size_t left = room_for(b->m);
    b->kids = arena_array(w->a, left, sizeof *b->kids);
    for (const edge *e = b->m->children; e; e = e->next, left--) {
        if (e->name && is_met(b->m, e)) continue;
        if (e->name) put_kid(b, e, 0, 1, body_of(w, e->to, b->again, narrow_child(w, r, e->name)));
        else add_run(w, b, e, r, left);
    }
}
static void add_largest(acc_body *b, amount size, uint64_t n) {
    if (size.n > b->largest.n) b->largest = size, b->largest_n = n;
    else if (size.n == b->largest.n) b->largest_n += n;
}
static void add_measures(acc_body *b, const acc_kid *k) {
    const acc_body *o = k->body;
    uint64_t n = (uint64_t)k->n;
    b->size = amount_add(b->size, amount_times(o->size, (double)k->n));
    b->params += o->params * n;
    b->entries += o->entries * n;
    b->finals += o->finals * (double)k->n;
    b->final_count += o->final_count * n;
    b->buffers += o->buffers * (double)k->n;
    b->twisted |= o->twisted;
    if (acc_splits(b)) {
        add_largest(b, o->largest, o->largest_n * n);
        if (o->least < b->least) b->least = o->least;
    }
}
static acc_body *body_for(measure *w, const node *m, bool again, range r) {
    acc_body *b = arena_new(w->a, acc_body);
    *b = (acc_body){.m = m, .again = again, .special = r.s, .special_n = r.n, .special_at = r.at, .least = HUGE_VAL};
    b->whole = w->no_split && word_in(m->cls, w->no_split);
    b->twisted = m->shared || m->holds_tied;
    add_kids(w, b, r);
    add_tensors(w, b, m->params);
    add_tensors(w, b, m->buffers);
    if (!acc_splits(b)) b->least = HUGE_VAL;
    for (size_t i = 0; i < b->kid_count; i++) add_measures(b, &b->kids[i]);
    if (b->entries && !b->final_count) b->finals = b->size.n, b->final_count = 1;
    if (!acc_splits(b)) b->largest = b->size, b->largest_n = 1;
    if (b->size.n < b->least) b->least = b->size.n;
    return b;
}
acc_body *measure_root(measure *w, const node *root) { return body_of(w, root, false, (range){w->specials, w->special_count, 0}); }
