#ifndef TARE_LOAD_SLICE_H
#define TARE_LOAD_SLICE_H
#include "../files/ops.h"
/* The part of a value that a slice takes; false: the slice is none of it. */
bool value_slice(arena *a, const value *whole, const tare_slice *s, value *out);
bool slice_fits(int rank, const int64_t *shape, const tare_slice *s);
#endif
