/* Converters taken backwards: one tensor of the model becomes several in the file, each a view into it. */
#ifndef TARE_FILES_UNDO_H
#define TARE_FILES_UNDO_H
#include "ops.h"
#include "../core/node.h"

typedef struct view { /* of a tensor's elements: where they start, and how far each dimension steps */
    int64_t from, size[MOST_RANK], step[MOST_RANK];
    int rank;
    size_t copy;     /* which of the copies that the reference makes on the way holds it; 0: the tensor itself */
    int64_t storage; /* elements of that copy, or of the tensor */
} view;
typedef struct named_view {
    const char *name; /* a pattern while operations run, then a key */
    view v;
} named_view;
typedef struct named_views { named_view *v; size_t n; } named_views;

/* False for more dimensions than views have. */
bool view_of(const tensor_node *t, view *out);
/* Undoes `ops`, last to first, on the tensor that t's pattern `which` matched and renamed to `key`. False with an error. */
bool undo_ops(patterns *p, const layout_op *ops, const transform *t, size_t which, const char *key, const view *whole, named_views *out);
#endif
