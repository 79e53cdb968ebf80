/* How fast checkpoints are opened, checked and loaded, through the library. Answers are one JSON object on a line; the best run counts.
 *     checkpoints open PATH RUNS             seconds until the headers are read
 *     checkpoints check DIR RUNS             seconds of opening, building the model and checking
 *     checkpoints floats DIR DTYPE THREADS RUNS   bytes of floats a second, which quantised weights are turned into
 *     checkpoints load DIR DTYPE THREADS RUNS   bytes of the files a second into memory that nobody touched before; largest peak memory
 *                                            besides the tensors */
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <tare.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static int failed(const tare_error *err) { return fprintf(stderr, "checkpoints: %s\n", err->message), 1; }

typedef struct source { tare_checkpoint *c; tare_model *m; } source;
static bool open_source(source *s, const char *dir, const char *dtype, bool floats, tare_error *err) {
    *s = (source){.c = tare_checkpoint_open(dir, NULL, err)};
    if (s->c) s->m = tare_checkpoint_model(s->c, NULL, &(tare_open_options){.dtype = dtype, .dequantize = floats}, err);
    return s->m != NULL;
}
static void close_source(source *s) {
    tare_model_free(s->m);
    tare_checkpoint_free(s->c);
}

static int measure_open(const char *path, long runs) {
    tare_error err = {0};
    const tare_stored_file *files;
    size_t n = 0;
    double best = 1e9;
    for (long i = 0; i < runs; i++) {
        double start = now();
        tare_checkpoint *c = tare_checkpoint_open(path, NULL, &err);
        if (!c) return failed(&err);
        n = tare_checkpoint_files(c, &files) ? files[0].tensors : 0;
        tare_checkpoint_free(c);
        double took = now() - start;
        if (took < best) best = took;
    }
    printf("{\"seconds\": %.9f, \"tensors\": %zu}\n", best, n);
    return 0;
}
static int measure_check(const char *dir, long runs) {
    tare_error err = {0};
    tare_verdict v = {0};
    double best = 1e9;
    for (long i = 0; i < runs; i++) {
        double start = now();
        source s;
        tare_report *r = open_source(&s, dir, NULL, false, &err) ? tare_check(s.m, s.c, NULL, &err) : NULL;
        if (!r) return failed(&err);
        tare_report_verdict(r, &v);
        tare_report_free(r);
        close_source(&s);
        double took = now() - start;
        if (took < best) best = took;
    }
    printf("{\"seconds\": %.9f, \"tensors\": %" PRIu64 ", \"complete\": %s}\n", best, v.found, v.complete ? "true" : "false");
    return 0;
}
static uint64_t stored_bytes(const tare_checkpoint *c) {
    const tare_stored *rows;
    uint64_t all = 0;
    for (size_t i = 0, n = tare_checkpoint_tensors(c, &rows); i < n; i++) all += rows[i].bytes;
    return all;
}
static int measure_load(const char *dir, const char *dtype, bool floats, int threads, long runs) {
    tare_error err = {0};
    source s;
    if (!open_source(&s, dir, dtype, floats, &err)) return failed(&err);
    uint64_t held = 0, bytes = stored_bytes(s.c);
    double best = 1e9;
    for (long i = 0; i < runs; i++) {
        double start = now();
        tare_weights *w = tare_load(s.m, s.c, &(tare_load_options){.threads = threads}, &err);
        double took = now() - start;
        if (!w) return failed(&err);
        if (took < best) best = took;
        held = tare_weights_bytes(w);
        tare_weights_free(w);
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    close_source(&s);
    printf("{\"speed\": %.3f, \"held\": %" PRIu64 ", \"besides\": %" PRId64 "}\n", (double)(floats ? held : bytes) / best, held, (int64_t)used.ru_maxrss * 1024 - (int64_t)held);
    return 0;
}

int main(int n, char **words) {
    if (n == 4 && !strcmp(words[1], "open")) return measure_open(words[2], atol(words[3]));
    if (n == 4 && !strcmp(words[1], "check")) return measure_check(words[2], atol(words[3]));
    bool floats = n == 6 && !strcmp(words[1], "floats");
    if (floats || (n == 6 && !strcmp(words[1], "load"))) return measure_load(words[2], words[3], floats, atoi(words[4]), atol(words[5]));
    return fprintf(stderr, "usage: see the head of checkpoints.c\n"), 2;
}
