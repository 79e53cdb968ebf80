/* Checkpoints through tare.h: what a check says of each kind of fault, and that a load gives what was saved, whole, in parts and in pieces. */
#define _GNU_SOURCE
#include "core/arena.h"
#include "tiny.h"
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <tare.h>
#include <cmocka.h>
#include "folder.h"

#define TINY_MIXTRAL                                                                                                          \
    "{\"model_type\": \"mixtral\", \"hidden_size\": 16, \"intermediate_size\": 8, \"num_hidden_layers\": 2, "                \
    "\"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"num_local_experts\": 8, \"vocab_size\": 64, "                   \
    "\"architectures\": [\"MixtralForCausalLM\"]}"

/* ---- checkpoints to work on ---- */

typedef struct loaded { tare_checkpoint *c; tare_model *m; } loaded;

static void save_fresh(const char *json, const char *dir, uint64_t shard) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, strlen(json), NULL, &err);
    assert_non_null(m);
    tare_save_options how = {.max_shard_bytes = shard, .force = true};
    if (tare_init_save(m, &(tare_init_options){.seed = 3}, dir, &how, &err) != TARE_OK) fail_msg("%s", err.message);
    tare_model_free(m);
}
static loaded open_dir(const char *dir, const tare_open_options *o) {
    tare_error err = {0};
    loaded l = {tare_checkpoint_open(dir, NULL, &err), NULL};
    if (l.c) l.m = tare_checkpoint_model(l.c, NULL, o, &err);
    if (!l.m) fail_msg("%s: %s", dir, err.message);
    return l;
}
static void close_all(loaded *l) {
    tare_model_free(l->m);
    tare_checkpoint_free(l->c);
}
/* A copy of the only file of "from" in "to", with each `was` of its header become `is`, which has the same length. */
static void edit(const char *from, const char *to, const char *was, const char *is) {
    char path[256];
    static char text[1 << 20];
    snprintf(path, sizeof path, "%s/model.safetensors", from);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f), k = strlen(was), found = 0;
    fclose(f);
    assert_in_range(n, 9, sizeof text - 1);
    assert_int_equal(k, strlen(is));
    for (char *p = text; (p = memmem(p, n - (size_t)(p - text), was, k)); p += k) memcpy(p, is, k), found++;
    assert_true(found);
    mkdir(to, 0700);
    snprintf(path, sizeof path, "%s/model.safetensors", to);
    put_file(path, text, n);
    snprintf(path, sizeof path, "cp %s/config.json %s/config.json", from, to);
    assert_int_equal(system(path), 0);
}

/* ---- check ---- */

static tare_report *report_of(const loaded *l, const tare_check_options *o, tare_verdict *v) {
    tare_error err = {0};
    tare_report *r = tare_check(l->m, l->c, o, &err);
    if (!r) fail_msg("%s", err.message);
    tare_report_verdict(r, v);
    return r;
}
static const tare_row *row_of(const tare_report *r, const char *name) {
    const tare_row *rows;
    for (size_t i = 0, n = tare_report_rows(r, &rows); i < n; i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    fail_msg("no row of %s", name);
    return NULL;
}
static void has_cause(const tare_report *r, const char *words) {
    const char *const *texts;
    for (size_t i = 0, n = tare_report_causes(r, &texts); i < n; i++)
        if (strstr(texts[i], words)) return;
    fail_msg("no cause says \"%s\"", words);
}

static void all_families_are_complete(void **state) {
    (void)state;
    for (size_t i = 0; i < TINY; i++) {
        tare_verdict v;
        save_fresh(tiny[i], "whole", 0);
        loaded l = open_dir("whole", NULL);
        tare_report *r = report_of(&l, NULL, &v);
        assert_true(v.complete);
        assert_true(v.loads);
        const tare_row *rows;
        size_t n = tare_report_rows(r, &rows), k = 0;
        for (size_t j = 0; j < n; j++) {
            if (rows[j].rank < 0) continue;
            assert_true(rows[j].kind < TARE_ROW_MISSING);
            assert_string_equal(rows[j].name, tare_tensor_at(l.m, k++)->path);
        }
        assert_int_equal(k, tare_tensor_count(l.m)); /* every tensor of the tree has a row, and one alone */
        tare_report_free(r);
        close_all(&l);
    }
}
typedef struct said { char text[2048]; size_t n, most; } said;
static bool take_said(void *to, const char *data, size_t n) {
    said *s = to;
    if (n > s->most - s->n) return false;
    memcpy(s->text + s->n, data, n);
    s->text[s->n += n] = 0;
    return true;
}
static void says(const tare_report *r, const char *text) {
    tare_error err = {0};
    said s = {.most = sizeof s.text - 1}, none = {.most = 3};
    assert_int_equal(tare_report_write(r, take_said, &s, &err), TARE_OK);
    assert_string_equal(s.text, text);
    assert_int_equal(tare_report_write(r, take_said, &none, &err), TARE_IO);
    assert_string_equal(err.code, "io");
}
static void a_missing_tensor(void **state) {
    (void)state;
    tare_verdict v;
    save_fresh(TINY_LLAMA, "llama", 0);
    edit("llama", "odd", "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.xp_proj.weight");
    loaded l = open_dir("odd", NULL);
    tare_report *r = report_of(&l, NULL, &v);
    assert_false(v.complete);
    assert_true(v.loads); /* upstream draws it anew and goes on */
    assert_int_equal(v.rows[TARE_ROW_MISSING], 1);
    assert_int_equal(v.rows[TARE_ROW_UNEXPECTED], 1);
    assert_int_equal(row_of(r, "model.layers.1.mlp.up_proj.weight")->kind, TARE_ROW_MISSING);
    assert_int_equal(row_of(r, "model.layers.1.mlp.xp_proj.weight")->kind, TARE_ROW_UNEXPECTED);
    const char *const *names;
    assert_int_equal(tare_report_missing(r, &names), 1);
    assert_string_equal(names[0], "model.layers.1.mlp.up_proj.weight");
    assert_int_equal(tare_report_unexpected(r, &names), 1);
    says(r, "incomplete: 1 tensor has no source, 1 is not expected   (29 expected, 29 found, 1 file)\n"
            "  missing     model.layers.1.mlp.up_proj.weight  F32  32 x 16\n"
            "  unexpected  model.layers.1.mlp.xp_proj.weight  F32  32 x 16\n"
            "  tied        lm_head.weight                     = model.embed_tokens.weight\n"
            "  matched     28   by the name in the tree\n"
            "  formula      2   buffers that no file holds\n");
    tare_report_free(r);
    r = report_of(&l, &(tare_check_options){.allow_missing = true}, &v);
    assert_false(v.complete);
    tare_report_free(r);
    r = report_of(&l, &(tare_check_options){.allow_missing = true, .allow_unexpected = true}, &v);
    assert_true(v.complete);
    tare_report_free(r);
    r = report_of(&l, &(tare_check_options){.like_transformers = true}, &v);
    assert_true(v.complete);
    tare_report_free(r);
    close_all(&l);
}
static void another_size(void **state) {
    (void)state;
    tare_verdict v;
    const char *set[] = {"vocab_size=60", NULL};
    save_fresh(TINY_LLAMA, "llama", 0);
    loaded l = open_dir("llama", &(tare_open_options){.set = set});
    tare_report *r = report_of(&l, NULL, &v);
    assert_false(v.complete);
    assert_false(v.loads);
    const tare_row *row = row_of(r, "model.embed_tokens.weight");
    assert_int_equal(row->kind, TARE_ROW_SHAPE);
    assert_int_equal(row->file_shape[0], 64);
    assert_int_equal(row->shape[0], 60);
    has_cause(r, "vocab_size is 60 in the config, and 1 tensor of the file says 64");
    tare_report_free(r);
    r = report_of(&l, &(tare_check_options){.allow_mismatched = true}, &v);
    assert_true(v.complete);
    assert_true(v.loads);
    tare_report_free(r);
    close_all(&l);
}
static void another_depth(void **state) {
    (void)state;
    tare_verdict v;
    const char *set[] = {"num_hidden_layers=5", NULL};
    save_fresh(TINY_LLAMA, "llama", 0);
    loaded l = open_dir("llama", &(tare_open_options){.set = set});
    tare_report *r = report_of(&l, NULL, &v);
    assert_int_equal(v.rows[TARE_ROW_MISSING], 2 * 9);
    has_cause(r, "num_hidden_layers is 5 in the config, and the file has 3");
    tare_report_free(r);
    close_all(&l);
}
static void another_prefix(void **state) {
    (void)state;
    tare_verdict v;
    save_fresh(TINY_LLAMA, "llama", 0);
    edit("llama", "odd", "\"model.", "\"outer.");
    loaded l = open_dir("odd", NULL);
    tare_report *r = report_of(&l, NULL, &v);
    assert_false(v.complete);
    has_cause(r, "with \"model.\" in place of \"outer.\": try --strip-prefix outer. --add-prefix model.");
    tare_report_free(r);
    r = report_of(&l, &(tare_check_options){.strip_prefix = "outer."}, &v); /* the base's own prefix comes back by itself */
    assert_true(v.complete);
    assert_int_equal(row_of(r, "model.norm.weight")->kind, TARE_ROW_RENAMED);
    tare_report_free(r);
    close_all(&l);
}
static void another_dtype(void **state) {
    (void)state;
    tare_verdict v;
    save_fresh(TINY_LLAMA, "llama", 0);
    edit("llama", "odd", "model.norm.weight\":{\"dtype\":\"F32\"", "model.norm.weight\":{\"dtype\":\"I32\"");
    loaded l = open_dir("odd", NULL);
    tare_report *r = report_of(&l, NULL, &v);
    assert_false(v.complete);
    assert_true(v.loads); /* upstream casts whatever it finds */
    assert_int_equal(row_of(r, "model.norm.weight")->kind, TARE_ROW_DTYPE);
    tare_report_free(r);
    close_all(&l);
}
static void experts_with_a_gap(void **state) {
    (void)state;
    tare_verdict v;
    save_fresh(TINY_MIXTRAL, "mixtral", 0);
    edit("mixtral", "odd", "model.layers.1.block_sparse_moe.experts.5.", "model.layers.1.block_sparse_moe.experts.9.");
    loaded l = open_dir("odd", NULL);
    tare_report *r = report_of(&l, NULL, &v);
    const tare_row *row = row_of(r, "model.layers.1.mlp.experts.gate_up_proj");
    assert_int_equal(row->kind, TARE_ROW_CONVERSION);
    assert_non_null(strstr(row->why, "not numbered from 0 without a gap"));
    assert_int_equal(row_of(r, "model.layers.0.mlp.experts.gate_up_proj")->kind, TARE_ROW_CONVERTED);
    assert_int_equal(row_of(r, "model.layers.0.mlp.experts.gate_up_proj")->keys, 16);
    assert_false(v.complete);
    assert_true(v.loads); /* eight are there: upstream stacks them, the wrong one at the end */
    tare_report_free(r);
    edit("mixtral", "odd", "model.layers.1.block_sparse_moe.experts.7.w3", "model.layers.1.block_sparse_moe.experts.7.x3");
    close_all(&l);
    l = open_dir("odd", NULL);
    r = report_of(&l, NULL, &v);
    assert_int_equal(row_of(r, "model.layers.1.mlp.experts.gate_up_proj")->kind, TARE_ROW_CONVERSION);
    assert_false(v.loads);
    tare_report_free(r);
    close_all(&l);
}
static bool count_mapping(void *to, const tare_mapping *row) {
    size_t *n = to;
    n[row->name == NULL]++;
    if (!strcmp(row->key, "model.layers.0.block_sparse_moe.experts.3.w3.weight")) {
        n[2]++;
        assert_string_equal(row->name, "model.layers.0.mlp.experts.gate_up_proj");
        assert_string_equal(row->operation, "stacked, joined: [3, 8:16, 0:16]");
    }
    return true;
}
static void every_key_goes_somewhere(void **state) {
    (void)state;
    tare_verdict v;
    size_t n[3] = {0};
    save_fresh(TINY_MIXTRAL, "mixtral", 0);
    loaded l = open_dir("mixtral", NULL);
    tare_report *r = report_of(&l, NULL, &v);
    assert_int_equal(tare_report_mapping(r, count_mapping, n), TARE_OK);
    assert_int_equal(n[0], v.found);
    assert_int_equal(n[1], 0);
    assert_int_equal(n[2], 1);
    tare_report_free(r);
    close_all(&l);
}
static void ties(void **state) {
    (void)state;
    tare_verdict v;
    const char *apart[] = {"tie_word_embeddings=false", NULL};
    save_fresh(TINY_LLAMA, "llama", 0);
    loaded l = open_dir("llama", NULL);
    tare_report *r = report_of(&l, NULL, &v);
    assert_int_equal(row_of(r, "lm_head.weight")->kind, TARE_ROW_TIED);
    assert_string_equal(row_of(r, "lm_head.weight")->key, "model.embed_tokens.weight");
    tare_report_free(r);
    close_all(&l);
    l = open_dir("llama", &(tare_open_options){.set = apart});
    r = report_of(&l, NULL, &v);
    assert_int_equal(row_of(r, "lm_head.weight")->kind, TARE_ROW_MISSING);
    has_cause(r, "--set tie_word_embeddings=true");
    tare_report_free(r);
    close_all(&l);
}

/* ---- load ---- */

static tare_weights *load(const loaded *l, const tare_load_options *o) {
    tare_error err = {0};
    tare_weights *w = tare_load(l->m, l->c, o, &err);
    if (!w) fail_msg("%s", err.message);
    return w;
}
static void load_refused(const loaded *l, const tare_load_options *o, tare_status status, const char *code) {
    tare_error err = {0};
    assert_null(tare_load(l->m, l->c, o, &err));
    if (err.status != status || strcmp(err.code, code)) fail_msg("%d %s: %s", err.status, err.code, err.message);
}
static uint64_t bytes_of(const tare_item *t) {
    uint64_t n = tare_dtype_bytes(t->dtype);
    for (int i = 0; i < t->rank; i++) n *= (uint64_t)t->shape[i];
    return n;
}
static void same_weights(const loaded *l, const tare_weights *a, const tare_weights *b) {
    for (size_t i = 0; i < tare_tensor_count(l->m); i++) {
        const tare_item *t = tare_tensor_at(l->m, i);
        assert_non_null(tare_weights_data(a, t));
        assert_memory_equal(tare_weights_data(a, t), tare_weights_data(b, t), bytes_of(t));
    }
}
/* What was drawn and saved comes back, also out of shards of some tensors each, on any number of threads and every way of reading. */
static void what_was_saved_is_loaded(void **state) {
    (void)state;
    static const tare_load_options ways[] = {{.threads = 1}, {.threads = 3}, {.io = TARE_IO_MAP}, {.io = TARE_IO_DIRECT, .threads = 2}};
    for (size_t i = 0; i < TINY; i++) {
        save_fresh(tiny[i], "whole", i % 2 ? 3000 : 0);
        loaded l = open_dir("whole", NULL);
        tare_error err = {0};
        tare_weights *fresh = tare_init(l.m, &(tare_init_options){.seed = 3}, &err);
        assert_non_null(fresh);
        for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
            tare_weights *w = load(&l, &ways[k]);
            same_weights(&l, w, fresh);
            assert_int_equal(tare_weights_bytes(w), tare_weights_bytes(fresh));
            tare_weights_free(w);
        }
        tare_weights_free(fresh);
        close_all(&l);
    }
}
static void ties_are_one_tensor(void **state) {
    (void)state;
    save_fresh(TINY_LLAMA, "llama", 0);
    loaded l = open_dir("llama", NULL);
    tare_weights *w = load(&l, NULL);
    const tare_item *head = tare_tensor_find(l.m, "lm_head.weight"), *embed = tare_tensor_find(l.m, "model.embed_tokens.weight");
    tare_item held;
    assert_ptr_equal(tare_weights_data(w, head), tare_weights_data(w, embed));
    assert_true(tare_weights_item(w, head, &held));
    assert_string_equal(held.owner, "model.embed_tokens.weight");
    tare_weights_free(w);
    close_all(&l);
}
static void only_some(void **state) {
    (void)state;
    static const char *const only[] = {"model.layers.1", "lm_head", NULL}, *const none[] = {"model.layers.7", NULL};
    save_fresh(TINY_LLAMA, "llama", 0);
    loaded l = open_dir("llama", NULL);
    tare_weights *w = load(&l, &(tare_load_options){.only = only});
    tare_item held;
    assert_null(tare_weights_data(w, tare_tensor_find(l.m, "model.layers.0.mlp.up_proj.weight")));
    assert_false(tare_weights_item(w, tare_tensor_find(l.m, "model.norm.weight"), &held));
    assert_non_null(tare_weights_data(w, tare_tensor_find(l.m, "model.layers.1.mlp.up_proj.weight")));
    assert_non_null(tare_weights_data(w, tare_tensor_find(l.m, "lm_head.weight")));
    tare_weights_free(w);
    load_refused(&l, &(tare_load_options){.only = none}, TARE_USAGE, "usage");
    static const char map[] = "{\"model\": 1, \"model.layers.2\": 0, \"lm_head\": \"cpu\"}";
    w = load(&l, &(tare_load_options){.device_map = map, .device = "0"});
    assert_non_null(tare_weights_data(w, tare_tensor_find(l.m, "model.layers.2.mlp.up_proj.weight")));
    assert_null(tare_weights_data(w, tare_tensor_find(l.m, "model.layers.1.mlp.up_proj.weight")));
    tare_weights_free(w);
    load_refused(&l, &(tare_load_options){.device_map = map, .device = "7"}, TARE_USAGE, "usage");
    load_refused(&l, &(tare_load_options){.device_map = map}, TARE_USAGE, "usage");
    load_refused(&l, &(tare_load_options){.device_map = "[", .device = "0"}, TARE_BAD, "bad_json");
    close_all(&l);
}

/* The parts of all ranks, laid side by side, are the whole. */
static void put_part(unsigned char *whole, const tare_item *t, const unsigned char *part, const tare_item *p, int rank, int ranks) {
    int axis = 0;
    while (axis < t->rank && t->shape[axis] == p->shape[axis]) axis++;
    uint64_t unit = tare_dtype_bytes(t->dtype), outer = 1;
    if (axis == t->rank) {
        memcpy(whole, part, bytes_of(t));
        return;
    }
    int64_t blocks = strstr(t->path, "gate_up_proj") ? 2 : 1, block = t->shape[axis] / blocks, n = p->shape[axis] / blocks;
    int64_t first = (block / ranks + (block % ranks != 0)) * rank;
    for (int i = axis + 1; i < t->rank; i++) unit *= (uint64_t)t->shape[i];
    for (int i = 0; i < axis; i++) outer *= (uint64_t)t->shape[i];
    for (uint64_t o = 0; o < outer; o++)
        for (int64_t b = 0; b < blocks; b++)
            memcpy(whole + (o * (uint64_t)t->shape[axis] + (uint64_t)(b * block + first)) * unit,
                   part + (o * (uint64_t)p->shape[axis] + (uint64_t)(b * n)) * unit, (uint64_t)n * unit);
}
static void ranks_make_up_the_whole(void **state) {
    (void)state;
    enum { RANKS = 3, MOST = 1 << 18 };
    static const char *const configs[] = {TINY_LLAMA, TINY_MIXTRAL};
    for (size_t k = 0; k < 2; k++) {
        save_fresh(configs[k], "whole", 0);
        loaded l = open_dir("whole", NULL);
        tare_weights *whole = load(&l, NULL), *parts[RANKS];
        for (int r = 0; r < RANKS; r++) parts[r] = load(&l, &(tare_load_options){.rank = r, .ranks = RANKS});
        assert_true(tare_weights_bytes(parts[0]) < tare_weights_bytes(whole));
        for (size_t i = 0; i < tare_tensor_count(l.m); i++) {
            static unsigned char joined[MOST];
            const tare_item *t = tare_tensor_at(l.m, i);
            assert_in_range(bytes_of(t), 0, MOST);
            memset(joined, 0xAA, MOST);
            for (int r = 0; r < RANKS; r++) {
                tare_item held;
                assert_true(tare_weights_item(parts[r], t, &held));
                put_part(joined, t, tare_weights_data(parts[r], t), &held, r, RANKS);
            }
            assert_memory_equal(joined, tare_weights_data(whole, t), bytes_of(t));
        }
        for (int r = 0; r < RANKS; r++) tare_weights_free(parts[r]);
        tare_weights_free(whole);
        load_refused(&l, &(tare_load_options){.rank = 3, .ranks = 3}, TARE_USAGE, "usage");
        close_all(&l);
    }
    save_fresh(TINY_RESNET, "whole", 0);
    loaded l = open_dir("whole", NULL);
    load_refused(&l, &(tare_load_options){.rank = 0, .ranks = 2}, TARE_NO, "not_available"); /* no plan */
    close_all(&l);
}
static bool first_rows(void *to, const tare_item *t, tare_slice *s) {
    (void)to;
    if (t->rank == 2 && t->shape[0] > 2) *s = (tare_slice){.axis = 0, .first = 1, .n = 2, .blocks = 1};
    return true;
}
static bool too_far(void *to, const tare_item *t, tare_slice *s) {
    (void)to;
    if (t->rank == 2) *s = (tare_slice){.axis = 1, .first = 1, .n = t->shape[1], .blocks = 1};
    return true;
}
static void slices(void **state) {
    (void)state;
    save_fresh(TINY_BERT, "bert", 0);
    loaded l = open_dir("bert", NULL);
    tare_weights *whole = load(&l, NULL), *part = load(&l, &(tare_load_options){.slice = first_rows});
    for (size_t i = 0; i < tare_tensor_count(l.m); i++) {
        const tare_item *t = tare_tensor_at(l.m, i);
        if (t->rank != 2 || t->shape[0] <= 2) continue;
        tare_item held;
        assert_true(tare_weights_item(part, t, &held));
        assert_int_equal(held.shape[0], 2);
        assert_memory_equal(tare_weights_data(part, t), (char *)tare_weights_data(whole, t) + t->shape[1] * 4, (size_t)t->shape[1] * 8);
    }
    tare_weights_free(part);
    tare_weights_free(whole);
    load_refused(&l, &(tare_load_options){.slice = too_far}, TARE_USAGE, "usage");
    close_all(&l);
}

/* ---- to whoever takes it ---- */

typedef struct taken { const loaded *l; unsigned char *bytes[256]; uint64_t held[256]; bool done[256]; bool whole, stop; pthread_mutex_t lock; } taken;
static size_t slot_of(const taken *k, const tare_item *t) { return (size_t)(tare_tensor_find(k->l->m, t->path) - tare_tensor_at(k->l->m, 0)); }
static void *take_memory(void *to, const tare_item *t, uint64_t n) {
    taken *k = to;
    assert_int_equal(n, bytes_of(t));
    size_t i = slot_of(k, t);
    k->bytes[i] = malloc(n + 1);
    k->held[i] = k->whole ? n : 0;
    return k->whole ? k->bytes[i] : NULL;
}
static bool take_piece(void *to, const tare_item *t, uint64_t first, const void *bytes, size_t n) {
    taken *k = to;
    size_t i = slot_of(k, t);
    assert_false(k->whole);
    assert_int_equal(first, k->held[i]);
    memcpy(k->bytes[i] + first, bytes, n);
    k->held[i] += n;
    return !k->stop;
}
static bool take_done(void *to, const tare_item *t) {
    taken *k = to;
    size_t i = slot_of(k, t);
    assert_false(k->done[i]);
    assert_int_equal(k->held[i], bytes_of(t));
    return k->done[i] = true;
}
static void tensors_are_handed_over(void **state) {
    (void)state;
    save_fresh(TINY_MIXTRAL, "mixtral", 0);
    loaded l = open_dir("mixtral", NULL);
    tare_weights *w = load(&l, NULL);
    for (int whole = 0; whole < 2; whole++) {
        taken k = {.l = &l, .whole = whole};
        tare_receiver r = {take_memory, take_piece, take_done, &k};
        tare_error err = {0};
        if (tare_load_to(l.m, l.c, &(tare_load_options){.threads = 2}, &r, &err) != TARE_OK) fail_msg("%s", err.message);
        for (size_t i = 0; i < tare_tensor_count(l.m); i++) {
            const tare_item *t = tare_tensor_at(l.m, i);
            assert_int_equal(k.done[i], !t->owner);
            if (k.done[i]) assert_memory_equal(k.bytes[i], tare_weights_data(w, t), bytes_of(t));
            free(k.bytes[i]);
        }
    }
    taken k = {.l = &l, .stop = true};
    tare_receiver r = {take_memory, take_piece, take_done, &k};
    tare_error err = {0};
    assert_int_equal(tare_load_to(l.m, l.c, &(tare_load_options){.threads = 1}, &r, &err), TARE_IO);
    assert_string_equal(err.code, "cancelled");
    for (size_t i = 0; i < 256; i++) free(k.bytes[i]);
    tare_weights_free(w);
    close_all(&l);
}
static void layer_by_layer(void **state) {
    (void)state;
    static const char *const configs[] = {TINY_LLAMA, TINY_T5, TINY_GEMMA3, TINY_RESNET};
    for (size_t c = 0; c < 4; c++) {
        save_fresh(configs[c], "whole", 0);
        loaded l = open_dir("whole", NULL);
        tare_error err = {0};
        tare_weights *whole = load(&l, NULL);
        tare_window *w = tare_window_open(l.m, l.c, NULL, &err);
        assert_non_null(w);
        const tare_unit *units;
        size_t n = tare_window_units(w, &units), seen = 0;
        assert_true(tare_window_bytes(w) < tare_weights_bytes(whole));
        assert_null(tare_window_data(w, tare_tensor_at(l.m, 0), NULL));
        for (size_t i = n; i-- > 0;) {
            assert_int_equal(tare_window_load(w, i, &err), TARE_OK);
            for (size_t k = units[i].first; k < units[i].first + units[i].n; k++, seen++) {
                tare_item held;
                const tare_item *t = tare_tensor_at(l.m, k);
                const void *x = tare_window_data(w, t, &held);
                assert_non_null(x);
                assert_memory_equal(x, tare_weights_data(whole, t), bytes_of(&held));
            }
            assert_int_equal(tare_window_data(w, tare_tensor_at(l.m, units[i].first + units[i].n), NULL) != NULL, 0);
        }
        assert_int_equal(seen, tare_tensor_count(l.m));
        assert_int_equal(tare_window_load(w, n, &err), TARE_USAGE);
        tare_window_free(w);
        tare_weights_free(whole);
        close_all(&l);
    }
}

/* ---- limits, casts, what is missing ---- */

static void too_little_memory(void **state) {
    (void)state;
    uint64_t tensors, reading;
    tare_error err = {0};
    save_fresh(TINY_LLAMA, "llama", 0);
    loaded l = open_dir("llama", NULL);
    assert_int_equal(tare_load_need(l.m, l.c, NULL, &tensors, &reading, &err), TARE_OK);
    assert_in_range(reading, 1, 64 << 20);
    load_refused(&l, &(tare_load_options){.memory_limit = tensors + reading - 1}, TARE_IO, "out_of_memory");
    tare_weights *w = load(&l, &(tare_load_options){.memory_limit = tensors + reading});
    assert_int_equal(tare_weights_bytes(w), tensors);
    tare_weights_free(w);
    close_all(&l);
}
static void kept_in_float32(void **state) {
    (void)state;
    save_fresh(TINY_T5, "t5", 0);
    loaded l = open_dir("t5", &(tare_open_options){.dtype = "float16", .class_name = "T5ForConditionalGeneration"});
    tare_weights *w = load(&l, NULL);
    tare_item held;
    assert_true(tare_weights_item(w, tare_tensor_find(l.m, "encoder.block.0.layer.1.DenseReluDense.wo.weight"), &held));
    assert_int_equal(held.dtype, TARE_F32); /* _keep_in_fp32_modules = ["wo"] */
    assert_true(tare_weights_item(w, tare_tensor_find(l.m, "encoder.block.0.layer.1.DenseReluDense.wi.weight"), &held));
    assert_int_equal(held.dtype, TARE_F16);
    tare_weights_free(w);
    close_all(&l);
}
static bool seen_odd(void *to, const tare_item *t, uint64_t nan, uint64_t inf) {
    uint64_t *n = to;
    if (!strcmp(t->path, "model.norm.weight")) n[0]++;
    n[1] += nan;
    n[2] += inf;
    return true;
}
static void what_is_not_finite(void **state) {
    (void)state;
    static unsigned char file[1 << 20];
    save_fresh(TINY_LLAMA, "llama", 0);
    loaded l = open_dir("llama", NULL);
    const tare_stored *rows;
    uint64_t at = 0;
    for (size_t i = 0, n = tare_checkpoint_tensors(l.c, &rows); i < n; i++)
        if (!strcmp(rows[i].key, "model.norm.weight")) at = rows[i].at;
    close_all(&l);
    FILE *f = fopen("llama/model.safetensors", "rb");
    size_t n = fread(file, 1, sizeof file, f);
    fclose(f);
    memcpy(file + at, (float[]){NAN, 1, -INFINITY, INFINITY}, 16);
    put_file("llama/model.safetensors", file, n);
    l = open_dir("llama", NULL);
    uint64_t counts[3] = {0};
    tare_weights *w = load(&l, &(tare_load_options){.odd = seen_odd, .odd_to = counts});
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 1);
    assert_int_equal(counts[2], 2);
    tare_weights_free(w);
    close_all(&l);
}
/* A missing tensor, where it may be, has the value that it has in a fresh model. */
static void what_is_missing_is_drawn(void **state) {
    (void)state;
    save_fresh(TINY_LLAMA, "llama", 0);
    edit("llama", "odd", "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.xp_proj.weight");
    loaded l = open_dir("odd", NULL);
    load_refused(&l, NULL, TARE_NO, "incomplete");
    tare_check_options allow = {.allow_missing = true, .allow_unexpected = true};
    for (int rng = 0; rng < 2; rng++) {
        tare_error err = {0};
        tare_weights *w = load(&l, &(tare_load_options){.check = allow, .seed = 9, .rng = (tare_rng)rng});
        tare_weights *fresh = tare_init(l.m, &(tare_init_options){.seed = 9, .rng = (tare_rng)rng}, &err);
        const tare_item *t = tare_tensor_find(l.m, "model.layers.1.mlp.up_proj.weight");
        assert_memory_equal(tare_weights_data(w, t), tare_weights_data(fresh, t), bytes_of(t));
        tare_weights_free(fresh);
        tare_weights_free(w);
    }
    close_all(&l);
}
static bool stop_at_once(void *to, uint64_t done, uint64_t all) { return (void)to, (void)done, (void)all, false; }
static void a_load_is_cancelled(void **state) {
    (void)state;
    save_fresh(TINY_LLAMA, "llama", 0);
    loaded l = open_dir("llama", NULL);
    load_refused(&l, &(tare_load_options){.progress = stop_at_once}, TARE_IO, "cancelled");
    close_all(&l);
}
static void bytes_are_read_as_they_are(void **state) {
    (void)state;
    save_fresh(TINY_LLAMA, "llama", 0);
    loaded l = open_dir("llama", NULL);
    tare_weights *w = load(&l, NULL);
    const tare_stored *rows;
    const tare_stored_file *files;
    const tare_flaw *flaws;
    tare_error err = {0};
    size_t n = tare_checkpoint_tensors(l.c, &rows);
    assert_int_equal(tare_checkpoint_files(l.c, &files), 1);
    assert_int_equal(files[0].tensors, n);
    assert_int_equal(tare_checkpoint_flaws(l.c, &flaws), 0);
    for (size_t i = 0; i < n; i++) {
        unsigned char x[64];
        const unsigned char *held = tare_weights_data(w, tare_tensor_find(l.m, rows[i].key));
        assert_int_equal(tare_checkpoint_read(l.c, &rows[i], 4, x, 16, &err), TARE_OK);
        assert_memory_equal(x, held + 4, 16);
        assert_int_equal(tare_checkpoint_read(l.c, &rows[i], rows[i].bytes - 3, x, 4, &err), TARE_USAGE);
    }
    tare_stored other = rows[0];
    assert_int_equal(tare_checkpoint_read(l.c, &other, 0, &other, 1, &err), TARE_USAGE);
    tare_weights_free(w);
    close_all(&l);
}

/* ---- memory runs out at the k-th allocation, for every k ---- */

static bool any_digest(void *to, const tare_item *t, const char hex[65]) { return (void)to, t && hex; }
static bool by_check(const loaded *l, tare_error *err) {
    const char *const *names;
    tare_report *r = tare_check(l->m, l->c, NULL, err);
    said s = {.most = sizeof s.text - 1};
    if (r) tare_report_unexpected(r, &names), tare_report_missing(r, &names);
    bool ok = r && tare_report_write(r, take_said, &s, err) == TARE_OK;
    tare_report_free(r);
    return ok;
}
static bool by_load(const loaded *l, tare_error *err) {
    tare_weights *w = tare_load(l->m, l->c, &(tare_load_options){.threads = 1}, err);
    tare_weights_free(w);
    return w != NULL;
}
static bool by_mapping(const loaded *l, tare_error *err) {
    tare_weights *w = tare_load(l->m, l->c, &(tare_load_options){.threads = 1, .io = TARE_IO_MAP}, err);
    tare_weights_free(w);
    return w != NULL;
}
static bool by_digests(const loaded *l, tare_error *err) {
    return tare_load_digests(l->m, l->c, &(tare_load_options){.threads = 1}, any_digest, NULL, err) == TARE_OK;
}
static bool by_window(const loaded *l, tare_error *err) {
    tare_window *w = tare_window_open(l->m, l->c, &(tare_load_options){.threads = 1}, err);
    bool ok = w && tare_window_load(w, 1, err) == TARE_OK;
    tare_window_free(w);
    return ok;
}
static bool by_rewriting(const loaded *l, tare_error *err) {
    return tare_materialise(l->m, l->c, &(tare_load_options){.threads = 1}, "again", &(tare_save_options){.force = true}, err) == TARE_OK;
}
static bool by_opening(const loaded *l, tare_error *err) {
    (void)l;
    const tare_stored *rows;
    tare_checkpoint *c = tare_checkpoint_open("mixtral", NULL, err);
    tare_model *m = c ? tare_checkpoint_model(c, NULL, NULL, err) : NULL;
    if (c) tare_checkpoint_tensors(c, &rows);
    tare_model_free(m);
    tare_checkpoint_free(c);
    return m != NULL;
}
static void out_of_memory_anywhere(void **state) {
    (void)state;
    static const struct { const char *name; bool (*call)(const loaded *l, tare_error *err); } calls[] = {
        {"open", by_opening}, {"check", by_check}, {"load", by_load}, {"map", by_mapping}, {"digests", by_digests}, {"window", by_window},
        {"materialise", by_rewriting},
    };
    enum { MOST = 4000 };
    save_fresh(TINY_MIXTRAL, "mixtral", 4000);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        long k = 1;
        for (bool ok = false; !ok && k < MOST; k++) { /* a model of its own each time: what it makes when first asked for fails too */
            loaded l = open_dir("mixtral", NULL);
            tare_error err = {0};
            tarei_fail_after(k);
            ok = calls[i].call(&l, &err);
            tarei_fail_after(0);
            if (!ok && (err.status != TARE_IO || strcmp(err.code, "out_of_memory")))
                fail_msg("%s, allocation %ld: %d %s: %s", calls[i].name, k, err.status, err.code, err.message);
            close_all(&l);
        }
        assert_in_range(k, 3, MOST - 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_families_are_complete), cmocka_unit_test(a_missing_tensor), cmocka_unit_test(another_size),
        cmocka_unit_test(another_depth), cmocka_unit_test(another_prefix), cmocka_unit_test(another_dtype), cmocka_unit_test(experts_with_a_gap),
        cmocka_unit_test(every_key_goes_somewhere), cmocka_unit_test(ties), cmocka_unit_test(what_was_saved_is_loaded),
        cmocka_unit_test(ties_are_one_tensor), cmocka_unit_test(only_some), cmocka_unit_test(ranks_make_up_the_whole), cmocka_unit_test(slices),
        cmocka_unit_test(tensors_are_handed_over), cmocka_unit_test(layer_by_layer), cmocka_unit_test(too_little_memory),
        cmocka_unit_test(kept_in_float32), cmocka_unit_test(what_is_not_finite), cmocka_unit_test(what_is_missing_is_drawn),
        cmocka_unit_test(a_load_is_cancelled), cmocka_unit_test(bytes_are_read_as_they_are),
        cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
