/* The inner loops of drawing and of casting, compiled once for each width of vectors (cmake/lanes.cmake). All sets give the same bits:
 * they use IEEE operations in one fixed order, and fused products only where fmaf() is written. */
#ifndef TARE_INIT_LANES_H
#define TARE_INIT_LANES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MT_WORDS = 624 };

/* A float of eight bits: where its bits go in a float, what that is short of by its exponent's bias, and which code is no number. */
typedef struct f8_kind { uint32_t shift; float scale; uint32_t nan_mask, nan_code, nan; } f8_kind;

typedef struct lanes {
    const char *name;
    void (*twist)(uint32_t x[MT_WORDS]);      /* the next 624 words of MT19937's recurrence, in place */
    void (*grow)(uint32_t *x, size_t n);      /* x[624 .. 624+n) from the 624 words at x */
    void (*temper)(uint32_t *to, const uint32_t *x, size_t n);
    /* Philox4x32 of counters first, first+1, ..., `high` in the counter's upper half: 4 words each, n counters */
    void (*philox)(uint32_t *to, uint64_t key, uint64_t first, uint64_t high, size_t n);
    /* From random words: from + range * u, u the low 24 bits; `to`, which rounding can reach, becomes `from`. */
    void (*uniform)(float *out, const uint32_t *words, size_t n, float from, float range, float to);
    /* Blocks of 16 words: 8 pairs by Box and Muller, first the cosines, then the sines. n is a multiple of 16. */
    void (*normal)(float *out, const uint32_t *words, size_t n, float mean, float std);
    void (*bf16)(uint16_t *out, const float *in, size_t n); /* round to nearest even; NaN stays NaN */
    void (*f16)(uint16_t *out, const float *in, size_t n);  /* NaN keeps what fits of its bits, as x86's instructions do, and back */
    void (*of_bf16)(float *out, const uint16_t *in, size_t n);
    void (*of_f16)(float *out, const uint16_t *in, size_t n);
    /* How many are below lo or above hi; and those become the ones of `fresh`. */
    size_t (*outside)(const float *x, size_t n, float lo, float hi);
    void (*patch)(float *x, const float *fresh, size_t n, float lo, float hi);
    /* Copies past the caches: what is large and not read again soon need not be fetched before it is written. End with fence(). */
    void (*stream)(void *to, const void *from, size_t bytes);
    void (*fence)(void);
    void (*replace)(uint16_t *x, size_t n, uint16_t from, uint16_t to); /* `from` becomes `to`, both signs of zero are one */
    void (*bf16_of_f32)(uint16_t *out, const float *in, size_t n); /* bf16(), and NaN becomes 0xffff, as where torch casts vectors */
    void (*of_f8)(float *out, const uint8_t *in, size_t n, const f8_kind *kind);
    /* Adds how many are NaN and how many infinite; `most`: infinity's bits. */
    void (*odd_16)(const uint16_t *x, size_t n, uint16_t most, uint64_t *nan, uint64_t *inf);
    void (*odd_32)(const uint32_t *x, size_t n, uint64_t *nan, uint64_t *inf);
    /* Two codes in a byte, each the number of a value; the first of them is the lower one, or with high_first the upper. */
    void (*nibbles)(float *out, const uint8_t *in, size_t n, const float table[16], bool high_first);
    /* x = (x - zero) * scale, or x * scale where zeros is NULL: those of the first `head` numbers, then of `block` at a time. */
    void (*scaled)(float *x, size_t n, size_t head, size_t block, const float *scales, const float *zeros);
} lanes;

/* The widest set that this machine runs. */
const lanes *lanes_best(void);
/* "scalar", "avx2", "avx512"; NULL when this machine or this build has no such set. */
const lanes *lanes_named(const char *name);
#endif
