#ifndef TARE_API_CHECKPOINT_H
#define TARE_API_CHECKPOINT_H
#include "handle.h"
#include "../files/checkpoint.h"
#include "../load/verdict.h"

struct tare_checkpoint {
    checkpoint *c;
    char *base;              /* the folder that config and weights are in */
    pthread_mutex_t lock;    /* of tensors, which is made when it is first asked for */
    tare_stored *tensors;    /* views for the public calls */
    tare_stored_file *files;
    tare_flaw *flaws;
};
/* A resolution of the checkpoint for this model, in the arena; NULL with err. */
resolution *resolution_of(arena *a, const tare_model *m, const tare_checkpoint *c, const tare_check_options *o, tare_error *err);
#endif
