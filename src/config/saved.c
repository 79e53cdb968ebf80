/* The config as save_pretrained() writes it: to_diff_dict(), in the order and with the floats of the file. */
#include "../core/num.h"
#include "cfg.h"
#include "rows.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what stays: PreTrainedConfig's own values are left out unless they differ from it or from the class ---- */

static val base_default(const char *key) {
    static const member two_ids[] = {{"0", {.kind = VAL_TEXT, .n = 7, .s = "LABEL_0"}}, {"1", {.kind = VAL_TEXT, .n = 7, .s = "LABEL_1"}}};
    static const member two_labels[] = {{"LABEL_0", {.kind = VAL_INT, .i = 0}}, {"LABEL_1", {.kind = VAL_INT, .i = 1}}};
    static const member all[] = {
        {"architectures", {.kind = VAL_NULL}},
        {"output_hidden_states", {.kind = VAL_BOOL, .b = false}},
        {"return_dict", {.kind = VAL_BOOL, .b = true}},
        {"dtype", {.kind = VAL_NULL}},
        {"chunk_size_feed_forward", {.kind = VAL_INT, .i = 0}},
        {"is_encoder_decoder", {.kind = VAL_BOOL, .b = false}},
        {"id2label", {.kind = VAL_DICT, .n = 2, .members = two_ids}},
        {"label2id", {.kind = VAL_DICT, .n = 2, .members = two_labels}},
        {"problem_type", {.kind = VAL_NULL}},
        {"_name_or_path", {.kind = VAL_TEXT, .n = 0, .s = ""}},
        {"model_type", {.kind = VAL_TEXT, .n = 0, .s = ""}},
        {"output_attentions", {.kind = VAL_BOOL, .b = false}},
    };
    return dict_get((val){.kind = VAL_DICT, .n = sizeof all / sizeof *all, .members = all}, key);
}
static bool differs(const cclass *k, const char *key, val v) {
    val base = base_default(key);
    const cfield *f = class_field(k, key, hash_text(key));
    return base.kind == VAL_ABSENT || !val_equal(v, base) || (f && val_given(f->preset) && !val_equal(v, f->preset));
}
static const cfg *part_at(const cfg *c, const char *key) {
    const cfg_entry *e = cfg_entry_of(c, key);
    return e && e->v.kind == VAL_CFG ? e->v.cfg : NULL;
}
/* Parts are compared with what their class makes of no values at all; a backbone, and parts of parts, are written whole. */
static bool compared(const cfg *c, const char *key) {
    for (size_t i = 0; i < c->k->part_count; i++)
        if (same_word(c->k->parts[i].key, key)) return !same_word("backbone_config", key);
    return false;
}
static val part_diff(session *s, const cfg *part, val all) {
    const cfg *fresh = cfg_make(s, part->k, (val){.kind = VAL_DICT}, (val){0}, part->path, part->part);
    if (!fresh) return (val){.kind = VAL_DICT};
    val usual = cfg_to_dict(fresh);
    member *m = arena_array(s->a, all.n, sizeof *m);
    uint32_t n = 0;
    for (uint32_t i = 0; i < all.n; i++) {
        const char *key = all.members[i].key;
        bool plain = base_default(key).kind != VAL_ABSENT && !same_word("model_type", key);
        if (!plain || !val_equal(all.members[i].v, dict_get(usual, key))) m[n++] = all.members[i];
    }
    return (val){.kind = VAL_DICT, .n = n, .members = m};
}
static val diff(session *s, const cfg *c, val all) {
    member *m = arena_array(s->a, all.n, sizeof *m);
    uint32_t n = 0;
    for (uint32_t i = 0; i < all.n && session_ok(s); i++) {
        const char *key = all.members[i].key;
        val v = all.members[i].v;
        const cfg *part = compared(c, key) ? part_at(c, key) : NULL;
        if (same_word("_name_or_path", key) || same_word("transformers_weights", key)) continue; /* of the place it came from */
        if (part) m[n++] = (member){key, part_diff(s, part, v)};
        else if (differs(c->k, key, v)) m[n++] = (member){key, v};
    }
    return (val){.kind = VAL_DICT, .n = n, .members = m};
}

/* ---- the order and the floats of the file ---- */

static int by_key(const void *a, const void *b) { return strcmp(((const member *)a)->key, ((const member *)b)->key); }
/* Ids are ints until they are written; here they are ints in text, of any size, without needless zeros. */
static int by_number(const void *a, const void *b) {
    const char *x = ((const member *)a)->key, *y = ((const member *)b)->key;
    bool below = *x == '-', other_below = *y == '-';
    if (below != other_below) return below ? -1 : 1;
    size_t n = strlen(x), m = strlen(y);
    int order = n != m ? (n < m ? -1 : 1) : strcmp(x, y);
    return below ? -order : order;
}
/* `of` is the config that the dict d was made from, NULL for other values. */
static val settled(arena *a, val v, const cfg *of, bool ids, bool tag) {
    if (v.kind == VAL_REAL && tag && !isfinite(v.d)) {
        member *m = arena_new(a, member);
        *m = (member){"__float__", val_text(isnan(v.d) ? "NaN" : v.d > 0 ? "Infinity" : "-Infinity")};
        return (val){.kind = VAL_DICT, .n = 1, .members = m};
    }
    if (v.kind == VAL_LIST) {
        val *items = arena_array(a, v.n, sizeof *items);
        for (uint32_t i = 0; i < v.n; i++) items[i] = settled(a, v.items[i], NULL, false, tag);
        return (val){.kind = VAL_LIST, .n = v.n, .items = items};
    }
    if (v.kind != VAL_DICT) return v;
    member *m = arena_array(a, v.n, sizeof *m);
    for (uint32_t i = 0; i < v.n; i++) {
        const char *key = v.members[i].key;
        m[i] = (member){key, settled(a, v.members[i].v, of ? part_at(of, key) : NULL, of && same_word("id2label", key), tag)};
    }
    if (v.n) qsort(m, v.n, sizeof *m, ids ? by_number : by_key);
    return (val){.kind = VAL_DICT, .n = v.n, .members = m};
}
val val_settled(arena *a, val v) { return settled(a, v, NULL, false, false); }

/* ---- all of it ---- */

val cfg_json(const cfg *c, arena *a, bool use_diff, tare_error *err) {
    session s = {.a = a};
    cfg copy = *c;
    copy.s = &s;
    val all = cfg_to_dict_in(&copy, a), out = settled(a, use_diff ? diff(&s, &copy, all) : all, &copy, false, true);
    if (session_ok(&s)) return out;
    *err = s.err;
    return (val){0};
}

/* The checks of a config object run once more; what a model's making changes is the attention that it chose. */
static bool may_be_saved(const cfg *c) {
    if (val_true(c->output_attentions) && c->attn_chosen && !same_word("eager", c->attn_chosen))
        cfg_refuse(c, "output_attentions", "bad_value",
            "a config is saved with it only where the attention implementation is \"eager\", and here it is \"%s\"", c->attn_chosen);
    if (val_given(cfg_get(c, "_auto_class")))
        cfg_refuse(c, "_auto_class", "bad_value", "the code of such a class would have to be saved with it");
    for (const char *const *key = generation_defaults(); *key; key++)
        if (!same_word("use_cache", *key) && val_given(cfg_get(c, *key)) && !class_field(c->k, *key, hash_text(*key)))
            cfg_refuse(c, *key, "bad_value", "a config is not saved with a setting of generation");
    return session_ok(c->s);
}
static void set_all(cfg *c, val written) {
    for (uint32_t i = 0; i < written.n; i++) cfg_set(c, written.members[i].key, written.members[i].v, TARE_FROM_FORMULA, NULL);
}
/* What model classes wrote into the config and its parts; `copy` has entries of its own. */
static void add_written(cfg *copy, arena *a) {
    for (uint32_t i = 0; i < copy->n; i++) {
        const cfg *part = copy->entries[i].v.kind == VAL_CFG ? copy->entries[i].v.cfg : NULL;
        if (!part || !part->written.n) continue;
        cfg *own = arena_new(a, cfg);
        *own = *part;
        own->s = copy->s;
        own->entries = arena_array(a, part->n + part->written.n, sizeof *own->entries);
        own->cap = part->n + part->written.n;
        memcpy(own->entries, part->entries, part->n * sizeof *own->entries);
        add_written(own, a);
        copy->entries[i].v.cfg = own;
    }
    set_all(copy, copy->written);
}
val cfg_saved(const cfg *c, arena *a, const char *class_name, const char *dtype, tare_error *err) {
    session s = {.a = a};
    cfg copy = *c;
    val name = val_text(class_name);
    copy.s = &s;
    copy.entries = arena_array(a, c->n + 2, sizeof *copy.entries);
    copy.cap = c->n + 2;
    memcpy(copy.entries, c->entries, c->n * sizeof *copy.entries);
    cfg_set(&copy, "dtype", val_text(dtype), TARE_FROM_OVERRIDE, NULL);
    cfg_set(&copy, "architectures", list_of(a, &name, 1), TARE_FROM_OVERRIDE, NULL);
    add_written(&copy, a);
    set_all(&copy, c->written_own);
    val out = {0};
    if (may_be_saved(&copy)) out = settled(a, diff(&s, &copy, cfg_to_dict(&copy)), &copy, false, true);
    if (!session_ok(&s)) *err = s.err;
    return out;
}
