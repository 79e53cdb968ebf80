/* Weights that are made when they are needed, and generators that go from model to model: no order of asking changes a bit. */
#define _DEFAULT_SOURCE
#include "tiny.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tare.h>
#include <cmocka.h>

/* Truncated normals: drawn again until they are inside, and accepted by weight where most would be outside. */
#define MODERNBERT(cutoff)                                                                                                   \
    "{\"model_type\": \"modernbert\", \"hidden_size\": 32, \"intermediate_size\": 48, \"num_hidden_layers\": 2, "            \
    "\"num_attention_heads\": 4, \"vocab_size\": 64, \"initializer_cutoff_factor\": " cutoff ", \"pad_token_id\": 0}"
static const char *const again[] = {MODERNBERT("1.0"), MODERNBERT("0.2")};
enum { ALL = TINY + 2 };
static const char *text(size_t i) { return i < TINY ? tiny[i] : again[i - TINY]; }

static tare_model *model(const char *json) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, strlen(json), &(tare_open_options){.plain = true, .host = "gpu=none"}, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}
static size_t bytes(const tare_item *t) {
    size_t n = tare_dtype_bytes(t->dtype);
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->shape[i];
    return n;
}
static tare_weights *later(const tare_model *m, tare_init_options o) {
    tare_error err = {0};
    tare_weights *w = tare_init_later(m, &o, &err);
    if (!w) fail_msg("%s", err.message);
    return w;
}
static void need(tare_weights *w, const tare_item *t) {
    tare_error err = {0};
    if (tare_weights_need(w, t ? &t : NULL, t ? 1 : 0, NULL, &err) != TARE_OK) fail_msg("%s", err.message);
}
static void assert_same(const tare_model *m, const tare_weights *a, const tare_weights *b) {
    for (size_t k = 0; k < tare_tensor_count(m); k++) {
        const tare_item *t = tare_tensor_at(m, k);
        if (memcmp(tare_weights_data(a, t), tare_weights_data(b, t), bytes(t)) != 0) fail_msg("%s differs", t->path);
    }
}

/* ---- asking ---- */

static void ask_in(int order, const tare_model *m, tare_weights *w) {
    size_t n = tare_tensor_count(m);
    for (size_t k = 0; order < 3 && k < n; k++) {
        const tare_item *t = tare_tensor_at(m, order == 0 ? k : order == 1 ? n - 1 - k : (k * 7 + 3) % n);
        need(w, t);
        need(w, t);
    }
    need(w, NULL);
}
static void test_any_order(void **state) {
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        tare_model *m = model(text(i));
        for (int rng = 0; rng < 2; rng++) {
            tare_init_options o = {.seed = 7, .rng = (tare_rng)rng, .threads = 2};
            tare_weights *whole = tare_init(m, &o, NULL);
            for (int order = 0; order < 4; order++) {
                tare_weights *w = later(m, o);
                ask_in(order, m, w);
                assert_same(m, whole, w);
                tare_weights_free(w);
            }
            need(whole, NULL);
            tare_weights_free(whole);
        }
        tare_model_free(m);
    }
}
/* What was changed is not made again, not even where it is made along with something else: norms with their weight. */
static void test_changes_stay(void **state) {
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        tare_model *m = model(text(i));
        tare_weights *w = later(m, (tare_init_options){.seed = 1});
        for (size_t k = tare_tensor_count(m); k-- > 0;) {
            const tare_item *t = tare_tensor_at(m, k);
            need(w, t);
            memset(tare_weights_data(w, t), 0x5a, bytes(t));
        }
        need(w, NULL);
        for (size_t k = 0; k < tare_tensor_count(m); k++) {
            const tare_item *t = tare_tensor_at(m, k);
            const unsigned char *data = tare_weights_data(w, t);
            for (size_t at = 0; at < bytes(t); at++)
                if (data[at] != 0x5a) fail_msg("%s was made again", t->path);
        }
        tare_weights_free(w);
        tare_model_free(m);
    }
}
/* A terabyte of address space, and of it a norm. */
static void test_one_of_many(void **state) {
    (void)state;
    const char *json = "{\"model_type\": \"llama\", \"hidden_size\": 65536, \"intermediate_size\": 131072, \"num_hidden_layers\": 8, "
                       "\"num_attention_heads\": 64, \"vocab_size\": 1000}";
    tare_model *m = model(json);
    tare_weights *w = later(m, (tare_init_options){.seed = 0});
    const tare_item *t = tare_tensor_find(m, "norm.weight");
    need(w, t);
    assert_true(((float *)tare_weights_data(w, t))[65535] == 1);
    tare_error err = {0};
    assert_int_equal(tare_weights_need(w, NULL, 0, NULL, &err), TARE_IO);
    assert_string_equal(err.code, "out_of_memory");
    err = (tare_error){0};
    tare_model *other = model(TINY_BERT);
    t = tare_tensor_at(other, 0);
    assert_int_equal(tare_weights_need(w, &t, 1, NULL, &err), TARE_USAGE);
    tare_model_free(other);
    tare_weights_free(w);
    tare_model_free(m);
}
static bool stop_at_once(void *to, uint64_t done, uint64_t all) { return ++*(int *)to, done > all; }
static void test_cancel(void **state) {
    (void)state;
    const char *json = "{\"model_type\": \"llama\", \"hidden_size\": 512, \"intermediate_size\": 1000, \"num_hidden_layers\": 1, \"vocab_size\": 9999}";
    tare_model *m = model(json);
    tare_weights *w = later(m, (tare_init_options){.seed = 4}), *whole = tare_init(m, &(tare_init_options){.seed = 4}, NULL);
    int asked = 0;
    tare_error err = {0};
    tare_init_options o = {.progress = stop_at_once, .progress_to = &asked, .threads = 2};
    assert_int_equal(tare_weights_need(w, NULL, 0, &o, &err), TARE_IO);
    assert_string_equal(err.code, "cancelled");
    assert_int_equal(asked, 1);
    need(w, NULL);
    assert_same(m, whole, w);
    tare_weights_free(whole);
    tare_weights_free(w);
    tare_model_free(m);
}
typedef struct share { const tare_model *m; tare_weights *w; size_t first; } share;
static void *ask_from(void *to) {
    share *s = to;
    size_t n = tare_tensor_count(s->m);
    for (size_t k = 0; k < n; k++) need(s->w, tare_tensor_at(s->m, (k + s->first) % n));
    return NULL;
}
static void test_many_threads(void **state) {
    (void)state;
    enum { N = 6 };
    pthread_t threads[N];
    tare_model *m = model(TINY_GEMMA3);
    tare_weights *whole = tare_init(m, &(tare_init_options){.seed = 2}, NULL);
    share s[N];
    tare_weights *w = later(m, (tare_init_options){.seed = 2});
    for (size_t i = 0; i < N; i++) {
        s[i] = (share){m, w, 17 * i};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_from, &s[i]), 0);
    }
    for (int i = 0; i < N; i++) pthread_join(threads[i], NULL);
    assert_same(m, whole, w);
    tare_weights_free(whole);
    tare_weights_free(w);
    tare_model_free(m);
}

/* ---- generators ---- */

static uint32_t next_of(const tare_generator *g) {
    uint32_t next;
    tare_model *m = model(TINY_RESNET); /* any model: it is asked where the generator is after it */
    tare_weights *w = tare_init(m, &(tare_init_options){.from = g, .next = &next}, NULL);
    assert_non_null(w);
    tare_weights_free(w);
    tare_model_free(m);
    return next;
}
/* Past a model without it, by way of torch's state, and by drawing: the next one is the same. */
static void test_pass(void **state) {
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        tare_model *m = model(text(i));
        tare_generator *g = tare_generator_new(11, NULL), *start = tare_generator_copy(g, NULL);
        uint32_t next, other;
        unsigned char bytes_of[TARE_GENERATOR_BYTES], bytes_again[TARE_GENERATOR_BYTES];
        tare_weights_free(tare_init(m, &(tare_init_options){.seed = 11, .next = &next}, NULL));
        tare_weights_free(tare_init(m, &(tare_init_options){.from = start, .next = &other}, NULL));
        assert_int_equal(next, other);
        assert_int_equal(tare_generator_pass(g, m, NULL, NULL), TARE_OK);
        assert_int_equal(tare_generator_pass(g, m, NULL, NULL), TARE_OK);
        tare_generator *copy = tare_generator_copy(g, NULL);
        tare_generator_save(g, bytes_of);
        tare_generator *loaded = tare_generator_load(bytes_of, sizeof bytes_of, NULL);
        assert_int_equal(next_of(copy), next_of(loaded));
        assert_int_equal(next_of(copy), next_of(g));
        assert_int_not_equal(next_of(copy), next_of(start));
        tare_generator_save(loaded, bytes_again);
        assert_memory_equal(bytes_of, bytes_again, sizeof bytes_of);
        assert_int_equal(tare_generator_seed(loaded), 11);
        tare_generator_free(g), tare_generator_free(start), tare_generator_free(copy), tare_generator_free(loaded);
        tare_model_free(m);
    }
}
static void test_no_state(void **state) {
    (void)state;
    tare_generator *g = tare_generator_new(3, NULL);
    unsigned char bytes_of[TARE_GENERATOR_BYTES];
    tare_generator_save(g, bytes_of);
    static const size_t wrong[] = {9, 12, 24 + 5, 24 + 8 * 623 + 4};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tare_error err = {0};
        bytes_of[wrong[i]] ^= 0x40;
        assert_null(tare_generator_load(bytes_of, sizeof bytes_of, &err));
        assert_int_equal(err.status, TARE_BAD);
        bytes_of[wrong[i]] ^= 0x40;
    }
    assert_null(tare_generator_load(bytes_of, sizeof bytes_of - 1, NULL));
    tare_generator_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order), cmocka_unit_test(test_changes_stay), cmocka_unit_test(test_one_of_many), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_many_threads), cmocka_unit_test(test_pass), cmocka_unit_test(test_no_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
