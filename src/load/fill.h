/* Filling tensors from a checkpoint: reading, casting and putting in place, in one go and under a bound. */
#ifndef TARE_LOAD_FILL_H
#define TARE_LOAD_FILL_H
#include "../files/checkpoint.h"
#include "../files/ops.h"

typedef struct fill_target { /* a tensor to be filled */
    const value *value;      /* its boxes' sources are tensors of the checkpoint */
    tare_dtype dtype;        /* to cast to, as torch's .to() does */
} fill_target;

/* Who takes it. All three are called from several threads at once, memory() and done() once for each target. Targets begin in the order in
 * which they lie in the files, not in that of the list. */
typedef struct fill_out {
    /* The memory of the whole target, row by row, aligned for its dtype; or NULL: then it is handed over in pieces. */
    void *(*memory)(void *to, size_t target);
    /* Bytes of a target without memory, whole elements. With in_order each target's come by rising `first`, from one thread. */
    bool (*piece)(void *to, size_t target, uint64_t first, const void *bytes, size_t n);
    /* The target is complete. */
    bool (*done)(void *to, size_t target);
    void *to;
} fill_out; /* false ends the run; whoever said it knows why */

/* MMAP: a file that somebody makes shorter meanwhile ends the process (SIGBUS), which nothing here can prevent; to the others it is an error.
 * DIRECT: past the page cache, and as PREAD where the file system has no such thing. */
typedef enum fill_io { FILL_PREAD, FILL_MMAP, FILL_DIRECT } fill_io;
typedef struct fill_odd { uint64_t nan, inf; } fill_odd;
typedef struct fill_sizes {  /* in bytes; each holds an element at least */
    size_t unit;             /* what a thread takes at a time of a target into memory, counted in its sources */
    size_t window;           /* of a target that is handed over, counted in its own */
    size_t room;             /* what is read at once to be put by steps, */
    size_t cast;             /* or to be cast in one piece */
    size_t small;            /* tensors up to this size are read together, as many as `cast` holds */
} fill_sizes;
typedef struct fill_how {
    int threads;             /* at least 1 */
    fill_io io;
    bool in_order;
    fill_odd *odd;           /* one for each target: counts what is not finite, after the cast; NULL: nothing is counted */
    bool (*progress)(void *to, uint64_t bytes); /* so many bytes of tensors more are read; one call at a time; false cancels. NULL: none */
    void *progress_to;
    const fill_sizes *sizes; /* NULL: those that are fast */
} fill_how;

/* Bytes that a run over n targets holds at the most besides the targets' own memory: known before the first byte is read. */
uint64_t fill_bound(const checkpoint *c, size_t n, const fill_how *how);
/* Whether a cast from one to the other exists; both by tare_dtype. Those of less than eight bits cannot even be copied here. */
bool fill_can_cast(int from, int to);
/* Fills all targets. False: `out` or progress ended it (err is as it was), or err says why. */
bool fill_run(const checkpoint *c, const fill_target *targets, size_t n, const fill_how *how, const fill_out *out, tare_error *err);
#endif
