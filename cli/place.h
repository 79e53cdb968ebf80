/* What the files of tare map's own plan share: the one that keeps the order of the layers and cannot be bettered. */
#ifndef TARE_CLI_PLACE_H
#define TARE_CLI_PLACE_H
#include "budget.h"
#include "map.h"

typedef struct placing { /* one question: where do the parts of this model go? */
    const args *a;
    const tare_model *m;
    budget memory;
    const char *device, *max_memory;
    char *no_split_text;
    const char **no_split;
    tare_devices *places;
    tare_plan *g;
    tare_plan_verdict v;
} placing;
/* From the options; false: wrong usage, or an error, which was said. */
bool place_read(placing *p, const args *a, const tare_model *m);
/* Devices and plan made anew, as p's fields stand; false with err. */
bool place_make(placing *p, tare_error *err);
void place_free(placing *p);

const char *decimal_bytes(uint64_t bytes, char text[32]); /* "14.14 GB", by powers of ten */
void place_text(const placing *p);
void place_json(const placing *p);
int place_export(const placing *p, const char *format); /* an exit status */
/* Lines of options with each of which the model fits; every one was tried. */
void place_try(const placing *p);
int place_most(placing *p, const char *of);             /* --max context, --max batch */
int place_check(const placing *p, const char *file);    /* --verify-map */
#endif
