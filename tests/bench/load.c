/* How fast a file is loaded: load FILE pread|mmap|direct THREADS DTYPE memory|warm|pieces [BYTES [RUNS]]
 *     All of FILE is taken as BF16 tensors of BYTES bytes each (8 MiB unless told) and loaded as DTYPE (BF16, F32, F16).
 *     memory: into memory that was not touched before, in large pages where the system has them; warm: that was; pieces: handed over
 *     turned, as DTYPE, e.g. "BF16 turned": into new memory, each tensor as a matrix of rows of 4096 turned round
 * Prints GB/s of the file's bytes; the best of several runs counts. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "load/fill.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

typedef struct load {
    checkpoint c;
    weights_file file;
    file_tensor *tensors;
    int64_t shape[2];
    value *values;
    box *boxes;
    fill_target *targets;
    size_t n, wide;         /* bytes of a target */
    char *memory;
} load;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static void *whole(void *to, size_t i) {
    load *l = to;
    return l->memory ? l->memory + i * l->wide : NULL;
}
static bool piece(void *to, size_t i, uint64_t first, const void *bytes, size_t n) { return (void)to, (void)i, (void)first, (void)bytes, (void)n, true; }
static bool done(void *to, size_t i) { return (void)to, (void)i, true; }

static bool prepare(load *l, const char *path, uint64_t bytes, tare_dtype dtype, bool turned) {
    struct stat st;
    int64_t elements = (int64_t)bytes / 2, row = turned ? 4096 : elements;
    l->file = (weights_file){.name = path, .path = path, .fd = open(path, O_RDONLY), .present = true};
    if (l->file.fd < 0 || fstat(l->file.fd, &st) != 0) return false;
    l->n = (size_t)st.st_size / bytes;
    l->tensors = calloc(l->n, sizeof *l->tensors), l->values = calloc(l->n, sizeof *l->values);
    l->boxes = calloc(l->n, sizeof *l->boxes), l->targets = calloc(l->n, sizeof *l->targets);
    if (!l->n || !l->tensors || !l->values || !l->boxes || !l->targets) return false;
    l->c = (checkpoint){.files = &l->file, .file_count = 1, .tensors = l->tensors, .tensor_count = l->n};
    l->wide = (size_t)elements * tare_dtype_bytes(dtype);
    for (size_t i = 0; i < l->n; i++) {
        l->tensors[i] = (file_tensor){.key = "tensor", .shape = l->shape, .at = i * bytes, .bytes = bytes, .dtype = TARE_BF16, .rank = 2};
        l->boxes[i] = (box){.source = i, .step = {turned ? 1 : row, turned ? row : 1}, .size = {elements / row, row}, .apart = {1, 1}};
        if (turned) l->boxes[i].size[0] = row, l->boxes[i].size[1] = elements / row;
        l->values[i] = (value){.boxes = &l->boxes[i], .n = 1, .rank = 2, .elements = elements};
        memcpy(l->values[i].shape, l->boxes[i].size, sizeof l->values[i].shape);
        l->targets[i] = (fill_target){&l->values[i], dtype};
    }
    return pthread_mutex_init(&l->c.lock, NULL) == 0;
}
static char *fresh(size_t bytes) {
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}
static double best_of(load *l, int runs, const fill_how *how, const char *where) {
    size_t bytes = l->n * l->wide;
    fill_out out = {.memory = whole, .piece = piece, .done = done, .to = l};
    tare_error err = {0};
    double best = 1e9;
    for (int i = 0; i <= runs; i++) { /* the first is not counted */
        double start = now();
        if (strcmp(where, "pieces") && !l->memory && !(l->memory = fresh(bytes))) return 0;
        if (!fill_run(&l->c, l->targets, l->n, how, &out, &err)) return fprintf(stderr, "load: %s\n", err.message), 0;
        double took = now() - start;
        if (i && took < best) best = took;
        if (strcmp(where, "warm") && l->memory) munmap(l->memory, bytes), l->memory = NULL;
    }
    uint64_t read = 0;
    for (size_t i = 0; i < l->n; i++) read += l->tensors[i].bytes;
    return (double)read / best * 1e-9;
}

int main(int argc, char **argv) {
    if (argc < 6) return fprintf(stderr, "usage: load FILE pread|mmap|direct THREADS DTYPE memory|warm|pieces|turned [BYTES [RUNS]]\n"), 2;
    fill_how how = {.threads = atoi(argv[3]), .io = !strcmp(argv[2], "mmap") ? FILL_MMAP : !strcmp(argv[2], "direct") ? FILL_DIRECT : FILL_PREAD};
    static load l;
    tare_dtype dtype = TARE_BF16;
    for (int t = 0; t < TARE_DTYPE_COUNT; t++)
        if (!strcmp(argv[4], tare_dtype_name((tare_dtype)t))) dtype = (tare_dtype)t;
    if (!prepare(&l, argv[1], argc > 6 ? strtoull(argv[6], NULL, 10) : 8 << 20, dtype, !strcmp(argv[5], "turned"))) return perror(argv[1]), 5;
    double speed = best_of(&l, argc > 7 ? atoi(argv[7]) : 5, &how, argv[5]);
    printf("%s %s %s %s %.3f\n", argv[2], argv[3], argv[4], argv[5], speed);
    return speed > 0 ? 0 : 5;
}
