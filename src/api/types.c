/* The list of model types and their classes, made once. */
#include "handle.h"
#include "../config/json.h"
#include <stdlib.h>
#include <string.h>

static struct { tare_type *types; size_t n; arena a; } known_types;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const *classes_of(arena *a, const family *f, const char *config_name) {
    size_t n = 0, k = 0;
    for (const model_class *r = f->models; r->name; r++) n++;
    const char **out = arena_array(a, n + 1, sizeof *out);
    for (const model_class *r = f->models; r->name; r++) {
        const char *takes = FACT(r, config);
        if (takes && !strcmp(takes, config_name)) out[k++] = r->name;
    }
    return out;
}
static int by_type(const void *a, const void *b) { return strcmp(((const tare_type *)a)->model_type, ((const tare_type *)b)->model_type); }

static bool make_types(void *to) {
    arena *a = to;
    size_t n = 0, k = 0;
    const family *f;
    for (int pass = 0; pass < 2; pass++) {
        if (pass) known_types.types = arena_array(a, n + 1, sizeof *known_types.types);
        for (size_t i = 0; (f = family_at(i)); i++)
            for (const config_class *r = f->configs; r->name; r++) {
                const char *const *classes = pass ? classes_of(a, f, r->name) : NULL;
                if (pass) known_types.types[k++] = (tare_type){r->model_type, r->model_type, f->name, classes};
                n += !pass;
                for (const char *const *also = r->also; also && *also; also++, n += !pass)
                    if (pass) known_types.types[k++] = (tare_type){*also, r->model_type, f->name, classes};
            }
    }
    qsort(known_types.types, k, sizeof *known_types.types, by_type);
    known_types.n = k;
    return true;
}
size_t tare_types(const tare_type **types) {
    pthread_mutex_lock(&lock);
    if (!known_types.types) guarded(&known_types.a, NULL, make_types, &known_types.a);
    pthread_mutex_unlock(&lock);
    *types = known_types.types;
    return known_types.n;
}

/* ---- classes ---- */

static struct { tare_class *models, *configs; const char **autos; size_t model_n, config_n, auto_n; bool made; arena a; } known_classes;

static int by_class(const void *a, const void *b) { return strcmp(((const tare_class *)a)->name, ((const tare_class *)b)->name); }
static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }
static const char *type_of(const family *f, const char *config) {
    for (const config_class *r = f->configs; r->name; r++)
        if (!strcmp(r->name, config)) return r->model_type;
    const cclass *k = class_by_name(config, NULL); /* of another family */
    return k ? k->model_type : NULL;
}
static void add_autos(const family *f) {
    arena *a = &known_classes.a;
    val tables = auto_tables(f, NULL);
    for (uint32_t i = 0; tables.kind == VAL_DICT && i < tables.n; i++) {
        const char *name = tables.members[i].key;
        size_t k = 0;
        while (k < known_classes.auto_n && strcmp(known_classes.autos[k], name)) k++;
        if (k < known_classes.auto_n) continue;
        const char **more = arena_array(a, known_classes.auto_n + 2, sizeof *more);
        if (k) memcpy(more, known_classes.autos, k * sizeof *more);
        more[known_classes.auto_n++] = name;
        known_classes.autos = more;
    }
}
static bool make_classes(void *to) {
    arena *a = to;
    const family *f;
    size_t models = 0, configs = 0;
    for (size_t i = 0; (f = family_at(i)); i++) {
        for (const model_class *r = f->models; r->name; r++) models++;
        for (const config_class *r = f->configs; r->name; r++) configs++;
    }
    known_classes.models = arena_array(a, models + 1, sizeof *known_classes.models);
    known_classes.configs = arena_array(a, configs + 1, sizeof *known_classes.configs);
    for (size_t i = 0; (f = family_at(i)); i++) {
        for (const model_class *r = f->models; r->name; r++)
            if (FACT(r, config)) known_classes.models[known_classes.model_n++] = (tare_class){r->name, FACT(r, config), type_of(f, FACT(r, config))};
        for (const config_class *r = f->configs; r->name; r++)
            known_classes.configs[known_classes.config_n++] = (tare_class){r->name, NULL, r->model_type};
        add_autos(f);
    }
    qsort(known_classes.models, known_classes.model_n, sizeof(tare_class), by_class);
    qsort(known_classes.configs, known_classes.config_n, sizeof(tare_class), by_class);
    if (known_classes.auto_n) qsort(known_classes.autos, known_classes.auto_n, sizeof *known_classes.autos, by_text);
    return known_classes.made = true;
}
/* Whole or not at all: what a failed attempt left is dropped. */
static void need_classes(void) {
    pthread_mutex_lock(&lock);
    if (!known_classes.made && !guarded(&known_classes.a, NULL, make_classes, &known_classes.a)) {
        arena_free(&known_classes.a);
        memset(&known_classes, 0, sizeof known_classes);
    }
    pthread_mutex_unlock(&lock);
}
size_t tare_classes(const tare_class **rows) {
    need_classes();
    *rows = known_classes.models;
    return known_classes.model_n;
}
size_t tare_config_classes(const tare_class **rows) {
    need_classes();
    *rows = known_classes.configs;
    return known_classes.config_n;
}
size_t tare_auto_classes(const char *const **names) {
    need_classes();
    *names = known_classes.autos;
    return known_classes.auto_n;
}
const char *tare_auto_class(const char *auto_class, const char *model_type) {
    const family *f = auto_class && model_type ? family_by_type(model_type) : NULL;
    val entry = f ? auto_entry(f, auto_class, model_type, NULL) : (val){0};
    if (entry.kind == VAL_LIST && entry.n) entry = entry.items[0];
    return entry.kind == VAL_TEXT && family_of_class(entry.s, NULL) ? entry.s : NULL;
}

/* ---- fields of a config class ---- */

typedef struct field_list { const cclass *k; tare_field *rows; size_t n; struct field_list *next; } field_list;
static struct { field_list *lists; arena a; } known_fields;

typedef struct field_work { const cclass *k; field_list *made; } field_work;
static bool make_fields(void *to) {
    field_work *w = to;
    arena *a = &known_fields.a;
    const cclass *k = w->k;
    size_t aliases = k->aliases.kind == VAL_DICT ? k->aliases.n : 0;
    field_list *l = arena_new(a, field_list);
    l->k = k;
    l->rows = arena_array(a, k->field_count + aliases + 1, sizeof *l->rows);
    for (size_t i = 0; i < k->field_count; i++) {
        const cfield *f = &k->fields[i];
        l->rows[l->n++] = (tare_field){f->key, NULL, f->type_text, f->preset.kind == VAL_ABSENT ? NULL : json_line(a, f->preset)};
    }
    for (size_t i = 0; i < aliases; i++) {
        const char *name = k->aliases.members[i].key, *stored = k->aliases.members[i].v.s;
        const cfield *f = class_field(k, stored, hash_text(stored));
        if (!class_field(k, name, hash_text(name))) l->rows[l->n++] = (tare_field){name, stored, f ? f->type_text : "any", NULL};
    }
    l->next = known_fields.lists;
    known_fields.lists = w->made = l;
    return true;
}
size_t tare_config_fields(const char *config, const tare_field **rows) {
    field_work w = {.k = config ? class_by_name(config, NULL) : NULL};
    *rows = NULL;
    if (!w.k) return 0;
    pthread_mutex_lock(&lock);
    for (w.made = known_fields.lists; w.made && w.made->k != w.k;) w.made = w.made->next;
    if (!w.made) guarded(&known_fields.a, NULL, make_fields, &w);
    pthread_mutex_unlock(&lock);
    if (!w.made) return 0;
    *rows = w.made->rows;
    return w.made->n;
}
