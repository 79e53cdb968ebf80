/* Trees that are prepared for quantised weights: what stays dense, the shapes of each method, refusals, warnings, requests. Shapes are
 * worked out by hand from the layouts that each method's file states; goldens compare whole trees (tests/quant). */
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <tare.h>

/* q_proj is 64 x 64, k_proj 32 x 64, up_proj 96 x 64, down_proj 64 x 96. */
#define LLAMA \
    "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 64, \"intermediate_size\": 96, " \
    "\"num_hidden_layers\": 12, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"vocab_size\": 100, \"dtype\": \"bfloat16\""
#define MIXTRAL \
    "{\"model_type\": \"mixtral\", \"architectures\": [\"MixtralForCausalLM\"], \"hidden_size\": 64, \"intermediate_size\": 96, " \
    "\"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"vocab_size\": 100, \"num_local_experts\": 4"
#define BERT \
    "{\"model_type\": \"bert\", \"architectures\": [\"BertForSequenceClassification\"], \"hidden_size\": 64, \"intermediate_size\": 96, " \
    "\"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"vocab_size\": 100"

static tare_model *opened(const char *model, const char *quantization, tare_error *err) {
    char text[4096];
    snprintf(text, sizeof text, "%s, \"quantization_config\": %s}", model, quantization);
    return tare_model_parse(text, strlen(text), &(tare_open_options){.quantized = true, .host = "gpu=none"}, err);
}
static tare_model *made(const char *model, const char *quantization) {
    tare_error err = {0};
    tare_model *m = opened(model, quantization, &err);
    if (!m) fail_msg("%s: %s", quantization, err.message);
    return m;
}
static tare_model *requested(const char *model, const char *request, tare_error *err) {
    char text[4096];
    snprintf(text, sizeof text, "%s}", model);
    return tare_model_parse(text, strlen(text), &(tare_open_options){.quantize = request, .host = "gpu=none"}, err);
}

/* ---- what stays dense ---- */

static bool is_dense(const tare_model *m, const char *module) {
    char path[256];
    snprintf(path, sizeof path, "%s.weight_scale_inv", module);
    return !tare_tensor_find(m, path);
}
static void dense(const char *list, const char *module, bool want) {
    char quantization[1024];
    snprintf(quantization, sizeof quantization, "{\"quant_method\": \"fp8\", \"modules_to_not_convert\": %s}", list);
    tare_model *m = made(LLAMA, quantization);
    if (is_dense(m, module) != want) fail_msg("with %s, %s should%s stay dense", list, module, want ? "" : " not");
    tare_model_free(m);
}
static void test_names(void **state) {
    (void)state;
    dense("null", "lm_head", true); /* the default: the output embedding */
    dense("[]", "lm_head", false);  /* any list replaces it */
    dense("[\"up\"]", "model.layers.0.mlp.up_proj", false); /* a part of a name is none */
    dense("[\"q_proj\"]", "model.layers.5.self_attn.q_proj", true); /* by its end, anywhere */
    dense("[\"roj\"]", "model.layers.5.self_attn.q_proj", true);
    dense("[\"odel.layers.0\"]", "model.layers.0.mlp.up_proj", false); /* from the start or to the end */
    dense("[\"model.layers.1\"]", "model.layers.1.mlp.up_proj", true);
    dense("[\"model.layers.1\"]", "model.layers.10.mlp.up_proj", false);
    dense("[\"model.layers.1.\"]", "model.layers.1.mlp.up_proj", true);
    dense("[\"model.layers.1.\"]", "model.layers.11.mlp.up_proj", true); /* a dot is any character, and then a dot follows */
    dense("[\"model\"]", "model.layers.3.mlp.up_proj", true);
    dense("[\"\"]", "model.layers.3.mlp.up_proj", true); /* every path ends so */
}
static void test_patterns(void **state) {
    (void)state;
    dense("[\".*\\\\.1\\\\..*\"]", "model.layers.1.mlp.up_proj", true);
    dense("[\".*\\\\.1\\\\..*\"]", "model.layers.2.mlp.up_proj", false);
    dense("[\"model.layers.(2|7).mlp\"]", "model.layers.7.mlp.down_proj", true);
    dense("[\"model.layers.(2|7).mlp\"]", "model.layers.7.self_attn.q_proj", false);
    dense("[\"re:.*q_proj\"]", "model.layers.0.self_attn.q_proj", false); /* "re:" is compressed-tensors' own */
    dense("[\"layers.[0-4]\"]", "model.layers.3.mlp.up_proj", false);
    dense("[\".*layers.[0-4]\"]", "model.layers.3.mlp.up_proj", true);
}
/* Layers that a list tells apart come apart, and no others: the counts say so. */
static void test_layers_apart(void **state) {
    (void)state;
    tare_model *all = made(LLAMA, "{\"quant_method\": \"fp8\"}");
    tare_model *some = made(LLAMA,
        "{\"quant_method\": \"fp8\", \"modules_to_not_convert\": [\"lm_head\", \"model.layers.4\", \"model.layers.11.mlp\"]}");
    assert_int_equal(tare_model_quantization(all)->replaced, 12 * 7);
    assert_int_equal(tare_model_quantization(some)->replaced, 12 * 7 - 7 - 3);
    assert_int_equal(tare_model_quantization(some)->left, 1 + 7 + 3);
    tare_model_free(all);
    tare_model_free(some);
}

/* ---- shapes ---- */

typedef struct shape_case { const char *quantization, *tensors; } shape_case;
static const char *described(const tare_model *m, const char *path) {
    static char text[256];
    const tare_item *t = tare_tensor_find(m, path);
    if (!t) return "none";
    int n = snprintf(text, sizeof text, "%s", tare_dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) n += snprintf(text + n, sizeof text - (size_t)n, "%c%lld", i ? 'x' : ' ', (long long)t->shape[i]);
    return text;
}
/* "name=DTYPE 1x2 name=none ...", of the down projection of a layer: 64 outputs, 96 inputs. */
static void check_tensors(const char *quantization, const tare_model *m, const char *tensors) {
    char *all = strdup(tensors), *rest = all;
    for (char *one; (one = strtok_r(rest, ";", &rest));) {
        while (*one == ' ') one++;
        char *equals = strchr(one, '='), path[256];
        *equals = 0;
        snprintf(path, sizeof path, "model.layers.3.mlp.down_proj.%s", one);
        if (strcmp(described(m, path), equals + 1)) fail_msg("%s: %s is %s, not %s", quantization, one, described(m, path), equals + 1);
    }
    free(all);
}
static void test_shapes(void **state) {
    (void)state;
    static const shape_case cases[] = {
        {"{\"quant_method\": \"fp8\"}", "weight=F8_E4M3 64x96; weight_scale_inv=F32 1x1; activation_scale=none"},
        {"{\"quant_method\": \"fp8\", \"weight_block_size\": [16, 40]}", "weight_scale_inv=F32 4x3"},
        {"{\"quant_method\": \"fp8\", \"weight_block_size\": null, \"activation_scheme\": \"static\"}",
         "weight_scale_inv=F32; activation_scale=F32"},
        {"{\"quant_method\": \"mxfp8\", \"weight_block_size\": [1, 32], \"scale_fmt\": \"ue8m0\"}", "weight_scale_inv=F8_E8M0 64x3"},
        {"{\"quant_method\": \"fbgemm_fp8\"}", "weight=F8_E4M3 64x96; weight_scale=F32 64x1; input_scale_ub=F32 1"},
        {"{\"quant_method\": \"bitsandbytes\", \"load_in_8bit\": true}", "weight=I8 64x96"},
        {"{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 32}",
         "qweight=I32 12x64; qzeros=I32 3x8; scales=F16 3x64; g_idx=I32 96; weight=none"},
        {"{\"quant_method\": \"gptq\", \"bits\": 3, \"group_size\": 64, \"backend\": \"torch\"}",
         "qweight=I32 9x64; qzeros=I32 2x6; scales=F16 2x64"},
        {"{\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 32}", "qweight=I32 96x8; qzeros=I32 3x8; scales=F16 3x64"},
        {"{\"quant_method\": \"compressed-tensors\", \"quantization_status\": \"compressed\", \"config_groups\": {\"g\": {\"targets\": [\"Linear\"], "
         "\"weights\": {\"num_bits\": 4, \"group_size\": 32, \"symmetric\": false}}}}",
         "weight_packed=I32 64x12; weight_scale=BF16 64x3; weight_zero_point=I8 64x3; weight_shape=I64 2; weight=none"},
        {"{\"quant_method\": \"compressed-tensors\", \"quantization_status\": \"compressed\", \"config_groups\": {\"NVFP4\": [\"Linear\"]}}",
         "weight_packed=U8 64x48; weight_scale=F8_E4M3 64x6; weight_global_scale=F32 1; input_global_scale=F32 1"},
        {"{\"quant_method\": \"compressed-tensors\", \"quantization_status\": \"compressed\", \"config_groups\": {\"mxfp4a16\": [\"Linear\"]}}",
         "weight_packed=U8 64x48; weight_scale=U8 64x3; weight_global_scale=none"},
        {"{\"quant_method\": \"compressed-tensors\", \"quantization_status\": \"compressed\", \"config_groups\": {\"FP8_BLOCK\": [\"Linear\"]}}",
         "weight=F8_E4M3 64x96; weight_scale=BF16 1x1"},
        {"{\"quant_method\": \"eetq\"}", "weight=I8 96x64; weight_scales=F16 64"},
        {"{\"quant_method\": \"higgs\", \"bits\": 2, \"group_size\": 64, \"hadamard_size\": 64, "
         "\"modules_to_not_convert\": [\"down_proj\", \"lm_head\"]}",
         "weight=BF16 64x96"},
        {"{\"quant_method\": \"metal\", \"bits\": 2, \"group_size\": 32}", "weight=U32 64x6; scales=F32 64x3; qbiases=F32 64x3"},
        {"{\"quant_method\": \"aqlm\", \"num_codebooks\": 2, \"nbits_per_codebook\": 8, \"in_group_size\": 16}",
         "codebooks=BF16 2x256x1x16; codes=I8 64x6x2; scales=BF16 64x1x1x1"},
        {"{\"quant_method\": \"bitnet\"}", "weight=U8 16x96; weight_scale=BF16 1"},
        {"{\"quant_method\": \"quanto\", \"weights\": \"int4\"}", "weight=BF16 64x96; input_scale=BF16"},
        {"{\"quant_method\": \"gemma\", \"num_bits\": 2}", "weight=U8 64x24; weight_scale=F32 64x1; input_activation_scale=F32"},
        {"{\"quant_method\": \"fp_quant\", \"forward_dtype\": \"mxfp4\"}",
         "weight=BF16 64x96; qweight=U8 64x48; scales=U8 64x3; forward_hadamard_matrix=BF16 32x32"},
        {"{\"quant_method\": \"fp_quant\"}", "scales=U8 64x6; forward_hadamard_matrix=BF16 16x16"},
        {"{\"quant_method\": \"auto-round\", \"bits\": 4, \"group_size\": 32}", "qweight=I32 12x64; qzeros=I32 3x8; scales=F16 3x64; g_idx=none"},
        {"{\"quant_method\": \"auto-round\", \"bits\": 4, \"group_size\": 32, \"packing_format\": \"auto_round:auto_awq\"}",
         "qweight=I32 96x8; qzeros=I32 3x8; scales=F16 3x64"},
        {"{\"quant_method\": \"auto-round\", \"bits\": 8, \"group_size\": 64}", "weight=BF16 64x96; qweight=none"}, /* 96 is no whole group */
        {"{\"quant_method\": \"torchao\", \"quant_type\": {\"default\": {}}}", "weight=BF16 64x96"},
        {"{\"quant_method\": \"sinq\"}", "weight=none"},
        {"{\"quant_method\": \"exl2\", \"bits\": 4.0}", "weight=BF16 64x96"}, /* unknown to the reference: the plain tree */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tare_model *m = made(LLAMA, cases[i].quantization);
        check_tensors(cases[i].quantization, m, cases[i].tensors);
        tare_model_free(m);
    }
}
static void test_experts(void **state) {
    (void)state;
    tare_model *m = made(MIXTRAL, "{\"quant_method\": \"fp8\", \"weight_block_size\": [32, 32]}");
    assert_string_equal(described(m, "model.layers.1.mlp.experts.gate_up_proj"), "F8_E4M3 4x192x64");
    assert_string_equal(described(m, "model.layers.1.mlp.experts.gate_up_proj_scale_inv"), "F32 4x6x2");
    assert_string_equal(described(m, "model.layers.1.mlp.experts.down_proj_scale_inv"), "F32 4x2x3");
    tare_model_free(m);
    m = made(MIXTRAL, "{\"quant_method\": \"auto-round\", \"bits\": 4, \"group_size\": 32}");
    assert_string_equal(described(m, "model.layers.1.mlp.experts.3.down_proj.qweight"), "I32 12x64");
    assert_string_equal(described(m, "model.layers.1.mlp.experts.0.gate_proj.qzeros"), "I32 2x12");
    assert_string_equal(described(m, "model.layers.1.mlp.experts.down_proj"), "none");
    tare_model_free(m);
}

/* ---- refusals ---- */

typedef struct refusal { const char *model, *quantization, *code, *says; } refusal;
static void test_refusals(void **state) {
    (void)state;
    static const refusal cases[] = {
        {LLAMA, "{\"bits\": 4}", "bad_quantization", "no quant_method"},
        {LLAMA, "[\"fp8\"]", "bad_value", "quantization_config"},
        {LLAMA, "{\"quant_method\": 8}", "bad_type", "no text"},
        {LLAMA, "{\"quant_method\": \"fp8\", \"weight_block_size\": [128]}", "bad_quantization", "$.quantization_config.weight_block_size is [128]"},
        {LLAMA, "{\"quant_method\": \"fp8\", \"activation_scheme\": \"token\"}", "bad_quantization", "known are dynamic, static"},
        {LLAMA, "{\"quant_method\": \"fp8\", \"modules_to_not_convert\": [\"a(\"]}", "bad_quantization", "no regular expression"},
        {LLAMA, "{\"quant_method\": \"fp8\", \"modules_to_not_convert\": [1]}", "bad_quantization", "a list of names"},
        {LLAMA, "{\"load_in_4bit\": true, \"load_in_8bit\": true}", "bad_quantization", "only one of them"},
        {LLAMA, "{\"quant_method\": \"gptq\", \"bits\": 5}", "bad_quantization", "known are 2, 3, 4, 8"},
        {BERT, "{\"quant_method\": \"gptq\", \"bits\": 4}", "unsupported_quantization", "block_name_to_quantize"},
        {LLAMA, "{\"quant_method\": \"awq\", \"version\": \"gemv\"}", "bad_quantization", "need a GPU"},
        {LLAMA, "{\"quant_method\": \"compressed-tensors\", \"quantization_status\": \"compressed\", \"config_groups\": {\"W4A8\": [\"Linear\"]}}",
         "unsupported_quantization", "whole groups"},
        {LLAMA, "{\"quant_method\": \"compressed-tensors\", \"config_groups\": {\"W9\": [\"Linear\"]}}", "bad_quantization", "no scheme is called so"},
        {LLAMA, "{\"quant_method\": \"compressed-tensors\", \"config_groups\": \"(long)\", \"format\": \"pack-quantized\"}", "bad_quantization",
         "an object is needed"},
        {LLAMA, "{\"quant_method\": \"aqlm\", \"in_group_size\": 7}", "bad_value", "groups of 7"},
        {LLAMA, "{\"quant_method\": \"higgs\", \"bits\": 4}", "", "whole number of groups"},
        {LLAMA, "{\"quant_method\": \"hqq\"}", "bad_quantization", "quant_config"},
        {LLAMA, "{\"quant_method\": \"nvfp4\"}", "unsupported_quantization", "--quantize nvfp4"},
        {LLAMA, "{\"quant_method\": \"fouroversix\"}", "unsupported_quantization", "fouroversix"},
        {LLAMA, "{\"quant_method\": \"vptq\"}", "unsupported_quantization", "model.layers.0.self_attn.q_proj"},
        {LLAMA, "{\"quant_method\": \"spqr\"}", "unsupported_quantization", "float16"},
        {LLAMA, "{\"quant_method\": \"torchao\", \"quant_type\": \"int8_weight_only\"}", "bad_quantization", "quant_type"},
        {LLAMA, "{\"quant_method\": \"quark\", \"exclude\": []}", "bad_quantization", "layer_type_quant_config"},
        {LLAMA, "{\"quant_method\": \"auto-round\", \"packing_format\": \"auto_round:llm_compressor\"}", "bad_quantization", "no portable kernel"},
        {LLAMA, "{\"quant_method\": \"auto-round\", \"desc_act\": true}", "bad_quantization", "static_groups"},
        {LLAMA, "{\"quant_method\": \"fp_quant\", \"hadamard_group_size\": 8}", "bad_quantization", "16, 32, 64, 128"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tare_error err = {0};
        tare_model *m = opened(cases[i].model, cases[i].quantization, &err);
        if (m) fail_msg("%s should be refused", cases[i].quantization);
        if (*cases[i].code && strcmp(err.code, cases[i].code))
            fail_msg("%s: %s, not %s: %s", cases[i].quantization, err.code, cases[i].code, err.message);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].quantization, err.message, cases[i].says);
        assert_int_equal(err.status, TARE_BAD);
    }
}

/* ---- warnings ---- */

static bool warns(const tare_model *m, const char *part) {
    const tare_quantization *q = tare_model_quantization(m);
    for (size_t i = 0; q && i < q->warning_count; i++)
        if (strstr(q->warnings[i], part)) return true;
    return false;
}
static void warned(const char *model, const char *quantization, const char *part) {
    tare_model *m = made(model, quantization);
    if (part && !warns(m, part)) fail_msg("%s: nothing warns of \"%s\"", quantization, part);
    if (!part && tare_model_quantization(m)->warning_count) fail_msg("%s: %s", quantization, tare_model_quantization(m)->warnings[0]);
    tare_model_free(m);
}
static void test_warnings(void **state) {
    (void)state;
    warned(LLAMA, "{\"quant_method\": \"fp8\"}", NULL);
    warned(LLAMA, "{\"quant_method\": \"fp8\", \"modules_to_not_convert\": []}", "lm_head, the output embedding, is quantised");
    warned(LLAMA ", \"tie_word_embeddings\": true", "{\"quant_method\": \"fp8\", \"modules_to_not_convert\": []}",
        "is tied to model.embed_tokens.weight");
    warned(LLAMA ", \"tie_word_embeddings\": true",
        "{\"quant_method\": \"fp8\", \"modules_to_convert\": [\"embed_tokens\"], \"modules_to_not_convert\": [\"lm_head\"]}",
        "without their scale");
    warned(BERT, "{\"quant_method\": \"fp8\"}", "classifier, a head of this model, is quantised");
    warned(MIXTRAL, "{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 32}", "leaves them random");
    warned(MIXTRAL, "{\"quant_method\": \"awq\", \"group_size\": 32}", "leaves them random");
    warned(MIXTRAL, "{\"quant_method\": \"eetq\"}", "stay dense");
    warned(MIXTRAL, "{\"quant_method\": \"fp8\", \"weight_block_size\": [64, 64]}", "cannot load them into the fused ones"); /* 96 is no 64s */
    warned(LLAMA,
        "{\"quant_method\": \"compressed-tensors\", \"quantization_status\": \"compressed\", \"config_groups\": {\"W4A16_ASYM\": [\"Linear\"]}}",
        "cannot load such files");
    warned(LLAMA, "{\"quant_method\": \"auto-round\", \"bits\": 8, \"group_size\": 64}", "FakeActQuantLinear");
}

/* ---- requests ---- */

static void test_requests(void **state) {
    (void)state;
    static const struct { const char *request, *says; } refused[] = {
        {"fp9", "unknown method"},
        {"fp8:weight_block_size", "METHOD:key=value"},
        {"awq", "made from calibration data"},
        {"compressed-tensors", "llm-compressor"},
        {"quark", "calibration"},
        {"sinq:method=asinq", "made elsewhere"},
    };
    tare_error err = {0};
    tare_model *m = requested(LLAMA, "fp8:weight_block_size=[16,40],modules_to_not_convert=[\"lm_head\",\"q_proj\"]", &err);
    assert_non_null(m);
    assert_string_equal(described(m, "model.layers.3.mlp.down_proj.weight_scale_inv"), "F32 4x3");
    assert_string_equal(described(m, "model.layers.3.self_attn.q_proj.weight"), "BF16 64x64");
    tare_model_free(m);
    m = requested(LLAMA, "nvfp4", &err);
    assert_string_equal(described(m, "model.layers.3.mlp.down_proj.weight_sf_rowmajor"), "U8 64x6");
    tare_model_free(m);
    m = requested(LLAMA ", \"quantization_config\": {\"quant_method\": \"fp8\"}", "fp8", &err);
    assert_non_null(m); /* the config's own, and the same */
    tare_model_free(m);
    assert_null(requested(LLAMA ", \"quantization_config\": {\"quant_method\": \"fp8\"}", "eetq", &err));
    assert_non_null(strstr(err.message, "a checkpoint is quantised once"));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        err = (tare_error){0};
        if (requested(LLAMA, refused[i].request, &err)) fail_msg("%s should be refused", refused[i].request);
        if (!strstr(err.message, refused[i].says)) fail_msg("%s: \"%s\" does not say \"%s\"", refused[i].request, err.message, refused[i].says);
    }
}
static void test_plain(void **state) {
    (void)state;
    char text[2048];
    snprintf(text, sizeof text, "%s, \"quantization_config\": {\"quant_method\": \"fp8\"}}", LLAMA);
    tare_model *m = tare_model_parse(text, strlen(text), NULL, NULL);
    assert_string_equal(described(m, "model.layers.3.mlp.down_proj.weight"), "BF16 64x96");
    assert_null(tare_model_quantization(m));
    tare_model_free(m);
    m = tare_model_parse(text, strlen(text), &(tare_open_options){.quantized = true, .dequantize = true}, NULL);
    assert_string_equal(described(m, "model.layers.3.mlp.down_proj.weight"), "BF16 64x96");
    tare_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_patterns), cmocka_unit_test(test_layers_apart), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_experts),  cmocka_unit_test(test_refusals), cmocka_unit_test(test_warnings),     cmocka_unit_test(test_requests),
        cmocka_unit_test(test_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
