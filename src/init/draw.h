/* Random tensors with the bits that torch 2.13 draws on x86-64: uniform_, normal_ and torch.nn.init.trunc_normal_.
 * The recurrence of the generator runs in order, everything after it on as many threads as asked for; no number of threads
 * changes a bit. F64 and draws of less than 16 normals use the C library's log, sin and cos: glibc's are the reference's. */
#ifndef TARE_INIT_DRAW_H
#define TARE_INIT_DRAW_H
#include "../../include/tare.h"
#include "mt.h"

typedef struct draw {
    enum { DRAW_UNIFORM, DRAW_NORMAL } kind;
    tare_dtype dtype; /* F32 BF16 F16 F64 */
    uint64_t n;       /* elements; a tensor is one draw, for its end depends on its length */
    double a, b;      /* from, to; or mean, std */
    bool (*go_on)(void *to); /* asked for every piece, one at a time; false ends it, as if memory had run out. NULL: go on */
    void *go_on_to;
} draw;

/* Takes elements [first, first + n). Called by several threads at once, for ranges that do not meet, in any order; false stops. */
typedef bool (*draw_sink)(void *to, uint64_t first, uint64_t n, const void *bytes);

/* As if drawn: the generator ends where it would. */
void draw_skip(rng *g, const draw *d);
/* False when memory for the work ran out; the generator is then anywhere. */
bool draw_fill(rng *g, const draw *d, int threads, void *dst);
/* The same in pieces of about 1 MiB; also false when the sink stopped it. */
bool draw_stream(rng *g, const draw *d, int threads, draw_sink sink, void *to);
/* trunc_normal_ between lo and hi: what lies outside is taken from a whole new draw, until nothing does. Where that would throw
 * most away (a normal is inside with p <= 0.3) torch draws uniformly and accepts by weight; there a logarithm decides, and its
 * last bit may differ from torch's, so that once in millions of elements another one is taken.
 * False also when std is not above 0 or lo is above hi. */
bool draw_trunc(rng *g, const draw *d, double lo, double hi, int threads, void *dst);
/* No normal of this draw can be so far out: 24 bits of uniform end at 5.8 std, 53 bits at 8.6. It is then the plain normal. */
bool draw_trunc_cannot_reject(const draw *d, double lo, double hi);
#endif
