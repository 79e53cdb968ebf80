/* Quantised numbers back into floats: tables worked out by hand, in comments; and any part of a tensor, in any set of inner loops, as the whole of
 * it is worked out number by number. */
#include "load/unpack.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PARTS = 3, CODES = 0, SCALES = 1, ZEROS = 2 };
typedef struct part { const void *bytes; size_t n; tare_dtype dtype; } part;
static const char *get(void *to, size_t tensor, uint64_t at, char *room, size_t n) {
    const part *p = (const part *)to + tensor;
    assert_true(tensor < PARTS && at <= p->n && n <= p->n - at);
    return memcpy(room, (const char *)p->bytes + at, n);
}
static int dtype(void *to, size_t tensor) { return (int)((const part *)to)[tensor].dtype; }
static packed_form form(int64_t rows, int64_t columns, int64_t block_rows, int64_t block_columns) {
    return (packed_form){.dtype = TARE_F32, .rows = rows, .columns = columns, .matrix_rows = rows, .block_rows = block_rows, .block_columns = block_columns,
        .scale_rows = (rows + block_rows - 1) / block_rows, .scale_columns = (columns + block_columns - 1) / block_columns,
        .numbers = CODES, .scales = SCALES, .zeros = SIZE_MAX, .divisor = 1, .factor = 1};
}
static float of_bf16(uint16_t x) {
    uint32_t u = (uint32_t)x << 16;
    float f;
    return memcpy(&f, &u, 4), f;
}
static void check(const packed_form *p, const part *parts, const float *want, int64_t n) {
    static const char *const sets[] = {"scalar", "avx2", "avx512"};
    for (size_t k = 0; k < 3; k++) {
        const lanes *l = lanes_named(sets[k]);
        float wide[64];
        uint16_t half[64];
        bool is_half = p->dtype == TARE_BF16;
        if (!l) continue;
        unpack_to to = {(tare_dtype)p->dtype, is_half ? (void *)half : wide, k == 2};
        assert_true(unpack_run(l, p, 0, n, &to, &(unpack_bytes){get, dtype, (void *)(uintptr_t)parts}));
        l->fence();
        for (int64_t i = 0; i < n; i++) {
            float got = is_half ? of_bf16(half[i]) : wide[i];
            assert_memory_equal(&got, &want[i], sizeof got);
        }
        /* rounded to the format's dtype first, whatever else is asked for */
        assert_true(unpack_run(l, p, 0, n, &(unpack_to){TARE_F32, wide, false}, &(unpack_bytes){get, dtype, (void *)(uintptr_t)parts}));
        assert_memory_equal(wide, want, (size_t)n * sizeof *want);
    }
}
static const float fours[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};

/* ---- by hand ---- */

/* e4m3: 0x38 = 1, 0x40 = 2, 0x7e = 448, 0x01 = 2 ** -9, 0xb8 = -1, 0x3c = 1.5. Blocks of 2 x 2, the last ones not whole:
 *     | 0x38 0x40 | 0x7e |   times   | 0.5 3 |       | 0.5     1  1344 |
 *     | 0x01 0xb8 | 0x3c |           | 8   1 |       | 2**-10 -0.5 4.5 |
 *     | 0x3c 0x38 | 0x40 |                           | 12       8   2  | */
static void test_fp8_blocks(void **state) {
    (void)state;
    const uint8_t codes[9] = {0x38, 0x40, 0x7e, 0x01, 0xb8, 0x3c, 0x3c, 0x38, 0x40};
    const float scales[4] = {0.5f, 3, 8, 1}, want[9] = {0.5f, 1, 1344, 0x1p-10f, -0.5f, 4.5f, 12, 8, 2};
    part parts[PARTS] = {{codes, 9, TARE_F8_E4M3}, {scales, sizeof scales, TARE_F32}, {NULL, 0, TARE_F32}};
    packed_form p = form(3, 3, 2, 2);
    check(&p, parts, want, 9);
}
/* Two codes in a byte, the first in its lower half: 0x21 is 0.5, 1; 0xfa is -1, -6. Exponents 128 and 126: times 2, times a half. A group is 2. */
static void test_mxfp4(void **state) {
    (void)state;
    const uint8_t codes[4] = {0x21, 0xfa, 0x43, 0x87}, scales[4] = {128, 126, 127, 0};
    const float want[8] = {1, 2, -0.5f, -3, 1.5f, 2, 6 * 0x1p-127f, -0.0f};
    part parts[PARTS] = {{codes, 4, TARE_U8}, {scales, 4, TARE_U8}, {NULL, 0, TARE_F32}};
    packed_form p = form(2, 4, 1, 2);
    p.codes = CODES_NIBBLES, p.scale_kind = SCALES_EXPONENT;
    memcpy(p.table, fours, sizeof fours);
    check(&p, parts, want, 8);
}
/* Scales 0x38 = 1 and 0x3c = 1.5 in e4m3, over one of 7 for all: 1 / 7 = 0.142857149 and 1.5 / 7 = 0.214285716 in float32. Times 3 (code 5) that is
 * 0.428571433 and 0.642857134, in bfloat16, of 8 bits, 0.427734375 (219 / 512) and 0.64453125 (165 / 256); times -6 (code 15) 0.857142866 and
 * 1.28571427, which are 0.85546875 (219 / 256) and 1.2890625 (165 / 128). */
static void test_nvfp4(void **state) {
    (void)state;
    const uint8_t codes[2] = {0xf5, 0xf5}, scales[2] = {0x38, 0x3c};
    const float want[4] = {219 / 512.0f, -219 / 256.0f, 165 / 256.0f, -165 / 128.0f};
    part parts[PARTS] = {{codes, 2, TARE_U8}, {scales, 2, TARE_F8_E4M3}, {NULL, 0, TARE_F32}};
    packed_form p = form(1, 4, 1, 2);
    p.codes = CODES_NIBBLES, p.dtype = TARE_BF16, p.divisor = 7;
    memcpy(p.table, fours, sizeof fours);
    check(&p, parts, want, 4);
}
/* Four bits each from the low end of 32: 0xfedc8210 is 0 1 2 8 12 13 14 15, less 8: -8 -7 -6 0 4 5 6 7. With scales 0.5 and 3 for four each. Then with
 * zero points 3 and -1, which lie down the column of their group, as 11 and 7 in the low bits: (-8 - 3) * 0.5 = -5.5, (4 + 1) * 3 = 15, ... */
static void test_int4(void **state) {
    (void)state;
    const uint32_t codes = 0xfedc8210, zeros[2] = {11, 7};
    const uint16_t scales[2] = {0x3f00, 0x4040}; /* bfloat16: 0.5, 3 */
    const float want[8] = {-4, -3.5f, -3, 0, 12, 15, 18, 21}, shifted[8] = {-5.5f, -5, -4.5f, -1.5f, 15, 18, 21, 24};
    part parts[PARTS] = {{&codes, 4, TARE_I32}, {scales, 4, TARE_BF16}, {zeros, sizeof zeros, TARE_I32}};
    packed_form p = form(1, 8, 1, 4);
    p.codes = CODES_NIBBLES, p.dtype = TARE_BF16, p.bits = 4, p.offset = 8;
    for (int i = 0; i < 16; i++) p.table[i] = (float)(i - 8);
    check(&p, parts, want, 8);
    p.zeros = ZEROS, p.zeros_packed = true;
    check(&p, parts, shifted, 8);
}
/* Three bits each: the eleventh number has its low two bits at the top of the first word and its upper one at the bottom of the second. All bits of both
 * words are set but for that one and those of the first number: 0 0 0, then ones, then number ten is 3 (of 0 1 1), so 3 - 4 = -1; the first is -4, all
 * others 7 - 4 = 3. */
static void test_int3(void **state) {
    (void)state;
    const uint32_t codes[2] = {0xfffffff8, 0xfffffffe};
    const float scales[1] = {2};
    float want[12];
    for (int i = 0; i < 12; i++) want[i] = 6;
    want[0] = -8, want[10] = -2;
    part parts[PARTS] = {{codes, 8, TARE_I32}, {scales, 4, TARE_F32}, {NULL, 0, TARE_F32}};
    packed_form p = form(1, 12, 1, 12);
    p.codes = CODES_BITS, p.bits = 3, p.offset = 4, p.row_words = 2;
    check(&p, parts, want, 12);
}
/* int8 with a scale for a row: 127 * 2 = 254, and 254 / 127 is 2 again by the factor of bitsandbytes, 0.00787401571869...: 1.99999999 rounds to 2. */
static void test_int8(void **state) {
    (void)state;
    const int8_t codes[4] = {127, -127, 100, -3}, zeros[2] = {0, -3};
    const float scales[2] = {2, 0.25f}, want[4] = {2, -2, 25 * 7.874015718698502e-3f, -0.75f * 7.874015718698502e-3f}, shifted[4] = {254, -254, 25.75f, 0};
    part parts[PARTS] = {{codes, 4, TARE_I8}, {scales, 8, TARE_F32}, {zeros, 2, TARE_I8}};
    packed_form p = form(2, 2, 1, 2);
    p.factor = 7.874015718698502e-3f;
    check(&p, parts, want, 4);
    p.factor = 1, p.zeros = ZEROS;
    check(&p, parts, shifted, 4);
}
/* nf4 with its scales in bytes: byte 2 stands for 0.25, times 4, and 0.5 on top: 1.5; byte 0 for -1: -3.5. 0x70f1: the first code is the upper one, 7 is
 * 0, 0 is -1, 15 is 1, 1 is -0.6961928: 0, -1.5, then -3.5 and 2.43667483 in float32. */
static void test_nf4_nested(void **state) {
    (void)state;
    const uint8_t codes[2] = {0x70, 0xf1}, scales[2] = {2, 0};
    float table[256] = {-1, 0, 0.25f}, outer[1] = {4};
    const float want[4] = {0, -1.5f, -3.5f, -0.6961928009986877f * -3.5f};
    part parts[PARTS] = {{codes, 2, TARE_U8}, {scales, 2, TARE_U8}, {NULL, 0, TARE_F32}};
    packed_form p = form(1, 4, 1, 2);
    p.codes = CODES_NIBBLES, p.high_first = true, p.scale_kind = SCALES_NESTED;
    p.table[0] = -1, p.table[1] = -0.6961928009986877f, p.table[15] = 1;
    p.scale_table = table, p.outer = outer, p.outer_count = 1, p.outer_block = 256, p.shift = 0.5f;
    check(&p, parts, want, 4);
}

/* ---- parts of a tensor ---- */

static uint64_t seed = 11;
static uint32_t next(void) { return (uint32_t)((seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407)) >> 33); }
static int64_t below(int64_t n) { return (int64_t)(next() % (uint64_t)n); }
static uint32_t bits_of(const uint8_t *bytes, int64_t bit, int n) {
    uint32_t x = 0;
    for (int i = 0; i < n; i++) x |= (uint32_t)(bytes[(bit + i) / 8] >> ((bit + i) % 8) & 1) << i;
    return x;
}
/* As the head of packing.h has it, for one number. */
static float single(const packed_form *p, const part *parts, int64_t row, int64_t column) {
    const uint8_t *codes = parts[CODES].bytes;
    int64_t i = row * p->columns + column, r = row / p->matrix_rows * p->scale_rows + row % p->matrix_rows / p->block_rows;
    int64_t at = p->scale_rows ? r * p->scale_columns + column / p->block_columns : 0;
    float code = p->codes == CODES_BITS ? (float)((int32_t)bits_of(codes + row * p->row_words * 4, column * p->bits, p->bits) - p->offset)
               : p->codes == CODES_NIBBLES ? p->table[codes[i / 2] >> (i % 2 ? 4 : 0) & 15] : (float)((const int8_t *)codes)[i];
    float zero = 0;
    if (p->zeros != SIZE_MAX && p->zeros_packed) {
        const uint32_t *words = parts[ZEROS].bytes;
        int64_t bit = r * p->bits, column_at = column / p->block_columns;
        uint64_t two = words[bit / 32 * p->scale_columns + column_at];
        if (bit % 32 + p->bits > 32) two |= (uint64_t)words[(bit / 32 + 1) * p->scale_columns + column_at] << 32;
        zero = (float)((int32_t)(two >> (bit % 32) & ((1u << p->bits) - 1)) - p->offset);
    } else if (p->zeros != SIZE_MAX) zero = ((const int8_t *)parts[ZEROS].bytes)[at];
    return p->zeros == SIZE_MAX ? code * ((const float *)parts[SCALES].bytes)[at] : (code - zero) * ((const float *)parts[SCALES].bytes)[at];
}
static packed_form any_form(void) {
    int64_t matrix = 1 + below(40), rows = matrix * (1 + below(3)), columns = below(4) ? 1 + below(300) : 30000 + below(50000);
    if (columns > 300) matrix = 1 + below(3), rows = matrix;
    packed_form p = form(rows, columns, 1 + below(matrix + 2), below(3) ? 1 + below(40) : columns);
    p.matrix_rows = matrix;
    p.scale_rows = (matrix + p.block_rows - 1) / p.block_rows;
    p.codes = (packed_codes)below(3);
    if (p.codes == CODES_NIBBLES && columns % 2) p.codes = CODES_PLAIN;
    p.bits = (uint8_t)(1 + below(8));
    p.offset = 1 << (p.bits - 1);
    p.row_words = (columns * p.bits + 31) / 32;
    for (int i = 0; i < 16; i++) p.table[i] = (float)(i - 8) * 1.25f;
    if (below(6) == 0) p.scale_rows = 0, p.scale_columns = 1, p.block_columns = columns;
    else if (below(2)) p.zeros = ZEROS, p.zeros_packed = below(2);
    return p;
}
static void *random_bytes(size_t n) {
    uint8_t *b = malloc(n + 8);
    assert_non_null(b);
    for (size_t i = 0; i < n; i++) b[i] = (uint8_t)next();
    return b;
}
static void test_any_part(void **state) {
    (void)state;
    static const char *const sets[] = {"scalar", "avx2", "avx512"};
    for (int round = 0; round < 120; round++) {
        packed_form p = any_form();
        int64_t grid = p.scale_rows ? p.rows / p.matrix_rows * p.scale_rows * p.scale_columns : 1, all = p.rows * p.columns;
        size_t n = (size_t)(p.codes == CODES_BITS ? p.rows * p.row_words * 4 : p.codes == CODES_NIBBLES ? (all + 1) / 2 : all);
        size_t zeros = p.zeros_packed ? (size_t)((grid / p.scale_columns * p.bits + 31) / 32 * p.scale_columns * 4) : (size_t)grid;
        float *scales = malloc((size_t)grid * sizeof *scales), *out = malloc((size_t)all * sizeof *out);
        assert_true(scales && out);
        for (int64_t i = 0; i < grid; i++) scales[i] = (float)(1 + below(1000)) * 0x1.5p-8f;
        part parts[PARTS] = {{random_bytes(n), n, p.codes == CODES_PLAIN ? TARE_I8 : TARE_U8}, {scales, (size_t)grid * sizeof *scales, TARE_F32},
            {random_bytes(zeros), zeros, p.zeros_packed ? TARE_I32 : TARE_I8}};
        for (int k = 0; k < 12; k++) {
            int64_t first = k ? below(all) : 0, count = k ? 1 + below(all - first) : all;
            const lanes *l = lanes_named(sets[k % 3]);
            if (!l) continue;
            assert_true(unpack_run(l, &p, first, count, &(unpack_to){TARE_F32, out, false}, &(unpack_bytes){get, dtype, parts}));
            for (int64_t i = 0; i < count; i += count > 5000 ? 37 : 1) {
                float want = single(&p, parts, (first + i) / p.columns, (first + i) % p.columns);
                assert_memory_equal(&out[i], &want, sizeof want);
            }
        }
        free((void *)(uintptr_t)parts[CODES].bytes);
        free((void *)(uintptr_t)parts[ZEROS].bytes);
        free(scales);
        free(out);
    }
}
static const char *nothing(void *to, size_t tensor, uint64_t at, char *room, size_t n) {
    return (void)tensor, (void)at, (void)room, (void)n, (*(int *)to)-- > 0 ? memset(room, 0, n) : NULL;
}
static int any_dtype(void *to, size_t tensor) { return (void)to, tensor == SCALES ? TARE_F32 : TARE_I8; }
/* Bytes that cannot be had, of whichever part, end it. */
static void test_unreadable(void **state) {
    (void)state;
    float out[64];
    packed_form p = form(8, 8, 2, 2);
    p.zeros = ZEROS;
    for (int n = 0; n < 4; n++) {
        int left = n;
        assert_int_equal(unpack_run(lanes_best(), &p, 0, 64, &(unpack_to){TARE_F32, out, false}, &(unpack_bytes){nothing, any_dtype, &left}), n == 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fp8_blocks), cmocka_unit_test(test_mxfp4),  cmocka_unit_test(test_nvfp4),     cmocka_unit_test(test_int4),
        cmocka_unit_test(test_int3),       cmocka_unit_test(test_int8),   cmocka_unit_test(test_nf4_nested), cmocka_unit_test(test_any_part),
        cmocka_unit_test(test_unreadable),
    };
    return cmocka_run_group_tests_name("unpack", tests, NULL, NULL);
}
