/* What the files of torch.nn's layers share. Not part of def.h. */
#ifndef TARE_BUILD_NN_INNER_H
#define TARE_BUILD_NN_INNER_H
#include "def.h"
#include "mod.h"
#include <inttypes.h>

static inline const char *py_bool(bool b) { return b ? "True" : "False"; }

/* init.kaiming_uniform_(weight, a=sqrt(5)) and the uniform bias that goes with it, as Linear and the convolutions draw them. */
static inline made drawn_weight(double fan_in) { return (made){.op = MADE_KAIMING_UNIFORM, .a = sqrt(5.0), .b = fan_in}; }
static inline made drawn_evenly(double bound) { return UNIFORM(-bound, bound); }
#endif
