/* What all ways of making fresh weights share. */
#ifndef TARE_API_FILLING_H
#define TARE_API_FILLING_H
#include "handle.h"
#include "../init/run.h"

typedef struct filling {
    const tare_model *m;
    const init_plan *plan;
    const tare_item *items;
    tare_init_options o;
    uint64_t made, all;     /* bytes */
    tare_error err;
    bool cancelled;
    bool within;            /* progress is asked within large draws too: nobody else calls it meanwhile */
} filling;

bool fill_begin(filling *f, const tare_model *m, const tare_init_options *o); /* false: f->err says why, here and below */
bool fill_all(filling *f, const init_out *out);
init_how run_how(filling *f);                         /* f stays where it is */
bool fill_ended(filling *f, bool ok);                  /* what the end of a run means, when it was cancelled */
/* Room for every tensor; sparse: more of it than there is memory, perhaps, for not all is ever written. */
struct tare_weights *weights_for(filling *f, bool sparse);
bool tell(filling *f, uint64_t bytes);                 /* progress; false: the caller cancelled */
uint64_t slot_bytes(const filling *f, size_t slot);
bool refused(bool ok, const filling *f, tare_error *err); /* hands the error on; !ok */
#endif
