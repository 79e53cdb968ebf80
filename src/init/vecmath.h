/* Functions of float32 numbers with the bits that the reference's CPU kernels give: ports of their arithmetic, with every fused
 * step spelt out, so that they are equal on any machine. */
#ifndef TARE_INIT_VECMATH_H
#define TARE_INIT_VECMATH_H
#include <stddef.h>

/* What torch takes for float32 tensors: MKL, which looks at the processor; here as on those of other makers than Intel (on Intel's,
 * exp and log differ). Equal for every float32, but for sines and cosines above 10000, which are rounded from double precision:
 * one in a hundred differs. */
float vec_exp(float x);
float vec_sin(float x);
float vec_cos(float x);
float vec_log(float x);
float vec_sqrt(float x); /* MKL begins with an estimate of the processor; Intel's is to 2^-13, and some last bits differ */
/* What torch takes for the float32 in between of a bfloat16 or float16 tensor. */
float half_exp(float x);
float half_log(float x);
void half_sin(const float *x, float *y, size_t n); /* of a whole tensor in order: angles below 39000 */
void half_cos(const float *x, float *y, size_t n);
/* These are the same for both. Powers of the last n % 32 of a tensor's n elements are the C library's powf() instead; those that
 * are smaller than normal numbers may be off by their last bit. */
float vec_pow(float x, float y);
float vec_expm1(float x);
#endif
