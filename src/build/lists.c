/* Lists of layers. A layer learns which one it is by decisions only, and each decision is written down; a later layer for
 * which all of them come out alike would be built alike, so it is not built: its run gets longer. */
#include "builder.h"
#include <inttypes.h>
#include <string.h>

typedef enum question { ASK_FIRST, ASK_LAST, ASK_FROM, ASK_MOD, ASK_ITEM, ASK_BEFORE, ASK_IN, ASK_INDEX } question;
typedef struct decision {
    question ask;
    int64_t operand;  /* of FROM and MOD; the first value of BEFORE */
    val list;         /* of ITEM, BEFORE, IN */
    val answer;
    struct decision *next;
} decision;
typedef struct layer {  /* the item being built */
    struct list_state *list;
    int64_t index;
    decision *asked, *last;
} layer;
enum { MOST_VARIANTS = 8 };
typedef struct list_state {
    int64_t n, next;
    edge *run;                                          /* the last one */
    struct { decision *asked; mod *body; uint64_t modules; } variant[MOST_VARIANTS]; /* most recent last */
    int variants;
    layer *now;
} list_state;

/* ---- decisions ---- */

static val answer(const decision *d, int64_t i, int64_t n) {
    switch (d->ask) {
    case ASK_FIRST: return val_bool(i == 0);
    case ASK_LAST: return val_bool(i == n - 1);
    case ASK_FROM: return val_bool(i >= d->operand);
    case ASK_MOD: return val_int(i % d->operand);
    case ASK_ITEM: return i < d->list.n ? d->list.items[i] : (val){0};
    case ASK_BEFORE: return i == 0 ? val_int(d->operand) : i <= d->list.n ? d->list.items[i - 1] : (val){0};
    case ASK_IN:
        for (uint32_t k = 0; k < d->list.n; k++)
            if (val_equal(d->list.items[k], val_int(i))) return val_bool(true);
        return val_bool(false);
    default: return val_int(i);
    }
}
static val ask(mod *m, question q, int64_t operand, val list) {
    layer *l = m->layer;
    if (!mod_ok(m)) return val_int(1);
    if (!l) return fail(m, "a layer's place is asked outside of a list"), val_int(1);
    decision *d = arena_new(m->b->s->a, decision);
    *d = (decision){.ask = q, .operand = operand, .list = list};
    d->answer = answer(d, l->index, l->list->n);
    if (l->last) l->last->next = d;
    else l->asked = d;
    l->last = d;
    return d->answer;
}
static bool agree(const decision *d, int64_t i, int64_t n) {
    for (; d; d = d->next) {
        val v = answer(d, i, n);
        if (v.kind != d->answer.kind || !val_equal(v, d->answer)) return false;
    }
    return true;
}
bool layer_first(mod *m) { return val_true(ask(m, ASK_FIRST, 0, (val){0})); }
bool layer_last(mod *m) { return val_true(ask(m, ASK_LAST, 0, (val){0})); }
bool layer_from(mod *m, int64_t i) { return val_true(ask(m, ASK_FROM, i, (val){0})); }
int64_t layer_mod(mod *m, int64_t k) { return k > 0 ? ask(m, ASK_MOD, k, (val){0}).i : 0; }
int64_t layer_idx(mod *m) { return ask(m, ASK_INDEX, 0, (val){0}).i; }

static val list_value(const cfg *c, const char *key) {
    val v = get(c, key);
    if (v.kind != VAL_LIST) cfg_refuse(c, key, "bad_type", "a list is needed");
    return v.kind == VAL_LIST ? v : (val){.kind = VAL_LIST};
}
bool layer_in(mod *m, const cfg *c, const char *key) { return val_true(ask(m, ASK_IN, 0, list_value(c, key))); }
const char *layer_text(mod *m, const cfg *c, const char *key) {
    val v = ask(m, ASK_ITEM, 0, list_value(c, key));
    if (v.kind == VAL_TEXT) return v.s;
    cfg_refuse(c, key, "bad_value", "it needs a name for every layer");
    return "";
}
static int64_t size_of(const cfg *c, const char *key, val v) {
    if (v.kind == VAL_INT && v.i >= 1 && v.i <= INT32_MAX) return v.i;
    cfg_refuse(c, key, "bad_value", "it needs an int of at least 1 for every layer");
    return 1;
}
int64_t layer_dim(mod *m, const cfg *c, const char *key) { return size_of(c, key, ask(m, ASK_ITEM, 0, list_value(c, key))); }
int64_t layer_count(mod *m, const cfg *c, const char *key) {
    val v = ask(m, ASK_ITEM, 0, list_value(c, key));
    if (v.kind == VAL_INT && v.i >= 0 && v.i <= INT32_MAX) return v.i;
    cfg_refuse(c, key, "bad_value", "it needs an int of at least 0 for every layer");
    return 0;
}
int64_t layer_dim_before(mod *m, const cfg *c, const char *key, int64_t first) {
    return size_of(c, key, ask(m, ASK_BEFORE, first, list_value(c, key)));
}
mod *layer_list(mod *m) {
    for (mod *p = m; p; p = p->parent)
        if (p->layer != m->layer) return p;
    return m;
}

/* ---- lists ---- */

static uint64_t modules_in(const mod *m) {
    uint64_t n = 1;
    for (const edge *e = m->children; e; e = e->next) n += (e->name ? 1 : (uint64_t)e->count) * modules_in(e->to);
    return n;
}
mod *list_open(mod *m, const char *name, const char *cls, int64_t n) {
    mod *l = child(m, name, cls);
    if (!mod_ok(m)) return m;
    l->kind = strcmp(cls, "Sequential") ? KIND_LIST : KIND_SEQUENTIAL;
    l->list = arena_new(m->b->s->a, list_state);
    l->list->n = n;
    return l;
}
/* The layer just built becomes a variant that later layers may repeat. */
static void remember(mod *l) {
    list_state *s = l->list;
    if (!s->now) return;
    if (s->variants == MOST_VARIANTS) memmove(&s->variant[0], &s->variant[1], sizeof s->variant[0] * (MOST_VARIANTS - 1)), s->variants--;
    s->variant[s->variants].asked = s->now->asked;
    s->variant[s->variants].body = s->run->to;
    s->variant[s->variants++].modules = modules_in(s->run->to);
    s->now = NULL;
}
static void start_run(mod *l, mod *body) {
    list_state *s = l->list;
    s->run = builder_edge(l, NULL, body);
    s->run->first = s->next;
    s->run->count = 1;
}
/* Repeats the variant that answers alike for the next layer; false when there is none. */
static bool repeat(mod *l) {
    list_state *s = l->list;
    for (int v = s->variants - 1; v >= 0; v--) {
        const decision *asked = s->variant[v].asked;
        if (!agree(asked, s->next, s->n)) continue;
        int64_t times = asked ? 1 : s->n - s->next;
        uint64_t modules;
        if (__builtin_mul_overflow(s->variant[v].modules, (uint64_t)times, &modules)) modules = UINT64_MAX / 2;
        if (!builder_count(l, modules)) return true;
        if (s->run->to == s->variant[v].body) s->run->count += times;
        else start_run(l, s->variant[v].body), s->run->count = times, s->run->to->common = true;
        s->next += times;
        return true;
    }
    return false;
}
mod *list_next(mod *l, const char *cls) {
    if (!mod_ok(l)) return NULL;
    list_state *s = l->list;
    remember(l);
    while (s->next < s->n && repeat(l))
        if (!mod_ok(l)) return NULL;
    if (s->next >= s->n || !builder_count(l, 1)) return NULL;
    builder *b = l->b;
    mod *item = builder_mod(b, l, arena_printf(b->s->a, "%" PRId64, s->next), cls);
    layer *now = arena_new(b->s->a, layer);
    *now = (layer){.list = s, .index = s->next};
    item->layer = now;
    s->now = now;
    start_run(l, item);
    s->next++;
    return item;
}
static void copy_tensors(builder *b, const tensor *from, tensor **first, tensor **last) {
    *first = *last = NULL;
    for (; from; from = from->next) {
        tensor *copy = arena_new(b->s->a, tensor_node);
        *copy = *from;
        copy->next = NULL;
        copy->made_at.of = copy;
        ((tensor *)from)->made_at.twin = &copy->made_at;
        if (*last) (*last)->next = copy;
        else *first = copy;
        *last = copy;
    }
}

static void copy_children(builder *b, const mod *m, mod *c) {
    c->children = c->last_child = NULL;
    for (edge *e = m->children; e; e = e->next) {
        edge *copy = arena_new(b->s->a, edge);
        *copy = *e;
        copy->next = NULL;
        copy->to = e->to->shared ? e->to : builder_copy(b, e->to, c);
        copy->made_at.of = copy;
        e->made_at.twin = &copy->made_at;
        if (c->last_child) c->last_child->next = copy;
        else c->children = copy;
        c->last_child = copy;
    }
}
/* The copy was constructed as the original was, with its own tensors and children. */
static void copy_steps(builder *b, const mod *m, mod *c) {
    c->steps = c->last_step = NULL;
    for (const step *s = m->steps; s; s = s->next) {
        step *copy = s->twin ? s->twin : arena_new(b->s->a, step); /* no twin: post_init, or a tensor that was taken away again */
        if (s->what == STEP_POST_INIT) copy->of = c;
        else if (!s->twin) copy->of = s->of;
        copy->what = s->what;
        copy->next = NULL;
        if (c->last_step) c->last_step->next = copy;
        else c->steps = copy;
        c->last_step = copy;
    }
}
mod *builder_copy(builder *b, const mod *m, mod *parent) {
    mod *c = arena_new(b->s->a, mod);
    *c = *m;
    c->parent = parent;
    c->common = false;
    copy_tensors(b, m->params, &c->params, &c->last_param);
    copy_tensors(b, m->buffers, &c->buffers, &c->last_buffer);
    copy_children(b, m, c);
    copy_steps(b, m, c);
    return c;
}
void builder_own(edge *e, mod *parent) {
    if (!e->to->common) return;
    e->to = builder_copy(parent->b, e->to, parent);
}
/* The rest of a run becomes an edge of its own, constructed right after. */
edge *builder_cut(builder *b, mod *parent, edge *run, int64_t kept) {
    edge *rest = arena_new(b->s->a, edge);
    *rest = *run;
    rest->first += kept;
    rest->count -= kept;
    rest->made_at.of = rest;
    run->count = kept;
    run->next = rest;
    run->made_at.next = &rest->made_at;
    if (parent->last_child == run) parent->last_child = rest;
    if (parent->last_step == &run->made_at) parent->last_step = &rest->made_at;
    return rest;
}
edge *builder_split(builder *b, mod *parent, edge *run, int64_t index) {
    if (run->name || run->count == 1) return run;
    if (index > run->first) run = builder_cut(b, parent, run, index - run->first);
    if (run->count > 1) builder_cut(b, parent, run, 1);
    run->to = builder_copy(b, run->to, run->to->parent);
    return run;
}
