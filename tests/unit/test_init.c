/* Fresh weights through the library: where they lie, who may ask for what, and that no way of asking changes a bit. */
#define _DEFAULT_SOURCE
#include "tiny.h"
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tare.h>
#include <tare/build/def.h>
#include <unistd.h>
#include <cmocka.h>

static tare_model *model(const char *json, const char *dtype) {
    tare_error err = {0};
    tare_open_options o = {.dtype = dtype, .plain = !dtype, .host = "gpu=none"};
    tare_model *m = tare_model_parse(json, strlen(json), &o, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}
static tare_weights *weights(const tare_model *m, tare_init_options o) {
    tare_error err = {0};
    tare_weights *w = tare_init(m, &o, &err);
    if (!w) fail_msg("%s", err.message);
    return w;
}
static uint64_t elements(const tare_item *t) {
    uint64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (uint64_t)t->shape[i];
    return n;
}
static size_t bytes(const tare_item *t) { return (size_t)elements(t) * tare_dtype_bytes(t->dtype); }

/* ---- ways to ask ---- */

typedef struct beside { const tare_model *m; const tare_weights *w; size_t seen; } beside;
static bool same(void *to, const tare_item *t, const void *data, size_t n) {
    beside *b = to;
    assert_null(t->owner);
    assert_int_equal(n, bytes(t));
    assert_memory_equal(data, tare_weights_data(b->w, t), n);
    b->seen++;
    return true;
}
/* Whole, one at a time, with one thread or five: the same bytes. */
static void test_ways(void **state) {
    (void)state;
    for (size_t i = 0; i < TINY; i++)
        for (int rng = 0; rng < 2; rng++) {
            tare_error err = {0};
            tare_model *m = model(tiny[i], NULL);
            uint32_t next = 0, again = 1;
            tare_init_options o = {.seed = 7, .rng = (tare_rng)rng, .threads = 5, .next = &next};
            beside b = {.m = m, .w = weights(m, o)};
            o.threads = 1, o.next = &again;
            assert_int_equal(tare_init_each(m, &o, same, &b, &err), TARE_OK);
            assert_int_equal(next, again);
            size_t owners = 0;
            for (size_t k = 0; k < tare_tensor_count(m); k++) owners += !tare_tensor_at(m, k)->owner;
            assert_int_equal(b.seen, owners);
            tare_weights_free((tare_weights *)b.w);
            tare_model_free(m);
        }
}
/* More than the threads share by chance: three million elements. */
static void test_threads(void **state) {
    (void)state;
    const char *json = "{\"model_type\": \"llama\", \"hidden_size\": 512, \"intermediate_size\": 1000, \"num_hidden_layers\": 1, \"vocab_size\": 999}";
    tare_model *m = model(json, NULL);
    for (int rng = 0; rng < 2; rng++) {
        tare_weights *one = weights(m, (tare_init_options){.rng = (tare_rng)rng, .threads = 1});
        for (int threads = 2; threads < 5; threads++) {
            tare_weights *more = weights(m, (tare_init_options){.rng = (tare_rng)rng, .threads = threads});
            for (size_t k = 0; k < tare_tensor_count(m); k++) {
                const tare_item *t = tare_tensor_at(m, k);
                assert_memory_equal(tare_weights_data(one, t), tare_weights_data(more, t), bytes(t));
            }
            tare_weights_free(more);
        }
        tare_weights_free(one);
    }
    tare_model_free(m);
}
static void test_data(void **state) {
    (void)state;
    tare_model *m = model(TINY_LLAMA, NULL), *other = model(TINY_BERT, NULL);
    tare_weights *w = weights(m, (tare_init_options){.seed = 0});
    const char *embed = tare_weights_data(w, tare_tensor_find(m, "model.embed_tokens.weight"));
    assert_ptr_equal(embed, tare_weights_data(w, tare_tensor_find(m, "lm_head.weight")));
    assert_int_equal((uintptr_t)embed % 64, 0);
    assert_null(tare_weights_data(w, tare_tensor_at(other, 0)));
    assert_null(tare_weights_data(w, NULL));
    uint64_t sum = 0;
    for (size_t k = 0; k < tare_tensor_count(m); k++)
        if (!tare_tensor_at(m, k)->owner) sum += bytes(tare_tensor_at(m, k));
    assert_int_equal(tare_weights_bytes(w), sum);
    ((float *)tare_weights_data(w, tare_tensor_find(m, "lm_head.weight")))[0] = 5; /* yours to change */
    tare_weights_free(w);
    tare_weights_free(NULL);
    tare_model_free(other);
    tare_model_free(m);
}

/* ---- philox ---- */

static void slices_of(const tare_model *m, const tare_weights *w, const tare_item *t, const tare_init_options *o) {
    static const uint64_t cuts[] = {0, 1, 7, 16, 17, 40, 129};
    uint64_t n = elements(t);
    size_t item = tare_dtype_bytes(t->dtype);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        for (size_t k = i; k < sizeof cuts / sizeof *cuts; k++) {
            tare_error err = {0};
            char out[129 * 8] = {0};
            uint64_t first = cuts[i] < n ? cuts[i] : n, end = cuts[k] < n ? cuts[k] : n;
            if (tare_init_slice(m, o, t, first, end - first, out, &err) != TARE_OK) fail_msg("%s: %s", t->path, err.message);
            assert_memory_equal(out, (const char *)tare_weights_data(w, t) + first * item, (size_t)(end - first) * item);
        }
}
static void test_slices(void **state) {
    (void)state;
    static const char *const padded = "{\"model_type\": \"bert\", \"hidden_size\": 12, \"num_attention_heads\": 2, \"intermediate_size\": 8, "
                                      "\"num_hidden_layers\": 1, \"vocab_size\": 30, \"pad_token_id\": 3, \"max_position_embeddings\": 9}";
    static const char *const patches = "{\"model_type\": \"vit\", \"hidden_size\": 12, \"num_attention_heads\": 2, \"intermediate_size\": 8, "
                                       "\"num_hidden_layers\": 1, \"image_size\": 16, \"patch_size\": 4, \"initializer_range\": 1.5}";
    static const char *const mapped_draws = "{\"model_type\": \"mamba2\", \"hidden_size\": 24, \"num_heads\": 6, \"head_dim\": 8, \"n_groups\": 2, "
                                            "\"state_size\": 4, \"num_hidden_layers\": 1, \"vocab_size\": 30, \"rescale_prenorm_residual\": true}";
    const char *const all[] = {padded, patches, mapped_draws, TINY_WAV2VEC2, TINY_GEMMA3, TINY_DEEPSEEK};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int half = 0; half < 2; half++) {
            tare_model *m = model(all[i], half ? "bfloat16" : NULL);
            tare_init_options o = {.seed = 3, .rng = TARE_RNG_PHILOX};
            tare_weights *w = weights(m, o);
            for (size_t k = 0; k < tare_tensor_count(m); k++) slices_of(m, w, tare_tensor_at(m, k), &o);
            tare_weights_free(w);
            tare_model_free(m);
        }
}
static void test_slice_refused(void **state) {
    (void)state;
    tare_error err = {0};
    float out[4];
    tare_model *m = model(TINY_BERT, NULL), *other = model(TINY_T5, NULL);
    const tare_item *t = tare_tensor_find(m, "embeddings.LayerNorm.weight");
    tare_init_options philox = {.rng = TARE_RNG_PHILOX}, torch = {.seed = 0};
    assert_int_equal(tare_init_slice(m, &torch, t, 0, 1, out, &err), TARE_USAGE);
    assert_int_equal(tare_init_slice(m, &philox, tare_tensor_at(other, 0), 0, 1, out, &err), TARE_USAGE);
    assert_int_equal(tare_init_slice(m, &philox, t, 15, 2, out, &err), TARE_USAGE);
    assert_int_equal(tare_init_slice(m, &philox, t, UINT64_MAX, 2, out, &err), TARE_USAGE);
    assert_int_equal(tare_init_slice(m, &philox, t, 16, 0, out, &err), TARE_OK);
    tare_model_free(other);
    tare_model_free(m);
}
static float from_bf16(uint16_t h) {
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}
/* A shorter dtype holds the same values, rounded. */
static void test_philox_dtype(void **state) {
    (void)state;
    tare_model *m = model(TINY_LLAMA, NULL), *half = model(TINY_LLAMA, "bfloat16");
    tare_weights *w = weights(m, (tare_init_options){.rng = TARE_RNG_PHILOX}), *h = weights(half, (tare_init_options){.rng = TARE_RNG_PHILOX});
    const char *path = "model.layers.1.mlp.up_proj.weight";
    const float *x = tare_weights_data(w, tare_tensor_find(m, path));
    const uint16_t *y = tare_weights_data(h, tare_tensor_find(half, path));
    for (size_t i = 0; i < 32 * 16; i++) assert_true(fabsf(from_bf16(y[i]) - x[i]) <= fabsf(x[i]) * 0x1p-8f);
    tare_weights_free(h), tare_weights_free(w), tare_model_free(half), tare_model_free(m);
}

/* ---- a family from outside ---- */

static void OddModel(mod *m, const cfg *c) {
    param(m, "square", EMPTY, 6, 6);
    param(m, "wide", EMPTY, 4, 9);
    param(m, "tall", EMPTY, 9, 2, 2);
    if (flag(c, "forget")) param(m, "forgotten", EMPTY, 3);
    linear(m, "proj", 4, 4, true);
    linear(m, "other", 4, 2, false);
}
static void OddModel_init(mod *m, const cfg *c) {
    init_weights(m, c);
    if (!is_a(m, "OddModel")) return;
    init_orthogonal(m, "square", 1);
    init_orthogonal(m, "wide", 2);
    init_orthogonal(m, "tall", 1);
    init_kaiming_uniform(m, "other.weight", 0);
    init_xavier_normal(m, "other.weight");
    if (flag(c, "wrong")) init_zeros(m, "no.such.weight");
}
static const model_facts OddPreTrainedModel = {.config = "OddConfig", .base_model_prefix = "model", .init_weights = OddModel_init};
static const family family_odd = {
    .name = "odd",
    .configs = CONFIGS({.name = "OddConfig", .model_type = "odd"}),
    .models = MODELS({"OddModel", OddModel, .like = &OddPreTrainedModel}),
};
static const char odd_defaults[] =
    "{\"configs\": {\"OddConfig\": {\"model_type\": \"odd\", \"fields\": ["
    "[\"architectures\", \"any\", null], [\"dtype\", \"any\", null], [\"is_encoder_decoder\", \"any\", false],"
    "[\"id2label\", \"any\", null], [\"label2id\", \"any\", null], [\"tie_word_embeddings\", \"bool\", false],"
    "[\"forget\", \"bool\", false], [\"wrong\", \"bool\", false], [\"initializer_range\", \"float\", 0.02]]}},"
    " \"types\": {\"odd\": \"OddConfig\"}, \"auto\": {\"AutoModel\": {\"odd\": \"OddModel\"}}}";

/* rows x columns: the shorter side's vectors have the length and no angle between them. */
static void is_orthogonal(const float *x, int rows, int columns, double length) {
    bool wide = rows < columns;
    int count = wide ? rows : columns, n = wide ? columns : rows;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += wide ? (double)x[i * columns + k] * (double)x[j * columns + k] : (double)x[k * columns + i] * (double)x[k * columns + j];
            assert_true(fabs(sum - (i == j ? length * length : 0)) < 1e-5);
        }
}
static bool count_remark(void *to, const tare_item *t, const char *why) {
    assert_non_null(t->path);
    assert_non_null(strstr(why, "orthogonal_"));
    ++*(int *)to;
    return true;
}
static void test_orthogonal(void **state) {
    (void)state;
    tare_error err = {0};
    int remarks = 0;
    tare_model *m = model("{\"model_type\": \"odd\"}", NULL);
    uint32_t next;
    tare_weights *w = weights(m, (tare_init_options){.seed = 1, .next = &next});
    const float *square = tare_weights_data(w, tare_tensor_find(m, "square"));
    static const float torch_has[] = {0.2594f, 0.5285f, -0.0761f, -0.4698f, -0.3631f, 0.5432f};
    for (int i = 0; i < 6; i++) assert_true(fabsf(square[i] - torch_has[i]) < 1e-4f);
    is_orthogonal(square, 6, 6, 1);
    is_orthogonal(tare_weights_data(w, tare_tensor_find(m, "wide")), 4, 9, 2);
    is_orthogonal(tare_weights_data(w, tare_tensor_find(m, "tall")), 9, 4, 1);
    assert_int_equal(tare_init_inexact(m, count_remark, &remarks, &err), TARE_OK);
    assert_int_equal(remarks, 3);
    tare_weights_free(w);
    tare_model_free(m);
}
/* torch.manual_seed(1), then what the family's constructor and rule draw, and torch.rand(1): its bits, dumped from torch 2.13. */
static void test_orthogonal_moves_the_generator(void **state) {
    (void)state;
    tare_model *m = model("{\"model_type\": \"odd\"}", NULL);
    uint32_t next = 0;
    tare_weights *w = weights(m, (tare_init_options){.seed = 1, .next = &next});
    assert_int_equal(next, 0x3db6ea28);
    const float *other = tare_weights_data(w, tare_tensor_find(m, "other.weight"));
    assert_true(other[0] == 0x1.dae53p-3f);
    tare_weights_free(w);
    tare_model_free(m);
}
static void refused(const char *json, const char *code, const char *word) {
    tare_error err = {0};
    tare_model *m = model(json, NULL);
    assert_null(tare_init(m, NULL, &err));
    assert_int_equal(err.status, TARE_BAD);
    assert_string_equal(err.code, code);
    if (!strstr(err.message, word)) fail_msg("\"%s\" lacks \"%s\"", err.message, word);
    tare_error again = {0};
    assert_null(tare_init(m, NULL, &again)); /* and the model is as good as before */
    assert_string_equal(again.message, err.message);
    char hex[65];
    assert_int_equal(tare_model_digest(m, TARE_TEXT_TREE, hex, &err), TARE_OK);
    tare_model_free(m);
}
static void test_refused(void **state) {
    (void)state;
    refused("{\"model_type\": \"odd\", \"forget\": true}", "no_source", "forgotten (of a OddModel) has no source");
    refused("{\"model_type\": \"odd\", \"wrong\": true}", "bad_value", "no.such.weight");
    refused("{\"model_type\": \"odd\", \"initializer_range\": -0.5}", "bad_value", "a std of -0.5");
}
/* What docs/init.md says of this release: no tensor is without the reference's bits, but for RWKV's. */
static bool never(void *to, const tare_item *t, const char *why) {
    if (!strcmp(to, "rwkv")) return true;
    fail_msg("%s: %s", t->path, why);
    return false;
}
static void test_all_exact(void **state) {
    (void)state;
    const tare_type *types;
    size_t n = tare_types(&types), models = 0;
    for (size_t i = 0; i < n; i++)
        for (const char *const *cls = types[i].classes; *cls && strcmp(types[i].family, "odd"); cls++) {
            tare_error err = {0};
            tare_model *m = tare_model_open(types[i].model_type, &(tare_open_options){.class_name = *cls, .host = "gpu=none"}, &err);
            if (!m) continue; /* a class whose default config is refused: wav2vec2's head without a vocabulary */
            if (tare_init_inexact(m, never, (void *)types[i].family, &err) != TARE_OK) fail_msg("%s: %s", *cls, err.message);
            tare_model_free(m);
            models++;
        }
    assert_true(models > 80);
}

/* ---- stopping, saving, many at once ---- */

static bool stop_later(void *to, uint64_t done, uint64_t all) {
    assert_true(done <= all);
    return --*(int *)to > 0;
}
static bool stop_now(void *to, const tare_item *t, const void *data, size_t n) {
    (void)to, (void)t, (void)data, (void)n;
    return false;
}
static void test_cancel(void **state) {
    (void)state;
    tare_error err = {0};
    int left = 4;
    tare_model *m = model(TINY_DEEPSEEK, NULL);
    assert_null(tare_init(m, &(tare_init_options){.progress = stop_later, .progress_to = &left}, &err));
    assert_string_equal(err.code, "cancelled");
    err = (tare_error){0};
    assert_int_equal(tare_init_each(m, NULL, stop_now, NULL, &err), TARE_IO);
    assert_string_equal(err.code, "cancelled");
    tare_model_free(m);
}
static char *read_all(const char *folder, const char *name, size_t *n) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *data = malloc(1 << 22);
    *n = data ? fread(data, 1, 1 << 22, f) : 0;
    fclose(f);
    return data;
}
static void same_file(const char *a, const char *b, const char *name) {
    size_t n = 0, k = 0;
    char *x = read_all(a, name, &n), *y = read_all(b, name, &k);
    assert_non_null(x);
    assert_non_null(y);
    assert_int_equal(n, k);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}
/* Drawn into the file, saved from memory, or gone on with after it was stopped: the same files. */
static void test_save(void **state) {
    (void)state;
    char top[] = "/tmp/tare-test-XX" "XX" "XX", a[64], b[64], c[64], command[80];
    assert_non_null(mkdtemp(top));
    snprintf(a, sizeof a, "%s/a", top), snprintf(b, sizeof b, "%s/b", top), snprintf(c, sizeof c, "%s/c", top);
    for (size_t i = 0; i < TINY; i++) {
        tare_error err = {0};
        tare_model *m = model(tiny[i], NULL);
        tare_init_options o = {.seed = 5};
        tare_save_options how = {.force = true};
        tare_weights *w = weights(m, o);
        if (tare_init_save(m, &o, a, &how, &err) != TARE_OK || tare_save(m, w, b, &how, &err) != TARE_OK) fail_msg("%s", err.message);
        int left = 5;
        o.progress = stop_later, o.progress_to = &left;
        assert_int_equal(tare_init_save(m, &o, c, &how, &err), TARE_IO);
        assert_string_equal(err.code, "cancelled");
        o.progress = NULL;
        assert_int_equal(tare_init_save(m, &o, c, &how, &err), TARE_OK);
        const char *const files[] = {"model.safetensors", "config.json"};
        for (size_t k = 0; k < 2; k++) same_file(a, b, files[k]), same_file(a, c, files[k]);
        tare_weights_free(w);
        tare_model_free(m);
    }
    snprintf(command, sizeof command, "rm -r %s", top);
    assert_int_equal(system(command), 0);
}
static void test_save_of_others(void **state) {
    (void)state;
    tare_error err = {0};
    tare_model *m = model(TINY_LLAMA, NULL), *other = model(TINY_LLAMA, NULL);
    tare_weights *w = weights(m, (tare_init_options){.seed = 0});
    assert_int_equal(tare_save(other, w, "/tmp/never", NULL, &err), TARE_USAGE);
    struct stat st;
    assert_int_not_equal(stat("/tmp/never", &st), 0);
    tare_weights_free(w), tare_model_free(other), tare_model_free(m);
}
static void *draw_one(void *to) {
    tare_error err = {0};
    return tare_init(to, &(tare_init_options){.seed = 9, .threads = 1}, &err);
}
static void test_many_threads(void **state) {
    (void)state;
    enum { N = 6 };
    pthread_t threads[N];
    void *all[N];
    tare_model *m = model(TINY_GEMMA3, NULL);
    for (int i = 0; i < N; i++) assert_int_equal(pthread_create(&threads[i], NULL, draw_one, m), 0);
    for (int i = 0; i < N; i++) pthread_join(threads[i], &all[i]);
    for (int i = 0; i < N; i++) {
        assert_non_null(all[i]);
        for (size_t k = 0; i && k < tare_tensor_count(m); k++)
            assert_memory_equal(tare_weights_data(all[0], tare_tensor_at(m, k)), tare_weights_data(all[i], tare_tensor_at(m, k)), bytes(tare_tensor_at(m, k)));
    }
    for (int i = 0; i < N; i++) tare_weights_free(all[i]);
    tare_model_free(m);
}

int main(void) {
    const char *wrong = tare_register_family(&family_odd, odd_defaults);
    if (wrong) return fprintf(stderr, "%s\n", wrong), 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways), cmocka_unit_test(test_threads), cmocka_unit_test(test_data), cmocka_unit_test(test_slices),
        cmocka_unit_test(test_slice_refused), cmocka_unit_test(test_philox_dtype), cmocka_unit_test(test_orthogonal),
        cmocka_unit_test(test_orthogonal_moves_the_generator), cmocka_unit_test(test_refused), cmocka_unit_test(test_all_exact),
        cmocka_unit_test(test_cancel), cmocka_unit_test(test_save), cmocka_unit_test(test_save_of_others), cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
