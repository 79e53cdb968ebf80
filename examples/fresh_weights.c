/* Fresh weights in memory, ready to be trained, then saved: fresh_weights CONFIG [FOLDER] */
#include <inttypes.h>
#include <stdio.h>
#include <tare.h>

int main(int argc, char **argv) {
    if (argc != 2 && argc != 3) return fprintf(stderr, "usage: fresh_weights CONFIG [FOLDER]\n"), 2;

    tare_error err = {0};
    tare_model *m = tare_model_open(argv[1], &(tare_open_options){.plain = true}, &err); /* as Model(config) */
    tare_weights *w = m ? tare_init(m, &(tare_init_options){.seed = 0}, &err) : NULL;
    if (!w) return fprintf(stderr, "%s\n", err.message), tare_model_free(m), 1;

    const tare_item *t = tare_tensor_at(m, 0);
    const float *values = tare_weights_data(w, t);
    printf("%s: %" PRIu64 " bytes\n%s begins %g %g %g\n", tare_model_class(m), tare_weights_bytes(w), t->path, (double)values[0],
           (double)values[1], (double)values[2]);

    tare_status status = argc == 3 ? tare_save(m, w, argv[2], NULL, &err) : TARE_OK;
    if (status != TARE_OK) fprintf(stderr, "%s\n", err.message);
    tare_weights_free(w);
    tare_model_free(m);
    return status != TARE_OK;
}
