/* How a tensor that is not in the files as such comes of some that are: quantised numbers, and what turns them back into floats.
 *
 *     number = (code - zero) * scale
 *
 * worked out in float32, and rounded once to the dtype that the format gives. Rows are those of the last axis. A scale belongs to a block of
 * rows and columns; scales lie in rows of their own, one for each block of a row. */
#ifndef TARE_FILES_PACKING_H
#define TARE_FILES_PACKING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum packed_codes {
    CODES_PLAIN,    /* of the tensor's own dtype: 8-bit floats or integers */
    CODES_NIBBLES,  /* two in a byte, each stands for a value of the table */
    CODES_BITS      /* of any number of bits, low ones first, whole words of 32 to a row; less the offset */
} packed_codes;
typedef enum packed_scales {
    SCALES_PLAIN,    /* of the tensor's own dtype */
    SCALES_EXPONENT, /* a byte b is 2 to the b - 127 */
    SCALES_NESTED    /* bytes that stand for values of a table, which are scaled and shifted themselves */
} packed_scales;
typedef struct packed_form {
    packed_codes codes;
    packed_scales scale_kind;
    uint8_t bits, dtype;             /* of a code; that the numbers are rounded to */
    bool high_first;                 /* the first of two nibbles is the upper one */
    bool zeros_packed;               /* zero points are CODES_BITS down the columns; else they lie as the scales do */
    int32_t offset;
    float table[16];
    int64_t rows, columns;           /* of the numbers: all rows of all matrices */
    int64_t row_words;               /* of CODES_BITS: words of 32 bits in a row */
    int64_t matrix_rows;             /* blocks begin anew with each matrix */
    int64_t block_rows, block_columns;
    int64_t scale_rows, scale_columns; /* of a matrix; 0 rows: one scale for all */
    size_t numbers, scales, zeros;   /* tensors of the checkpoint; zeros: SIZE_MAX, none */
    float divisor, factor;           /* of scales, in float32; and of the product, after it; 1: none */
    /* nested */
    const float *scale_table;        /* 256 values */
    const float *outer;              /* scales of the scales, one for `outer_block` of them */
    int64_t outer_count, outer_block;
    float shift;
} packed_form;
#endif
