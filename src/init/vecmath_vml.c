/* exp, sin, cos, log and square roots as MKL gives them in its high accuracy on processors of other makers than Intel. exp, log and
 * square roots were worked out from their results; the numbers of sin and cos and the order of their steps are those of the form
 * for AVX-512 that NumPy publishes (github.com/numpy/SVML, BSD licence) without its fused steps. */
#include "vecmath.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

static const float shifter = 0x1.8p+23f; /* added and taken away again, it rounds to a whole number */

/* ---- exponentials ---- */

/* 2^(j/128) in two parts. */
static const float power_high[128] = {
    0x1p+0f, 0x1.0163dap+0f, 0x1.02c9a4p+0f, 0x1.04315ep+0f, 0x1.059b0ep+0f, 0x1.0706b2p+0f, 0x1.087452p+0f, 0x1.09e3ecp+0f,
    0x1.0b5586p+0f, 0x1.0cc922p+0f, 0x1.0e3ec4p+0f, 0x1.0fb66ap+0f, 0x1.11301ep+0f, 0x1.12abdcp+0f, 0x1.1429aap+0f, 0x1.15a98cp+0f,
    0x1.172b84p+0f, 0x1.18af94p+0f, 0x1.1a35bep+0f, 0x1.1bbe08p+0f, 0x1.1d4874p+0f, 0x1.1ed502p+0f, 0x1.2063b8p+0f, 0x1.21f49ap+0f,
    0x1.2387a6p+0f, 0x1.251ce4p+0f, 0x1.26b456p+0f, 0x1.284dfep+0f, 0x1.29e9ep+0f, 0x1.2b87fep+0f, 0x1.2d285ap+0f, 0x1.2ecafap+0f,
    0x1.306fep+0f, 0x1.32171p+0f, 0x1.33c08cp+0f, 0x1.356c56p+0f, 0x1.371a74p+0f, 0x1.38cae6p+0f, 0x1.3a7db4p+0f, 0x1.3c32dcp+0f,
    0x1.3dea64p+0f, 0x1.3fa45p+0f, 0x1.4160a2p+0f, 0x1.431f5ep+0f, 0x1.44e086p+0f, 0x1.46a41ep+0f, 0x1.486a2cp+0f, 0x1.4a32bp+0f,
    0x1.4bfdaep+0f, 0x1.4dcb2ap+0f, 0x1.4f9b28p+0f, 0x1.516daap+0f, 0x1.5342b6p+0f, 0x1.551a4cp+0f, 0x1.56f474p+0f, 0x1.58d12ep+0f,
    0x1.5ab07ep+0f, 0x1.5c9268p+0f, 0x1.5e76f2p+0f, 0x1.605e1cp+0f, 0x1.6247ecp+0f, 0x1.643464p+0f, 0x1.662388p+0f, 0x1.68155ep+0f,
    0x1.6a09e6p+0f, 0x1.6c0128p+0f, 0x1.6dfb24p+0f, 0x1.6ff7ep+0f, 0x1.71f75ep+0f, 0x1.73f9a4p+0f, 0x1.75feb6p+0f, 0x1.780694p+0f,
    0x1.7a1148p+0f, 0x1.7c1edp+0f, 0x1.7e2f34p+0f, 0x1.804276p+0f, 0x1.82589ap+0f, 0x1.8471a4p+0f, 0x1.868d9ap+0f, 0x1.88ac7ep+0f,
    0x1.8ace54p+0f, 0x1.8cf322p+0f, 0x1.8f1aeap+0f, 0x1.9145bp+0f, 0x1.93737cp+0f, 0x1.95a44cp+0f, 0x1.97d82ap+0f, 0x1.9a0f18p+0f,
    0x1.9c4918p+0f, 0x1.9e8632p+0f, 0x1.a0c668p+0f, 0x1.a309bep+0f, 0x1.a5503cp+0f, 0x1.a799e2p+0f, 0x1.a9e6b6p+0f, 0x1.ac36bcp+0f,
    0x1.ae89fap+0f, 0x1.b0e072p+0f, 0x1.b33a2cp+0f, 0x1.b59728p+0f, 0x1.b7f77p+0f, 0x1.ba5b04p+0f, 0x1.bcc1eap+0f, 0x1.bf2c26p+0f,
    0x1.c199bep+0f, 0x1.c40ab6p+0f, 0x1.c67f12p+0f, 0x1.c8f6dap+0f, 0x1.cb720ep+0f, 0x1.cdf0b6p+0f, 0x1.d072d4p+0f, 0x1.d2f87p+0f,
    0x1.d5818ep+0f, 0x1.d80e32p+0f, 0x1.da9e6p+0f, 0x1.dd322p+0f, 0x1.dfc974p+0f, 0x1.e26462p+0f, 0x1.e502eep+0f, 0x1.e7a52p+0f,
    0x1.ea4afap+0f, 0x1.ecf482p+0f, 0x1.efa1bep+0f, 0x1.f252b4p+0f, 0x1.f50766p+0f, 0x1.f7bfdap+0f, 0x1.fa7c18p+0f, 0x1.fd3c22p+0f,
};
static const float power_low[128] = {
    0, 0x1.3f6666p-25f, -0x1.887fap-28f, 0x1.0dcffp-25f, -0x1.9d4f52p-25f, 0x1.3bbedcp-25f, -0x1.e2990ep-26f,
    0x1.58de7p-25f, 0x1.9f3122p-25f, 0x1.6e48fep-25f, -0x1.a585ccp-25f, 0x1.ffda64p-25f, -0x1.fdb496p-25f, 0x1.b0c73p-30f,
    0x1.d525bcp-25f, 0x1.14b1cap-25f, -0x1.c15742p-27f, -0x1.dcdc86p-26f, 0x1.6df96ep-25f, 0x1.011734p-26f, -0x1.d2e8cap-25f,
    0x1.7e6c8ep-27f, 0x1.0c519ap-25f, -0x1.d0446ep-25f, 0x1.ceac48p-25f, 0x1.f654c8p-25f, 0x1.789f38p-26f, 0x1.f5638p-28f,
    -0x1.5c0424p-25f, -0x1.e4a4cep-25f, 0x1.b900c2p-26f, 0x1.27c5eap-25f, 0x1.4636e2p-25f, -0x1.d993e8p-27f, -0x1.b37d2p-25f,
    -0x1.b5803cp-30f, -0x1.18aac6p-25f, 0x1.a0bb0cp-25f, -0x1.634c02p-25f, 0x1.89d472p-27f, 0x1.824684p-25f, 0x1.2b2006p-26f,
    0x1.f72e2ap-28f, -0x1.abd5dap-26f, 0x1.8624b4p-30f, 0x1.a3a00ap-25f, -0x1.47d866p-25f, -0x1.e50584p-25f, -0x1.593abcp-25f,
    -0x1.8088bcp-26f, -0x1.2c5a6cp-25f, 0x1.67b32p-27f, -0x1.2c561p-25f, 0x1.4bb242p-25f, -0x1.295b04p-25f, -0x1.6d07p-25f,
    -0x1.5bd5ecp-27f, 0x1.4b28d6p-25f, -0x1.4a5bd6p-25f, -0x1.a248fep-26f, -0x1.f8b55p-25f, -0x1.66679cp-25f, 0x1.2a9112p-27f,
    -0x1.766ad2p-25f, 0x1.9fcef4p-26f, -0x1.5e84a8p-25f, -0x1.cd72e8p-27f, -0x1.ab9aep-26f, 0x1.1d8beep-25f, 0x1.14b02ep-25f,
    -0x1.37b306p-25f, 0x1.fbcba8p-25f, -0x1.829fdp-25f, 0x1.30c132p-28f, -0x1.261634p-25f, -0x1.783cbep-25f, -0x1.accc7cp-26f,
    0x1.88f1ecp-26f, -0x1.2edb44p-26f, -0x1.9d665ap-26f, 0x1.15506ep-27f, -0x1.29576ep-25f, -0x1.baa232p-26f, 0x1.723ff8p-25f,
    -0x1.e64744p-25f, 0x1.790a42p-25f, -0x1.0d8d84p-31f, -0x1.e6bf08p-25f, 0x1.51f848p-27f, -0x1.873738p-26f, -0x1.2886a6p-26f,
    0x1.8945a6p-25f, -0x1.b83b54p-25f, -0x1.99e994p-25f, -0x1.50c048p-25f, -0x1.606432p-31f, -0x1.a94b14p-26f, 0x1.31b6ccp-25f,
    -0x1.ec3a82p-26f, 0x1.bcab28p-25f, -0x1.a09438p-25f, -0x1.ebdf36p-25f, -0x1.f687c6p-25f, -0x1.0a387ep-26f, -0x1.3d56b2p-27f,
    -0x1.7c2c98p-39f, 0x1.cafa2ap-25f, -0x1.7f230ap-25f, -0x1.8837ccp-27f, -0x1.54478p-25f, 0x1.40f13p-25f, 0x1.01b13ep-25f,
    -0x1.822dbcp-27f, -0x1.26cf8ep-25f, 0x1.ed9942p-27f, -0x1.9fc974p-25f, -0x1.908c94p-25f, -0x1.614bdap-25f, 0x1.e2cffep-26f,
    -0x1.0e2cep-26f, 0x1.52486cp-27f, 0x1.b1ccfep-25f, 0x1.cc2b44p-25f, -0x1.1288aep-25f, -0x1.246ebp-26f, 0x1.b397c2p-25f,
    0x1.9e90d8p-28f, 0x1.71ee3ep-25f,
};
/* x = n/128 * ln 2 + r; one float32 operation after the other. */
float vec_exp(float x) {
    if (!(fabsf(x) < 87.33654f)) return (float)exp((double)x); /* next to the end of the range, or beyond */
    float scaled = x * 0x1.715476p+7f, n = (scaled + shifter) - shifter;
    float reduced = x - n * 0x1.63p-8f, r = reduced - n * -0x1.bd0106p-20f, p = r + 0.5f * (r * r);
    int32_t step = (int32_t)n, j = step & 127;
    return ldexpf(power_high[j] + (power_low[j] + power_high[j] * p), (step - j) / 128);
}

/* ---- angles ---- */

/* The sine of |x| less n half turns, worked out in double precision; an odd n turns the sign. */
static float sine_of_rest(float x, float n) {
    double r = (double)x - (double)n * 0x1.921fb5444p+1 - (double)n * 0x1.68c234c4c6629p-38, s = r * r;
    double p = s * 0x1.5dbdf0e4c7deep-19 - 0x1.9f6ffeea73463p-13;
    p = (p * s + 0x1.110ed3804ca96p-7) * s - 0x1.55554bc836587p-3;
    return (float)(p * s * r + r);
}
static const float inverse_pi = 0x1.45f306p-2f;

float vec_sin(float x) {
    float size = fabsf(x);
    if (!(size <= 10000)) return (float)sin((double)x);
    float n = (size * inverse_pi + shifter) - shifter, y = sine_of_rest(size, n);
    return ((int)n & 1) != (signbit(x) != 0) ? -y : y;
}
float vec_cos(float x) {
    float size = fabsf(x);
    if (!(size <= 10000)) return (float)cos((double)x);
    float n = ((size + 0x1.921fb6p+0f) * inverse_pi + shifter) - shifter, y = sine_of_rest(size, n - 0.5f);
    return (int)n & 1 ? -y : y;
}

/* ---- logarithms ---- */

/* x = 2^k * (1 + r) with 1 + r in 2/3 .. 4/3; one float32 operation after the other. */
float vec_log(float x) {
    static const float c[] = {-0x1.08059p-3f, 0x1.1e66bap-3f, -0x1.f3113cp-4f, 0x1.1ed718p-3f, -0x1.559dccp-3f,
                              0x1.99d028p-3f, -0x1.fffefp-3f, 0x1.555506p-2f,  -0.5f};
    if (!(x >= 0x1p-126f) || isinf(x)) return (float)log((double)x);
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int k = (int)((bits + 0x555555) >> 23) - 127; /* the bits of 1 less those of 2/3 */
    float m = ldexpf(x, -k), r = m - 1, p = c[0];
    for (int i = 1; i < 9; i++) p = p * r + c[i];
    return (float)k * 0x1.62e4p-1f + ((float)k * 0x1.7f7d1cp-20f + (p * r * r + r));
}

/* ---- square roots -------------------------------------------------------------------------------------------------- */

/* 1 / sqrt(x) for x in 1 .. 4 as a processor estimates it: that of the middle of 2^13 neighbours, to 2^-12. */
static float inverse_root_estimate(float x) {
    double width = x < 2 ? 0x1p-10 : 0x1p-9, middle = (floor((double)x / width) + 0.5) * width;
    return (float)(floor(0x1p12 / sqrt(middle) + 0.5) * 0x1p-12);
}
/* Two steps from the estimate, one float32 operation after the other. */
float vec_sqrt(float x) {
    if (!(x >= 0x1p-126f) || isinf(x)) return sqrtf(x);
    int halves = ilogbf(x) >= 0 ? ilogbf(x) / 2 : (ilogbf(x) - 1) / 2;
    float m = ldexpf(x, -2 * halves), y = inverse_root_estimate(m), s = m * y, h = 0.5f * y;
    float short_of = 0.5f - s * h, root = s + s * short_of, half_inverse = h + h * short_of;
    return ldexpf(root + (m - root * root) * half_inverse, halves);
}
