#include "slots.h"
#include "../build/sets.h"
#include "../tree/tree.h"
#include <string.h>

typedef struct collecting {
    load_slots *s;
    arena *a;
    size_t cap;
} collecting;
static bool is_plain_float(int dtype) { return dtype == TARE_F32 || dtype == TARE_F16 || dtype == TARE_BF16 || dtype == TARE_F64; }
static bool take_slot(void *to, const tree_item *item) {
    collecting *c = to;
    load_slots *s = c->s;
    if (!item->slot) return true;
    s->v = arena_grow(c->a, s->v, s->n, &c->cap, 1, sizeof *s->v);
    load_slot *one = &s->v[s->n];
    const tensor_node *t = item->slot;
    *one = (load_slot){.path = arena_text(c->a, item->path, item->path_n), .t = t, .same = s->n, .tensor = SIZE_MAX, .tie = SIZE_MAX};
    one->state = t->kind == TARE_PARAM || t->persistent;
    one->dtype = tensor_held(t)->dtype;
    one->packed = item->module->dense && !is_plain_float(one->dtype);
    one->from = one->state ? FROM_NOWHERE : FROM_ITSELF;
    name_put(&s->names, one->path, s->n);
    if (item->owner && !t->same) one->same = name_put(&s->names, item->owner, s->n);
    s->n++;
    return true;
}

/* Upstream matches these names anywhere in a tensor's, as regular expressions in which a star is any text. */
static void *kept_pattern(patterns *p, val names, val more) {
    const char *all = "";
    for (int i = 0; i < 2; i++, names = more)
        for (uint32_t k = 0; k < names.n; k++) {
            const char *one = text_replace(p->a, names.items[k].s, "*", ".*", true);
            all = arena_printf(p->a, "%s%s(?:%s)", all, *all ? "|" : "", one);
        }
    return *all ? pattern_compile(p, all) : NULL;
}
static void keep_dtypes(load_slots *s, patterns *p, const node *root, int main) {
    val none = {.kind = VAL_LIST};
    val half = main == TARE_F16 ? set_of(p->a, root, SET_KEEP_FP32) : none;
    val strict = main == TARE_F16 || main == TARE_BF16 ? set_of(p->a, root, SET_KEEP_FP32_STRICT) : none;
    const void *kept = kept_pattern(p, half, strict);
    s->dtype_kept = kept != NULL;
    for (size_t i = 0; kept && i < s->n; i++)
        if (s->v[i].state && !s->v[i].packed && pattern_found(p, kept, s->v[i].path)) s->v[i].dtype = TARE_F32;
}

bool slots_make(load_slots *s, patterns *p, const node *root, int main, tare_error *err) {
    *s = (load_slots){.names = {.a = p->a}};
    collecting c = {s, p->a, 0};
    tree_walk(root, take_slot, &c);
    keep_dtypes(s, p, root, main);
    return err->status == TARE_OK;
}
bool same_bits(int dtype, int held) {
    static const struct { uint8_t x, y; } alike[] = {{TARE_U8, TARE_I8}, {TARE_U8, TARE_F8_E8M0}, {TARE_I32, TARE_U32}};
    bool exponents = dtype == TARE_F8_E8M0 && is_plain_float(held);
    if (dtype == held || exponents) return true;
    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++)
        if ((alike[i].x == dtype && alike[i].y == held) || (alike[i].y == dtype && alike[i].x == held)) return true;
    return false;
}
size_t slots_find(const load_slots *s, const char *path) {
    size_t i = name_get(&s->names, path);
    return i != SIZE_MAX && s->v[i].state ? i : SIZE_MAX;
}
