/* What bench.py cannot measure from inside Python. Answers are one JSON object on a line.
 *     tool process RUNS COMMAND ARG ...   CPU and wall seconds of one run on average, largest peak memory. A small process
 *                                         starts the command: its own memory would count as the child's before exec.
 *     tool build SECONDS MODEL CLASS      CPU seconds to open and to print one model, in process, on average
 *     tool map RUNS MODEL DTYPE AMOUNTS   CPU seconds of the best device map and of accelerate's, in process, their medians */
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <tare.h>
#include <time.h>
#include <unistd.h>

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static double seconds(struct timeval t) { return (double)t.tv_sec + 1e-6 * (double)t.tv_usec; }

static int run(char **command, struct rusage *used) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        int nothing = open("/dev/null", O_WRONLY);
        dup2(nothing, STDOUT_FILENO);
        execv(command[0], command);
        _exit(127);
    }
    return child < 0 || wait4(child, &status, 0, used) < 0 ? -1 : status;
}
static int measure_process(long runs, char **command) {
    double cpu = 0, start = now(CLOCK_MONOTONIC);
    long peak = 0; /* of all runs, for their mean */
    for (long i = 0; i < runs; i++) {
        struct rusage used;
        if (run(command, &used) != 0) return fprintf(stderr, "%s failed\n", command[0]), 1;
        cpu += seconds(used.ru_utime) + seconds(used.ru_stime);
        peak += used.ru_maxrss;
    }
    double wall = now(CLOCK_MONOTONIC) - start;
    printf("{\"cpu\": %.9f, \"wall\": %.9f, \"peak_kib\": %ld}\n", cpu / (double)runs, wall / (double)runs, peak / runs);
    return 0;
}

static bool discard(void *to, const char *data, size_t n) {
    (void)data;
    *(size_t *)to += n;
    return true;
}
static int measure_build(double limit, const char *name, const char *class_name) {
    double start = now(CLOCK_PROCESS_CPUTIME_ID), used = 0;
    uint64_t modules = 0;
    size_t bytes = 0;
    long runs = 0;
    tare_error err = {0};
    for (; used < limit; runs++, used = now(CLOCK_PROCESS_CPUTIME_ID) - start) {
        tare_model *m = tare_model_open(name, &(tare_open_options){.class_name = class_name, .host = "gpu=none"}, &err);
        if (!m || tare_model_write(m, TARE_TEXT_PRINT, discard, &bytes, &err) != TARE_OK) return fprintf(stderr, "%s\n", err.message), 1;
        modules = tare_model_modules(m);
        tare_model_free(m);
    }
    printf("{\"cpu\": %.9f, \"modules\": %" PRIu64 ", \"runs\": %ld}\n", used / (double)runs, modules, runs);
    return 0;
}


enum { MOST_RUNS = 100000, MOST_DEVICES = 64 };
static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
/* The median of so many plans; entries: of its map. */
static double median(const tare_model *m, const tare_plan_options *o, long runs, double *took, size_t *entries) {
    const tare_plan_entry *e;
    for (long i = 0; i < runs; i++) {
        double start = now(CLOCK_PROCESS_CPUTIME_ID);
        tare_plan *g = tare_plan_make(m, o, NULL);
        if (!g) return -1;
        *entries = tare_plan_entries(g, &e);
        tare_plan_free(g);
        took[i] = now(CLOCK_PROCESS_CPUTIME_ID) - start;
    }
    qsort(took, (size_t)runs, sizeof *took, by_size);
    return took[runs / 2];
}
static int measure_map(long runs, const char *model, const char *dtype, const char *amounts) {
    static double took[MOST_RUNS];
    tare_device given[MOST_DEVICES];
    const tare_device_row *rows;
    tare_error err = {0};
    size_t entries = 0, parts = 0;
    tare_model *m = tare_model_open(model, &(tare_open_options){.dtype = dtype, .host = "gpu=none"}, &err);
    tare_devices *places = m ? tare_devices_open(NULL, &(tare_devices_options){.max_memory = amounts}, &err) : NULL;
    size_t n = places ? tare_devices_rows(places, &rows) : 0;
    if (!n || n > MOST_DEVICES || runs < 1 || runs > MOST_RUNS) return fprintf(stderr, "map: %s\n", err.message), 1;
    for (size_t i = 0; i < n; i++)
        given[i] = (tare_device){.name = rows[i].id < 0 ? rows[i].name : NULL, .index = rows[i].id, .has_bytes = true, .bytes = (double)rows[i].bytes};
    double best = median(m, &(tare_plan_options){.places = places}, runs, took, &parts);
    double same = median(m, &(tare_plan_options){.accelerate = true, .devices = given, .device_count = n}, runs, took, &entries);
    printf("{\"best\": %.9f, \"accelerate\": %.9f, \"entries\": %zu}\n", best, same, entries);
    tare_devices_free(places);
    tare_model_free(m);
    return best < 0 || same < 0;
}

int main(int argc, char **argv) {
    if (argc > 3 && !strcmp(argv[1], "process")) return measure_process(atol(argv[2]), argv + 3);
    if (argc == 5 && !strcmp(argv[1], "build")) return measure_build(atof(argv[2]), argv[3], argv[4]);
    if (argc == 6 && !strcmp(argv[1], "map")) return measure_map(atol(argv[2]), argv[3], argv[4], argv[5]);
    return fprintf(stderr, "usage: tool process RUNS COMMAND ARG ... | tool build SECONDS MODEL CLASS | tool map RUNS MODEL DTYPE AMOUNTS\n"), 2;
}
