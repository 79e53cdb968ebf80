/* A step of the recurrence is linear over bits and satisfies its characteristic polynomial P, of degree 19937; so n steps are
 * x^n mod P, a sum of less than 19937 of them (Haramoto, Matsumoto, Nishimura, Panneton, L'Ecuyer 2008). */
#include "jump.h"
#include "../core/arena.h"
#include <stdlib.h>
#include <string.h>

enum { DEGREE = 19937, PLACES = 312, TOP = DEGREE - 64 * (PLACES - 1) }; /* 64-bit places of a remainder; bits of its last */

/* The exponents of P below its degree; as Berlekamp and Massey find them from the bits of any state. */
static const uint16_t exponents[] = {
    0, 1189, 1416, 1585, 1643, 1870, 2493, 2773, 3000, 3227, 3454, 3681, 3908, 4135, 4362, 4753, 5661, 6337, 6569, 7129, 7477, 7525, 7583,
    7752, 7979, 8206, 9505, 9901, 9969, 10128, 10693, 10761, 10920, 11089, 11147, 11157, 11215, 11321, 11374, 11384, 11485, 11611, 11712,
    11717, 11838, 11881, 11944, 11997, 12277, 12335, 12393, 12504, 12509, 12620, 12673, 12731, 12736, 12789, 12905, 12958, 12963, 13137,
    13185, 13190, 13243, 13301, 13412, 13528, 13533, 13639, 13697, 13760, 13813, 13866, 14093, 14151, 14209, 14320, 14325, 14436, 14547,
    14552, 14605, 14721, 14774, 14779, 14953, 15001, 15006, 15059, 15117, 15228, 15344, 15349, 15455, 15513, 15576, 15629, 15682, 15909,
    15967, 16025, 16136, 16141, 16252, 16363, 16368, 16421, 16537, 16590, 16595, 16817, 16822, 16875, 16933, 17044, 17160, 17271, 17329,
    17445, 17498, 17725, 17783, 17841, 17952, 18068, 18179, 18237, 18406, 18633, 18691, 18860, 19087, 19314};
enum { TERMS = sizeof exponents / sizeof *exponents };

typedef struct polynomial { uint64_t p[2 * PLACES]; } polynomial;

static void add_shifted(polynomial *a, uint64_t bits, size_t at) {
    size_t place = at / 64, shift = at % 64;
    a->p[place] ^= bits << shift;
    if (shift) a->p[place + 1] ^= bits >> (64 - shift);
}

/* x^19937 is the rest of P. The next exponent is hundreds lower, so what is added never meets the place it came from. */
static void reduce(polynomial *a) {
    for (size_t w = 2 * PLACES - 1; w >= PLACES; w--) {
        uint64_t bits = a->p[w];
        a->p[w] = 0;
        for (size_t t = 0; bits && t < TERMS; t++) add_shifted(a, bits, 64 * w - DEGREE + exponents[t]);
    }
    uint64_t bits = a->p[PLACES - 1] >> TOP;
    a->p[PLACES - 1] &= (UINT64_C(1) << TOP) - 1;
    for (size_t t = 0; bits && t < TERMS; t++) add_shifted(a, bits, exponents[t]);
}

/* The bits of 32 with a zero before each. */
static uint64_t spread(uint64_t x) {
    x = (x | x << 16) & 0x0000ffff0000ffffu;
    x = (x | x << 8) & 0x00ff00ff00ff00ffu;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fu;
    x = (x | x << 2) & 0x3333333333333333u;
    return (x | x << 1) & 0x5555555555555555u;
}

static void square(polynomial *a) {
    for (size_t w = PLACES; w-- > 0;) {
        uint64_t bits = a->p[w];
        a->p[2 * w + 1] = spread(bits >> 32);
        a->p[2 * w] = spread(bits & 0xffffffffu);
    }
    reduce(a);
}

static void times_x(polynomial *a) {
    for (size_t w = PLACES - 1; w > 0; w--) a->p[w] = a->p[w] << 1 | a->p[w - 1] >> 63;
    a->p[0] <<= 1;
    reduce(a);
}

static void power_of_x(polynomial *a, uint64_t n) {
    *a = (polynomial){{1}};
    for (int i = 63; i >= 0; i--) {
        square(a);
        if (n >> i & 1) times_x(a);
    }
}

static void add_window(uint32_t *restrict sum, const uint32_t *restrict x) {
    for (size_t i = 0; i < MT_WORDS; i++) sum[i] ^= x[i];
}

bool mt_jump(const lanes *l, uint32_t x[MT_WORDS], uint64_t n) {
    uint32_t *row = tarei_malloc((MT_WORDS + DEGREE) * sizeof *row);
    polynomial a;
    if (!row) return false;
    power_of_x(&a, n);
    memcpy(row, x, MT_WORDS * sizeof *x);
    l->grow(row, DEGREE);
    memset(x, 0, MT_WORDS * sizeof *x);
    for (size_t i = 0; i < DEGREE; i++)
        if (a.p[i / 64] >> i % 64 & 1) add_window(x, row + i);
    free(row);
    return true;
}
