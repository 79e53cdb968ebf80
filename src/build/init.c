/* The verbs of init rules: they note what is to be done with which tensor. */
#include "initlog.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- slots: the tensors of the tree, numbered in walk order ---- */

static uint64_t own_slots(const mod *m) {
    uint64_t n = 0;
    for (const tensor *t = m->params; t; t = t->next) n++;
    for (const tensor *t = m->buffers; t; t = t->next) n++;
    return n;
}
static uint64_t times_of(const edge *e) { return e->name ? 1 : (uint64_t)e->count; }
uint64_t slots_below(const mod *m) {
    if (m->slots) return m->slots - 1; /* a finished tree is read-only but for this, which its caller guards */
    uint64_t n = own_slots(m);
    for (const edge *e = m->children; e; e = e->next) n += times_of(e) * slots_below(e->to);
    ((mod *)m)->slots = n + 1;
    return n;
}
uint64_t slots_before(const mod *m, const edge *e) {
    uint64_t n = own_slots(m);
    for (const edge *k = m->children; k != e; k = k->next) n += times_of(k) * slots_below(k->to);
    return n;
}

/* ---- places ---- */

typedef struct place { const mod *in; const mod *anchor; uint64_t base; } place;

static const edge *edge_named(const mod *m, const char *name, size_t n, int64_t *index) {
    char *end;
    int64_t number = strtoll(name, &end, 10);
    *index = 0;
    for (const edge *e = m->children; e; e = e->next) {
        if (e->name && strlen(e->name) == n && !strncmp(e->name, name, n)) return e;
        if (!e->name && end == name + n && number >= e->first && number < e->first + e->count) return *index = number - e->first, e;
    }
    return NULL;
}
/* Goes down one name; false when there is no such child. */
static bool descend(place *p, const char *name, size_t n) {
    int64_t index;
    const edge *e = edge_named(p->in, name, n, &index);
    if (!e) return false;
    p->base += slots_before(p->in, e) + (uint64_t)index * slots_below(e->to);
    p->in = e->to;
    if (e->to->shared) p->anchor = e->to, p->base = 0;
    return true;
}
static bool module_at(const mod *m, const char *path, size_t n, place *p) {
    *p = (place){.in = m};
    for (size_t at = 0; at < n;) {
        const char *dot = memchr(path + at, '.', n - at);
        size_t word = dot ? (size_t)(dot - path) - at : n - at;
        if (!descend(p, path + at, word)) return false;
        at += word + 1;
    }
    return true;
}
/* A tensor of this very module: a parameter, a buffer, or one that weight norm has taken away. */
static const tensor *own_tensor(const mod *m, const char *name, uint64_t *slot) {
    *slot = 0;
    for (const tensor *t = m->params; t; t = t->next, ++*slot)
        if (!strcmp(t->name, name)) return t;
    for (const tensor *t = m->buffers; t; t = t->next, ++*slot)
        if (!strcmp(t->name, name)) return t;
    *slot = NO_SLOT;
    for (const step *s = m->steps; s; s = s->next)
        if (s->what == STEP_TENSOR && ((const tensor *)s->of)->gone && !strcmp(((const tensor *)s->of)->name, name)) return s->of;
    return NULL;
}
static const tensor *tensor_at(const mod *m, const char *path, place *p, uint64_t *slot) {
    const char *dot = strrchr(path, '.');
    if (!module_at(m, path, dot ? (size_t)(dot - path) : 0, p)) return NULL;
    return own_tensor(p->in, dot ? dot + 1 : path, slot);
}
bool has_tensor(const mod *m, const char *path) {
    place p;
    uint64_t slot;
    return tensor_at(m, path, &p, &slot) != NULL;
}
static const tensor *needed(mod *m, const char *path, place *p, uint64_t *slot) {
    const tensor *t = mod_ok(m) ? tensor_at(m, path, p, slot) : NULL;
    if (!t) fail(m, "its init rule names %s, which it does not have", path);
    return t;
}
int64_t tensor_dim(const mod *m, const char *path, int axis) {
    place p;
    uint64_t slot;
    const tensor *t = needed((mod *)m, path, &p, &slot);
    return t ? tensor_size(t, axis) : 1;
}

/* ---- what is noted ---- */

static void note_at(mod *m, const place *p, const tensor *t, uint64_t slot, init_fill f) {
    init_log *log = m->b->log;
    if (!log || !mod_ok(m)) return;
    init_event *e = arena_new(log->a, init_event);
    *e = (init_event){.fill = f, .t = t, .anchor = p->anchor, .slot = slot == NO_SLOT ? NO_SLOT : p->base + slot};
    if (log->last) log->last->next = e;
    else log->first = e;
    log->last = e;
}
static void note(mod *m, const char *path, init_fill f) {
    place p;
    uint64_t slot;
    const tensor *t = needed(m, path, &p, &slot);
    if (t) note_at(m, &p, t, slot, f);
}
void init_made(mod *m, const char *path, made how) {
    if (!m->b->log) return;
    fill *kept = arena_new(m->b->log->a, fill);
    init_fill fills[2];
    *kept = (fill){(int)how.op, how.a, how.b, how.row, how.of};
    int n = fills_of(NULL, kept, fills);
    for (int i = 0; i < n; i++) note(m, path, fills[i]);
}
made mapped_(mod *m, made from, int dtype, const map_step *steps, size_t n) {
    arena *a = m->b->log ? m->b->log->a : m->b->s->a;
    map_rule *r = arena_new(a, map_rule);
    map_step *kept = arena_array(a, n, sizeof *kept);
    memcpy(kept, steps, n * sizeof *kept);
    *r = (map_rule){{(int)from.op, from.a, from.b, from.row, from.of}, dtype, kept, n};
    return (made){.op = MADE_MAPPED, .of = r};
}
made pieces_(mod *m, const span *all, size_t n) {
    span *kept = arena_array(m->b->log ? m->b->log->a : m->b->s->a, n, sizeof *kept);
    memcpy(kept, all, n * sizeof *kept);
    return (made){.op = MADE_PIECES, .row = (int64_t)n, .of = kept};
}
void init_zeros(mod *m, const char *path) { init_made(m, path, ZEROS); }
void init_ones(mod *m, const char *path) { init_made(m, path, ONES); }
void init_constant(mod *m, const char *path, double value) { init_made(m, path, FULL(value)); }
void init_row_zero(mod *m, const char *path, int64_t row) {
    static const fill zeros = {.op = MADE_ZEROS};
    note(m, path, (init_fill){.kind = FILL_FORMULA, .formula = &zeros, .row = row + 1});
}
static bool is_std(mod *m, const char *path, double std) {
    if (!(std >= 0) || isinf(std)) fail(m, "%s would be drawn with a std of %s", path, show(m, num_f(std)));
    return mod_ok(m);
}
void init_normal(mod *m, const char *path, double mean, double std) {
    if (is_std(m, path, std)) note(m, path, (init_fill){.kind = FILL_NORMAL, .a = mean, .b = std});
}
void init_uniform(mod *m, const char *path, double from, double to) {
    if (!(from <= to) || isinf(to - from)) fail(m, "%s would be drawn between %s and %s", path, show(m, num_f(from)), show(m, num_f(to)));
    note(m, path, (init_fill){.kind = FILL_UNIFORM, .a = from, .b = to});
}
void init_trunc_normal(mod *m, const char *path, double mean, double std, double from, double to) {
    if (is_std(m, path, std)) note(m, path, (init_fill){.kind = FILL_TRUNC_NORMAL, .a = mean, .b = std, .low = from, .high = to});
}
void init_orthogonal(mod *m, const char *path, double gain) {
    place p;
    uint64_t slot;
    const tensor *t = needed(m, path, &p, &slot);
    if (t && tensor_rank(t) < 2) fail(m, "%s has fewer than two axes, so it cannot be orthogonal", path);
    note(m, path, (init_fill){.kind = FILL_ORTHOGONAL, .a = gain});
}

/* ---- by the fans of the tensor ---- */

typedef struct fans { double in, out; } fans;
static fans fans_of(mod *m, const char *path) {
    place p;
    uint64_t slot;
    const tensor *t = needed(m, path, &p, &slot);
    if (t && tensor_rank(t) < 2) fail(m, "%s has fewer than two axes, so no fans", path);
    if (!t || !mod_ok(m)) return (fans){1, 1};
    int64_t field = t->elements / t->shape[0] / t->shape[1];
    return (fans){(double)(t->shape[1] * field), (double)(t->shape[0] * field)};
}
void init_xavier_uniform(mod *m, const char *path) {
    fans f = fans_of(m, path);
    double bound = sqrt(3.0) * sqrt(2.0 / (f.in + f.out));
    init_uniform(m, path, -bound, bound);
}
void init_xavier_normal(mod *m, const char *path) {
    fans f = fans_of(m, path);
    init_normal(m, path, 0, sqrt(2.0 / (f.in + f.out)));
}
static double kaiming_std(double a, double fan) { return sqrt(2.0 / (1 + a * a)) / sqrt(fan); }
void init_kaiming_uniform(mod *m, const char *path, double a) {
    double bound = sqrt(3.0) * kaiming_std(a, fans_of(m, path).in);
    init_uniform(m, path, -bound, bound);
}
void init_kaiming_normal(mod *m, const char *path, fan_mode mode, double a) {
    fans f = fans_of(m, path);
    init_normal(m, path, 0, kaiming_std(a, mode == FAN_IN ? f.in : f.out));
}
/* The std of a normal cut at two of its sigma, so that the std after the cut is 1. */
#define CUT_AT_TWO 0.87962566103423978
void init_lecun_normal(mod *m, const char *path) {
    init_trunc_normal(m, path, 0, sqrt(1.0 / fans_of(m, path).in) / CUT_AT_TWO, -2, 2);
}
void init_default_flax_embed(mod *m, const char *path) { init_normal(m, path, 0, sqrt(1.0 / fans_of(m, path).in)); }

/* ---- constructors' fills ---- */

static int one_fill(init_fill out[2], init_fill f) { return out[0] = f, 1; }
int fills_of(const tensor *t, const fill *how, init_fill out[2]) {
    static const fill zeros = {.op = MADE_ZEROS};
    double bound;
    (void)t;
    switch (how->op) {
    case MADE_EMPTY:
    case MADE_DIRECTION: return 0; /* a direction was drawn as the weight that it was */
    case MADE_RANDN: return one_fill(out, (init_fill){.kind = FILL_NORMAL, .b = 1});
    case MADE_RAND: return one_fill(out, (init_fill){.kind = FILL_UNIFORM, .b = 1});
    case MADE_UNIFORM: return one_fill(out, (init_fill){.kind = FILL_UNIFORM, .a = how->a, .b = how->b});
    case MADE_KAIMING_UNIFORM:
        bound = sqrt(3.0) * kaiming_std(how->a, how->b);
        return one_fill(out, (init_fill){.kind = FILL_UNIFORM, .a = -bound, .b = bound});
    case MADE_XAVIER_UNIFORM:
        bound = sqrt(3.0) * sqrt(2.0 / (how->a + how->b));
        return one_fill(out, (init_fill){.kind = FILL_UNIFORM, .a = -bound, .b = bound});
    case MADE_NORMAL:
        one_fill(out, (init_fill){.kind = FILL_NORMAL, .a = how->a, .b = how->b});
        out[1] = (init_fill){.kind = FILL_FORMULA, .formula = &zeros, .row = how->row};
        return how->row ? 2 : 1;
    case MADE_MAPPED: /* of a draw: the draw, with the steps after it */
        if (fills_of(t, &((const map_rule *)how->of)->from, out) != 1 || out->kind == FILL_FORMULA) out->kind = FILL_FORMULA;
        out->formula = how;
        return 1;
    case MADE_MAGNITUDE: return one_fill(out, (init_fill){.kind = FILL_MAGNITUDE, .formula = how});
    default: return one_fill(out, (init_fill){.kind = FILL_FORMULA, .formula = how});
    }
}
/* torch's reset_parameters() of the layers that have one fills what their constructor filled, in the same order. */
void init_reset(mod *m, const char *path) {
    place p;
    if (!mod_ok(m)) return;
    if (!module_at(m, path, strlen(path), &p)) {
        fail(m, "its init rule resets %s, which it does not have", path);
        return;
    }
    uint64_t slot = 0;
    for (const tensor *t = p.in->params; t; t = t->next, slot++) {
        init_fill fills[2];
        int n = fills_of(t, &t->how, fills);
        for (int i = 0; i < n; i++) note_at(m, &p, t, slot, fills[i]);
    }
}

/* ---- questions ---- */

bool is_a_(const mod *m, const char *const *classes) { return word_in(m->cls, classes); }
bool class_has(const mod *m, const char *part_of_name) { return strstr(m->cls, part_of_name) != NULL; }
bool is_linear(const mod *m) { return m->kind == KIND_LINEAR; }
bool is_embedding(const mod *m) { return m->kind == KIND_EMBEDDING; }
/* The weight of an n-dimensional convolution has two axes more. */
bool is_conv(const mod *m, int n) {
    uint64_t slot;
    const tensor *weight = m->kind == KIND_CONV ? own_tensor(m, "weight", &slot) : NULL;
    return m->kind == KIND_CONV && (!n || (weight && weight->rank == n + 2));
}
double init_std(const mod *m, const cfg *c) {
    static const char *const keys[] = {"init_std", "initializer_factor"};
    if (!mod_ok(m)) return 0;
    if (known(c, "initializer_range")) return flag(c, "initializer_range") ? real(c, "initializer_range").d : 0.02;
    for (int i = 0; i < 2; i++)
        if (known(c, keys[i])) return real(c, keys[i]).d;
    const cfg *text_part = text_config(c);
    return text_part && known(text_part, "initializer_range") ? real(text_part, "initializer_range").d : 0.02;
}

/* ---- PreTrainedModel._init_weights ---- */

static void embedding_rule(mod *m, double std) {
    init_normal(m, "weight", 0, std);
    if (m->params->how.row) init_row_zero(m, "weight", m->params->how.row - 1); /* padding_idx */
}
static void lstm_rule(mod *m) {
    for (const tensor *t = m->params; t; t = t->next) {
        if (strstr(t->name, "weight")) init_xavier_uniform(m, t->name);
        else init_zeros(m, t->name);
    }
}
/* MultiheadAttention._reset_parameters(): its own tensors, and the projection's bias. */
static void attention_rule(mod *m) {
    init_reset(m, "");
    if (has_tensor(m, "out_proj.bias")) init_zeros(m, "out_proj.bias");
}
static void norm_rule(mod *m) {
    static const struct { const char *name; double value; } values[] = {
        {"weight", 1}, {"bias", 0}, {"running_mean", 0}, {"running_var", 1}, {"num_batches_tracked", 0},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (has_tensor(m, values[i].name)) init_constant(m, values[i].name, values[i].value);
}
static bool is_norm(const mod *m) {
    return m->kind == KIND_GROUPNORM || m->kind == KIND_BATCHNORM || class_has(m, "LayerNorm") || class_has(m, "RMSNorm");
}
static bool is_projection(const mod *m) {
    return m->kind == KIND_LINEAR || m->kind == KIND_CONV || (m->kind == KIND_CONV_TRANSPOSE && strcmp(m->cls, "ConvTranspose3d"));
}
/* Rotary tables are made again too, with the values that they have. */
void init_weights(mod *m, const cfg *c) {
    double std = init_std(m, c);
    if (!mod_ok(m)) return;
    if (is_projection(m)) {
        if (has_tensor(m, "weight")) init_normal(m, "weight", 0, std);
        if (has_tensor(m, "bias")) init_zeros(m, "bias");
    } else if (!strcmp(m->cls, "LSTM")) lstm_rule(m);
    else if (is_embedding(m)) embedding_rule(m, std);
    else if (m->kind == KIND_MHA) attention_rule(m);
    else if (is_norm(m)) norm_rule(m);
}

init_event *rule_events(const mod *m, const mod *model, arena *a) {
    init_log log = {.a = a};
    builder *b = m->b;
    void (*rule)(mod *, const cfg *) = FACT(model->model, init_weights);
    b->log = &log;
    if (rule) rule((mod *)m, model->config);
    else init_weights((mod *)m, model->config);
    b->log = NULL;
    return log.first;
}
