/* A known model with some of its config changed, and where each value of the new config came from. */
#include <inttypes.h>
#include <stdio.h>
#include <tare.h>

static const char *origin(tare_origin from) {
    static const char *const words[] = {"config.json", "override", "alias", "default", "formula", "old spelling"};
    return words[from];
}

int main(void) {
    const char *const changes[] = {"num_hidden_layers=4", "hidden_size=1024", "num_attention_heads=16", "num_key_value_heads=16", NULL};
    tare_error err = {0};
    tare_model *m = tare_model_open("meta-llama/Llama-2-7b-hf", &(tare_open_options){.set = changes, .dtype = "bf16"}, &err);
    if (!m) return fprintf(stderr, "%s\n", err.message), 1;

    printf("%s: %" PRIu64 " parameters in %s\n", tare_model_class(m), tare_model_params(m), tare_dtype_torch(tare_model_dtype(m)));
    const tare_config_row *rows;
    size_t n = tare_config_rows(tare_model_config(m), &rows);
    for (size_t i = 0; i < n; i++)
        if (rows[i].origin == TARE_FROM_OVERRIDE || rows[i].origin == TARE_FROM_FORMULA)
            printf("%s = %s (%s)\n", rows[i].path, rows[i].value, rows[i].detail ? rows[i].detail : origin(rows[i].origin));
    tare_model_free(m);

    /* A change that cannot be is refused, with what is wrong. */
    const char *const wrong[] = {"num_attention_heads=7", NULL};
    m = tare_model_open("meta-llama/Llama-2-7b-hf", &(tare_open_options){.set = wrong}, &err);
    printf("%s at %s\n", m ? "taken" : err.code, err.path);
    tare_model_free(m);
    return 0;
}
