#ifndef TARE_LOAD_DTYPE_H
#define TARE_LOAD_DTYPE_H
#include "../files/checkpoint.h"
/* torch's name of the dtype that from_pretrained() takes where the config has none: the index's, else that of the first floating tensor
 * by name in the first file. NULL with err: upstream cannot tell either. */
const char *weights_dtype(const checkpoint *c, tare_error *err);
#endif
