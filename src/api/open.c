/* tare_config_open(), tare_model_open() and their kin. */
#include "handle.h"
#include "../load/dtype.h"
#include "../quant/open.h"
#include "../config/json.h"
#include "../config/source.h"
#include "../tree/tree.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool guarded(arena *a, tare_error *err, bool (*work)(void *), void *to) {
    jmp_buf here;
    jmp_buf *outer = a->unwind;
    a->unwind = &here;
    if (setjmp(here)) {
        a->unwind = outer;
        tare_error full = {0};
        error_set(&full, TARE_IO, "out_of_memory", NULL, "out of memory");
        if (err) *err = full; /* whatever was wrong before, this ended the call */
        return false;
    }
    bool ok = work(to);
    a->unwind = outer;
    return ok;
}

typedef struct opening {
    const char *model, *json;
    size_t n;
    tare_open_options o;
    tare_config *config;
    tare_model *made;    /* NULL: a config only */
    bool bare;
    const checkpoint *weights; /* a model to load these into; NULL */
    const tare_config *from; /* an equal config in place of a file; NULL */
    val code;            /* auto_map of the file */
    const char *misfit;  /* the class is made for other configs: how it is; NULL: it is not */
} opening;

/* ---- config ---- */

const char *dtype_word(const char *name) {
    static const char *const words[][2] = {
        {"bf16", "bfloat16"}, {"fp16", "float16"}, {"fp32", "float32"}, {"fp64", "float64"}, {"f32", "float32"}, {"f16", "float16"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i][0], name)) return words[i][1];
    return dtype_canonical(name);
}
static bool wanted_dtype(session *s, const char *name, const char **torch_name) {
    *torch_name = name ? dtype_word(name) : NULL;
    int d = *torch_name ? dtype_number(*torch_name) : -1;
    if (!name || d == TARE_F32 || d == TARE_F16 || d == TARE_BF16 || d == TARE_F64) return true;
    error_set(&s->err, TARE_USAGE, "usage", NULL, "\"%.60s\" is no dtype that a model is built in: say float32, float16, bfloat16 or float64", name);
    return false;
}
/* What ConfigClass.from_pretrained makes of a file: the part that is this class's own, if the file is of another class. Only
 * that part is looked at then. */
static const char *part_for(const cclass *k, val dict, val *part) {
    const char *key = NULL;
    val own = dict_get(dict, k->base_config_key), type;
    *part = dict;
    if (*k->base_config_key && own.kind == VAL_DICT) key = k->base_config_key, *part = own;
    type = dict_get(*part, "model_type");
    if (type.kind != VAL_TEXT || !strcmp(type.s, k->model_type)) return key;
    val outer = *part;
    for (uint32_t i = 0; i < outer.n; i++)
        if (val_equal(dict_get(outer.members[i].v, "model_type"), val_text(k->model_type))) key = outer.members[i].key, *part = outer.members[i].v;
    return key;
}
static cfg *load_for(session *s, const char *class_name, val dict, val over) {
    const model_class *row = NULL;
    const char *config = family_of_class(class_name, &row) ? FACT(row, config) : NULL, *key;
    const cclass *k = config ? class_by_name(config, &s->err) : NULL;
    val part, type = dict_get(dict, "model_type");
    if (!k || type.kind != VAL_TEXT || class_by_type(type.s, &s->err) == k || !(key = part_for(k, dict, &part))) return cfg_load(s, dict, over);
    return cfg_make(s, k, part, dict_get(over, key), arena_printf(s->a, "$.%s", key), NULL);
}
/* A config class that is asked for by name takes all of the text, or of a file the part that is its own. */
static cfg *make_as(opening *w, val dict, val over) {
    session *s = &w->config->s;
    const char *name = w->o.config_class, *key = NULL;
    const cclass *k = class_by_name(name, &s->err);
    val part = dict;
    if (!k) return error_set(&s->err, TARE_UNKNOWN, "unknown_class", NULL, "unknown config class \"%.100s\"", name), NULL;
    if (dict.kind != VAL_DICT)
        return error_set(&s->err, TARE_BAD, "bad_type", "$", "a config is a JSON object, this is %s", json_short(s->a, dict, 60)), NULL;
    if (w->model) key = part_for(k, dict, &part);
    return cfg_make(s, k, part, key ? dict_get(over, key) : over, key ? arena_printf(s->a, "$.%s", key) : "$", NULL);
}
/* What the making of a config checks and setting may undo: the reference's layers fail on a list that ends too early. */
static void check_layers(const cfg *c) {
    val types = cfg_get(c, "layer_types"), n = cfg_get(c, "num_hidden_layers");
    if (types.kind == VAL_LIST && n.kind == VAL_INT && n.i > types.n && class_field(c->k, "layer_types", hash_text("layer_types")))
        cfg_refuse(c, "num_hidden_layers", "bad_value", "layer_types has %u items: set it, too", types.n);
    for (size_t i = 0; i < c->k->part_count; i++) {
        val v = cfg_get(c, c->k->parts[i].key);
        if (v.kind == VAL_CFG) check_layers(v.cfg);
    }
}
static bool copy_config(opening *w) {
    session *s = &w->config->s;
    const char *dtype;
    if ((w->o.set && *w->o.set) || w->o.config_class) {
        error_set(&s->err, TARE_USAGE, "usage", NULL, "the values and the class of a config handle are its own: tare_config_set() changes them");
        return false;
    }
    if (!wanted_dtype(s, w->o.dtype, &dtype)) return false;
    w->config->c = cfg_copy(s, w->from->c, "$", NULL);
    w->code = cfg_get(w->config->c, "auto_map");
    if (w->made) check_layers(w->config->c);
    return session_ok(s);
}
static bool load_config(opening *w) {
    session *s = &w->config->s;
    val dict = {0}, over;
    const char *dtype;
    if (w->from) return copy_config(w);
    bool read = w->model ? source_read(s, w->model, &dict, &w->bare) : json_read(s->a, w->json, w->n, "the config", &dict, &s->err);
    if (!read || !source_override(s, w->o.set, &dict, &over) || !wanted_dtype(s, w->o.dtype, &dtype)) return false;
    w->code = dict_get(dict, "auto_map");
    if (dtype && dict.kind == VAL_DICT) {
        dict = dict_with(s->a, dict_without(s->a, dict, "torch_dtype"), "dtype", val_text(dtype));
        over = dict_with(s->a, over, "dtype", val_bool(true));
    }
    if (w->o.config_class) return (w->config->c = make_as(w, dict, over)) != NULL;
    w->config->c = w->made && w->o.class_name ? load_for(s, w->o.class_name, dict, over) : cfg_load(s, dict, over);
    return w->config->c != NULL;
}

/* ---- class ---- */

/* "causal-lm", "CausalLM", "AutoModelForCausalLM": compared by letters alone. */
static bool same_task(const char *table, const char *asked) {
    static const char *const heads[] = {"AutoModelFor", "Auto", ""};
    for (size_t h = 0; h < 3; h++) {
        size_t n = strlen(heads[h]);
        if (strncmp(table, heads[h], n)) continue;
        const char *p = table + n, *q = asked;
        for (;; p++, q++) {
            while (*q == '-' || *q == '_') q++;
            if (tolower((unsigned char)*p) != tolower((unsigned char)*q)) break;
            if (!*p) return true;
        }
    }
    return false;
}
static const model_class *class_in_family(const family *f, val entry) {
    if (entry.kind == VAL_LIST && entry.n) entry = entry.items[0];
    for (const model_class *r = f->models; entry.kind == VAL_TEXT && r->name; r++)
        if (!strcmp(r->name, entry.s)) return r;
    return NULL;
}
static const model_class *by_task(session *s, const cfg *c, const char *task) {
    val tables = auto_tables(c->k->family, &s->err);
    char known[300] = "";
    for (uint32_t i = 0; tables.kind == VAL_DICT && i < tables.n; i++) {
        const model_class *row = class_in_family(c->k->family, dict_get(tables.members[i].v, c->k->model_type));
        if (!row) continue;
        if (same_task(tables.members[i].key, task)) return row;
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", tables.members[i].key);
    }
    error_set(&s->err, TARE_UNKNOWN, "unknown_class", NULL,
        "no auto class \"%.60s\" has a model for a config of type %s\nauto classes it has: %s",
        task, c->k->model_type, *known ? known : "none");
    return NULL;
}
static const char *config_of(const model_class *row) { return FACT(row, config); }

/* The config that a class takes: this one, or the part of it that from_pretrained would take. */
static cfg *fitting(cfg *c, const model_class *row) {
    const char *name = config_of(row);
    if (!name || !strcmp(c->k->name, name)) return c;
    for (size_t i = 0; i < c->k->part_count; i++) {
        val v = cfg_get(c, c->k->parts[i].key);
        cfg *inner = v.kind == VAL_CFG ? fitting(v.cfg, row) : NULL;
        if (inner) return inner;
    }
    return NULL;
}
static const char *class_name_at(size_t i, void *to) {
    const family *f = to;
    return i == 0 || f->models[i - 1].name ? f->models[i].name : NULL;
}
/* A config of another class is taken at its values, as the reference takes it; a value that is missing there says so. */
static const model_class *by_name(opening *w, cfg **c, const char *name, const family **f) {
    session *s = &w->config->s;
    const model_class *row = NULL;
    *f = family_of_class(name, &row);
    if (!*f) {
        char near[200];
        near_names(name, class_name_at, (void *)(*c)->k->family, near, sizeof near);
        error_set(&s->err, TARE_UNKNOWN, "unknown_class", NULL, "unknown model class \"%.100s\"%s%s",
            name, *near ? "\nclasses of this family near it: " : "", near);
        return NULL;
    }
    cfg *inner = fitting(*c, row);
    if (inner) *c = inner;
    else w->misfit = arena_printf(s->a, "%s takes a %s, and this is a %s (model type %s)", name, config_of(row), (*c)->k->name, (*c)->k->model_type);
    return row;
}
static const model_class *base_class(session *s, const cfg *c) {
    const model_class *row = class_in_family(c->k->family, auto_entry(c->k->family, "AutoModel", c->k->model_type, &s->err));
    for (const model_class *r = c->k->family->models; !row && r->name; r++)
        if (config_of(r) && !strcmp(config_of(r), c->k->name)) row = r;
    if (!row)
        error_set(&s->err, TARE_UNKNOWN, "unknown_class", NULL, "no model is built from a config of type %s alone: other configs hold it as a part",
            c->k->model_type);
    return row;
}
static const model_class *by_architectures(opening *w, cfg **c, const family **f) {
    session *s = &w->config->s;
    val names = cfg_get(*c, "architectures");
    const model_class *row = NULL;
    const char *name = !w->bare && names.kind == VAL_LIST && names.n && names.items[0].kind == VAL_TEXT ? names.items[0].s : NULL;
    if (name && (*f = family_of_class(name, &row))) {
        cfg *inner = fitting(*c, row);
        if (inner) return *c = inner, row;
    }
    *f = (*c)->k->family;
    row = base_class(s, *c);
    if (name && row)
        w->made->note = arena_printf(s->a, "architectures names %.100s, which %s; this is the base model, %s",
            name, family_of_class(name, NULL) ? "takes another config" : "is unknown", row->name);
    return row;
}
static const model_class *pick(opening *w, cfg **c, const family **f) {
    session *s = &w->config->s;
    if (w->o.class_name) return by_name(w, c, w->o.class_name, f);
    *f = (*c)->k->family;
    if (w->o.auto_class) return by_task(s, *c, w->o.auto_class);
    return by_architectures(w, c, f);
}

/* ---- model ---- */

static bool read_attn(session *s, cfg *c, const char *attn) {
    val v = val_text(attn);
    if (*attn == '{' && !json_read(s->a, attn, strlen(attn), "the attention choice", &v, &s->err)) return false;
    cfg_attn(c, v);
    return true;
}
static bool read_host(session *s, tare_model *m, const char *words) {
    char why[256];
    if (host_describe(&m->host, words, why, sizeof why)) return m->has_host = true;
    error_set(&s->err, TARE_USAGE, "usage", NULL, "--host: %s", why);
    return false;
}
static void add_note(opening *w, const char *note) {
    const char *before = w->made->note;
    w->made->note = before ? arena_printf(w->config->s.a, "%s; %s", before, note) : note;
}
static bool note_misfit(opening *w) {
    session *s = &w->config->s;
    tare_error why = s->err;
    if (w->misfit && session_ok(s)) add_note(w, arena_printf(s->a, "%s: its values are taken as they are", w->misfit));
    if (w->misfit && !strcmp(why.code, "missing_key")) {
        s->err = (tare_error){0};
        error_set(&s->err, TARE_BAD, "wrong_config", why.path, "%s; %s", w->misfit, why.message);
    }
    return session_ok(s);
}
/* Code that a repository brings is named, so that nobody believes it had a part in this. */
static void note_code(opening *w) {
    session *s = &w->config->s;
    if (!val_given(w->code)) return;
    add_note(w, arena_printf(s->a, "auto_map names code, %s; it is never followed", json_short(s->a, w->code, 120)));
}
static bool open_quant(opening *w, cfg *c, int *dtype) {
    session *s = &w->config->s;
    tare_model *m = w->made;
    const char *unknown;
    bool ok;
    bool plain = w->o.stage == TARE_STAGE_PLAIN;
    quant_wish wish = {.config = !plain && (w->o.quantized || w->weights), .asked = plain ? NULL : w->o.quantize, .dequantize = w->o.dequantize,
                       .loaded = w->o.stage == TARE_STAGE_LOADED || (w->weights && w->o.stage == TARE_STAGE_DEFAULT)};
    m->quant = quant_open(s, c, &wish, &unknown, &ok);
    if (unknown) add_note(w, unknown);
    *dtype = quant_dtype(m->quant, *dtype);
    return ok && session_ok(s);
}
static bool build(void *to) {
    opening *w = to;
    tare_model *m = w->made;
    session *s = &w->config->s;
    cfg *c = w->config->c;
    const family *f = NULL;
    const model_class *row = pick(w, &c, &f);
    note_code(w);
    if (!row || (w->o.host && !read_host(s, m, w->o.host))) return false;
    if (w->o.attn && !read_attn(s, c, w->o.attn)) return false;
    if (w->o.dtype) cfg_dtype(c, dtype_word(w->o.dtype));
    val dtype = cfg_get(c, "dtype");
    if (w->weights && !val_given(dtype)) {
        const char *name = weights_dtype(w->weights, &s->err);
        if (!name) return false;
        dtype = val_text(name);
    }
    int number = dtype.kind == VAL_TEXT && !w->o.plain ? dtype_number(dtype.s) : TARE_F32;
    if (number != TARE_F32 && number != TARE_F16 && number != TARE_BF16 && number != TARE_F64) {
        cfg_refuse(c, "dtype", "bad_value", "a model is built in float32, float16, bfloat16 or float64");
        return false;
    }
    if (!open_quant(w, c, &number)) return false;
    if (!w->o.plain) cfg_dtype(c, m->quant ? tare_dtype_torch((tare_dtype)number) : dtype.kind == VAL_TEXT ? dtype.s : NULL);
    m->own.c = c;
    m->dtype = number;
    preparation p = quant_preparation(m->quant);
    m->root = build_model(s, f, row, c, m->has_host ? &m->host : NULL, number, m->quant ? &p : NULL);
    if (!note_misfit(w)) return false;
    if (w->weights) quant_forget(m->quant);
    tree_count(m->root, &m->counts);
    if (m->quant) quant_describe(m->quant, m->root, &m->quantization);
    return true;
}
static bool load(void *to) { return load_config(to); }

static bool start(opening *w, tare_config *c, tare_error *err) {
    c->s.a = &c->a;
    w->config = c;
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_t *source = w->from ? &root_of(w->from)->lock : NULL;
    if (source) pthread_mutex_lock(source);
    bool ok = guarded(&c->a, &c->s.err, load, w);
    if (source) pthread_mutex_unlock(source);
    ok = ok && (!w->made || guarded(&c->a, &c->s.err, build, w));
    if (!ok && err) *err = c->s.err;
    return ok;
}
static void *zeroed(size_t n, tare_error *err) {
    void *p = tarei_malloc(n);
    if (p) memset(p, 0, n);
    else if (err) *err = (tare_error){0}, error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory");
    return p;
}
static tare_config *open_config(opening *w, tare_error *err) {
    tare_config *c = zeroed(sizeof *c, err);
    if (c && !start(w, c, err)) tare_config_free(c), c = NULL;
    return c;
}
static tare_model *open_model(opening *w, tare_error *err) {
    tare_model *m = zeroed(sizeof *m, err);
    if (!m) return NULL;
    w->made = m;
    pthread_mutex_init(&m->own.lock, NULL);
    if (!start(w, &m->base, err)) {
        tare_model_free(m);
        return NULL;
    }
    return m;
}
tare_model *model_for(const checkpoint *weights, const char *model, const tare_open_options *o, tare_error *err) {
    opening w = {.model = model, .o = *o, .weights = weights};
    if (w.o.dtype && !strcmp(w.o.dtype, "auto")) w.o.dtype = NULL;
    return open_model(&w, err);
}
static bool no_source(const char *what, tare_error *err) {
    if (what) return false;
    if (err) *err = (tare_error){0}, error_set(err, TARE_USAGE, "usage", NULL, "no config was given");
    return true;
}
#define OPTIONS(o) ((o) ? *(o) : (tare_open_options){0})
tare_config *tare_config_open(const char *model, const tare_open_options *o, tare_error *err) {
    return no_source(model, err) ? NULL : open_config(&(opening){.model = model, .o = OPTIONS(o)}, err);
}
tare_config *tare_config_parse(const char *json, size_t n, const tare_open_options *o, tare_error *err) {
    return no_source(json, err) ? NULL : open_config(&(opening){.json = json, .n = n, .o = OPTIONS(o)}, err);
}
tare_model *tare_model_open(const char *model, const tare_open_options *o, tare_error *err) {
    return no_source(model, err) ? NULL : open_model(&(opening){.model = model, .o = OPTIONS(o)}, err);
}
tare_model *tare_model_parse(const char *json, size_t n, const tare_open_options *o, tare_error *err) {
    return no_source(json, err) ? NULL : open_model(&(opening){.json = json, .n = n, .o = OPTIONS(o)}, err);
}
const tare_quantization *tare_model_quantization(const tare_model *m) { return m && m->quant ? &m->quantization : NULL; }
tare_config *tare_config_copy(const tare_config *c, tare_error *err) {
    return no_source(c ? "" : NULL, err) ? NULL : open_config(&(opening){.from = c}, err);
}
tare_model *tare_model_make(const tare_config *c, const tare_open_options *o, tare_error *err) {
    return no_source(c ? "" : NULL, err) ? NULL : open_model(&(opening){.from = c, .o = OPTIONS(o)}, err);
}
void tare_config_free(tare_config *c) {
    if (!c || c->owner) return;
    pthread_mutex_destroy(&c->lock);
    arena_free(&c->a);
    free(c);
}
void tare_model_free(tare_model *m) {
    if (!m) return;
    pthread_mutex_destroy(&m->own.lock);
    pthread_mutex_destroy(&m->base.lock);
    arena_free(&m->own.a);
    arena_free(&m->lazy);
    arena_free(&m->base.a);
    free(m);
}
