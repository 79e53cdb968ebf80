/* The layout on disk: how patterns rename, which rules reach a name, which of tied names stays, and where each byte goes.
 * What is expected was dumped from the reference's own classes. */
#include "../../src/api/handle.h"
#include "../../src/core/buf.h"
#include "../../src/files/layout.h"
#include "../../src/files/names.h"
#include "../../src/files/pattern.h"
#include "../../src/files/rules.h"
#include "tiny.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- patterns ---- */

typedef struct desk { /* an arena to work in; it is at a fixed place, as the patterns' callbacks need */
    arena a;
    patterns p;
    tare_error err;
} desk;
static jmp_buf exhausted;
static void desk_open(desk *d) {
    *d = (desk){.a = {.unwind = &exhausted}};
    patterns_start(&d->p, &d->a, &d->err);
}
static void renames(const char *const *from, const char *const *to, const char *scope, const char *key, const char *want) {
    desk d;
    transform t;
    size_t which;
    if (setjmp(exhausted)) fail_msg("out of memory");
    desk_open(&d);
    assert_true(transform_make(&d.p, from, to, &t));
    t.scope = scope, t.base = "model";
    const char *got = transform_key(&d.p, &t, key, &which);
    if (!want) assert_null(got);
    else if (!got) fail_msg("%s: no match", key);
    else assert_string_equal(got, want);
    arena_free(&d.a);
}
static void test_renaming(void **state) {
    (void)state;
    renames(SET("layers."), SET("encoder.layer."), NULL, "model.layersX0.layers.1.w", "model.encoder.layer.0.layers.1.w"); /* a dot is any character */
    renames(SET("w(?=x)"), SET("v"), NULL, "aw.bwx", "av.bwx"); /* the first occurrence of what matched */
    renames(SET("weight"), SET("kernel"), NULL, "a.weight_scale.weight", "a.kernel_scale.weight");
    renames(SET("weight", "weight.absmax"), SET("out"), NULL, "a.weight.absmax", "a.out"); /* the longest first */
    renames(SET("hc_"), SET("q_"), NULL, "a.hc_fn", "a.q_fn");
    renames(SET("weight"), SET("kernel"), NULL, "a.weight_scale", NULL);
    renames(SET("a.*.w"), SET("x"), NULL, "a.3.b.w", "x");
}
static void test_both_sides(void **state) {
    (void)state;
    renames(SET("^(encoder|decoder)\\.layer"), SET("model.\\1.block"), NULL, "decoder.layer.0", "model.decoder.block.0");
    renames(SET("model.\\1.block"), SET("^(encoder|decoder)\\.layer"), NULL, "model.decoder.block.0", "decoder.layer.0");
    renames(SET("model.\\1.block"), SET("^(encoder|decoder)\\.layer"), NULL, "x.model.decoder.block.0", NULL); /* anchored, as its other side is */
    renames(SET("^model.visual(?!\\.proj)"), SET("^visual"), NULL, "model.visual.x", "visual.x");
    renames(SET("x"), SET("^model.visual(?!\\.proj)"), NULL, "x.y", "model.visual.y");
}
static void test_scope(void **state) {
    (void)state;
    renames(SET("^x"), SET("y"), "tower", "model.tower.x.w", "model.tower.y.w");
    renames(SET("^x"), SET("y"), "tower", "tower.x.w", "tower.y.w");
    renames(SET("^x"), SET("y"), "tower", "x.w", NULL);
    renames(SET("^x"), SET("y"), "tower", "model.x.w", NULL);
    renames(SET("^x"), SET("y"), "tower", "towerx.x.w", NULL);
    renames(SET("^x"), SET("y"), "", "model.x.w", "model.y.w");
    renames(SET("^x"), SET("y"), "", "x.w", "y.w");
}
/* More than one kind of rule, through a set of them as a model has it; keys one after another, as a file gives them. */
static void loads(const layout_rule *rules, const char *const *keys, const char *const *want) {
    desk d;
    rule_set set;
    if (setjmp(exhausted)) fail_msg("out of memory");
    model_class cls = {.name = "Probe", .own = {.layout = rules}};
    node root = {.cls = "Probe", .model = &cls};
    desk_open(&d);
    if (!rules_for_load(&d.p, &root, &set)) fail_msg("%s", d.err.message);
    for (size_t i = 0; keys[i]; i++) assert_string_equal(rules_rename(&d.p, &set, keys[i]), want[i]);
    assert_int_equal(d.err.status, TARE_OK);
    arena_free(&d.a);
}
static void test_prefixes(void **state) {
    (void)state;
    loads(LAYOUT(PREFIX_REMOVE("thinker")), SET("thinker.a.w", "thinkers.a", "a.thinker.w", "thinker."),
        SET("a.w", "thinkers.a", "a.thinker.w", "thinker."));
    loads(LAYOUT(PREFIX_ADD("timm")), SET("a.w", "timm.a", "timmy.a"), SET("timm.a.w", "timm.a", "timm.timmy.a"));
    loads(LAYOUT(PREFIX_ADD_IN("model", "text")), SET("model.a", "model.text.a", "a.w"), SET("model.text.a", "model.text.a", "a.w"));
    loads(LAYOUT(PREFIX_REMOVE_IN("model.text", "model")), SET("model.text.model.a", "model.text.a"), SET("model.text.a", "model.text.a"));
}
static void test_pairs(void **state) {
    (void)state;
    const layout_rule rules[] = {
        GROUP_RENAME(SET("blocks.(\\d+).norm0", "blocks.(\\d+).norm1"), SET("blocks.\\1.norm1", "blocks.\\1.norm2")), {.what = LAYOUT_END},
    };
    loads(rules, SET("blocks.0.norm0.w", "blocks.0.norm1.w", "blocks.12.norm1.w"), SET("blocks.0.norm1.w", "blocks.0.norm2.w", "blocks.12.norm2.w"));
    loads(rules, SET("blocks.0.norm1.w", "blocks.0.norm2.w"), SET("blocks.0.norm1.w", "blocks.0.norm2.w")); /* nothing woke it */
    const layout_rule shifted[] = {RENAME_SHIFTED("queries\\.(\\d+)", "layers.\\1.query", 1), {.what = LAYOUT_END}};
    loads(shifted, SET("queries.9"), SET("layers.10.query"));
}
static void test_old_names(void **state) {
    (void)state;
    const layout_rule none[] = {{.what = LAYOUT_END}};
    loads(none, SET("a.LayerNorm.gamma", "a.LayerNorm.beta", "conv.weight_g", "conv.weight_v", "conv.weight_vx",
            "language_model.model.model.norm.weight"),
        SET("a.LayerNorm.weight", "a.LayerNorm.bias", "conv.parametrizations.weight.original0", "conv.parametrizations.weight.original1",
            "conv.weight_vx", "model.language_model.norm.weight"));
}
/* Of converters with one pattern the last one's operations run. */
static void test_same_pattern(void **state) {
    (void)state;
    const layout_rule rules[] = {
        CONVERT(SET("a", "b"), SET("x"), Concatenate(0)), CONVERT(SET("b"), SET("y"), Transpose(0, 1)), {.what = LAYOUT_END},
    };
    desk d;
    rule_set set;
    size_t converter, which;
    if (setjmp(exhausted)) fail_msg("out of memory");
    model_class cls = {.name = "Probe", .own = {.layout = rules}};
    node root = {.cls = "Probe", .model = &cls};
    desk_open(&d);
    assert_true(rules_for_load(&d.p, &root, &set));
    assert_string_equal(rules_convert(&d.p, &set, "m.b", &converter, &which), "m.x");
    assert_int_equal(converter, 1);
    assert_int_equal(which, 0);
    assert_true(set.converters[0].t.used);
    assert_null(rules_convert(&d.p, &set, "m.c", &converter, &which));
    arena_free(&d.a);
}
/* A key without a pattern's letters needs no regular expression; one with a line's end is no trap. */
static void test_literals(void **state) {
    (void)state;
    renames(SET("e.*.w"), SET("all"), NULL, "e.0.w.1.w.b", "all.b"); /* a star takes all that it can */
    renames(SET("e.*.w"), SET("all"), NULL, "e.0.wx.1.w1", NULL);
    renames(SET("b", "a.c"), SET("x"), NULL, "b.a.c", "x.a.c"); /* the match that begins first */
    renames(SET("."), SET("x"), NULL, "ab", "xb");
    renames(SET("^a.c"), SET("x"), NULL, "a\nc", NULL);
    renames(SET("^p\\.(.+)"), SET("\\1"), NULL, "p.a\nb", "a\nb");
    renames(SET("x[)(]+y"), SET("z"), NULL, "a.x)(y", "a.z");
    renames(SET("(?:foo|bar)baz"), SET("z"), NULL, "a.barbaz", "a.z");
    renames(SET("foo|bar"), SET("z"), NULL, "a.bar", "a.z");
    renames(SET("ab?c"), SET("z"), NULL, "x.ac", "x.z");
    renames(SET("a{2}b"), SET("z"), NULL, "x.aab", "x.z");
}
static void test_order_of_names(void **state) {
    (void)state;
    static const char *const sorted[] = {"B.w", "a", "a.w", "a2.w", "a10.w", "a2b.w", "b", "b.1", "b.01.w", "b.9.w", "b.10.w", "b..w", "b.x"};
    enum { N = sizeof sorted / sizeof *sorted };
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            int order = name_order(sorted[i], sorted[j]);
            if ((i < j) != (order < 0) || (i == j) != (order == 0)) fail_msg("%s and %s: %d", sorted[i], sorted[j], order);
        }
}

/* ---- whole models ---- */

static bool add_key(void *to, const tare_disk_tensor *t) {
    buf *b = to;
    buf_take(b, t->key, strlen(t->key));
    buf_take(b, "\n", 1);
    return true;
}
static char *keys_of(const char *json, const char *class_name, tare_error *err) {
    buf b = {0};
    tare_model *m = tare_model_parse(json, strlen(json), &(tare_open_options){.class_name = class_name, .host = "gpu=none"}, err);
    assert_non_null(m);
    buf_take(&b, "\n", 1);
    tare_model_layout(m, add_key, &b, err);
    tare_model_free(m);
    return b.data;
}
static void in_file(const char *json, const char *class_name, const char *key, bool want) {
    tare_error err = {0};
    char line[200], *keys = keys_of(json, class_name, &err);
    snprintf(line, sizeof line, "\n%s\n", key);
    if ((strstr(keys, line) != NULL) != want) fail_msg("%s: %s is %s", class_name, key, want ? "lacking" : "too many");
    assert_int_equal(err.status, TARE_OK);
    free(keys);
}
static void test_scoped_models(void **state) {
    (void)state;
    in_file(TINY_GEMMA3, "Gemma3ForConditionalGeneration", "language_model.model.layers.6.mlp.up_proj.weight", true);
    in_file(TINY_GEMMA3, "Gemma3ForConditionalGeneration", "vision_tower.encoder.layers.1.mlp.fc1.bias", true);
    in_file(TINY_GEMMA3, "Gemma3ForConditionalGeneration", "multi_modal_projector.mm_input_projection_weight", true);
    in_file(TINY_GEMMA3, "Gemma3Model", "language_model.model.norm.weight", true);
    in_file("{\"model_type\": \"vit\", \"num_hidden_layers\": 1}", "ViTForImageClassification", "vit.encoder.layer.0.attention.attention.query.bias", true);
    in_file("{\"model_type\": \"vit\", \"num_hidden_layers\": 1}", "ViTForImageClassification", "classifier.bias", true);
    in_file("{\"model_type\": \"clip\"}", "CLIPModel", "text_model.embeddings.position_embedding.weight", true);
    in_file("{\"model_type\": \"clip\"}", "CLIPModel", "text_model.embeddings.position_ids", false);
}
static void test_tied(void **state) {
    (void)state;
    in_file(TINY_T5, "T5ForConditionalGeneration", "shared.weight", true);
    in_file(TINY_T5, "T5ForConditionalGeneration", "encoder.embed_tokens.weight", false);
    in_file(TINY_T5, "T5ForConditionalGeneration", "lm_head.weight", false);
    in_file(TINY_BERT, "BertForPreTraining", "bert.embeddings.word_embeddings.weight", true);
    in_file(TINY_BERT, "BertForPreTraining", "cls.predictions.bias", true);
    in_file(TINY_BERT, "BertForPreTraining", "cls.predictions.decoder.bias", false);
}

/* ---- a tree by hand ---- */

static bool keep_size(void *to, size_t entry, uint64_t at, const unsigned char *bytes, size_t n) {
    memcpy(((unsigned char **)to)[entry] + at, bytes, n);
    return true;
}
/* Scatters 0, 1, 2, ... as floats in portions of `portion` bytes, the last first, and writes each disk tensor as text. */
static void scattered(const layout *l, size_t source, size_t portion, char *out, size_t out_n) {
    unsigned char *disk[64] = {0};
    size_t n = (size_t)l->sources[source].tensor->elements * 4;
    float *values = malloc(n);
    assert_true(values && l->entry_count <= 64);
    for (size_t i = 0; i < n / 4; i++) values[i] = (float)i;
    for (size_t i = 0; i < l->entry_count; i++) disk[i] = calloc(1, l->entries[i].bytes);
    for (size_t at = (n - 1) / portion * portion;; at -= portion) {
        size_t k = n - at < portion ? n - at : portion;
        assert_true(layout_scatter(&l->sources[source], at, (unsigned char *)values + at, k, keep_size, disk));
        if (!at) break;
    }
    size_t used = 0;
    for (size_t i = 0; i < l->entry_count; i++) {
        used += (size_t)snprintf(out + used, out_n - used, "%s:", l->entries[i].key);
        for (int64_t j = 0; j < l->entries[i].elements; j++) {
            float x;
            memcpy(&x, disk[i] + 4 * j, sizeof x);
            used += (size_t)snprintf(out + used, out_n - used, " %g", (double)x);
        }
        used += (size_t)snprintf(out + used, out_n - used, "\n");
        free(disk[i]);
    }
    free(values);
}
static const int64_t two_by_five[] = {2, 5}, cube[] = {2, 2, 3};
static bool by_hand(desk *d, const layout_rule *rules, const int64_t *shape, int8_t rank, const char *name, const layout **out) {
    static model_class cls;
    static tensor_node only;
    static node root;
    cls = (model_class){.name = "Probe", .own = {.layout = rules}};
    only = (tensor_node){.name = name, .shape = shape, .elements = 1, .rank = rank, .kind = TARE_PARAM, .persistent = true};
    for (int i = 0; i < rank; i++) only.elements *= shape[i];
    root = (node){.cls = "Probe", .params = &only, .model = &cls};
    desk_open(d);
    *out = layout_make(&d->a, &root, NULL, &d->err);
    return *out != NULL;
}
static void splits(const layout_rule *rules, const int64_t *shape, int8_t rank, const char *name, const char *want) {
    desk d;
    const layout *l;
    if (setjmp(exhausted)) fail_msg("out of memory");
    if (!by_hand(&d, rules, shape, rank, name, &l)) fail_msg("%s", d.err.message);
    for (size_t portion = 1; portion < 60; portion++) {
        char got[400];
        scattered(l, 0, portion, got, sizeof got);
        assert_string_equal(got, want);
    }
    arena_free(&d.a);
}
static void test_parts_that_are_not_contiguous(void **state) {
    (void)state;
    splits(LAYOUT(CONVERT(SET("a", "b"), SET("ab"), Concatenate(1))), two_by_five, 2, "ab", "a: 0 1 2 5 6 7\nb: 3 4 8 9\n");
    splits(LAYOUT(CONVERT(SET("l.*.a", "l.*.b"), SET("ab"), MergeModulelist(1), Concatenate(2))), cube, 3, "ab",
        "l.0.a: 0 1 6 7\nl.1.a: 3 4 9 10\nl.0.b: 2 8\nl.1.b: 5 11\n");
    splits(LAYOUT(RENAME("file", "^ab")), two_by_five, 2, "ab", "file: 0 1 2 3 4 5 6 7 8 9\n");
}

static void test_other_orders(void **state) {
    (void)state;
    splits(LAYOUT(CONVERT(SET("x"), SET("ab"), Transpose(0, 1))), two_by_five, 2, "ab", "x: 0 5 1 6 2 7 3 8 4 9\n");
    splits(LAYOUT(CONVERT(SET("x"), SET("ab"), Transpose(0, 2))), cube, 3, "ab", "x: 0 6 3 9 1 7 4 10 2 8 5 11\n");
    splits(LAYOUT(CONVERT(SET("x"), SET("ab"), Transpose(1, 2))), cube, 3, "ab", "x: 0 3 1 4 2 5 6 9 7 10 8 11\n");
    splits(LAYOUT(CONVERT(SET("ab"), SET("ab"), TransposeChecked(0, 1))), two_by_five, 2, "ab", "ab: 0 1 2 3 4 5 6 7 8 9\n");
    static const int64_t rows[] = {6, 2};
    splits(LAYOUT(CONVERT(SET("x"), SET("ab"), Interleave(0))), rows, 2, "ab", "x: 0 1 6 7 2 3 8 9 4 5 10 11\n");
    splits(LAYOUT(CONVERT(SET("x"), SET("ab"), PermuteAllForRope(NULL))), (const int64_t[]){12}, 1, "ab", "x: 0 6 1 7 2 8 3 9 4 10 5 11\n");
}
/* Many elements, some in every place of a run on disk that is gathered in parts. */
static bool count_puts(void *to, size_t entry, uint64_t at, const unsigned char *bytes, size_t n) {
    struct { unsigned char *disk; long puts; } *t = to;
    (void)entry;
    t->puts++;
    memcpy(t->disk + at, bytes, n);
    return true;
}
static void test_long_runs(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{3000, 5}, {5, 3000}, {40, 70}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        const int64_t *shape = shapes[k], n = shape[0] * shape[1];
        desk d;
        const layout *l;
        struct { unsigned char *disk; long puts; } t;
        uint32_t *values = malloc((size_t)n * 4), *disk = malloc((size_t)n * 4);
        if (setjmp(exhausted)) fail_msg("out of memory");
        for (int64_t i = 0; i < n; i++) values[i] = (uint32_t)i;
        if (!by_hand(&d, LAYOUT(CONVERT(SET("x"), SET("ab"), Transpose(0, 1))), shape, 2, "ab", &l)) fail_msg("%s", d.err.message);
        assert_int_equal(l->sources[0].count, 1);
        for (size_t portion = (size_t)n * 4; portion > 1000; portion = portion * 3 / 4) {
            memset(disk, 255, (size_t)n * 4);
            t.disk = (unsigned char *)disk, t.puts = 0;
            for (size_t at = 0; at < (size_t)n * 4; at += portion) {
                size_t left = (size_t)n * 4 - at;
                assert_true(layout_scatter(&l->sources[0], at, (unsigned char *)values + at, left < portion ? left : portion, count_puts, &t));
            }
            for (int64_t i = 0; i < n; i++) assert_int_equal(disk[i % shape[1] * shape[0] + i / shape[1]], i);
            if (portion == (size_t)n * 4) assert_in_range(t.puts, 1, shape[1] * (shape[0] / 1024 + 1)); /* not in elements */
        }
        free(values);
        free(disk);
        arena_free(&d.a);
    }
}
/* Three tensors become one, which is complete when the last of them is. */
static void test_joined(void **state) {
    (void)state;
    static const int64_t shape[] = {2, 1};
    model_class cls = {.name = "Probe", .own = {.layout = LAYOUT(CONVERT(SET("qkv"), SET("q", "k", "v"), Chunk(0)), RENAME("attn.qkv", "m.qkv"))}};
    tensor_node v = {.name = "v", .shape = shape, .elements = 2, .rank = 2, .kind = TARE_PARAM, .persistent = true}, k = v, q = v;
    k.name = "k", k.next = &v, q.name = "q", q.next = &k;
    node inner = {.cls = "Inner", .params = &q};
    edge m = {.name = "m", .count = 1, .to = &inner};
    node root = {.cls = "Probe", .children = &m, .model = &cls};
    desk d;
    if (setjmp(exhausted)) fail_msg("out of memory");
    desk_open(&d);
    const layout *l = layout_make(&d.a, &root, NULL, &d.err);
    if (!l) fail_msg("%s", d.err.message);
    assert_int_equal(l->entry_count, 1);
    assert_string_equal(l->entries[0].key, "attn.qkv");
    assert_int_equal(l->entries[0].shape[0], 6);
    assert_int_equal(l->entries[0].storage, 24);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(l->sources[i].count, 1);
        assert_int_equal(l->sources[i].pieces[0].to, 8 * i);
        assert_int_equal(l->sources[i].pieces[0].n, 8);
    }
    arena_free(&d.a);
    k.dtype = TARE_F16;
    desk_open(&d);
    assert_null(layout_make(&d.a, &root, NULL, &d.err));
    assert_string_equal(d.err.code, "not_available");
    arena_free(&d.a);
    cls.own.layout = LAYOUT(RENAME("m.x", "m.k"), RENAME("m.x", "m.v"));
    desk_open(&d);
    assert_null(layout_make(&d.a, &root, NULL, &d.err));
    assert_string_equal(d.err.code, "bad_layout");
    arena_free(&d.a);
}
/* Parts that lie in one piece are views of the tensor and go to one file; what was copied has a storage of its own. */
static void test_storages(void **state) {
    (void)state;
    desk d;
    const layout *l;
    if (setjmp(exhausted)) fail_msg("out of memory");
    assert_true(by_hand(&d, LAYOUT(CONVERT(SET("a", "b"), SET("ab"), Concatenate(0))), two_by_five, 2, "ab", &l));
    assert_int_equal(l->entries[1].with, 0);
    assert_int_equal(l->entries[1].storage, 40);
    arena_free(&d.a);
    assert_true(by_hand(&d, LAYOUT(CONVERT(SET("l.*.a", "l.*.b"), SET("ab"), MergeModulelist(0), Concatenate(1))), cube, 3, "ab", &l));
    assert_int_equal(l->entries[1].with, 0);
    assert_int_equal(l->entries[2].with, 2);
    assert_int_equal(l->entries[3].with, 2);
    assert_int_equal(l->entries[3].storage, 24);
    arena_free(&d.a);
}

static void refused(const layout_rule *rules, const char *code, const char *words) {
    desk d;
    const layout *l;
    if (setjmp(exhausted)) fail_msg("out of memory");
    if (by_hand(&d, rules, cube, 3, "ab", &l)) fail_msg("it was taken, but should say: %s", words);
    assert_string_equal(d.err.code, code);
    assert_int_equal(d.err.status, TARE_BAD);
    if (!strstr(d.err.message, words)) fail_msg("\"%s\" does not say \"%s\"", d.err.message, words);
    arena_free(&d.a);
}
static void test_malformed(void **state) {
    (void)state;
    refused(LAYOUT(RENAME("x", "a(")), "bad_layout", "missing closing parenthesis");
    refused(LAYOUT(RENAME("y", "x.\\1")), "bad_layout", "its other side has none");
    refused(LAYOUT({.what = LAYOUT_RENAME, .file = SET("(a)", "(b)"), .model = SET("ab")}), "bad_layout", "another group than its neighbour");
    refused(LAYOUT({.what = LAYOUT_RENAME, .file = SET("x"), .model = NONE}), "bad_layout", "lacks a side");
    refused(LAYOUT({.what = LAYOUT_CONVERT, .file = SET("x"), .model = SET("ab"), .ops = (const layout_op[]){{.what = OP_END}}}), "bad_layout", "by no operation");
    refused(LAYOUT(CONVERT(SET("x"), SET("ab"), MergeModulelist(3))), "conversion", "needs dimension 3, and here is [2, 2, 3]");
    refused(LAYOUT(CONVERT(SET("x"), SET("ab"), MergeModulelist(0))), "bad_layout", "the name x to two tensors");
    refused(LAYOUT(CONVERT(SET("x.*", "y.*"), SET("ab"), MergeModulelist(0))), "bad_layout", "more names than tensors");
    refused(LAYOUT(CONVERT(SET("x.*", "y.*"), SET("ab"), Concatenate(0), Concatenate(0))), "bad_layout", "here are several");
    refused(LAYOUT(CONVERT(SET("x"), SET("ab"), TransposeChecked(0, 1))), "conversion", "asks for the model's parameter x, which is not there");
    refused(LAYOUT(CONVERT(SET("x", "y"), SET("ab", "cd"), Transpose(0, 1))), "bad_layout", "several names on both sides");
}

static const layout *layout_of(desk *d, tare_model *m) {
    desk_open(d);
    return layout_make(&d->a, m->root, NULL, &d->err);
}
static size_t source_at(const layout *l, const tare_model *m, const char *path) {
    for (size_t i = 0; i < l->source_count; i++)
        if (!strcmp(tare_tensor_at(m, i)->path, path)) return i;
    fail_msg("%s is lacking", path);
    return 0;
}
static void test_experts(void **state) {
    (void)state;
    static const char json[] = "{\"model_type\": \"mixtral\", \"hidden_size\": 2, \"intermediate_size\": 3, \"num_hidden_layers\": 1, "
        "\"num_attention_heads\": 1, \"num_key_value_heads\": 1, \"vocab_size\": 4, \"num_local_experts\": 2, \"head_dim\": 2}";
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, sizeof json - 1, &(tare_open_options){.class_name = "MixtralModel", .host = "gpu=none"}, &err);
    desk d;
    assert_non_null(m);
    if (setjmp(exhausted)) fail_msg("out of memory");
    const layout *l = layout_of(&d, m);
    assert_non_null(l);
    assert_int_equal(l->entry_count, 15);
    for (size_t portion = 1; portion < 100; portion += 7) {
        char got[2000];
        scattered(l, source_at(l, m, "layers.0.mlp.experts.gate_up_proj"), portion, got, sizeof got);
        assert_non_null(strstr(got, "\nlayers.0.block_sparse_moe.experts.0.w1.weight: 0 1 2 3 4 5\n"
            "layers.0.block_sparse_moe.experts.1.w1.weight: 12 13 14 15 16 17\nlayers.0.block_sparse_moe.experts.0.w3.weight: 6 7 8 9 10 11\n"
            "layers.0.block_sparse_moe.experts.1.w3.weight: 18 19 20 21 22 23\n"));
        scattered(l, source_at(l, m, "layers.0.mlp.experts.down_proj"), portion, got, sizeof got);
        assert_non_null(strstr(got, "\nlayers.0.block_sparse_moe.experts.1.w2.weight: 6 7 8 9 10 11\n"));
    }
    assert_string_equal(l->entries[14].key, "norm.weight");
    arena_free(&d.a);
    tare_model_free(m);
}
static void test_pieces_of_tied(void **state) {
    (void)state;
    tare_error err = {0};
    tare_model *m = tare_model_parse(TINY_T5, sizeof TINY_T5 - 1, &(tare_open_options){.class_name = "T5Model", .host = "gpu=none"}, &err);
    desk d;
    assert_non_null(m);
    if (setjmp(exhausted)) fail_msg("out of memory");
    const layout *l = layout_of(&d, m);
    assert_non_null(l);
    const layout_source *first = &l->sources[source_at(l, m, "shared.weight")], *second = &l->sources[source_at(l, m, "encoder.embed_tokens.weight")];
    assert_int_equal(first->count, 1);
    assert_int_equal(second->count, 0);
    assert_int_equal(first->pieces[0].n, 64 * 16 * 4);
    assert_string_equal(l->entries[first->pieces[0].entry].key, "shared.weight");
    arena_free(&d.a);
    tare_model_free(m);
}
/* A module under two names, and no tie: the reference raises. */
static void test_shared_without_a_tie(void **state) {
    (void)state;
    static const int64_t shape[] = {3};
    model_class cls = {.name = "Probe"};
    tensor_node weight = {.name = "weight", .shape = shape, .elements = 3, .rank = 1, .kind = TARE_PARAM, .persistent = true};
    node inner = {.cls = "Inner", .params = &weight, .shared = true, .first_path = "one"};
    edge two = {.name = "two", .count = 1, .to = &inner}, one = {.name = "one", .count = 1, .to = &inner, .next = &two};
    node root = {.cls = "Probe", .children = &one, .model = &cls};
    desk d;
    if (setjmp(exhausted)) fail_msg("out of memory");
    desk_open(&d);
    assert_null(layout_make(&d.a, &root, NULL, &d.err));
    assert_int_equal(d.err.status, TARE_NO);
    assert_string_equal(d.err.code, "shared_weights");
    assert_string_equal(d.err.message, "one.weight and two.weight are one tensor and no tie says so: the reference refuses to save such a model");
    arena_free(&d.a);
    cls.own.tied_weights_keys = MAP({"two.weight", "one.weight"});
    desk_open(&d);
    const layout *l = layout_make(&d.a, &root, NULL, &d.err);
    assert_non_null(l);
    assert_int_equal(l->entry_count, 1);
    assert_string_equal(l->entries[0].key, "one.weight");
    arena_free(&d.a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renaming), cmocka_unit_test(test_both_sides), cmocka_unit_test(test_scope), cmocka_unit_test(test_order_of_names),
        cmocka_unit_test(test_prefixes), cmocka_unit_test(test_pairs), cmocka_unit_test(test_old_names), cmocka_unit_test(test_same_pattern),
        cmocka_unit_test(test_literals), cmocka_unit_test(test_other_orders), cmocka_unit_test(test_long_runs), cmocka_unit_test(test_joined),
        cmocka_unit_test(test_storages),
        cmocka_unit_test(test_scoped_models), cmocka_unit_test(test_tied), cmocka_unit_test(test_parts_that_are_not_contiguous),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_experts), cmocka_unit_test(test_pieces_of_tied),
        cmocka_unit_test(test_shared_without_a_tie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
