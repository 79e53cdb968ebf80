#include "../../include/tare.h"

static const struct { const char *name, *torch; size_t bits; } dtypes[TARE_DTYPE_COUNT] = {
    [TARE_F32] = {"F32", "float32", 32},         [TARE_F16] = {"F16", "float16", 16},
    [TARE_BF16] = {"BF16", "bfloat16", 16},      [TARE_F64] = {"F64", "float64", 64},
    [TARE_I64] = {"I64", "int64", 64},           [TARE_I32] = {"I32", "int32", 32},
    [TARE_I16] = {"I16", "int16", 16},           [TARE_I8] = {"I8", "int8", 8},
    [TARE_U8] = {"U8", "uint8", 8},              [TARE_BOOL] = {"BOOL", "bool", 8},
    [TARE_C64] = {"C64", "complex64", 64},       [TARE_F8_E4M3] = {"F8_E4M3", "float8_e4m3fn", 8},
    [TARE_F8_E5M2] = {"F8_E5M2", "float8_e5m2", 8},
    [TARE_U16] = {"U16", "uint16", 16},          [TARE_U32] = {"U32", "uint32", 32},
    [TARE_U64] = {"U64", "uint64", 64},          [TARE_F8_E8M0] = {"F8_E8M0", "float8_e8m0fnu", 8},
    [TARE_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", "float8_e4m3fnuz", 8},
    [TARE_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", "float8_e5m2fnuz", 8},
    [TARE_F6_E2M3] = {"F6_E2M3", "F6_E2M3", 6},  [TARE_F6_E3M2] = {"F6_E3M2", "F6_E3M2", 6},
    [TARE_F4] = {"F4", "float4_e2m1fn_x2", 4},
};
const char *tare_dtype_name(tare_dtype d) { return (unsigned)d < TARE_DTYPE_COUNT ? dtypes[d].name : "?"; }
const char *tare_dtype_torch(tare_dtype d) { return (unsigned)d < TARE_DTYPE_COUNT ? dtypes[d].torch : "?"; }
size_t tare_dtype_bits(tare_dtype d) { return (unsigned)d < TARE_DTYPE_COUNT ? dtypes[d].bits : 0; }
size_t tare_dtype_bytes(tare_dtype d) { return tare_dtype_bits(d) / 8; }
const char *tare_version(void) { return TARE_VERSION; }
const char *tare_reference(void) { return "transformers 5.23.0, accelerate 1.15.0, torch 2.13.0"; }
