/* Sixteen-bit floats. */
#include "half.h"
#include "../../include/tare.h"
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

float half_round(int dtype, float x) {
    if (dtype == TARE_BF16) return from_bf16(to_bf16(x));
    return dtype == TARE_F16 ? from_f16(to_f16(x)) : x;
}
double linspace_in(int dtype, double from, double to, int64_t n, int64_t i) {
    bool begin = i < n / 2;
    int64_t steps = begin ? i : n - 1 - i;
    if (n < 2 || !i) return dtype == TARE_F64 ? from : (double)half_round(dtype, (float)from);
    if (dtype == TARE_F64) {
        double by = (to - from) / (double)(n - 1);
        return begin ? fma(by, (double)steps, from) : fma(-by, (double)steps, to);
    }
    float a = half_round(dtype, (float)from), b = half_round(dtype, (float)to);
    float by = half_round(dtype, half_round(dtype, b - a) / half_round(dtype, (float)(n - 1)));
    float base = begin ? a : b, sign = begin ? 1 : -1;
    if (dtype == TARE_F32) return (double)fmaf(sign * by, (float)steps, base);
    return (double)half_round(dtype, base + sign * half_round(dtype, by * half_round(dtype, (float)steps)));
}
