/* From a config.json to the model: its class, its size, and print(model).
 *     build_from_file presets/openai-community--gpt2.json */
#include <inttypes.h>
#include <stdio.h>
#include <tare.h>

static bool to_stdout(void *to, const char *data, size_t n) {
    (void)to;
    return fwrite(data, 1, n, stdout) == n;
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: build_from_file CONFIG\n"), 2;

    tare_error err = {0};
    tare_model *m = tare_model_open(argv[1], NULL, &err);
    if (!m) return fprintf(stderr, "%s\n", err.message), 1;

    printf("%s, %s: %" PRIu64 " parameters\n", tare_model_class(m), tare_dtype_torch(tare_model_dtype(m)), tare_model_params(m));
    tare_status status = tare_model_write(m, TARE_TEXT_PRINT, to_stdout, NULL, &err);
    if (status != TARE_OK) fprintf(stderr, "%s\n", err.message);
    tare_model_free(m);
    return status != TARE_OK;
}
