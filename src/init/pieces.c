/* Pieces of a draw, shared out to threads. */
#include "pieces.h"
#include "../core/arena.h"
#include "crew.h"
#include <sched.h>
#include <stdlib.h>

enum { FEW_WORDS = 2048, TRIES = 200 };

/* A piece of less than 16 elements could not make its last block: they go with the piece before. */
static void cut(job *j, uint64_t piece) {
    uint64_t n = j->d->n;
    j->piece = piece, j->next = 0;
    j->pieces = n < piece ? 1 : n / piece + (n % piece >= BLOCK);
}

/* The place that the words of a piece need. */
static uint64_t room_of(const job *j) {
    uint64_t most = j->d->n < j->piece ? j->d->n : j->piece + BLOCK;
    return MT_WORDS + (most + BLOCK) * draw_wide(j->d);
}

/* The words of a piece are made in about the time that it takes to wake a thread up: it asks again for a while before it sleeps. */
static void lock_soon(pthread_mutex_t *lock) {
    for (int i = 0; i < TRIES; i++) {
        if (pthread_mutex_trylock(lock) == 0) return;
        sched_yield();
    }
    pthread_mutex_lock(lock);
}

static bool take(job *j, uint32_t *room, uint32_t **raw, uint64_t *first, size_t *n) {
    lock_soon(&j->lock);
    if (j->next < j->pieces && j->d->go_on && !j->d->go_on(j->d->go_on_to)) j->failed = true;
    bool more = !j->failed && j->next < j->pieces;
    if (more) {
        *first = j->next++ * j->piece;
        *n = (size_t)(j->next == j->pieces ? j->d->n - *first : j->piece);
        *raw = room + (rng_raw(j->g, room, (size_t)(draw_words(j->d, *n) * draw_wide(j->d))) - room);
    }
    pthread_mutex_unlock(&j->lock);
    return more;
}

void job_mark(job *j, bool *what) {
    pthread_mutex_lock(&j->lock);
    *what = true;
    pthread_mutex_unlock(&j->lock);
}

static void *work(void *arg) {
    job *j = arg;
    uint32_t few[MT_WORDS + FEW_WORDS], *raw;
    uint64_t need = room_of(j), first;
    bool fits = need <= sizeof few / sizeof *few;
    uint32_t *room = fits ? few : tarei_malloc((size_t)need * sizeof *room);
    if (!room) return NULL; /* others may have more luck; a piece that nobody took is noticed */
    for (size_t n; take(j, room, &raw, &first, &n);)
        if (!j->use(j, raw, first, n)) job_mark(j, &j->failed);
    if (!fits) free(room);
    return NULL;
}

/* Starting a thread costs as much as 50 thousand elements. */
static int threads_for(const draw *d, int threads) {
    uint64_t useful = d->n >> (d->dtype == TARE_F64 ? 15 : 19);
    return useful < 1 ? 1 : useful < (uint64_t)threads ? (int)useful : threads;
}

bool job_run(job *j, uint64_t piece, int threads) {
    cut(j, piece);
    pthread_mutex_init(&j->lock, NULL);
    crew_run(threads_for(j->d, threads), work, j);
    pthread_mutex_destroy(&j->lock);
    return !j->failed && j->next == j->pieces;
}
