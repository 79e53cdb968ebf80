/* Tensors as places alone: a value is put together from boxes of other tensors, and what torch does to move elements moves boxes. */
#ifndef TARE_FILES_BOXES_H
#define TARE_FILES_BOXES_H
#include "../core/arena.h"

enum { MOST_RANK = 8, MOST_BOXES = 1 << 21 };
typedef struct box { /* element (i0, i1, ...) of it is element from + i0 * step[0] + i1 * step[1] + ... of the source */
    size_t source;                          /* which tensor, by the caller's numbers */
    int64_t from, step[MOST_RANK];
    int64_t at[MOST_RANK], size[MOST_RANK]; /* where it is in the value: it begins at `at`, */
    int64_t apart[MOST_RANK];               /* and its elements are so far apart; 1 but in values that were made backwards */
} box;
typedef struct memory { int64_t elements; size_t mark; } memory; /* of torch, which several values may be views of; mark: the caller's */
typedef struct value {         /* its boxes cover it, and do not meet; without elements it has none */
    box *boxes;
    size_t n;
    int rank;
    int64_t shape[MOST_RANK], elements;
    int64_t stride[MOST_RANK]; /* as torch has it, which decides what it copies */
    memory *in;                /* NULL: nobody asks */
} value;

/* A whole tensor, row by row. False: more dimensions than a value has, or more elements than can be counted. */
bool value_whole(arena *a, size_t source, int rank, const int64_t *shape, value *out);
bool value_contiguous(const value *v);
/* What .contiguous() does, and what makes a copy whatever there is. */
void value_settle(arena *a, value *v);
void value_copy(arena *a, value *v);

/* Each of these: false for more boxes than there may be, and nothing else: the caller has looked at dimensions and shapes. */
/* Parts of dimension dim, from bounds[i] to bounds[i + 1], as views. */
bool value_split(arena *a, const value *v, int dim, const int64_t *bounds, size_t n, value *parts);
/* Values one after another along dim, or, stacked, along a new dimension there. */
bool value_join(arena *a, value *const *v, size_t n, int dim, bool stacked, value *out);
void value_swap(arena *a, value *v, int x, int y);
void value_drop(value *v, int dim); /* a dimension of size 1, in place */
/* Sees dimension dim as [outer, x, y] and swaps x and y. */
bool value_regroup(arena *a, value *v, int dim, int64_t x, int64_t y);
#endif
