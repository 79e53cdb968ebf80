/* The best map from outside: parts, loads and verdict agree with each other and with the budget, whatever the model is cut into. */
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

static tare_model *opened(const char *model, const char *class_name, const char *dtype) {
    tare_error err = {0};
    tare_model *m = tare_model_open(model, &(tare_open_options){.class_name = class_name, .dtype = dtype, .host = "gpu=none"}, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}
static tare_plan *planned(const tare_model *m, const char *max_memory, tare_plan_options o) {
    tare_error err = {0};
    tare_devices *places = tare_devices_open(NULL, &(tare_devices_options){.max_memory = max_memory}, &err);
    if (!places) fail_msg("%s", err.message);
    o.places = places;
    tare_plan *g = tare_plan_make(m, &o, &err);
    if (!g) fail_msg("%s: %s", max_memory, err.message);
    tare_devices_free(places);
    return g;
}
static tare_plan_verdict verdict(const tare_plan *g) {
    tare_plan_verdict v;
    tare_plan_verdict_of(g, &v);
    return v;
}
static const tare_plan_device *device(const tare_plan *g, const char *name) {
    const tare_plan_device *d;
    for (size_t i = 0, n = tare_plan_devices(g, &d); i < n; i++)
        if (!strcmp(d[i].name, name)) return &d[i];
    fail_msg("no device %s", name);
    return NULL;
}

/* ---- sums ---- */

enum { DEVICES = 16 };
typedef struct sums { uint64_t bytes, cache, training, logits, off, on[DEVICES], parts_on[DEVICES]; size_t parts; } sums;
static bool add(void *to, const tare_plan_part *p) {
    sums *s = to;
    s->parts++;
    s->bytes += p->bytes, s->cache += p->cache, s->training += p->training, s->logits += p->logits;
    uint64_t all = p->bytes + p->cache + p->training + p->logits;
    if (p->device == SIZE_MAX) s->off += all;
    else s->on[p->device] += all, s->parts_on[p->device]++;
    return true;
}
static sums sums_of(const tare_plan *g) {
    sums s = {0};
    assert_int_equal(tare_plan_parts(g, add, &s), TARE_OK);
    return s;
}
/* Parts, loads and verdict of one plan without copies. */
static void check_sums(const tare_plan *g) {
    const tare_plan_device *d;
    sums s = sums_of(g);
    tare_plan_verdict v = verdict(g);
    uint64_t off = 0, largest = 0;
    size_t n = tare_plan_devices(g, &d), used = 0;
    assert_true(n <= DEVICES);
    for (size_t i = 0; i < n; i++) {
        bool gpu = d[i].kind <= TARE_DEVICE_MPS;
        assert_int_equal(d[i].load, s.on[i]);
        assert_int_equal(d[i].load, d[i].weights + d[i].cache + d[i].training + d[i].logits);
        assert_true(d[i].load <= d[i].room);
        if (gpu && d[i].load > largest) largest = d[i].load;
        if (!gpu) off += d[i].load;
        used += gpu && d[i].load;
    }
    assert_int_equal(v.total, s.bytes + s.cache + s.training + s.logits);
    assert_int_equal(v.off_gpus, off + s.off);
    assert_int_equal(v.largest, largest);
    assert_int_equal(v.used, used);
    assert_int_equal(v.fits, s.off == 0);
    assert_int_equal(v.fits, v.missing == 0);
    assert_int_equal(v.fits, v.stuck == NULL);
    assert_int_equal(v.largest > 0, v.breaks != NULL);
    assert_int_equal(v.gpus_missing == 0, v.off_gpus == 0);
    assert_int_equal(v.copied, 0);
}

/* ---- the budget, by parts ---- */

#define DECODER "\"hidden_size\": 16, \"intermediate_size\": 24, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"vocab_size\": 50"
static const char *const kinds[] = {
    TINY_LLAMA, TINY_BERT, TINY_T5, TINY_DEEPSEEK, TINY_GEMMA3, TINY_RESNET, TINY_WAV2VEC2,
    "{\"model_type\": \"t5\", \"architectures\": [\"T5ForConditionalGeneration\"], \"d_model\": 16, \"d_ff\": 24, \"d_kv\": 8, \"num_heads\": 2, "
    "\"num_layers\": 2, \"num_decoder_layers\": 3, \"vocab_size\": 50}",
    "{\"model_type\": \"whisper\", \"architectures\": [\"WhisperForConditionalGeneration\"], \"d_model\": 16, \"encoder_layers\": 1, "
    "\"decoder_layers\": 2, \"encoder_attention_heads\": 2, \"decoder_attention_heads\": 4, \"encoder_ffn_dim\": 24, \"decoder_ffn_dim\": 24, "
    "\"vocab_size\": 50, \"max_source_positions\": 10, \"pad_token_id\": 0, \"bos_token_id\": 1, \"eos_token_id\": 2}",
    "{\"model_type\": \"gemma3_text\", \"architectures\": [\"Gemma3ForCausalLM\"], \"num_hidden_layers\": 7, \"head_dim\": 8, "
    "\"sliding_window\": 4, " DECODER "}",
    "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"num_hidden_layers\": 3, \"attention_chunk_size\": 7, " DECODER "}",
    "{\"model_type\": \"mixtral\", \"architectures\": [\"MixtralForCausalLM\"], \"num_hidden_layers\": 2, \"num_local_experts\": 2, "
    "\"num_experts_per_tok\": 1, \"sliding_window\": 6, " DECODER "}",
    "{\"model_type\": \"deepseek_v3\", \"architectures\": [\"DeepseekV3ForCausalLM\"], \"num_hidden_layers\": 4, \"moe_intermediate_size\": 8, "
    "\"kv_lora_rank\": 8, \"q_lora_rank\": 8, \"qk_rope_head_dim\": 4, \"qk_nope_head_dim\": 4, \"v_head_dim\": 6, \"n_routed_experts\": 4, "
    "\"n_group\": 1, \"topk_group\": 1, \"num_experts_per_tok\": 2, \"first_k_dense_replace\": 1, " DECODER "}",
    "{\"model_type\": \"bloom\", \"architectures\": [\"BloomForCausalLM\"], \"hidden_size\": 16, \"n_layer\": 2, \"n_head\": 4, \"vocab_size\": 50}",
    "{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"], \"n_embd\": 16, \"n_layer\": 2, \"n_head\": 4, \"vocab_size\": 50, "
    "\"add_cross_attention\": true}",
    "{\"model_type\": \"bert\", \"architectures\": [\"BertLMHeadModel\"], \"num_hidden_layers\": 2, \"is_decoder\": true, "
    "\"add_cross_attention\": true, " DECODER "}",
    "openai/clip-vit-base-patch32", "facebook/deit-base-patch16-224", "siglip", "clip", "vit", "google/gemma-3-4b",
};
static const char *const leaves[] = {NULL};
static const char *const odd[] = {"LlamaAttention", "T5LayerSelfAttention", "T5LayerCrossAttention", "BertSelfAttention", "WhisperAttention", "GPT2Attention",
                                  "LlamaMLP", "DeepseekV3Attention", "Gemma3Attention", NULL};
static const char *const *const cuts[] = {NULL, leaves, odd};

static const tare_budget_options asked[] = {
    {.context = 17, .batch = 2, .source = 5},
    {.context = 17, .kv_dtype = "float8_e4m3fn"},
    {.optimizer = "adamw"},
    {.optimizer = "sgd-momentum"},
    {.context = 17, .activations = true, .file_dtype = "bfloat16"},
    {.context = 3, .optimizer = "sgd"},
};
static uint64_t lines(const tare_budget *b, const char *const *names) {
    uint64_t sum = 0;
    for (size_t i = 0; i < b->count; i++)
        for (const char *const *n = names; *n; n++)
            if (!strcmp(b->lines[i].name, *n)) sum += b->lines[i].bytes;
    return sum;
}
static void check_budget(const tare_model *m, const tare_budget_options *o, const tare_plan_options *how, const char *memory) {
    static const char *const held[] = {"parameters", "buffers", NULL}, *const trained[] = {"gradients", "optimizer", NULL},
                             *const logits[] = {"logits", NULL};
    tare_error err = {0};
    tare_budget b;
    if (tare_model_budget(m, o, &b, &err)) fail_msg("%s", err.message);
    tare_plan *g = planned(m, memory, *how);
    sums s = sums_of(g);
    assert_int_equal(s.bytes, lines(&b, held));
    assert_int_equal(s.cache, b.cache);
    assert_int_equal(s.training, lines(&b, trained));
    assert_int_equal(s.logits, lines(&b, logits));
    check_sums(g);
    tare_plan_free(g);
}
static void test_budget_of_parts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        tare_model *m = opened(kinds[i], NULL, i % 2 ? "bfloat16" : "float32");
        for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++)
            for (size_t k = 0; k < sizeof asked / sizeof *asked; k++) {
                tare_plan_options how = {.no_split = cuts[c], .budget = &asked[k]};
                check_budget(m, &asked[k], &how, "0=1TB,1=1TB");
                how.split_experts = true;
                check_budget(m, &asked[k], &how, "0=1TB,1=1TB");
                check_budget(m, &asked[k], &how, "0=9KB,1=20KB,cpu=30KB,disk=40KB");
            }
        tare_model_free(m);
    }
}

/* ---- what is taken off, and where ---- */

static bool find_logits(void *to, const tare_plan_part *p) {
    tare_plan_part *found = to;
    if (!p->logits) return true;
    assert_null(found->path);
    *found = *p;
    found->path = strdup(p->path);
    return true;
}
/* Activations need room on every GPU and on none of the others; logits lie with the head. */
static void test_running(void **state) {
    (void)state;
    static const struct { const char *model, *class_name, *head; } all[] = {
        {TINY_LLAMA, NULL, "lm_head"}, {TINY_BERT, "BertForMaskedLM", "cls.predictions.decoder"},
        {TINY_T5, "T5ForConditionalGeneration", "lm_head"}, {"openai-community/gpt2", NULL, "lm_head"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tare_model *m = opened(all[i].model, all[i].class_name, NULL);
        tare_plan *g = planned(m, "0=1GB,3=2GB,cpu=1GB,disk=1GB", (tare_plan_options){.budget = &(tare_budget_options){.context = 20, .activations = true}});
        uint64_t running = device(g, "0")->running;
        tare_plan_part head = {.path = NULL};
        assert_true(running > 0);
        assert_int_equal(device(g, "0")->room, 1000000000 - running);
        assert_int_equal(device(g, "3")->room, 2000000000 - running);
        assert_int_equal(device(g, "cpu")->room, 1000000000);
        assert_int_equal(device(g, "disk")->room, 1000000000);
        assert_int_equal(device(g, "cpu")->running, 0);
        assert_int_equal(tare_plan_parts(g, find_logits, &head), TARE_OK);
        assert_string_equal(head.path, all[i].head);
        const tare_plan_device *d;
        tare_plan_devices(g, &d);
        assert_int_equal(d[head.device].logits, head.logits);
        free((char *)head.path);
        tare_plan_free(g);
        tare_model_free(m);
    }
}
/* A GPU that is just as large as what runs has no room, and one that is smaller neither. */
static void test_running_takes_all(void **state) {
    (void)state;
    tare_model *m = opened(TINY_LLAMA, NULL, NULL);
    tare_budget_options o = {.context = 20, .activations = true};
    tare_plan *g = planned(m, "0=1000000,cpu=1GB", (tare_plan_options){.budget = &o});
    uint64_t running = device(g, "0")->running;
    char memory[64];
    tare_plan_free(g);
    for (uint64_t less = 0; less < 2; less++) {
        snprintf(memory, sizeof memory, "0=%" PRIu64 ",cpu=1GB", running - less);
        g = planned(m, memory, (tare_plan_options){.budget = &o});
        assert_int_equal(device(g, "0")->room, 0);
        assert_true(verdict(g).fits);
        assert_int_equal(verdict(g).off_gpus, verdict(g).total);
        check_sums(g);
        tare_plan_free(g);
    }
    tare_model_free(m);
}

/* ---- devices that are odd ---- */

static void test_places(void **state) {
    (void)state;
    static const struct { const char *memory; bool fits; size_t gpus, used; } all[] = {
        {"cpu=1GB", true, 0, 0},          {"disk=1GB", true, 0, 0},         {"cpu=1KB,disk=1GB", true, 0, 0},
        {"cpu=1KB", false, 0, 0},         {"0=0", false, 1, 0},             {"0=0,1=0,cpu=0,disk=0", false, 2, 0},
        {"0=0,5=1GB", true, 2, 1},        {"0=1GB,1=0", true, 2, 1},        {"0=unlimited", true, 1, 1},
        {"cpu=unlimited", true, 0, 0},    {"mps=1GB", true, 1, 1},          {"0=8KB,mps=1GB", true, 2, 2},
        {"0=8KB,1=0,2=1GB", true, 3, 2},  {"0=0,cpu=unlimited", true, 1, 0}, {"0=8KB,disk=unlimited", true, 1, 1},
    };
    tare_model *m = opened(TINY_LLAMA, NULL, NULL);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tare_plan *g = planned(m, all[i].memory, (tare_plan_options){0});
        tare_plan_verdict v = verdict(g);
        if (v.fits != all[i].fits || v.gpus != all[i].gpus || v.used != all[i].used)
            fail_msg("%s: fits %d, %zu GPUs, %zu used", all[i].memory, v.fits, v.gpus, v.used);
        check_sums(g);
        tare_plan_free(g);
    }
    tare_model_free(m);
}
static void test_unlimited_stays(void **state) {
    (void)state;
    tare_model *m = opened(TINY_LLAMA, NULL, NULL);
    tare_plan *g = planned(m, "0=unlimited,1=unlimited,cpu=unlimited,disk=unlimited",
                           (tare_plan_options){.budget = &(tare_budget_options){.context = 20, .activations = true}});
    const tare_plan_device *d;
    for (size_t i = 0, n = tare_plan_devices(g, &d); i < n; i++) assert_true(d[i].room == UINT64_MAX && !d[i].has_budget);
    assert_int_equal(verdict(g).used, 2); /* without an end, they are still as even as can be */
    check_sums(g);
    tare_plan_free(g);
    tare_model_free(m);
}
/* Modules without tensors are in the map, on a device that something else is on. */
static void test_empty_blocks(void **state) {
    (void)state;
    const tare_plan_entry *e;
    tare_model *m = opened("openai-community/gpt2", NULL, NULL);
    tare_plan *g = planned(m, "0=300MB,1=400MB", (tare_plan_options){0});
    bool drop = false;
    for (size_t i = 0, n = tare_plan_entries(g, &e); i < n; i++) drop |= !strcmp(e[i].module, "transformer.drop") && e[i].device == 0;
    assert_true(drop);
    tare_plan_free(g);
    tare_model_free(m);
}

/* ---- what does not fit 64 bits ---- */

static void test_too_large(void **state) {
    (void)state;
    static const tare_budget_options o = {.context = (uint64_t)1 << 40, .batch = (uint64_t)1 << 40};
    tare_model *m = opened(TINY_LLAMA, NULL, NULL);
    tare_error err = {0};
    tare_devices *places = tare_devices_open("0=1GB,cpu=unlimited", NULL, &err);
    tare_plan *g = tare_plan_make(m, &(tare_plan_options){.places = places, .budget = &o}, &err);
    assert_null(g);
    assert_int_equal(err.status, TARE_BAD);
    assert_string_equal(err.code, "too_large");
    tare_devices_free(places);
    tare_model_free(m);
}
static void test_wrong_options(void **state) {
    (void)state;
    static const tare_budget_options wrong[] = {{.optimizer = "adam"}, {.context = 5, .kv_dtype = "int4"}, {.context = 5, .optimizer = "sgd", .activations = true}};
    tare_model *m = opened(TINY_LLAMA, NULL, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tare_error err = {0};
        const tare_device one = {.has_bytes = true, .bytes = 1e9};
        assert_null(tare_plan_make(m, &(tare_plan_options){.devices = &one, .device_count = 1, .budget = &wrong[i]}, &err));
        assert_int_equal(err.status, TARE_USAGE);
    }
    tare_model_free(m);
}

/* ---- how many more ---- */

static bool all_on_gpus(const tare_model *m, size_t more, uint64_t bytes, const tare_budget_options *o) {
    char memory[2000];
    int used = snprintf(memory, sizeof memory, "0=9KB,cpu=1GB");
    for (size_t i = 1; i <= more; i++) used += snprintf(memory + used, sizeof memory - (size_t)used, ",%zu=%" PRIu64, i, bytes);
    tare_plan *g = planned(m, memory, (tare_plan_options){.budget = o});
    bool all = verdict(g).fits && !verdict(g).off_gpus;
    tare_plan_free(g);
    return all;
}
static void test_more(void **state) {
    (void)state;
    static const tare_budget_options o[] = {{0}, {.context = 40, .activations = true}, {.optimizer = "adamw"}};
    for (size_t i = 0; i < TINY; i++) {
        tare_model *m = opened(tiny[i], NULL, NULL);
        for (size_t k = 0; k < 3; k++)
            for (uint64_t bytes = 4000; bytes < 300000; bytes = bytes * 3 / 2) {
                tare_plan *g = planned(m, "0=9KB,cpu=1GB", (tare_plan_options){.budget = &o[k]});
                size_t more = 7777;
                tare_error err = {0};
                tare_status status = tare_plan_more(g, bytes, &more, &err);
                if (status == TARE_NO) assert_false(all_on_gpus(m, 60, bytes, &o[k]));
                else if (more <= 60) assert_true(all_on_gpus(m, more, bytes, &o[k]));
                if (status == TARE_OK && more && more <= 60) assert_false(all_on_gpus(m, more - 1, bytes, &o[k]));
                tare_plan_free(g);
            }
        tare_model_free(m);
    }
}

/* ---- ties and experts ---- */

static void test_copy_ties(void **state) {
    (void)state;
    tare_model *m = opened(TINY_LLAMA, NULL, NULL); /* 4096 bytes of embedding, which the head shares */
    tare_plan *g = planned(m, "0=9KB,1=9KB,2=14KB", (tare_plan_options){.copy_ties = true});
    tare_plan *whole = planned(m, "0=9KB,1=9KB,2=14KB", (tare_plan_options){0});
    tare_plan_verdict v = verdict(g), w = verdict(whole);
    const tare_plan_device *d;
    uint64_t sum = 0;
    for (size_t i = 0, n = tare_plan_devices(g, &d); i < n; i++) sum += d[i].load;
    assert_int_equal(w.copied, 0);
    assert_true(v.fits || !w.fits); /* with more to choose from it is never worse */
    assert_true(v.copied == 0 || v.copied == 4096);
    if (v.fits) assert_int_equal(sum, v.total);
    assert_int_equal(v.total, w.total + v.copied);
    tare_plan_free(g);
    tare_plan_free(whole);
    tare_model_free(m);
    m = opened(TINY_BERT, "BertForMaskedLM", NULL); /* logits are large enough that the head had better be alone */
    const tare_budget_options o = {.context = 512, .activations = true};
    g = planned(m, "0=115KB,1=115KB,2=240KB", (tare_plan_options){.budget = &o});
    assert_false(verdict(g).fits);
    tare_plan_free(g);
    g = planned(m, "0=115KB,1=115KB,2=240KB", (tare_plan_options){.budget = &o, .copy_ties = true});
    v = verdict(g);
    assert_true(v.fits);
    assert_int_equal(v.copied, 64 * 16 * 4 + 64 * 4); /* the embedding, and the bias of the head */
    sum = 0;
    for (size_t i = 0, n = tare_plan_devices(g, &d); i < n; i++) {
        sum += d[i].load;
        assert_int_equal(d[i].load, d[i].weights + d[i].cache + d[i].training + d[i].logits);
    }
    assert_int_equal(sum, v.total);
    tare_plan_free(g);
    g = planned(m, "0=1GB", (tare_plan_options){.copy_ties = true});
    assert_int_equal(verdict(g).copied, 0); /* nothing is gained by it */
    check_sums(g);
    tare_plan_free(g);
    tare_model_free(m);
}
static bool count_experts(void *to, const tare_plan_part *p) {
    *(size_t *)to += strstr(p->path, ".experts[") != NULL;
    return true;
}
static void test_split_experts(void **state) {
    (void)state;
    tare_model *m = opened(kinds[11], NULL, NULL);
    for (int split = 0; split < 2; split++) {
        tare_plan *g = planned(m, "0=1GB", (tare_plan_options){.split_experts = split});
        size_t experts = 0;
        assert_int_equal(tare_plan_parts(g, count_experts, &experts), TARE_OK);
        assert_int_equal(experts, split ? 4 : 0);
        check_sums(g);
        tare_plan_free(g);
    }
    tare_model_free(m);
}

/* ---- handles ---- */

static bool stop(void *to, const tare_plan_part *p) { return (void)p, ++*(size_t *)to < 3; }
static void test_stopped(void **state) {
    (void)state;
    tare_model *m = opened(TINY_LLAMA, NULL, NULL);
    tare_plan *g = planned(m, "0=1GB", (tare_plan_options){0});
    size_t seen = 0;
    assert_int_equal(tare_plan_parts(g, stop, &seen), TARE_NO);
    assert_int_equal(seen, 3);
    tare_plan_free(g);
    tare_plan_free(NULL);
    tare_model_free(m);
}
/* Two plans of one model, and the devices they were made of, go in any order. */
static void test_freed(void **state) {
    (void)state;
    for (int order = 0; order < 6; order++) {
        tare_model *m = opened(TINY_T5, NULL, NULL);
        tare_devices *places = tare_devices_open("h100:2", NULL, NULL);
        const tare_device one = {.has_bytes = true, .bytes = 1e9};
        tare_plan *a = tare_plan_make(m, &(tare_plan_options){.places = places}, NULL);
        tare_plan *b = tare_plan_make(m, &(tare_plan_options){.accelerate = true, .devices = &one, .device_count = 1}, NULL);
        assert_true(a && b);
        if (order < 2) tare_devices_free(places);
        if (order % 2) tare_plan_free(a);
        assert_int_equal(verdict(order % 2 ? b : a).fits, !(order % 2));
        tare_plan_free(b);
        if (order >= 2) tare_devices_free(places);
        if (!(order % 2)) assert_int_equal(verdict(a).gpus, 2), tare_plan_free(a);
        tare_model_free(m);
    }
}
enum { THREADS = 4, ROUNDS = 30 };
static void *work(void *to) {
    const tare_model *m = to;
    size_t bad = 0;
    for (int i = 0; i < ROUNDS; i++) {
        tare_devices *places = tare_devices_open("0=9KB,1=14KB,cpu=5KB,disk=unlimited", NULL, NULL);
        tare_plan *g = tare_plan_make(m, &(tare_plan_options){.places = places, .budget = &(tare_budget_options){.context = 9}}, NULL);
        tare_plan *again = tare_plan_make(m, &(tare_plan_options){.places = places, .budget = &(tare_budget_options){.context = 9}}, NULL);
        const tare_plan_entry *x, *y;
        size_t n = tare_plan_entries(g, &x), k = tare_plan_entries(again, &y), more;
        bad += n != k || verdict(g).total != 38736 || tare_plan_more(g, 14000, &more, NULL) != TARE_OK;
        for (size_t j = 0; j < n && j < k; j++) bad += strcmp(x[j].module, y[j].module) || x[j].device != y[j].device;
        tare_plan_free(g);
        tare_plan_free(again);
        tare_devices_free(places);
    }
    return bad ? to : NULL;
}
static void test_threads(void **state) {
    (void)state;
    pthread_t all[THREADS];
    tare_model *m = opened(TINY_LLAMA, NULL, NULL);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&all[i], NULL, work, m), 0);
    for (int i = 0; i < THREADS; i++) {
        void *bad;
        pthread_join(all[i], &bad);
        assert_null(bad);
    }
    tare_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_of_parts), cmocka_unit_test(test_running),    cmocka_unit_test(test_running_takes_all),
        cmocka_unit_test(test_places),          cmocka_unit_test(test_unlimited_stays), cmocka_unit_test(test_empty_blocks),
        cmocka_unit_test(test_too_large),       cmocka_unit_test(test_wrong_options), cmocka_unit_test(test_more),
        cmocka_unit_test(test_copy_ties),       cmocka_unit_test(test_split_experts), cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_freed),           cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("best", tests, NULL, NULL);
}
