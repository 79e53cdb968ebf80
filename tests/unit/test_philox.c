/* The order-free stream: known answers, any slice is the whole's, and the shape of what is drawn. Seeds are fixed, so the limits are exact. */
#include "init/philox.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
enum { MANY = 200000 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { MANY = 200000 };
#else
enum { MANY = 10000000 };
#endif
#else
enum { MANY = 10000000 };
#endif

static const draw normal = {.kind = DRAW_NORMAL, .dtype = TARE_F32, .b = 1}, uniform = {.kind = DRAW_UNIFORM, .dtype = TARE_F32, .b = 1};
typedef enum rule { UNIFORM, NORMAL, CUT, CUT_FAR, RULES } rule;

static void *room(size_t bytes) {
    void *p = malloc(bytes);
    assert_non_null(p);
    return p;
}
static void fill(rule r, tare_dtype dtype, uint64_t seed, const char *name, uint64_t first, uint64_t n, int threads, void *to) {
    draw d = r == UNIFORM ? uniform : normal;
    d.dtype = dtype;
    if (r == CUT) assert_true(philox_trunc(seed, name, &d, -1.5, 2, first, n, threads, to));
    else if (r == CUT_FAR) assert_true(philox_trunc(seed, name, &d, 1, 2, first, n, threads, to));
    else philox_fill(seed, name, &d, first, n, threads, to);
}

/* The known answers of Random123 for seven rounds; the lower half of the counter is `low`. */
static void answer_is(uint64_t key, uint64_t low, uint64_t high, const uint32_t want[4]) {
    static const char *const sets[] = {"scalar", "avx2", "avx512"};
    for (size_t s = 0; s < 3; s++) {
        uint32_t got[64];
        const lanes *l = lanes_named(sets[s]);
        if (!l) continue;
        for (size_t before = 0; before < 16; before++) { /* in every place of a vector */
            l->philox(got, key, low - before, high, 16);
            assert_memory_equal(got + 4 * before, want, 16);
        }
    }
}
static void test_known(void **state) {
    (void)state;
    answer_is(0, 0, 0, (const uint32_t[]){0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48});
    answer_is(UINT64_MAX, UINT64_MAX, UINT64_MAX, (const uint32_t[]){0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662});
    answer_is(UINT64_C(0x299f31d0a4093822), UINT64_C(0x85a308d3243f6a88), UINT64_C(0x0370734413198a2e),
        (const uint32_t[]){0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a});
    assert_true(philox_key(0, "") == UINT64_C(0xf52a15e9a9b5e89b));
    assert_true(philox_key(0, "weight") == UINT64_C(0xcdf48d121f94c035));
    assert_true(philox_key(1, "weight") == UINT64_C(0xd580167044f91648));
    assert_true(philox_key((UINT64_C(1) << 63) + 7, "model.embed_tokens.weight") == UINT64_C(0x67ede07aa662a37d));
}

/* As the header defines it, element by element. */
static void test_definition(void **state) {
    (void)state;
    enum { N = 100 };
    float got[N];
    uint32_t words[N];
    const lanes *l = lanes_named("scalar");
    fill(UNIFORM, TARE_F32, 4, "w", 0, N, 1, got);
    l->philox(words, philox_key(4, "w"), 0, 0, N / 4);
    for (size_t i = 0; i < N; i++) assert_true(got[i] == (float)(words[i] & 0xffffff) / 16777216.0f);
    fill(NORMAL, TARE_F32, 4, "w", 0, N, 1, got);
    for (size_t i = 0; i + 16 <= N; i += i % 16 == 7 ? 9 : 1) {
        double u = 1 - (double)(words[i] & 0xffffff) / 16777216, v = (double)(words[i + 8] & 0xffffff) / 16777216, r = sqrt(-2 * log(u));
        assert_true(fabs((double)got[i] - r * cos(6.283185307179586 * v)) < 1e-5);
        assert_true(fabs((double)got[i + 8] - r * sin(6.283185307179586 * v)) < 1e-5);
    }
}

static void test_slices(void **state) {
    (void)state;
    enum { N = 3000 };
    static const tare_dtype dtypes[] = {TARE_F32, TARE_BF16, TARE_F16, TARE_F64};
    double *whole = room(N * 8), *part = room(N * 8);
    for (int r = 0; r < RULES; r++)
        for (int t = 0; t < 4; t++) {
            size_t size = tare_dtype_bytes(dtypes[t]);
            fill((rule)r, dtypes[t], 1, "a.weight", 0, N, 1, whole);
            for (size_t first = 0; first < N; first += first < 40 ? 1 : 197)
                for (size_t n = 0; first + n <= N; n += n < 40 ? 1 : 311) {
                    fill((rule)r, dtypes[t], 1, "a.weight", first, n, 1, part);
                    assert_memory_equal(part, (char *)whole + first * size, n * size);
                }
        }
    free(whole);
    free(part);
}
/* A slice far out, where counters need more than 32 bits. */
static void test_far(void **state) {
    (void)state;
    float a[64], b[64];
    uint64_t far = (UINT64_C(1) << 34) - 32;
    fill(NORMAL, TARE_F32, 1, "w", far, 64, 1, a);
    fill(NORMAL, TARE_F32, 1, "w", far + 32, 32, 1, b);
    assert_memory_equal(a + 32, b, 32 * sizeof *b);
    fill(NORMAL, TARE_F32, 1, "w", 0, 32, 1, b);
    assert_memory_not_equal(a + 32, b, 32 * sizeof *b);
}
static void test_threads(void **state) {
    (void)state;
    enum { N = (3 << 19) + 21 };
    float *one = room(N * 4), *more = room(N * 4);
    for (int r = 0; r < CUT_FAR; r++)
        for (int threads = 2; threads < 4; threads++) {
            fill((rule)r, TARE_F32, 2, "w", 5, N, 1, one);
            fill((rule)r, TARE_F32, 2, "w", 5, N, threads, more);
            assert_memory_equal(one, more, N * 4);
        }
    free(one);
    free(more);
}
/* Another dtype holds the same values, rounded. */
static void test_dtypes(void **state) {
    (void)state;
    enum { N = 5000 };
    static float f[N];
    static double d[N];
    static uint16_t h[N], want[N];
    const lanes *l = lanes_best();
    for (int r = 0; r < RULES; r++) {
        fill((rule)r, TARE_F32, 3, "w", 0, N, 1, f);
        fill((rule)r, TARE_F64, 3, "w", 0, N, 1, d);
        for (size_t i = 0; i < N; i++) assert_true((double)f[i] == d[i]);
        fill((rule)r, TARE_BF16, 3, "w", 0, N, 1, h);
        l->bf16(want, f, N);
        assert_memory_equal(h, want, sizeof h);
        fill((rule)r, TARE_F16, 3, "w", 0, N, 1, h);
        l->f16(want, f, N);
        assert_memory_equal(h, want, sizeof h);
    }
}

/* ---- shape --------------------------------------------------------------------------------------------------------------- */

static double below(double x) { return erfc(-x * 0.7071067811865476) / 2; }
static double cdf(rule r, double x) {
    if (r == UNIFORM) return x;
    if (r == NORMAL) return below(x);
    double lo = r == CUT ? -1.5 : 1;
    return (below(x) - below(lo)) / (below(2) - below(lo));
}
/* Kolmogorov and Smirnov over 4096 bins of equal chance: sqrt(n) times the largest distance. */
static double distance(rule r, const float *x, size_t n) {
    enum { BINS = 4096 };
    static uint64_t count[BINS + 1];
    double most = 0;
    uint64_t sum = 0;
    memset(count, 0, sizeof count);
    for (size_t i = 0; i < n; i++) {
        double p = cdf(r, (double)x[i]);
        assert_true(p >= 0 && p <= 1);
        count[(size_t)(p * (double)BINS)]++;
    }
    for (size_t i = 0; i < BINS; i++) {
        sum += count[i];
        most = fmax(most, fabs((double)sum / (double)n - (double)(i + 1) / (double)BINS));
    }
    return most * sqrt((double)n);
}
static void test_shape(void **state) {
    (void)state;
    float *x = room(MANY * sizeof *x);
    for (int r = 0; r < RULES; r++) {
        size_t n = r == CUT_FAR ? MANY / 10 : MANY;
        fill((rule)r, TARE_F32, 0, "shape.weight", 0, n, 2, x);
        assert_true(distance((rule)r, x, n) < 1.63); /* one in a hundred would be further off by chance */
    }
    free(x);
}

/* Sums of powers, against those of the rule, in standard errors. */
static void test_moments(void **state) {
    (void)state;
    static const double want[2][4] = {{0, 1, 0, 9.0 / 5}, {0, 1, 0, 3}}, spread[2][4] = {{1, 0.894, 1.51, 2.33}, {1, 1.4142, 3.873, 9.798}};
    float *x = room(MANY * sizeof *x);
    for (int r = 0; r <= NORMAL; r++) {
        double sum[4] = {0};
        fill((rule)r, TARE_F32, 0, "moments.weight", 0, MANY, 2, x);
        for (size_t i = 0; i < MANY; i++) {
            double v = r == UNIFORM ? ((double)x[i] + 0x1p-25 - .5) * sqrt(12) : (double)x[i], p = v;
            for (int k = 0; k < 4; k++, p *= v) sum[k] += p;
        }
        for (int k = 0; k < 4; k++) assert_true(fabs(sum[k] / (double)MANY - want[r][k]) * sqrt(MANY) < 3 * spread[r][k]);
    }
    free(x);
}

static double correlation(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum / sqrt((double)n); /* standard normal when there is none */
}
static void test_independent(void **state) {
    (void)state;
    enum { N = MANY / 5 };
    float *x = room(N * sizeof *x), *y = room(N * sizeof *y);
    static const size_t lags[] = {1, 4, 8, 16, 32};
    fill(NORMAL, TARE_F32, 0, "layers.0.weight", 0, N, 2, x);
    for (size_t i = 0; i < sizeof lags / sizeof *lags; i++) assert_true(fabs(correlation(x, x + lags[i], N - lags[i])) < 3);
    fill(NORMAL, TARE_F32, 0, "layers.1.weight", 0, N, 2, y);
    assert_true(fabs(correlation(x, y, N)) < 3);
    fill(NORMAL, TARE_F32, 1, "layers.0.weight", 0, N, 2, y);
    assert_true(fabs(correlation(x, y, N)) < 3);
    free(x);
    free(y);
}

static void test_refused(void **state) {
    (void)state;
    float x[16];
    draw d = normal;
    assert_false(philox_trunc(0, "w", &d, 1, -1, 0, 16, 1, x));
    assert_false(philox_trunc(0, "w", &d, (double)NAN, 1, 0, 16, 1, x));
    d.b = 0;
    assert_false(philox_trunc(0, "w", &d, -1, 1, 0, 16, 1, x));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known), cmocka_unit_test(test_definition), cmocka_unit_test(test_slices), cmocka_unit_test(test_far),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_dtypes), cmocka_unit_test(test_shape), cmocka_unit_test(test_moments),
        cmocka_unit_test(test_independent), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
