/* A family of one's own, beside those that are built in. It is written as the files in src/models are. */
#include <stdio.h>
#include <string.h>
#include <tare.h>
#include <tare/build/def.h>

/* class TinyMixer(nn.Module): __init__(self, config) */
static void TinyMixer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    layernorm(m, "norm", d, num_f(1e-6));
    linear(m, "inner", d, 2 * d, true);
    act(m, "act", c, "hidden_act");
    linear(m, "outer", 2 * d, d, true);
}
static void TinyModel(mod *m, const cfg *c) {
    embedding(m, "tokens", dim(c, "vocab_size"), dim(c, "hidden_size"), NO_PAD);
    list(m, "mixers", count(c, "num_hidden_layers"), TinyMixer, c);
    param(m, "scale", ONES, dim(c, "hidden_size"));
}

static const model_facts TinyPreTrainedModel = {.config = "TinyConfig", .base_model_prefix = "tiny"};
static const family tiny = {
    .name = "tiny",
    .configs = CONFIGS({.name = "TinyConfig", .model_type = "tiny"}),
    .models = MODELS({"TinyModel", TinyModel, .like = &TinyPreTrainedModel}),
};

/* The fields of its config class, with their types and defaults. */
static const char tiny_json[] =
    "{\"configs\": {\"TinyConfig\": {\"model_type\": \"tiny\", \"fields\": ["
    "[\"architectures\", \"any\", null], [\"dtype\", \"any\", null], [\"is_encoder_decoder\", \"any\", false],"
    "[\"id2label\", \"any\", null], [\"label2id\", \"any\", null], [\"tie_word_embeddings\", \"bool\", false],"
    "[\"vocab_size\", \"int\", 256], [\"hidden_size\", \"int\", 32], [\"num_hidden_layers\", \"int\", 4], [\"hidden_act\", \"str\", \"gelu\"]]}},"
    " \"types\": {\"tiny\": \"TinyConfig\"}, \"auto\": {\"AutoModel\": {\"tiny\": \"TinyModel\"}}}";

static bool to_stdout(void *to, const char *data, size_t n) {
    (void)to;
    return fwrite(data, 1, n, stdout) == n;
}

int main(void) {
    const char *wrong = tare_register_family(&tiny, tiny_json);
    if (wrong) return fprintf(stderr, "%s\n", wrong), 1;

    tare_error err = {0};
    const char config[] = "{\"model_type\": \"tiny\", \"num_hidden_layers\": 3}";
    tare_model *m = tare_model_parse(config, strlen(config), NULL, &err);
    if (!m) return fprintf(stderr, "%s\n", err.message), 1;
    tare_status status = tare_model_write(m, TARE_TEXT_PRINT, to_stdout, NULL, &err);
    tare_model_free(m);
    return status != TARE_OK;
}
