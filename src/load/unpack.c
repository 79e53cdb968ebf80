/* A piece at a time: its codes are read in one request, and its scales and zero points in one each; then row by row, block by block. */
#include "unpack.h"
#include <string.h>

enum { PAGE = 4096, CODES = 32 << 10, SCALES = 2048, RUN = 1024 }; /* of a piece, at the most: bytes of codes, scales; floats at a time */
typedef struct piece { /* of a tensor: whole rows, or a part of one */
    int64_t row, rows, column, columns;
    int64_t block_row, block_rows, block_column, block_columns; /* of its scales */
} piece;
typedef struct room { /* begins on a page */
    _Alignas(PAGE) char codes[CODES + 2 * PAGE];
    char raw[SCALES * 4 + 2 * PAGE];
    float scales[SCALES], zeros[SCALES];
} room;
typedef struct unpacking {
    const lanes *l;
    const packed_form *p;
    const unpack_bytes *from;
    const unpack_to *to;
    room *r;
} unpacking;

/* ---- pieces ---- */

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t code_bits(const packed_form *p) { return p->codes == CODES_PLAIN ? 8 : p->codes == CODES_NIBBLES ? 4 : p->bits; }
/* Of the row of scales that a row has. */
static int64_t scale_row(const packed_form *p, int64_t row) {
    if (!p->scale_rows) return 0;
    int64_t matrix = row / p->matrix_rows;
    return matrix * p->scale_rows + (row - matrix * p->matrix_rows) / p->block_rows;
}
static void place_scales(const packed_form *p, piece *x) {
    x->block_row = scale_row(p, x->row);
    x->block_rows = scale_row(p, x->row + x->rows - 1) - x->block_row + 1;
    x->block_column = x->column / p->block_columns;
    x->block_columns = (x->column + x->columns - 1) / p->block_columns - x->block_column + 1;
}
static int64_t row_bytes(const packed_form *p) { return p->codes == CODES_BITS ? p->row_words * 4 : (p->columns * code_bits(p) + 7) / 8; }
/* What is taken next of n elements from `first` on. Rows of nibbles share no byte: an odd row is none that any format has. */
static piece cut(const packed_form *p, int64_t first, int64_t n) {
    piece x = {.row = first / p->columns, .rows = 1, .column = first % p->columns};
    int64_t all = row_bytes(p) ? CODES / row_bytes(p) : 1, most = smaller((CODES - 128) * 8 / code_bits(p), (SCALES - 2) * p->block_columns);
    x.columns = smaller(smaller(p->columns - x.column, n), most);
    if (!x.column && x.columns == p->columns) {
        int64_t rows = smaller(n / p->columns, all), fit = p->scale_columns ? SCALES / p->scale_columns - 2 : 1;
        if (p->scale_rows && fit < rows / p->block_rows + 2) rows = smaller(rows, fit * p->block_rows);
        if (rows > 1) x.rows = rows;
    }
    place_scales(p, &x);
    while (x.rows > 1 && x.block_rows * x.block_columns > SCALES) x.rows = (x.rows + 1) / 2, place_scales(p, &x);
    return x;
}

/* ---- scales ---- */

static const char *bytes(unpacking *u, size_t tensor, int64_t at, char *to, int64_t n) {
    return u->from->get(u->from->to, tensor, (uint64_t)at, to, (size_t)n);
}
/* A rectangle of a grid of `width` columns, to rows without gaps: whole rows in one request. */
static const char *grid(unpacking *u, size_t tensor, int64_t width, size_t item, const piece *x) {
    int64_t unit = (int64_t)item, n = x->block_columns * unit;
    if (x->block_rows == 1 || x->block_columns == width)
        return bytes(u, tensor, (x->block_row * width + x->block_column) * unit, u->r->raw, x->block_rows * n);
    return NULL;
}
static void nested(unpacking *u, const uint8_t *in, const piece *x, int64_t n) {
    const packed_form *p = u->p;
    int64_t first = x->block_row * p->scale_columns + x->block_column;
    for (int64_t i = 0; i < n; i++) {
        float absmax = p->scale_table[in[i]] * p->outer[smaller((first + i) / p->outer_block, p->outer_count - 1)];
        u->r->scales[i] = absmax + p->shift;
    }
}
/* 2 to the b - 127; 255 is infinity. */
static void powers(float *out, const uint8_t *in, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = in[i] ? (uint32_t)in[i] << 23 : 0x00400000u;
        memcpy(&out[i], &bits, sizeof bits);
    }
}
static bool read_scales(unpacking *u, const piece *x) {
    const packed_form *p = u->p;
    tare_dtype dtype = (tare_dtype)u->from->dtype(u->from->to, p->scales);
    int64_t n = x->block_rows * x->block_columns;
    const char *in = grid(u, p->scales, p->scale_columns, tare_dtype_bytes(dtype), x);
    if (!in) return false;
    if (p->scale_kind == SCALES_NESTED) nested(u, (const uint8_t *)in, x, n);
    else if (p->scale_kind == SCALES_EXPONENT) powers(u->r->scales, (const uint8_t *)in, n);
    else cast_run(u->l, TARE_F32, u->r->scales, dtype, in, (size_t)n, false);
    if (p->divisor != 1)
        for (int64_t i = 0; i < n; i++) u->r->scales[i] /= p->divisor;
    return true;
}

/* ---- zero points ---- */

static int32_t bits_at(const uint8_t *words, int64_t bit, int bits) {
    uint64_t two = 0;
    memcpy(&two, words + bit / 32 * 4, bit % 32 + bits > 32 ? 8 : 4);
    return (int32_t)(two >> (bit % 32) & ((1u << bits) - 1));
}
/* They are packed down the columns: a row of words holds some rows' bits. */
static bool unpack_zeros(unpacking *u, const piece *x) {
    const packed_form *p = u->p;
    int64_t width = p->scale_columns, bits = p->bits;
    for (int64_t i = 0; i < x->block_rows; i++) {
        int64_t bit = (x->block_row + i) * bits, word = bit / 32, last = (bit + bits - 1) / 32;
        float *to = u->r->zeros + i * x->block_columns;
        const char *in = bytes(u, p->zeros, (word * width + x->block_column) * 4, u->r->raw, x->block_columns * 4);
        if (!in) return false;
        for (int64_t k = 0; k < x->block_columns; k++) {
            uint32_t w;
            memcpy(&w, in + k * 4, 4);
            to[k] = (float)(w >> (bit % 32) & ((1u << bits) - 1));
        }
        in = last > word ? bytes(u, p->zeros, (last * width + x->block_column) * 4, u->r->raw, x->block_columns * 4) : NULL;
        if (last > word && !in) return false;
        for (int64_t k = 0; in && k < x->block_columns; k++) {
            uint32_t w;
            memcpy(&w, in + k * 4, 4);
            to[k] += (float)((w & ((1u << (bit + bits - last * 32)) - 1)) << (32 - bit % 32));
        }
        for (int64_t k = 0; k < x->block_columns; k++) to[k] -= (float)p->offset;
    }
    return true;
}
static bool read_zeros(unpacking *u, const piece *x) {
    const packed_form *p = u->p;
    if (p->zeros == SIZE_MAX) return true;
    if (p->zeros_packed) return unpack_zeros(u, x);
    tare_dtype dtype = (tare_dtype)u->from->dtype(u->from->to, p->zeros);
    const char *in = grid(u, p->zeros, p->scale_columns, tare_dtype_bytes(dtype), x);
    if (in) cast_run(u->l, TARE_F32, u->r->zeros, dtype, in, (size_t)(x->block_rows * x->block_columns), false);
    return in != NULL;
}

/* ---- codes ---- */

static void decode_bits(const packed_form *p, float *out, const uint8_t *row, int64_t first, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = (float)(bits_at(row, (first + i) * p->bits, p->bits) - p->offset);
}
/* n codes from element `first` of what begins at `row`. */
static void decode(unpacking *u, tare_dtype dtype, float *out, const uint8_t *row, int64_t first, int64_t n) {
    const packed_form *p = u->p;
    if (p->codes == CODES_PLAIN) {
        cast_run(u->l, TARE_F32, out, dtype, row + first, (size_t)n, false);
    } else if (p->codes == CODES_BITS) {
        decode_bits(p, out, row, first, n);
    } else {
        int64_t i = 0;
        if (first % 2) out[i++] = p->table[p->high_first ? row[first / 2] & 15 : row[first / 2] >> 4];
        u->l->nibbles(out + i, row + (first + i) / 2, (size_t)(n - i), p->table, p->high_first);
    }
}
/* Codes of one row, from `column` on: each block's by its scale. */
static void scale(unpacking *u, float *x, const float *scales, const float *zeros, int64_t column, int64_t n) {
    const packed_form *p = u->p;
    int64_t block = p->block_columns, head = smaller(n, block - column % block);
    u->l->scaled(x, (size_t)n, (size_t)head, (size_t)block, scales, zeros);
    if (p->factor != 1)
        for (int64_t i = 0; i < n; i++) x[i] *= p->factor;
}
/* Rounded to the format's dtype, and from that to the one that is asked for. */
static void hand_over(unpacking *u, void *out, const float *made, int64_t n) {
    tare_dtype own = (tare_dtype)u->p->dtype;
    _Alignas(64) char rounded[RUN * sizeof(float)];
    bool twice = own != TARE_F32 && own != u->to->dtype;
    if (twice) cast_run(u->l, own, rounded, TARE_F32, made, (size_t)n, false);
    cast_run(u->l, u->to->dtype, out, twice ? own : TARE_F32, twice ? (const void *)rounded : made, (size_t)n, u->to->past);
}
static char *do_row(unpacking *u, const piece *x, int64_t i, tare_dtype dtype, const uint8_t *codes, char *out) {
    const packed_form *p = u->p;
    _Alignas(64) float made[RUN];
    int64_t at = (scale_row(p, x->row + i) - x->block_row) * x->block_columns;
    for (int64_t done = 0; done < x->columns; done += RUN) {
        int64_t n = smaller(x->columns - done, RUN), column = x->column + done, block = column / p->block_columns - x->block_column;
        /* a byte that this part of the row begins within is the first there is */
        int64_t first = (p->codes == CODES_PLAIN ? 0 : p->codes == CODES_BITS ? x->column % 32 : x->column % 2) + done;
        decode(u, dtype, made, codes, first, n);
        scale(u, made, u->r->scales + at + block, p->zeros != SIZE_MAX ? u->r->zeros + at + block : NULL, column, n);
        hand_over(u, out, made, n);
        out += (size_t)n * tare_dtype_bytes(u->to->dtype);
    }
    return out;
}
/* In whole bytes, of CODES_BITS in whole words of 32 elements. */
static char *do_piece(unpacking *u, const piece *x, char *out) {
    const packed_form *p = u->p;
    int64_t bits = code_bits(p), unit = p->codes == CODES_BITS ? 32 : p->codes == CODES_NIBBLES ? 2 : 1, row = row_bytes(p);
    int64_t begin = x->column / unit * unit * bits / 8, end = (x->column + x->columns + unit - 1) / unit * unit * bits / 8;
    if (end > row) end = row;
    if (!read_scales(u, x) || !read_zeros(u, x)) return NULL;
    const char *codes = bytes(u, p->numbers, x->row * row + begin, u->r->codes, (x->rows - 1) * row + end - begin);
    tare_dtype dtype = (tare_dtype)u->from->dtype(u->from->to, p->numbers);
    for (int64_t i = 0; codes && out && i < x->rows; i++) out = do_row(u, x, i, dtype, (const uint8_t *)codes + i * row, out);
    return codes ? out : NULL;
}
bool unpack_run(const lanes *l, const packed_form *p, int64_t first, int64_t n, const unpack_to *to, const unpack_bytes *from) {
    room r;
    unpacking u = {l, p, from, to, &r};
    for (char *out = to->out; n > 0;) {
        piece x = cut(p, first, n);
        out = do_piece(&u, &x, out);
        if (!out) return false;
        first += x.rows * x.columns;
        n -= x.rows * x.columns;
    }
    return true;
}
