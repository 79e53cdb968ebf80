/* How long the exact plan takes: plan BLOCKS GPUS [KIND] [RUNS]; milliseconds, the best of several runs.
 *     KIND: equal, drawn (sizes at random), head (one block is a fifth of all, so that the rest may lie in many ways), squeezed (the same
 *     on unequal GPUs, with a part on cpu) */
#include "plan/optimal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec * 1e3 + 1e-6 * (double)t.tv_nsec;
}
static uint64_t drawn(uint64_t *seed) {
    *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
    return *seed;
}
static void set_up(plan_task *t, uint64_t *bytes, uint64_t *gpus, const char *kind) {
    uint64_t seed = 88172645463325252u, sum = 0;
    for (size_t i = 0; i < t->blocks; i++) sum += bytes[i] = strcmp(kind, "equal") ? 1 + drawn(&seed) % 1000000 : 403898368;
    if (!strcmp(kind, "head") || !strcmp(kind, "squeezed")) sum += sum / 4 - bytes[0], bytes[0] = sum / 5;
    for (size_t i = 0; i < t->gpu_count; i++) gpus[i] = sum;
    for (size_t i = 1; i < t->gpu_count && !strcmp(kind, "squeezed"); i++) gpus[i] = sum / 5 / (t->gpu_count - 1) * (i + 1);
}
static double once(const plan_task *t, plan_result *r) {
    jmp_buf exhausted;
    arena a = {.unwind = &exhausted};
    tare_error err = {0};
    if (setjmp(exhausted)) return -1;
    double start = now();
    bool ok = plan_place(r, t, &a, &err);
    double took = now() - start;
    arena_free(&a);
    return ok ? took : -1;
}
int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: plan BLOCKS GPUS [equal|drawn|head|squeezed] [RUNS]\n"), 2;
    const char *kind = argc > 3 ? argv[3] : "equal";
    plan_task t = {.blocks = strtoull(argv[1], NULL, 10), .gpu_count = strtoull(argv[2], NULL, 10), .has_cpu = true, .cpu = UINT64_MAX};
    uint64_t *bytes = malloc((t.blocks + 1) * sizeof *bytes), *gpus = malloc((t.gpu_count + 1) * sizeof *gpus);
    if (!bytes || !gpus) return 1;
    set_up(&t, bytes, gpus, kind);
    t.bytes = bytes, t.gpus = gpus;
    plan_result r = {0};
    double best = 1e9;
    for (int i = 0, runs = argc > 4 ? atoi(argv[4]) : 5; i < runs; i++) {
        double took = once(&t, &r);
        if (took < 0) return 1;
        if (took < best) best = took;
    }
    printf("%s %zu %zu %.3f ms, largest %" PRIu64 ", off the GPUs %" PRIu64 "%s\n", kind, t.blocks, t.gpu_count, best, r.max_load, r.spill,
           r.balanced ? "" : ", not balanced");
    free(bytes);
    free(gpus);
    return 0;
}
