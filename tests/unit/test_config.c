/* Config handles as objects, models made from them, modules by index, and what is known by name. */
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tare.h>
#include <cmocka.h>

typedef struct text { char data[65536]; size_t n; } text;
static bool take(void *to, const char *data, size_t n) {
    text *t = to;
    if (n >= sizeof t->data - t->n) return false;
    memcpy(t->data + t->n, data, n);
    t->data[t->n += n] = 0;
    return true;
}
static tare_config *config_of(const char *class_name, const char *json) {
    tare_error err = {0};
    tare_config *c = tare_config_parse(json, strlen(json), &(tare_open_options){.config_class = class_name}, &err);
    if (!c) fail_msg("%s", err.message);
    return c;
}
static void expect(const tare_config *c, const char *key, const char *json) {
    text t = {.n = 0};
    tare_error err = {0};
    assert_int_equal(tare_config_get(c, key, take, &t, &err), json ? TARE_OK : TARE_NO);
    assert_int_equal(err.status, TARE_OK);
    assert_string_equal(t.data, json ? json : "");
}
static void put(tare_config *c, const char *key, const char *json) {
    tare_error err = {0};
    if (tare_config_set(c, key, json, strlen(json), &err) != TARE_OK) fail_msg("%s: %s", key, err.message);
}
static void refused(tare_config *c, const char *key, const char *json, const char *code) {
    tare_error err = {0};
    assert_int_not_equal(tare_config_set(c, key, json, strlen(json), &err), TARE_OK);
    assert_string_equal(err.code, code);
}
static void digest_of(tare_model *m, char hex[65]) {
    assert_non_null(m);
    assert_int_equal(tare_model_digest(m, TARE_TEXT_TREE, hex, NULL), TARE_OK);
    tare_model_free(m);
}
static tare_model *make(const tare_config *c, const char *class_name, const char *dtype) {
    tare_error err = {0};
    tare_model *m = tare_model_make(c, &(tare_open_options){.class_name = class_name, .dtype = dtype}, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}

/* ---- values ---- */

static void test_values_go_by_every_name(void **state) {
    (void)state;
    tare_config *c = config_of("GPT2Config", "{\"n_embd\": 64, \"n_head\": 4, \"model_type\": \"anything\"}");
    assert_string_equal(tare_config_class(c), "GPT2Config");
    expect(c, "n_embd", "64");
    expect(c, "hidden_size", "64");
    expect(c, "num_labels", "2");
    expect(c, "_attn_implementation", "null");
    expect(c, "nothing_like_it", NULL);
    put(c, "hidden_size", "32");
    put(c, "num_labels", "3");
    put(c, "torch_dtype", "\"float16\"");
    put(c, "nothing_like_it", "{\"a\": [1, null]}");
    expect(c, "n_embd", "32");
    expect(c, "id2label", "{\"0\": \"LABEL_0\", \"1\": \"LABEL_1\", \"2\": \"LABEL_2\"}");
    expect(c, "dtype", "\"float16\"");
    expect(c, "nothing_like_it", "{\"a\": [1, null]}");
    tare_config_free(c);
}
static void test_refusals_leave_the_value(void **state) {
    (void)state;
    tare_config *c = config_of("GPT2Config", "{}");
    refused(c, "n_embd", "\"many\"", "bad_type");
    refused(c, "n_embd", "64 65", "bad_json");
    refused(c, "model_type", "\"llama\"", "bad_value");
    refused(c, "use_return_dict", "true", "bad_value");
    expect(c, "n_embd", "768");
    put(c, "n_embd", "96"); /* an earlier refusal is forgotten */
    expect(c, "n_embd", "96");
    assert_int_equal(tare_config_set(NULL, "a", "1", 1, NULL), TARE_USAGE);
    assert_int_equal(tare_config_get(c, NULL, take, NULL, NULL), TARE_USAGE);
    tare_config_free(c);
}
static void test_rows_are_those_of_now(void **state) {
    (void)state;
    const tare_config_row *rows;
    tare_config *c = config_of("LlavaConfig", "{}"), *p = tare_config_part(c, "text_config");
    size_t n = tare_config_rows(c, &rows), inner = tare_config_rows(p, &rows);
    assert_true(inner > 0 && n > inner);
    put(p, "one_more", "1");
    assert_int_equal(tare_config_rows(c, &rows), n + 1);
    assert_int_equal(tare_config_rows(p, &rows), inner + 1);
    tare_config_free(c);
}

/* ---- parts and copies ---- */

static void test_parts_are_the_parent_s(void **state) {
    (void)state;
    tare_config *c = config_of("LlavaConfig", "{\"text_config\": {\"model_type\": \"llama\", \"num_hidden_layers\": 2}}");
    tare_config *p = tare_config_part(c, "text_config");
    assert_non_null(p);
    assert_ptr_equal(p, tare_config_part(c, "text_config"));
    assert_string_equal(tare_config_class(p), "LlamaConfig");
    assert_null(tare_config_part(c, "image_token_index"));
    put(p, "num_hidden_layers", "3");
    put(c, "_attn_implementation", "\"eager\"");
    expect(p, "_attn_implementation", "\"eager\"");

    tare_config *copy = tare_config_copy(c, NULL), *apart = tare_config_copy(p, NULL);
    expect(tare_config_part(copy, "text_config"), "num_hidden_layers", "3");
    put(p, "num_hidden_layers", "4");
    expect(tare_config_part(copy, "text_config"), "num_hidden_layers", "3");
    expect(apart, "num_hidden_layers", "3");
    expect(apart, "_attn_implementation", "\"eager\"");

    put(apart, "hidden_size", "96");
    assert_int_equal(tare_config_set_part(c, "text_config", apart, NULL), TARE_OK);
    tare_config_free(apart);
    assert_ptr_not_equal(p, tare_config_part(c, "text_config"));
    expect(tare_config_part(c, "text_config"), "hidden_size", "96");
    tare_error err = {0};
    assert_int_not_equal(tare_config_set_part(c, "image_seq_length", copy, &err), TARE_OK);
    assert_string_equal(err.code, "bad_type");
    tare_config_free(copy);
    tare_config_free(p); /* belongs to c: nothing happens */
    tare_config_free(c);
}

/* ---- models ---- */

static const char *const small = "{\"model_type\": \"llama\", \"hidden_size\": 64, \"num_attention_heads\": 4, \"num_hidden_layers\": 2, "
                                 "\"intermediate_size\": 96, \"vocab_size\": 100}";
static void test_models_follow_what_was_set(void **state) {
    (void)state;
    char of_text[65], of_handle[65];
    tare_config *c = config_of(NULL, small);
    digest_of(tare_model_parse(small, strlen(small), &(tare_open_options){.class_name = "LlamaForCausalLM"}, NULL), of_text);
    digest_of(make(c, "LlamaForCausalLM", NULL), of_handle);
    assert_string_equal(of_text, of_handle);

    static const char *const set[] = {"num_hidden_layers=5", "vocab_size=7", NULL};
    digest_of(tare_model_parse(small, strlen(small), &(tare_open_options){.class_name = "LlamaModel", .set = set, .dtype = "bf16"}, NULL), of_text);
    put(c, "num_hidden_layers", "5");
    put(c, "vocab_size", "7");
    digest_of(make(c, "LlamaModel", "bf16"), of_handle);
    assert_string_equal(of_text, of_handle);
    expect(c, "dtype", "null"); /* a model leaves the config as it is */

    tare_error err = {0};
    assert_null(tare_model_make(c, &(tare_open_options){.set = set}, &err));
    assert_string_equal(err.code, "usage");
    assert_null(tare_model_make(c, &(tare_open_options){.attn = "no_such"}, &err));
    assert_string_equal(err.code, "unsupported_attention");
    assert_null(tare_model_make(c, &(tare_open_options){.attn = "flash_attention_2", .host = "gpu=none"}, &err));
    assert_string_equal(err.code, "unavailable_attention");
    assert_null(tare_model_make(NULL, NULL, &err));
    tare_config_free(c);
}
/* Derived values are those of the making: head_dim stays where hidden_size changes. */
static void test_derived_values_stay(void **state) {
    (void)state;
    tare_config *c = config_of(NULL, small);
    expect(c, "head_dim", "16");
    put(c, "hidden_size", "128");
    expect(c, "head_dim", "16");
    tare_model *m = make(c, "LlamaModel", NULL);
    const tare_item *q = tare_tensor_find(m, "layers.0.self_attn.q_proj.weight");
    assert_int_equal(q->shape[0], 64);
    assert_int_equal(q->shape[1], 128);
    tare_model_free(m);
    tare_config_free(c);
}
static void test_a_model_s_config_says_what_it_chose(void **state) {
    (void)state;
    tare_config *c = config_of(NULL, small);
    tare_model *m = make(c, "LlamaModel", "fp16");
    tare_config *own = tare_config_copy(tare_model_config(m), NULL);
    tare_model_free(m);
    expect(own, "_attn_implementation", "\"sdpa\"");
    expect(own, "dtype", "\"float16\"");
    expect(c, "_attn_implementation", "null");
    tare_config_free(own);
    tare_config_free(c);
}
static void test_json_is_that_of_files(void **state) {
    (void)state;
    static text t;
    tare_config *c = config_of("BertConfig", "{\"hidden_size\": 24, \"num_attention_heads\": 2, \"top\": Infinity}");
    t.n = 0;
    assert_int_equal(tare_config_json(c, true, take, &t, NULL), TARE_OK);
    assert_non_null(strstr(t.data, "\"__float__\": \"Infinity\""));
    assert_null(strstr(t.data, "id2label"));
    assert_string_equal(t.data + t.n - 2, "}\n");
    t.n = 0;
    assert_int_equal(tare_config_json(c, false, take, &t, NULL), TARE_OK);
    assert_non_null(strstr(t.data, "id2label"));
    tare_config_free(c);
}

/* ---- modules ---- */

static void test_modules_print_themselves(void **state) {
    (void)state;
    tare_config *c = config_of(NULL, small);
    tare_model *m = make(c, "LlamaForCausalLM", NULL);
    size_t n = tare_module_count(m), found = 0;
    assert_int_equal(n, tare_model_modules(m));
    assert_null(tare_module_at(m, n));
    for (size_t i = 0; i < n; i++) {
        const tare_item *item = tare_module_at(m, i);
        text t = {.n = 0};
        assert_int_equal(tare_module_write(m, i, take, &t, NULL), TARE_OK);
        if (strcmp(item->path, "model.layers.1.self_attn.q_proj")) continue;
        found++;
        assert_string_equal(item->torch_class, "Linear");
        assert_string_equal(t.data, "Linear(in_features=64, out_features=64, bias=False)\n");
    }
    assert_int_equal(found, 1);
    assert_string_equal(tare_module_at(m, 0)->path, "");
    assert_int_equal(tare_module_write(m, n, take, NULL, NULL), TARE_USAGE);
    tare_model_free(m);
    tare_config_free(c);
}

/* ---- names ---- */

static bool has_class(const tare_class *rows, size_t n, const char *name, const char *config) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].name, name)) return !config || !strcmp(rows[i].config, config);
    return false;
}
static void test_names_are_sorted_and_known(void **state) {
    (void)state;
    const tare_class *models, *configs;
    const char *const *autos;
    size_t m = tare_classes(&models), c = tare_config_classes(&configs), a = tare_auto_classes(&autos);
    for (size_t i = 1; i < m; i++) assert_true(strcmp(models[i - 1].name, models[i].name) < 0);
    for (size_t i = 1; i < c; i++) assert_true(strcmp(configs[i - 1].name, configs[i].name) < 0);
    for (size_t i = 1; i < a; i++) assert_true(strcmp(autos[i - 1], autos[i]) < 0);
    assert_true(has_class(models, m, "LlamaForCausalLM", "LlamaConfig"));
    assert_true(has_class(configs, c, "LlamaConfig", NULL));
    assert_string_equal(tare_auto_class("AutoModelForCausalLM", "gpt-sw3"), "GPT2LMHeadModel");
    assert_null(tare_auto_class("AutoModelForCausalLM", "vit"));
    assert_null(tare_auto_class("AutoModelForNothing", "gpt2"));
    assert_null(tare_auto_class("AutoModel", NULL));
}
static const tare_field *field_of(const char *config, const char *name) {
    const tare_field *rows;
    size_t n = tare_config_fields(config, &rows);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}
static void test_fields_have_types_and_defaults(void **state) {
    (void)state;
    const tare_field *f = field_of("GPT2Config", "n_inner"), *rows;
    assert_string_equal(f->type, "int | None");
    assert_string_equal(f->preset, "null");
    f = field_of("GPT2Config", "hidden_size");
    assert_string_equal(f->stored, "n_embd");
    assert_null(f->preset);
    assert_int_equal(tare_config_fields("NoConfig", &rows), 0);
    assert_null(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_go_by_every_name), cmocka_unit_test(test_refusals_leave_the_value), cmocka_unit_test(test_rows_are_those_of_now),
        cmocka_unit_test(test_parts_are_the_parent_s), cmocka_unit_test(test_models_follow_what_was_set), cmocka_unit_test(test_derived_values_stay),
        cmocka_unit_test(test_a_model_s_config_says_what_it_chose), cmocka_unit_test(test_json_is_that_of_files),
        cmocka_unit_test(test_modules_print_themselves), cmocka_unit_test(test_names_are_sorted_and_known),
        cmocka_unit_test(test_fields_have_types_and_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
