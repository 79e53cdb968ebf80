/* Casts of elements, with the bits of torch's .to() on x86-64. */
#ifndef TARE_LOAD_CAST_H
#define TARE_LOAD_CAST_H
#include "../../include/tare.h"
#include "../init/lanes.h"
#include <stdbool.h>

/* Any dtype to itself, as its bytes are; those of at least eight bits to F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL. */
bool cast_exists(int from, int to);
/* n elements. `out` is aligned for its dtype, `in` may lie anywhere; they do not meet. past: written past the caches (lanes.h: stream);
 * then the last call is followed by l->fence(). */
void cast_run(const lanes *l, tare_dtype to, void *out, tare_dtype from, const void *in, size_t n, bool past);

/* What is not finite among n elements of a dtype; adds to what is there. */
void cast_odd(const lanes *l, tare_dtype dtype, const void *x, size_t n, uint64_t *nan, uint64_t *inf);
#endif
