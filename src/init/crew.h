/* A job that several threads do together: each calls the same function, which takes pieces until none is left. */
#ifndef TARE_INIT_CREW_H
#define TARE_INIT_CREW_H

/* Runs work(job) on this thread and on up to threads - 1 more, and returns when all are done. Fewer run when the system refuses. */
int crew_cores(void); /* that this process may run on */
void crew_run(int threads, void *(*work)(void *job), void *job);
#endif
