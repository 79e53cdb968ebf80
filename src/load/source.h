/* Bytes of a checkpoint's files, in one of three ways. */
#ifndef TARE_LOAD_SOURCE_H
#define TARE_LOAD_SOURCE_H
#include "fill.h"
#include "unpack.h"
#include <pthread.h>

enum { SOURCE_PAGE = 4096 };
typedef struct source_file { int direct; bool refuses; const char *map; size_t mapped; } source_file;
typedef struct sources {
    const checkpoint *c;
    fill_io io;
    source_file *files;
    pthread_mutex_t lock;
} sources;

/* False: memory ran out. */
bool sources_open(sources *s, const checkpoint *c, fill_io io, tare_error *err);
void sources_close(sources *s);
/* n bytes of a tensor's file from `at` on, read to `to`. From many threads, as what follows. */
bool source_bytes(sources *s, size_t tensor, uint64_t at, void *to, size_t n, tare_error *err);
/* The same, wherever it is best: `room` has place for n bytes and 2 * SOURCE_PAGE more, and begins on a page. NULL with err. */
const char *source_get(sources *s, size_t tensor, uint64_t at, char *room, size_t n, tare_error *err);
/* Elements [first, first + n) of a packed tensor. */
bool source_unpack(sources *s, size_t tensor, int64_t first, int64_t n, const unpack_to *to, tare_error *err);
/* That so much will be wanted soon; by PREAD alone. */
void source_soon(sources *s, size_t tensor, uint64_t at, uint64_t n);
#endif
