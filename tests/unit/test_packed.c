/* Quantised checkpoints through the library: models at each stage, what is stored, floats and errors; memory that runs out. */
#define _XOPEN_SOURCE 700
#include "core/arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tare.h>
#include <cmocka.h>
#include "folder.h"

#define LLAMA                                                                                                                             \
    "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 32, \"intermediate_size\": 32, "             \
    "\"num_hidden_layers\": 1, \"num_attention_heads\": 1, \"num_key_value_heads\": 1, \"head_dim\": 32, \"vocab_size\": 32, "            \
    "\"dtype\": \"bfloat16\", \"quantization_config\": "
static const char fp8[] = LLAMA "{\"quant_method\": \"fp8\", \"weight_block_size\": [16, 32]}}";
static const char nf4[] = LLAMA "{\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true, \"bnb_4bit_quant_type\": \"nf4\"}}";
static const char int4[] = LLAMA "{\"quant_method\": \"compressed-tensors\", \"quantization_status\": \"compressed\", \"ignore\": [\"re:.*lm_head\"], "
    "\"config_groups\": {\"a\": {\"targets\": [\"re:.*proj\"], \"weights\": {\"num_bits\": 4, \"strategy\": \"group\", \"group_size\": 16}}}}}";

/* ---- a checkpoint of what the model says it stores ---- */

enum { MOST = 1 << 16, PERIOD = 128 };
typedef struct writing { char header[MOST]; unsigned char data[MOST]; size_t n, at; } writing;
static size_t bytes_of(const tare_disk_tensor *t) {
    size_t n = tare_dtype_bytes(t->dtype);
    for (int i = 0; i < t->rank; i++) n *= t->shape[i] < 0 ? PERIOD : (size_t)t->shape[i];
    return n;
}
/* Codes 0x38, 1.0 of 8 bits and of 4 the codes 8 and 3; scales of 0.5; what describes a weight. */
static void fill(const tare_disk_tensor *t, unsigned char *to, size_t n) {
    static const float half = 0.5f;
    static const int64_t shape = 32;
    static const char how[] = "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [32, 32]}";
    const unsigned char *from = (const unsigned char *)&half;
    size_t wide = 4;
    if (t->dtype == TARE_I64) from = (const unsigned char *)&shape, wide = 8;
    if (t->dtype == TARE_BF16) from += 2, wide = 2;
    for (size_t i = 0; i < n; i++) to[i] = t->dtype == TARE_U8 || t->dtype == TARE_I32 || t->dtype == TARE_F8_E4M3 ? 0x38 : from[i % wide];
    if (t->shape && t->shape[0] < 0) memset(to, ' ', n), memcpy(to, how, sizeof how - 1);
}
static bool write_one(void *to, const tare_disk_tensor *t) {
    writing *w = to;
    size_t n = bytes_of(t);
    assert_true(w->at + n <= MOST);
    w->n += (size_t)snprintf(w->header + w->n, MOST - w->n, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[", w->n ? ',' : '{', t->key, tare_dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++)
        w->n += (size_t)snprintf(w->header + w->n, MOST - w->n, "%s%lld", i ? "," : "", t->shape[i] < 0 ? PERIOD : (long long)t->shape[i]);
    w->n += (size_t)snprintf(w->header + w->n, MOST - w->n, "],\"data_offsets\":[%zu,%zu]}", w->at, w->at + n);
    fill(t, w->data + w->at, n);
    w->at += n;
    return true;
}
static void put_checkpoint(const char *config) {
    static writing w;
    tare_error err = {0};
    tare_open_options o = {.quantized = true, .stage = TARE_STAGE_LOADED};
    tare_model *m = tare_model_parse(config, strlen(config), &o, &err);
    assert_non_null(m);
    memset(&w, 0, sizeof w);
    assert_int_equal(tare_model_layout(m, write_one, &w, &err), TARE_OK);
    tare_model_free(m);
    w.header[w.n++] = '}';
    uint64_t length = w.n;
    FILE *f = fopen("model.safetensors", "wb");
    assert_true(f && fwrite(&length, 8, 1, f) == 1 && fwrite(w.header, w.n, 1, f) == 1 && fwrite(w.data, w.at, 1, f) == 1 && !fclose(f));
    put_file("config.json", config, strlen(config));
}

/* ---- what is read of it ---- */

static tare_weights *load(const tare_open_options *o, tare_model **m, tare_error *err) {
    tare_checkpoint *c = tare_checkpoint_open(".", NULL, err);
    *m = c ? tare_checkpoint_model(c, NULL, o, err) : NULL;
    tare_weights *w = *m ? tare_load(*m, c, &(tare_load_options){.threads = 1}, err) : NULL;
    tare_checkpoint_free(c);
    return w;
}
static float first_number(const tare_model *m, const tare_weights *w, const char *path) {
    const uint16_t *x = tare_weights_data(w, tare_tensor_find(m, path));
    assert_non_null(x);
    uint32_t bits = (uint32_t)*x << 16;
    float f;
    return memcpy(&f, &bits, sizeof f), f;
}
/* Codes of 1.0 with scales of 0.5; of nf4 the upper half of 0x38 first, 3, and every value of the table is 0.5 in this file; of packed ints the lower
 * half, 8, which is 0, and then the upper one, 3, which is -5. */
static void test_floats(void **state) {
    static const struct { const char *config; float want; } all[] = {{fp8, 0.5f}, {nf4, 0.25f}, {int4, 0}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        tare_error err = {0};
        tare_model *m;
        put_checkpoint(all[i].config);
        tare_weights *w = load(&(tare_open_options){.dequantize = true}, &m, &err);
        if (!w) fail_msg("%s", err.message);
        assert_true(first_number(m, w, "model.layers.0.mlp.up_proj.weight") == all[i].want);
        assert_non_null(tare_model_quantization(m));
        tare_weights_free(w);
        tare_model_free(m);
    }
}
static void test_as_stored(void **state) {
    (void)state;
    tare_error err = {0};
    tare_model *m;
    put_checkpoint(nf4);
    tare_weights *w = load(NULL, &m, &err);
    assert_non_null(w);
    const char how[] = "model.layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4";
    const tare_item *t = tare_tensor_find(m, how);
    assert_true(t && t->rank == 1 && t->shape[0] == -1);
    assert_memory_equal(tare_weights_data(w, t), "{\"quant_type\": \"nf4\"", 20);
    const uint8_t *codes = tare_weights_data(w, tare_tensor_find(m, "model.layers.0.mlp.up_proj.weight"));
    assert_true(codes[0] == 0x38 && codes[511] == 0x38);
    tare_weights_free(w);
    tare_model_free(m);
}
static size_t tensors_at(tare_stage stage, const char *config) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(config, strlen(config), &(tare_open_options){.quantized = true, .stage = stage}, &err);
    assert_non_null(m);
    size_t n = tare_tensor_count(m);
    tare_model_free(m);
    return n;
}
/* 7 linear layers, of which each has three tensors beside its weight in files. */
static void test_stages(void **state) {
    (void)state;
    size_t plain = tensors_at(TARE_STAGE_PLAIN, nf4);
    assert_int_equal(tensors_at(TARE_STAGE_PREPARED, nf4), plain);
    assert_int_equal(tensors_at(TARE_STAGE_DEFAULT, nf4), plain);
    assert_int_equal(tensors_at(TARE_STAGE_LOADED, nf4), plain + 7 * 3);
    assert_int_equal(tensors_at(TARE_STAGE_PREPARED, fp8), plain + 7);
    assert_int_equal(tensors_at(TARE_STAGE_LOADED, fp8), plain + 7);
}

/* ---- memory ---- */

static bool fails_at(long k, const tare_open_options *o) {
    tare_error err = {0};
    tare_model *m;
    tarei_fail_after(k);
    tare_weights *w = load(o, &m, &err);
    bool reached = tarei_allocations() >= k;
    tarei_fail_after(0);
    if (!w && (err.status != TARE_IO || strcmp(err.code, "out_of_memory"))) fail_msg("allocation %ld: %s, %s", k, err.code, err.message);
    tare_weights_free(w);
    tare_model_free(m);
    return reached;
}
static void test_out_of_memory(void **state) {
    (void)state;
    static const char *const all[] = {fp8, nf4, int4};
    for (size_t i = 0; i < 3; i++)
        for (int floats = 0; floats < 2; floats++) {
            long k = 1;
            put_checkpoint(all[i]);
            while (fails_at(k, &(tare_open_options){.dequantize = floats})) k++;
            assert_true(k > 1);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_floats), cmocka_unit_test(test_as_stored), cmocka_unit_test(test_stages),
                                       cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests_name("packed", tests, enter_folder, leave_folder);
}
