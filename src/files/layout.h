/* A model's tensors as save_pretrained writes them: names, shapes and order, and where each byte of the model's tensors goes. */
#ifndef TARE_FILES_LAYOUT_H
#define TARE_FILES_LAYOUT_H
#include "../core/error.h"
#include "../core/node.h"
#include "rules.h"
#include "shards.h"

typedef struct layout_entry { /* a tensor on disk */
    const char *key;
    const int64_t *shape;
    int64_t elements;
    uint64_t bytes;
    size_t with;      /* the first entry that is in the same storage of the reference, or itself: these go to one file */
    uint64_t storage; /* bytes of that storage */
    uint8_t dtype;
    int8_t rank;
} layout_entry;
enum { MOST_AXES = 16 };
typedef struct layout_axis { int64_t count; uint64_t from_step, to_step; } layout_axis;
typedef struct layout_piece { /* n bytes at `from` of a model's tensor are those at `to` of a disk tensor, and so again along each axis */
    uint64_t from, to, n;
    size_t entry;
    const layout_axis *axes; /* their steps in the model's tensor fall */
    int axis_count;          /* 0: one run of bytes */
} layout_piece;
typedef struct layout_source { /* a slot of the model; only the first that holds a tensor has pieces */
    const tensor_node *tensor;
    const layout_piece *pieces; /* by `from` */
    size_t count;
} layout_source;
typedef struct layout {
    const layout_entry *entries; /* in the order of the reference's dict, which decides how it shards */
    size_t entry_count;
    const layout_source *sources; /* the slots in walk order */
    size_t source_count;
} layout;

typedef struct layout_how { /* a model that was loaded, where it differs from a fresh one */
    const uint8_t *dtypes;     /* of each slot */
    const size_t *owners;      /* of each slot: the first that holds the same tensor */
    const int64_t *lengths;    /* of each slot whose data decides its size */
    const rule_set *rules; /* with those that were used in loading, which alone are taken back; NULL: names are the tree's */
} layout_how;

/* how NULL: as it was made. NULL with err (not NULL) set; all of it lives in the arena. */
const layout *layout_make(arena *a, const node *root, const layout_how *how, tare_error *err);

/* As the writer wants them; malloc'd, NULL when memory runs out. */
save_tensor *layout_tensors(const layout *l);

/* Hands on where bytes go: n of them, at `at` of disk tensor `entry`. False stops. */
typedef bool (*layout_put)(void *to, size_t entry, uint64_t at, const unsigned char *bytes, size_t n);
/* The n bytes at `at` of a source's tensor, in any portions and in any order: hands each to where it belongs. */
bool layout_scatter(const layout_source *s, uint64_t at, const unsigned char *bytes, size_t n, layout_put put, void *to);
#endif
