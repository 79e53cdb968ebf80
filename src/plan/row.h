/* A row of pieces, each of some bytes, to be cut into consecutive parts: one for each device, in order, none above its capacity. */
#ifndef TARE_PLAN_ROW_H
#define TARE_PLAN_ROW_H
#include "../core/arena.h"

__extension__ typedef unsigned __int128 squares; /* a sum of squares of parts: below the square of a 64-bit sum */

typedef struct row {
    const uint64_t *sum;  /* n + 1: the bytes before each piece, and of all; ascending strictly */
    size_t n;
    const uint64_t *caps; /* k devices; UINT64_MAX: no limit */
    size_t k;
    uint64_t held;        /* kept free on the first */
} row;
static inline uint64_t row_cap(const row *r, size_t d) {
    if (d) return r->caps[d];
    return r->caps[0] > r->held ? r->caps[0] - r->held : 0;
}
/* The pieces before which a device stops that starts at `from`. */
size_t row_reach(const row *r, size_t from, uint64_t cap);
/* Where the devices stop that take as much as they can, and never more than `most` bytes: no other cut gets further. */
size_t row_fill(const row *r, uint64_t most);
/* The smallest largest part with which the pieces before `goal` can be cut; they can be. */
uint64_t row_largest(const row *r, size_t goal);
/* Cuts them with parts of at most `most` bytes, the sum of squares being the smallest, then the parts that hold something the
 * fewest, then the last parts the smallest; ends[d] is where part d stops. False: too large a table; then as row_fill() cuts. */
bool row_balance(const row *r, size_t goal, uint64_t most, size_t *ends, arena *a);
#endif
