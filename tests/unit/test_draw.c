/* Torch's random stream: the bits of torch 2.13.0, whatever the threads and the width of vectors. */
#include "core/arena.h"
#include "core/sha256.h"
#include "init/draw.h"
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
enum { SLOW = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { SLOW = 1 };
#else
enum { SLOW = 0 };
#endif
#else
enum { SLOW = 0 };
#endif
enum { UNIFORM = DRAW_UNIFORM, NORMAL = DRAW_NORMAL, F32 = TARE_F32, F16 = TARE_F16, BF16 = TARE_BF16, F64 = TARE_F64 };
static const char *const sets[] = {"scalar", "avx2", "avx512"};

static draw draw_of(int kind, int dtype, uint64_t n, double a, double b) {
    draw d = {.dtype = (tare_dtype)dtype, .n = n, .a = a, .b = b};
    if (kind == NORMAL) d.kind = DRAW_NORMAL;
    return d;
}
static uint32_t bits_of(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}
static size_t bytes_of(const draw *d) { return (size_t)d->n * tare_dtype_bytes(d->dtype); }
static void *room_for(const draw *d) {
    void *p = calloc(bytes_of(d) + 64, 1);
    assert_non_null(p);
    return p;
}
static void digest_is(const void *data, size_t n, const char *want) {
    sha256 h;
    char hex[65];
    sha256_start(&h);
    sha256_take(&h, data, n);
    sha256_end(&h, hex);
    hex[strlen(want)] = '\0';
    assert_string_equal(hex, want);
}
static void floats_are(rng *g, draw d, const uint32_t *want) {
    float got[32];
    assert_true(draw_fill(g, &d, 1, got));
    for (size_t i = 0; i < d.n; i++) assert_int_equal(bits_of(got[i]), want[i]);
}
#define ARE(g, d, ...) floats_are(g, d, (const uint32_t[]){__VA_ARGS__})

static void test_values(void **state) {
    (void)state;
    rng g;
    rng_seed(&g, 0);
    ARE(&g, draw_of(NORMAL, F32, 16, 0, 1), 0xbf901b85, 0xbf93808a, 0xbe804bd6, 0xbede255d, 0x3f594515, 0x3f312783, 0xbea1cc6d, 0xc0075fc1,
        0x3ea50138, 0xbfa1b4f4, 0x3eb330ff, 0x3e9dc3bb, 0x3df56f77, 0x3f9e6b93, 0x3f8ef28e, 0xbe7d367c);
    rng_seed(&g, 0);
    ARE(&g, draw_of(NORMAL, F32, 5, 0, 1), 0x3fc53f5c, 0xbe963c50, 0xc00b7149, 0x3f1184b6, 0xbf8ad1a1);
    rng_seed(&g, 0);
    ARE(&g, draw_of(UNIFORM, F32, 4, 0, 1), 0x3efe1558, 0x3f44aa2f, 0x3db533a8, 0x3e073300);
    rng_seed(&g, 0);
    ARE(&g, draw_of(UNIFORM, F32, 8, -.5, .25), 0xbe02dffc, 0x3d9bfd1a, 0xbede0650, 0xbecd4ce0, 0xbe89f31c, 0xbcc83878, 0xbe079bb7, 0x3e307835);
}

/* What three small normals leave over is what the next small draw begins with, whatever lies between. */
static void test_left_over(void **state) {
    (void)state;
    rng g;
    rng_seed(&g, 42);
    ARE(&g, draw_of(NORMAL, F32, 9, 0, 1), 0x3eac62ae, 0x3e03e69d, 0x3e7016e7, 0x3e6bdc6c, 0xbf8fb9c2, 0xbe3eccd8, 0x400d532c, 0xbf2353c6, 0x3eec5e56);
    ARE(&g, draw_of(NORMAL, F32, 20, 0, 1), 0xbf4214e2, 0x3f8a0650, 0x3f4d0144, 0x3fd71e93, 0x3d0f003f, 0x3ea4679d, 0x3fc96bbb, 0xbf58708e,
        0x3fa7f9b2, 0x3f2fe9b1, 0xbf8b6a19, 0xbeb5e821, 0xbfb582fd, 0x3f6571d7, 0x3d4c6997, 0x401111e8, 0x3f96e7dd, 0xbede70cf, 0xbfb1746d,
        0xbfa4a2b6);
    ARE(&g, draw_of(NORMAL, F32, 3, 0, 1), 0x3e88e237, 0xbd4c6774, 0x3f06be05);
    assert_int_equal(bits_of(rng_float(&g)), 0x3f080f32);
    ARE(&g, draw_of(UNIFORM, F32, 1, 0, 1), 0x3f080f32);
}

/* Only 32 bits of a seed count. */
static void test_seed(void **state) {
    (void)state;
    rng a, b;
    rng_seed(&a, 5);
    rng_seed(&b, (UINT64_C(1) << 32) + 5);
    assert_int_equal(rng_next(&a), rng_next(&b));
}

/* manual_seed(1234); uniform_(-0.5, 0.25) or normal_(0.25, 1.5): sha256 of the elements, and the bits of rand(1) after it. */
static const struct { int kind, dtype; uint64_t n; const char *sha; uint32_t next; } drawn[] = {
    {UNIFORM, F32, 1, "e53e8c553db8f13c", 0x3ecdc5a6}, {UNIFORM, F32, 3, "801d573699538d31", 0x3ebbb86a},
    {UNIFORM, F32, 15, "a4e4b581228c7134", 0x3f2e849e}, {UNIFORM, F32, 16, "3bc875f5e59f2c8d", 0x3e913dd8},
    {UNIFORM, F32, 17, "448f180ee48947ac", 0x3f281f7c}, {UNIFORM, F32, 20, "3b9d966f2b7c9383", 0x3f19e9ba},
    {UNIFORM, F32, 33, "4dc964a0697e6226", 0x3ea4adf6}, {UNIFORM, F32, 100, "79a3d159f21f00a3", 0x3f251b26},
    {UNIFORM, F32, 1000003, "56dbc62899a7437d", 0x3f26713a}, {NORMAL, F32, 1, "c5857b21a32e913a", 0x3d6eccc0},
    {NORMAL, F32, 3, "e5a4e02d8294cd08", 0x3f2c7e8f}, {NORMAL, F32, 15, "7b91cbedab88ddeb", 0x3f4a0ef0},
    {NORMAL, F32, 16, "0f096ab1aa35dafb", 0x3e913dd8}, {NORMAL, F32, 17, "ee8047153858d29a", 0x3ea4adf6},
    {NORMAL, F32, 20, "9d8d160f654461ce", 0x3f57f722}, {NORMAL, F32, 33, "8ddae36223365ac7", 0x3f4eeb8c},
    {NORMAL, F32, 100, "05c572290ebc373c", 0x3ee810a4}, {NORMAL, F32, 1000003, "666e00cdfdd11961", 0x3ec66394},
    {UNIFORM, F16, 1, "54bf6b8dc6a3dc17", 0x3ecdc5a6}, {UNIFORM, F16, 3, "63fd5ea1b43bbc39", 0x3ebbb86a},
    {UNIFORM, F16, 15, "68e79ebd5bedf741", 0x3f2e849e}, {UNIFORM, F16, 16, "cb15da594b1ac966", 0x3e913dd8},
    {UNIFORM, F16, 17, "6d68ec87d8b8534f", 0x3f281f7c}, {UNIFORM, F16, 20, "f04221ef1fa499d2", 0x3f19e9ba},
    {UNIFORM, F16, 33, "b8ac704dfd83fe51", 0x3ea4adf6}, {UNIFORM, F16, 100, "ce08abd98a2d3d51", 0x3f251b26},
    {UNIFORM, F16, 1000003, "332e878ab14456f6", 0x3f26713a}, {NORMAL, F16, 1, "8ce6e2714e86b191", 0x3d6eccc0},
    {NORMAL, F16, 3, "198711c92f96a23c", 0x3f2c7e8f}, {NORMAL, F16, 15, "beed17bec9b420d3", 0x3f4a0ef0},
    {NORMAL, F16, 16, "d7f18ee078f0cd77", 0x3e913dd8}, {NORMAL, F16, 17, "cdcb93d1fd0951c5", 0x3f4a0ef0},
    {NORMAL, F16, 20, "067a002370df535a", 0x3f4a0ef0}, {NORMAL, F16, 33, "9713a4f112c5feb5", 0x3f624513},
    {NORMAL, F16, 100, "f52f38e283ddf31f", 0x3ebf9444}, {NORMAL, F16, 1000003, "29db3e425f60e56f", 0x3f33de48},
    {UNIFORM, BF16, 1, "692d0e044705392a", 0x3ecdc5a6}, {UNIFORM, BF16, 3, "a84968e1c8eba81a", 0x3ebbb86a},
    {UNIFORM, BF16, 15, "ce60f6c0c911462a", 0x3f2e849e}, {UNIFORM, BF16, 16, "64441190d6bf370a", 0x3e913dd8},
    {UNIFORM, BF16, 17, "0e90a842ea99fb6f", 0x3f281f7c}, {UNIFORM, BF16, 20, "c28b5a39fe4f4b12", 0x3f19e9ba},
    {UNIFORM, BF16, 33, "08b78cd13762fcbc", 0x3ea4adf6}, {UNIFORM, BF16, 100, "83ec9d2784708316", 0x3f251b26},
    {UNIFORM, BF16, 1000003, "a1e6107c44033714", 0x3f26713a}, {NORMAL, BF16, 1, "b64803e741f4deef", 0x3d6eccc0},
    {NORMAL, BF16, 3, "30569eaf0f7b892b", 0x3f2c7e8f}, {NORMAL, BF16, 15, "79f78c9fefa3f14c", 0x3f4a0ef0},
    {NORMAL, BF16, 16, "75eed1a1c4d4fc76", 0x3e913dd8}, {NORMAL, BF16, 17, "c4826028fa55b1ae", 0x3f4a0ef0},
    {NORMAL, BF16, 20, "9365465f31c34f88", 0x3f4a0ef0}, {NORMAL, BF16, 33, "627b70c216f7c02c", 0x3f624513},
    {NORMAL, BF16, 100, "446bf867cc227ce0", 0x3ebf9444}, {NORMAL, BF16, 1000003, "9a4ad5c5ecf85dd9", 0x3f33de48},
    {UNIFORM, F64, 1, "9b880be5143ba908", 0x3e850a4c}, {UNIFORM, F64, 3, "a0ad4c3487476a9f", 0x3d542980},
    {UNIFORM, F64, 15, "443288541b088ee2", 0x3f2a8daf}, {UNIFORM, F64, 16, "d94cf5f3bfe77844", 0x3f4a0ef0},
    {UNIFORM, F64, 17, "8b6de41b934bc5c5", 0x3f06544c}, {UNIFORM, F64, 20, "709934c0a3575373", 0x3ed255ce},
    {UNIFORM, F64, 33, "7b4a51356a9e84d1", 0x3f4de70d}, {UNIFORM, F64, 100, "dabc4a99537403f9", 0x3ec38298},
    {UNIFORM, F64, 1000003, "5a5d8cce6f63d0f4", 0x3cbb5320}, {NORMAL, F64, 1, "489e66862310c96f", 0x3d6eccc0},
    {NORMAL, F64, 3, "d17f39e6b50a052b", 0x3f2c7e8f}, {NORMAL, F64, 15, "7ca4746a8029562c", 0x3f4a0ef0},
    {NORMAL, F64, 16, "781c35d04f29c022", 0x3f4a0ef0}, {NORMAL, F64, 17, "6ec28bde1a234845", 0x3f4de70d},
    {NORMAL, F64, 20, "2ae215590e6ee844", 0x3c309c40}, {NORMAL, F64, 33, "75bc3feb73f2ac82", 0x3f426f25},
    {NORMAL, F64, 100, "dd0af4bc38112123", 0x3db8d5f0}, {NORMAL, F64, 1000003, "faaf64845c6d5c19", 0x3d659900},
};
static void test_lengths(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) {
        bool uniform = drawn[i].kind == UNIFORM;
        draw d = draw_of(drawn[i].kind, drawn[i].dtype, drawn[i].n, uniform ? -.5 : .25, uniform ? .25 : 1.5);
        void *x = room_for(&d);
        rng g;
        rng_seed(&g, 1234);
        assert_true(draw_fill(&g, &d, 1, x));
        digest_is(x, bytes_of(&d), drawn[i].sha);
        assert_int_equal(bits_of(rng_float(&g)), drawn[i].next);
        free(x);
    }
}

/* 300 draws of all kinds, lengths and dtypes from one seed. */
static void test_sequence(void **state) {
    (void)state;
    static const int dtypes[] = {F32, F16, BF16, F64};
    uint32_t x = 1;
    rng g;
    sha256 h;
    char hex[65];
    rng_seed(&g, 5);
    sha256_start(&h);
    for (int i = 0; i < 300; i++) {
        x = x * 1664525u + 1013904223u;
        uint32_t r = x >> 8, n[] = {r >> 4 & 15, r >> 4 & 31, r >> 4 & 1023, r >> 4 & 16383};
        bool uniform = (r >> 2 & 3) == 0;
        draw d = draw_of(uniform ? UNIFORM : NORMAL, dtypes[r & 3], n[i & 3], uniform ? -1 : .5, 2);
        void *data = room_for(&d);
        assert_true(draw_fill(&g, &d, 2, data));
        sha256_take(&h, data, bytes_of(&d));
        free(data);
    }
    sha256_end(&h, hex);
    assert_string_equal(hex, "44918ea8368f384756a297ab770ef794fc5370affaddf6011b11f98978eb9b2c");
    assert_int_equal(bits_of(rng_float(&g)), 0x3ee70d14);
}

/* The upper end is never drawn, not even where rounding would reach it. */
static void test_ends(void **state) {
    (void)state;
    static const struct { int dtype; const char *tiny, *empty; } want[] = {
        {F32, "fa225b10ff782bac", "b505bdacc276fcca"},
        {F16, "10167508554a6272", "fb466d84ad091dd5"},
        {BF16, "9d4f66e75b3bacb1", "c143ed9d5e0c9e23"},
        {F64, "1d0281bbefd0229e", "923d48ff81feee3a"},
    };
    for (size_t i = 0; i < 4; i++) {
        draw tiny = draw_of(UNIFORM, want[i].dtype, 1 << 20, -1e-6, 0), empty = draw_of(UNIFORM, want[i].dtype, 1 << 20, .3, .3);
        void *x = room_for(&tiny);
        rng g;
        rng_seed(&g, 3);
        assert_true(draw_fill(&g, &tiny, 1, x));
        digest_is(x, bytes_of(&tiny), want[i].tiny);
        rng_seed(&g, 3);
        assert_true(draw_fill(&g, &empty, 1, x));
        digest_is(x, bytes_of(&empty), want[i].empty);
        free(x);
    }
}

/* manual_seed(99); torch.nn.init.trunc_normal_(x, mean, std, lo, hi) */
static const struct { int dtype; uint64_t n; double mean, std, lo, hi; const char *sha; uint32_t next; } cut[] = {
    {F32, 7, 0, 1, -1, 1, "c0a21699377d41a2", 0x3f4f8fc8}, {F32, 100, 0, 1, -2, 2, "845de5b6905949cf", 0x3ee67210},
    {F32, 20011, 0, 1, -2, 2, "5537a546f29dc2f6", 0x3e2afa58}, {F32, 20011, 0, 1, -1, 1, "f8b6dae151725b0a", 0x3f3d1673},
    {F32, 20011, 0, 0.02, -2, 2, "e9c0fa32987a1d91", 0x3e80f0d0}, {F32, 4099, 0.1, 0.3, -0.6, 0.4, "372230953d2cfdff", 0x3ecb54f4},
    {F32, 3001, 0, 1, 1, 2, "036aa0efdf5cd1a2", 0x3f5b4c67}, {F16, 7, 0, 1, -1, 1, "2a0a8bdc0d684728", 0x3f4f8fc8},
    {F16, 100, 0, 1, -2, 2, "df78ee381ef5d6db", 0x3cc7c4c0}, {F16, 20011, 0, 1, -2, 2, "69f8221e13cc3677", 0x3f349b6e},
    {F16, 20011, 0, 1, -1, 1, "41b8d4960624e733", 0x3f082fed}, {F16, 20011, 0, 0.02, -2, 2, "af292a7a153ce424", 0x3eea3184},
    {F16, 4099, 0.1, 0.3, -0.6, 0.4, "1bd15768612601a6", 0x3ef3a4ae}, {F16, 3001, 0, 1, 1, 2, "3c65673e293984c4", 0x3f5b4c67},
    {BF16, 7, 0, 1, -1, 1, "e1210bef2535dd8b", 0x3f4f8fc8}, {BF16, 100, 0, 1, -2, 2, "a2bea1f442cda4a0", 0x3cc7c4c0},
    {BF16, 20011, 0, 1, -2, 2, "ff3fc02746ffab88", 0x3f142bc0}, {BF16, 20011, 0, 1, -1, 1, "d7435f3f834e2bb5", 0x3f082fed},
    {BF16, 20011, 0, 0.02, -2, 2, "6dbd79809444451b", 0x3eea3184}, {BF16, 4099, 0.1, 0.3, -0.6, 0.4, "f79ea09d5b8ad599", 0x3ef3a4ae},
    {BF16, 3001, 0, 1, 1, 2, "a02e743ce5601fca", 0x3f5b4c67}, {F64, 7, 0, 1, -1, 1, "cf27291de47023fe", 0x3f4f8fc8},
    {F64, 100, 0, 1, -2, 2, "b183878ffb7223cf", 0x3ecc793a}, {F64, 20011, 0, 1, -2, 2, "9534e57c1ea31f40", 0x3f41f770},
    {F64, 20011, 0, 1, -1, 1, "7da6ca20a3825ddd", 0x3f0c030b}, {F64, 20011, 0, 0.02, -2, 2, "96e5eb75e91dbb5b", 0x3def6ab8},
    {F64, 4099, 0.1, 0.3, -0.6, 0.4, "72c04fe0a55bb583", 0x3e3d575c}, {F64, 3001, 0, 1, 1, 2, "ad662ba5d4200e7a", 0x3e3197f8},
};
static void test_truncated(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        draw d = draw_of(NORMAL, cut[i].dtype, cut[i].n, cut[i].mean, cut[i].std);
        void *x = room_for(&d);
        rng g;
        rng_seed(&g, 99);
        assert_true(draw_trunc(&g, &d, cut[i].lo, cut[i].hi, 2, x));
        digest_is(x, bytes_of(&d), cut[i].sha);
        assert_int_equal(bits_of(rng_float(&g)), cut[i].next);
        free(x);
    }
}
static void test_cannot_reject(void **state) {
    (void)state;
    draw big = draw_of(NORMAL, F32, 16, 0, .02), small = draw_of(NORMAL, F32, 15, 0, .02), wide = draw_of(NORMAL, F64, 16, 0, .02);
    assert_true(draw_trunc_cannot_reject(&big, -2, 2));
    assert_true(draw_trunc_cannot_reject(&big, -.117, .117));
    assert_false(draw_trunc_cannot_reject(&big, -.115, .117));
    assert_false(draw_trunc_cannot_reject(&big, -.117, .115));
    assert_false(draw_trunc_cannot_reject(&small, -.117, .117));
    assert_true(draw_trunc_cannot_reject(&small, -.173, .173));
    assert_false(draw_trunc_cannot_reject(&wide, -.117, .117));
    rng g;
    float x[16];
    rng_seed(&g, 0);
    assert_false(draw_trunc(&g, &big, 1, -1, 1, x));
    big.b = 0;
    assert_false(draw_trunc(&g, &big, -1, 1, 1, x));
}

static void same_state(const rng *a, const rng *b) {
    rng x = *a, y = *b;
    assert_int_equal(x.cached, y.cached);
    if (x.cached) assert_true(x.normal == y.normal);
    for (int i = 0; i < 1300; i++) assert_int_equal(rng_next(&x), rng_next(&y));
}
static const uint64_t lengths[] = {0, 1, 2, 3, 15, 16, 17, 20, 33, 100, 623, 624, 625, 1248, 5000, 32768 + 7, 70001};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static void test_skip(void **state) {
    (void)state;
    rng a, b;
    rng_seed(&a, 11);
    b = a;
    for (int kind = 0; kind < 2; kind++)
        for (int dtype = 0; dtype <= F64; dtype++)
            for (size_t i = 0; i < LENGTHS; i++) {
                draw d = draw_of(kind, dtype, lengths[i], 0, 1);
                void *x = room_for(&d);
                assert_true(draw_fill(&a, &d, 1, x));
                draw_skip(&b, &d);
                same_state(&a, &b);
                free(x);
            }
}

/* Moves by n in parts, each paid for by itself. */
static void skip_in_parts(rng *g, uint64_t n, uint64_t part) {
    for (uint64_t k; n; n -= k) {
        k = n < part ? n : part;
        rng_skip(g, k - 1);
        rng_next(g);
    }
}
/* A jump lands where steps do, and one of any length where shorter ones do. */
static void test_jump(void **state) {
    (void)state;
    static const struct { uint64_t n, part; } far[] = {
        {(1 << 24) + 1, 1 << 20}, {(1 << 24) + 624, 1 << 20}, {(1 << 24) + 1000, 1 << 20}, {(3 << 24) + 77, 1 << 20},
        {UINT64_C(1) << 41, (UINT64_C(1) << 40) - 5}, {UINT64_MAX, UINT64_MAX / 3},
    };
    rng a, b;
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        rng_seed(&a, 21);
        rng_skip(&a, i * 100);
        b = a;
        rng_skip(&a, far[i].n);
        skip_in_parts(&b, far[i].n, far[i].part);
        same_state(&a, &b);
    }
    rng_skip(&a, UINT64_MAX), rng_skip(&a, UINT64_MAX);
    skip_in_parts(&b, UINT64_MAX, UINT64_MAX), skip_in_parts(&b, UINT64_MAX, UINT64_MAX);
    same_state(&a, &b);
    rng_skip(&a, 1 << 26), rng_skip(&b, 1 << 26);
    tarei_fail_after(1);
    rng_next(&a); /* without memory it goes step by step */
    tarei_fail_after(0);
    rng_next(&b);
    same_state(&a, &b);
}

typedef struct pieces { char *data; size_t size; uint64_t taken, stop_after; pthread_mutex_t lock; } pieces;
static bool gather(void *to, uint64_t first, uint64_t n, const void *bytes) {
    pieces *p = to;
    memcpy(p->data + first * p->size, bytes, n * p->size);
    pthread_mutex_lock(&p->lock);
    p->taken += n;
    bool on = p->taken <= p->stop_after;
    pthread_mutex_unlock(&p->lock);
    return on;
}
/* Filled and streamed with one, two and three threads: the same bytes, the same state. */
static void all_ways(const draw *d) {
    void *want = room_for(d), *got = room_for(d);
    for (int way = 0; way < 6; way++) {
        rng g, first;
        pieces p = {.data = got, .size = tare_dtype_bytes(d->dtype), .stop_after = UINT64_MAX, .lock = PTHREAD_MUTEX_INITIALIZER};
        rng_seed(&g, 3);
        rng_skip(&g, 77);
        first = g;
        assert_true(draw_fill(&first, d, 1, want));
        memset(got, 0xee, bytes_of(d));
        assert_true(way % 2 ? draw_stream(&g, d, way / 2 + 1, gather, &p) : draw_fill(&g, d, way / 2 + 1, got));
        assert_memory_equal(got, want, bytes_of(d));
        same_state(&g, &first);
    }
    free(want);
    free(got);
}
static void test_ways(void **state) {
    (void)state;
    const uint64_t large = SLOW ? (1 << 20) + 9 : (5 << 20) + 9;
    for (int kind = 0; kind < 2; kind++)
        for (int dtype = 0; dtype <= F64; dtype++) {
            for (size_t i = 0; i < LENGTHS; i++) {
                draw d = draw_of(kind, dtype, lengths[i], .5, 3);
                all_ways(&d);
            }
            draw d = draw_of(kind, dtype, dtype == F64 ? (1 << 17) + 9 : large, .5, 3);
            all_ways(&d);
        }
}
static void test_truncated_ways(void **state) {
    (void)state;
    for (int dtype = 0; dtype <= F64; dtype++) {
        draw d = draw_of(NORMAL, dtype, (SLOW ? 1 << 20 : 3 << 20) + 5, 0, 1);
        void *want = room_for(&d), *got = room_for(&d);
        rng a, b;
        rng_seed(&a, 8);
        b = a;
        assert_true(draw_trunc(&a, &d, -2, 1.5, 1, want));
        assert_true(draw_trunc(&b, &d, -2, 1.5, 3, got));
        assert_memory_equal(got, want, bytes_of(&d));
        same_state(&a, &b);
        free(want);
        free(got);
    }
}

static void test_stopped(void **state) {
    (void)state;
    draw d = draw_of(NORMAL, F32, 3 << 20, 0, 1);
    void *x = room_for(&d);
    rng g;
    rng_seed(&g, 0);
    for (int threads = 1; threads < 4; threads++) {
        pieces p = {.data = x, .size = 4, .stop_after = 1 << 19, .lock = PTHREAD_MUTEX_INITIALIZER};
        assert_false(draw_stream(&g, &d, threads, gather, &p));
        assert_true(p.taken < d.n);
    }
    tarei_fail_after(1);
    assert_false(draw_fill(&g, &d, 1, x));
    tarei_fail_after(1);
    assert_true(draw_fill(&g, &d, 3, x)); /* another thread goes on */
    tarei_fail_after(1);
    assert_false(draw_trunc(&g, &d, -1, 1, 1, x));
    tarei_fail_after(0);
    free(x);
}

/* ---- every set of loops gives the same bits ----------------------------------------------------------------------------- */

enum { MANY = 1 << 16 };
static uint32_t words[MANY];
static float ours[MANY], theirs[MANY];

/* Every pair of 24 bits that the logarithm, and that sine and cosine can meet. */
static void test_sets_normal(void **state) {
    (void)state;
    const lanes *base = lanes_named("scalar");
    uint32_t step = SLOW ? 61 : 1;
    for (uint32_t next = 0; next < 1 << 24;) {
        for (size_t i = 0; i < MANY; i++) words[i] = i % 16 < 8 ? (next += step) : (next * 0x9e3779u + 12345u) | 0xab000000u;
        base->normal(ours, words, MANY, .25f, 1.5f);
        for (size_t s = 1; s < 3; s++) {
            const lanes *l = lanes_named(sets[s]);
            if (!l) continue;
            l->normal(theirs, words, MANY, .25f, 1.5f);
            assert_memory_equal(ours, theirs, sizeof ours);
        }
    }
}
static void one_set(const lanes *base, const lanes *l, size_t n) {
    static uint16_t a[MANY], b[MANY];
    static uint32_t x[MANY + MT_WORDS], y[MANY + MT_WORDS];
    memcpy(x, words, MT_WORDS * 4), memcpy(y, words, MT_WORDS * 4);
    base->twist(x), l->twist(y);
    assert_memory_equal(x, y, MT_WORDS * 4);
    base->grow(x, n), l->grow(y, n);
    assert_memory_equal(x, y, (n + MT_WORDS) * 4);
    base->temper(x, words, n), l->temper(y, words, n);
    assert_memory_equal(x, y, n * 4);
    base->philox(x, 77, UINT64_C(0xfffffff0), 5, n / 4), l->philox(y, 77, UINT64_C(0xfffffff0), 5, n / 4);
    assert_memory_equal(x, y, n / 4 * 16);
    base->uniform(ours, words, n, -.3f, .7f, .4f), l->uniform(theirs, words, n, -.3f, .7f, .4f);
    assert_memory_equal(ours, theirs, n * 4);
    assert_int_equal(base->outside(ours, n, -.2f, .1f), l->outside(theirs, n, -.2f, .1f));
    base->normal(ours, words, n / 16 * 16, 0, 3), l->normal(theirs, words, n / 16 * 16, 0, 3);
    base->bf16(a, ours, n), l->bf16(b, theirs, n);
    assert_memory_equal(a, b, n * 2);
    base->f16(a, ours, n), l->f16(b, theirs, n);
    assert_memory_equal(a, b, n * 2);
    base->replace(a, n, a[0], 7), l->replace(b, n, b[0], 7);
    assert_memory_equal(a, b, n * 2);
    l->stream((char *)y + 4, words, n * 4 - 1), l->fence();
    assert_memory_equal((char *)y + 4, words, n * 4 - 1);
}
static void test_sets(void **state) {
    (void)state;
    rng g;
    rng_seed(&g, 9);
    for (size_t i = 0; i < MANY; i++) words[i] = rng_next(&g);
    for (size_t s = 1; s < 3; s++) {
        const lanes *l = lanes_named(sets[s]);
        for (size_t n = 1; l && n < 300; n++) one_set(lanes_named("scalar"), l, n);
        if (l) one_set(lanes_named("scalar"), l, MANY);
    }
    assert_null(lanes_named("no such set"));
    assert_non_null(lanes_named(lanes_best()->name));
}

/* ---- 16 bits ------------------------------------------------------------------------------------------------------------- */

static float float_of(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}
/* Between each two neighbours: halfway goes to the even one, a little less or more to the nearer one. Both signs. */
static void between(const lanes *l, bool half, uint16_t low) {
    uint16_t two[2] = {low, (uint16_t)(low + 1)}, got[8];
    float f[2], middle, in[8];
    if (half) l->of_f16(f, two, 2);
    else l->of_bf16(f, two, 2);
    if (isinf(f[1])) f[1] = half ? 65536.0f : f[1];
    middle = isinf(f[1]) ? float_of(bits_of(f[0]) + 0x8000u) : (float)(((double)f[0] + (double)f[1]) / 2);
    in[0] = f[0], in[1] = float_of(bits_of(middle) - 1), in[2] = middle, in[3] = float_of(bits_of(middle) + 1);
    for (int i = 0; i < 4; i++) in[4 + i] = -in[i];
    if (half) l->f16(got, in, 8);
    else l->bf16(got, in, 8);
    const uint16_t want[4] = {low, low, (uint16_t)(low + (low & 1)), two[1]};
    for (int i = 0; i < 8; i++) assert_int_equal(got[i], want[i % 4] | (i > 3 ? 0x8000 : 0));
}
static void test_rounding(void **state) {
    (void)state;
    for (size_t s = 0; s < 3; s++) {
        const lanes *l = lanes_named(sets[s]);
        if (!l) continue;
        for (uint16_t low = 0; low < 0x7c00; low++) between(l, true, low);
        for (uint16_t low = 0; low < 0x7f80; low++) between(l, false, low);
        float odd[4] = {(float)NAN, -(float)NAN, (float)INFINITY, 1e30f};
        uint16_t got[4];
        l->f16(got, odd, 4);
        assert_true((got[0] & 0x7fff) > 0x7c00 && (got[1] & 0x7fff) > 0x7c00);
        assert_int_equal(got[2], 0x7c00);
        assert_int_equal(got[3], 0x7c00);
        l->bf16(got, odd, 4);
        assert_true((got[0] & 0x7fff) > 0x7f80 && (got[1] & 0x7fff) > 0x7f80);
        assert_int_equal(got[2], 0x7f80);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_left_over), cmocka_unit_test(test_seed), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_sequence), cmocka_unit_test(test_ends), cmocka_unit_test(test_truncated), cmocka_unit_test(test_cannot_reject),
        cmocka_unit_test(test_skip), cmocka_unit_test(test_jump), cmocka_unit_test(test_ways), cmocka_unit_test(test_truncated_ways), cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_sets_normal), cmocka_unit_test(test_sets), cmocka_unit_test(test_rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
