/* What converters do to tensors, as places alone. A value is put together from boxes of other tensors, and every operation that upstream has
 * moves boxes: nothing is computed, no byte is touched, and the same boxes serve a header check, a load and a save. */
#ifndef TARE_FILES_OPS_H
#define TARE_FILES_OPS_H
#include "pattern.h"
#include "../core/node.h"

enum { MOST_RANK = 8 };
typedef struct box { /* element (i0, i1, ...) of it is element from + i0 * step[0] + i1 * step[1] + ... of the source */
    size_t source;                          /* which tensor, by the caller's numbers */
    int64_t from, step[MOST_RANK];
    int64_t at[MOST_RANK], size[MOST_RANK]; /* where it is in the value */
} box;
typedef struct value { /* its boxes cover it, and do not meet */
    box *boxes;
    size_t n;
    int rank;
    int64_t shape[MOST_RANK], elements;
} value;

/* A whole tensor, row by row. False: more dimensions than a value has. */
bool value_whole(arena *a, size_t source, int rank, const int64_t *shape, value *out);

typedef struct op_input { /* what was found for one of a transform's patterns, in upstream's order of keys */
    const char *pattern;  /* as the prepared transform has it: t->from[i] */
    value *values;
    size_t n, cap;
} op_input;
typedef struct op_output { const char *name; value v; } op_output; /* a pattern of t->to, completed to a key by ops_complete() */
typedef struct op_outputs { op_output *v; size_t n; } op_outputs;

typedef struct op_work {
    patterns *p;
    const transform *t;         /* the converter: forward, or taken backwards */
    const layout_op *ops;       /* as the rule has them, of loading */
    bool backward;              /* undo them, last to first: for saving */
    const struct cfg *config;   /* of the root: for operations that ask it for a number */
    /* The shape of the model's tensor of that name, for Split and check_dims; false: there is none. NULL where there is no model. */
    bool (*shape_of)(void *to, const char *key, int *rank, const int64_t **shape);
    void *to;
    const char *key;            /* the first key that the converter made: upstream's layer_name */
} op_work;
/* Runs the operations on inputs that are in the order in which their patterns were first met. False with the patterns' error: TARE_BAD
 * "bad_layout" for a rule that cannot be, "conversion" for tensors that it does not fit, with upstream's reason in words. */
bool ops_run(const op_work *w, const op_input *inputs, size_t n, op_outputs *out);
#endif
