/* Casting by way of one of four wide types, in pieces that stay in the first cache. torch goes the same ways: sixteen bits by float32, also
 * from whole numbers and from float64; whole numbers from floats by 32 bits, 64 for I64 and U8, of which the low ones are kept.
 *
 * Where torch's own bits depend on the place in a tensor (the last few elements go another way than whole vectors do), these are those of
 * whole vectors: a NaN of F16 in F32 keeps its bits, and one of F64 in BF16 is 0xffff. */
#include "cast.h"
#include <string.h>

enum { PIECE = 1024 };

static bool is_wide_float(tare_dtype d) { return d == TARE_F32 || d == TARE_F64 || d == TARE_F16 || d == TARE_BF16; }
static bool is_whole(tare_dtype d) {
    return d == TARE_I64 || d == TARE_I32 || d == TARE_I16 || d == TARE_I8 || d == TARE_U8 || d == TARE_BOOL;
}
bool cast_exists(int from, int to) {
    if (from < 0 || from >= TARE_DTYPE_COUNT || to < 0 || to >= TARE_DTYPE_COUNT) return false;
    return from == to || (tare_dtype_bytes((tare_dtype)from) && (is_wide_float((tare_dtype)to) || is_whole((tare_dtype)to)));
}

/* ---- to a wide type ---- */

typedef union wide { /* a piece of it */
    _Alignas(64) float f[PIECE];
    double d[PIECE];
    int64_t i[PIECE];
    uint64_t u[PIECE];
} wide;
typedef enum width { AS_F32, AS_F64, AS_I64, AS_U64 } width;

static width width_of(tare_dtype from) {
    if (from == TARE_F64) return AS_F64;
    if (from == TARE_U64) return AS_U64;
    return is_whole(from) || from == TARE_U16 || from == TARE_U32 ? AS_I64 : AS_F32;
}

/* torch's own NaNs of these. */
static const f8_kind e4m3 = {20, 0x1p120f, 0x7f, 0x7f, 0x7ff00000}, e4m3fnuz = {20, 0x1p119f, 0xff, 0x80, 0x7f800001},
                     e5m2fnuz = {21, 0x1p111f, 0xff, 0x80, 0x7f800001};

/* F16 with its lower half cut off. */
static void of_e5m2(const lanes *l, float *out, const uint8_t *in, size_t n) {
    uint16_t h[PIECE];
    for (size_t i = 0; i < n; i++) h[i] = (uint16_t)(in[i] << 8);
    l->of_f16(out, h, n);
}
/* An exponent and nothing else. */
static void of_e8m0(float *out, const uint8_t *in, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = in[i] == 0xff ? 0x7f800001u : in[i] ? (uint32_t)in[i] << 23 : 0x00400000u;
        memcpy(&out[i], &bits, sizeof bits);
    }
}
static void real_parts(float *out, const float *in, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = in[2 * i];
}

/* Of those that are floats when they are wide. */
static void floats_of(const lanes *l, float *out, tare_dtype from, const void *in, size_t n) {
    switch (from) {
    case TARE_F16: l->of_f16(out, in, n); break;
    case TARE_BF16: l->of_bf16(out, in, n); break;
    case TARE_C64: real_parts(out, in, n); break;
    case TARE_F8_E4M3: l->of_f8(out, in, n, &e4m3); break;
    case TARE_F8_E4M3FNUZ: l->of_f8(out, in, n, &e4m3fnuz); break;
    case TARE_F8_E5M2FNUZ: l->of_f8(out, in, n, &e5m2fnuz); break;
    case TARE_F8_E5M2: of_e5m2(l, out, in, n); break;
    case TARE_F8_E8M0: of_e8m0(out, in, n); break;
    default: memcpy(out, in, n * sizeof(float));
    }
}

#define WIDEN(type) \
    for (size_t i = 0; i < n; i++) w->i[i] = (int64_t)((const type *)in)[i]
static void widen(const lanes *l, wide *w, tare_dtype from, const void *in, size_t n) {
    const uint8_t *bytes = in;
    if (width_of(from) == AS_F32) {
        floats_of(l, w->f, from, in, n);
        return;
    }
    switch (from) {
    case TARE_F64: case TARE_I64: case TARE_U64: memcpy(w->d, in, n * sizeof(double)); break;
    case TARE_I32: WIDEN(int32_t); break;
    case TARE_I16: WIDEN(int16_t); break;
    case TARE_I8: WIDEN(int8_t); break;
    case TARE_U8: WIDEN(uint8_t); break;
    case TARE_U16: WIDEN(uint16_t); break;
    case TARE_U32: WIDEN(uint32_t); break;
    default: /* BOOL */
        for (size_t i = 0; i < n; i++) w->i[i] = bytes[i] != 0;
    }
}

/* ---- from floats to whole numbers ---- */

/* What does not fit, and NaN, is the least number, as x86's instructions have it. */
static inline int32_t whole_32(double x) { return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN; }
static inline int64_t whole_64(double x) { return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN; }

#define EACH(type, value) \
    for (size_t i = 0; i < n; i++) ((type *)out)[i] = (type)(value)
static void whole_of_f32(tare_dtype to, void *out, const float *in, size_t n) {
    switch (to) {
    case TARE_I64: EACH(int64_t, whole_64((double)in[i])); break;
    case TARE_I32: EACH(int32_t, whole_32((double)in[i])); break;
    case TARE_I16: EACH(int16_t, whole_32((double)in[i])); break;
    case TARE_I8: EACH(int8_t, whole_32((double)in[i])); break;
    case TARE_U8: EACH(uint8_t, whole_64((double)in[i])); break;
    default: EACH(uint8_t, in[i] != 0); break;
    }
}
static void whole_of_f64(tare_dtype to, void *out, const double *in, size_t n) {
    switch (to) {
    case TARE_I64: EACH(int64_t, whole_64(in[i])); break;
    case TARE_I32: EACH(int32_t, whole_32(in[i])); break;
    case TARE_I16: EACH(int16_t, whole_32(in[i])); break;
    case TARE_I8: EACH(int8_t, whole_32(in[i])); break;
    case TARE_U8: EACH(uint8_t, whole_64(in[i])); break;
    default: EACH(uint8_t, in[i] != 0); break;
    }
}
static void whole_of_whole(tare_dtype to, void *out, const int64_t *in, size_t n) {
    switch (to) {
    case TARE_I64: memcpy(out, in, n * sizeof *in); break;
    case TARE_I32: EACH(int32_t, in[i]); break;
    case TARE_I16: EACH(int16_t, in[i]); break;
    case TARE_I8: EACH(int8_t, in[i]); break;
    case TARE_U8: EACH(uint8_t, in[i]); break;
    default: EACH(uint8_t, in[i] != 0); break;
    }
}

/* ---- from a wide type ---- */

static void float_of_f32(const lanes *l, tare_dtype to, void *out, tare_dtype from, const float *in, size_t n) {
    if (to == TARE_F32) memcpy(out, in, n * sizeof *in);
    else if (to == TARE_F16) l->f16(out, in, n);
    else if (to == TARE_F64) EACH(double, in[i]);
    else if (from == TARE_F32 || from == TARE_F64) l->bf16_of_f32(out, in, n);
    else l->bf16(out, in, n);
}
static void float_of_wide(const lanes *l, tare_dtype to, void *out, tare_dtype from, const wide *w, size_t n) {
    float f[PIECE];
    width as = width_of(from);
    if (to == TARE_F64 && as == AS_F64) {
        memcpy(out, w->d, n * sizeof *w->d);
    } else if (to == TARE_F64) {
        if (as == AS_U64) EACH(double, w->u[i]);
        else EACH(double, w->i[i]);
    } else {
        if (as == AS_F64) for (size_t i = 0; i < n; i++) f[i] = (float)w->d[i];
        else if (as == AS_U64) for (size_t i = 0; i < n; i++) f[i] = (float)w->u[i];
        else for (size_t i = 0; i < n; i++) f[i] = (float)w->i[i];
        float_of_f32(l, to, out, from, f, n);
    }
}
/* NaN of these is 0 as a whole number, which is what torch's compiler made of it. */
static bool drops_nan(tare_dtype from) { return from == TARE_F8_E8M0 || from == TARE_F8_E4M3FNUZ || from == TARE_F8_E5M2FNUZ; }
static void drop_nan(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = x[i] == x[i] ? x[i] : 0;
}
static void narrow(const lanes *l, tare_dtype to, void *out, tare_dtype from, wide *w, size_t n) {
    width as = width_of(from);
    if (drops_nan(from) && is_whole(to) && to != TARE_BOOL) drop_nan(w->f, n);
    if (!is_whole(to)) {
        if (as == AS_F32) float_of_f32(l, to, out, from, w->f, n);
        else float_of_wide(l, to, out, from, w, n);
    } else if (as == AS_F32) whole_of_f32(to, out, w->f, n);
    else if (as == AS_F64) whole_of_f64(to, out, w->d, n);
    else whole_of_whole(to, out, w->i, n);
}

/* A complex number is true where either part is. */
static void truth_of_complex(uint8_t *out, const float *in, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = in[2 * i] != 0 || in[2 * i + 1] != 0;
}

/* n <= PIECE; both aligned. */
static void cast_piece(const lanes *l, tare_dtype to, void *out, tare_dtype from, const void *in, size_t n) {
    wide w;
    if (to == TARE_F32 && width_of(from) == AS_F32) floats_of(l, out, from, in, n);
    else if (from == TARE_F32 && !is_whole(to)) float_of_f32(l, to, out, from, in, n);
    else if (from == TARE_C64 && to == TARE_BOOL) truth_of_complex(out, in, n);
    else {
        widen(l, &w, from, in, n);
        narrow(l, to, out, from, &w, n);
    }
}

static void copy(const lanes *l, void *out, const void *in, size_t bytes, bool past) {
    if (past) l->stream(out, in, bytes);
    else memcpy(out, in, bytes);
}
void cast_run(const lanes *l, tare_dtype to, void *out, tare_dtype from, const void *in, size_t n, bool past) {
    _Alignas(64) char aligned[PIECE * 8], made[PIECE * 8];
    size_t wide_in = tare_dtype_bytes(from), wide_out = tare_dtype_bytes(to);
    if (from == to) {
        copy(l, out, in, n * wide_in, past);
        return;
    }
    size_t unit = wide_in > 4 && from == TARE_C64 ? 4 : wide_in;
    bool moved = (uintptr_t)in % unit != 0;
    for (size_t at = 0; at < n; at += PIECE) {
        size_t k = n - at < PIECE ? n - at : PIECE;
        const char *piece = (const char *)in + at * wide_in;
        char *target = (char *)out + at * wide_out;
        if (moved) memcpy(aligned, piece, k * wide_in);
        cast_piece(l, to, past ? made : target, from, moved ? aligned : piece, k);
        if (past) l->stream(target, made, k * wide_out);
    }
}

/* ---- what is not finite ---- */

static void odd_64(const uint64_t *x, size_t n, uint64_t *nan, uint64_t *inf) {
    const uint64_t most = UINT64_C(0x7ff) << 52;
    uint64_t above = 0, equal = 0;
    for (size_t i = 0; i < n; i++) above += (x[i] & INT64_MAX) > most, equal += (x[i] & INT64_MAX) == most;
    *nan += above, *inf += equal;
}
static void odd_complex(const uint32_t *x, size_t n, uint64_t *nan, uint64_t *inf) {
    const uint32_t most = 0x7f800000;
    for (size_t i = 0; i < n; i++) {
        uint32_t a = x[2 * i] & INT32_MAX, b = x[2 * i + 1] & INT32_MAX;
        *nan += a > most || b > most, *inf += a == most || b == most;
    }
}
static void odd_8(tare_dtype dtype, const uint8_t *x, size_t n, uint64_t *nan, uint64_t *inf) {
    for (size_t i = 0; i < n; i++) {
        unsigned m = x[i] & 0x7f;
        switch (dtype) {
        case TARE_F8_E4M3: *nan += m == 0x7f; break;
        case TARE_F8_E5M2: *nan += m > 0x7c, *inf += m == 0x7c; break;
        case TARE_F8_E8M0: *nan += x[i] == 0xff; break;
        default: *nan += x[i] == 0x80; break; /* FNUZ */
        }
    }
}
void cast_odd(const lanes *l, tare_dtype dtype, const void *x, size_t n, uint64_t *nan, uint64_t *inf) {
    switch (dtype) {
    case TARE_F16: l->odd_16(x, n, 0x7c00, nan, inf); break;
    case TARE_BF16: l->odd_16(x, n, 0x7f80, nan, inf); break;
    case TARE_F32: l->odd_32(x, n, nan, inf); break;
    case TARE_F64: odd_64(x, n, nan, inf); break;
    case TARE_C64: odd_complex(x, n, nan, inf); break;
    case TARE_F8_E4M3: case TARE_F8_E5M2: case TARE_F8_E8M0: case TARE_F8_E4M3FNUZ: case TARE_F8_E5M2FNUZ: odd_8(dtype, x, n, nan, inf); break;
    default: break;
    }
}
