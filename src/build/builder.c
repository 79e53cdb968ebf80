/* Modules, tensors and lists under construction. */
#include "builder.h"
#include "../core/format.h"
#include "../core/half.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- errors and text ---- */

bool mod_ok(const mod *m) { return session_ok(m->b->s); }

static size_t path_into(const mod *m, char *out, size_t n, size_t used) {
    if (!m->parent) return used;
    used = path_into(m->parent, out, n, used);
    int k = used < n ? snprintf(out + used, n - used, "%s%s", used ? "." : "", m->name) : 0;
    return k > 0 ? used + (size_t)k : used;
}
const char *mod_path(const mod *m) {
    char path[512] = "";
    path_into(m, path, sizeof path, 0);
    return arena_text(m->b->s->a, path, strlen(path));
}
void fail(mod *m, const char *format, ...) {
    if (!mod_ok(m)) return;
    char why[512];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    const char *path = mod_path(m);
    error_set(&m->b->s->err, TARE_BAD, "bad_value", path, *path ? "%s (%s): %s" : "%s%s: %s", *path ? path : m->cls, *path ? m->cls : "", why);
}
char *mod_printf(mod *m, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    size_t n = format_text(text, sizeof text, format, args);
    va_end(args);
    return arena_text(m->b->s->a, text, n < sizeof text ? n : sizeof text - 1);
}
void extra_repr(mod *m, const char *format, ...) {
    if (!mod_ok(m)) return;
    m->extra = NULL;
    if (!format) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    size_t n = format_text(text, sizeof text, format, args);
    va_end(args);
    if (n >= sizeof text) fail(m, "its description is too long");
    else if (n) m->extra = arena_text(m->b->s->a, text, n);
}
/* repr() of a float: the few that a model has (eps, p, momentum) come again and again. */
static const char *show_float(builder *b, double d) {
    char text[NUM_TEXT];
    if (isnan(d)) return "nan";
    if (isinf(d)) return d < 0 ? "-inf" : "inf";
    for (int i = 0; i < SHOWN; i++)
        if (b->shown[i].text && !memcmp(&b->shown[i].d, &d, sizeof d)) return b->shown[i].text;
    const char *made_text = arena_text(b->s->a, text, num_float(text, d));
    b->shown[b->next_shown].d = d;
    b->shown[b->next_shown].text = made_text;
    b->next_shown = (b->next_shown + 1) % SHOWN;
    return made_text;
}
const char *show(mod *m, num n) {
    if (n.none) return "None";
    if (n.real) return show_float(m->b, n.d);
    char text[NUM_TEXT];
    size_t k = num_int(text, n.i);
    return arena_text(m->b->s->a, text, k);
}

num linspace(const mod *m, double from, double to, int64_t n, int64_t i) {
    return num_f(linspace_in(m->b->dtype, from, to, n, i));
}

/* ---- modules ---- */

static void note(mod *m, step *s, enum step_kind what, void *of) {
    s->what = what;
    s->of = of;
    if (m->last_step) m->last_step->next = s;
    else m->steps = s;
    m->last_step = s;
}
enum { LONGEST_PATH = 500 };
edge *builder_edge(mod *m, const char *name, mod *to) {
    edge *e = arena_new(m->b->s->a, edge);
    e->name = name;
    e->to = to;
    if (name && m->path_n + strlen(name) > LONGEST_PATH) fail(m, "module names nest to more than %d bytes", LONGEST_PATH);
    if (m->last_child) m->last_child->next = e;
    else m->children = e;
    m->last_child = e;
    note(m, &e->made_at, STEP_CHILD, e);
    return e;
}
mod *builder_mod(builder *b, mod *parent, const char *name, const char *cls) {
    mod *c = arena_new(b->s->a, mod);
    c->b = b;
    c->parent = parent;
    c->name = name;
    c->cls = cls;
    c->path_n = parent ? parent->path_n + strlen(name) + 1 : 0;
    c->layer = parent ? parent->layer : NULL;
    return c;
}
bool builder_count(mod *m, uint64_t modules) {
    builder *b = m->b;
    b->modules += modules;
    if (b->modules <= MOST_MODULES) return true;
    if (mod_ok(m)) {
        const char *path = mod_path(m);
        error_set(&b->s->err, TARE_BAD, "too_large", path,
            "%s: the model would have more than %d modules; a size in the config is absurd", *path ? path : m->cls, MOST_MODULES);
    }
    return false;
}
mod *child(mod *m, const char *name, const char *cls) {
    if (!mod_ok(m) || !builder_count(m, 1)) return m;
    mod *c = builder_mod(m->b, m, name, cls);
    builder_edge(m, name, c);
    return c;
}
void share(mod *m, const char *name, mod *other) {
    if (!mod_ok(m)) return;
    if (other->layer) fail(m, "%s, which lies in a repeated layer, cannot have a second name", mod_path(other));
    if (!other->shared && m->b->shares++ == MOST_SHARED) fail(m, "no more than %d modules can have several names", MOST_SHARED);
    other->shared = true;
    builder_edge(m, name, other);
}
static const model_class *row_of(const family *f, const char *cls) {
    for (const model_class *r = f ? f->models : NULL; r && r->name; r++)
        if (same_word(r->name, cls)) return r;
    return NULL;
}
static void add_model(mod *m, model_entry **first, model_entry **last) {
    model_entry *e = arena_new(m->b->s->a, model_entry);
    e->m = m;
    if (*last) (*last)->next = e;
    else *first = e;
    *last = e;
}
void begin(mod *m, const cfg *c) {
    if (!mod_ok(m) || !c) return;
    const model_class *row = row_of(m->b->family, m->cls);
    if (!row) return;
    m->model = row;
    m->config = c;
    m->family = m->b->family;
    add_model(m, &m->b->begun, &m->b->last_begun);
    settle_attention(m);
}
void done(mod *m) {
    if (!mod_ok(m) || !m->model) return;
    add_model(m, &m->b->models, &m->b->last_model);
    note(m, arena_new(m->b->s->a, step), STEP_POST_INIT, m);
}
const char *next_name(const mod *m) {
    static const char *const small[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    int64_t n = 0;
    for (const edge *e = m->children; e; e = e->next) n += e->name ? 1 : e->count;
    return n < 10 ? small[n] : arena_printf(m->b->s->a, "%" PRId64, n);
}
static mod *holder(mod *m, const char *name, const char *cls, mod_kind kind) {
    mod *c = child(m, name, cls);
    if (mod_ok(m)) c->kind = kind;
    return c;
}
mod *module_list(mod *m, const char *name) { return holder(m, name, "ModuleList", KIND_LIST); }
mod *module_dict(mod *m, const char *name) { return holder(m, name, "ModuleDict", KIND_DICT); }
mod *sequential(mod *m, const char *name) { return holder(m, name, "Sequential", KIND_SEQUENTIAL); }

void mod_mark(mod *m, int kind) { if (mod_ok(m)) m->kind = (mod_kind)kind; }
const char *mod_class(const mod *m) { return m->cls; }
void mod_rename_class(mod *m, const char *cls) { if (mod_ok(m)) m->cls = cls; }
void becomes(mod *m, const char *cls) { mod_rename_class(m, cls); }

/* ---- tensors ---- */

static bool empty_fits(const mod *m) {
    while (m && !m->may_be_empty) m = m->parent;
    return m;
}
void may_be_empty(mod *m) { if (mod_ok(m)) m->may_be_empty = true; }
static tensor *add(mod *m, const char *name, made how, const int64_t *shape, int rank, tensor **first, tensor **last) {
    if (!mod_ok(m)) return &m->b->spare;
    if (++m->b->tensors > MOST_TENSORS) {
        fail(m, "%s would be one of more than %d tensors; a size in the config is absurd", name, MOST_TENSORS);
        return &m->b->spare;
    }
    arena *a = m->b->s->a;
    tensor *t = arena_alloc(a, sizeof *t + (size_t)rank * sizeof *shape);
    int64_t *sizes = (int64_t *)(t + 1);
    t->name = name;
    t->rank = (int8_t)rank;
    t->shape = sizes;
    t->elements = 1;
    t->dtype = (uint8_t)m->b->dtype;
    t->how = (fill){(int)how.op, how.a, how.b, how.row, how.of};
    if (how.op == MADE_ROTARY_SINUSOIDS) {
        t->how.row = m->b->dtype;
        if (t->dtype != DT_F64) t->dtype = DT_F32;
    }
    for (int i = 0; i < rank; i++) {
        sizes[i] = shape[i];
        if (shape[i] < 0 || (!shape[i] && !empty_fits(m)))
            fail(m, "%s would have size %" PRId64 " on axis %d; every size is at least 1", name, shape[i], i);
        else if (!num_mul(t->elements, shape[i], &t->elements) || t->elements > INT64_MAX / 16)
            fail(m, "%s would have more elements than 64 bits count", name);
        if (!mod_ok(m)) return t;
    }
    if (*last) (*last)->next = t;
    else *first = t;
    *last = t;
    note(m, &t->made_at, STEP_TENSOR, t);
    return t;
}
tensor *add_param(mod *m, const char *name, made how, const int64_t *shape, int rank) {
    tensor *t = add(m, name, how, shape, rank, &m->params, &m->last_param);
    t->kind = TARE_PARAM;
    t->persistent = true;
    return t;
}
tensor *add_buffer(mod *m, const char *name, made how, int dtype, bool persistent, const int64_t *shape, int rank) {
    tensor *t = add(m, name, how, shape, rank, &m->buffers, &m->last_buffer);
    t->kind = TARE_BUFFER;
    t->persistent = persistent;
    if (dtype != DT_DEFAULT) t->dtype = (uint8_t)dtype;
    return t;
}
void in_dtype(tensor *t, int dtype) { t->dtype = (uint8_t)dtype; }
void freeze(tensor *t) { t->frozen = true; }
void unties(mod *m) { m->unties = true; }
void freeze_all(mod *m) {
    if (!mod_ok(m)) return;
    for (tensor *t = m->params; t; t = t->next) t->frozen = true;
    for (edge *e = m->children; e; e = e->next) {
        builder_own(e, m);
        freeze_all(e->to);
    }
}
static void freeze_batchnorm(mod *m, const char *cls) {
    tensor *first = m->params, **at = &m->buffers;
    for (tensor *t = m->buffers; t; t = t->next)
        if (!strcmp(t->name, "num_batches_tracked")) t->gone = true;
    while (*at) {
        if ((*at)->gone) *at = (*at)->next;
        else m->last_buffer = *at, at = &(*at)->next;
    }
    if (first) {
        m->last_param->next = m->buffers;
        if (!m->buffers) m->last_buffer = m->last_param;
        m->buffers = first;
        m->params = m->last_param = NULL;
    }
    for (tensor *t = m->buffers; t; t = t->next) t->kind = TARE_BUFFER, t->persistent = true, t->dtype = (uint8_t)m->b->dtype;
    m->kind = KIND_NONE;
    m->extra = NULL;
    mod_rename_class(m, cls);
}
void freeze_batchnorms(mod *m, const char *cls) {
    if (!mod_ok(m)) return;
    for (edge *e = m->children; e; e = e->next) {
        builder_own(e, m);
        if (e->to->kind == KIND_BATCHNORM && !strcmp(e->to->cls, "BatchNorm2d")) freeze_batchnorm(e->to, cls);
        else freeze_batchnorms(e->to, cls);
    }
}
static edge *child_named(mod *m, const char *name) {
    edge *e = m->children;
    while (e && (!e->name || strcmp(e->name, name))) e = e->next;
    return e;
}
static void forget_model(model_entry **first, model_entry **last, const mod *m) {
    *last = NULL;
    while (*first) {
        if ((*first)->m == m) *first = (*first)->next;
        else *last = *first, first = &(*first)->next;
    }
}
void unwrap(mod *m, const char *name, const char *inner) {
    if (!mod_ok(m)) return;
    edge *outer = child_named(m, name), *held = outer ? child_named(outer->to, inner) : NULL;
    if (!held) {
        fail(m, "there is no %s.%s to unwrap", name, inner);
        return;
    }
    forget_model(&m->b->models, &m->b->last_model, outer->to);
    forget_model(&m->b->begun, &m->b->last_begun, outer->to);
    outer->to = held->to;
    held->to->parent = m;
    held->to->name = name;
}
void passing(mod *m, made how, const int64_t *shape, int rank) {
    if (!mod_ok(m)) return;
    int n = 0;
    for (const step *s = m->steps; s; s = s->next) n += s->what == STEP_TENSOR && ((const tensor *)s->of)->gone;
    const char *name = mod_printf(m, "passing%03d", n);
    add_param(m, name, how, shape, rank);
    mod_take_param(m, name);
}
void routed(mod *m, const cfg *c, const char *key, int64_t all) {
    if (!mod_ok(m)) return;
    val v = get(c, key);
    m->chosen = v.kind == VAL_INT && v.i >= 0 && v.i < all ? v.i : all;
    m->experts = all;
}
tensor *mod_take_param(mod *m, const char *name) {
    if (!mod_ok(m)) return NULL;
    for (tensor *t = m->params, *before = NULL; t; before = t, t = t->next)
        if (!strcmp(t->name, name)) {
            if (before) before->next = t->next;
            else m->params = t->next;
            if (m->last_param == t) m->last_param = before;
            t->next = NULL;
            t->gone = true;
            return t;
        }
    return NULL;
}
int tensor_rank(const tensor *t) { return t->rank; }
int64_t tensor_size(const tensor *t, int axis) { return axis >= 0 && axis < t->rank ? t->shape[axis] : 1; }

/* ---- other configs ---- */

int dtype_number(const char *torch_name) {
    for (int i = 0; i < TARE_DTYPE_COUNT; i++)
        if (!strcmp(tare_dtype_torch((tare_dtype)i), torch_name)) return i;
    return -1;
}
/* The dtype that _from_config makes torch's default; the current one when the config gives none. */
static int config_dtype(mod *m, const cfg *c) {
    val v = cfg_get(c, "dtype");
    if (v.kind != VAL_TEXT) return m->b->dtype;
    int d = dtype_number(v.s);
    if (d == TARE_F32 || d == TARE_F16 || d == TARE_BF16 || d == TARE_F64) return d;
    cfg_refuse(c, "dtype", "bad_value", "a model is built in float32, float16, bfloat16 or float64");
    return m->b->dtype;
}
const cfg *enter_config(mod *m, const cfg *c) {
    if (!mod_ok(m)) return c;
    m->outer_dtype = m->b->dtype;
    m->b->dtype = config_dtype(m, c);
    val v = cfg_get(c, "dtype");
    cfg_dtype((cfg *)c, v.kind == VAL_TEXT ? v.s : NULL); /* the parts of this config build in its dtype */
    return c;
}
void leave_config(mod *m) { if (mod_ok(m)) m->b->dtype = m->outer_dtype; }

static const model_class *auto_row(mod *m, const cfg *c, const char *task, const family **f) {
    session *s = m->b->s;
    *f = c->k->family;
    val entry = auto_entry(*f, task, c->k->model_type, &s->err);
    if (entry.kind == VAL_LIST && entry.n) entry = entry.items[0];
    const model_class *row = entry.kind == VAL_TEXT ? row_of(*f, entry.s) : NULL;
    if (!row && entry.kind == VAL_TEXT) *f = family_of_class(entry.s, &row);
    if (!row) fail(m, "%s has no class for a config of type %s", task, c->k->model_type);
    return row;
}
void sub_auto(mod *m, const char *name, const cfg *c, const char *task) {
    if (!mod_ok(m)) return;
    const family *mine = m->b->family, *theirs;
    const model_class *row = auto_row(m, c, task, &theirs);
    if (!row) return;
    mod *x = child(m, name, row->name);
    m->b->family = theirs;
    const cfg *under = enter_config(x, c);
    begin(x, under);
    row->build(x, under);
    done(x);
    leave_config(x);
    m->b->family = mine;
}
