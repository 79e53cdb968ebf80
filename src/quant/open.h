/* Which quantisation a model is prepared for: the config's own, or one that is asked for. */
#ifndef TARE_QUANT_OPEN_H
#define TARE_QUANT_OPEN_H
#include "../build/mod.h"

typedef struct quant quant;
typedef struct quant_wish {
    bool config;         /* what the config says */
    const char *asked;   /* "METHOD" or "METHOD:key=value,..."; NULL: none */
    bool dequantize;     /* what a loader holds that dequantises */
    bool loaded;         /* as files hold it, not as it is prepared for them */
} quant_wish;

/* NULL: nothing is to be done (*ok), or an error. The reference's warning about a method it does not know is in *unknown. */
quant *quant_open(session *s, cfg *c, const quant_wish *wish, const char **unknown, bool *ok);
int quant_dtype(quant *q, int dtype); /* that the model is to be built in */
preparation quant_preparation(quant *q);
/* The checkpoint with what is packed in it as floats, as far as the model wants it so; itself where it does not. It lives in the arena and
 * as long as `c`. One call at a time for one model. NULL with err. */
struct checkpoint;
const struct checkpoint *quant_unpacked(quant *q, arena *a, const struct checkpoint *c, tare_error *err);
bool quant_can_unpack(const quant *q); /* false: it should, and there is no way */
bool quant_dequantizes(const quant *q);
void quant_forget(quant *q);           /* what becomes floats has a config that says nothing of it any more */
const char *quant_name(const quant *q);
/* As descriptors say it, 1 and 0 where they do not; q may be NULL. */
double quant_share(const quant *q);
double quant_element(const quant *q);
void quant_describe(const quant *q, const node *root, tare_quantization *out); /* of a finished tree */
#endif
