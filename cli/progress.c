#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "progress.h"
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;
static void stop(int signal_number) { stopped = signal_number; }
int stop_signal(void) { return stopped; }

/* One that the caller had ignored stays ignored: nohup, a job in the background. */
static void heed(int signal_number) {
    struct sigaction before, ours = {.sa_handler = stop};
    if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(signal_number, &ours, NULL);
}

double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
void meter_start(meter *m, const char *verb, bool quiet) {
    double t = seconds_now();
    *m = (meter){.verb = verb, .on = isatty(STDERR_FILENO) && !quiet, .began = t, .next = t + 0.5};
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error like others */
    heed(SIGINT), heed(SIGTERM);
}

/* A decimal size as one number in the unit of `all`. */
static void sizes(uint64_t done, uint64_t all, char text[48]) {
    bool large = all >= 1000000000;
    double unit = large ? 1e9 : 1e6;
    snprintf(text, 48, "%.1f of %.1f %s", (double)done / unit, (double)all / unit, large ? "GB" : "MB");
}
/* `init 43 %  3.1 of 7.2 GB  1.9 GB/s  2 s left`, from half a second on. */
bool meter_show(void *to, uint64_t done, uint64_t all) {
    meter *m = to;
    m->bytes = done;
    double t = m->on ? seconds_now() : 0;
    if (m->on && t >= m->next && done < all) {
        char text[48];
        double rate = (double)done / (t - m->began);
        sizes(done, all, text);
        fprintf(stderr, "\r\033[K%s %2d %%  %s  %.2f GB/s  %.0f s left", m->verb, (int)(100.0 * (double)done / (double)all), text, rate / 1e9,
                rate > 0 ? (double)(all - done) / rate : 0.0);
        fflush(stderr);
        m->shown = true;
        m->next = t + 0.1;
    }
    return !stopped;
}
void meter_end(meter *m) {
    if (m->shown) fputs("\r\033[K", stderr);
    m->shown = false;
}
