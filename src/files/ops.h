/* What converters do to tensors, as places alone. A value is put together from boxes of other tensors, and every operation that upstream has
 * moves boxes: nothing is computed, no byte is touched, and the same boxes serve a header check, a load and a save. */
#ifndef TARE_FILES_OPS_H
#define TARE_FILES_OPS_H
#include "boxes.h"
#include "pattern.h"
#include "../core/node.h"

enum { MOST_ENTRIES = 1 << 21 };
typedef struct op_input { /* what was found for one of a transform's patterns, in upstream's order of keys */
    const char *pattern;  /* as the prepared transform has it: t->from[i] */
    value *values;
    size_t n, cap;
} op_input;
typedef struct op_output { /* the name is a key: a pattern of t->to, with what stands around it in the converter's key */
    const char *name;
    value v;
} op_output;
typedef struct op_outputs { op_output *v; size_t n; } op_outputs;

typedef struct op_work {
    patterns *p;
    const transform *t;         /* the converter: forward, or taken backwards */
    const layout_op *ops;       /* as the rule has them, of loading */
    bool backward;              /* undo them, last to first: for saving */
    const struct cfg *config;   /* of the root: for operations that ask it for a number */
    /* The shape of the model's parameter of that name, for Split and check_dims; false: there is none. NULL where there is no model. */
    bool (*shape_of)(void *to, const char *key, int *rank, const int64_t **shape);
    void *to;
    const char *key;            /* the first key that the converter made: upstream's layer_name */
} op_work;
/* Runs the operations on inputs that are in the order in which their patterns were first met. False with the patterns' error, all TARE_BAD:
 * "bad_layout" for a rule that cannot be, "conversion" for tensors that it does not fit, with upstream's reason in words and the key as path,
 * "too_large". The inputs stay as they are. */
bool ops_run(const op_work *w, const op_input *inputs, size_t n, op_outputs *out);
#endif
