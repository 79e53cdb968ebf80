/* What bench.py cannot measure from inside Python. Answers are one JSON object on a line.
 *     tool process RUNS COMMAND ARG ...   CPU and wall seconds of one run on average, largest peak memory. A small process
 *                                         starts the command: its own memory would count as the child's before exec.
 *     tool build SECONDS MODEL CLASS      CPU seconds to open and to print one model, in process, on average */
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
    long peak = 0;
    for (long i = 0; i < runs; i++) {
        struct rusage used;
        if (run(command, &used) != 0) return fprintf(stderr, "%s failed\n", command[0]), 1;
        cpu += seconds(used.ru_utime) + seconds(used.ru_stime);
        if (used.ru_maxrss > peak) peak = used.ru_maxrss;
    }
    double wall = now(CLOCK_MONOTONIC) - start;
    printf("{\"cpu\": %.9f, \"wall\": %.9f, \"peak_kib\": %ld}\n", cpu / (double)runs, wall / (double)runs, peak);
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

int main(int argc, char **argv) {
    if (argc > 3 && !strcmp(argv[1], "process")) return measure_process(atol(argv[2]), argv + 3);
    if (argc == 5 && !strcmp(argv[1], "build")) return measure_build(atof(argv[2]), argv[3], argv[4]);
    return fprintf(stderr, "usage: tool process RUNS COMMAND ARG ... | tool build SECONDS MODEL CLASS\n"), 2;
}
