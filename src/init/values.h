/* Random words become elements of a tensor, the same way whichever generator they are from. */
#ifndef TARE_INIT_VALUES_H
#define TARE_INIT_VALUES_H
#include "draw.h"

/* A tensor of that size is written past the caches, which cannot hold it. */
bool values_large(tare_dtype dtype, uint64_t n, const void *to);
/* MT19937's words, straight from the recurrence: one word, one element, F32, BF16 or F16. Normals are made of 16 at a time, so
 * that n is a multiple of 16. `to` may be where the words are, unless it is large. */
void values_make(const lanes *l, const draw *d, const uint32_t *raw, size_t n, void *to, bool large);
/* The floats of a draw, whatever its dtype, from words that are ready. */
void values_floats(const lanes *l, const draw *d, const uint32_t *words, size_t n, float *out);
void values_store(const lanes *l, tare_dtype dtype, const float *in, size_t n, void *to, bool large);
/* To the dtype by way of float, as torch casts, or as they are. */
void values_cast(const lanes *l, tare_dtype dtype, const double *in, size_t n, void *to);
/* What a double is in the dtype. */
double values_round(const lanes *l, tare_dtype dtype, double value);
double values_get(const lanes *l, tare_dtype dtype, const void *x, size_t i);
/* How many of x are below lo or above hi, which are values of the dtype. */
size_t values_outside(const lanes *l, tare_dtype dtype, const void *x, size_t n, double lo, double hi);
/* Those of x that are outside become those of `fresh`. */
void values_patch(const lanes *l, tare_dtype dtype, void *x, const void *fresh, size_t n, double lo, double hi);
/* How likely a normal of d is between lo and hi. */
double values_inside(const draw *d, double lo, double hi);
#endif
