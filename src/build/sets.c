#include "sets.h"
#include <stdlib.h>
#include <string.h>

typedef struct names { arena *a; model_set which; const char **v; size_t n, cap; } names;
static const char *const *own_names(const model_class *row, model_set which) {
    switch (which) {
    case SET_NO_SPLIT: return FACT(row, no_split_modules);
    case SET_KEEP_FP32: return FACT(row, keep_in_fp32_modules);
    case SET_KEEP_FP32_STRICT: return FACT(row, keep_in_fp32_modules_strict);
    case SET_SKIP_KEYS: return FACT(row, skip_keys_device_placement);
    case SET_IGNORE_UNEXPECTED: return FACT(row, keys_to_ignore_on_load_unexpected);
    case SET_IGNORE_MISSING: return FACT(row, keys_to_ignore_on_load_missing);
    case SET_IGNORE_SAVE: return FACT(row, keys_to_ignore_on_save);
    }
    return NULL;
}
static void add_name(names *s, const char *name) {
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->v[i], name)) return;
    s->v = arena_grow(s->a, s->v, s->n, &s->cap, 1, sizeof *s->v);
    s->v[s->n++] = name;
}
static void gather(names *s, const node *m, const char *prefix) {
    for (const char *const *p = own_names(m->model, s->which); p && *p; p++) add_name(s, *prefix ? arena_printf(s->a, "%s%s", prefix, *p) : *p);
    for (const edge *e = m->children; e; e = e->next)
        if (e->to->model && e->name) gather(s, e->to, s->which == SET_IGNORE_SAVE ? arena_printf(s->a, "%s%s.", prefix, e->name) : "");
}
static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }
val set_of(arena *a, const node *root, model_set which) {
    names s = {.a = a, .which = which};
    gather(&s, root, "");
    if (s.n) qsort(s.v, s.n, sizeof *s.v, by_text);
    val *items = arena_array(a, s.n, sizeof *items);
    for (size_t i = 0; i < s.n; i++) items[i] = val_text(s.v[i]);
    return (val){.kind = VAL_LIST, .n = (uint32_t)s.n, .items = items};
}
