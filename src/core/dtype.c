#include "../../include/tare.h"

static const struct { const char *name, *torch; size_t bytes; } dtypes[TARE_DTYPE_COUNT] = {
    [TARE_F32] = {"F32", "float32", 4},         [TARE_F16] = {"F16", "float16", 2},
    [TARE_BF16] = {"BF16", "bfloat16", 2},      [TARE_F64] = {"F64", "float64", 8},
    [TARE_I64] = {"I64", "int64", 8},           [TARE_I32] = {"I32", "int32", 4},
    [TARE_I16] = {"I16", "int16", 2},           [TARE_I8] = {"I8", "int8", 1},
    [TARE_U8] = {"U8", "uint8", 1},             [TARE_BOOL] = {"BOOL", "bool", 1},
    [TARE_C64] = {"C64", "complex64", 8},       [TARE_F8_E4M3] = {"F8_E4M3", "float8_e4m3fn", 1},
    [TARE_F8_E5M2] = {"F8_E5M2", "float8_e5m2", 1},
};
const char *tare_dtype_name(tare_dtype d) { return (unsigned)d < TARE_DTYPE_COUNT ? dtypes[d].name : "?"; }
const char *tare_dtype_torch(tare_dtype d) { return (unsigned)d < TARE_DTYPE_COUNT ? dtypes[d].torch : "?"; }
size_t tare_dtype_bytes(tare_dtype d) { return (unsigned)d < TARE_DTYPE_COUNT ? dtypes[d].bytes : 0; }
const char *tare_version(void) { return TARE_VERSION; }
const char *tare_reference(void) { return "transformers 5.23.0, accelerate 1.15.0, torch 2.13.0"; }
