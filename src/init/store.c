/* Elements of tensors. */
#include "store.h"
#include "../../include/tare.h"
#include "../core/half.h"
#include <math.h>

bool is_float(int dtype) { return dtype == TARE_F32 || dtype == TARE_BF16 || dtype == TARE_F16 || dtype == TARE_F64; }
bool can_store(int dtype) {
    bool is_whole = dtype == TARE_I64 || dtype == TARE_I32 || dtype == TARE_I16 || dtype == TARE_I8 || dtype == TARE_U8;
    return is_float(dtype) || is_whole || dtype == TARE_BOOL;
}
/* A number that does not fit is no number that a definition means: the nearest bound stands in. */
static int64_t whole(double x, double least, double most) { return (int64_t)(x >= least ? x <= most ? x : most : least); }

void store(void *dst, int64_t i, int dtype, double x) {
    switch (dtype) {
    case TARE_F32: ((float *)dst)[i] = (float)x; break;
    case TARE_BF16: ((uint16_t *)dst)[i] = to_bf16((float)x); break;
    case TARE_F16: ((uint16_t *)dst)[i] = to_f16((float)x); break;
    case TARE_F64: ((double *)dst)[i] = x; break;
    case TARE_I64: ((int64_t *)dst)[i] = whole(x, -0x1p63, 0x1.fffffffffffffp62); break;
    case TARE_I32: ((int32_t *)dst)[i] = (int32_t)whole(x, INT32_MIN, INT32_MAX); break;
    case TARE_I16: ((int16_t *)dst)[i] = (int16_t)whole(x, INT16_MIN, INT16_MAX); break;
    case TARE_I8: ((int8_t *)dst)[i] = (int8_t)whole(x, INT8_MIN, INT8_MAX); break;
    case TARE_U8: ((uint8_t *)dst)[i] = (uint8_t)whole(x, 0, UINT8_MAX); break;
    default: ((uint8_t *)dst)[i] = x != 0; break; /* BOOL */
    }
}
float load(const void *src, int64_t i, int dtype) {
    switch (dtype) {
    case TARE_F32: return ((const float *)src)[i];
    case TARE_BF16: return from_bf16(((const uint16_t *)src)[i]);
    case TARE_F16: return from_f16(((const uint16_t *)src)[i]);
    default: return (float)((const double *)src)[i];
    }
}
