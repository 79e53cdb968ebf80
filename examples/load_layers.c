/* A Llama, layer by layer, in memory for its largest part alone: load_layers DIR */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <tare.h>

/* Stands for whatever an engine does with a layer: the length of each of its weights as a vector. */
static double length(const float *x, const tare_item *t) {
    double sum = 0;
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->shape[i];
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static tare_status walk(const tare_model *m, tare_window *w, tare_error *err) {
    const tare_unit *units;
    size_t n = tare_window_units(w, &units);
    printf("%s: %zu parts, %" PRIu64 " bytes for the largest\n", tare_model_class(m), n, tare_window_bytes(w));
    for (size_t i = 0; i < n; i++) {
        tare_status status = tare_window_load(w, i, err);
        if (status != TARE_OK) return status;
        printf("%s\n", units[i].path);
        for (size_t k = units[i].first; k < units[i].first + units[i].n; k++) {
            tare_item held;
            const tare_item *t = tare_tensor_at(m, k);
            const float *x = tare_window_data(w, t, &held);
            printf("    %-48s %.4f\n", held.path, length(x, &held));
        }
    }
    return TARE_OK;
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: load_layers DIR\n"), 2;

    tare_error err = {0};
    tare_checkpoint *c = tare_checkpoint_open(argv[1], NULL, &err);
    tare_model *m = c ? tare_checkpoint_model(c, NULL, &(tare_open_options){.dtype = "float32"}, &err) : NULL;
    tare_window *w = m ? tare_window_open(m, c, NULL, &err) : NULL;
    tare_status status = w ? walk(m, w, &err) : err.status;
    if (status != TARE_OK) fprintf(stderr, "%s\n", err.message);
    tare_window_free(w);
    tare_model_free(m);
    tare_checkpoint_free(c);
    return status != TARE_OK;
}
