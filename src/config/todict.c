/* The config as a plain dict again, and as rows that say where each value came from. */
#include "../core/num.h"
#include "json.h"
#include "rows.h"
#include <string.h>

/* Left out at every depth. */
static bool hidden(const char *key) {
    static const char *const keys[] = {
        "_is_quantized", "_auto_class", "_commit_hash", "_attn_implementation_internal", "_experts_implementation_internal",
        "_post_init_done", "ignore_keys_at_rope_validation", "base_model_tp_plan", "base_model_pp_plan", "base_model_fsdp_plan",
        "distributed_config", NULL,
    };
    return word_in(key, keys);
}
/* Left out at the top, where they are written anew. */
static bool replaced(const char *key) {
    static const char *const keys[] = {"model_type", "transformers_version", "kwargs", NULL};
    return word_in(key, keys);
}
/* str(v) as far as numbers and words go, without what stands before its last point: "torch.float16", 1.5. */
static val last_word(arena *a, val v) {
    char text[NUM_TEXT];
    const char *s = v.kind == VAL_TEXT ? v.s : v.kind == VAL_NULL ? "None" : v.kind == VAL_BOOL ? (v.b ? "True" : "False") : text;
    if (v.kind == VAL_LIST || v.kind == VAL_DICT) return v;
    if (v.kind == VAL_INT) text[num_int(text, v.i)] = 0;
    if (v.kind == VAL_REAL) text[num_float(text, v.d)] = 0;
    if (strrchr(s, '.')) s = strrchr(s, '.') + 1;
    return val_text(arena_text(a, s, strlen(s)));
}
/* Whatever is called dtype, at any depth, is taken for torch dtypes: a string and an int stay, the rest is shortened. */
static val short_dtype(arena *a, val v) {
    if (v.kind == VAL_REAL) return last_word(a, v);
    if (v.kind != VAL_DICT) return v;
    member *m = arena_array(a, v.n, sizeof *m);
    for (uint32_t i = 0; i < v.n; i++) m[i] = (member){v.members[i].key, last_word(a, v.members[i].v)};
    return (val){.kind = VAL_DICT, .n = v.n, .members = m};
}
/* The clean-up that the config itself gets, in every object below it. Copies only where something changes. */
static val tidy(arena *a, val d) {
    val out = d;
    for (uint32_t i = 0; d.kind == VAL_DICT && i < d.n; i++) {
        const char *key = d.members[i].key;
        val v = d.members[i].v;
        if (same_word("dtype", key) && v.kind == VAL_REAL) out = dict_with(a, out, key, short_dtype(a, v));
        if (hidden(key)) out = dict_without(a, out, key);
        else if (same_word("_output_attentions", key)) out = dict_with(a, dict_without(a, out, key), "output_attentions", v);
        else if (v.kind == VAL_DICT) {
            val clean = tidy(a, same_word("dtype", key) ? short_dtype(a, v) : v);
            if (clean.members != v.members) out = dict_with(a, out, key, clean);
        }
    }
    return out;
}
val cfg_to_dict_in(const cfg *c, arena *a) {
    session s = {.a = a};
    cfg copy = *c; /* to_dict overrides of a class change the copy */
    copy.s = &s;
    copy.entries = arena_array(a, c->n + 4, sizeof *copy.entries);
    copy.cap = c->n + 4;
    memcpy(copy.entries, c->entries, c->n * sizeof *copy.entries);
    if (c->k->rules && c->k->rules->to_dict) c->k->rules->to_dict(&copy);
    member *m = arena_array(a, copy.n + 4, sizeof *m);
    uint32_t n = 0;
    for (uint32_t i = 0; i < copy.n; i++) {
        val v = copy.entries[i].v;
        const char *key = copy.entries[i].key;
        if (hidden(key) || replaced(key)) continue;
        if (same_word("dtype", key)) v = short_dtype(a, v);
        if (v.kind == VAL_DICT) v = tidy(a, v);
        m[n++] = (member){key, v.kind == VAL_CFG ? dict_without(a, cfg_to_dict_in(v.cfg, a), "transformers_version") : v};
    }
    if (!cfg_entry_of(c, "_name_or_path")) m[n++] = (member){"_name_or_path", c->name_or_path};
    m[n++] = (member){"output_attentions", c->output_attentions};
    if (*c->k->model_type) m[n++] = (member){"model_type", val_text(c->k->model_type)};
    m[n++] = (member){"transformers_version", val_text("5.23.0")};
    return (val){.kind = VAL_DICT, .n = n, .members = m};
}
val cfg_to_dict(const cfg *c) { return cfg_to_dict_in(c, c->s->a); }

/* ---- rows ---- */

typedef struct rows { arena *a; tare_config_row *row; size_t n; } rows;
static const char *known_name(size_t i, void *to) {
    const cclass *k = to;
    if (i < k->field_count) return k->fields[i].key;
    i -= k->field_count;
    return k->aliases.kind == VAL_DICT && i < k->aliases.n ? k->aliases.members[i].key : NULL;
}
/* Keys that describe the file, not the model. */
static bool of_the_file(const char *key) {
    static const char *const keys[] = {
        "transformers_version", "architectures", "auto_map", "quantization_config", "_name_or_path", "tokenizer_class", "torch_dtype", NULL,
    };
    return word_in(key, keys);
}
static void add_row(rows *r, const cfg *c, const cfg_entry *e) {
    const char *prefix = c->path[1] ? c->path + 2 : "";
    tare_config_row *row = &r->row[r->n++];
    row->path = arena_printf(r->a, "%s%s%s", prefix, *prefix ? "." : "", e->key);
    row->value = json_line(r->a, e->v);
    row->origin = (tare_origin)e->origin;
    row->detail = e->detail;
    row->known = e->known || e->read || of_the_file(e->key);
    if (row->known) return;
    char near[160], *end;
    near_names(e->key, known_name, (void *)c->k, near, sizeof near);
    if ((end = strchr(near, ','))) *end = 0;
    if (*near) row->near = arena_text(r->a, near, strlen(near));
}
static size_t count(const cfg *c) {
    size_t n = c->n;
    for (uint32_t i = 0; i < c->n; i++)
        if (c->entries[i].v.kind == VAL_CFG) n += count(c->entries[i].v.cfg);
    return n;
}
static void gather(rows *r, const cfg *c) {
    for (uint32_t i = 0; i < c->n; i++)
        if (c->entries[i].v.kind != VAL_CFG) add_row(r, c, &c->entries[i]);
    for (uint32_t i = 0; i < c->n; i++)
        if (c->entries[i].v.kind == VAL_CFG) gather(r, c->entries[i].v.cfg);
}
size_t cfg_rows(const cfg *c, arena *a, const tare_config_row **out) {
    rows r = {.a = a, .row = arena_array(a, count(c), sizeof *r.row)};
    gather(&r, c);
    *out = r.row;
    return r.n;
}
