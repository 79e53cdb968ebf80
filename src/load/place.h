/* Where the elements of a box come from and go to: nested loops, cut into rectangles, brought into the order of either side. */
#ifndef TARE_LOAD_PLACE_H
#define TARE_LOAD_PLACE_H
#include "../files/ops.h"
#include "cast.h"

typedef struct place { /* element (i0, i1, ...) is element from + i0 * src[0] + ... of the source and element to + i0 * dst[0] + ... of the value */
    int rank;
    int64_t size[MOST_RANK], src[MOST_RANK], dst[MOST_RANK], from, to;
} place;

/* The loops of a box, the last dimension innermost; those that run on in each other are one. */
place place_of(const value *v, const box *b);
/* The same elements in the order in which they lie in the source: no step there is negative. */
place place_by_source(const place *p);
int64_t place_elements(const place *p);
/* As far as from the first to the last element of the source that a place touches, from the loop `level` on inwards. src must not be negative. */
int64_t place_span(const place *p, int level);
/* How many elements, of a place whose loops are in the value's order, lie before element `at` of the value. */
int64_t place_before(const place *p, int64_t at);
/* The largest rectangle that begins at the place's element `first` (counted in the order of its loops) and has at most n; how many it has. */
int64_t place_cut(const place *p, int64_t first, int64_t n, place *out);
/* Whether both sides lie in one piece, in one order. */
bool place_is_run(const place *p);

typedef struct placing { /* how elements are put */
    const lanes *l;
    tare_dtype from, to;
    bool past;              /* written past the caches */
    uint64_t *nan, *inf;    /* what is not finite is added; NULL: nothing is counted */
} placing;
/* Puts a place's elements: `src` holds the source from its element p->from on, `dst` the value from element p->to on. */
void place_put(const placing *how, const place *p, const void *src, void *dst);
#endif
