/* Memory runs out at the k-th allocation, for every k: the call that meets it says so, nothing leaks (the sanitizer build
 * looks for that), and the next call works. */
#include "core/arena.h"
#include "tiny.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <tare.h>
#include <cmocka.h>

static bool discard(void *to, const char *data, size_t n) {
    (void)to, (void)data, (void)n;
    return true;
}

static bool next_tensor(void *to, const tare_disk_tensor *t) { return discard(to, t->key, 0); }

static void out_of_memory(const tare_error *err, const char *what, long k) {
    if (err->status != TARE_IO || strcmp(err->code, "out_of_memory"))
        fail_msg("%s, allocation %ld: status %d, code \"%s\", %s", what, k, (int)err->status, err->code, err->message);
}
/* ---- what is asked of a model; each is tried with every allocation of its own failing ---- */

static void texts(const tare_model *m, long k) {
    static const tare_text all[] = {TARE_TEXT_PRINT, TARE_TEXT_TREE, TARE_TEXT_FACTS, TARE_TEXT_CONFIG, TARE_TEXT_SAVED_CONFIG, TARE_TEXT_SAVED_GENERATION};
    char hex[65];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tare_error err = {0};
        if (tare_model_write(m, all[i], discard, NULL, &err) != TARE_OK) out_of_memory(&err, "write", k);
        err = (tare_error){0};
        if (tare_model_digest(m, all[i], hex, &err) != TARE_OK) out_of_memory(&err, "digest", k);
    }
}
static void layout(const tare_model *m, long k) {
    tare_error err = {0};
    if (tare_model_layout(m, next_tensor, NULL, &err) != TARE_OK) out_of_memory(&err, "layout", k);
}
static void lists(const tare_model *m, long k) {
    const tare_attn_row *attn;
    const tare_config_row *rows;
    (void)k;
    tare_tensor_at(m, tare_tensor_count(m) / 2);
    tare_tensor_find(m, "no.such.tensor");
    tare_model_attn(m, &attn);
    tare_config_rows(tare_model_config(m), &rows);
}
static void init(const tare_model *m, long k) {
    tare_error err = {0};
    tare_weights *w = tare_init(m, &(tare_init_options){.threads = 1}, &err);
    if (!w) out_of_memory(&err, "init", k);
    tare_weights_free(w);
}
/* Half of it at first: what did not work is made at the next call. */
static void init_later(const tare_model *m, long k) {
    tare_error err = {0};
    tare_init_options o = {.threads = 1};
    tare_weights *w = tare_init_later(m, &o, &err);
    if (!w) {
        out_of_memory(&err, "init_later", k);
        return;
    }
    const tare_item *t = tare_tensor_at(m, tare_tensor_count(m) / 2);
    tare_generator *g = tare_generator_new(0, &err);
    if (tare_weights_need(w, &t, 1, &o, &err) != TARE_OK) out_of_memory(&err, "need one", k);
    err = (tare_error){0};
    if (tare_weights_need(w, NULL, 0, &o, &err) != TARE_OK) out_of_memory(&err, "need", k);
    err = (tare_error){0};
    if (tare_generator_pass(g, m, &o, &err) != TARE_OK) out_of_memory(&err, "pass", k);
    tare_generator_free(g);
    tare_weights_free(w);
}
static bool next_value(void *to, const tare_item *t, const void *bytes, size_t n) { return (void)t, discard(to, bytes, n); }
static void init_each(const tare_model *m, long k) {
    tare_error err = {0};
    if (tare_init_each(m, &(tare_init_options){.threads = 1}, next_value, NULL, &err) != TARE_OK) out_of_memory(&err, "init_each", k);
}

static void plan(const tare_model *m, long k) {
    static const tare_device devices[] = {{.index = 0, .has_bytes = true, .bytes = 9000}, {.name = "cpu", .has_bytes = true, .bytes = 15000}};
    tare_error err = {0};
    tare_plan *g = tare_plan_make(m, &(tare_plan_options){.accelerate = true, .devices = devices, .device_count = 2}, &err);
    if (!g) out_of_memory(&err, "plan", k);
    tare_plan_free(g);
}
static void best(const tare_model *m, long k) {
    static const tare_device devices[] = {{.index = 0, .has_bytes = true, .bytes = 9000}, {.index = 1, .has_bytes = true, .bytes = 15000}};
    tare_error err = {0};
    size_t more;
    tare_plan_options o = {.devices = devices, .device_count = 2, .budget = &(tare_budget_options){.context = 5}};
    tare_plan *g = tare_plan_make(m, &o, &err);
    if (!g) out_of_memory(&err, "best", k);
    else if (tare_plan_more(g, 20000, &more, &err) == TARE_IO) out_of_memory(&err, "more", k);
    tare_plan_free(g);
}
static void check_map(const tare_model *m, long k) {
    static const char map[] = "{\"\": 0, \"no.such\": \"cpu\"}";
    tare_error err = {0};
    tare_map_check *c = tare_map_check_open(m, map, strlen(map), NULL, &err);
    if (!c) out_of_memory(&err, "check", k);
    tare_map_check_free(c);
}
static void nothing(const tare_model *m, long k) { (void)m, (void)k; }

/* True when the k-th allocation was reached. */
static bool fails_at(long k, const char *json, void (*ask)(const tare_model *m, long k)) {
    tare_error err = {0};
    if (ask == nothing) tarei_fail_after(k);
    tare_model *m = tare_model_parse(json, strlen(json), &(tare_open_options){.host = "gpu=none"}, &err);
    if (!m) out_of_memory(&err, json, k);
    if (ask != nothing) tarei_fail_after(k);
    if (m) ask(m, k);
    bool reached = tarei_allocations() >= k;
    tarei_fail_after(0);
    if (m) ask(m, 0); /* and now it works */
    tare_model_free(m);
    return reached;
}
static void test_every_allocation(void **state) {
    static void (*const all[])(const tare_model *, long) = {nothing, texts, layout, lists, init, init_later, init_each, plan, best, check_map};
    (void)state;
    for (size_t i = 0; i < TINY; i++)
        for (size_t w = 0; w < sizeof all / sizeof *all; w++) {
            long k = 1;
            while (fails_at(k, tiny[i], all[w])) k++;
            assert_true(k > 1); /* something was allocated, so the hook is alive */
        }
}

static void test_config(void **state) {
    (void)state;
    for (long k = 1, reached = 1; reached; k++) {
        tare_error err = {0};
        tarei_fail_after(k);
        tare_open_options o = {.set = (const char *const[]){"hidden_size=64", "a.b=[1, 2]", NULL}};
        tare_config *c = tare_config_open("meta-llama/Llama-2-7b-hf", &o, &err);
        if (!c) out_of_memory(&err, "config", k);
        else if (tare_config_write(c, discard, NULL, &err) != TARE_OK) out_of_memory(&err, "config write", k);
        tare_config_free(c);
        reached = tarei_allocations() >= k;
        tarei_fail_after(0);
    }
}

/* Lists with patterns, layers that come apart, experts that do, schemes by name. */
static void test_quantised(void **state) {
    static const char *const requests[] = {
        "fp8:modules_to_not_convert=[\".*\\\\.1\\\\.mlp\",\"lm_head\"]", "bitsandbytes:load_in_4bit=true", "quanto:weights=int8,activations=int8", "nvfp4",
    };
    static const char *const configs[] = {
        "{\"quant_method\": \"compressed-tensors\", \"ignore\": [\"re:.*0.*\"], \"config_groups\": {\"NVFP4\": [\"Linear\"]}}",
        "{\"quant_method\": \"auto-round\", \"bits\": 4, \"group_size\": 16, \"extra_config\": {\".*1.*\": {\"bits\": 8}}}",
        "{\"quant_method\": \"gemma\", \"module_quant_configs\": {\"[01]\": {\"num_bits\": 8}}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests + sizeof configs / sizeof *configs; i++) {
        bool asked = i < sizeof requests / sizeof *requests;
        char json[1024];
        tare_open_options o = {.host = "gpu=none", .quantized = true, .quantize = asked ? requests[i] : NULL};
        if (asked) snprintf(json, sizeof json, "%s", TINY_LLAMA);
        else snprintf(json, sizeof json, "%.*s, \"quantization_config\": %s}", (int)strlen(TINY_LLAMA) - 1, TINY_LLAMA,
            configs[i - sizeof requests / sizeof *requests]);
        for (long k = 1, reached = 1; reached; k++) {
            tare_error err = {0};
            tarei_fail_after(k);
            tare_model *m = tare_model_parse(json, strlen(json), &o, &err);
            if (!m) out_of_memory(&err, json, k);
            tare_model_free(m);
            reached = tarei_allocations() >= k;
            tarei_fail_after(0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation), cmocka_unit_test(test_config), cmocka_unit_test(test_quantised)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
