/* Functions of float32 numbers with the bits that the reference's CPU kernels give on a machine with AVX-512: ports of their
 * arithmetic, with every fused step spelt out, so that they are equal on any machine. */
#ifndef TARE_INIT_VECMATH_H
#define TARE_INIT_VECMATH_H
#include <stddef.h>

/* What torch takes for float32 tensors. Whether the tensor is short or strided makes no difference. Sines and cosines of more
 * than 10000, and logarithms outside 2^-126 .. 2^126, are rounded from double precision: equal but for a few in a hundred. */
float vec_exp(float x);
float vec_sin(float x);
float vec_cos(float x);
float vec_log(float x);
/* What torch takes for the float32 in between of a bfloat16 or float16 tensor. */
float half_exp(float x);
float half_log(float x);
void half_sin(const float *x, float *y, size_t n); /* of a whole tensor in order: angles below 39000 */
void half_cos(const float *x, float *y, size_t n);
/* These are the same for both. Powers of the last n % 32 of a tensor's n elements are the C library's powf(). */
float vec_expm1(float x);
float vec_pow(float x, float y);
#endif
