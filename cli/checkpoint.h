/* What check, load and materialise share: a checkpoint, the model it is held against, what is allowed. */
#ifndef TARE_CLI_CHECKPOINT_H
#define TARE_CLI_CHECKPOINT_H
#include "cli.h"

typedef struct source {
    tare_checkpoint *c;
    tare_model *m;
} source;
/* False: said, and *status set. source_close() either way. */
bool source_open(source *s, const args *a, int *status);
void source_close(source *s);
/* --allow, --like, prefixes, --data; an exit status. */
int check_options_read(const args *a, tare_check_options *o);
#endif
