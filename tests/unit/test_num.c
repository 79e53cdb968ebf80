/* Floats as Python's repr() writes them, integers, edit distance. */
#include "core/half.h"
#include "tare.h"
#include "core/num.h"
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void float_is(double d, const char *want) {
    char got[NUM_TEXT];
    size_t n = num_float(got, d);
    assert_string_equal(got, want);
    assert_int_equal(n, strlen(want));
}
/* Each literal is spelt as Python prints it. */
#define REPR(x) float_is((x), #x)

static void test_float_plain(void **state) {
    (void)state;
    REPR(0.0), REPR(-0.0), REPR(1.0), REPR(-1.0), REPR(2.0), REPR(10.0), REPR(100.0), REPR(0.5), REPR(0.1), REPR(0.2), REPR(0.3);
    REPR(0.02), REPR(0.001), REPR(0.0001), REPR(0.00012345), REPR(1.5), REPR(-2.5), REPR(123.456), REPR(10000.0), REPR(500000.0);
    REPR(1000000.0), REPR(123456789.125), REPR(0.044715), REPR(0.30000000000000004), REPR(0.1111111111111111), REPR(0.6666666666666666);
    REPR(3.141592653589793), REPR(2.718281828459045), REPR(1.4142135623730951), REPR(0.08838834764831845), REPR(1.7320508075688772);
    REPR(1000000000000000.0), REPR(9999999999999998.0), REPR(4503599627370495.5), REPR(9007199254740992.0), REPR(0.9999999999999999);
}
static void test_float_exponent(void **state) {
    (void)state;
    REPR(1e-05), REPR(1e-06), REPR(1e-08), REPR(1e-12), REPR(5e-05), REPR(9.5e-07), REPR(1.2345e-05), REPR(-1e-05), REPR(9.999e-05);
    REPR(1e+16), REPR(1e+17), REPR(1.5e+16), REPR(1e+22), REPR(1e+23), REPR(1.2345678901234567e+19), REPR(-1e+30), REPR(1e+100);
    REPR(5e-324), REPR(2.2250738585072014e-308), REPR(1.7976931348623157e+308), REPR(3.4028234663852886e+38), REPR(1.1754943508222875e-38);
    REPR(6.103515625e-05), REPR(2.225073858507201e-308), REPR(1e-100), REPR(9.007199254740993e+18);
}
static void test_float_not_finite(void **state) {
    (void)state;
    float_is(INFINITY, "Infinity");
    float_is(-INFINITY, "-Infinity");
    float_is((double)NAN, "NaN");
}

/* Any double: the text reads back to the same bits, looks like a float, and no text with a digit less does. */
static double drawn(uint64_t *seed) {
    double d;
    do {
        *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
        memcpy(&d, seed, sizeof d);
    } while (!isfinite(d));
    return d;
}
static int digits_of(const char *text) {
    int n = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0')) continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}
static void test_float_reads_back(void **state) {
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        double d = drawn(&seed);
        char text[NUM_TEXT], shorter[40];
        num_float(text, d);
        assert_true(strtod(text, NULL) == d);
        assert_non_null(strpbrk(text, ".e"));
        int digits = digits_of(text);
        if (digits < 2) continue;
        snprintf(shorter, sizeof shorter, "%.*e", digits - 2, d);
        assert_true(strtod(shorter, NULL) != d);
    }
}

static void int_is(int64_t i, const char *want) {
    char got[NUM_TEXT];
    assert_int_equal(num_int(got, i), strlen(want));
    assert_string_equal(got, want);
}
static void test_int(void **state) {
    (void)state;
    int_is(0, "0");
    int_is(7, "7");
    int_is(-1, "-1");
    int_is(4096, "4096");
    int_is(INT64_MAX, "9223372036854775807");
    int_is(INT64_MIN, "-9223372036854775808");
}

static void test_edits(void **state) {
    (void)state;
    assert_int_equal(num_edits("llama", "llama", 3), 0);
    assert_int_equal(num_edits("lama", "llama", 3), 1);
    assert_int_equal(num_edits("num_hiden_layers", "num_hidden_layers", 3), 1);
    assert_int_equal(num_edits("glpt2", "gplt2", 3), 1); /* neighbours swapped */
    assert_int_equal(num_edits("kitten", "sitting", 5), 3);
    assert_int_equal(num_edits("", "abc", 5), 3);
    assert_int_equal(num_edits("", "", 0), 0);
    assert_true(num_edits("bert", "wav2vec2", 2) > 2);
    char endless[300];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = 0;
    assert_true(num_edits(endless, endless, 3) > 3); /* nobody misspells a word of that length */
}

static void test_mul(void **state) {
    (void)state;
    int64_t out = 0;
    assert_true(num_mul(32000, 4096, &out));
    assert_int_equal(out, 131072000);
    assert_true(num_mul(-3, 5, &out));
    assert_int_equal(out, -15);
    assert_true(num_mul(0, INT64_MIN, &out));
    assert_int_equal(out, 0);
    assert_false(num_mul(INT64_MAX, 2, &out));
    assert_false(num_mul(INT64_C(1) << 32, INT64_C(1) << 31, &out));
    assert_false(num_mul(-1, INT64_MIN, &out));
}

/* torch.linspace(0, 0.1, 5).tolist() */
static void test_linspace(void **state) {
    (void)state;
    static const struct { int dtype; double v[5]; } rows[] = {
        {TARE_F32, {0, 0.02500000037252903, 0.05000000074505806, 0.07500000298023224, 0.10000000149011612}},
        {TARE_BF16, {0, 0.0250244140625, 0.050048828125, 0.0751953125, 0.10009765625}},
        {TARE_F16, {0, 0.024993896484375, 0.04998779296875, 0.074951171875, 0.0999755859375}},
        {TARE_F64, {0, 0.025, 0.05, 0.07500000000000001, 0.1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int k = 0; k < 5; k++) assert_true(linspace_in(rows[i].dtype, 0, 0.1, 5, k) == rows[i].v[k]);
        assert_true(linspace_in(rows[i].dtype, 0.25, 0.1, 1, 0) == 0.25);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float_plain), cmocka_unit_test(test_float_exponent), cmocka_unit_test(test_float_not_finite),
        cmocka_unit_test(test_float_reads_back), cmocka_unit_test(test_int), cmocka_unit_test(test_edits), cmocka_unit_test(test_mul),
        cmocka_unit_test(test_linspace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
