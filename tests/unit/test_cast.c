/* Casts: the bits of torch 2.13.0 on x86-64, whatever the width of vectors. */
#include "core/sha256.h"
#include "load/cast.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *const sets[] = {"scalar", "avx2", "avx512"};
enum {
    F32 = TARE_F32, F16 = TARE_F16, BF16 = TARE_BF16, F64 = TARE_F64, I64 = TARE_I64, I32 = TARE_I32, I16 = TARE_I16, I8 = TARE_I8, U8 = TARE_U8,
    BOOL = TARE_BOOL, C64 = TARE_C64, F8_E4M3 = TARE_F8_E4M3, F8_E5M2 = TARE_F8_E5M2, U16 = TARE_U16, U32 = TARE_U32, U64 = TARE_U64,
    F8_E8M0 = TARE_F8_E8M0, F8_E4M3FNUZ = TARE_F8_E4M3FNUZ, F8_E5M2FNUZ = TARE_F8_E5M2FNUZ
};

/* ---- what is cast: all patterns of eight and of sixteen bits; of wider ones random bits, of floats every other one of a usual size ---- */

enum { MANY = 16384 };
static uint32_t words[2 * MANY];
static void make_words(void) {
    uint64_t s = 7;
    for (size_t i = 0; i < 2 * MANY; i++) {
        s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        words[i] = (uint32_t)(s >> 32);
    }
}
static uint32_t usual_float(uint32_t w, size_t i) { return i % 2 ? (w & 0x807fffffu) | (100 + (w >> 23 & 63)) << 23 : w; }
/* NaN is left out: what torch makes of it in BF16 depends on its place. */
static uint64_t usual_double(uint64_t w, size_t i) {
    uint64_t e = w >> 52 & 0x7ff;
    e = i % 2 ? 983 + (e & 127) : e < 0x7ff ? e : 0x7fe;
    return (w & UINT64_C(0x800fffffffffffff)) | e << 52;
}
/* How many elements there are of a dtype; they are put to `out`. */
static size_t make(tare_dtype from, void *out) {
    uint8_t *b = out;
    uint16_t *h = out;
    uint32_t *w = out;
    uint64_t *d = out;
    size_t size = tare_dtype_bytes(from), n = size == 1 ? 256 : size == 2 ? 65536 : MANY, parts = from == TARE_C64 ? 2 * n : n;
    for (size_t i = 0; i < parts; i++) {
        uint64_t wide = (uint64_t)words[2 * (i % MANY)] << 32 | words[2 * (i % MANY) + 1];
        if (size == 1) b[i] = (uint8_t)i;
        else if (size == 2) h[i] = (uint16_t)i;
        else if (from == TARE_F32 || from == TARE_C64) w[i] = usual_float(words[i], i);
        else if (size == 4) w[i] = words[i] >> i % 32;
        else d[i] = from == TARE_F64 ? usual_double(wide, i) : wide >> i % 64;
    }
    return n;
}

/* The first 16 digits of sha256 of what torch makes of it. */
static const struct { int from, to; const char *sha; } cast[] = {
    {F32, F64, "287845fe7c7d61a7"}, {F32, F16, "08131594d796aba6"}, {F32, BF16, "905dfaad5eff75e6"},
    {F32, I64, "af3bbc31b277591a"}, {F32, I32, "f99e1cb8f21dea84"}, {F32, I16, "c75663187ffa8181"},
    {F32, I8, "ed9b575d66af94f4"}, {F32, U8, "ed9b575d66af94f4"}, {F32, BOOL, "111ce3c2a38d83a2"},
    {F16, F64, "0f233aaf46a3f923"}, {F16, F32, "b636c5716ff84d97"}, {F16, BF16, "37de2c9beecc2633"},
    {F16, I64, "fef2a2a25b54bda0"}, {F16, I32, "f0527adfe5b6c125"}, {F16, I16, "a1325ea2bec771d0"},
    {F16, I8, "8d667a068ef0117e"}, {F16, U8, "8d667a068ef0117e"}, {F16, BOOL, "9fcf1d3ffdd96151"},
    {BF16, F64, "3a1dfdeaf0f7c870"}, {BF16, F32, "9207d7eb28680a09"}, {BF16, F16, "77a6185483423cf9"},
    {BF16, I64, "e8705217db04b079"}, {BF16, I32, "a571c5b54174c297"}, {BF16, I16, "80c1dbb0c36ab3b0"},
    {BF16, I8, "f1d0b3844f8ecd37"}, {BF16, U8, "f1d0b3844f8ecd37"}, {BF16, BOOL, "9fcf1d3ffdd96151"},
    {F64, F32, "4bc85cc1cbcc14e4"}, {F64, F16, "d46bb3d61806571c"}, {F64, BF16, "33d5fcb60d0b0f7e"},
    {F64, I64, "03503d79c3b0aa83"}, {F64, I32, "f426de7db430c071"}, {F64, I16, "914ff3db381a6475"},
    {F64, I8, "d53954babd0ffe3d"}, {F64, U8, "bdcbeeda72e32efc"}, {F64, BOOL, "111ce3c2a38d83a2"},
    {I64, F64, "713c713371c6da1d"}, {I64, F32, "2e8b5acae9e19612"}, {I64, F16, "377d5b5e8f5e8a16"},
    {I64, BF16, "6f578573c7eddf5a"}, {I64, I32, "f05fbcaa336335b4"}, {I64, I16, "6df7e348c1512236"},
    {I64, I8, "bd887b6882a995a5"}, {I64, U8, "bd887b6882a995a5"}, {I64, BOOL, "ffb16756d6bc34a8"},
    {I32, F64, "d9826e3827be26ee"}, {I32, F32, "5023b795298d87ca"}, {I32, F16, "cba6b8895f8756b9"},
    {I32, BF16, "05fef280093f2e91"}, {I32, I64, "4e1ffcb35baabf9c"}, {I32, I16, "5bf98d341bc16394"},
    {I32, I8, "5c06e7642773580e"}, {I32, U8, "5c06e7642773580e"}, {I32, BOOL, "5f9a4052f66deab7"},
    {I16, F64, "e86856ea07f47c99"}, {I16, F32, "1964bf18f139fa9e"}, {I16, F16, "4ced34d8e5088c21"},
    {I16, BF16, "d01bc2c5350911f0"}, {I16, I64, "4c334a94a7a55aaa"}, {I16, I32, "2808ee2b38d23fc1"},
    {I16, I8, "7daca2095d043826"}, {I16, U8, "7daca2095d043826"}, {I16, BOOL, "8a90e25b26e9fc14"},
    {I8, F64, "532d1d5d6d7cc915"}, {I8, F32, "d4b395f3f1dd71c6"}, {I8, F16, "78db788268389ad4"},
    {I8, BF16, "437847f7487179ec"}, {I8, I64, "016984ab6a7de09f"}, {I8, I32, "aa4ef52cd588d753"},
    {I8, I16, "f679e415a56c7677"}, {I8, U8, "40aff2e9d2d8922e"}, {I8, BOOL, "fdc51f3e7ffa1827"},
    {U8, F64, "ffc81e1331c58288"}, {U8, F32, "04441b72253f4938"}, {U8, F16, "5801ecebd1251124"},
    {U8, BF16, "8549db236ac71508"}, {U8, I64, "bbd330b12e8159e1"}, {U8, I32, "8808405eec6fbe30"},
    {U8, I16, "d93bf0591d37628e"}, {U8, I8, "40aff2e9d2d8922e"}, {U8, BOOL, "fdc51f3e7ffa1827"},
    {BOOL, F64, "c788ab9a1e14338e"}, {BOOL, F32, "ab579e289caeff5c"}, {BOOL, F16, "14734483b01ed30c"},
    {BOOL, BF16, "efd475d4e0107bf0"}, {BOOL, I64, "2322d8bd68663858"}, {BOOL, I32, "51cea6578e46e374"},
    {BOOL, I16, "14413bbe7c8971cb"}, {BOOL, I8, "fdc51f3e7ffa1827"}, {BOOL, U8, "fdc51f3e7ffa1827"},
    {C64, F64, "637ad20baf12b421"}, {C64, F32, "f0be5bec5ef078a4"}, {C64, F16, "d3c9b01e09b7db8e"},
    {C64, BF16, "490a8191e19fd1b5"}, {C64, I64, "f282875af5f74cc3"}, {C64, I32, "6a1fa8fcf7ccc6ff"},
    {C64, I16, "961e25332a8b6262"}, {C64, I8, "cf8edb2fefe3aea4"}, {C64, U8, "cf8edb2fefe3aea4"},
    {C64, BOOL, "111ce3c2a38d83a2"}, {F8_E4M3, F64, "df0486bcf5528589"}, {F8_E4M3, F32, "8c7066d2da2e927f"},
    {F8_E4M3, F16, "c81eb9389835971f"}, {F8_E4M3, BF16, "15e7e4f7f07a1a04"}, {F8_E4M3, I64, "f53a09aa57c5a9d9"},
    {F8_E4M3, I32, "229c13f8d90911ae"}, {F8_E4M3, I16, "3ac5c9ea7e613647"}, {F8_E4M3, I8, "5beacc1b8d6103ca"},
    {F8_E4M3, U8, "5beacc1b8d6103ca"}, {F8_E4M3, BOOL, "c8a48e3bf92ee905"}, {F8_E5M2, F64, "1db7f0a17bdc3679"},
    {F8_E5M2, F32, "f27340bbd2d23b7e"}, {F8_E5M2, F16, "bf959bba531d710d"}, {F8_E5M2, BF16, "d6e0c4cfe40a6331"},
    {F8_E5M2, I64, "961ad36f9d0d7984"}, {F8_E5M2, I32, "3b7036416718969b"}, {F8_E5M2, I16, "d38516710ba0fe61"},
    {F8_E5M2, I8, "c365cdae559a1aea"}, {F8_E5M2, U8, "c365cdae559a1aea"}, {F8_E5M2, BOOL, "c8a48e3bf92ee905"},
    {U16, F64, "85e2c50cd49d0496"}, {U16, F32, "00f2c484030d0c6a"}, {U16, F16, "ccf21a6840864e8d"},
    {U16, BF16, "b645b1100423eb01"}, {U16, I64, "197f7a314b356f70"}, {U16, I32, "4a35a59aabf394ad"},
    {U16, I16, "68e419472d25e0b8"}, {U16, I8, "7daca2095d043826"}, {U16, U8, "7daca2095d043826"},
    {U16, BOOL, "8a90e25b26e9fc14"}, {U32, F64, "613c6d3d3815c5d2"}, {U32, F32, "3a1bbca41a94a86f"},
    {U32, F16, "5e923bffe60c3d75"}, {U32, BF16, "f7a2a474cf8e7ba8"}, {U32, I64, "0681165d211c507e"},
    {U32, I32, "0a9ee347fdc84616"}, {U32, I16, "5bf98d341bc16394"}, {U32, I8, "5c06e7642773580e"},
    {U32, U8, "5c06e7642773580e"}, {U32, BOOL, "5f9a4052f66deab7"}, {U64, F64, "f3f48f7637ed4e55"},
    {U64, F32, "079fd59e07e36e69"}, {U64, F16, "5fccf1c8343cc687"}, {U64, BF16, "dc6ab8f39b066f0c"},
    {U64, I64, "4e1dbbe9c8d82efa"}, {U64, I32, "f05fbcaa336335b4"}, {U64, I16, "6df7e348c1512236"},
    {U64, I8, "bd887b6882a995a5"}, {U64, U8, "bd887b6882a995a5"}, {U64, BOOL, "ffb16756d6bc34a8"},
    {F8_E8M0, F64, "4dcc73e8c3404622"}, {F8_E8M0, F32, "32402a0a1e6da55b"}, {F8_E8M0, F16, "18b6eb0c3764225a"},
    {F8_E8M0, BF16, "a14d04d51cf9dd86"}, {F8_E8M0, I64, "62a08ae7222a6ea7"}, {F8_E8M0, I32, "bc86220ac401b3e0"},
    {F8_E8M0, I16, "f3ebfc6df4d4acea"}, {F8_E8M0, I8, "b0e4b649f84d4943"}, {F8_E8M0, U8, "b0e4b649f84d4943"},
    {F8_E8M0, BOOL, "2661920f2409dd6c"}, {F8_E4M3FNUZ, F64, "481927b62ab5d0a8"}, {F8_E4M3FNUZ, F32, "6b26d984a28fcec3"},
    {F8_E4M3FNUZ, F16, "be4fefb4e266bdb5"}, {F8_E4M3FNUZ, BF16, "6e00d3dd9a1f38fb"}, {F8_E4M3FNUZ, I64, "53d3fd745314e3f3"},
    {F8_E4M3FNUZ, I32, "c5cd66934c9bcab1"}, {F8_E4M3FNUZ, I16, "d92c67fd9813ab56"}, {F8_E4M3FNUZ, I8, "c6aaf04e9b40d45a"},
    {F8_E4M3FNUZ, U8, "c6aaf04e9b40d45a"}, {F8_E4M3FNUZ, BOOL, "fdc51f3e7ffa1827"}, {F8_E5M2FNUZ, F64, "cecab86e7ee454a7"},
    {F8_E5M2FNUZ, F32, "3d9ca48a491b8b4a"}, {F8_E5M2FNUZ, F16, "8607ba7d8d78152a"}, {F8_E5M2FNUZ, BF16, "4364d98bdc8bc8cf"},
    {F8_E5M2FNUZ, I64, "249762cc04c89de7"}, {F8_E5M2FNUZ, I32, "659d56f8c8855229"}, {F8_E5M2FNUZ, I16, "2adebe6c5e472e8d"},
    {F8_E5M2FNUZ, I8, "e36db2bf53a0afeb"}, {F8_E5M2FNUZ, U8, "e36db2bf53a0afeb"}, {F8_E5M2FNUZ, BOOL, "fdc51f3e7ffa1827"},
};

static _Alignas(64) char in[65536 * 8 + 64], out[65536 * 8 + 64];
static void digest_is(size_t row, size_t n, const char *set) {
    sha256 h;
    char hex[65];
    sha256_start(&h);
    sha256_take(&h, out, n * tare_dtype_bytes((tare_dtype)cast[row].to));
    sha256_end(&h, hex);
    hex[16] = '\0';
    if (strcmp(hex, cast[row].sha))
        fail_msg("%s: %s to %s is not torch's", set, tare_dtype_name((tare_dtype)cast[row].from), tare_dtype_name((tare_dtype)cast[row].to));
}
static void test_torch(void **state) {
    (void)state;
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        const lanes *l = lanes_named(sets[s]);
        for (size_t i = 0; l && i < sizeof cast / sizeof *cast; i++) {
            tare_dtype from = (tare_dtype)cast[i].from, to = (tare_dtype)cast[i].to;
            assert_true(cast_exists(cast[i].from, cast[i].to));
            size_t n = make(from, in);
            cast_run(l, to, out, from, in, n, false);
            digest_is(i, n, sets[s]);
            memmove(in + 3, in, n * tare_dtype_bytes(from)); /* from anywhere, past the caches */
            memset(out, 0, sizeof out);
            cast_run(l, to, out, from, in + 3, n, true);
            l->fence();
            digest_is(i, n, sets[s]);
        }
    }
}

/* Every length: nothing beyond it is written, and the first elements are those of more. */
static void test_lengths(void **state) {
    (void)state;
    static char whole[300 * 8];
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        const lanes *l = lanes_named(sets[s]);
        for (size_t i = 0; l && i < sizeof cast / sizeof *cast; i++) {
            tare_dtype from = (tare_dtype)cast[i].from, to = (tare_dtype)cast[i].to;
            size_t size = tare_dtype_bytes(to);
            make(from, in);
            cast_run(l, to, whole, from, in, 200, false);
            for (size_t n = 0; n < 200; n += 1 + n / 20) {
                memset(out, 0x5a, 201 * size);
                cast_run(l, to, out, from, in, n, n % 2);
                l->fence();
                assert_memory_equal(out, whole, n * size);
                assert_int_equal(out[n * size], 0x5a);
            }
        }
    }
}

/* All 2^32 patterns of F32 in steps that meet every exponent and the neighbours of every half of the last places. */
static void test_narrow(void **state) {
    (void)state;
    const lanes *base = lanes_named("scalar"), *l = lanes_best();
    static uint32_t bits[4096];
    static uint16_t a[4096], b[4096];
    for (uint64_t first = 0; first < UINT64_C(1) << 32; first += UINT64_C(4096) * 61) {
        for (uint32_t i = 0; i < 4096; i++) bits[i] = (uint32_t)(first + i * UINT64_C(61));
        for (int to = TARE_F16; to <= TARE_BF16; to++) {
            cast_run(base, (tare_dtype)to, a, TARE_F32, bits, 4096, false);
            cast_run(l, (tare_dtype)to, b, TARE_F32, bits, 4096, false);
            assert_memory_equal(a, b, sizeof a);
        }
    }
}

static void odd_are(tare_dtype dtype, uint64_t nan, uint64_t inf) {
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        const lanes *l = lanes_named(sets[s]);
        uint64_t got_nan = 1, got_inf = 2;
        if (!l) continue;
        cast_odd(l, dtype, in, make(dtype, in), &got_nan, &got_inf);
        assert_int_equal(got_nan, nan + 1);
        assert_int_equal(got_inf, inf + 2);
    }
}
/* Of all patterns, torch.isnan().sum() and torch.isinf().sum(). */
static void test_odd(void **state) {
    (void)state;
    odd_are(TARE_F16, 2046, 2);
    odd_are(TARE_BF16, 254, 2);
    odd_are(TARE_F8_E4M3, 2, 0);
    odd_are(TARE_F8_E5M2, 6, 2);
    odd_are(TARE_F8_E4M3FNUZ, 1, 0);
    odd_are(TARE_F8_E5M2FNUZ, 1, 0);
    odd_are(TARE_F8_E8M0, 1, 0);
    odd_are(TARE_I16, 0, 0);
    odd_are(TARE_U8, 0, 0);
    const uint64_t wide[] = {UINT64_C(0x7ff0000000000000), UINT64_C(0xfff0000000000001), UINT64_C(0x7fefffffffffffff), UINT64_C(0xfff0000000000000)};
    const uint32_t narrow[] = {0x7f800000, 0x7f800000, 0xff800001, 0x3f800000, 0x7fc00000, 0xff800000, 0x7f7fffff, 0};
    uint64_t nan = 0, inf = 0;
    cast_odd(lanes_best(), TARE_F64, wide, 4, &nan, &inf);
    assert_true(nan == 1 && inf == 2);
    cast_odd(lanes_best(), TARE_F32, narrow, 8, &nan, &inf);
    assert_true(nan == 3 && inf == 5);
    cast_odd(lanes_best(), TARE_C64, narrow, 4, &nan, &inf);
    assert_true(nan == 5 && inf == 7);
}
static void test_exists(void **state) {
    (void)state;
    assert_true(cast_exists(TARE_F4, TARE_F4));
    assert_false(cast_exists(TARE_F4, TARE_F32));
    assert_false(cast_exists(TARE_F32, TARE_F8_E4M3));
    assert_false(cast_exists(-1, TARE_F32));
    assert_false(cast_exists(TARE_F32, TARE_DTYPE_COUNT));
}

int main(void) {
    make_words();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torch), cmocka_unit_test(test_lengths), cmocka_unit_test(test_narrow), cmocka_unit_test(test_odd), cmocka_unit_test(test_exists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
