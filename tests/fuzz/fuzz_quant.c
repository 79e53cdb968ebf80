/* A config.json with a quantization_config: the tree that is prepared for it, or a refusal with its words. */
#include "fuzz.h"

static bool count(void *to, const char *data, size_t n) {
    (void)data;
    *(size_t *)to += n;
    return true;
}
static bool check_item(void *to, const tare_item *t) {
    uint64_t *items = to;
    fuzz_expect(t->kind != TARE_MODULE || t->class_name[0], "a module has a class");
    for (int i = 0; i < t->rank; i++) fuzz_expect(t->shape[i] >= 0, "no size is negative");
    return ++*items <= 200000;
}
static void check(const tare_model *m) {
    const tare_quantization *q = tare_model_quantization(m);
    size_t bytes = 0;
    uint64_t items = 0;
    for (size_t i = 0; q && i < q->warning_count; i++) fuzz_expect(q->warnings[i][0] != 0, "a warning has words");
    if (q) fuzz_expect(q->method[0] && q->replaced <= tare_model_modules(m), "no more modules are replaced than there are");
    if (tare_model_modules(m) > 5000) return;
    fuzz_expect(tare_model_write(m, TARE_TEXT_PRINT, count, &bytes, NULL) == TARE_OK && bytes, "a model prints");
    tare_model_walk(m, check_item, &items, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    tare_error err = {0};
    tare_open_options o = {.host = "gpu=none", .quantized = true, .dequantize = fuzz_choice(data, n, 8) == 0};
    tare_model *m = tare_model_parse((const char *)data, n, &o, &err);
    if (m) check(m);
    else fuzz_expect(err.status != TARE_OK && err.code[0] && err.message[0], "a refusal has its words");
    tare_model_free(m);
    return 0;
}
