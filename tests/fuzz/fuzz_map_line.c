/* A line of `tare map --batch`, in both modes: answered by the command line's own code, where its model is small; a best map is then held
 * against the model. */
#include "../../cli/lines.h"
#include "../../cli/map.h"
#include "fuzz.h"
#include <string.h>

enum { MOST_MODULES = 20000 };

static tare_model *model_of(const line *in) {
    request r;
    tare_error err = {0};
    if (!request_read(&r, in, &err)) return NULL;
    tare_open_options o = {.class_name = r.class_name[0] ? r.class_name : NULL, .dtype = r.dtype[0] ? r.dtype : NULL, .host = "gpu=none"};
    return tare_model_parse(r.config.text, r.config.n, &o, &err);
}
/* Every tensor has a device, for a disk without end is there. */
static void check_best(const tare_model *m, const char *answer) {
    static const char begin[] = ",\"map\":", end[] = ",\"loads\":";
    const char *map = strstr(answer, begin), *loads = map ? strstr(map, end) : NULL;
    const tare_fault *f;
    tare_error err = {0};
    if (!loads) return;
    map += sizeof begin - 1;
    tare_map_check *c = tare_map_check_open(m, map, (size_t)(loads - map), NULL, &err);
    fuzz_expect(c != NULL, "a best map can be read");
    for (size_t i = 0, n = tare_map_check_faults(c, &f); i < n; i++)
        fuzz_expect(f[i].kind != TARE_FAULT_NO_DEVICE && f[i].kind != TARE_FAULT_UNKNOWN, "a best map names all there is, and no more");
    tare_map_check_free(c);
}
static void ask(const tare_model *m, const line *in, bool accelerate) {
    map_wishes w = {.open = {.host = "gpu=none"}, .accelerate = accelerate};
    out answer = {.fd = -1};
    map_line(&w, in, &answer);
    fuzz_expect(answer.n > 7 && !memcmp(answer.data, "{\"id\":", 6) && answer.data[answer.n - 1] == '\n', "a line has its answer");
    fuzz_expect(!memchr(answer.data, '\n', answer.n - 1), "an answer is one line");
    out_put(&answer, "", 1);
    if (m && !accelerate) check_best(m, answer.data);
    out_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (!n) return 0;
    const uint8_t *end = memchr(data, '\n', n);
    line in = {.text = (const char *)data, .n = end ? (size_t)(end - data) : n, .number = 1};
    tare_model *m = model_of(&in);
    for (int accelerate = 0; accelerate < 2 && (!m || tare_model_modules(m) <= MOST_MODULES); accelerate++) ask(m, &in, accelerate);
    tare_model_free(m);
    return 0;
}
