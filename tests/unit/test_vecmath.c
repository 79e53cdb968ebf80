/* Functions of numbers against torch 2.13.0's bits: a few results as words, and digests of results over a range. */
#include "../../src/core/half.h"
#include "../../src/init/vecmath.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "digest.h"

enum { POINTS = 20000 };
typedef float (*function)(float);

static uint32_t word_of(float x) {
    uint32_t word;
    memcpy(&word, &x, sizeof word);
    return word;
}
static void words_are(function fn, const float *x, const uint32_t *want) {
    for (int i = 0; i < 6; i++) assert_int_equal(word_of(fn(x[i])), want[i]);
}
static void range_is(function fn, double first, double step, const char *want) {
    static float y[POINTS];
    for (int i = 0; i < POINTS; i++) y[i] = fn((float)(first + i * step));
    digest_is(y, sizeof y, want);
}

static void exponentials(void **state) {
    (void)state;
    words_are(vec_exp, (float[]){-9.21f, -6.5f, -1.1f, -0.3f, 0.1f, 3.7f},
              (uint32_t[]){0x38d1c95e, 0x3ac50f0c, 0x3eaa6e14, 0x3f3da643, 0x3f8d763e, 0x4221ca0b});
    range_is(vec_exp, -10, 0x1p-10, "c376856e0b192fc1");
    words_are(vec_expm1, (float[]){-20, -0.7f, -0.001f, 0.0001f, 0.1f, 5.5f},
              (uint32_t[]){0xbf800000, 0xbf00dfc9, 0xba8301a9, 0x38d1b9c6, 0x3dd763da, 0x4373b122});
    range_is(vec_expm1, -2, 0x1p-12, "58942b1f92a6e46b");
    assert_true(isinf(vec_expm1(100)) && isnan(vec_expm1(NAN)) && signbit(vec_expm1(-0.0f)));
    assert_true(vec_exp(-200) == 0 && isinf(vec_exp(100)) && isnan(vec_exp(NAN)));
    assert_true(half_exp(-200) == 0 && isinf(half_exp(101)) && isnan(half_exp(NAN)));
}
static void angles(void **state) {
    (void)state;
    const float x[] = {-2, 0.5f, 3.2f, 88.8f, 777.7f, 9876.5f};
    words_are(vec_sin, x, (uint32_t[]){0xbf68c7b7, 0x3ef57744, 0xbd6f19c7, 0x3f3dd795, 0xbf7ce5e6, 0xbf1e6e3e});
    words_are(vec_cos, x, (uint32_t[]){0xbed51133, 0x3f60a940, 0xbf7f903f, 0x3f2bbe70, 0x3e1eece4, 0x3f49161d});
    range_is(vec_sin, -30, 0x1p-6, "032d9d5dfc618264");
    range_is(vec_cos, -30, 0x1p-6, "61d4177628b65230");
    assert_true(fabsf(vec_sin(1e6f) + 0.3499935f) < 1e-6f && fabsf(vec_cos(1e6f) - 0.9367521f) < 1e-6f);
    assert_true(isnan(vec_sin(INFINITY)) && isnan(vec_cos(NAN)) && signbit(vec_sin(-0.0f)));
}
static void logarithms(void **state) {
    (void)state;
    words_are(vec_log, (float[]){0.01f, 0.7f, 1.3f, 3, 10, 12345.6f},
              (uint32_t[]){0xc0935d8e, 0xbeb69e1a, 0x3e86549a, 0x3f8c9f54, 0x40135d8e, 0x4116bca4});
    words_are(vec_log, (float[]){0x1.8p-126f, 1e-40f, 2 / 3.0f, 4 / 3.0f, 3e38f, 1},
              (uint32_t[]){0xc2addcb6, 0xc2b834f2, 0xbecf991e, 0x3e934b12, 0x42b13196, 0});
    range_is(vec_log, 0x1p-9, 0x1p-9, "d1b86b7e40b1f9d5");
    assert_true(isinf(vec_log(0)) && isnan(vec_log(-1)) && isinf(vec_log(INFINITY)) && vec_log(1) == 0);
    assert_true(isinf(half_log(0)) && isnan(half_log(-1)) && isinf(half_log(INFINITY)) && half_log(1) == 0);
    assert_int_equal(word_of(half_log(0x1.fa0ba8p+127f)), word_of(0x1.62d836p+6f)); /* 4/3 of it is no float32 */
}
/* Of i / 48, as a model of RWKV holds them; and nowhere more than one bit off. */
static void square_roots(void **state) {
    (void)state;
    float y[48];
    for (int i = 0; i < 48; i++) y[i] = vec_sqrt((float)(i / 48.0));
    digest_is(y, sizeof y, "0831023da06be046");
    for (float x = 0x1p-120f; x < 0x1p120f; x *= 1.37f) assert_true(labs((long)word_of(vec_sqrt(x)) - (long)word_of(sqrtf(x))) <= 1);
    assert_true(isinf(vec_sqrt(INFINITY)) && isnan(vec_sqrt(-1)) && vec_sqrt(0x1p-140f) == 0x1p-70f);
}
static void powers_are(float base, const uint32_t *words, const char *digest) {
    static float y[640];
    for (int i = 0; i < 640; i++) y[i] = vec_pow(base, (float)(i * (1 / 640.0)));
    for (int i = 0; i < 5; i++) assert_int_equal(word_of(y[1 + 13 * i]), words[i]);
    digest_is(y, sizeof y, digest);
}
static void powers(void **state) {
    (void)state;
    powers_are(1e4f, (uint32_t[]){0x3f81dafb, 0x3f9c920d, 0x3fbcc820, 0x3fe39ea9, 0x40093956}, "55f5a0f4fce65d0a");
    powers_are(5e5f, (uint32_t[]){0x3f82a6cd, 0x3faa8f22, 0x3fdea80d, 0x4011555d, 0x403db9c1}, "4273613fa23d3dec");
    powers_are(25.5f, (uint32_t[]){0x3f80a63e, 0x3f8965b2, 0x3f92bd6e, 0x3f9cb7cb, 0x3fa75fda}, "fea5c3502e5d3442");
    assert_true(vec_pow(1, NAN) == 1 && vec_pow(NAN, 0) == 1 && isnan(vec_pow(-2, 0.5f)) && vec_pow(-2, 3) == -8);
    assert_true(vec_pow(0, 2) == 0 && isinf(vec_pow(0, -1)) && isinf(vec_pow(1e30f, 9)) && vec_pow(1e30f, -9) == 0);
}

typedef struct digests { const char *bf16, *f16; } digests;
static void halves_are(function fn, void (*all)(const float *, float *, size_t), double first, double step, digests want) {
    static float x[2][POINTS], y[2][POINTS];
    static uint16_t out[2][POINTS];
    for (int i = 0; i < POINTS; i++) {
        x[0][i] = from_bf16(to_bf16((float)(first + i * step)));
        x[1][i] = from_f16(to_f16((float)(first + i * step)));
    }
    for (int k = 0; k < 2; k++) {
        if (all) all(x[k], y[k], POINTS);
        for (int i = 0; i < POINTS; i++) {
            if (fn) y[k][i] = fn(x[k][i]);
            out[k][i] = k ? to_f16(y[k][i]) : to_bf16(y[k][i]);
        }
    }
    digest_is(out[0], sizeof out[0], want.bf16);
    digest_is(out[1], sizeof out[1], want.f16);
}
static void sixteen_bits(void **state) {
    (void)state;
    halves_are(half_exp, NULL, -10, 0x1p-10, (digests){"42ed5fb25afe46e0", "7e96c11c3f560dd8"});
    halves_are(NULL, half_sin, -30, 0x1p-6, (digests){"846cf83eabd606c1", "089b7baf57d74820"});
    halves_are(NULL, half_cos, -30, 0x1p-6, (digests){"ed7c92bcb9cd5605", "4e46f0e7418be481"});
    halves_are(half_log, NULL, 0x1p-9, 0x1p-9, (digests){"dc653c385571d2f8", "5932a22dc24d7d37"});
}
/* Every float16 comes back from float32; what lies between rounds to the even one. */
static void rounding(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float x = from_f16((uint16_t)h), b = from_bf16((uint16_t)h);
        if (!isnan(x)) assert_int_equal(to_f16(x), h);
        if (!isnan(b)) assert_int_equal(to_bf16(b), h);
    }
    assert_int_equal(to_f16(65519.99f), 0x7bff);
    assert_int_equal(to_f16(65520), 0x7c00);
    assert_int_equal(to_f16(0x1p-25f), 0);
    assert_int_equal(to_f16(-0x1.8p-24f), 0x8002);
    assert_int_equal(to_f16(0x1.002p0f), 0x3c00);
    assert_int_equal(to_f16(0x1.006p0f), 0x3c02);
    assert_int_equal(to_bf16(0x1.01p0f), 0x3f80);
    assert_int_equal(to_bf16(0x1.03p0f), 0x3f82);
    assert_int_equal(to_bf16(0x1.ffp127f), 0x7f80);
    assert_true(isnan(from_f16(to_f16(NAN))) && isnan(from_bf16(to_bf16(NAN))));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponentials), cmocka_unit_test(angles),       cmocka_unit_test(logarithms),
        cmocka_unit_test(powers),       cmocka_unit_test(sixteen_bits), cmocka_unit_test(rounding), cmocka_unit_test(square_roots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
