/* Device maps as accelerate makes them: literals are what accelerate 1.15.0 answers, under PYTHONHASHSEED=0. */
#include "../../src/build/mod.h"
#include "plan/pyset.h"
#include "tiny.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tare.h>
#include <cmocka.h>
#include "probe.h"

typedef struct row {
    const char *json, *cls, *devices; /* "0=10GB,cpu=5000" */
    tare_map_mode mode;
    const char *no_split;             /* "A,B"; NULL: the model's */
    const char *dtype, *special;      /* "path=dtype" */
    bool keep_parts, offload_buffers, fallback;
    const char *map;                  /* "module=device,..."; NULL: refused */
    const char *budgets;              /* after balancing; NULL: not looked at */
    double bytes;                     /* of the whole model */
} row;
static const row rows[] = {
    {TINY_LLAMA, "LlamaForCausalLM", "0=30000,1=100000",
     .map = "model.embed_tokens=0,lm_head=0,model.layers.0=0,model.layers.1=1,model.layers.2=1,model.norm=1,model.rotary_emb=1", .bytes = 35280},
    {TINY_LLAMA, "LlamaForCausalLM", "0=16000,cpu=30000",
     .map = "model.embed_tokens=0,lm_head=0,model.layers.0=cpu,model.layers.1=disk,model.layers.2=disk,model.norm=disk,"
         "model.rotary_emb=disk", .bytes = 35280},
    {TINY_LLAMA, "LlamaForCausalLM", "cpu=30000,1=20KB,0=20kb",
     .map = "model.embed_tokens=1,lm_head=1,model.layers.0=1,model.layers.1=cpu,model.layers.2=cpu,model.norm=cpu,"
         "model.rotary_emb=cpu", .bytes = 35280},
    {TINY_LLAMA, "LlamaForCausalLM", "0=25000,1=25000,cpu=100000", .mode = TARE_MAP_AUTO,
     .map = "model.embed_tokens=0,lm_head=0,model.layers.0=0,model.layers.1=1,model.layers.2=1,model.norm=1,model.rotary_emb=1",
     .budgets = "0=25000,1=25000,cpu=100000", .bytes = 35280},
    {TINY_LLAMA, "LlamaForCausalLM", "0=25000,1=25000,2=25000", .mode = TARE_MAP_BALANCED_LOW_0,
     .map = "model.embed_tokens=1,lm_head=1,model.layers.0=1,model.layers.1=1,model.layers.2=2,model.norm=2,model.rotary_emb=2",
     .budgets = "0=0,1=25000,2=25000", .bytes = 35280},
    {TINY_LLAMA, "LlamaForCausalLM", "0=25000,2=25000,5=25000", .mode = TARE_MAP_BALANCED_LOW_0,
     .map = NULL},
    {TINY_LLAMA, "LlamaForCausalLM", "0=25000,disk=1", .mode = TARE_MAP_AUTO,
     .map = NULL},
    {TINY_LLAMA, "LlamaForCausalLM", "0=0,cpu=100000", .mode = TARE_MAP_AUTO,
     .map = "=cpu",
     .budgets = "0=0,cpu=100000", .bytes = 35280},
    {TINY_LLAMA, "LlamaForCausalLM", "0=13000,1=7000,2=9000,3=9000", .no_split = "",
     .map = "model.embed_tokens=0,lm_head=0,model.layers.0.self_attn=0,model.layers.0.mlp.gate_proj=0,"
         "model.layers.0.mlp.up_proj=1,model.layers.0.mlp.down_proj=1,model.layers.0.mlp.act_fn=1,"
         "model.layers.0.input_layernorm=1,model.layers.0.post_attention_layernorm=1,model.layers.1.self_attn.q_proj=1,"
         "model.layers.1.self_attn.k_proj=1,model.layers.1.self_attn.v_proj=2,model.layers.1.self_attn.o_proj=2,"
         "model.layers.1.mlp=2,model.layers.1.input_layernorm=2,model.layers.1.post_attention_layernorm=2,"
         "model.layers.2.mlp.gate_proj=3,model.layers.2.mlp.up_proj=3,model.layers.2.mlp.down_proj=disk,"
         "model.layers.2.mlp.act_fn=disk,model.layers.2.input_layernorm=disk,"
         "model.layers.2.post_attention_layernorm=disk,model.norm=disk,model.rotary_emb=disk,model.layers.2.self_attn=3", .bytes = 35280},
    {TINY_LLAMA, "LlamaForCausalLM", "0=13000,1=7000,2=9000,3=9000", .no_split = "", .keep_parts = true,
     .map = "model.embed_tokens=0,lm_head=0,model.layers.0.self_attn=0,model.layers.0.mlp.gate_proj=0,"
         "model.layers.0.mlp.up_proj=1,model.layers.0.mlp.down_proj=1,model.layers.0.mlp.act_fn=1,"
         "model.layers.0.input_layernorm=1,model.layers.0.post_attention_layernorm=1,model.layers.1.self_attn.q_proj=1,"
         "model.layers.1.self_attn.k_proj=1,model.layers.1.self_attn.v_proj=2,model.layers.1.self_attn.o_proj=2,"
         "model.layers.1.mlp=2,model.layers.1.input_layernorm=2,model.layers.1.post_attention_layernorm=2,"
         "model.layers.2.self_attn.q_proj=3,model.layers.2.self_attn.k_proj=3,model.layers.2.self_attn.v_proj=3,"
         "model.layers.2.self_attn.o_proj=3,model.layers.2.mlp.gate_proj=3,model.layers.2.mlp.up_proj=3,"
         "model.layers.2.mlp.down_proj=disk,model.layers.2.mlp.act_fn=disk,model.layers.2.input_layernorm=disk,"
         "model.layers.2.post_attention_layernorm=disk,model.norm=disk,model.rotary_emb=disk", .bytes = 35280},
    {TINY_LLAMA, "LlamaForCausalLM", "0=30000", .special = "model.layers.1.mlp.up_proj.weight=float64",
     .map = "model.embed_tokens=0,lm_head=0,model.layers.0=0,model.layers.1=disk,model.layers.2=disk,model.norm=disk,"
         "model.rotary_emb=disk", .bytes = 37328},
    {TINY_LLAMA, "LlamaForCausalLM", "0=30000,1=30000", .mode = TARE_MAP_AUTO, .dtype = "float16", .special = "model.layers.1.mlp.up_proj.weight=float64",
     .map = "model.embed_tokens=0,lm_head=0,model.layers.0=0,model.layers.1=1,model.layers.2=1,model.norm=1,model.rotary_emb=1",
     .budgets = "0=16836,1=30000", .bytes = 20712},
    {TINY_LLAMA, "LlamaForCausalLM", "0=12000,1=20000", .dtype = "custom:int4",
     .map = "=0", .bytes = 4410},
    {TINY_LLAMA, "LlamaForCausalLM", "0=12000", .dtype = "flaot16",
     .map = NULL},
    {TINY_LLAMA, "LlamaForCausalLM", "gpu=12000",
     .map = NULL},
    {TINY_LLAMA, "LlamaForCausalLM", "0=10G",
     .map = NULL},
    {TINY_LLAMA, "LlamaForCausalLM", "",
     .map = "=disk", .bytes = 35280},
    {TINY_LLAMA, "LlamaForCausalLM", "0=100000,mps=100000",
     .map = "=0", .bytes = 35280},
    {TINY_LLAMA, "LlamaForCausalLM", "-1=50000,cpu=1",
     .map = "=-1", .bytes = 35280},
    {TINY_BERT, "BertForMaskedLM", "0=14000,1=12000,cpu=20000",
     .map = "bert.embeddings=1,cls=1,bert.encoder=cpu", .bytes = 26176},
    {TINY_BERT, "BertForMaskedLM", "0=9000,1=12000,cpu=20000", .fallback = true,
     .map = NULL},
    {TINY_BERT, "BertForMaskedLM", "0=3000,1=12000", .no_split = "", .fallback = true,
     .map = "cls=1,bert.encoder.layer.0.attention.self=1,bert.encoder.layer.0.intermediate=disk,"
         "bert.encoder.layer.0.output=disk,bert.encoder.layer.1=disk,bert.encoder.layer.0.attention.output=disk,"
         "bert.embeddings=1", .bytes = 26176},
    {TINY_BERT, "BertForMaskedLM", "0=17000,1=17000", .mode = TARE_MAP_BALANCED, .no_split = "",
     .map = "bert.embeddings=0,cls=0,bert.encoder.layer.0.attention.self=0,bert.encoder.layer.0.intermediate=1,"
         "bert.encoder.layer.0.output=1,bert.encoder.layer.1=1,bert.encoder.layer.0.attention.output=1",
     .budgets = "0=14530,1=17000", .bytes = 26176},
    {TINY_T5, "T5ForConditionalGeneration", "0=22000,1=12000,cpu=20000",
     .map = "shared=0,decoder.embed_tokens=0,encoder.embed_tokens=0,lm_head=0,encoder.block.0=1,encoder.block.1=disk,"
         "encoder.final_layer_norm=disk,encoder.dropout=disk,decoder.block=disk,decoder.final_layer_norm=disk,"
         "decoder.dropout=disk", .bytes = 46848},
    {TINY_T5, "T5ForConditionalGeneration", "0=17000,1=17000,cpu=20000", .mode = TARE_MAP_AUTO, .no_split = "T5LayerFF,Parameter",
     .map = "shared=0,decoder.embed_tokens=0,encoder.embed_tokens=0,lm_head=0,encoder.block.0.layer.0=0,"
         "encoder.block.0.layer.1=1,encoder.block.1=1,encoder.final_layer_norm=1,encoder.dropout=1,"
         "decoder.block.0.layer.0.SelfAttention.q=1,decoder.block.0.layer.0.SelfAttention.k=1,"
         "decoder.block.0.layer.0.SelfAttention.v=1,decoder.block.0.layer.0.SelfAttention.o=1,"
         "decoder.block.0.layer.0.SelfAttention.relative_attention_bias=cpu,decoder.block.0.layer.0.layer_norm=cpu,"
         "decoder.block.0.layer.0.dropout=cpu,decoder.block.0.layer.1=cpu,decoder.block.0.layer.2=cpu,"
         "decoder.block.1.layer.0=cpu,decoder.block.1.layer.1.EncDecAttention.q=cpu,"
         "decoder.block.1.layer.1.EncDecAttention.k=cpu,decoder.block.1.layer.1.EncDecAttention.v=disk,"
         "decoder.block.1.layer.1.EncDecAttention.o=disk,decoder.block.1.layer.1.layer_norm=disk,"
         "decoder.block.1.layer.1.dropout=disk,decoder.block.1.layer.2=disk,decoder.final_layer_norm=disk,"
         "decoder.dropout=disk",
     .budgets = "0=17000,1=17000,cpu=20000", .bytes = 46848},
    {TINY_DEEPSEEK, "DeepseekV3ForCausalLM", "0=60000,1=60000,2=40000", .mode = TARE_MAP_AUTO, .no_split = "",
     .map = "model.embed_tokens=1,model.norm=disk,model.rotary_emb=disk,lm_head=disk,model.layers=disk",
     .budgets = "0=60000,1=60000,2=40000", .bytes = 35023904},
    {TINY_GEMMA3, "Gemma3ForConditionalGeneration", "0=60000,1=60000,cpu=20000", .offload_buffers = true,
     .map = "model.vision_tower.embeddings=0,model.vision_tower.encoder.layers.0=0,model.vision_tower.encoder.layers.1=1,"
         "model.vision_tower.post_layernorm=1,model.vision_tower.head=1,model.multi_modal_projector=1,"
         "model.language_model.embed_tokens=1,lm_head=1,model.language_model.layers.0=1,model.language_model.layers.1=1,"
         "model.language_model.layers.2=1,model.language_model.layers.3=cpu,model.language_model.layers.4=disk,"
         "model.language_model.layers.5=disk,model.language_model.layers.6=disk,model.language_model.norm=disk,"
         "model.language_model.rotary_emb=disk", .bytes = 136548},
    {TINY_RESNET, "ResNetModel", "0=9000,1=9000,cpu=4000", .no_split = "",
     .map = "encoder.stages.0.layers.0.shortcut=1,encoder.stages.0.layers.0.layer.0=1,"
         "encoder.stages.0.layers.0.activation=disk,encoder.stages.0.layers.1=disk,encoder.stages.1=disk,pooler=disk,"
         "encoder.stages.0.layers.0.layer.1=disk,embedder=1", .bytes = 67648},
    {TINY_WAV2VEC2, "Wav2Vec2ForCTC", "0=25000,1=12000,cpu=20000",
     .map = "wav2vec2.masked_spec_embed=0,wav2vec2.feature_extractor=0,wav2vec2.feature_projection=0,"
         "wav2vec2.encoder.pos_conv_embed=0,wav2vec2.encoder.layer_norm=0,wav2vec2.encoder.dropout=0,"
         "wav2vec2.encoder.layers.0=0,wav2vec2.encoder.layers.1.attention=0,wav2vec2.encoder.layers.1.dropout=0,"
         "wav2vec2.encoder.layers.1.layer_norm=0,wav2vec2.encoder.layers.1.feed_forward.intermediate_dropout=0,"
         "wav2vec2.encoder.layers.1.feed_forward.intermediate_dense=0,"
         "wav2vec2.encoder.layers.1.feed_forward.intermediate_act_fn=0,"
         "wav2vec2.encoder.layers.1.feed_forward.output_dense=1,wav2vec2.encoder.layers.1.feed_forward.output_dropout=1,"
         "wav2vec2.encoder.layers.1.final_layer_norm=1,dropout=1,lm_head=1", .bytes = 25952},
};

/* ---- asking ---- */

enum { TEXT = 8192, MOST = 16 };
static size_t split(char *text, const char **out) {
    size_t n = 0;
    for (char *p = strtok(text, ","); p; p = strtok(NULL, ",")) out[n++] = p;
    out[n] = NULL;
    return n;
}
static bool is_number(const char *text) { return text[strspn(text, "-0123456789")] == 0; }
static size_t devices_of(char *text, tare_device *out) {
    const char *words[MOST];
    size_t n = split(text, words);
    for (size_t i = 0; i < n; i++) {
        char *size = strchr(words[i], '=');
        *size++ = 0;
        bool plain = is_number(size);
        out[i] = (tare_device){.size = plain ? NULL : size, .has_bytes = plain, .bytes = plain ? atof(size) : 0};
        if (is_number(words[i])) out[i].index = atoi(words[i]);
        else out[i].name = words[i];
    }
    return n;
}
static tare_plan *plan_of_row(const tare_model *m, const row *r, tare_error *err) {
    char devices_text[TEXT], no_split_text[TEXT], special[TEXT];
    const char *no_split[MOST];
    tare_device devices[MOST];
    tare_special_dtype one = {special, NULL};
    snprintf(devices_text, TEXT, "%s", r->devices);
    snprintf(no_split_text, TEXT, "%s", r->no_split ? r->no_split : "");
    snprintf(special, TEXT, "%s", r->special ? r->special : "");
    split(no_split_text, no_split);
    if (r->special) one.dtype = strchr(special, '=') + 1, *strchr(special, '=') = 0;
    tare_plan_options o = {.accelerate = true, .devices = devices, .device_count = devices_of(devices_text, devices), .mode = r->mode,
                           .no_split = r->no_split ? no_split : NULL, .dtype = r->dtype, .special_dtypes = &one, .special_count = r->special != NULL,
                           .keep_parts = r->keep_parts, .offload_buffers = r->offload_buffers, .fallback_allocation = r->fallback};
    return tare_plan_make(m, &o, err);
}
static tare_model *open_class(const char *json, const char *cls) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, strlen(json), &(tare_open_options){.class_name = cls}, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}
static void map_text(const tare_plan *g, char out[TEXT]) {
    const tare_plan_entry *e;
    const tare_plan_device *d;
    size_t n = tare_plan_entries(g, &e), used = 0;
    tare_plan_devices(g, &d);
    *out = 0;
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(out + used, TEXT - used, "%s%s=%s", i ? "," : "", e[i].module, d[e[i].device].name);
}
static void budget_text(const tare_plan *g, char out[TEXT]) {
    const tare_plan_device *d;
    size_t n = tare_plan_devices(g, &d), used = 0;
    *out = 0;
    for (size_t i = 0; i < n && d[i].given; i++) used += (size_t)snprintf(out + used, TEXT - used, "%s%s=%.17g", i ? "," : "", d[i].name, d[i].budget);
}
static void check(const row *r) {
    char got[TEXT];
    tare_error err = {0};
    tare_model *m = open_class(r->json, r->cls);
    tare_plan *g = plan_of_row(m, r, &err);
    if (!r->map) {
        assert_null(g);
        assert_int_equal(err.status, TARE_BAD);
        assert_true(err.code[0] && err.message[0]);
    } else {
        tare_plan_sizes s;
        if (!g) fail_msg("%s: %s", r->devices, err.message);
        tare_model_free(m), m = NULL; /* a plan stands by itself */
        map_text(g, got);
        assert_string_equal(got, r->map);
        budget_text(g, got);
        if (r->budgets) assert_string_equal(got, r->budgets);
        tare_plan_sizes_of(g, &s);
        assert_true(s.root == r->bytes);
    }
    tare_plan_free(g);
    tare_model_free(m);
}
static void as_accelerate(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check(&rows[i]);
}

/* ---- a module under three names, twice in one parent ---- */

static mod *ProbeNorm(mod *m, const char *name) {
    mod *norm = child(m, name, "ProbeNorm");
    param(norm, "weight", ONES, 8);
    buffer(norm, "steps", ZEROS, TARE_I64, true, 3);
    linear(norm, "inner", 2, 2, true);
    done(norm);
    return norm;
}
static void ProbeModel(mod *m, const cfg *c) {
    (void)c;
    buffer(m, "mask", ZEROS, TARE_BOOL, true, 5);
    mod *first = child(m, "first", "ProbeBlock"), *norm = ProbeNorm(first, "norm");
    linear(first, "out", 8, 8, true);
    done(first);
    mod *layers = module_list(m, "layers");
    for (int i = 0; i < 3; i++) linear(layers, next_name(layers), 8, 8, false);
    done(layers);
    mod *second = child(m, "second", "ProbeBlock");
    share(second, "again", norm);
    share(second, "more", norm);
    linear(second, "out", 8, 8, true);
    done(second);
    param(m, "scale", ONES, 3);
}
static const model_facts ProbePreTrainedModel = {.config = "ProbeConfig"};
PROBE_FAMILY("")
#define PROBE "{\"model_type\": \"probe\"}", "ProbeModel"
static const row shared[] = {
    {PROBE, "0=3000", .no_split = "", .map = "=0", .bytes = 1436.625},
    {PROBE, "0=3000", .no_split = "", .keep_parts = true, .map = "scale=0,first=0,second=0,layers.0=0,layers.1=0,layers.2=0,mask=0", .bytes = 1436.625},
    {PROBE, "0=2500,cpu=2500", .no_split = "", .map = "scale=0,first=0,second=0,mask=cpu,layers=cpu", .bytes = 1436.625},
    {PROBE, "0=2712", .no_split = "", .map = "scale=0,first=0,second=0,layers.0=0,layers.1=disk,layers.2=disk,mask=disk", .bytes = 1436.625},
    {PROBE, "0=2000", .no_split = "ProbeBlock", .map = "scale=0,first=disk,second=disk,layers=disk,mask=disk", .bytes = 1436.625},
    {PROBE, "0=800,1=4000", .no_split = "ProbeBlock", .map = "scale=0,first=1,second=1,layers=1,mask=1", .bytes = 1436.625},
    {PROBE, "0=800,1=4000", .no_split = "", .map = NULL},
    {PROBE, "0=2000", .no_split = "", .map = NULL},
};
static void modules_with_several_names(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) check(&shared[i]);
}

/* ---- what else a plan tells ---- */

static void sizes_loads_and_remarks(void **state) {
    (void)state;
    const tare_plan_device *d;
    const char *const *remarks;
    tare_plan_sizes s;
    tare_error err = {0};
    tare_model *m = open_class(TINY_LLAMA, "LlamaForCausalLM");
    tare_plan *g = plan_of_row(m, &(row){.devices = "0=30000,1=100000"}, &err);
    assert_int_equal(tare_plan_devices(g, &d), 3);
    assert_true(d[0].is_number && d[0].given && d[0].has_budget && !d[2].given && !d[2].is_number);
    assert_true(d[0].load == 4096 + 10368 && d[0].load + d[1].load == 35280 && d[2].load == 0);
    tare_plan_sizes_of(g, &s);
    assert_true(s.root == 35280 && s.largest == 10368);
    assert_int_equal(s.largest_count, 3);
    assert_string_equal(s.largest_names[1], "model.layers.1");
    assert_int_equal(tare_plan_remarks(g, &remarks), 0);
    tare_plan_free(g);
    g = plan_of_row(m, &(row){.devices = "0=9000,cpu=15000"}, &err);
    assert_int_equal(tare_plan_remarks(g, &remarks), 2);
    assert_non_null(strstr(remarks[0], "have 16 bytes of buffers"));
    assert_string_equal(remarks[1], "device 0 is too small for any module: the next one takes 14464 bytes there");
    tare_plan_free(g);
    tare_model_free(m);
}
static void a_missing_number_is_no_limit(void **state) {
    (void)state;
    char got[TEXT];
    tare_error err = {0};
    tare_model *m = open_class(TINY_LLAMA, "LlamaForCausalLM");
    tare_device devices[] = {{.index = 0, .has_bytes = true, .bytes = 1}, {.index = 1}};
    tare_plan_options o = {.accelerate = true, .devices = devices, .device_count = 2};
    tare_plan *g = tare_plan_make(m, &o, &err);
    map_text(g, got);
    assert_string_equal(got, "=1");
    tare_plan_free(g);
    o.device_count = 1, o.devices = devices + 1; /* the first device keeps room for a layer: None - size is an error */
    assert_null(tare_plan_make(m, &o, &err));
    assert_string_equal(err.code, "bad_type");
    tare_model_free(m);
}
static void wrong_options(void **state) {
    (void)state;
    tare_error err = {0};
    tare_model *m = open_class(TINY_LLAMA, "LlamaForCausalLM");
    assert_null(tare_plan_make(m, &(tare_plan_options){.accelerate = true, .device_count = 1}, &err));
    assert_int_equal(err.status, TARE_USAGE);
    err = (tare_error){0};
    assert_null(tare_plan_make(m, &(tare_plan_options){.budgets_only = true}, &err));
    assert_int_equal(err.status, TARE_USAGE);
    tare_model_free(m);
}
static void budgets_alone(void **state) {
    (void)state;
    char got[TEXT];
    tare_error err = {0};
    const tare_plan_device *d;
    const tare_plan_entry *e;
    tare_model *m = open_class(TINY_LLAMA, "LlamaForCausalLM");
    tare_device devices[] = {{.name = "cpu", .has_bytes = true, .bytes = 5, .real = true}, {.index = 1, .size = "30KB"}, {.index = 0, .size = "30KB"}};
    tare_plan_options o = {.accelerate = true, .budgets_only = true, .devices = devices, .device_count = 3, .mode = TARE_MAP_BALANCED,
                           .dtype = "float16", .no_split = (const char *[]){"LlamaDecoderLayer", NULL}};
    tare_plan *g = tare_plan_make(m, &o, &err);
    if (!g) fail_msg("%s", err.message);
    assert_int_equal(tare_plan_devices(g, &d), 3); /* no disk */
    assert_int_equal(tare_plan_entries(g, &e), 0);
    budget_text(g, got);
    assert_string_equal(got, "0=15300,1=30000,cpu=5");
    assert_false(d[0].real || d[1].real);
    assert_true(d[2].real);
    tare_plan_free(g);
    tare_model_free(m);
}

/* ---- Python's sets ---- */

static void sets_of_names(void **state) {
    (void)state;
    arena a = {0};
    jmp_buf out;
    a.unwind = &out;
    if (setjmp(out)) fail_msg("out of memory");
    assert_true(py_hash("") == 0ULL);
    assert_true(py_hash("h") == 15970285404234903785ULL);
    assert_true(py_hash("model.lay") == 10703492037571269281ULL);
    assert_true(py_hash("transformer.h.19.self_attention") == 10755652700017236586ULL);
    static const size_t want[] = {
        14, 46, 3, 36, 21, 43, 57, 51, 22, 1, 2, 16, 4, 18, 25, 45, 38, 5, 10, 33, 24, 28, 8, 20, 30, 7, 13, 11, 29, 41, 52, 47, 17,
        23, 59, 60, 44, 26, 56, 9, 39, 34, 32, 55, 19, 54, 61, 50, 49, 6, 35, 58, 48, 62, 15, 0, 40, 53, 37, 42, 31, 12, 27};
    enum { N = 63 };
    const char *names[N];
    size_t order[N];
    for (int i = 0; i < 61; i++) names[i] = arena_printf(&a, "model.layers.%d", i);
    names[61] = "lm_head", names[62] = "model.norm";
    pyset_order(&a, names, N, order);
    assert_memory_equal(order, want, sizeof want);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_accelerate), cmocka_unit_test(modules_with_several_names), cmocka_unit_test(sizes_loads_and_remarks),
        cmocka_unit_test(a_missing_number_is_no_limit), cmocka_unit_test(wrong_options), cmocka_unit_test(budgets_alone),
        cmocka_unit_test(sets_of_names),
    };
    return cmocka_run_group_tests(tests, known_family, NULL);
}
