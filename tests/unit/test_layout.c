/* The layout on disk: how patterns rename, which rules reach a name, which of tied names stays, and where each byte goes.
 * What is expected was dumped from the reference's own classes. */
#include "../../src/api/handle.h"
#include "../../src/core/buf.h"
#include "../../src/files/layout.h"
#include "../../src/files/names.h"
#include "../../src/files/pattern.h"
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
    only = (tensor_node){.name = name, .shape = shape, .elements = rank == 2 ? 10 : 12, .rank = rank, .kind = TARE_PARAM, .persistent = true};
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
        cmocka_unit_test(test_scoped_models), cmocka_unit_test(test_tied), cmocka_unit_test(test_parts_that_are_not_contiguous),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_experts), cmocka_unit_test(test_pieces_of_tied),
        cmocka_unit_test(test_shared_without_a_tie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
