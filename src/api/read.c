/* Reading handles: texts, digests, rows, tensors, counts. */
#include "handle.h"
#include "facts.h"
#include "../build/generation.h"
#include "../config/json.h"
#include "../config/rows.h"
#include "../config/source.h"
#include "../core/sha256.h"
#include "../tree/tree.h"
#include <stdlib.h>
#include <string.h>

static tare_config *writable(const tare_config *c) { return (tare_config *)c; }
static tare_model *changing(const tare_model *m) { return (tare_model *)m; }

/* ---- texts ---- */

typedef struct writing { const tare_model *m; const cfg *c; tare_text what; sink *s; arena a; tare_error err; } writing;

/* The files of a checkpoint: keys sorted, ASCII only. Absent when there is none, or when it is refused. */
static val saved_file(writing *w) {
    const node *root = w->m->root;
    const tensor_node *first = tree_first_float(root);
    if (w->what == TARE_TEXT_SAVED_GENERATION)
        return FACT(root->model, can_generate) == YES ? generation_saved(&w->a, root->config, &w->err) : (val){0};
    if (first) return cfg_saved(root->config, &w->a, root->cls, tare_dtype_torch(tare_model_dtype(w->m)), &w->err);
    error_set(&w->err, TARE_BAD, "bad_value", "", "%s has no floating parameter here, and so no dtype to save with its config", root->cls);
    return (val){0};
}
/* to_dict() and the facts make values: in an arena of this call, so that readers do not meet. */
static bool write_json(void *to) {
    writing *w = to;
    bool saved = w->what == TARE_TEXT_SAVED_CONFIG || w->what == TARE_TEXT_SAVED_GENERATION;
    val v = saved ? saved_file(w) : w->what == TARE_TEXT_FACTS ? facts_of(&w->a, w->m->root) : cfg_to_dict_in(w->c, &w->a);
    if (v.kind == VAL_ABSENT) return w->err.status == TARE_OK;
    if (saved) json_write_ascii(w->s, v, 2);
    else json_write(w->s, v, 2);
    sink_char(w->s, '\n');
    return true;
}
static tare_status write_text(writing *w, tare_error *err) {
    bool ok = true;
    if (w->what == TARE_TEXT_PRINT) tree_print(w->m->root, w->s);
    else if (w->what == TARE_TEXT_TREE) tree_canonical(w->m->root, w->s);
    else {
        ok = guarded(&w->a, err, write_json, w);
        arena_free(&w->a);
    }
    sink_flush(w->s);
    if (ok && w->s->failed) error_set(&w->err, TARE_IO, "io", NULL, "the output could not be written");
    if (err && w->err.status) *err = w->err;
    return w->err.status ? w->err.status : ok ? TARE_OK : TARE_IO;
}
tare_status tare_model_write(const tare_model *m, tare_text what, tare_sink out, void *to, tare_error *err) {
    sink s;
    sink_open(&s, out, to);
    writing w = {.m = m, .c = m->base.c, .what = what, .s = &s};
    return write_text(&w, err);
}
tare_status tare_config_write(const tare_config *c, tare_sink out, void *to, tare_error *err) {
    sink s;
    sink_open(&s, out, to);
    writing w = {.c = c->c, .what = TARE_TEXT_CONFIG, .s = &s};
    pthread_mutex_lock(&root_of(c)->lock);
    tare_status status = write_text(&w, err);
    pthread_mutex_unlock(&root_of(c)->lock);
    return status;
}
tare_status tare_model_digest(const tare_model *m, tare_text what, char hex[65], tare_error *err) {
    sha256 h;
    sha256_start(&h);
    tare_status status = tare_model_write(m, what, sha256_take, &h, err);
    sha256_end(&h, hex);
    return status;
}

/* ---- configs ---- */

const char *tare_config_type(const tare_config *c) { return c ? c->c->k->model_type : NULL; }
const tare_config *tare_model_config(const tare_model *m) { return m ? &m->own : NULL; }
bool tare_model_has_own_config(const tare_model *m) { return m && m->own.c->written_own.n > 0; }

typedef struct row_work { tare_config *c; arena *a; } row_work;
static bool make_rows(void *to) {
    row_work *w = to;
    w->c->row_count = cfg_rows(w->c->c, w->a, &w->c->rows);
    return true;
}
size_t tare_config_rows(const tare_config *c, const tare_config_row **rows) {
    tare_config *mine = writable(c);
    *rows = NULL;
    if (!c) return 0;
    tare_config *root = root_of(c);
    pthread_mutex_lock(&root->lock);
    if (!mine->rows) {
        row_work w = {mine, &root->a};
        guarded(&root->a, NULL, make_rows, &w);
    }
    pthread_mutex_unlock(&root->lock);
    *rows = mine->rows;
    return mine->rows ? mine->row_count : 0;
}

/* ---- the tree ---- */

const char *tare_model_class(const tare_model *m) { return m ? m->root->cls : NULL; }
const char *tare_model_note(const tare_model *m) { return m ? m->note : NULL; }
tare_dtype tare_model_dtype(const tare_model *m) {
    const tensor_node *t = m ? tree_first_float(m->root) : NULL;
    return t ? (tare_dtype)t->dtype : TARE_F32;
}
uint64_t tare_model_params(const tare_model *m) { return m ? m->counts.total : 0; }
uint64_t tare_model_modules(const tare_model *m) { return m ? m->counts.modules : 0; }
void tare_model_count(const tare_model *m, tare_counts *out) { *out = m ? m->counts : (tare_counts){0}; }

static const char *torch_class(const node *m) {
    static const char *const names[] = {
        [KIND_LINEAR] = "Linear", [KIND_EMBEDDING] = "Embedding", [KIND_LAYERNORM] = "LayerNorm", [KIND_GROUPNORM] = "GroupNorm",
        [KIND_MHA] = "MultiheadAttention", [KIND_LIST] = "ModuleList", [KIND_DICT] = "ModuleDict", [KIND_SEQUENTIAL] = "Sequential",
        [KIND_DROPOUT] = "Dropout", [KIND_PARAMETER_LIST] = "ParameterList", [KIND_PARAMETER_DICT] = "ParameterDict",
    };
    return (size_t)m->kind < sizeof names / sizeof *names ? names[m->kind] : NULL;
}
static tare_item public_item(const tree_item *item) {
    const tensor_node *slot = item->slot, *t = slot ? tensor_held(slot) : NULL;
    if (!slot) {
        const char *first = item->module->shared ? item->module->first_path : NULL;
        return (tare_item){.kind = TARE_MODULE, .path = item->path, .class_name = item->module->cls,
                           .torch_class = torch_class(item->module), .owner = first && strcmp(first, item->path) ? first : NULL};
    }
    return (tare_item){.kind = (tare_kind)slot->kind, .path = item->path, .dtype = (tare_dtype)t->dtype, .rank = t->rank, .shape = t->shape,
                       .trainable = slot->kind == TARE_PARAM && !t->frozen, .persistent = slot->persistent, .owner = item->owner};
}
typedef struct visiting { tare_visit visit; void *to; } visiting;
static bool pass_on(void *to, const tree_item *item) {
    visiting *v = to;
    tare_item one = public_item(item);
    return v->visit(v->to, &one);
}
tare_status tare_model_walk(const tare_model *m, tare_visit visit, void *to, tare_error *err) {
    visiting v = {visit, to};
    (void)err;
    return tree_walk(m->root, pass_on, &v) ? TARE_OK : TARE_NO;
}

typedef struct listing { tare_model *m; tare_item *items, *modules; const node **nodes; size_t n, module_n, module_cap, node_cap; } listing;
static tare_item *next_item(listing *l, const tree_item *item) {
    if (item->slot) return &l->items[l->n++];
    arena *a = &l->m->lazy;
    l->modules = arena_grow(a, l->modules, l->module_n, &l->module_cap, 1, sizeof *l->modules);
    l->nodes = arena_grow(a, l->nodes, l->module_n, &l->node_cap, 1, sizeof *l->nodes);
    l->nodes[l->module_n] = item->module;
    return &l->modules[l->module_n++];
}
static bool list_item_of(void *to, const tree_item *item) {
    listing *l = to;
    tare_item *one = next_item(l, item);
    *one = public_item(item);
    one->path = arena_text(&l->m->lazy, item->path, item->path_n);
    if (item->owner) one->owner = arena_text(&l->m->lazy, item->owner, strlen(item->owner));
    return true;
}
static int by_path(const void *a, const void *b) { return strcmp((*(const tare_item *const *)a)->path, (*(const tare_item *const *)b)->path); }
static bool make_list(void *to) {
    tare_model *m = to;
    size_t n = (size_t)m->counts.tensors;
    listing l = {.m = m, .items = arena_array(&m->lazy, n + 1, sizeof(tare_item))};
    const tare_item **sorted = arena_array(&m->lazy, n + 1, sizeof *sorted);
    tree_walk(m->root, list_item_of, &l);
    for (size_t i = 0; i < l.n; i++) sorted[i] = &l.items[i];
    qsort(sorted, l.n, sizeof *sorted, by_path);
    m->by_path = sorted;
    m->item_count = l.n;
    m->modules = l.modules;
    m->nodes = l.nodes;
    m->module_count = l.module_n;
    m->items = l.items;
    return true;
}
static bool listed(const tare_model *m) {
    tare_model *mine = changing(m);
    if (!m) return false;
    pthread_mutex_lock(&mine->base.lock);
    if (!mine->items) guarded(&mine->lazy, NULL, make_list, mine);
    pthread_mutex_unlock(&mine->base.lock);
    return mine->items != NULL;
}
size_t tare_tensor_count(const tare_model *m) { return listed(m) ? m->item_count : 0; }
const tare_item *tare_tensor_at(const tare_model *m, size_t i) { return listed(m) && i < m->item_count ? &m->items[i] : NULL; }
const tare_item *tare_tensor_find(const tare_model *m, const char *path) {
    if (!path || !listed(m)) return NULL;
    for (size_t low = 0, high = m->item_count; low < high;) {
        size_t mid = (low + high) / 2;
        int order = strcmp(path, m->by_path[mid]->path);
        if (!order) return m->by_path[mid];
        if (order < 0) high = mid;
        else low = mid + 1;
    }
    return NULL;
}
size_t tare_module_count(const tare_model *m) { return listed(m) ? m->module_count : 0; }
const tare_item *tare_module_at(const tare_model *m, size_t i) { return listed(m) && i < m->module_count ? &m->modules[i] : NULL; }
tare_status tare_module_write(const tare_model *m, size_t i, tare_sink out, void *to, tare_error *err) {
    tare_error wrong = {0};
    sink s;
    if (!listed(m)) error_set(&wrong, TARE_IO, "out_of_memory", NULL, "out of memory");
    else if (i >= m->module_count) error_set(&wrong, TARE_USAGE, "usage", NULL, "there is no module %zu: the model has %zu", i, m->module_count);
    else {
        sink_open(&s, out, to);
        tree_print(m->nodes[i], &s);
        sink_flush(&s);
        if (s.failed) error_set(&wrong, TARE_IO, "io", NULL, "the output could not be written");
    }
    if (err && wrong.status) *err = wrong;
    return wrong.status;
}

/* ---- attention ---- */

typedef struct attn_list { tare_model *m; tare_attn_row *rows; size_t n, cap; } attn_list;
static void add_models(attn_list *l, const node *n, const char *part) {
    arena *a = &l->m->lazy;
    const char *const *names;
    size_t count = attn_names(&names);
    attn_support s = model_support(n);
    for (size_t i = 0; i < count && l->n < l->cap; i++) {
        char why[ATTN_WHY] = "";
        tare_attn_row *row = &l->rows[l->n++];
        *row = (tare_attn_row){.part = part, .class_name = n->cls, .name = names[i]};
        row->supported = attn_possible(&s, &l->m->host, names[i], why, sizeof why);
        row->chosen = n->config->attn_chosen && !strcmp(n->config->attn_chosen, names[i]);
        if (*why) row->why = arena_text(a, why, strlen(why));
    }
}
/* The model itself, then the first model of each part's config. */
static void add_parts(attn_list *l, const node *n, const cfg **done, size_t *done_n) {
    bool fresh = n->model != NULL && *done_n < 16;
    for (size_t i = 0; i < *done_n && fresh; i++)
        fresh = done[i] != n->config && n->config->part && (!done[i]->part || strcmp(done[i]->part, n->config->part));
    if (fresh) {
        done[(*done_n)++] = n->config;
        add_models(l, n, n->config->part && n != l->m->root ? n->config->part : "");
    }
    for (const edge *e = n->children; e; e = e->next) add_parts(l, e->to, done, done_n);
}
static bool make_attn(void *to) {
    tare_model *m = to;
    const cfg *done[16];
    size_t done_n = 0;
    attn_list l = {.m = m, .cap = 16 * 8};
    if (!m->has_host && !m->host.words[0]) host_detect(&m->host);
    l.rows = arena_array(&m->lazy, l.cap, sizeof *l.rows);
    add_parts(&l, m->root, done, &done_n);
    m->attn_count = l.n;
    m->attn = l.rows;
    return true;
}
size_t tare_model_attn(const tare_model *m, const tare_attn_row **rows) {
    tare_model *mine = changing(m);
    *rows = NULL;
    if (!m) return 0;
    pthread_mutex_lock(&mine->base.lock);
    if (!mine->attn) guarded(&mine->lazy, NULL, make_attn, mine);
    pthread_mutex_unlock(&mine->base.lock);
    *rows = mine->attn;
    return mine->attn ? mine->attn_count : 0;
}
const char *tare_model_host(const tare_model *m) {
    tare_model *mine = changing(m);
    if (!m) return NULL;
    pthread_mutex_lock(&mine->base.lock);
    if (!mine->has_host && !mine->host.words[0]) host_detect(&mine->host);
    pthread_mutex_unlock(&mine->base.lock);
    return mine->host.words;
}

/* ---- what is known ---- */

size_t tare_ids(const char *const **ids) { return source_ids(ids); }
