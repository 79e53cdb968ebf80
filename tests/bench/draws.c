/* How many elements a second are drawn, in billions: draws KIND DTYPE warm|new THREADS [ELEMENTS] [RUNS]
 *     KIND: uniform, normal (torch's stream), skip (and one output), trunc (normal, cut off at 2 std), philox_uniform, philox_normal, philox_trunc
 *     new: into memory that was not touched before, in large pages where the system has them
 * The best of several runs counts. */
#define _DEFAULT_SOURCE
#include "init/draw.h"
#include "init/philox.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *fresh(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

static bool draw_once(const char *kind, rng *g, const draw *d, int threads, void *p) {
    if (!strcmp(kind, "skip")) return draw_skip(g, d), rng_next(g), true;
    if (!strcmp(kind, "trunc")) return draw_trunc(g, d, -2 * d->b, 2 * d->b, threads, p);
    if (!strcmp(kind, "philox_trunc")) return philox_trunc(0, "weight", d, -2 * d->b, 2 * d->b, 0, d->n, threads, p);
    if (!strncmp(kind, "philox", 6)) return philox_fill(0, "weight", d, 0, d->n, threads, p), true;
    return draw_fill(g, d, threads, p);
}

static double best_of(int runs, const char *kind, const draw *d, bool anew, int threads) {
    static rng g;
    rng_seed(&g, 0);
    size_t bytes = d->n * tare_dtype_bytes(d->dtype);
    double best = 1e9;
    void *p = NULL;
    for (int i = 0; i <= runs; i++) { /* the first is not counted */
        double start = now();
        if (!p) p = fresh(bytes);
        if (!p || !draw_once(kind, &g, d, threads, p)) return 0;
        double took = now() - start;
        if (i && took < best) best = took;
        if (anew) munmap(p, bytes), p = NULL;
    }
    return (double)d->n / best * 1e-9;
}

int main(int argc, char **argv) {
    if (argc < 5) return fprintf(stderr, "usage: draws KIND DTYPE warm|new THREADS [ELEMENTS] [RUNS]\n"), 2;
    draw d = {.kind = strstr(argv[1], "uniform") ? DRAW_UNIFORM : DRAW_NORMAL, .n = argc > 5 ? strtoull(argv[5], NULL, 10) : 1 << 26};
    for (int t = 0; t < TARE_DTYPE_COUNT; t++)
        if (!strcmp(argv[2], tare_dtype_torch((tare_dtype)t)) || !strcmp(argv[2], tare_dtype_name((tare_dtype)t))) d.dtype = (tare_dtype)t;
    d.a = d.kind == DRAW_UNIFORM ? -0.02 : 0, d.b = 0.02;
    double speed = best_of(argc > 6 ? atoi(argv[6]) : 5, argv[1], &d, !strcmp(argv[3], "new"), atoi(argv[4]));
    printf("%s %s %s %s %.3f\n", argv[1], argv[2], argv[3], argv[4], speed);
    return speed > 0 ? 0 : 1;
}
