/* JSON lines in, JSON lines out: in order, on all cores, in bounded memory, each answer as soon as the input pauses. */
#ifndef TARE_CLI_LINES_H
#define TARE_CLI_LINES_H
#include "cli.h"

typedef struct line {
    const char *text; /* not zero-terminated, without its newline; NULL: longer than LINE_LIMIT */
    size_t n;
    uint64_t number;  /* from 1 */
} line;
enum { LINE_LIMIT = 64 << 20 };

/* Writes one answer with its newline. False: the line failed. Called by several threads at once. */
typedef bool (*line_answer)(const void *to, const line *in, out *o);
/* file NULL or "-": standard input; threads NULL: one per core. Exit status: 0, 1 if any line failed, or an error that was said. */
int lines_run(const char *file, const char *threads, line_answer answer, const void *to);

/* From --threads, NULL for one per core; 0 when it is wrong, which was said. */
int thread_count(const char *text);

/* The members of a request {"id": any, "class": text, "config": {...}, "seed": number, "dtype": text} and those of a device map
 * (docs/formats.md), as spans of the line. */
typedef struct span {
    const char *text; /* NULL: absent */
    size_t n;
} span;
typedef struct request {
    span id, config, seed, mode, max_memory, no_split, args;
    char class_name[128], dtype[32]; /* "": absent */
    bool no_dtype;                   /* "dtype" is there and no name */
} request;
bool request_read(request *r, const line *in, tare_error *err);
/* {"id":... without the closing brace */
void request_begin(const request *r, out *o);
/* Drops what was written from `begin` on, half an answer, for an error; `before` is what goes between id and error. */
void request_fail(const request *r, out *o, size_t begin, const char *before, const tare_error *err);
#endif
