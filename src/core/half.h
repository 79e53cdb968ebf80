/* bfloat16 and float16 from float32, rounded to the nearest, ties to even; and back; and what steps of them make. */
#ifndef TARE_CORE_HALF_H
#define TARE_CORE_HALF_H
#include <stdint.h>

uint16_t to_bf16(float x);
float from_bf16(uint16_t h);
uint16_t to_f16(float x);
float from_f16(uint16_t h);
/* torch.linspace(from, to, n)[i] of a float dtype; sixteen-bit floats are rounded after every step. */
double linspace_in(int dtype, double from, double to, int64_t n, int64_t i);
float half_round(int dtype, float x); /* x as it is kept in that dtype */
#endif
