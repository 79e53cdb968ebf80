/* What __init__ and post_init settle besides the tree, as one dict. */
#include "facts.h"
#include "../build/generation.h"
#include "../build/sets.h"
#include "../build/ties.h"
#include "../tree/tree.h"
#include <string.h>

/* ---- parallel plans: the class's own, the config's where the model is its own base model, those of the models below ---- */

static const edge *child_edge(const node *m, const char *name) {
    for (const edge *e = m->children; e; e = e->next)
        if (e->name && !strcmp(e->name, name)) return e;
    return NULL;
}
static bool is_base_model(const node *m) {
    const char *prefix = FACT(m->model, base_model_prefix);
    return !prefix || !*prefix || !child_edge(m, prefix);
}
static val with_prefix(arena *a, val all, const char *name, val below) {
    for (uint32_t i = 0; i < below.n; i++) all = dict_with(a, all, arena_printf(a, "%s.%s", name, below.members[i].key), below.members[i].v);
    return all;
}
static val merge(arena *a, val all, val more) {
    for (uint32_t i = 0; more.kind == VAL_DICT && i < more.n; i++) all = dict_with(a, all, more.members[i].key, more.members[i].v);
    return all;
}
/* A plan of the config class; a key of that name in the config replaces it. */
static val class_plan(const cfg *c, const char *key, val plan) { return val_or(cfg_get(c, key), plan); }
val tp_plan_of(arena *a, const node *m) {
    val all = {.kind = VAL_DICT};
    for (const text_pair *p = FACT(m->model, tp_plan); p && p->from; p++) all = dict_with(a, all, p->from, val_text(p->to));
    if (is_base_model(m)) {
        all = merge(a, all, class_plan(m->config, "base_model_tp_plan", m->config->k->tp_plan));
        const edge *e = child_edge(m, "embed_tokens");
        if (all.n && e && e->to->kind == KIND_EMBEDDING) {
            val first = dict_with(a, (val){.kind = VAL_DICT}, "embed_tokens", val_text("embedding_rowwise"));
            all = merge(a, first, all);
        }
    }
    for (const edge *e = m->children; e; e = e->next)
        if (e->to->model && e->name) all = with_prefix(a, all, e->name, tp_plan_of(a, e->to));
    return all;
}
static val pp_plan(arena *a, const node *m) { /* as a dict: only its keys, in order, are facts */
    val all = {.kind = VAL_DICT}, plan = class_plan(m->config, "base_model_pp_plan", m->config->k->pp_plan);
    for (const char *const *p = FACT(m->model, pp_plan); p && *p; p++) all = dict_with(a, all, *p, val_null());
    if (is_base_model(m))
        for (uint32_t i = 0; i < plan.n; i++) /* dumped as a list of keys; a dict in a config file */
            if (plan.kind == VAL_LIST || plan.kind == VAL_DICT)
                all = dict_with(a, all, plan.kind == VAL_DICT ? plan.members[i].key : plan.items[i].s, val_null());
    for (const edge *e = m->children; e; e = e->next)
        if (e->to->model && e->name) all = with_prefix(a, all, e->name, pp_plan(a, e->to));
    return all;
}
static val keys_of(arena *a, val d) {
    val *items = arena_array(a, d.n, sizeof *items);
    for (uint32_t i = 0; i < d.n; i++) items[i] = val_text(d.members[i].key);
    return (val){.kind = VAL_LIST, .n = d.n, .items = items};
}

/* ---- loss ---- */

static val loss_type(const char *cls) {
    static const char *const losses[] = {
        "ForSemanticSegmentation", "ForCausalLM", "ForMaskedLM", "ForQuestionAnswering", "ForSequenceClassification",
        "ForImageClassification", "ForVideoClassification", "ForAudioClassification", "ForTokenClassification", "ForSegmentation",
        "ForObjectDetection", "ForCTC", "ForConditionalGeneration", "DeformableDetrForObjectDetection", "ConditionalDetrForObjectDetection",
        "DabDetrForObjectDetection", "GroundingDinoForObjectDetection", "MMGroundingDinoForObjectDetection",
        "ConditionalDetrForSegmentation", "RTDetrForObjectDetection", "RTDetrV2ForObjectDetection", "DFineForObjectDetection",
        "Deimv2ForObjectDetection", "CsmForConditionalGeneration", "LwDetrForObjectDetection", "PocketTTSForConditionalGeneration",
        "GradiumPhononTTSForConditionalGeneration", "ParakeetForRNNT", "ParakeetForTDT", "RfDetrForObjectDetection",
        "RfDetrForInstanceSegmentation",
    };
    enum { N = sizeof losses / sizeof *losses };
    for (size_t i = 0; i < N; i++)
        if (!strcmp(losses[i], cls)) return val_text(losses[i]);
    for (const char *at = cls; *at; at++) /* the leftmost of them in the name, and there the first in the table */
        for (size_t i = 0; i < N; i++)
            if (!strncmp(at, losses[i], strlen(losses[i]))) return val_text(losses[i]);
    return val_null();
}

/* ---- all of it ---- */

static val text_or_null(const char *s) { return s ? val_text(s) : val_null(); }

val facts_of(arena *a, const node *root) {
    const model_class *row = root->model;
    const tensor_node *first = tree_first_float(root);
    bool generates = FACT(row, can_generate) == YES;
    attn_support support = model_support(root);
    const char *prefix = FACT(row, base_model_prefix), *input = FACT(row, main_input_name);
    const member all[] = {
        {"num_parameters", val_int((int64_t)tree_params(root, false))},
        {"num_trainable", val_int((int64_t)tree_params(root, true))},
        {"dtype", first ? val_text(tare_dtype_torch((tare_dtype)first->dtype)) : val_null()},
        {"base_model_prefix", val_text(prefix ? prefix : "")},
        {"main_input_name", val_text(input ? input : "input_ids")},
        {"can_generate", val_bool(generates)},
        {"loss_type", loss_type(row->name)},
        {"attn", text_or_null(root->config->attn_chosen)},
        {"experts", text_or_null(root->config->experts_chosen)},
        {"supports_sdpa", val_bool(support.sdpa)},
        {"supports_flash", val_bool(support.flash)},
        {"supports_flex", val_bool(support.flex)},
        {"supports_gradient_checkpointing", val_bool(FACT(row, supports_gradient_checkpointing) == YES)},
        {"no_split", set_of(a, root, SET_NO_SPLIT)},
        {"keep_fp32", set_of(a, root, SET_KEEP_FP32)},
        {"keep_fp32_strict", set_of(a, root, SET_KEEP_FP32_STRICT)},
        {"skip_keys_device", set_of(a, root, SET_SKIP_KEYS)},
        {"ignore_unexpected", set_of(a, root, SET_IGNORE_UNEXPECTED)},
        {"ignore_missing", set_of(a, root, SET_IGNORE_MISSING)},
        {"ignore_save", set_of(a, root, SET_IGNORE_SAVE)},
        {"tied", tied_keys(a, root)},
        {"tp_plan", tp_plan_of(a, root)},
        {"pp_plan", keys_of(a, pp_plan(a, root))},
        {"generation_config", generates ? generation_config(a, root->config) : (val){0}},
    };
    uint32_t n = sizeof all / sizeof *all - !generates;
    member *m = arena_array(a, n, sizeof *m);
    memcpy(m, all, n * sizeof *m);
    return (val){.kind = VAL_DICT, .n = n, .members = m};
}
