/* Quantised numbers back into floats, with the arithmetic of their formats (../files/packing.h). */
#ifndef TARE_LOAD_UNPACK_H
#define TARE_LOAD_UNPACK_H
#include "../files/packing.h"
#include "cast.h"

/* Where bytes of a tensor come from: n of them, from byte `at` of it on. They may be copied to `room`, which has place for n and 8 KiB more
 * and begins on a page. NULL: they cannot be had. */
typedef struct unpack_bytes {
    const char *(*get)(void *to, size_t tensor, uint64_t at, char *room, size_t n);
    int (*dtype)(void *to, size_t tensor);
    void *to;
} unpack_bytes;
typedef struct unpack_to { /* who takes the floats */
    tare_dtype dtype;       /* that they are cast to, once they are in the packed tensor's own; aligned for it: */
    void *out;
    bool past;              /* written past the caches (cast.h) */
} unpack_to;
/* Elements [first, first + n) of a packed tensor. False: bytes could not be had. */
bool unpack_run(const lanes *l, const packed_form *p, int64_t first, int64_t n, const unpack_to *to, const unpack_bytes *from);
#endif
