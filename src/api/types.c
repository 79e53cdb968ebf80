/* The list of model types and their classes, made once. */
#include "handle.h"
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
