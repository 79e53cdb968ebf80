/* Blocks of models, maps of plans, and maps against the tree: each of the three is held against the others and against the walk. */
#include "../../src/api/handle.h"
#include "../../src/plan/map.h"
#include "../../src/plan/optimal.h"
#include "../../src/plan/verify.h"
#include "tiny.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "probe.h"

/* ---- a family with what the tiny models lack: ties into layers, a module with two names, one inside another ---- */

static void ProbeLayer(mod *m, const cfg *c) {
    (void)c;
    linear(m, "proj", 2, 4, false);
    dropout(m, "drop", num_f(0.5));
}
static void ProbeModel(mod *m, const cfg *c) {
    param(m, "scale", ONES, 3);
    list(m, "layers", count(c, "num_hidden_layers"), ProbeLayer, c);
    mod *norm = child(m, "norm", "ProbeNorm");
    param(norm, "weight", ONES, 2);
    buffer(norm, "steps", ZEROS, TARE_I64, true, 3);
    linear(norm, "inner", 2, 2, true);
    done(norm);
    share(m, "again", norm);
    linear(m, "last", 2, 2, true);
}
static const model_facts ProbePreTrainedModel = {
    .config = "ProbeConfig",
    .no_split_modules = SET("ProbeLayer"),
    .tied_weights_keys = MAP({"layers.2.proj.weight", "layers.0.proj.weight"}, {"last.bias", "norm.inner.bias"}),
};
PROBE_FAMILY(", [\"num_hidden_layers\", \"int\", 4]")
#define PROBE "{\"model_type\": \"probe\"}"
#define LONG_PROBE "{\"model_type\": \"probe\", \"num_hidden_layers\": 100000, \"tie_word_embeddings\": false}"

static jmp_buf exhausted;
static tare_model *opened(const char *json) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, strlen(json), NULL, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}
static plan_blocks blocks_of(const tare_model *m, plan_blocks_options o, arena *a) {
    tare_error err = {0};
    plan_blocks b;
    if (!plan_blocks_of(&b, m->root, &o, a, &err)) fail_msg("%s", err.message);
    return b;
}
static plan_verdict verdict_of(const tare_model *m, val map, const char *const *no_split, arena *a) {
    tare_error err = {0};
    plan_verdict v;
    if (!plan_verify(&v, m->root, map, no_split, a, &err)) fail_msg("%s", err.message);
    return v;
}

/* ---- each against the others ---- */

static uint64_t seed = 88172645463325252u;
static uint64_t below(uint64_t n) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % n;
}
static bool add_bytes(void *to, const tare_item *t) {
    uint64_t n = tare_dtype_bytes(t->dtype);
    for (int i = 0; i < t->rank; i++) n *= (uint64_t)t->shape[i];
    if (t->kind != TARE_MODULE && !t->owner) *(uint64_t *)to += n;
    return true;
}
static uint64_t walked_bytes(const tare_model *m) {
    uint64_t sum = 0;
    assert_int_equal(tare_model_walk(m, add_bytes, &sum, NULL), TARE_OK);
    return sum;
}
static val map_val(const plan_entry *e, size_t n, arena *a) {
    member *all = arena_array(a, n, sizeof *all);
    for (size_t i = 0; i < n; i++) all[i] = (member){e[i].path, val_int(e[i].device)};
    return (val){.kind = VAL_DICT, .n = (uint32_t)n, .members = all};
}
static uint64_t copies_of(const plan_blocks *b, const int32_t *device) {
    uint64_t sum = 0;
    for (size_t i = 0, first = 0; i < b->tie_count; i++) {
        if (b->ties[i].group != b->ties[first].group) first = i;
        bool there = false;
        for (size_t k = first; k < i; k++) there = there || device[b->ties[k].block] == device[b->ties[i].block];
        if (i > first && !there) sum += b->ties[i].bytes;
    }
    return sum;
}
/* No entry says what one for its parent could say: some tensor below the parent is elsewhere. */
static bool parent_is_divided(const plan_blocks *b, const int32_t *device, const char *path) {
    const char *dot = strrchr(path, '.');
    size_t n = dot ? (size_t)(dot - path) + 1 : 0;
    int32_t least = INT32_MAX, most = INT32_MIN;
    for (size_t i = 0; i < b->n; i++) {
        char text[MODULE_PATH];
        plan_block_path(b, i, text);
        if (strncmp(text, path, n) || b->all[i].empty) continue;
        if (device[i] < least) least = device[i];
        if (device[i] > most) most = device[i];
    }
    return least < most;
}
static void check_map(const tare_model *m, const plan_blocks *b, const int32_t *device, plan_blocks_options o, arena *a) {
    uint64_t loads[3] = {0};
    plan_entry *e;
    size_t n = plan_map_of(&e, b, device, a);
    plan_verdict v = verdict_of(m, map_val(e, n, a), o.no_split, a);
    for (size_t i = 0; i < b->n; i++) loads[device[i]] += b->bytes[i];
    for (size_t d = 0; d < v.device_count; d++) assert_int_equal(v.bytes[d], loads[atoi(v.devices[d])]);
    assert_int_equal(v.homeless_count, 0);
    assert_int_equal(v.unknown_count, 0);
    assert_int_equal(v.cut_count, 0);
    assert_int_equal(v.total, b->total);
    assert_int_equal(v.copied, copies_of(b, device));
    for (size_t i = 0; i < n && *e[i].path; i++) assert_true(parent_is_divided(b, device, e[i].path));
}
static void check_model(const char *json, plan_blocks_options o) {
    tare_model *m = opened(json);
    arena a = {.unwind = &exhausted};
    if (setjmp(exhausted)) fail_msg("out of memory");
    plan_blocks b = blocks_of(m, o, &a);
    assert_int_equal(b.total, walked_bytes(m));
    int32_t *device = arena_array(&a, b.n, sizeof *device);
    for (int round = 0; round < 60; round++) {
        for (size_t i = 0; i < b.n; i++) device[i] = i && below(3) ? device[i - 1] : (int32_t)below(3);
        check_map(m, &b, device, o, &a);
    }
    arena_free(&a);
    tare_model_free(m);
}
static void plans_survive_the_map(void **state) {
    (void)state;
    for (size_t i = 0; i < TINY; i++) {
        check_model(tiny[i], (plan_blocks_options){0});
        check_model(tiny[i], (plan_blocks_options){.no_split = NONE});
    }
    check_model(PROBE, (plan_blocks_options){0});
    check_model(PROBE, (plan_blocks_options){.no_split = NONE});
    check_model(PROBE, (plan_blocks_options){.no_split = SET("ProbeNorm")});
}

/* ---- blocks ---- */

static void blocks_are(const char *json, plan_blocks_options o, const char *const *paths, const uint64_t *bytes) {
    tare_model *m = opened(json);
    arena a = {.unwind = &exhausted};
    if (setjmp(exhausted)) fail_msg("out of memory");
    plan_blocks b = blocks_of(m, o, &a);
    size_t i = 0;
    for (; i < b.n && paths[i]; i++) {
        char path[MODULE_PATH];
        assert_int_equal(plan_block_path(&b, i, path), strlen(paths[i]));
        assert_string_equal(path, paths[i]);
        assert_int_equal(b.bytes[i], bytes[i]);
    }
    assert_null(paths[i]);
    assert_int_equal(i, b.n);
    arena_free(&a);
    tare_model_free(m);
}
static void blocks_in_walk_order(void **state) {
    (void)state;
    blocks_are(TINY_T5, (plan_blocks_options){0},
               SET("shared", "encoder.embed_tokens", "encoder.block.0", "encoder.block.1", "encoder.final_layer_norm", "encoder.dropout",
                   "decoder.embed_tokens", "decoder.block.0", "decoder.block.1", "decoder.final_layer_norm", "decoder.dropout"),
               (const uint64_t[]){4096, 0, 8832, 8320, 64, 0, 0, 12992, 12480, 64, 0});
    blocks_are(PROBE, (plan_blocks_options){0},
               SET("scale", "layers.0", "layers.1", "layers.2", "layers.3", "norm.weight", "norm.inner", "norm.steps", "again.weight",
                   "again.inner", "again.steps", "last"),
               (const uint64_t[]){12, 32, 32, 0, 32, 8, 24, 24, 0, 0, 0, 16});
    blocks_are("{\"model_type\": \"probe\", \"num_hidden_layers\": 2, \"tie_word_embeddings\": false}",
               (plan_blocks_options){.no_split = SET("ProbeNorm")},
               SET("scale", "layers.0.proj", "layers.0.drop", "layers.1.proj", "layers.1.drop", "norm", "again", "last"),
               (const uint64_t[]){12, 32, 0, 32, 0, 56, 0, 24});
}
static void ties_are_grouped(void **state) {
    (void)state;
    static const struct { uint32_t block, group; bool owner; uint64_t bytes; const char *path, *first; } want[] = {
        {1, 0, true, 32, "layers.0.proj.weight", "layers.0.proj.weight"}, {3, 0, false, 32, "layers.2.proj.weight", "layers.0.proj.weight"},
        {6, 1, true, 8, "norm.inner.bias", "norm.inner.bias"},            {9, 1, false, 8, "again.inner.bias", "norm.inner.bias"},
        {11, 1, false, 8, "last.bias", "norm.inner.bias"},                {6, 2, true, 16, "norm.inner.weight", "norm.inner.weight"},
        {9, 2, false, 16, "again.inner.weight", "norm.inner.weight"},    {7, 3, true, 24, "norm.steps", "norm.steps"},
        {10, 3, false, 24, "again.steps", "norm.steps"},                   {5, 4, true, 8, "norm.weight", "norm.weight"},
        {8, 4, false, 8, "again.weight", "norm.weight"},
    };
    tare_model *m = opened(PROBE);
    arena a = {.unwind = &exhausted};
    if (setjmp(exhausted)) fail_msg("out of memory");
    plan_blocks b = blocks_of(m, (plan_blocks_options){0}, &a);
    assert_int_equal(b.tie_count, sizeof want / sizeof *want);
    assert_int_equal(b.groups, 5);
    for (size_t i = 0; i < b.tie_count; i++) {
        assert_int_equal(b.ties[i].block, want[i].block);
        assert_int_equal(b.ties[i].group, want[i].group);
        assert_int_equal(b.ties[i].owner, want[i].owner);
        assert_int_equal(b.ties[i].bytes, want[i].bytes);
        assert_string_equal(b.ties[i].path, want[i].path);
        assert_string_equal(b.ties[i].first, want[i].first);
    }
    arena_free(&a);
    tare_model_free(m);
}
static void many_layers(void **state) {
    (void)state;
    tare_model *m = opened(LONG_PROBE);
    arena a = {.unwind = &exhausted};
    char path[MODULE_PATH];
    if (setjmp(exhausted)) fail_msg("out of memory");
    plan_blocks b = blocks_of(m, (plan_blocks_options){.no_split = NONE}, &a);
    assert_int_equal(b.total, 100000 * 32 + 12 + 56 + 24);
    assert_int_equal(b.n, 2 * 100000 + 1 + 3 + 3 + 1);
    plan_block_path(&b, 2 * 99999 + 1, path);
    assert_string_equal(path, "layers.99999.proj");
    const member keys[] = {{"", val_int(0)}, {"layers.99999", val_text("cpu")}, {"layers.100000", val_int(1)}};
    plan_verdict v = verdict_of(m, (val){.kind = VAL_DICT, .n = 3, .members = keys}, NULL, &a);
    assert_int_equal(v.bytes[0], b.total - 32);
    assert_int_equal(v.bytes[1], 32);
    assert_int_equal(v.unknown_count, 1);
    assert_string_equal(v.unknown[0], "layers.100000");
    arena_free(&a);
    tare_model_free(m);
}
/* Eight experts of 3 x 8 x 16 floats in each of the three last layers. */
static void experts_apart(void **state) {
    (void)state;
    tare_model *m = opened(TINY_DEEPSEEK);
    arena a = {.unwind = &exhausted};
    char path[MODULE_PATH];
    if (setjmp(exhausted)) fail_msg("out of memory");
    plan_blocks whole = blocks_of(m, (plan_blocks_options){0}, &a), b = blocks_of(m, (plan_blocks_options){.split_experts = true}, &a);
    assert_int_equal(b.n, whole.n + 3 * 8);
    assert_int_equal(b.total, whole.total);
    assert_int_equal(b.bytes[3], whole.bytes[3] - 8 * 1536);
    plan_block_path(&b, 15, path);
    assert_string_equal(path, "layers.3.mlp.experts[2]");
    assert_int_equal(b.bytes[15], 1536);
    int32_t device[64];
    for (size_t i = 0; i < b.n; i++) device[i] = i > 15;
    plan_entry *e;
    size_t n = plan_map_of(&e, &b, device, &a);
    static const char *const want[] = {"embed_tokens", "layers.0", "layers.1", "layers.2", "layers.3", "layers.3.mlp.experts[0:3]",
                                       "layers.3.mlp.experts[3:8]", "layers.4", "norm", "rotary_emb"};
    assert_int_equal(n, sizeof want / sizeof *want);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(e[i].path, want[i]);
        assert_int_equal(e[i].device, i > 5);
    }
    assert_int_equal(e[6].expert, 3);
    assert_int_equal(e[6].experts, 5);
    arena_free(&a);
    tare_model_free(m);
}

/* ---- maps with faults ---- */

static void faults_are_found(void **state) {
    (void)state;
    tare_model *m = opened(PROBE);
    arena a = {.unwind = &exhausted};
    if (setjmp(exhausted)) fail_msg("out of memory");
    const member keys[] = {{"layers", val_int(0)}, {"layers.1.drop", val_int(7)}, {"layers.2.proj", val_int(1)},
                           {"layers.3.proj.weight", val_text("disk")},
                           {"nor", val_int(0)}, {"norm.inner", val_int(0)}, {"again", val_int(1)}, {"last.weight", val_int(0)}};
    plan_verdict v = verdict_of(m, (val){.kind = VAL_DICT, .n = 8, .members = keys}, NULL, &a);
    assert_int_equal(v.device_count, 4);
    assert_string_equal(v.devices[1], "7");
    assert_string_equal(v.devices[3], "disk");
    const uint64_t bytes[] = {32 + 32 + 24 + 16, 0, 0, 32};
    for (size_t i = 0; i < 4; i++) assert_int_equal(v.bytes[i], bytes[i]);
    assert_int_equal(v.unknown_count, 1);
    assert_string_equal(v.unknown[0], "nor");
    static const char *const homeless[] = {"scale", "norm.weight", "norm.steps", "last.bias"};
    assert_int_equal(v.homeless_count, 4);
    for (size_t i = 0; i < 4; i++) assert_string_equal(v.homeless[i].path, homeless[i]);
    assert_int_equal(v.homeless_bytes, 12 + 8 + 24);
    assert_int_equal(v.homeless_tensors, 4);
    assert_int_equal(v.cut_count, 0); /* each of these layers has one tensor */
    static const char *const apart[] = {"layers.2.proj.weight", "again.inner.bias", "again.inner.weight"};
    assert_int_equal(v.apart_count, 3);
    for (size_t i = 0; i < 3; i++) assert_string_equal(v.apart[i].path, apart[i]);
    assert_int_equal(v.copied, 32 + 8 + 16);
    arena_free(&a);
    tare_model_free(m);
}
static void cut_layers(void **state) {
    (void)state;
    tare_model *m = opened(TINY_LLAMA);
    arena a = {.unwind = &exhausted};
    if (setjmp(exhausted)) fail_msg("out of memory");
    const member keys[] = {{"", val_int(0)}, {"model.layers.1.mlp", val_int(1)}, {"model.layers.2.mlp", val_int(0)}, {"model.layers.0", val_int(1)},
                           {"lm_head", val_int(1)}};
    const val map = {.kind = VAL_DICT, .n = 5, .members = keys};
    plan_verdict v = verdict_of(m, map, NULL, &a);
    assert_int_equal(v.cut_count, 1);
    assert_string_equal(v.cuts[0].path, "model.layers.1");
    assert_string_equal(v.cuts[0].cls, "LlamaDecoderLayer");
    assert_int_equal(v.bytes[1], 10368 + 3 * 16 * 32 * 4);
    assert_int_equal(v.bytes[0] + v.bytes[1], 35280);
    assert_int_equal(v.copied, 4096);
    assert_int_equal(verdict_of(m, map, NONE, &a).cut_count, 0);
    v = verdict_of(m, (val){.kind = VAL_DICT}, NULL, &a);
    assert_int_equal(v.homeless_count, 1);
    assert_string_equal(v.homeless[0].path, "");
    assert_int_equal(v.homeless_bytes, 35280);
    arena_free(&a);
    tare_model_free(m);
}
static void no_maps(void **state) {
    (void)state;
    tare_model *m = opened(TINY_LLAMA);
    arena a = {.unwind = &exhausted};
    tare_error err = {0};
    plan_verdict v;
    if (setjmp(exhausted)) fail_msg("out of memory");
    assert_false(plan_verify(&v, m->root, val_text("auto"), NULL, &a, &err));
    assert_string_equal(err.message, "the device map must be an object, not str");
    err = (tare_error){0};
    const member key = {"lm_head", val_real(1)};
    assert_false(plan_verify(&v, m->root, (val){.kind = VAL_DICT, .n = 1, .members = &key}, NULL, &a, &err));
    assert_string_equal(err.message, "the device of \"lm_head\" must be a number or a text, not float");
    arena_free(&a);
    tare_model_free(m);
}

/* ---- memory ---- */

typedef struct job { const tare_model *m; arena a; } job;
static bool all_of_it(void *to) {
    job *j = to;
    uint64_t gpus[] = {20000, 20000};
    plan_blocks b = blocks_of(j->m, (plan_blocks_options){0}, &j->a);
    plan_task t = {.bytes = b.bytes, .blocks = b.n, .ties = b.ties, .tie_count = b.tie_count, .copy_ties = true, .gpus = gpus, .gpu_count = 2};
    plan_result r;
    plan_entry *e;
    if (!plan_place(&r, &t, &j->a, NULL)) return false;
    size_t n = plan_map_of(&e, &b, r.device, &j->a);
    return verdict_of(j->m, map_val(e, n, &j->a), NULL, &j->a).homeless_count == 0;
}
static void memory_runs_out(void **state) {
    (void)state;
    tare_model *m = opened(TINY_LLAMA);
    long k = 0;
    for (bool ok = false; !ok; k++) {
        job j = {.m = m};
        tare_error err = {0};
        tarei_fail_after(k + 1);
        ok = guarded(&j.a, &err, all_of_it, &j);
        tarei_fail_after(0);
        arena_free(&j.a);
        if (!ok) assert_string_equal(err.code, "out_of_memory");
    }
    assert_true(k > 1);
    tare_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_survive_the_map), cmocka_unit_test(blocks_in_walk_order), cmocka_unit_test(ties_are_grouped),
        cmocka_unit_test(many_layers),           cmocka_unit_test(experts_apart),        cmocka_unit_test(faults_are_found),
        cmocka_unit_test(cut_layers),            cmocka_unit_test(no_maps),              cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, known_family, NULL);
}
