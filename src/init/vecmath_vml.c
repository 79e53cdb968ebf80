/* exp, sin, cos and log as in Intel's SVML of high accuracy: the numbers and the order of the steps are those of the AVX-512
 * form that NumPy publishes (github.com/numpy/SVML, BSD licence). */
#include "vecmath.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

/* 2^(j/32), and what its rounding lost, relative to it. */
static const float exp_high[32] = {
    0x1p+0f, 0x1.059b0ep+0f, 0x1.0b5586p+0f, 0x1.11301ep+0f, 0x1.172b84p+0f, 0x1.1d4874p+0f, 0x1.2387a6p+0f, 0x1.29e9ep+0f,
    0x1.306fep+0f, 0x1.371a74p+0f, 0x1.3dea64p+0f, 0x1.44e086p+0f, 0x1.4bfdaep+0f, 0x1.5342b6p+0f, 0x1.5ab07ep+0f, 0x1.6247ecp+0f,
    0x1.6a09e6p+0f, 0x1.71f75ep+0f, 0x1.7a1148p+0f, 0x1.82589ap+0f, 0x1.8ace54p+0f, 0x1.93737cp+0f, 0x1.9c4918p+0f, 0x1.a5503cp+0f,
    0x1.ae89fap+0f, 0x1.b7f77p+0f, 0x1.c199bep+0f, 0x1.cb720ep+0f, 0x1.d5818ep+0f, 0x1.dfc974p+0f, 0x1.ea4afap+0f, 0x1.f50766p+0f,
};
static const float exp_low[32] = {
    0, -0x1.947414p-25f, 0x1.8d96d4p-25f, -0x1.dda2fcp-25f, -0x1.9c0c22p-27f, -0x1.a2fbb2p-25f, 0x1.964904p-25f, -0x1.2b0dbcp-25f,
    0x1.125002p-25f, -0x1.cde8cep-26f, 0x1.370be4p-25f, 0x1.336de2p-30f, -0x1.0a355p-25f, -0x1.c541b4p-26f, -0x1.00d8acp-27f, -0x1.6cb284p-25f,
    0x1.26055cp-26f, 0x1.8b2bb8p-26f, -0x1.05cb44p-25f, -0x1.1c2142p-26f, 0x1.67a1cap-28f, -0x1.348e56p-25f, 0x1.a3b5e4p-28f, -0x1.0b7ec8p-25f,
    -0x1.f9c304p-27f, -0x1.e4c886p-26f, -0x1.6961b4p-28f, -0x1.b5151ep-28f, -0x1.a5217cp-28f, -0x1.ab7132p-26f, 0x1.61428ep-28f, -0x1.2ad5f8p-27f,
};
float vec_exp(float x) {
    if (!(fabsf(x) < 0x1.5d589ep+6f)) return (float)exp((double)x); /* next to the end of the range, or beyond */
    double steps = floor((double)x * 0x1.715476p+0 * 32); /* exact but for the rounding down */
    int32_t step = (int32_t)steps;
    uint32_t j = (uint32_t)step & 31;
    float n = (float)(steps / 32);
    float r = fmaf(-n, -0x1.05c61p-29f, fmaf(-n, 0x1.62e43p-1f, x));
    float p = fmaf(fmaf(0x1.5557e6p-3f, r, 0x1.0001ecp-1f), r * r, exp_low[j] + r);
    float scale = ldexpf(exp_high[j], (step - (int32_t)j) / 32);
    return fmaf(p, scale, scale);
}

/* The sine of |x| less n half turns, worked out in double precision; an odd n turns the sign. */
static float sine_of_rest(float x, float n) {
    double r = fma(-(double)n, 0x1.68c234c4c6629p-38, fma(-(double)n, 0x1.921fb5444p+1, (double)x)), s = r * r;
    double p = fma(s, 0x1.5dbdf0e4c7deep-19, -0x1.9f6ffeea73463p-13);
    p = fma(fma(p, s, 0x1.110ed3804ca96p-7), s, -0x1.55554bc836587p-3);
    return (float)fma(p * s, r, r);
}
static const float inverse_pi = 0x1.45f306p-2f, shifter = 0x1.8p+23f;

float vec_sin(float x) {
    float size = fabsf(x);
    if (!(size <= 10000)) return (float)sin((double)x);
    float n = fmaf(size, inverse_pi, shifter) - shifter, y = sine_of_rest(size, n);
    return ((int)n & 1) != (signbit(x) != 0) ? -y : y;
}
float vec_cos(float x) {
    float size = fabsf(x);
    if (!(size <= 10000)) return (float)cos((double)x);
    float n = fmaf(size + 0x1.921fb6p+0f, inverse_pi, shifter) - shifter, y = sine_of_rest(size, n - 0.5f);
    return (int)n & 1 ? -y : y;
}

/* Mantissas from which on the reciprocal, rounded to 5 bits, is the next smaller one. */
static const uint32_t reciprocal_steps[32] = {
    0x010300, 0x031380, 0x053500, 0x076880, 0x09ae80, 0x0c0800, 0x0e7900, 0x10ff00, 0x139b00, 0x165000, 0x192000,
    0x1c0980, 0x1f1280, 0x223780, 0x257f00, 0x28e980, 0x2c7780, 0x302c00, 0x340b80, 0x381700, 0x3c5280, 0x40c200,
    0x456680, 0x4a4600, 0x4f6580, 0x54c880, 0x5a7480, 0x607100, 0x66c400, 0x6d7400, 0x748a80, 0x7c1280,
};
/* -log(1 + j/32) in two parts. */
static const float log_high[32] = {
    0, -0x1.f8p-6f, -0x1.f0cp-5f, -0x1.6fp-4f, -0x1.e28p-4f, -0x1.295p-3f, -0x1.5ffp-3f, -0x1.952p-3f,
    -0x1.c9p-3f, -0x1.fb9p-3f, -0x1.1678p-2f, -0x1.2e9p-2f, -0x1.4618p-2f, -0x1.5d18p-2f, -0x1.73ap-2f, -0x1.89ap-2f,
    -0x1.9f3p-2f, -0x1.b45p-2f, -0x1.c9p-2f, -0x1.dd48p-2f, -0x1.f128p-2f, -0x1.0254p-1f, -0x1.0be8p-1f, -0x1.154cp-1f,
    -0x1.1e84p-1f, -0x1.2794p-1f, -0x1.307cp-1f, -0x1.394p-1f, -0x1.41d8p-1f, -0x1.4a5p-1f, -0x1.52a4p-1f, -0x1.5ad4p-1f,
};
static const float log_low[32] = {
    0, -0x1.4d873cp-17f, 0x1.cf3feep-17f, -0x1.a515cap-17f, 0x1.f123aap-17f, -0x1.4be08p-17f, -0x1.83853cp-18f, -0x1.6a73d2p-17f,
    0x1.070cacp-20f, -0x1.86d5e4p-19f, 0x1.1aa2a2p-17f, 0x1.d451eep-18f, -0x1.78438cp-19f, -0x1.edfacp-17f, 0x1.404a22p-17f, -0x1.9c360ap-17f,
    -0x1.1f65fcp-17f, 0x1.10866ep-19f, 0x1.070cacp-19f, 0x1.5fb3e4p-18f, -0x1.ebf5ep-19f, -0x1.2a5a5ep-17f, 0x1.a37b5ap-18f, -0x1.e97a6ap-20f,
    -0x1.f5e704p-17f, -0x1.e1289cp-17f, -0x1.7334f2p-17f, 0x1.f2ca9ep-17f, -0x1.fd08cep-18f, 0x1.e893fp-19f, 0x1.2d9a44p-17f, -0x1.30d67cp-23f,
};
float vec_log(float x) {
    if (!(x >= 0x1p-126f && x < 0x1p126f)) return (float)log((double)x);
    uint32_t bits, i = 0;
    memcpy(&bits, &x, sizeof bits);
    while (i < 32 && (bits & 0x7fffff) >= reciprocal_steps[i]) i++;
    uint32_t j = (32 - i) & 31;
    float k = -(float)((int)(bits >> 23) - 127) - (i ? 1 : 0); /* the exponent of the reciprocal */
    float mantissa = ldexpf(1 + (float)(bits & 0x7fffff) * 0x1p-23f, i ? -1 : 0);
    float r = fmaf(1 + (float)j / 32, mantissa, -1);
    float base = fmaf(-k, 0x1.62e4p-1f, log_high[j]), rest = fmaf(-k, 0x1.7f7d1cp-20f, log_low[j]);
    float p = fmaf(fmaf(r, -0x1.00102p-2f, 0x1.55623cp-2f), r, -0.5f), high = base + r;
    return high + (fmaf(p, r * r, rest) + (r - (high - base)));
}
