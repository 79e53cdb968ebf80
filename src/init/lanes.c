/* The inner loops of drawing: plain loops without branches, which compilers turn into vectors of the width they are told. */
#include "lanes.h"
#include <math.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES lanes_avx512
#define NAME "avx512"
#elif defined(__AVX2__)
#define LANES lanes_avx2
#define NAME "avx2"
#else
#define LANES lanes_scalar
#define NAME "scalar"
#endif
#if defined(__SSE2__)
#include <immintrin.h>
#endif
extern const lanes LANES;

static inline uint32_t bits_of(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}
static inline float float_of(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* ---- MT19937 ------------------------------------------------------------------------------------------------------- */

static inline uint32_t mixed(uint32_t far, uint32_t a, uint32_t b) {
    return far ^ (((a & 0x80000000u) | (b & 0x7fffffffu)) >> 1) ^ (-(b & 1u) & 0x9908b0dfu);
}

/* A word depends on one 227 before it: in runs no longer than that, reading and writing do not meet. */
enum { RUN = 224 };
static inline void run(uint32_t *restrict to, const uint32_t *restrict far, const uint32_t *restrict near, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] = mixed(far[i], near[i], near[i + 1]);
}
static inline void run_in_place(uint32_t *x, const uint32_t *restrict far, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = mixed(far[i], x[i], x[i + 1]);
}

static void twist(uint32_t x[MT_WORDS]) {
    run_in_place(x, x + 397, 227);
    run_in_place(x + 227, x, 227);
    run_in_place(x + 454, x + 227, 169);
    x[623] = mixed(x[396], x[623], x[0]);
}

static void grow(uint32_t *x, size_t n) {
    size_t i = 0;
    for (; i + RUN <= n; i += RUN) run(x + i + 624, x + i + 397, x + i, RUN);
    run(x + i + 624, x + i + 397, x + i, n - i);
}

static void temper(uint32_t *to, const uint32_t *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t y = x[i];
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c5680u;
        y ^= y << 15 & 0xefc60000u;
        to[i] = y ^ y >> 18;
    }
}

/* ---- Philox -------------------------------------------------------------------------------------------------------- */

enum { ROUNDS = 7 };
#define TIMES_0 0xD2511F53u
#define TIMES_2 0xCD9E8D57u
#define KEY_0 0x9E3779B9u
#define KEY_1 0xBB67AE85u

static void philox_one(uint32_t to[4], uint64_t key, uint64_t low, uint64_t high) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)low, c1 = (uint32_t)(low >> 32), c2 = (uint32_t)high, c3 = (uint32_t)(high >> 32);
    for (int r = 0; r < ROUNDS; r++, k0 += KEY_0, k1 += KEY_1) {
        uint64_t p = (uint64_t)c0 * TIMES_0, q = (uint64_t)c2 * TIMES_2;
        c0 = (uint32_t)(q >> 32) ^ c1 ^ k0, c1 = (uint32_t)q;
        c2 = (uint32_t)(p >> 32) ^ c3 ^ k1, c3 = (uint32_t)p;
    }
    to[0] = c0, to[1] = c1, to[2] = c2, to[3] = c3;
}

/* A vector holds one word of several counters, each in 64 bits, since that is what the product of two needs. The upper halves
 * are of no account until the end; v_high() is a shuffle, as shifts would wait for the unit that multiplies. */
#if defined(__AVX512F__)
typedef __m512i vec;
static inline vec v_all(uint64_t u) { return _mm512_set1_epi64((long long)u); }
static inline vec v_mul(vec a, vec b) { return _mm512_mul_epu32(a, b); }
static inline vec v_xor(vec a, vec b) { return _mm512_xor_si512(a, b); }
static inline vec v_add(vec a, vec b) { return _mm512_add_epi64(a, b); }
static inline vec v_high(vec a) { return _mm512_shuffle_epi32(a, _MM_PERM_DDBB); }
static inline vec v_join(vec low, vec high) { return _mm512_mask_shuffle_epi32(low, 0xAAAA, high, _MM_PERM_CCAA); }
static inline vec v_evens(vec a, vec b) { return _mm512_unpacklo_epi64(a, b); }
static inline vec v_odds(vec a, vec b) { return _mm512_unpackhi_epi64(a, b); }
static inline vec v_places(void) { return _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0); }
#elif defined(__AVX2__)
typedef __m256i vec;
static inline vec v_all(uint64_t u) { return _mm256_set1_epi64x((long long)u); }
static inline vec v_mul(vec a, vec b) { return _mm256_mul_epu32(a, b); }
static inline vec v_xor(vec a, vec b) { return _mm256_xor_si256(a, b); }
static inline vec v_add(vec a, vec b) { return _mm256_add_epi64(a, b); }
static inline vec v_high(vec a) { return _mm256_shuffle_epi32(a, 0xF5); }
static inline vec v_join(vec low, vec high) { return _mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xAA); }
static inline vec v_evens(vec a, vec b) { return _mm256_unpacklo_epi64(a, b); }
static inline vec v_odds(vec a, vec b) { return _mm256_unpackhi_epi64(a, b); }
static inline vec v_places(void) { return _mm256_set_epi64x(3, 1, 2, 0); }
#elif defined(__SSE2__)
typedef __m128i vec;
static inline vec v_all(uint64_t u) { return _mm_set1_epi64x((long long)u); }
static inline vec v_mul(vec a, vec b) { return _mm_mul_epu32(a, b); }
static inline vec v_xor(vec a, vec b) { return _mm_xor_si128(a, b); }
static inline vec v_add(vec a, vec b) { return _mm_add_epi64(a, b); }
static inline vec v_high(vec a) { return _mm_shuffle_epi32(a, 0xF5); }
static inline vec v_join(vec low, vec high) { return _mm_or_si128(_mm_and_si128(low, v_all(0xffffffff)), _mm_slli_epi64(high, 32)); }
static inline vec v_evens(vec a, vec b) { return _mm_unpacklo_epi64(a, b); }
static inline vec v_odds(vec a, vec b) { return _mm_unpackhi_epi64(a, b); }
static inline vec v_places(void) { return _mm_set_epi64x(1, 0); }
#endif

#if defined(__SSE2__)
enum { COUNTERS = sizeof(vec) / 8 };
/* The counters lie in such places that two shuffles bring their words in line. */
static inline void philox_lanes(uint32_t *to, const vec keys[2 * ROUNDS], vec low, uint64_t high) {
    vec c0 = low, c1 = v_high(low), c2 = v_all(high), c3 = v_all(high >> 32), m0 = v_all(TIMES_0), m2 = v_all(TIMES_2);
    for (size_t r = 0; r < ROUNDS; r++) {
        vec p = v_mul(c0, m0), q = v_mul(c2, m2);
        c0 = v_xor(v_xor(v_high(q), c1), keys[2 * r]), c1 = q;
        c2 = v_xor(v_xor(v_high(p), c3), keys[2 * r + 1]), c3 = p;
    }
    vec a = v_join(c0, c1), b = v_join(c2, c3), first = v_evens(a, b), second = v_odds(a, b);
    memcpy(to, &first, sizeof first);
    memcpy(to + 2 * COUNTERS, &second, sizeof second);
}

static size_t philox_vectors(uint32_t *to, uint64_t key, uint64_t first, uint64_t high, size_t n) {
    vec keys[2 * ROUNDS], low = v_add(v_all(first), v_places()), step = v_all(COUNTERS);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (size_t r = 0; r < ROUNDS; r++, k0 += KEY_0, k1 += KEY_1) keys[2 * r] = v_all(k0), keys[2 * r + 1] = v_all(k1);
    size_t i = 0;
    for (; i + COUNTERS <= n; i += COUNTERS, low = v_add(low, step)) philox_lanes(to + 4 * i, keys, low, high);
    return i;
}
#else
static size_t philox_vectors(uint32_t *to, uint64_t key, uint64_t first, uint64_t high, size_t n) {
    return (void)to, (void)key, (void)first, (void)high, (void)n, 0;
}
#endif

static void philox(uint32_t *to, uint64_t key, uint64_t first, uint64_t high, size_t n) {
    for (size_t i = philox_vectors(to, key, first, high, n); i < n; i++) philox_one(to + 4 * i, key, first + i, high);
}

/* ---- uniform and normal ---------------------------------------------------------------------------------------------- */

static inline float unit(uint32_t word) { return (float)(int32_t)(word & 0xffffff) * 0x1p-24f; }

static void uniform(float *out, const uint32_t *words, size_t n, float from, float range, float to) {
    for (size_t i = 0; i < n; i++) {
        float v = fmaf(unit(words[i]), range, from);
        out[i] = v == to ? from : v;
    }
}

/* ln x for x in [2^-24, 1]; the constants and the order are those of the Cephes library, the roundings torch's. */
static inline float ln(float x) {
    uint32_t u = bits_of(x);
    float e = (float)((int32_t)(u >> 23) - 126);
    float m = float_of((u & 0x007fffffu) | 0x3f000000u);
    int small = m < 0.707106781186547524f;
    e = small ? e - 1.0f : e;
    x = (m - 1.0f) + (small ? m : 0.0f);
    float z = x * x;
    float y = 7.0376836292e-2f;
    y = fmaf(y, x, -1.1514610310e-1f);
    y = fmaf(y, x, 1.1676998740e-1f);
    y = fmaf(y, x, -1.2420140846e-1f);
    y = fmaf(y, x, 1.4249322787e-1f);
    y = fmaf(y, x, -1.6668057665e-1f);
    y = fmaf(y, x, 2.0000714765e-1f);
    y = fmaf(y, x, -2.4999993993e-1f);
    y = fmaf(y, x, 3.3333331174e-1f);
    y = y * x;
    y = fmaf(y, z, e * -2.12194440e-4f);
    y = fmaf(-z, 0.5f, y);
    return fmaf(e, 0.693359375f, x + y);
}

/* Sine and cosine of x in [0, 2 pi), by octants. */
static inline void turn(float x, float *sine, float *cosine) {
    uint32_t j = ((uint32_t)(int32_t)(x * 1.27323954473516f) + 1u) & ~1u;
    float f = (float)(int32_t)j;
    x = fmaf(f, -0.78515625f, x);
    x = fmaf(f, -2.4187564849853515625e-4f, x);
    x = fmaf(f, -3.77489497744594108e-8f, x);
    float z = x * x;
    float p = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    p = fmaf(p, z, 4.166664568298827e-2f);
    p = fmaf(p * z, z, -(z * 0.5f)) + 1.0f;
    float q = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
    q = fmaf(q, z, -1.6666654611e-1f);
    q = fmaf(q * z, x, x);
    int swap = (j & 2u) != 0;
    *sine = float_of(bits_of(swap ? p : q) ^ (j & 4u) << 29);
    *cosine = float_of(bits_of(swap ? q : p) ^ (~(j - 2u) & 4u) << 29);
}

enum { PAIRS = 256 };

/* Two uniforms give two normals. */
static inline void pairs(float *a, float *b, size_t n, float mean, float std) {
    for (size_t i = 0; i < n; i++) {
        float r = sqrtf(-2.0f * ln(1.0f - a[i])), sine, cosine;
        turn(6.283185307179586f * b[i], &sine, &cosine);
        a[i] = fmaf(r * cosine, std, mean);
        b[i] = fmaf(r * sine, std, mean);
    }
}

static void normal(float *out, const uint32_t *words, size_t n, float mean, float std) {
    enum { HALF = 8, BLOCK = 16 };
    float u[2 * PAIRS], a[PAIRS], b[PAIRS];
    for (size_t at = 0; at < n; at += 2 * PAIRS) {
        size_t left = n - at < 2 * PAIRS ? n - at : 2 * PAIRS;
        for (size_t i = 0; i < left; i++) u[i] = unit(words[at + i]);
        for (size_t i = 0; i < left; i += BLOCK) {
            memcpy(a + i / 2, u + i, HALF * sizeof *u);
            memcpy(b + i / 2, u + i + HALF, HALF * sizeof *u);
        }
        pairs(a, b, left / 2, mean, std);
        for (size_t i = 0; i < left; i += BLOCK) {
            memcpy(out + at + i, a + i / 2, HALF * sizeof *u);
            memcpy(out + at + i + HALF, b + i / 2, HALF * sizeof *u);
        }
    }
}

/* ---- 16 bits --------------------------------------------------------------------------------------------------------- */

static inline void bf16_or(uint16_t *out, const float *in, size_t n, uint32_t nan) {
    for (size_t i = 0; i < n; i++) {
        uint32_t u = bits_of(in[i]);
        uint32_t even = (u + 0x7fffu + (u >> 16 & 1u)) >> 16;
        out[i] = (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? nan : even);
    }
}
static void bf16(uint16_t *out, const float *in, size_t n) { bf16_or(out, in, n, 0x7fc0); }
static void bf16_of_f32(uint16_t *out, const float *in, size_t n) { bf16_or(out, in, n, 0xffff); }

/* Below 2^-14 the sum with 0.5 does the rounding: its last bit is worth 2^-24, the smallest half. */
static void f16(uint16_t *out, const float *in, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t u = bits_of(in[i]), sign = u >> 16 & 0x8000u, m = u & 0x7fffffffu;
        uint32_t tiny = bits_of(float_of(m) + 0.5f) - 0x3f000000u;
        uint32_t even = (m - 0x38000000u + 0xfffu + (m >> 13 & 1u)) >> 13;
        uint32_t small = -(uint32_t)(m < 0x38800000u), large = -(uint32_t)(m >= 0x47800000u), nan = -(uint32_t)(m > 0x7f800000u);
        uint32_t h = (tiny & small) | (even & ~small & ~large) | (0x7c00u & large) | ((0x0200u | (m >> 13 & 0x3ffu)) & nan);
        out[i] = (uint16_t)(h | sign);
    }
}

static void of_bf16(float *out, const uint16_t *in, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = float_of((uint32_t)in[i] << 16);
}

/* The product moves the exponent from one bias to the other, and makes small halves normal on its way. */
static void of_f16(float *out, const uint16_t *in, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t h = in[i], m = (h & 0x7fffu) << 13, large = -(uint32_t)(m >= 0x0f800000u);
        uint32_t quiet = m > 0x0f800000u ? 0x00400000u : 0;
        uint32_t u = (bits_of(float_of(m) * 0x1p112f) & ~large) | ((m | 0x7f800000u | quiet) & large);
        out[i] = float_of(u | (h & 0x8000u) << 16);
    }
}

/* ---- 8 bits ---------------------------------------------------------------------------------------------------------- */

/* The exponent's bias is moved by a sum; where there is no exponent, what is left is a whole number of the least there is. As a product it would
 * be right as well, and slow: the processor takes its time over operands that are so small. */
static void of_f8(float *out, const uint8_t *in, size_t n, const f8_kind *kind) {
    uint32_t shift = kind->shift, mask = kind->nan_mask, code = kind->nan_code, nan = kind->nan, least_normal = 1u << (23 - shift);
    uint32_t bias = bits_of(kind->scale) - 0x3f800000u;
    float least = float_of(1u << shift) * kind->scale;
    for (size_t i = 0; i < n; i++) {
        uint32_t b = in[i], sign = (b & 0x80u) << 24, m = b & 0x7fu, normal = (m << shift) + bias;
        uint32_t u = (m < least_normal ? bits_of((float)(int32_t)m * least) : normal) | sign;
        out[i] = float_of((b & mask) == code ? nan | (sign & ~(mask << 24)) : u); /* a sign that is no part of the code is kept */
    }
}

/* ---- quantised numbers ------------------------------------------------------------------------------------------------- */

#if defined(__AVX512F__)
/* Sixteen values are one vector, and a code picks one of them. */
static size_t sixteen_bytes(float *out, const uint8_t *in, __m512 table, bool high_first) {
    __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)in));
    __m512i low = _mm512_and_si512(bytes, _mm512_set1_epi32(15)), high = _mm512_srli_epi32(bytes, 4);
    __m512 x = _mm512_permutexvar_ps(high_first ? high : low, table), y = _mm512_permutexvar_ps(high_first ? low : high, table);
    const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    _mm512_storeu_ps(out, _mm512_permutex2var_ps(x, first, y));
    _mm512_storeu_ps(out + 16, _mm512_permutex2var_ps(x, _mm512_add_epi32(first, _mm512_set1_epi32(8)), y));
    return 16;
}
#elif defined(__AVX2__)
static inline __m256 pick(__m256i codes, __m256 lower, __m256 upper) {
    __m256 which = _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28)); /* the sign is the code's upper bit */
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(lower, codes), _mm256_permutevar8x32_ps(upper, codes), which);
}
static size_t eight_bytes(float *out, const uint8_t *in, __m256 lower, __m256 upper, bool high_first) {
    __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)in));
    __m256i low = _mm256_and_si256(bytes, _mm256_set1_epi32(15)), high = _mm256_srli_epi32(bytes, 4);
    __m256 x = pick(high_first ? high : low, lower, upper), y = pick(high_first ? low : high, lower, upper);
    __m256 a = _mm256_unpacklo_ps(x, y), b = _mm256_unpackhi_ps(x, y);
    _mm256_storeu_ps(out, _mm256_permute2f128_ps(a, b, 0x20));
    _mm256_storeu_ps(out + 8, _mm256_permute2f128_ps(a, b, 0x31));
    return 8;
}
#endif
static void nibbles(float *out, const uint8_t *in, size_t n, const float table[16], bool high_first) {
    size_t i = 0, shift = high_first ? 4 : 0;
#if defined(__AVX512F__)
    __m512 values = _mm512_loadu_ps(table);
    while (2 * i + 32 <= n) i += sixteen_bytes(out + 2 * i, in + i, values, high_first);
#elif defined(__AVX2__)
    __m256 lower = _mm256_loadu_ps(table), upper = _mm256_loadu_ps(table + 8);
    while (2 * i + 16 <= n) i += eight_bytes(out + 2 * i, in + i, lower, upper, high_first);
#endif
    for (; 2 * i + 1 < n; i++) {
        out[2 * i] = table[in[i] >> shift & 15];
        out[2 * i + 1] = table[in[i] >> (4 - shift) & 15];
    }
    if (n % 2) out[n - 1] = table[in[n / 2] >> shift & 15];
}
static void scaled_run(float *x, size_t n, float scale, float zero) {
    for (size_t i = 0; i < n; i++) x[i] = (x[i] - zero) * scale;
}
static void product_run(float *x, size_t n, float scale) {
    for (size_t i = 0; i < n; i++) x[i] *= scale;
}
static void scaled(float *x, size_t n, size_t head, size_t block, const float *scales, const float *zeros) {
    for (size_t at = 0, k = head, i = 0; at < n; at += k, k = n - at < block ? n - at : block, i++) {
        if (zeros) scaled_run(x + at, k, scales[i], zeros[i]);
        else product_run(x + at, k, scales[i]);
    }
}

/* ---- what is not finite ------------------------------------------------------------------------------------------------- */

enum { ODD_RUN = 1 << 15 }; /* so many are counted in 16 bits */
static void odd_16(const uint16_t *x, size_t n, uint16_t most, uint64_t *nan, uint64_t *inf) {
    for (size_t at = 0; at < n; at += ODD_RUN) {
        size_t k = n - at < ODD_RUN ? n - at : ODD_RUN;
        const uint16_t *part = x + at;
        uint16_t above = 0, equal = 0;
        for (size_t i = 0; i < k; i++) {
            uint16_t m = part[i] & 0x7fffu;
            above = (uint16_t)(above + (m > most)), equal = (uint16_t)(equal + (m == most));
        }
        *nan += above, *inf += equal;
    }
}
static void odd_32(const uint32_t *x, size_t n, uint64_t *nan, uint64_t *inf) {
    for (size_t at = 0; at < n; at += ODD_RUN) {
        size_t k = n - at < ODD_RUN ? n - at : ODD_RUN;
        const uint32_t *part = x + at;
        uint32_t above = 0, equal = 0;
        for (size_t i = 0; i < k; i++) {
            uint32_t m = part[i] & 0x7fffffffu;
            above += m > 0x7f800000u, equal += m == 0x7f800000u;
        }
        *nan += above, *inf += equal;
    }
}

/* All bits set, or none. */
static inline uint32_t beyond(float x, float lo, float hi) { return -(uint32_t)(x < lo) | -(uint32_t)(x > hi); }

static size_t outside(const float *x, size_t n, float lo, float hi) {
    enum { FEW = 1 << 20 };
    size_t count = 0;
    for (size_t at = 0; at < n; at += FEW) {
        size_t k = n - at < FEW ? n - at : FEW;
        const float *part = x + at;
        uint32_t sum = 0;
        for (size_t i = 0; i < k; i++) sum -= beyond(part[i], lo, hi);
        count += sum;
    }
    return count;
}

static void patch(float *x, const float *fresh, size_t n, float lo, float hi) {
    for (size_t i = 0; i < n; i++) {
        uint32_t out = beyond(x[i], lo, hi);
        x[i] = float_of((bits_of(x[i]) & ~out) | (bits_of(fresh[i]) & out));
    }
}

static void replace(uint16_t *x, size_t n, uint16_t from, uint16_t to) {
    uint16_t mask = from & 0x7fffu ? 0xffffu : 0x7fffu;
    for (size_t i = 0; i < n; i++) x[i] = (x[i] & mask) == (from & mask) ? to : x[i];
}

/* ---- past the caches --------------------------------------------------------------------------------------------------- */

#if defined(__AVX512F__)
static inline void stream_line(char *to, const char *from) { _mm512_stream_si512((void *)to, _mm512_loadu_si512(from)); }
#elif defined(__AVX2__)
static inline void stream_line(char *to, const char *from) {
    for (int i = 0; i < 64; i += 32) _mm256_stream_si256((void *)(to + i), _mm256_loadu_si256((const void *)(from + i)));
}
#elif defined(__SSE2__)
static inline void stream_line(char *to, const char *from) {
    for (int i = 0; i < 64; i += 16) _mm_stream_si128((void *)(to + i), _mm_loadu_si128((const void *)(from + i)));
}
#else
static inline void stream_line(char *to, const char *from) { memcpy(to, from, 64); }
#endif

static void stream(void *to, const void *from, size_t bytes) {
    char *out = to;
    const char *in = from, *end = in + bytes;
    size_t head = -(uintptr_t)out & 63;
    if (head > bytes) head = bytes;
    memcpy(out, in, head);
    for (out += head, in += head; end - in >= 64; out += 64, in += 64) stream_line(out, in);
    memcpy(out, in, (size_t)(end - in));
}

static void fence(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

const lanes LANES = {NAME, twist, grow, temper, philox, uniform, normal, bf16, f16, of_bf16, of_f16, outside, patch, stream, fence, replace,
    bf16_of_f32, of_f8, odd_16, odd_32, nibbles, scaled};
