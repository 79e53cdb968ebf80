/* Threads for one job. They are started for it: a job worth sharing takes a hundred times as long as that. */
#include "crew.h"
#include <pthread.h>

void crew_run(int threads, void *(*work)(void *job), void *job) {
    enum { MOST = 256 };
    pthread_t others[MOST];
    int started = 0;
    while (started < threads - 1 && started < MOST && pthread_create(&others[started], NULL, work, job) == 0) started++;
    work(job);
    while (started > 0) pthread_join(others[--started], NULL);
}
