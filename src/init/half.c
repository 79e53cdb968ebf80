/* Sixteen-bit floats. */
#include "half.h"
#include <math.h>
#include <string.h>

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
uint16_t to_bf16(float x) {
    uint32_t bits = bits_of(x);
    return isnan(x) ? 0x7fc0 : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
float from_bf16(uint16_t h) {
    uint32_t bits = (uint32_t)h << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
uint16_t to_f16(float x) {
    uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (size >= 0x477ff000) return (uint16_t)(sign | 0x7c00);                     /* from 65520 on */
    if (size < 0x38800000) return (uint16_t)(sign | (uint32_t)rintf(fabsf(x) * 0x1p24f)); /* below 2^-14 */
    return (uint16_t)(sign | (size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13);
}
float from_f16(uint16_t h) {
    int exponent = h >> 10 & 31, mantissa = h & 0x3ff;
    float size = exponent == 31 ? (mantissa ? NAN : INFINITY)
                 : exponent     ? ldexpf((float)(mantissa | 0x400), exponent - 25)
                                : ldexpf((float)mantissa, -24);
    return h & 0x8000 ? -size : size;
}
