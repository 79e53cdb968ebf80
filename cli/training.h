/* What a step of training keeps in memory besides activations: parameters, gradients, the states of the optimizer, buffers. */
#ifndef TARE_CLI_TRAINING_H
#define TARE_CLI_TRAINING_H
#include "cli.h"

typedef struct optimizer optimizer;
const optimizer *optimizer_find(const char *name); /* "adamw", "sgd", "sgd-momentum"; NULL: said to be unknown */

typedef struct training { /* bytes */
    const optimizer *optimizer;
    uint64_t parameters, gradients, states, buffers, total;
} training;
bool training_of(training *t, const tare_model *m, const optimizer *o, tare_error *err);
void training_text(out *o, const training *t);
void training_json(out *o, const training *t); /* the object */
#endif
