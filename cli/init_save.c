/* tare init -o DIR: the weights go to a checkpoint folder, with progress on a terminal. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "init.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* ---- progress ------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t stopped;
static void stop(int signal_number) { stopped = signal_number; }

/* One that the caller had ignored stays ignored: nohup, a job in the background. */
static void heed(int signal_number) {
    struct sigaction before, ours = {.sa_handler = stop};
    if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(signal_number, &ours, NULL);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct meter {
    bool on, shown;
    double began, next; /* when a line is due */
    uint64_t bytes;
} meter;

/* A decimal size as one number in the unit of `all`. */
static void sizes(uint64_t done, uint64_t all, char text[48]) {
    bool large = all >= 1000000000;
    double unit = large ? 1e9 : 1e6;
    snprintf(text, 48, "%.1f of %.1f %s", (double)done / unit, (double)all / unit, large ? "GB" : "MB");
}

/* `init 43 %  3.1 of 7.2 GB  1.9 GB/s  2 s left`, from half a second on. */
static bool show(void *to, uint64_t done, uint64_t all) {
    meter *m = to;
    m->bytes = done;
    double t = m->on ? now() : 0;
    if (m->on && t >= m->next && done < all) {
        char text[48];
        double rate = (double)done / (t - m->began);
        sizes(done, all, text);
        fprintf(stderr, "\r\033[Kinit %2d %%  %s  %.2f GB/s  %.0f s left", (int)(100.0 * (double)done / (double)all), text, rate / 1e9,
                rate > 0 ? (double)(all - done) / rate : 0.0);
        fflush(stderr);
        m->shown = true;
        m->next = t + 0.1;
    }
    return !stopped;
}

/* ---- the folder ------------------------------------------------------------------------------------------------- */

static void say_written(const args *a, const tare_model *m, const meter *t) {
    char params[32], rate[48] = "";
    double seconds = now() - t->began;
    if (t->on && seconds > 0.5) snprintf(rate, sizeof rate, ", %.1f s, %.2f GB/s", seconds, (double)t->bytes / seconds / 1e9);
    if (a->value[OPT_JSON]) {
        out_format(&std_out, "{\"tare\":1,\"class\":\"%s\",\"parameters\":%" PRIu64 ",\"dtype\":\"%s\",\"folder\":", tare_model_class(m),
                   tare_model_params(m), tare_dtype_name(tare_model_dtype(m)));
        out_json(&std_out, a->value[OPT_OUTPUT]);
        out_format(&std_out, ",\"bytes\":%" PRIu64 "}\n", t->bytes);
        return;
    }
    out_format(&std_out, "wrote %s: %s, %s parameters, %s%s\n", a->value[OPT_OUTPUT], tare_model_class(m), grouped(tare_model_params(m), params),
               tare_dtype_torch(tare_model_dtype(m)), rate);
}

/* An interrupt ends the run where the next one can go on. */
static int ended(const args *a, const tare_error *err) {
    if (!stopped) return fail(err);
    fail_with(TARE_IO, "cancelled", "interrupted; %s is as it was, and the same command goes on from here", a->value[OPT_OUTPUT]);
    return 128 + stopped;
}

int init_to_folder(const args *a, const tare_model *m, tare_init_options *o) {
    tare_save_options how = {.force = a->value[OPT_FORCE]};
    tare_error err = {0};
    meter t = {.on = isatty(STDERR_FILENO) && !a->value[OPT_JSON], .began = now()};
    if (a->value[OPT_MAX_SHARD] && tare_size_parse(a->value[OPT_MAX_SHARD], &how.max_shard_bytes) != TARE_OK)
        return fail_usage("--max-shard-size is a size such as 200MB or 50GB, not \"%s\"", a->value[OPT_MAX_SHARD]);
    if (a->value[OPT_MAX_SHARD] && !how.max_shard_bytes) how.max_shard_bytes = 1; /* each tensor alone: 0 is the library's default */
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error like others */
    heed(SIGINT), heed(SIGTERM);
    t.next = t.began + 0.5;
    o->progress = show;
    o->progress_to = &t;
    tare_status status = tare_init_save(m, o, a->value[OPT_OUTPUT], &how, &err);
    if (t.shown) fputs("\r\033[K", stderr);
    if (status != TARE_OK) return ended(a, &err);
    say_written(a, m, &t);
    return TARE_OK;
}
