/* exp, expm1, sin, cos, log and pow as in SLEEF: the numbers and the order of the steps are those of its AVX-512 form
 * (github.com/shibatch/sleef, Boost licence). */
#include "vecmath.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

static const float ln2_high = 0.693145751953125f, ln2_low = 1.428606765330187045e-06f, log2_e = 1.442695040888963407f;

/* ---- numbers kept as a sum of two --------------------------------------------------------------------------------- */

typedef struct duo { float x, y; } duo;
static duo one(float x) { return (duo){x, 0}; }
static duo sum(duo a, duo b) {
    float s = a.x + b.x, v = s - a.x;
    return (duo){s, ((a.x - (s - v)) + (b.x - v)) + (a.y + b.y)};
}
static duo sum_to_larger(duo a, duo b) {
    float s = a.x + b.x;
    return (duo){s, (((a.x - s) + b.x) + a.y) + b.y};
}
static duo product(duo a, duo b) {
    float s = a.x * b.x;
    return (duo){s, fmaf(a.x, b.y, fmaf(a.y, b.x, fmaf(a.x, b.x, -s)))};
}
static duo square(duo a) {
    float s = a.x * a.x;
    return (duo){s, fmaf(a.x + a.x, a.y, fmaf(a.x, a.x, -s))};
}
static duo quotient(duo a, duo b) {
    float t = 1 / b.x, s = a.x * t, u = fmaf(t, a.x, -s), v = fmaf(-b.y, t, fmaf(-b.x, t, 1));
    return (duo){s, fmaf(s, v, fmaf(a.y, t, u))};
}
static duo twice(duo a) { return (duo){a.x * 2, a.y * 2}; }
static float polynomial(float x, const float *c, int n) { /* highest power first */
    float u = c[0];
    for (int i = 1; i < n; i++) u = fmaf(u, x, c[i]);
    return u;
}

/* ---- exponentials ------------------------------------------------------------------------------------------------- */

float half_exp(float x) {
    static const float c[] = {0.000198527617612853646278381f, 0.00139304355252534151077271f, 0.00833336077630519866943359f,
                              0.0416664853692054748535156f, 0.166666671633720397949219f, 0.5f};
    if (x < -104) return 0;
    if (x > 100) return INFINITY;
    if (isnan(x)) return x;
    float q = rintf(x * log2_e), s = fmaf(q, -ln2_low, fmaf(q, -ln2_high, x));
    return ldexpf(1 + fmaf(s * s, polynomial(s, c, 6), s), (int)q);
}
/* The whole number of halvings, and what is left of d. */
static int halvings(duo *d) {
    float q = rintf((d->x + d->y) * log2_e);
    *d = sum(sum(*d, one(q * -ln2_high)), one(q * -ln2_low));
    return (int)q;
}
static float exp_of(duo d) {
    static const float c[] = {0.00136324646882712841033936f, 0.00836596917361021041870117f, 0.0416710823774337768554688f,
                              0.166665524244308471679688f, 0.499999850988388061523438f};
    if (d.x < -104) return 0;
    if (!(d.x < 1000)) return INFINITY;
    int q = halvings(&d);
    float s = d.x + d.y;
    duo n = {s, (d.x - s) + d.y}, t = sum_to_larger(n, product(square(n), one(polynomial(s, c, 5))));
    t = sum_to_larger(one(1), t);
    return ldexpf(t.x + t.y, q);
}

float vec_expm1(float x) {
    static const float c[] = {0.1980960224e-3f, 0.1394256484e-2f, 0.8333456703e-2f, 0.4166637361e-1f};
    if (x > 88.72283172607421875f) return INFINITY;
    if (x < -16.635532333438687426013570f) return -1;
    if (x == 0 || isnan(x)) return x;
    duo d = one(x);
    int q = halvings(&d);
    duo t = sum(product(d, one(polynomial(d.x, c, 4))), one(0.166666659414234244790680580464f));
    t = sum(product(d, t), one(0.5f));
    t = sum_to_larger(one(1), sum(d, product(square(d), t)));
    t = sum((duo){ldexpf(t.x, q), ldexpf(t.y, q)}, one(-1));
    return t.x + t.y;
}

/* ---- logarithms --------------------------------------------------------------------------------------------------- */

/* x = m * 2^e with m in 0.75 .. 1.5; gives (m - 1) / (m + 1) and e * ln 2. */
static duo split(float x, duo *exponent) {
    int e;
    float m = frexpf(x, &e) < 0.75f ? frexpf(x, &e) * 2 : frexpf(x, &e);
    float more = x * (1 / 0.75f), k = isinf(more) ? 128 : (float)ilogbf(more);
    *exponent = product((duo){0.69314718246459960938f, -1.904654323148236017e-09f}, one(k));
    return quotient(sum(one(-1), one(m)), sum(one(1), one(m)));
}
float half_log(float x) {
    static const float c[] = {0.3027294874f, 0.3996108174f, 0.6666694880f};
    if (!(x > 0) || isinf(x)) return logf(x);
    duo s, q = split(x, &s);
    float q2 = q.x * q.x;
    s = sum_to_larger(sum_to_larger(s, twice(q)), one(q2 * q.x * polynomial(q2, c, 3)));
    return s.x + s.y;
}
static duo log_of(float x) {
    static const float c[] = {0.240320354700088500976562f, 0.285112679004669189453125f, 0.400007992982864379882812f};
    duo s, q = split(x, &s), q2 = square(q);
    duo t = sum(product(q2, one(polynomial(q2.x, c, 3))), (duo){0.66666662693023681640625f, 3.69183861259614332084311e-09f});
    return sum_to_larger(sum_to_larger(s, twice(q)), product(product(q2, q), t));
}
/* Bases below 0, and numbers that are not finite, follow the C library: those results are exact. */
float vec_pow(float x, float y) {
    if (x == 1 || y == 0) return 1;
    if (!(x > 0) || isinf(x) || !isfinite(y)) return powf(x, y);
    return exp_of(product(log_of(x), one(y)));
}

/* ---- angles ------------------------------------------------------------------------------------------------------- */

/* x less q quarter or half turns, in three steps or in four. */
static float less_turns(float x, float q, float turn, bool far) {
    static const float near_parts[] = {-3.1414794921875f, -0.00011315941810607910156f, -1.9841872589410058936e-09f};
    static const float far_parts[] = {-3.140625f, -0.0009670257568359375f, -6.2771141529083251953e-07f, -1.2154201256553420762e-10f};
    const float *parts = far ? far_parts : near_parts;
    for (int i = 0; i < (far ? 4 : 3); i++) x = fmaf(q, parts[i] * turn, x);
    return x;
}
static float sine_near_0(float d, bool negative) {
    static const float c[] = {2.6083159809786593541503e-06f, -0.0001981069071916863322258f, 0.00833307858556509017944336f,
                              -0.166666597127914428710938f};
    float s = d * d;
    if (negative) d = -d;
    return s * (polynomial(s, c, 4) * d) + d;
}
static const float inverse_pi = 0.318309886183790671538f;
static float sine(float x, bool far) {
    float q = rintf(x * inverse_pi);
    if (!(fabsf(x) < 39000)) return (float)sin((double)x);
    return x == 0 ? x : sine_near_0(less_turns(x, q, 1, far), (int)q & 1);
}
static float cosine(float x, bool far) {
    float q = 2 * rintf(x * inverse_pi - 0.5f) + 1;
    if (!(fabsf(x) < 39000)) return (float)cos((double)x);
    return sine_near_0(less_turns(x, q, 0.5f, far), !((int)q & 2));
}
/* Sixteen go together: one large angle among them, and all are reduced the long way. */
static void by_vectors(float (*fn)(float, bool), const float *x, float *y, size_t n) {
    for (size_t start = 0; start < n; start += 16) {
        size_t end = n - start < 16 ? n : start + 16;
        bool far = false;
        for (size_t i = start; i < end; i++) far = far || !(fabsf(x[i]) < 125);
        for (size_t i = start; i < end; i++) y[i] = fn(x[i], far);
    }
}
void half_sin(const float *x, float *y, size_t n) { by_vectors(sine, x, y, n); }
void half_cos(const float *x, float *y, size_t n) { by_vectors(cosine, x, y, n); }
