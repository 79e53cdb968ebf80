/* A config object of its own, equal to another one: what a user then sets changes the copy alone. */
#include "cfg.h"

static cfg *copied(session *s, const cfg *c, const char *path, const char *part);

static const char *text_copy(arena *a, const char *s) { return s ? arena_text(a, s, strlen(s)) : NULL; }
/* A part gets the path of its place in the copy. */
static val value_copy(session *s, val v, const char *path, const char *key) {
    val out = v;
    if (v.kind == VAL_TEXT || v.kind == VAL_BIG) out.s = arena_text(s->a, v.s, v.n);
    if (v.kind == VAL_LIST) {
        val *items = arena_array(s->a, v.n, sizeof *items);
        for (uint32_t i = 0; i < v.n; i++) items[i] = value_copy(s, v.items[i], path, key);
        out.items = items;
    }
    if (v.kind == VAL_DICT) {
        member *m = arena_array(s->a, v.n, sizeof *m);
        for (uint32_t i = 0; i < v.n; i++) m[i] = (member){text_copy(s->a, v.members[i].key), value_copy(s, v.members[i].v, path, key)};
        out.members = m;
    }
    if (v.kind == VAL_CFG) out.cfg = copied(s, v.cfg, arena_printf(s->a, "%s.%s", path, key), key);
    return out;
}
static void set_written(cfg *out, val written) {
    arena *a = out->s->a;
    for (uint32_t i = 0; i < written.n; i++)
        cfg_set(out, text_copy(a, written.members[i].key), value_copy(out->s, written.members[i].v, out->path, ""), TARE_FROM_FORMULA, NULL);
}
static cfg *copied(session *s, const cfg *c, const char *path, const char *part) {
    arena *a = s->a;
    cfg *out = arena_new(a, cfg);
    *out = (cfg){.s = s, .k = c->k, .path = text_copy(a, path), .part = text_copy(a, part), .n = c->n, .cap = c->n, .left_n = c->left_n,
                 .attn = c->attn_chosen ? val_text(text_copy(a, c->attn_chosen)) : value_copy(s, c->attn, path, ""),
                 .experts = c->experts_chosen ? val_text(text_copy(a, c->experts_chosen)) : value_copy(s, c->experts, path, ""),
                 .output_attentions = value_copy(s, c->output_attentions, path, ""), .name_or_path = value_copy(s, c->name_or_path, path, ""),
                 .done = c->done};
    out->entries = arena_array(a, c->n, sizeof *out->entries);
    for (uint32_t i = 0; i < c->n; i++) {
        cfg_entry e = c->entries[i];
        e.key = text_copy(a, e.key);
        e.detail = text_copy(a, e.detail);
        e.v = value_copy(s, e.v, path, e.key);
        out->entries[i] = e;
    }
    out->left = arena_array(a, c->left_n, sizeof *out->left);
    for (uint32_t i = 0; i < c->left_n; i++) {
        out->left[i] = c->left[i];
        out->left[i].key = text_copy(a, c->left[i].key);
        out->left[i].v = value_copy(s, c->left[i].v, path, out->left[i].key);
    }
    set_written(out, c->written); /* as a model's constructor writes them into the config object that it is given */
    return out;
}
cfg *cfg_copy(session *s, const cfg *c, const char *path, const char *part) {
    cfg *out = copied(s, c, path, part);
    set_written(out, c->written_own); /* or into a copy that it makes for itself */
    return out;
}
