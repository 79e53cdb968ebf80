/* A line of `tare scan`: split into its members by the command line's own reader, then built. */
#include "../../cli/lines.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    line in = {.text = (const char *)data, .n = n, .number = 1};
    out answer = {.fd = -1};
    tare_error err = {0};
    request r;
    if (request_read(&r, &in, &err)) {
        request_begin(&r, &answer);
        fuzz_model(r.config.text, r.config.n, r.class_name[0] ? r.class_name : NULL);
    } else {
        out_error(&answer, &err);
    }
    out_free(&answer);
    return 0;
}
