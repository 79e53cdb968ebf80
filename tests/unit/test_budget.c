/* What a model holds in memory. Caches: bytes that the reference's own past_key_values hold after so many tokens, in models of
 * every family that keeps one; the rest by hand. */
#include "api/handle.h"
#include "plan/budget.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "build/def.h"

static tare_model *opened(const char *model, const char *dtype) {
    tare_error err = {0};
    tare_model *m = tare_model_open(model, &(tare_open_options){.dtype = dtype, .host = "gpu=none"}, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}
static tare_budget budget(const tare_model *m, tare_budget_options o) {
    tare_error err = {0};
    tare_budget b;
    if (tare_model_budget(m, &o, &b, &err)) fail_msg("%s", err.message);
    return b;
}
static const tare_budget_line *line_of(const tare_budget *b, const char *name) {
    for (size_t i = 0; i < b->count; i++)
        if (!strcmp(b->lines[i].name, name)) return &b->lines[i];
    return NULL;
}
static uint64_t bytes(const tare_budget *b, const char *name) {
    const tare_budget_line *l = line_of(b, name);
    if (!l) fail_msg("no line %s", name);
    return l->bytes;
}
static void says(const tare_budget *b, const char *name, const char *formula) {
    assert_non_null(line_of(b, name));
    assert_string_equal(line_of(b, name)->formula, formula);
}

/* ---- caches of small models: what the reference's hold ---- */

#define DECODER "\"hidden_size\": 16, \"intermediate_size\": 24, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"vocab_size\": 50"
#define LLAMA "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"num_hidden_layers\": 3, " DECODER
#define GEMMA "{\"model_type\": \"gemma3_text\", \"architectures\": [\"Gemma3ForCausalLM\"], \"num_hidden_layers\": 7, \"head_dim\": 8, " DECODER
#define MIXTRAL "{\"model_type\": \"mixtral\", \"architectures\": [\"MixtralForCausalLM\"], \"num_hidden_layers\": 2, \"num_local_experts\": 2, \
\"num_experts_per_tok\": 1, " DECODER
#define DEEPSEEK "{\"model_type\": \"deepseek_v3\", \"architectures\": [\"DeepseekV3ForCausalLM\"], \"num_hidden_layers\": 4, \
\"moe_intermediate_size\": 8, \"kv_lora_rank\": 8, \"q_lora_rank\": 8, \"qk_rope_head_dim\": 4, \"qk_nope_head_dim\": 4, \"v_head_dim\": 6, \
\"n_routed_experts\": 4, \"n_group\": 1, \"topk_group\": 1, \"num_experts_per_tok\": 2, \"first_k_dense_replace\": 1, " DECODER
#define BLOOM "{\"model_type\": \"bloom\", \"architectures\": [\"BloomForCausalLM\"], \"hidden_size\": 16, \"n_layer\": 2, \"n_head\": 4, \
\"vocab_size\": 50"
#define GPT2 "{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"], \"n_embd\": 16, \"n_layer\": 2, \"n_head\": 4, \
\"vocab_size\": 50"
#define BERT "{\"model_type\": \"bert\", \"architectures\": [\"BertLMHeadModel\"], \"num_hidden_layers\": 2, " DECODER
#define T5 "{\"model_type\": \"t5\", \"architectures\": [\"T5ForConditionalGeneration\"], \"d_model\": 16, \"d_ff\": 24, \"d_kv\": 8, \
\"num_heads\": 2, \"num_layers\": 2, \"num_decoder_layers\": 3, \"vocab_size\": 50"
#define WHISPER "{\"model_type\": \"whisper\", \"architectures\": [\"WhisperForConditionalGeneration\"], \"d_model\": 16, \"encoder_layers\": 1, \
\"decoder_layers\": 2, \"encoder_attention_heads\": 2, \"decoder_attention_heads\": 4, \"encoder_ffn_dim\": 24, \"decoder_ffn_dim\": 24, \
\"vocab_size\": 50, \"max_source_positions\": 10, \"pad_token_id\": 0, \"bos_token_id\": 1, \"eos_token_id\": 2"
#define TYPES "\"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\"]"

static const struct { const char *config, *dtype; uint64_t batch, context, source, want; } small[] = {
    {LLAMA "}", "bfloat16", 2, 17, 0, 3264},
    {LLAMA ", \"sliding_window\": 5}", "float32", 1, 17, 0, 768}, /* any decoder's cache goes by these keys */
    {LLAMA ", \"sliding_window\": 1}", "float32", 1, 17, 0, 3264}, /* the slice that would keep none keeps all */
    {LLAMA ", \"attention_chunk_size\": 7}", "float32", 1, 17, 0, 1152},
    {LLAMA ", \"sliding_window\": 5, " TYPES "}", "float32", 1, 17, 0, 2432},
    {GEMMA ", \"sliding_window\": 4}", "bfloat16", 1, 17, 0, 2240},
    {DEEPSEEK "}", "bfloat16", 3, 9, 0, 2592},
    {MIXTRAL ", \"sliding_window\": 6}", "float32", 1, 9, 0, 640},
    {BLOOM "}", "bfloat16", 2, 9, 0, 2304},
    {GPT2 "}", "float32", 1, 9, 0, 2304},
    {GPT2 ", \"add_cross_attention\": true}", "float32", 1, 9, 5, 3584},
    {BERT ", \"is_decoder\": true, \"add_cross_attention\": true}", "float32", 2, 9, 5, 7168},
    {BERT "}", "float32", 1, 9, 0, 0},
    {T5 "}", "bfloat16", 2, 9, 5, 5376},
    {WHISPER "}", "float32", 1, 9, 5, 4864}, /* ten tokens come out of the encoder, whatever went in */
};
static void test_small(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        tare_model *m = opened(small[i].config, small[i].dtype);
        tare_budget b = budget(m, (tare_budget_options){.context = small[i].context, .batch = small[i].batch, .source = small[i].source});
        if (b.cache != small[i].want) fail_msg("row %zu: %llu", i, (unsigned long long)b.cache);
        tare_model_free(m);
    }
}

/* ---- caches of models that everybody knows ---- */

static tare_budget published(const char *id, const char *dtype, uint64_t context) {
    tare_model *m = opened(id, dtype);
    tare_budget b = budget(m, (tare_budget_options){.context = context});
    tare_model_free(m);
    return b;
}
static void test_known(void **state) {
    (void)state;
    assert_int_equal(published("meta-llama/Meta-Llama-3.1-405B", "bfloat16", 4096).token, 516096); /* 126 x 2 x 8 x 128 x 2 */
    assert_int_equal(published("deepseek-ai/DeepSeek-V3-Base", "bfloat16", 4096).token, 70272);    /* 61 x (512 + 64) x 2 */
    assert_int_equal(published("meta-llama/Llama-2-70b-hf", "float16", 8192).cache, 2684354560);   /* 80 x 2 x 8 x 128 x 8192 x 2 */
    assert_int_equal(published("mistralai/Mixtral-8x22B-v0.1", "bfloat16", 1000).cache, 229376000); /* 56 x 2 x 8 x 128 x 1000 x 2: no window */
    assert_int_equal(published("google-bert/bert-base-uncased", NULL, 512).cache, 0);
    tare_budget b = published("google-bert/bert-base-uncased", NULL, 512);
    says(&b, "cache", "no layer keeps one");
    b = published("google-t5/t5-base", NULL, 512); /* 12 x 2 x 12 x 64 x 512 x 4, twice: the source is as long */
    assert_int_equal(bytes(&b, "cache_full"), 37748736);
    assert_int_equal(bytes(&b, "cache_cross"), 37748736);
    assert_int_equal(b.token, 73728); /* the source does not grow */
}
/* 34 layers, of which 6, 12, 18, 24, 30 attend to all; 4 heads of 256: 4 x (256 + 256) x 2 bytes = 4096 a token and layer. The others
 * keep 1023 tokens: a window of 1024 takes in the one at hand. 5 x 4096 x 8192 + 29 x 4096 x 1023. */
static void test_gemma(void **state) {
    (void)state;
    tare_budget b = published("google/gemma-3-4b", NULL, 8192);
    assert_int_equal(bytes(&b, "cache_full"), 167772160);
    assert_int_equal(bytes(&b, "cache_sliding"), 121516032);
    assert_int_equal(b.cache, 289288192);
    assert_int_equal(b.token, 20480); /* 5 x 4096: the windows are full */
    says(&b, "cache_sliding", "29 layers x 4 heads x (256 + 256) x 1023 of 8192 tokens x 2 bytes");
    assert_int_equal(published("google/gemma-3-4b", NULL, 1022).token, 139264);
    assert_int_equal(published("google/gemma-3-4b", NULL, 1023).token, 20480);
}
/* 32 layers, 20 heads of 64: 20 x 2 x 64 x 2 = 5120 bytes a token and layer; 448 of its own, and 1500 of every half minute. */
static void test_whisper(void **state) {
    (void)state;
    tare_budget b = published("openai/whisper-large-v3", "float16", 448);
    assert_int_equal(bytes(&b, "cache_full"), 73400320);
    assert_int_equal(bytes(&b, "cache_cross"), 245760000);
}
static void test_kv_dtype(void **state) {
    (void)state;
    tare_model *m = opened("meta-llama/Llama-2-70b-hf", "float16");
    tare_budget b = budget(m, (tare_budget_options){.context = 8192, .kv_dtype = "float8_e4m3fn"});
    assert_int_equal(b.cache, 1342177280);
    assert_int_equal(budget(m, (tare_budget_options){.context = 8192, .batch = 3, .kv_dtype = "fp32"}).cache, 16106127360);
    tare_model_free(m);
}

/* ---- layer by layer, as a planner asks ---- */

static const node *child_of(const node *m, const char *name) {
    for (const edge *e = m->children; e; e = e->next)
        if (e->name && !strcmp(e->name, name)) return e->to;
    fail_msg("no child %s", name);
    return NULL;
}
static const edge *layers_of(const tare_model *m) { return child_of(child_of(m->root, "model"), "layers")->children; }

static void test_layers(void **state) {
    (void)state;
    tare_model *m = opened(GEMMA ", \"sliding_window\": 4}", "bfloat16");
    budget_ask a = {.context = 17, .batch = 1, .kv = -1, .file = -1};
    const edge *run = layers_of(m);
    uint64_t sum = 0;
    assert_int_equal(run->count, 7); /* equal layers stay one body, though one of them keeps more */
    for (int64_t i = 0; i < 7; i++) {
        uint64_t own = budget_cache_below(run->to, i, &a);
        assert_int_equal(own, i == 5 ? 1088 : 192); /* 2 x (8 + 8) x 17 x 2, or x 3 x 2 */
        sum += own;
    }
    assert_int_equal(budget_cache_run(run->to, 0, 7, &a), sum);
    assert_int_equal(budget_cache_below(m->root, -1, &a), sum);
    assert_int_equal(budget_cache_below(child_of(run->to, "self_attn"), 5, &a), 1088);
    assert_true(budget_cache_varies(run->to));
    assert_false(budget_cache_varies(m->root)); /* the layers go by places in their own list */
    tare_model_free(m);
    m = opened(DEEPSEEK "}", "bfloat16");
    assert_false(budget_cache_varies(layers_of(m)->to));
    assert_int_equal(budget_cache_run(layers_of(m)->next->to, 1, 3, &a), 3 * 17 * 12 * 2);
    tare_model_free(m);
}

/* ---- a family with states of a recurrence ---- */

static void BudgetLayer(mod *m, const cfg *c) {
    linear(m, "proj", 4, 4, false);
    if (!strcmp(layer_text(m, c, "layer_types"), "linear_attention")) cache_state(m, 10, 100);
    else cache_keys(m, c, 2, 3);
}
static void BudgetModel(mod *m, const cfg *c) { list(m, "layers", count(c, "num_hidden_layers"), BudgetLayer, c); }
static const model_facts BudgetPreTrainedModel = {.config = "BudgetConfig"};
static const family budgeted = {
    .name = "budgeted",
    .configs = CONFIGS({.name = "BudgetConfig", .model_type = "budgeted"}),
    .models = MODELS({"BudgetModel", BudgetModel, .like = &BudgetPreTrainedModel}),
};
static const char budgeted_json[] =
    "{\"configs\": {\"BudgetConfig\": {\"model_type\": \"budgeted\", \"fields\": [[\"architectures\", \"any\", null], [\"dtype\", \"any\", null],"
    "[\"id2label\", \"any\", null], [\"label2id\", \"any\", null], [\"tie_word_embeddings\", \"bool\", false], [\"num_hidden_layers\", \"int\", 4],"
    "[\"layer_types\", \"list\", []]]}}, \"types\": {\"budgeted\": \"BudgetConfig\"}, \"auto\": {\"AutoModel\": {\"budgeted\": \"BudgetModel\"}}}";
/* Two recurrences of (10 x 2 + 100 x 4) bytes a sequence; one attention of 2 x (3 + 3) x 2 bytes a token; a layer without any. */
static void test_states(void **state) {
    (void)state;
    assert_null(tare_register_family(&budgeted, budgeted_json));
    tare_model *m = opened("{\"model_type\": \"budgeted\", \"layer_types\": [\"linear_attention\", \"full_attention\", \"linear_attention\", \"moe\"]}",
                           "bfloat16");
    tare_budget b = budget(m, (tare_budget_options){.context = 7, .batch = 3, .kv_dtype = "float32"});
    assert_int_equal(bytes(&b, "cache_state"), 2 * 420 * 3);
    assert_int_equal(bytes(&b, "cache_full"), 3 * 12 * 7 * 4);
    says(&b, "cache_state", "2 layers x (10 x 2 + 100 x 4) bytes x 3 sequences");
    assert_int_equal(b.token, 48);
    tare_model_free(m);
}

/* ---- training, loading, running ---- */

static void test_training(void **state) {
    (void)state;
    tare_model *m = opened("meta-llama/Llama-2-7b-hf", "bfloat16");
    tare_budget b = budget(m, (tare_budget_options){.optimizer = "adamw"});
    assert_int_equal(bytes(&b, "parameters"), 13476831232);
    assert_int_equal(bytes(&b, "gradients"), 13476831232);
    assert_int_equal(bytes(&b, "optimizer"), 26953663628); /* 291 steps of 4 bytes */
    assert_int_equal(bytes(&b, "buffers"), 512);
    assert_int_equal(b.total, 53907326604);
    assert_string_equal(b.optimizer, "torch.optim.AdamW");
    assert_int_equal(budget(m, (tare_budget_options){.context = 0}).total, 13476831744);
    tare_model_free(m);
    m = opened("gpt2", NULL); /* one table is both embedding and head */
    assert_int_equal(budget(m, (tare_budget_options){.optimizer = "sgd-momentum"}).total, 3 * 497759232ull);
    tare_model_free(m);
}
static void test_loading(void **state) {
    (void)state;
    tare_model *m = opened(LLAMA "}", "float32"); /* the largest tensor is 50 x 16 */
    tare_budget b = budget(m, (tare_budget_options){.file_dtype = "bf16"});
    assert_int_equal(bytes(&b, "loading"), 50 * 16 * 2);
    uint64_t at_rest = bytes(&b, "parameters") + bytes(&b, "buffers");
    assert_int_equal(b.total, at_rest + 1600);
    b = budget(m, (tare_budget_options){.file_dtype = "fp32"}); /* read straight into its place */
    assert_int_equal(bytes(&b, "loading"), 0);
    assert_int_equal(budget(m, (tare_budget_options){.context = 1, .file_dtype = "bf16"}).total, at_rest + 3 * 2 * 8 * 4 + 1600);
    b = budget(m, (tare_budget_options){.context = 1000, .activations = true, .file_dtype = "bf16"});
    assert_int_equal(b.total, at_rest + b.cache + bytes(&b, "activations") + bytes(&b, "logits")); /* more than loading, and never at once */
    tare_model_free(m);
    m = opened(MIXTRAL "}", "bfloat16"); /* experts are put together from the files' tensors: 2 x 48 x 16 of them */
    b = budget(m, (tare_budget_options){.file_dtype = "bf16"});
    assert_int_equal(bytes(&b, "loading"), 2 * 48 * 16 * 2);
    tare_model_free(m);
}
static void test_running(void **state) {
    (void)state;
    tare_model *m = opened(LLAMA "}", "float32");
    tare_budget b = budget(m, (tare_budget_options){.context = 10, .batch = 2, .activations = true});
    assert_int_equal(bytes(&b, "activations"), 10 * 2 * (16 + 24) * 4);
    assert_int_equal(bytes(&b, "logits"), 2 * 50 * 4); /* of the last tokens alone */
    assert_null(line_of(&b, "scores"));
    b = budget(m, (tare_budget_options){.context = 10, .logits = 10, .activations = true});
    says(&b, "logits", "10 tokens x 50 words x 4 bytes");
    tare_model_free(m);
    m = opened(BLOOM "}", "bfloat16"); /* has no attention but the eager one */
    b = budget(m, (tare_budget_options){.context = 10, .activations = true});
    assert_int_equal(bytes(&b, "scores"), 4 * 10 * 10 * 2);
    tare_model_free(m);
    m = opened(WHISPER "}", "float32"); /* the encoder's ten frames or the decoder's three tokens: 16 + 24 wide both */
    b = budget(m, (tare_budget_options){.context = 3, .activations = true});
    says(&b, "activations", "WhisperEncoderLayer: 10 tokens x (16 + 24) x 4 bytes");
    tare_model_free(m);
    m = opened("microsoft/resnet-101", NULL);
    b = budget(m, (tare_budget_options){.context = 3, .activations = true});
    says(&b, "activations", "no layer takes tokens");
    assert_null(line_of(&b, "logits"));
    tare_model_free(m);
}

/* ---- what goes wrong ---- */

static void refused(const tare_model *m, tare_budget_options o, const char *message) {
    tare_error err = {0};
    tare_budget b;
    assert_int_equal(tare_model_budget(m, &o, &b, &err), TARE_USAGE);
    assert_string_equal(err.code, "usage");
    assert_string_equal(err.message, message);
    assert_int_equal(tare_model_budget(m, &o, &b, NULL), TARE_USAGE);
}
static void test_usage(void **state) {
    (void)state;
    tare_model *m = opened(LLAMA "}", NULL);
    refused(m, (tare_budget_options){.optimizer = "adam"}, "\"adam\" is no optimizer that is known: adamw, sgd or sgd-momentum");
    refused(m, (tare_budget_options){.kv_dtype = "fp3"}, "\"fp3\" is no dtype that a cache can have: say float32, bfloat16, float8_e4m3fn, ...");
    refused(m, (tare_budget_options){.activations = true}, "activations need a context, a number of tokens");
    refused(m, (tare_budget_options){.activations = true, .context = 1, .optimizer = "sgd"},
            "activations are estimated for a forward pass alone, not for training");
    tare_model_free(m);
}
/* Sums that 64 bits do not hold stay at the most, and never come round. */
static void test_absurd(void **state) {
    (void)state;
    tare_model *m = opened("google/gemma-3-4b", NULL);
    uint64_t before = 0;
    for (int bit = 0; bit < 64; bit++) {
        tare_budget b = budget(m, (tare_budget_options){.context = (uint64_t)1 << bit, .batch = (uint64_t)1 << bit, .activations = true});
        assert_true(b.cache >= before && b.total >= b.cache);
        before = b.cache;
    }
    assert_true(before == UINT64_MAX);
    tare_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),    cmocka_unit_test(test_known),   cmocka_unit_test(test_gemma),   cmocka_unit_test(test_whisper),
        cmocka_unit_test(test_kv_dtype), cmocka_unit_test(test_layers),  cmocka_unit_test(test_states),  cmocka_unit_test(test_training),
        cmocka_unit_test(test_loading),  cmocka_unit_test(test_running), cmocka_unit_test(test_usage),   cmocka_unit_test(test_absurd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
