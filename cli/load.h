#ifndef TARE_CLI_LOAD_H
#define TARE_CLI_LOAD_H
#include "checkpoint.h"

typedef struct load_wishes {
    tare_load_options o;
    const char **only;
    out map;           /* the text of --device-map */
} load_wishes;
/* An exit status; load_wishes_free() either way. */
int load_wishes_read(const args *a, load_wishes *w);
void load_wishes_free(load_wishes *w);
#endif
