/* Upstream's patterns for the names of tensors: a transform renames a key from one side's spelling to the other's. Forward is from
 * the file to the model; a rule taken backwards is the transform with its sides swapped. */
#ifndef TARE_FILES_PATTERN_H
#define TARE_FILES_PATTERN_H
#include "../core/arena.h"
#include "../core/error.h"
#include <stdint.h>

typedef struct patterns { /* where patterns are compiled and matched: all of it lives in the arena */
    arena *a;
    tare_error *err;
    void *memory, *found; /* PCRE2's: its allocator, its place for what matched */
} patterns;
void patterns_start(patterns *p, arena *a, tare_error *err);

/* A plain regular expression, and whether it is found anywhere in a text. False after an error too. */
void *pattern_compile(patterns *p, const char *regex);
bool pattern_found(patterns *p, const void *compiled, const char *text);
int64_t pattern_begin(const patterns *p); /* where the match that was found last begins */

typedef struct transform {
    const char **from, **to;   /* as they are used: anchors, groups and escapes brought to the side that needs them */
    size_t from_n, to_n;
    const char *scope, *base;  /* only keys below base.scope. or scope.; scope NULL: every key */
    bool pairs;                /* from[i] becomes to[i], not to[0]; and none does before from[0] has been found in some key */
    int64_t offset;            /* added to the number that the group matched */
    bool awake, used;          /* of pairs: from[0] has been found; some key was renamed */
    struct branch *branches;   /* of each `from`, in the order in which they are tried */
    void *compiled;            /* NULL: no branch needs a regular expression */
} transform;
/* False, with an error, for patterns that upstream's classes refuse too. */
bool transform_make(patterns *p, const char *const *from, const char *const *to, transform *out);
/* The key with the first match replaced by its other side, and which of `from` it was; NULL when none matches, or after an error.
 * Keys of a checkpoint are to come in upstream's order: pairs depend on it. */
const char *transform_key(patterns *p, transform *t, const char *key, size_t *which);
/* `text` with the first (all: every) `what` in it replaced. */
const char *text_replace(arena *a, const char *text, const char *what, const char *by, bool all);
#endif
