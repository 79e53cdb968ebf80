/* Threads for one job. They are started for it: a job worth sharing takes a hundred times as long as that. */
#define _GNU_SOURCE
#include "crew.h"
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

int crew_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

void crew_run(int threads, void *(*work)(void *job), void *job) {
    enum { MOST = 256 };
    pthread_t others[MOST];
    int started = 0;
    while (started < threads - 1 && started < MOST && pthread_create(&others[started], NULL, work, job) == 0) started++;
    work(job);
    while (started > 0) pthread_join(others[--started], NULL);
}
