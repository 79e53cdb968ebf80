/* tare_model_layout(). */
#include "handle.h"
#include "../files/layout.h"

typedef struct laying { const tare_model *m; arena a; tare_error err; const layout *made; } laying;
static bool make(void *to) {
    laying *w = to;
    w->made = layout_make(&w->a, w->m->root, NULL, &w->err);
    return w->made != NULL;
}
static tare_status show_all(const layout *l, bool (*visit)(void *, const tare_disk_tensor *), void *to) {
    for (size_t i = 0; i < l->entry_count; i++) {
        const layout_entry *e = &l->entries[i];
        tare_disk_tensor one = {.key = e->key, .dtype = (tare_dtype)e->dtype, .rank = e->rank, .shape = e->shape};
        if (!visit(to, &one)) return TARE_NO;
    }
    return TARE_OK;
}
tare_status tare_model_layout(const tare_model *m, bool (*visit)(void *, const tare_disk_tensor *), void *to, tare_error *err) {
    laying w = {.m = m};
    tare_status status = guarded(&w.a, &w.err, make, &w) ? show_all(w.made, visit, to) : w.err.status;
    if (w.err.status != TARE_OK && err) *err = w.err;
    arena_free(&w.a);
    return status;
}
