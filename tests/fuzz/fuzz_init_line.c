/* A line of `tare init --batch`: answered by the command line's own code, where its model is small. */
#include "../../cli/init.h"
#include "fuzz.h"
#include <string.h>

static bool is_small(const line *in) {
    request r;
    tare_error err = {0};
    if (!request_read(&r, in, &err)) return true;
    bool plain = !r.dtype[0] || !strcmp(r.dtype, "float32");
    tare_open_options o = {.class_name = r.class_name[0] ? r.class_name : NULL, .dtype = plain ? NULL : r.dtype, .plain = plain, .host = "gpu=none"};
    tare_model *m = tare_model_parse(r.config.text, r.config.n, &o, &err);
    bool small = !m || fuzz_small(m);
    tare_model_free(m);
    return small;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (!n) return 0;
    const uint8_t *end = memchr(data, '\n', n);
    line in = {.text = (const char *)data, .n = end ? (size_t)(end - data) : n, .number = 1};
    init_wishes w = {.open = {.host = "gpu=none"}, .init = {.rng = fuzz_choice(data, n, 2) ? TARE_RNG_PHILOX : TARE_RNG_TORCH, .threads = 1}};
    out answer = {.fd = -1};
    if (is_small(&in)) {
        init_line(&w, &in, &answer);
        fuzz_expect(answer.n > 7 && !memcmp(answer.data, "{\"id\":", 6) && answer.data[answer.n - 1] == '\n', "a line has its answer");
        fuzz_expect(!memchr(answer.data, '\n', answer.n - 1), "an answer is one line");
    }
    out_free(&answer);
    return 0;
}
