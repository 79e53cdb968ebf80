/* tare.h as a user sees it: walking, finding, counting, NULL, many threads, many models, hostile input. */
#define _DEFAULT_SOURCE
#include "tiny.h"
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tare.h>
#include <cmocka.h>

typedef struct text { char *data; size_t n, cap; } text;
static bool text_take(void *to, const char *data, size_t n) {
    text *t = to;
    if (t->cap - t->n <= n) {
        t->cap = 2 * t->cap + n + 1;
        t->data = realloc(t->data, t->cap);
        assert_non_null(t->data);
    }
    memcpy(t->data + t->n, data, n);
    t->n += n;
    t->data[t->n] = 0;
    return true;
}
static __attribute__((format(printf, 2, 3))) void text_format(text *t, const char *format, ...) {
    char part[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(part, sizeof part, format, args);
    va_end(args);
    assert_in_range(n, 0, (int)sizeof part - 1);
    text_take(t, part, (size_t)n);
}

static tare_model *open_json(const char *json) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, strlen(json), NULL, &err);
    if (!m) fail_msg("%s: %s", json, err.message);
    assert_int_equal(err.status, TARE_OK);
    return m;
}

/* ---- the tree ---- */

static bool line_of(void *to, const tare_item *item) {
    static const char *const kinds[] = {"module", "param", "buffer"};
    text_format(to, "%s\t%s\t%s", kinds[item->kind], item->path, item->kind == TARE_MODULE ? item->class_name : tare_dtype_name(item->dtype));
    if (item->kind != TARE_MODULE) {
        text_format(to, "\t");
        for (int i = 0; i < item->rank; i++) text_format(to, "%s%" PRId64, i ? "," : "", item->shape[i]);
        if (item->kind == TARE_PARAM) text_format(to, "\t%s", item->trainable ? "grad" : "frozen");
        else text_format(to, "\t%s", item->persistent ? "persistent" : "transient");
        if (item->owner) text_format(to, "\t=%s", item->owner);
    }
    text_format(to, "\n");
    return true;
}
static void test_walk_is_the_tree(void **state) {
    (void)state;
    for (size_t i = 0; i < TINY; i++) {
        tare_model *m = open_json(tiny[i]);
        text walked = {0}, written = {0};
        assert_int_equal(tare_model_walk(m, line_of, &walked, NULL), TARE_OK);
        assert_int_equal(tare_model_write(m, TARE_TEXT_TREE, text_take, &written, NULL), TARE_OK);
        assert_string_equal(walked.data, written.data);
        free(walked.data);
        free(written.data);
        tare_model_free(m);
    }
}

typedef struct sums { uint64_t modules, tensors, params, unique; } sums;
static bool add_item(void *to, const tare_item *item) {
    sums *s = to;
    uint64_t n = 1;
    for (int i = 0; i < item->rank; i++) n *= (uint64_t)item->shape[i];
    s->modules += item->kind == TARE_MODULE;
    s->tensors += item->kind != TARE_MODULE;
    if (item->kind == TARE_PARAM) s->params += n, s->unique += item->owner ? 0 : n;
    return true;
}
static void test_counts(void **state) {
    (void)state;
    for (size_t i = 0; i < TINY; i++) {
        tare_model *m = open_json(tiny[i]);
        sums s = {0};
        tare_counts counts;
        assert_int_equal(tare_model_walk(m, add_item, &s, NULL), TARE_OK);
        tare_model_count(m, &counts);
        assert_int_equal(counts.total, s.unique);
        assert_int_equal(counts.with_ties, s.params);
        assert_int_equal(counts.modules, s.modules);
        assert_int_equal(counts.tensors, s.tensors);
        assert_int_equal(tare_model_params(m), s.unique);
        assert_int_equal(tare_model_modules(m), s.modules);
        assert_int_equal(tare_tensor_count(m), s.tensors);
        assert_true(counts.active <= counts.total);
        tare_model_free(m);
    }
}

typedef struct cursor { const tare_model *m; size_t i; } cursor;
static bool is_at(void *to, const tare_item *item) {
    cursor *at = to;
    if (item->kind == TARE_MODULE) return true;
    const tare_item *t = tare_tensor_at(at->m, at->i++), *found = tare_tensor_find(at->m, item->path);
    assert_non_null(t);
    assert_ptr_equal(found, t);
    assert_string_equal(t->path, item->path);
    assert_int_equal(t->kind, item->kind);
    assert_int_equal(t->dtype, item->dtype);
    assert_int_equal(t->rank, item->rank);
    for (int i = 0; i < t->rank; i++) assert_int_equal(t->shape[i], item->shape[i]);
    assert_int_equal(!t->owner, !item->owner);
    if (t->owner) assert_string_equal(t->owner, item->owner);
    return true;
}
static void test_tensors(void **state) {
    (void)state;
    for (size_t i = 0; i < TINY; i++) {
        cursor at = {.m = open_json(tiny[i])};
        tare_model *m = (tare_model *)at.m;
        assert_int_equal(tare_model_walk(m, is_at, &at, NULL), TARE_OK);
        assert_int_equal(at.i, tare_tensor_count(m));
        assert_null(tare_tensor_at(m, at.i));
        assert_null(tare_tensor_at(m, SIZE_MAX));
        assert_null(tare_tensor_find(m, ""));
        assert_null(tare_tensor_find(m, "model.layers.999.mlp.up_proj.weight"));
        tare_model_free(m);
    }
}
static void test_ties(void **state) {
    (void)state;
    tare_model *m = open_json(TINY_LLAMA);
    const tare_item *head = tare_tensor_find(m, "lm_head.weight"), *layer = tare_tensor_find(m, "model.layers.2.mlp.up_proj.weight");
    assert_non_null(head);
    assert_string_equal(head->owner, "model.embed_tokens.weight");
    assert_non_null(layer);
    assert_int_equal(layer->shape[0], 32);
    assert_int_equal(layer->shape[1], 16);
    assert_null(layer->owner);
    tare_model_free(m);
}

static bool stop_at_third(void *to, const tare_item *item) {
    (void)item;
    return ++*(int *)to < 3;
}
static bool refuse_all(void *to, const char *data, size_t n) {
    (void)to, (void)data, (void)n;
    return false;
}
static void test_stopping(void **state) {
    (void)state;
    tare_model *m = open_json(TINY_LLAMA);
    int seen = 0;
    tare_error err = {0};
    assert_int_equal(tare_model_walk(m, stop_at_third, &seen, &err), TARE_NO);
    assert_int_equal(seen, 3);
    assert_int_equal(tare_model_write(m, TARE_TEXT_PRINT, refuse_all, NULL, &err), TARE_IO);
    tare_model_free(m);
}

/* ---- opening ---- */

static void test_options(void **state) {
    (void)state;
    tare_error err = {0};
    tare_open_options o = {.class_name = "BertModel"};
    tare_model *m = tare_model_open("google-bert/bert-base-uncased", &o, &err);
    assert_non_null(m);
    assert_int_equal(tare_model_params(m), 109482240);
    assert_string_equal(tare_model_class(m), "BertModel");
    tare_model_free(m);
    o = (tare_open_options){.auto_class = "causal-lm", .dtype = "bf16", .set = (const char *const[]){"n_embd=512", "n_layer=6", "n_head=8", NULL}};
    m = tare_model_open("gpt2", &o, &err);
    assert_non_null(m);
    assert_string_equal(tare_model_class(m), "GPT2LMHeadModel");
    assert_int_equal(tare_model_params(m), 45171200);
    assert_int_equal(tare_model_dtype(m), TARE_BF16);
    tare_model_free(m);
}
static void test_null(void **state) {
    (void)state;
    tare_model_free(NULL);
    tare_config_free(NULL);
    assert_null(tare_model_open("no-such-type", NULL, NULL));
    assert_null(tare_config_open("no/such/file.json", NULL, NULL));
    assert_null(tare_model_parse("{", 1, NULL, NULL));
    assert_null(tare_model_parse("", 0, NULL, NULL));
}
static void test_known_names(void **state) {
    (void)state;
    const char *const *ids;
    const tare_type *types;
    size_t n = tare_types(&types), k = tare_ids(&ids);
    assert_true(n >= 14 && k > 0);
    for (size_t i = 1; i < n; i++) assert_true(strcmp(types[i - 1].model_type, types[i].model_type) < 0);
    for (size_t i = 1; i < k; i++) assert_true(strcmp(ids[i - 1], ids[i]) < 0);
    size_t parts = 0;
    for (size_t i = 0; i < n; i++) {
        tare_error err = {0};
        if (types[i].classes[0]) continue;
        assert_null(tare_model_open(types[i].model_type, NULL, &err));
        assert_string_equal(err.code, "unknown_class");
        parts++;
    }
    assert_true(parts < n / 8);
    for (size_t i = 0; i < k; i++) {
        tare_error err = {0};
        tare_model *m = tare_model_open(ids[i], NULL, &err);
        if (!m) fail_msg("%s: %s", ids[i], err.message);
        tare_model_free(m);
    }
}
static void test_dtypes(void **state) {
    (void)state;
    assert_string_equal(tare_dtype_name(TARE_BF16), "BF16");
    assert_string_equal(tare_dtype_torch(TARE_BF16), "bfloat16");
    assert_int_equal(tare_dtype_bytes(TARE_C64), 8);
    for (int d = 0; d < TARE_DTYPE_COUNT; d++) assert_true(tare_dtype_bits((tare_dtype)d) > 0);
    assert_int_equal(tare_dtype_bits(TARE_F4), 4);
    assert_int_equal(tare_dtype_bytes(TARE_F4), 0);
}
static void test_thousand_models(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++) tare_model_free(open_json(tiny[(size_t)i % TINY]));
}

/* ---- threads ---- */

enum { THREADS = 8 };
typedef struct reading { const tare_model *m; const char *json; char tree[65], print[65]; uint64_t params; size_t tensors; bool ok; } reading;

static void read_model(reading *r, const tare_model *m) {
    sums s = {0};
    const tare_attn_row *attn;
    const tare_config_row *rows;
    r->ok = tare_model_digest(m, TARE_TEXT_TREE, r->tree, NULL) == TARE_OK;
    r->ok = r->ok && tare_model_digest(m, TARE_TEXT_PRINT, r->print, NULL) == TARE_OK;
    r->ok = r->ok && tare_model_walk(m, add_item, &s, NULL) == TARE_OK;
    r->ok = r->ok && tare_model_attn(m, &attn) > 0 && tare_config_rows(tare_model_config(m), &rows) > 0;
    r->params = s.unique;
    r->tensors = tare_tensor_count(m);
    for (size_t i = 0; i < r->tensors; i++) {
        const tare_item *t = tare_tensor_at(m, i);
        r->ok = r->ok && t && tare_tensor_find(m, t->path) == t;
    }
}
static void *reader(void *to) {
    reading *r = to;
    read_model(r, r->m);
    return NULL;
}
static void *opener(void *to) {
    reading *r = to;
    for (int i = 0; i < 20; i++) {
        tare_model *m = tare_model_parse(r->json, strlen(r->json), NULL, NULL);
        if (!m) return r->ok = false, NULL;
        if (i == 19) read_model(r, m);
        tare_model_free(m);
    }
    return NULL;
}
static void run_threads(void *(*work)(void *), reading *r) {
    pthread_t id[THREADS];
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&id[i], NULL, work, &r[i]), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(id[i], NULL), 0);
}
static void same_reading(const reading *a, const reading *b) {
    assert_true(a->ok && b->ok);
    assert_string_equal(a->tree, b->tree);
    assert_string_equal(a->print, b->print);
    assert_int_equal(a->params, b->params);
    assert_int_equal(a->tensors, b->tensors);
}
static void test_one_model_many_threads(void **state) {
    (void)state;
    for (size_t k = 0; k < TINY; k++) {
        tare_model *m = open_json(tiny[k]);
        reading r[THREADS] = {0};
        for (int i = 0; i < THREADS; i++) r[i].m = m;
        run_threads(reader, r);
        for (int i = 1; i < THREADS; i++) same_reading(&r[0], &r[i]);
        tare_model_free(m);
    }
}
static void test_many_threads_open(void **state) {
    (void)state;
    reading r[THREADS] = {0}, alone = {0};
    for (int i = 0; i < THREADS; i++) r[i].json = tiny[i % TINY];
    run_threads(opener, r);
    for (int i = 0; i < THREADS; i++) {
        tare_model *m = open_json(r[i].json);
        read_model(&alone, m);
        same_reading(&alone, &r[i]);
        tare_model_free(m);
    }
}

/* ---- hostile input ---- */

static void refused(const char *json, size_t n, tare_status status) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, n, NULL, &err);
    if (m || err.status != status) fail_msg("%.100s: status %d, not %d: %s", json, (int)err.status, (int)status, err.message);
    assert_true(err.code[0] && err.message[0]);
    tare_model_free(m);
}
static void test_hostile(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", " ", "{", "[]", "null", "1", "\"llama\"", "{\"model_type\": 7}", "{\"model_type\": null}", "{}", "{\"model_type\": \"llama\",}",
        "{\"model_type\": \"llama\", \"hidden_size\": 0}", "{\"model_type\": \"llama\", \"hidden_size\": -16}",
        "{\"model_type\": \"llama\", \"hidden_size\": \"16\"}", "{\"model_type\": \"llama\", \"hidden_size\": 1e3}",
        "{\"model_type\": \"llama\", \"hidden_size\": [16]}", "{\"model_type\": \"llama\", \"hidden_size\": 99999999999999999999999}",
        "{\"model_type\": \"llama\", \"num_hidden_layers\": 2000000000}", "{\"model_type\": \"llama\", \"num_hidden_layers\": -1}",
        "{\"model_type\": \"llama\", \"vocab_size\": 9223372036854775807}",
        "{\"model_type\":\"llama\",\"vocab_size\":2147483647,\"hidden_size\":2147483644,\"intermediate_size\":2147483647,\"num_hidden_layers\":900}",
        "{\"model_type\": \"llama\", \"hidden_act\": \"no_such_activation\"}", "{\"model_type\": \"llama\", \"num_attention_heads\": 7}",
        "{\"model_type\": \"resnet\", \"depths\": []}", "{\"model_type\": \"\xff\xfe\"}", "{\"model_type\": \"llama\", \"x\": \"\xc3\x28\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tare_error err = {0};
        tare_model *m = tare_model_parse(bad[i], strlen(bad[i]), NULL, &err);
        if (m || (err.status != TARE_BAD && err.status != TARE_UNKNOWN)) fail_msg("%s: status %d: %s", bad[i], (int)err.status, err.message);
        assert_true(err.code[0] && err.message[0]);
    }
}
static void test_deep_and_large(void **state) {
    (void)state;
    enum { DEEP = 100000, LARGE = 100 << 20 };
    char *deep = malloc(2 * DEEP), *large = malloc(LARGE);
    assert_true(deep && large);
    memset(deep, '[', DEEP);
    memset(deep + DEEP, ']', DEEP);
    refused(deep, 2 * DEEP, TARE_BAD);
    refused(deep, DEEP, TARE_BAD);
    memset(large, ' ', LARGE);
    large[0] = '{', large[LARGE - 1] = '}';
    refused(large, LARGE, TARE_BAD);
    free(deep);
    free(large);
}
static void test_unknown(void **state) {
    (void)state;
    tare_error err = {0};
    assert_null(tare_model_open("lama", NULL, &err));
    assert_int_equal(err.status, TARE_UNKNOWN);
    assert_non_null(strstr(err.message, "llama"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk_is_the_tree), cmocka_unit_test(test_counts), cmocka_unit_test(test_tensors), cmocka_unit_test(test_ties),
        cmocka_unit_test(test_stopping), cmocka_unit_test(test_options), cmocka_unit_test(test_null), cmocka_unit_test(test_known_names),
        cmocka_unit_test(test_dtypes), cmocka_unit_test(test_thousand_models), cmocka_unit_test(test_one_model_many_threads),
        cmocka_unit_test(test_many_threads_open), cmocka_unit_test(test_hostile), cmocka_unit_test(test_deep_and_large),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
