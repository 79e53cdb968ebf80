#include "cls.h"
#include "../core/num.h"
#include "../core/registry.h"
#include "json.h"
#include "types.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A family in use. Everything below `ready` is written once, under the lock, before `ready` is set. */
typedef struct slot {
    const family *f;
    const char *json;
    size_t n;
    _Atomic bool ready;
    arena a;
    cclass *classes;
    size_t class_count;
    val autos;
} slot;
enum { MOST_REGISTERED = 64, MOST_BUILT_IN = 1024 };
static slot built_in[MOST_BUILT_IN], registered[MOST_REGISTERED];
static _Atomic size_t registered_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static slot *slot_at(size_t i) {
    if (i < registry_count && i < MOST_BUILT_IN) return &built_in[i];
    i -= registry_count;
    return i < atomic_load(&registered_count) ? &registered[i] : NULL;
}
const family *family_at(size_t i) {
    if (i < registry_count) return registry_rows[i].family;
    slot *s = slot_at(i);
    return s ? s->f : NULL;
}

/* ---- reading one family's data ---- */

static const char *text_of(val d, const char *key) {
    val v = dict_get(d, key);
    return v.kind == VAL_TEXT ? v.s : NULL;
}
static bool read_fields(arena *a, cclass *k, val list, tare_error *err) {
    cfield *f = arena_array(a, list.n, sizeof *f);
    for (uint32_t i = 0; i < list.n; i++) {
        val row = list.items[i];
        if (row.kind != VAL_LIST || row.n < 2 || row.items[0].kind != VAL_TEXT || row.items[1].kind != VAL_TEXT ||
            !type_parse(a, row.items[1].s, &f[i].type))
            return error_set(err, TARE_BAD, "bad_value", k->name, "the field table of %s is wrong in row %u", k->name, i), false;
        f[i].key = row.items[0].s;
        f[i].hash = hash_text(f[i].key);
        val stored = dict_get(k->aliases, f[i].key);
        f[i].stored = stored.kind == VAL_TEXT ? stored.s : f[i].key;
        f[i].stored_hash = hash_text(f[i].stored);
        f[i].type_text = row.items[1].s;
        if (row.n > 2) f[i].preset = row.items[2];
        if (row.n > 3) f[i].check = row.items[3];
    }
    k->fields = f;
    k->field_count = list.n;
    return true;
}
static void read_parts(arena *a, cclass *k, val parts) {
    if (parts.kind != VAL_DICT) return;
    cpart *p = arena_array(a, parts.n, sizeof *p);
    for (uint32_t i = 0; i < parts.n; i++) {
        val d = parts.members[i].v;
        p[i] = (cpart){.key = parts.members[i].key, .config = text_of(d, "config"), .model_type = text_of(d, "model_type"),
                       .optional = val_true(dict_get(d, "optional")), .init = dict_get(d, "init")};
    }
    k->parts = p;
    k->part_count = parts.n;
}
static const config_class *rules_of(const family *f, const char *name) {
    for (const config_class *r = f->configs; r && r->name; r++)
        if (!strcmp(r->name, name)) return r;
    return NULL;
}
static bool read_class(arena *a, const family *f, const char *name, val d, cclass *k, tare_error *err) {
    const char *type = text_of(d, "model_type"), *base = text_of(d, "base_config_key");
    *k = (cclass){.name = name, .model_type = type ? type : "", .base_config_key = base ? base : "", .family = f, .rules = rules_of(f, name),
                  .aliases = dict_get(d, "aliases"), .tp_plan = dict_get(d, "tp_plan"), .pp_plan = dict_get(d, "pp_plan"),
                  .values = dict_get(d, "values"), .readonly = dict_get(d, "readonly")};
    read_parts(a, k, dict_get(d, "parts"));
    return read_fields(a, k, dict_get(d, "fields"), err);
}
static bool read_family(slot *s, tare_error *err) {
    jmp_buf here;
    s->a.unwind = &here;
    if (setjmp(here)) {
        arena_free(&s->a);
        return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory while reading the defaults of family %s", s->f->name), false;
    }
    val d = {0};
    tare_error inner = {0};
    if (!json_read(&s->a, s->json, s->n, s->f->name, &d, &inner)) {
        if (err && err->status == TARE_OK) *err = inner;
        return arena_free(&s->a), false;
    }
    val configs = dict_get(d, "configs");
    s->classes = arena_array(&s->a, configs.n, sizeof *s->classes);
    s->class_count = configs.kind == VAL_DICT ? configs.n : 0;
    for (size_t i = 0; i < s->class_count; i++)
        if (!read_class(&s->a, s->f, configs.members[i].key, configs.members[i].v, &s->classes[i], err)) return arena_free(&s->a), false;
    s->autos = dict_get(d, "auto");
    return true;
}
/* Under the lock. */
static bool make_ready(slot *s, size_t i, tare_error *err) {
    if (atomic_load(&s->ready)) return true;
    if (i < registry_count) {
        s->f = registry_rows[i].family;
        s->json = registry_rows[i].json;
        s->n = (size_t)(registry_rows[i].json_end - registry_rows[i].json);
    }
    if (!read_family(s, err)) return false;
    atomic_store_explicit(&s->ready, true, memory_order_release);
    return true;
}
static slot *use(const family *f, tare_error *err) {
    slot *s;
    size_t i = 0;
    while ((s = slot_at(i)) && family_at(i) != f) i++;
    if (!s || atomic_load_explicit(&s->ready, memory_order_acquire)) return s;
    pthread_mutex_lock(&lock);
    bool ok = make_ready(s, i, err);
    pthread_mutex_unlock(&lock);
    return ok ? s : NULL;
}

/* ---- finding: one table of all names, made at the first question and again after a registration ---- */

typedef enum name_kind { NAME_TYPE = 1, NAME_CONFIG, NAME_MODEL } name_kind;
typedef struct name_entry {
    const char *name;
    name_kind kind;
    const family *f;
    const void *what; /* config_class of a type or config, model_class of a model */
} name_entry;
typedef struct name_table {
    size_t mask;
    name_entry at[];
} name_table;
static _Atomic(name_table *) all_names;

static size_t count_names(void) {
    const family *f;
    size_t n = 0;
    for (size_t i = 0; (f = family_at(i)); i++) {
        for (const config_class *r = f->configs; r->name; r++, n += 2)
            for (const char *const *also = r->also; also && *also; also++) n++;
        for (const model_class *c = f->models; c->name; c++) n++;
    }
    return n;
}
static name_entry *place_of(name_table *t, name_kind kind, const char *name) {
    size_t i = (hash_text(name) + kind) & t->mask;
    while (t->at[i].name && (t->at[i].kind != kind || strcmp(t->at[i].name, name))) i = (i + 1) & t->mask;
    return &t->at[i];
}
static void put_name(name_table *t, name_kind kind, const char *name, const family *f, const void *what) {
    name_entry *e = place_of(t, kind, name);
    if (!e->name) *e = (name_entry){name, kind, f, what};
}
static name_table *make_names(void) {
    size_t size = 64;
    while (size < 2 * count_names()) size *= 2;
    name_table *t = tarei_malloc(sizeof *t + size * sizeof *t->at);
    if (!t) return NULL;
    memset(t, 0, sizeof *t + size * sizeof *t->at);
    t->mask = size - 1;
    const family *f;
    for (size_t i = 0; (f = family_at(i)); i++) {
        for (const config_class *r = f->configs; r->name; r++) {
            put_name(t, NAME_TYPE, r->model_type, f, r);
            put_name(t, NAME_CONFIG, r->name, f, r);
            for (const char *const *also = r->also; also && *also; also++) put_name(t, NAME_TYPE, *also, f, r);
        }
        for (const model_class *c = f->models; c->name; c++) put_name(t, NAME_MODEL, c->name, f, c);
    }
    return t;
}
static const name_entry *find_name(name_kind kind, const char *name, tare_error *err) {
    name_table *t = atomic_load_explicit(&all_names, memory_order_acquire);
    if (!t) {
        pthread_mutex_lock(&lock);
        t = atomic_load(&all_names);
        if (!t) atomic_store(&all_names, t = make_names());
        pthread_mutex_unlock(&lock);
    }
    if (!t) {
        error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory");
        return NULL;
    }
    const name_entry *e = place_of(t, kind, name);
    return e->name ? e : NULL;
}
const family *family_by_type(const char *model_type) {
    const name_entry *e = find_name(NAME_TYPE, model_type, NULL);
    return e ? e->f : NULL;
}
const family *family_of_class(const char *class_name, const model_class **row) {
    const name_entry *e = find_name(NAME_MODEL, class_name, NULL);
    if (e && row) *row = e->what;
    return e ? e->f : NULL;
}
static const cclass *class_in(const family *f, const char *config_name, tare_error *err) {
    slot *s = use(f, err);
    for (size_t i = 0; s && i < s->class_count; i++)
        if (!strcmp(s->classes[i].name, config_name)) return &s->classes[i];
    return NULL;
}
const cclass *class_by_name(const char *config_name, tare_error *err) {
    const name_entry *e = find_name(NAME_CONFIG, config_name, err);
    return e ? class_in(e->f, config_name, err) : NULL;
}
const cclass *class_by_type(const char *model_type, tare_error *err) {
    const name_entry *e = find_name(NAME_TYPE, model_type, err);
    return e ? class_in(e->f, ((const config_class *)e->what)->name, err) : NULL;
}

__attribute__((visibility("default"))) const char *tare_register_family(const family *f, const char *json);
const char *tare_register_family(const family *f, const char *json) {
    size_t n = atomic_load(&registered_count);
    if (!f || !f->name || !f->configs || !f->models || !json) return "a family needs a name, configs, models and its JSON";
    if (n == MOST_REGISTERED) return "too many families are registered (64)";
    for (const config_class *r = f->configs; r->name; r++)
        if (family_by_type(r->model_type)) return "its model type is known already";
    for (const model_class *c = f->models; c->name; c++)
        if (family_of_class(c->name, NULL)) return "one of its model classes is known already";
    registered[n].f = f;
    registered[n].json = json;
    registered[n].n = strlen(json);
    atomic_store(&registered_count, n + 1);
    free(atomic_exchange(&all_names, NULL));
    if (use(f, NULL)) return NULL;
    atomic_store(&registered_count, n);
    free(atomic_exchange(&all_names, NULL));
    return "its JSON is wrong (docs/add-a-model.md shows the format)";
}

val auto_tables(const family *f, tare_error *err) {
    slot *s = use(f, err);
    return s ? s->autos : (val){0};
}
val auto_entry(const family *f, const char *auto_class, const char *model_type, tare_error *err) {
    return dict_get(dict_get(auto_tables(f, err), auto_class), model_type);
}
const cfield *class_field(const cclass *k, const char *key, uint32_t hash) {
    for (size_t i = 0; i < k->field_count; i++)
        if (k->fields[i].hash == hash && !strcmp(k->fields[i].key, key)) return &k->fields[i];
    return NULL;
}

/* ---- the nearest known words ---- */

void near_names(const char *word, const char *(*name)(size_t i, void *to), void *to, char *out, size_t n) {
    enum { MOST = 5 };
    struct { const char *name; size_t edits; } best[MOST];
    size_t found = 0, length = strlen(word), reach = length < 4 ? 1 : length < 8 ? 2 : 3;
    const char *s;
    for (size_t i = 0; (s = name(i, to)); i++) {
        size_t edits = num_edits(word, s, reach);
        if (edits > reach && length >= 3 && strstr(s, word)) edits = reach; /* a part of a name is as near as a misspelt one */
        if (edits > reach || (found == MOST && best[MOST - 1].edits <= edits)) continue;
        size_t at = found < MOST ? found++ : MOST - 1;
        for (; at > 0 && best[at - 1].edits > edits; at--) best[at] = best[at - 1];
        best[at].name = s;
        best[at].edits = edits;
    }
    out[0] = 0;
    for (size_t i = 0, used = 0; i < found && used < n; i++) {
        int k = snprintf(out + used, n - used, "%s%s", i ? ", " : "", best[i].name);
        if (k > 0) used += (size_t)k;
    }
}
static const char *type_name(size_t i, void *to) {
    (void)to;
    const family *f;
    for (size_t j = 0; (f = family_at(j)); j++)
        for (const config_class *r = f->configs; r->name; r++) {
            if (i-- == 0) return r->model_type;
            for (const char *const *also = r->also; also && *also; also++)
                if (i-- == 0) return *also;
        }
    return NULL;
}
void near_types(const char *word, char *out, size_t n) { near_names(word, type_name, NULL, out, n); }
