/* bfloat16 and float16 from float32, rounded to the nearest, ties to even; and back. */
#ifndef TARE_INIT_HALF_H
#define TARE_INIT_HALF_H
#include <stdint.h>

uint16_t to_bf16(float x);
float from_bf16(uint16_t h);
uint16_t to_f16(float x);
float from_f16(uint16_t h);
#endif
