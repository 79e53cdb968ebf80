/* What no built-in family needs yet: ties into repeated layers, a module under two names, layers that alternate; by a family of
 * its own, against trees worked out by hand from torch's rules. */
#include "../../src/build/mod.h"
#include "../../src/api/handle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "probe.h"

static void ProbeLayer(mod *m, const cfg *c) {
    if (layer_in(m, c, "wide_layers")) linear(m, "proj", 2, 8, false);
    else linear(m, "proj", 2, 4, false);
    if (flag(c, "two_names")) share(m, "again", linear_as(m, "once", "Linear", 2, 2, false));
    weight_norm(conv1d(m, "conv", 2, 2, .kernel = SIZE1(1), .no_bias = true), 2);
}
static void ProbeModel(mod *m, const cfg *c) {
    list(m, "layers", count(c, "num_hidden_layers"), ProbeLayer, c);
    mod *norm = child(m, "norm", "ProbeNorm");
    param(norm, "weight", ONES, 2);
    param(norm, "bias", ZEROS, 2);
    buffer(norm, "steps", ZEROS, TARE_I64, true, 3);
    linear(norm, "inner", 2, 2, true);
    done(norm);
    share(m, "again", norm);
    if (flag(c, "no_ties")) unties(m);
    if (flash_attention(c)) linear(m, "fast", 2, 2, false);
}
static const model_facts ProbePreTrainedModel = {
    .config = "ProbeConfig",
    .supports_flash_attn = YES,
    .tied_weights_keys = MAP({"layers.2.proj.weight", "layers.0.proj.weight"}),
};
PROBE_FAMILY(", [\"num_hidden_layers\", \"int\", 4], [\"wide_layers\", \"list\", []], [\"two_names\", \"bool\", false], [\"no_ties\", \"bool\", false]")

static tare_model *open_probe(const char *json) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, strlen(json), NULL, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}
static const char *owner_of(const tare_model *m, const char *path) {
    const tare_item *t = tare_tensor_find(m, path);
    if (!t) fail_msg("no tensor %s", path);
    return t->owner;
}

static void one_layer_is_tied_alone(void **state) {
    (void)state;
    tare_model *m = open_probe("{\"model_type\": \"probe\"}");
    assert_null(owner_of(m, "layers.0.proj.weight"));
    assert_null(owner_of(m, "layers.1.proj.weight"));
    assert_string_equal(owner_of(m, "layers.2.proj.weight"), "layers.0.proj.weight");
    assert_null(owner_of(m, "layers.3.proj.weight"));
    assert_null(owner_of(m, "layers.2.conv.parametrizations.weight.original1"));
    assert_int_equal(tare_model_params(m), 3 * 8 + 4 * (1 + 4) + 10);
    tare_model_free(m);
}
static void a_model_ties_nothing_after_all(void **state) {
    (void)state;
    tare_model *m = open_probe("{\"model_type\": \"probe\", \"no_ties\": true}");
    assert_null(owner_of(m, "layers.2.proj.weight"));
    assert_int_equal(tare_model_params(m), 4 * 8 + 4 * (1 + 4) + 10);
    tare_model_free(m);
}
static void a_module_has_two_names(void **state) {
    (void)state;
    tare_model *m = open_probe("{\"model_type\": \"probe\", \"num_hidden_layers\": 3}");
    assert_null(owner_of(m, "norm.weight"));
    assert_string_equal(owner_of(m, "again.weight"), "norm.weight");
    assert_string_equal(owner_of(m, "again.inner.bias"), "norm.inner.bias");
    tare_model_free(m);
}
/* The walk shows it twice, the sums hold it once. */
static void a_shared_module_is_counted_once(void **state) {
    (void)state;
    tare_model *m = open_probe("{\"model_type\": \"probe\", \"num_hidden_layers\": 0, \"tie_word_embeddings\": false}");
    assert_int_equal(tare_tensor_count(m), 2 * 5);
    tare_counts c = m->counts;
    assert_int_equal(c.tensors, 2 * 5);
    assert_int_equal(c.modules, 2 + 2 * 2);
    assert_int_equal(c.total, 10);
    assert_int_equal(c.with_ties, 2 * 10);
    assert_int_equal(c.buffers, 3);
    tare_model_free(m);
}
static void a_repeated_module_has_one_name(void **state) {
    (void)state;
    static const char json[] = "{\"model_type\": \"probe\", \"two_names\": true}";
    tare_error err = {0};
    assert_null(tare_model_parse(json, sizeof json - 1, NULL, &err));
    assert_string_equal(err.code, "bad_value");
    assert_string_equal(err.message, "layers.0 (ProbeLayer): layers.0.once, which lies in a repeated layer, cannot have a second name");
}
static void untied_layers_stay_one_run(void **state) {
    (void)state;
    tare_model *m = open_probe("{\"model_type\": \"probe\", \"tie_word_embeddings\": false, \"num_hidden_layers\": 100000}");
    const edge *run = m->root->children->to->children;
    assert_null(run->name);
    assert_int_equal(run->count, 100000);
    assert_null(run->next);
    assert_int_equal(tare_model_params(m), 100000 * 13 + 10);
    tare_model_free(m);
}
static void alternating_layers_share_bodies(void **state) {
    (void)state;
    tare_model *m = open_probe("{\"model_type\": \"probe\", \"tie_word_embeddings\": false, \"num_hidden_layers\": 6, \"wide_layers\": [1, 4]}");
    static const int wide[] = {0, 1, 0, 0, 1, 0};
    const node *bodies[2] = {NULL, NULL};
    int64_t layer = 0;
    for (const edge *e = m->root->children->to->children; e; e = e->next)
        for (int64_t i = 0; i < e->count; i++, layer++) {
            const node **body = &bodies[wide[layer]];
            if (!*body) *body = e->to;
            assert_ptr_equal(*body, e->to);
            assert_int_equal(e->to->children->to->params->shape[0], wide[layer] ? 8 : 4);
        }
    assert_int_equal(layer, 6);
    tare_model_free(m);
}

/* Draws of a body in construction order: every tensor of a step is the body's own, or one that weight norm took away. */
static int own_steps(const node *n) {
    int steps = 0;
    for (const step *s = n->steps; s; s = s->next, steps++) {
        const edge *e = n->children;
        const tensor_node *t = n->params;
        if (s->what == STEP_CHILD) {
            while (e && e != s->of) e = e->next;
            assert_non_null(e);
            steps += own_steps(e->to);
        } else if (s->what == STEP_TENSOR && !((const tensor_node *)s->of)->gone) {
            while (t && t != s->of) t = t->next;
            assert_non_null(t);
        }
    }
    return steps;
}
static void a_copied_layer_keeps_its_steps(void **state) {
    (void)state;
    tare_model *m = open_probe("{\"model_type\": \"probe\"}");
    const edge *e = m->root->children->to->children; /* the tie cut the run of four */
    int first = own_steps(e->to);
    assert_true(first > 5);
    for (int runs = 0; e; e = e->next, runs++) {
        assert_true(runs < 4);
        assert_int_equal(own_steps(e->to), first);
    }
    tare_model_free(m);
}

static void flash_attention_may_have_its_own_modules(void **state) {
    (void)state;
    const tare_open_options flash = {.dtype = "bfloat16", .attn = "flash_attention_2", .host = "gpu=sm_90,flash_attn=2.8.3"};
    const tare_open_options eager = {.dtype = "bfloat16", .attn = "eager", .host = flash.host};
    static const char json[] = "{\"model_type\": \"probe\"}";
    tare_error err = {0};
    tare_model *fast = tare_model_parse(json, sizeof json - 1, &flash, &err), *plain = tare_model_parse(json, sizeof json - 1, &eager, &err);
    if (!fast || !plain) fail_msg("%s", err.message);
    assert_non_null(tare_tensor_find(fast, "fast.weight"));
    assert_null(tare_tensor_find(plain, "fast.weight"));
    tare_model_free(fast);
    tare_model_free(plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_layer_is_tied_alone),     cmocka_unit_test(a_module_has_two_names),
        cmocka_unit_test(a_model_ties_nothing_after_all),
        cmocka_unit_test(a_shared_module_is_counted_once), cmocka_unit_test(a_repeated_module_has_one_name),
        cmocka_unit_test(untied_layers_stay_one_run),  cmocka_unit_test(alternating_layers_share_bodies),
        cmocka_unit_test(a_copied_layer_keeps_its_steps), cmocka_unit_test(flash_attention_may_have_its_own_modules),
    };
    return cmocka_run_group_tests(tests, known_family, NULL);
}
