#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>

/* Large trees are built but not written: their texts take seconds and teach nothing new. */
enum { LARGE = 5000 };

static bool count_bytes(void *to, const char *data, size_t n) {
    (void)data;
    *(size_t *)to += n;
    return true;
}
static bool count_tensors(void *to, const tare_item *item) {
    *(size_t *)to += item->kind != TARE_MODULE;
    return true;
}
static void expect(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static void ask_memory(const tare_model *m) {
    tare_budget small, large;
    tare_error err = {0};
    tare_budget_options o = {.context = 3, .activations = true, .file_dtype = "bfloat16"};
    expect(tare_model_budget(m, &o, &small, &err) == TARE_OK, "a budget is counted");
    o.context = o.batch = o.source = UINT64_MAX / 3;
    expect(tare_model_budget(m, &o, &large, &err) == TARE_OK, "an absurd one too");
    expect(small.cache <= large.cache && large.cache <= large.total && small.total <= large.total, "more tokens never need less");
}
static void ask(const tare_model *m) {
    size_t bytes = 0, tensors = 0;
    tare_counts counts;
    const tare_attn_row *attn;
    const tare_config_row *rows;
    tare_error err = {0};
    for (tare_text what = TARE_TEXT_PRINT; what <= TARE_TEXT_CONFIG; what++) {
        bytes = 0;
        expect(tare_model_write(m, what, count_bytes, &bytes, &err) == TARE_OK && bytes > 0, "every text is written");
    }
    for (tare_text what = TARE_TEXT_SAVED_CONFIG; what <= TARE_TEXT_SAVED_GENERATION; what++) {
        tare_status status = tare_model_write(m, what, count_bytes, &bytes, &err);
        expect(status == TARE_OK || (status == TARE_BAD && err.code[0] && err.message[0]), "a file is written, or a refusal has its words");
        err = (tare_error){0};
    }
    expect(tare_model_walk(m, count_tensors, &tensors, &err) == TARE_OK, "a walk reaches the end");
    expect(tare_tensor_count(m) == tensors, "as many tensors by index as on the walk");
    for (size_t i = 0; i < tensors; i += 97) expect(tare_tensor_find(m, tare_tensor_at(m, i)->path) != NULL, "a listed tensor is found");
    tare_model_count(m, &counts);
    expect(counts.tensors == tensors && counts.total == tare_model_params(m), "counts agree");
    ask_memory(m);
    tare_model_attn(m, &attn);
    tare_config_rows(tare_model_config(m), &rows);
}

void fuzz_model(const char *json, size_t n, const char *class_name) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, n, &(tare_open_options){.class_name = class_name, .host = "gpu=none"}, &err);
    if (m && tare_model_modules(m) <= LARGE) ask(m);
    if (!m) expect(err.status >= TARE_NO && err.code[0] && err.message[0], "a refusal has its words");
    tare_model_free(m);
}

size_t fuzz_choice(const uint8_t *data, size_t n, size_t choices) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ data[i]) * 16777619u;
    return (h >> 7) % choices;
}
