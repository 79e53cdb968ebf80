/* What methods ask of modules and make of them. */
#include "work.h"
#include "../build/ties.h"
#include "../core/path.h"
#include <stdarg.h>
#include <stdio.h>

_Static_assert((int)DT_U32 == (int)TARE_U32 && (int)DT_F8_E8M0 == (int)TARE_F8_E8M0 && (int)DT_F8_E5M2 == (int)TARE_F8_E5M2,
               "dtypes are numbered alike");

const char *class_of(const mod *m) { return m->cls; }
bool is_plain_linear(const mod *m) { return m->kind == KIND_LINEAR && same_word(m->cls, "Linear"); }
bool is_conv1d(const mod *m) { return same_word(m->cls, "Conv1D"); }
bool is_plain_embedding(const mod *m) { return m->kind == KIND_EMBEDDING && same_word(m->cls, "Embedding"); }

bool is_layernorm(const mod *m) { return m->kind == KIND_LAYERNORM; }
double constant_of(const mod *m, const char *name, double other) {
    for (const tensor *t = m->buffers; t; t = t->next)
        if (!strcmp(t->name, name) && t->how.op == MADE_FULL) return t->how.a;
    return other;
}

const tensor *param_named(const mod *m, const char *name) {
    for (const tensor *t = m->params; t; t = t->next)
        if (!strcmp(t->name, name)) return t;
    return NULL;
}
int64_t size_at(const tensor *t, int axis) { return t ? tensor_size(t, axis) : 0; }
int rank_of(const tensor *t) { return tensor_rank(t); }
int64_t in_features(const mod *m) { return size_at(param_named(m, "weight"), is_conv1d(m) ? 0 : 1); }
int64_t out_features(const mod *m) { return size_at(param_named(m, "weight"), is_conv1d(m) ? 1 : 0); }
const mod *child_named(const mod *m, const char *name) {
    for (const edge *e = m->children; e; e = e->next)
        if (e->name && !strcmp(e->name, name)) return e->to;
    return NULL;
}
const char *text_of(quant *q, const char *from, size_t n) { return arena_text(q->s->a, from, n); }
const char *lower_case(quant *q, const char *text) {
    char *lower = arena_array(q->s->a, strlen(text) + 1, 1);
    for (size_t i = 0; text[i]; i++) lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    return lower;
}
const char *upper_case(quant *q, const char *text) {
    char *upper = arena_array(q->s->a, strlen(text) + 1, 1);
    for (size_t i = 0; text[i]; i++) upper[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 32 : text[i]);
    return upper;
}
const mod *sibling(const quant *q, const char *name) { return q->parent ? child_named(q->parent, name) : NULL; }
const char *path_below(quant *q, const char *path, const char *name) {
    return *path ? arena_printf(q->s->a, "%s.%s", path, name) : name;
}
const mod *before_replacement(const mod *m) { return m->dense ? m->dense : m; }
const char *model_type(const quant *q) { return q->config->k->model_type; }
/* `rest` is what follows the path of m in what is sought. */
static bool begins(const mod *m, const char *rest) {
    for (const edge *e = m->children; e; e = e->next) {
        char number[NUM_TEXT];
        if (!e->name) num_int(number, e->first);
        const char *name = e->name ? e->name : number;
        size_t n = strlen(name);
        if (!strncmp(name, rest, strlen(rest))) return true;
        if (!strncmp(name, rest, n) && rest[n] == '.' && (!rest[n + 1] ? e->to->children != NULL : begins(e->to, rest + n + 1))) return true;
    }
    return false;
}
bool has_module(const quant *q, const char *beginning) { return begins(q->b->root, beginning); }

typedef struct module_walk {
    const quant *q;
    bool (*holds)(const quant *q, const mod *m, const char *path, const void *of);
    const void *of;
    char path[MODULE_PATH];
    size_t n;
    bool each; /* of equal layers */
} module_walk;
static bool some_below(module_walk *w, const mod *m) {
    bool found = w->holds(w->q, m, w->path, w->of);
    for (const edge *e = m->children; e && !found; e = e->next)
        for (int64_t i = 0; i < (e->name || !w->each ? 1 : e->count) && !found; i++) {
            size_t before = w->n;
            if (path_add(w->path, &w->n, e->name, e->first + i)) found = some_below(w, e->to);
            path_cut(w->path, &w->n, before);
        }
    return found;
}
bool some_layer(quant *q, bool (*holds)(const quant *q, const mod *m, const char *path, const void *of), const void *of) {
    module_walk w = {.q = q, .holds = holds, .of = of, .each = true};
    return some_below(&w, q->b->root);
}
bool some_module(quant *q, bool (*holds)(const quant *q, const mod *m, const char *path, const void *of), const void *of) {
    module_walk w = {.q = q, .holds = holds, .of = of};
    return some_below(&w, q->b->root);
}

typedef struct list_walk { quant *q; list_at *v; size_t n, cap; char path[MODULE_PATH]; size_t path_n; } list_walk;
static void find_lists(list_walk *w, const mod *m) {
    for (const edge *e = m->children; e; e = e->next) {
        size_t before = w->path_n;
        if (!path_add(w->path, &w->path_n, e->name, e->first)) continue;
        if (!strstr(e->to->cls, "ModuleList")) {
            find_lists(w, e->to);
        } else {
            list_at found = {.path = arena_text(w->q->s->a, w->path, w->path_n)};
            for (const edge *i = e->to->children; i; i = i->next) found.items += i->name ? 1 : i->count;
            w->v = arena_grow(w->q->s->a, w->v, w->n, &w->cap, 1, sizeof *w->v);
            w->v[w->n++] = found;
        }
        path_cut(w->path, &w->path_n, before);
    }
}
const list_at *outermost_lists(quant *q, size_t *n) {
    list_walk w = {.q = q};
    find_lists(&w, q->b->root);
    *n = w.n;
    return w.v;
}

static bool stacks_experts(const mod *m) {
    for (const tensor *t = m->params; t; t = t->next)
        if (t->rank == 3) return true;
    return false;
}
typedef struct expert_walk { char path[MODULE_PATH], first[MODULE_PATH]; size_t n; uint64_t found; } expert_walk;
static void find_experts(expert_walk *w, const mod *m, uint64_t times) {
    for (const edge *e = m->children; e; e = e->next) {
        size_t before = w->n;
        uint64_t here = times * (e->name ? 1 : (uint64_t)e->count);
        if (e->to->dense || !path_add(w->path, &w->n, e->name, e->first)) continue;
        if (e->name && !strcmp(e->name, "experts") && stacks_experts(e->to)) {
            if (!w->found) memcpy(w->first, w->path, w->n + 1);
            w->found += here;
        } else {
            find_experts(w, e->to, here);
        }
        path_cut(w->path, &w->n, before);
    }
}
uint64_t dense_experts(const quant *q, const char **first) {
    expert_walk w = {.n = 0};
    find_experts(&w, q->b->root, 1);
    *first = arena_text(q->s->a, w.first, strlen(w.first));
    return w.found;
}
val ties(const quant *q) { return tied_keys(q->s->a, q->b->root); }
const char *input_name(const quant *q) {
    const char *name = FACT(q->b->root->model, main_input_name);
    return name ? name : "input_ids";
}
int main_dtype(const quant *q) { return q->dtype; }
mod *root_of(const quant *q) { return q->b->root; }
const cfg *root_config(const quant *q) { return q->config; }

static tensor *copy(mod *to, const tensor *from) {
    if (!from || !mod_ok(to)) return &to->b->spare;
    tensor *t = from->kind == TARE_PARAM ? add_param(to, from->name, EMPTY, from->shape, from->rank)
                                         : add_buffer(to, from->name, EMPTY, from->dtype, from->persistent, from->shape, from->rank);
    t->how = from->how;
    t->dtype = from->dtype;
    t->frozen = from->frozen;
    return t;
}
tensor *keep_param(mod *to, const mod *from, const char *name) { return copy(to, param_named(from, name)); }
void keep_tensors(mod *to, const mod *from) {
    for (const tensor *t = from->params; t; t = t->next) copy(to, t);
    for (const tensor *t = from->buffers; t; t = t->next) copy(to, t);
}
void keep_buffers(mod *to, const mod *from) {
    for (const tensor *t = from->buffers; t; t = t->next) copy(to, t);
}
void freeze_own(mod *m) {
    for (tensor *t = m->params; t; t = t->next) t->frozen = true;
    for (tensor *t = m->buffers; t; t = t->next) {
        tensor *p = mod_ok(m) ? add_param(m, t->name, EMPTY, t->shape, t->rank) : NULL;
        if (!p) return;
        p->how = t->how;
        p->dtype = t->dtype;
        p->frozen = true;
    }
    m->buffers = m->last_buffer = NULL;
}
void keep_children(mod *to, const mod *from) {
    for (edge *e = from->children; e; e = e->next) {
        edge *kept = builder_edge(to, e->name, builder_copy(to->b, e->to, to));
        kept->first = e->first;
        kept->count = e->count;
    }
}
void keep_as_child(mod *to, const char *name, const mod *from) {
    if (mod_ok(to) && from) builder_edge(to, name, builder_copy(to->b, from, to));
}
void any_size(quant *q, tensor *t) {
    int64_t *shape = arena_array(q->s->a, 1, sizeof *shape);
    *shape = -1;
    t->shape = shape;
    t->any_size = true;
}
mod *numbered(mod *to, int64_t count, const char *cls) {
    if (!mod_ok(to) || count < 1 || !builder_count(to, (uint64_t)count)) return to;
    mod *m = builder_mod(to->b, to, "0", cls);
    builder_edge(to, NULL, m)->count = count;
    if (to->kind != KIND_LIST) to->kind = KIND_NUMBERED;
    return m;
}
void look_below(quant *q) { q->look_below = true; }
void only_holds(mod *to) { to->dense = NULL; }
mod *replaced_child(quant *q, mod *to, const char *name, const char *cls, const mod *stands_for) {
    mod *m = child(to, name, cls);
    if (!quant_ok(q) || !stands_for) return m;
    m->dense = stands_for;
    m->chosen = stands_for->chosen;
    m->experts = stands_for->experts;
    m->may_be_empty = true;
    return m;
}
int64_t refuse_linears(quant *q, const mod *m, const char *path) {
    if (!is_linear(m) || skipped(q, path)) return LEAVE;
    if (strchr(path, '.'))
        quant_refuse(q, "unsupported_quantization", "the reference fails on %s (KeyError), which is not the model's own child", path);
    else quant_refuse(q, "unsupported_quantization", "what %s would hold depends on a package that is not known here", path);
    return LEAVE;
}
void refuse_stacked(quant *q, const mod *m) {
    if (q->from_file && same_word(m->cls, "Llama4TextExperts"))
        quant_refuse(q, "unsupported_quantization", "the reference takes the experts of Llama 4 apart for it, which is not built by this release");
}
void warn_of_dense_experts(quant *q) {
    const char *first;
    uint64_t n = dense_experts(q, &first);
    if (n) note_warning(q, "%llu stacks of experts (%s, ...) are no linear layers and stay dense", (unsigned long long)n, first);
}
void warn_of_random_experts(quant *q) {
    const char *first;
    uint64_t n = dense_experts(q, &first);
    if (n)
        note_warning(q, "%llu stacks of experts (%s, ...) are no linear layers and stay dense: a file with packed experts leaves them random, "
            "without an error", (unsigned long long)n, first);
}
void note_once(quant *q, const char *warning) {
    for (size_t i = 0; i < q->warning_count; i++)
        if (!strcmp(q->warnings[i], warning)) return;
    note_warning(q, "%s", warning);
}
void note_warning(quant *q, const char *format, ...) {
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    q->warnings = arena_grow(q->s->a, q->warnings, q->warning_count, &q->warning_cap, 1, sizeof *q->warnings);
    q->warnings[q->warning_count++] = arena_text(q->s->a, text, strlen(text));
}
