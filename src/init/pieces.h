/* A draw of torch's stream cut into pieces: the words of a piece are taken in order, under a lock, and used outside it. */
#ifndef TARE_INIT_PIECES_H
#define TARE_INIT_PIECES_H
#include "draw.h"
#include <pthread.h>

enum { BLOCK = 16, FILL_WORDS = 8 << 10 };

typedef struct job job;
struct job {
    rng *g;
    const draw *d;
    bool (*use)(job *j, uint32_t *raw, uint64_t first, size_t n); /* false stops; may write over the words */
    char *dst;
    bool large;                    /* dst is written past the caches */
    draw_sink sink;
    void *to;
    double lo, hi;                 /* of a truncated normal */
    bool dirty;                    /* something is outside of them: job_mark(j, &j->dirty) */
    uint64_t piece, pieces, next;  /* set by job_run() */
    pthread_mutex_t lock;
    bool failed;
};

/* Cuts into pieces of `piece` elements, a multiple of 16; false when it was stopped or memory ran out. */
bool job_run(job *j, uint64_t piece, int threads);
void job_mark(job *j, bool *what);

/* How many words an element takes; how many times that n elements of d take, where n may be a piece at its end. */
uint64_t draw_wide(const draw *d);
uint64_t draw_words(const draw *d, uint64_t n);
/* Less than 16 normals, which are drawn one by one. */
bool draw_is_small(const draw *d);
/* Words to elements; normals in multiples of 16. `to` may be where the words are, unless it is large (values_large()). */
void draw_make(const lanes *l, const draw *d, const uint32_t *raw, size_t n, char *to, bool large);
/* All n elements of a piece, with what its end draws again. */
void draw_make_piece(const lanes *l, const draw *d, const uint32_t *raw, size_t n, char *to, bool large);
#endif
