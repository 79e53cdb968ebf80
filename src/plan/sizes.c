#include "sizes.h"
#include "../core/pynum.h"
#include <string.h>

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static bool same_letters(const char *a, const char *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (lower(a[i]) != lower(b[i])) return false;
    return true;
}

/* ---- sizes ---- */

static const struct { const char *name; double bytes; } units[] = {
    {"GiB", 0x1p30}, {"MiB", 0x1p20}, {"KiB", 0x1p10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3},
};
const char *memory_read(const char *text, amount *out) {
    static const char shape[] = "is no size: say whole bytes, or a number with a unit like 5.0GB (KB, MB, GB, KiB, MiB, GiB)";
    size_t n = strlen(text);
    double d;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t k = strlen(units[i].name);
        if (n < k || !same_letters(text + n - k, units[i].name, k)) continue;
        if (!py_float(text, n - k, &d) || isnan(d)) return shape; /* no int comes of nan */
        d = trunc(d * units[i].bytes);
        if (isinf(d)) return "is infinite";
        if (k == 2 && text[n - 1] == 'b') d = floor(d / 8);
        if (d < 0) return "is negative";
        *out = (amount){d + 0.0, false};
        return NULL;
    }
    return shape;
}

static const struct { const char *name; double bytes; } dtypes[] = {
    {"bfloat16", 2}, {"float16", 2}, {"half", 2}, {"float32", 4}, {"float", 4}, {"float64", 8}, {"double", 8},
    {"int8", 1}, {"uint8", 1}, {"int16", 2}, {"short", 2}, {"uint16", 2}, {"int32", 4}, {"int", 4}, {"uint32", 4}, {"int64", 8},
    {"long", 8}, {"uint64", 8}, {"bool", 0.125}, {"custom:int2", 0.25}, {"custom:int4", 0.5}, {"custom:fp8", 1},
    {"float8_e4m3fn", 1}, {"float8_e4m3fnuz", 1}, {"float8_e5m2", 1}, {"float8_e5m2fnuz", 1}, {"float8_e8m0fnu", 1},
    {"complex32", 4}, {"chalf", 4}, {"complex64", 8}, {"cfloat", 8}, {"complex128", 16}, {"cdouble", 16},
    {"qint8", 1}, {"quint8", 1}, {"qint32", 4}, {"bits8", 1}, {"bits16", 2}, {"bits1x8", 1},
    /* less than a byte: the reference takes the digits that the name ends in for bits, and rounds down */
    {"bit", 0}, {"bits2x4", 0}, {"bits4x2", 0}, {"float4_e2m1fn_x2", 0}, {"quint2x4", 0}, {"quint4x2", 0},
    {"int1", 0}, {"int2", 0}, {"int3", 0}, {"int4", 0}, {"int5", 0}, {"int6", 0}, {"int7", 0},
    {"uint1", 0}, {"uint2", 0}, {"uint3", 0}, {"uint4", 0}, {"uint5", 0}, {"uint6", 0}, {"uint7", 0},
};
bool dtype_amount(const char *name, amount *out) {
    if (!strncmp(name, "torch.", 6)) name += 6;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (!strcmp(dtypes[i].name, name)) {
            *out = (amount){dtypes[i].bytes, dtypes[i].bytes > 0 && dtypes[i].bytes < 1};
            return true;
        }
    return false;
}
