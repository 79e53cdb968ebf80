/* Walking the tree once; what a list repeats is measured at its first item and copied. */
#include "blocks.h"
#include "../core/num.h"
#include "../core/val.h"
#include <stdlib.h>
#include <string.h>

/* ---- no-split classes ---- */

static const char *const *classes_of(const model_class *row) {
    if (row->own.no_split_modules) return row->own.no_split_modules;
    return row->like ? row->like->no_split_modules : NULL;
}
static size_t add_classes(const char **list, size_t n, const node *m) {
    for (const char *const *p = classes_of(m->model); p && *p; p++)
        if (list) list[n++] = *p;
        else n++;
    for (const edge *e = m->children; e; e = e->next)
        if (e->name && e->to->model) n = add_classes(list, n, e->to);
    return n;
}
const char *const *plan_no_split(arena *a, const node *root) {
    const char **list = arena_array(a, root->model ? add_classes(NULL, 0, root) + 1 : 1, sizeof *list);
    if (root->model) add_classes(list, 0, root);
    return list;
}

/* ---- growing lists ---- */

typedef struct gather {
    arena *a;
    plan_blocks *out;
    const char *const *no_split;
    bool split_experts;
    bool shared;       /* inside a module that has several names: */
    const char *alias; /* seen before under this path, */
    size_t alias_at;   /* and what follows this many bytes follows it there too */
    const char *wrong; /* what is too large; NULL: nothing */
    size_t n;
    char path[MODULE_PATH];
} gather;

static bool reserve_blocks(gather *g, size_t more) {
    plan_blocks *o = g->out;
    if (more > PLAN_MOST_BLOCKS - o->n) g->wrong = "blocks";
    if (g->wrong) return false;
    size_t cap = o->cap;
    o->all = arena_grow(g->a, o->all, o->n, &cap, more, sizeof *o->all);
    o->bytes = arena_grow(g->a, o->bytes, o->n, &o->cap, more, sizeof *o->bytes);
    return true;
}
static void reserve_places(gather *g, size_t more) {
    plan_blocks *o = g->out;
    o->places = arena_grow(g->a, o->places, o->place_count, &o->place_cap, more, sizeof *o->places);
}
static size_t push_block(gather *g, plan_block b, uint64_t bytes) {
    if (!reserve_blocks(g, 1)) return 0;
    g->out->all[g->out->n] = b;
    g->out->bytes[g->out->n] = bytes;
    return g->out->n++;
}
static uint32_t push_place(gather *g, plan_word w) {
    if (g->out->place_count >= PLAN_MOST_BLOCKS) g->wrong = "modules";
    if (g->wrong) return 0;
    reserve_places(g, 1);
    g->out->places[g->out->place_count] = w;
    return (uint32_t)g->out->place_count++;
}
static void push_tie(gather *g, plan_tie t) {
    plan_blocks *o = g->out;
    o->ties = arena_grow(g->a, o->ties, o->tie_count, &o->tie_cap, 1, sizeof *o->ties);
    o->ties[o->tie_count++] = t;
}
static uint64_t add(gather *g, uint64_t a, uint64_t b) {
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum) || sum == UINT64_MAX) g->wrong = "bytes";
    return g->wrong ? 0 : sum;
}
static uint64_t times(gather *g, uint64_t a, uint64_t b) {
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product)) g->wrong = "bytes";
    return g->wrong ? 0 : product;
}

/* ---- paths ---- */

static bool append(gather *g, const char *name, int64_t number) { return path_add(g->path, &g->n, name, number); }
static void cut(gather *g, size_t n) { path_cut(g->path, &g->n, n); }
static const char *path_here(gather *g) { return arena_text(g->a, g->path, g->n); }

/* ---- measuring ---- */

uint64_t plan_tensor_bytes(const tensor_node *t) {
    uint64_t bytes;
    bool fits = t->elements >= 0 && !__builtin_mul_overflow((uint64_t)t->elements, tare_dtype_bytes((tare_dtype)t->dtype), &bytes);
    return fits ? bytes : UINT64_MAX;
}
/* The bytes that slot t adds to block `block`; what other slots hold too is noted. */
static uint64_t weigh_tensor(gather *g, const tensor_node *t, uint32_t block) {
    const tensor_node *held = tensor_held(t);
    uint64_t bytes = plan_tensor_bytes(held);
    if (bytes == UINT64_MAX) g->wrong = "bytes";
    bool tied = held->owner && held->first != t;
    if (!held->owner && !g->shared) return bytes;
    size_t before = g->n;
    if (g->wrong || !append(g, t->name, 0)) return 0;
    plan_tie tie = {.block = block, .owner = !tied && !g->alias, .bytes = bytes, .path = path_here(g)};
    tie.first = tied ? held->owner : g->alias ? arena_printf(g->a, "%s%s", g->alias, g->path + g->alias_at) : tie.path;
    push_tie(g, tie);
    cut(g, before);
    return tie.owner ? bytes : 0;
}
typedef struct sharing { const char *alias; size_t at; bool shared; } sharing;
static sharing enter(gather *g, const node *m) {
    sharing outer = {g->alias, g->alias_at, g->shared};
    if (m->shared && m->first_path) {
        g->shared = true;
        if (strcmp(m->first_path, g->path)) g->alias = m->first_path, g->alias_at = g->n;
    }
    return outer;
}
static void leave(gather *g, sharing outer) { g->alias = outer.alias, g->alias_at = outer.at, g->shared = outer.shared; }

static bool holds_nothing(const node *m) {
    bool nothing = !m->params && !m->buffers;
    for (const edge *e = m->children; e && nothing; e = e->next) nothing = holds_nothing(e->to);
    return nothing;
}
/* A module of nothing but parameters that stack all its experts. */
static bool stacked(const gather *g, const node *m) {
    if (!g->split_experts || m->experts < 2 || g->shared || (m->shared && m->first_path)) return false;
    for (const tensor_node *t = m->params; t; t = t->next)
        if (t->rank < 2 || t->shape[0] != m->experts || t->same || t->several) return false;
    for (const edge *e = m->children; e; e = e->next)
        if (!holds_nothing(e->to)) return false;
    return m->params && !m->buffers;
}
static uint64_t weigh(gather *g, const node *m, uint32_t block, bool *empty);
static uint64_t weigh_run(gather *g, const edge *e, uint32_t block, bool *empty) {
    size_t before = g->n, noted = g->out->tie_count;
    uint64_t sum = 0, n = e->name ? 1 : (uint64_t)e->count;
    for (uint64_t i = 0; i < n && !g->wrong; i++) {
        if (!append(g, e->name, e->first + (int64_t)i)) break;
        uint64_t one = weigh(g, e->to, block, empty);
        cut(g, before);
        if (g->out->tie_count == noted) return times(g, one, n);
        sum = add(g, sum, one);
    }
    return sum;
}
/* All that is in m at and below the path here, but for experts that are blocks of their own. */
static uint64_t weigh(gather *g, const node *m, uint32_t block, bool *empty) {
    sharing outer = enter(g, m);
    uint64_t sum = 0;
    for (int buffers = stacked(g, m) ? 2 : 0; buffers < 2; buffers++)
        for (const tensor_node *t = buffers ? m->buffers : m->params; t; t = t->next) {
            sum = add(g, sum, weigh_tensor(g, t, block));
            *empty = false;
        }
    for (const edge *e = m->children; e && !g->wrong; e = e->next) sum = add(g, sum, weigh_run(g, e, block, empty));
    leave(g, outer);
    return sum;
}

/* ---- experts that a module holds stacked ---- */

static uint64_t expert_bytes(gather *g, const node *m) {
    uint64_t sum = 0;
    for (const tensor_node *t = m->params; t; t = t->next) sum = add(g, sum, plan_tensor_bytes(t) / (uint64_t)m->experts);
    return sum;
}
static bool has_experts(gather *g, const node *m) {
    if (!g->split_experts || (m->shared && m->first_path)) return false;
    if (stacked(g, m)) return true;
    for (const edge *e = m->children; e; e = e->next)
        if (has_experts(g, e->to)) return true;
    return false;
}
/* Blocks for the experts of m and below, which a whole module at `place` lies around. */
static void push_experts(gather *g, uint32_t place, size_t from, const node *m) {
    if (stacked(g, m) && reserve_blocks(g, (size_t)m->experts)) {
        uint64_t bytes = expert_bytes(g, m);
        const char *below = g->n > from ? arena_text(g->a, g->path + from, g->n - from) : NULL;
        uint32_t in = below ? push_place(g, (plan_word){.name = below, .above = place}) : place;
        for (int64_t i = 0; i < m->experts && !g->wrong; i++)
            push_block(g, (plan_block){.word = {.number = -1, .above = in}, .module = m, .expert = i}, bytes);
    }
    for (const edge *e = m->children; e && !g->wrong; e = e->next)
        for (int64_t i = 0, n = !has_experts(g, e->to) ? 0 : e->name ? 1 : e->count; i < n && !g->wrong; i++) {
            size_t before = g->n;
            if (append(g, e->name, e->first + i)) push_experts(g, place, from, e->to);
            cut(g, before);
        }
}

/* ---- walking ---- */

static bool is_whole(const gather *g, const node *m) { return !m->children || word_in(m->cls, g->no_split) || stacked(g, m); }

static void push_whole(gather *g, plan_word w, const node *m) {
    bool empty = true, experts = has_experts(g, m);
    uint32_t block = (uint32_t)g->out->n;
    plan_block b = {.word = w, .module = m, .expert = NO_EXPERT};
    if (experts) b.word = (plan_word){.number = -1, .above = push_place(g, w)};
    push_block(g, b, 0);
    uint64_t bytes = weigh(g, m, block, &empty);
    if (g->wrong) return;
    g->out->bytes[block] = bytes;
    g->out->all[block].empty = empty;
    if (experts) push_experts(g, b.word.above, g->n + 1, m);
}
static void push_tensors(gather *g, uint32_t place, const node *m, const tensor_node *first) {
    for (const tensor_node *t = first; t && !g->wrong; t = t->next) {
        uint64_t bytes = weigh_tensor(g, t, (uint32_t)g->out->n);
        push_block(g, (plan_block){.word = {.name = t->name, .above = place}, .module = m, .slot = t, .expert = NO_EXPERT}, bytes);
    }
}
static void divide(gather *g, uint32_t place, const node *m);
static void push_child(gather *g, plan_word w, const node *m) {
    size_t before = g->n;
    if (!append(g, w.name, w.number)) return;
    sharing outer = enter(g, m);
    if (is_whole(g, m)) push_whole(g, w, m);
    else divide(g, push_place(g, w), m);
    leave(g, outer);
    cut(g, before);
}
/* A run's further children are the first one's blocks and places again. */
static void repeat(gather *g, const edge *e, size_t block, size_t place) {
    plan_blocks *o = g->out;
    size_t blocks = o->n - block, places = o->place_count - place, more = (size_t)e->count - 1;
    if (blocks && more > (PLAN_MOST_BLOCKS - o->n) / blocks) g->wrong = "blocks";
    if (places && more > (PLAN_MOST_BLOCKS - o->place_count) / places) g->wrong = "modules";
    if (g->wrong || !reserve_blocks(g, blocks * more)) return;
    reserve_places(g, places * more);
    for (size_t k = 1; k <= more; k++) {
        uint32_t shift = (uint32_t)(k * places);
        for (size_t i = 0; i < places; i++) {
            plan_word w = o->places[place + i];
            if (i) w.above += shift;
            else w.number = e->first + (int64_t)k;
            o->places[o->place_count++] = w;
        }
        for (size_t i = 0; i < blocks; i++) {
            plan_block b = o->all[block + i];
            if (places) b.word.above += shift;
            else b.word.number = e->first + (int64_t)k;
            o->bytes[o->n] = o->bytes[block + i];
            o->all[o->n++] = b;
        }
    }
}
static void divide(gather *g, uint32_t place, const node *m) {
    size_t first = g->out->n;
    push_tensors(g, place, m, m->params);
    for (const edge *e = m->children; e && !g->wrong; e = e->next) {
        size_t block = g->out->n, at = g->out->place_count, noted = g->out->tie_count;
        for (int64_t i = 0, n = e->name ? 1 : e->count; i < n && !g->wrong; i++) {
            push_child(g, (plan_word){.name = e->name, .number = e->first + i, .above = place}, e->to);
            if (n == 1 || g->wrong || g->out->tie_count != noted) continue;
            repeat(g, e, block, at);
            break;
        }
    }
    push_tensors(g, place, m, m->buffers); /* last, as Accelerate goes through a module */
    if (m->cache && g->out->n > first && !g->out->all[first].keeper) g->out->all[first].keeper = m;
}

/* ---- ties ---- */

static int by_first(const void *a, const void *b) {
    const plan_tie *x = a, *y = b;
    int order = strcmp(x->first, y->first);
    if (order) return order;
    if (x->owner != y->owner) return x->owner ? -1 : 1;
    if (x->block != y->block) return x->block < y->block ? -1 : 1;
    return strcmp(x->path, y->path);
}
static void group_ties(plan_blocks *o) {
    if (o->tie_count) qsort(o->ties, o->tie_count, sizeof *o->ties, by_first);
    size_t kept = 0;
    for (size_t i = 0, end; i < o->tie_count; i = end) {
        for (end = i + 1; end < o->tie_count && !strcmp(o->ties[end].first, o->ties[i].first); end++)
            ;
        if (end == i + 1) continue; /* the others are gone */
        for (; i < end; i++) {
            o->ties[kept] = o->ties[i];
            o->ties[kept++].group = (uint32_t)o->groups;
        }
        o->groups++;
    }
    o->tie_count = kept;
}

bool plan_blocks_of(plan_blocks *out, const node *root, const plan_blocks_options *o, arena *a, tare_error *err) {
    gather g = {.a = a, .out = out, .split_experts = o->split_experts};
    *out = (plan_blocks){0};
    g.no_split = o->no_split ? o->no_split : plan_no_split(a, root);
    push_place(&g, (plan_word){.name = ""});
    sharing outer = enter(&g, root);
    divide(&g, 0, root);
    leave(&g, outer);
    for (size_t i = 0; i < out->n && !g.wrong; i++) out->total = add(&g, out->total, out->bytes[i]);
    if (g.wrong) error_set(err, TARE_BAD, "too_large", "", "the model has more %s than a plan can hold", g.wrong);
    group_ties(out);
    return !g.wrong;
}

/* ---- paths ---- */

int64_t plan_block_layer(const plan_blocks *b, size_t i) {
    plan_word w = b->all[i].word;
    if (!w.name && w.number >= 0) return w.number;
    for (uint32_t place = w.above; place; place = b->places[place].above)
        if (!b->places[place].name && b->places[place].number >= 0) return b->places[place].number;
    return 0;
}
static size_t path_of(const plan_blocks *b, plan_word last, uint32_t place, char out[MODULE_PATH]) {
    plan_word words[MODULE_PATH / 2];
    size_t depth = 0, n = 0;
    out[0] = 0;
    if (last.name || last.number >= 0) words[depth++] = last;
    for (; place && depth < MODULE_PATH / 2; place = b->places[place].above) words[depth++] = b->places[place];
    while (depth--)
        if (!path_add(out, &n, words[depth].name, words[depth].number)) break;
    return n;
}
size_t plan_place_path(const plan_blocks *b, uint32_t place, char out[MODULE_PATH]) { return path_of(b, (plan_word){.number = -1}, place, out); }
size_t plan_block_path(const plan_blocks *b, size_t i, char out[MODULE_PATH]) {
    const plan_block *k = &b->all[i];
    size_t n = path_of(b, k->word, k->word.above, out);
    if (k->expert == NO_EXPERT || n + NUM_TEXT + 3 > MODULE_PATH) return n;
    out[n++] = '[';
    n += num_int(out + n, k->expert);
    out[n++] = ']';
    out[n] = 0;
    return n;
}
