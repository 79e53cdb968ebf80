#define _GNU_SOURCE
#include "name.h"
#include "../build/mod.h"
#include "../core/path.h"
#include "../init/crew.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct namer { /* one of those who share the keys: with rules, memory and an error of its own */
    arena a;
    patterns p;
    rule_set rules;
    tare_error err;
    bool exhausted;
} namer;
typedef struct naming {
    resolution *r;
    const node *root;
    const resolve_options *o;
    const char *base;       /* the root's base_model_prefix */
    const size_t *order;    /* NULL: as they lie in the files */
    namer *namers;
    size_t namer_n, taken, piece;
    size_t next;            /* the first key that nobody has taken */
    pthread_mutex_t lock;
} naming;

/* ---- one key ---- */

static bool in_model(const naming *w, const char *name) { return slots_find(&w->r->slots, name) != SIZE_MAX; }
/* A head loads a base model's file and the reverse, key by key. The character that upstream takes off with the prefix may be any. */
static const char *fit_prefix(const naming *w, namer *n, const char *name) {
    size_t base = strlen(w->base), k = strlen(name);
    if (!strncmp(name, w->base, base) && name[base] && name[base] != '\n' && in_model(w, name + base + 1)) return name + base + 1;
    char longer[2 * MODULE_PATH]; /* no name of the model is as long */
    if (base + k + 2 > sizeof longer) return name;
    memcpy(longer, w->base, base);
    longer[base] = '.';
    memcpy(longer + base + 1, name, k + 1);
    return in_model(w, longer) ? arena_text(&n->a, longer, base + k + 1) : name;
}
static const char *asked_prefix(const naming *w, namer *n, const char *key) {
    const resolve_options *o = w->o;
    size_t k = o->strip_prefix ? strlen(o->strip_prefix) : 0;
    if (k && strncmp(key, o->strip_prefix, k)) return key;
    key += k;
    return o->add_prefix ? arena_printf(&n->a, "%s%s", o->add_prefix, key) : key;
}
static void name_key(const naming *w, namer *n, const char *key, load_key *k) {
    key = asked_prefix(w, n, key);
    *k = (load_key){.converter = SIZE_MAX};
    const char *renamed = rules_rename(&n->p, &n->rules, key), *other = rules_convert(&n->p, &n->rules, renamed, &k->converter, &k->pattern);
    k->name = fit_prefix(w, n, other ? other : renamed);
    if (!in_model(w, k->name) && in_model(w, key)) k->name = fit_prefix(w, n, key), k->converter = SIZE_MAX;
    k->slot = slots_find(&w->r->slots, k->name);
    k->fate = k->slot == SIZE_MAX ? KEY_UNEXPECTED : k->converter != SIZE_MAX ? KEY_CONVERTED : strcmp(key, k->name) ? KEY_RENAMED : KEY_MATCHED;
}

/* ---- all of them ---- */

static bool next_piece(naming *w, size_t *from, size_t *to) {
    pthread_mutex_lock(&w->lock);
    *from = w->next;
    w->next = *to = *from + w->piece < w->r->c->tensor_count ? *from + w->piece : w->r->c->tensor_count;
    pthread_mutex_unlock(&w->lock);
    return *from < *to;
}
static void name_some(naming *w, namer *n) {
    const checkpoint *c = w->r->c;
    size_t from, to;
    patterns_start(&n->p, &n->a, &n->err);
    if (!rules_for_load(&n->p, w->root, &n->rules)) return;
    while (next_piece(w, &from, &to))
        for (size_t k = from; k < to && n->err.status == TARE_OK; k++) {
            size_t i = w->order ? w->order[k] : k;
            load_key *key = &w->r->keys[i];
            if (!c->tensors[i].replaced) name_key(w, n, c->tensors[i].key, key);
            else *key = (load_key){.fate = KEY_SURPLUS, .name = c->tensors[i].key, .slot = SIZE_MAX, .converter = SIZE_MAX};
        }
}
static void *work(void *job) {
    naming *w = job;
    pthread_mutex_lock(&w->lock);
    namer *n = &w->namers[w->taken++];
    pthread_mutex_unlock(&w->lock);
    jmp_buf here;
    n->a.unwind = &here;
    if (setjmp(here)) n->exhausted = true;
    else name_some(w, n);
    n->a.unwind = NULL;
    return NULL;
}
/* The rules of the first namer stay, with what all of them were used for. */
static void gather(naming *w, arena *a, tare_error *err) {
    bool exhausted = false;
    w->r->rules = w->namers[0].rules;
    for (size_t i = 0; i < w->namer_n; i++) {
        namer *n = &w->namers[i];
        if (i < w->taken && !n->exhausted && n->err.status == TARE_OK) {
            for (size_t k = 0; k < n->rules.renaming_n; k++) w->r->rules.renamings[k].used |= n->rules.renamings[k].used;
            for (size_t k = 0; k < n->rules.converter_n; k++) w->r->rules.converters[k].t.used |= n->rules.converters[k].t.used;
        }
        if (err->status == TARE_OK) *err = n->err;
        exhausted |= n->exhausted;
        arena_adopt(a, &n->a);
    }
    if (exhausted) arena_exhausted(a);
}

int key_order(const void *x, const void *y, void *to) {
    const checkpoint *c = to;
    return name_order(c->tensors[*(const size_t *)x].key, c->tensors[*(const size_t *)y].key);
}
/* Renamings in groups wait for one of theirs, in upstream's order of keys: then one namer takes them all, sorted. */
static const size_t *order_of(const naming *w, arena *a) {
    held_rules held;
    size_t n = w->r->c->tensor_count;
    bool matters = false;
    rules_collect(a, w->root, &held);
    for (size_t i = 0; i < held.n; i++) matters |= held.v[i].rule->what == LAYOUT_GROUP_RENAME;
    if (!matters) return NULL;
    size_t *order = arena_array(a, n, sizeof *order);
    for (size_t i = 0; i < n; i++) order[i] = i;
    if (n) qsort_r(order, n, sizeof *order, key_order, (void *)(uintptr_t)w->r->c);
    return order;
}
bool keys_name(resolution *r, arena *a, const node *root, const resolve_options *o, tare_error *err) {
    enum { WORTH_A_THREAD = 8192, MOST = 8 };
    const char *base = root->model ? FACT(root->model, base_model_prefix) : NULL;
    naming w = {.r = r, .root = root, .o = o, .base = base ? base : ""};
    size_t n = r->c->tensor_count, threads = n / WORTH_A_THREAD + 1, cores = (size_t)crew_cores();
    r->keys = arena_array(a, n, sizeof *r->keys);
    w.order = order_of(&w, a);
    if (threads > cores) threads = cores;
    if (threads > MOST) threads = MOST;
    w.namer_n = w.order ? 1 : threads;
    w.piece = w.namer_n == 1 ? n : WORTH_A_THREAD / 4;
    w.namers = arena_array(a, w.namer_n, sizeof *w.namers);
    pthread_mutex_init(&w.lock, NULL);
    crew_run((int)w.namer_n, work, &w);
    pthread_mutex_destroy(&w.lock);
    gather(&w, a, err);
    return err->status == TARE_OK;
}
