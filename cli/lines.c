/* The stream behind scan and the batches. A ring of batches goes round: the reader (the main thread) fills one with whole
 * lines, a worker answers it, the writer writes it; each waits when the next batch is not ready for it, so memory is bounded
 * by the ring. A batch that is not full is passed on when the input has nothing more at the moment. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lines.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH_LINES = 32, BATCH_BYTES = 1 << 18, READ_BYTES = 1 << 18, KEEP_BYTES = 1 << 21, FLIGHT_BYTES = 1 << 28, MAX_THREADS = 256 };

typedef struct place {
    size_t at, n;
    uint64_t number;
    bool over; /* longer than LINE_LIMIT: not kept */
} place;
typedef struct batch {
    out in, answers; /* memory only */
    place lines[BATCH_LINES];
    size_t count;
    bool done, failed;
} batch;
typedef struct stream {
    int fd;
    line_answer answer;
    const void *to;
    batch *ring;
    uint64_t size, filled, taken, written; /* batches; filled >= taken, filled >= written */
    size_t flight;                         /* bytes of input in batches that are filled and not written */
    bool ended, any_failed;
    pthread_mutex_t lock;
    pthread_cond_t can_fill, can_take, can_write;
} stream;

/* ---- workers ------------------------------------------------------------------------------------------------- */

static void answer_batch(const stream *s, batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        const place *p = &b->lines[i];
        line in = {.text = p->over ? NULL : b->in.data + p->at, .n = p->n, .number = p->number};
        if (!s->answer(s->to, &in, &b->answers)) b->failed = true;
    }
}

static void *work(void *to) {
    stream *s = to;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->taken == s->filled && !s->ended) pthread_cond_wait(&s->can_take, &s->lock);
        if (s->taken == s->filled) break;
        batch *b = &s->ring[s->taken++ % s->size];
        pthread_mutex_unlock(&s->lock);
        answer_batch(s, b);
        pthread_mutex_lock(&s->lock);
        b->done = true;
        pthread_cond_signal(&s->can_write);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the writer ---------------------------------------------------------------------------------------------- */

/* The reader may wait for input that never comes, so the process ends here. */
static void give_up(int error) {
    if (error == EPIPE) _exit(128 + 13); /* as a broken pipe ends a process that does not ignore the signal */
    if (error == ENOMEM) _exit(fail_with(TARE_IO, "out_of_memory", "out of memory"));
    _exit(fail_with(TARE_IO, "io", "cannot write standard output: %s", strerror(error)));
}

static void recycle(batch *b) {
    if (b->in.cap > KEEP_BYTES) out_free(&b->in);
    if (b->answers.cap > KEEP_BYTES) out_free(&b->answers);
    b->in.n = b->answers.n = b->count = 0;
    b->done = b->failed = false;
}

static void *write_answers(void *to) {
    stream *s = to;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        batch *b = &s->ring[s->written % s->size];
        while (!(s->written < s->filled && b->done) && !(s->ended && s->written == s->filled)) pthread_cond_wait(&s->can_write, &s->lock);
        if (s->written == s->filled) break;
        pthread_mutex_unlock(&s->lock);
        if (b->answers.failed) give_up(b->answers.failed);
        out_put(&std_out, b->answers.data, b->answers.n);
        if (!out_flush(&std_out)) give_up(std_out.failed);
        size_t read = b->in.n;
        bool failed = b->failed;
        recycle(b);
        pthread_mutex_lock(&s->lock);
        s->any_failed |= failed;
        s->flight -= read;
        s->written++;
        pthread_cond_signal(&s->can_fill);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the reader ---------------------------------------------------------------------------------------------- */

typedef struct reader {
    stream *s;
    batch *b;        /* being filled; whole lines only */
    out part;        /* the beginning of a line whose end is not read yet */
    bool over;       /* that line is too long: the rest of it is skipped */
    uint64_t number; /* of that line */
} reader;

static batch *free_batch(stream *s) {
    pthread_mutex_lock(&s->lock);
    while (s->filled - s->written == s->size || (s->flight > FLIGHT_BYTES && s->filled != s->written)) pthread_cond_wait(&s->can_fill, &s->lock);
    batch *b = &s->ring[s->filled % s->size];
    pthread_mutex_unlock(&s->lock);
    return b;
}

static void pass_on(reader *r) {
    stream *s = r->s;
    if (!r->b || !r->b->count) return;
    pthread_mutex_lock(&s->lock);
    s->flight += r->b->in.n;
    s->filled++;
    pthread_cond_signal(&s->can_take);
    pthread_mutex_unlock(&s->lock);
    r->b = NULL;
}

static bool is_blank(const char *text, size_t n) {
    size_t i = 0;
    while (i < n && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r')) i++;
    return i == n;
}

static void add_line(reader *r, const char *text, size_t n) {
    r->number++;
    if (!r->over && is_blank(text, n)) return;
    if (!r->b) r->b = free_batch(r->s);
    batch *b = r->b;
    b->lines[b->count++] = (place){.at = b->in.n, .n = r->over ? 0 : n, .number = r->number, .over = r->over};
    if (!r->over) out_put(&b->in, text, n);
    if (b->in.failed) give_up(ENOMEM);
    r->over = false;
    if (b->count == BATCH_LINES || b->in.n >= BATCH_BYTES) pass_on(r);
}

/* The rest of what was read, which holds no newline. */
static void add_part(reader *r, const char *text, size_t n) {
    if (r->part.n + n > LINE_LIMIT) r->over = true;
    if (r->over) out_free(&r->part);
    else out_put(&r->part, text, n);
    if (r->part.failed) give_up(ENOMEM);
}

static void add_text(reader *r, const char *text, size_t n) {
    const char *end = text + n;
    for (const char *newline; (newline = memchr(text, '\n', (size_t)(end - text))); text = newline + 1) {
        if (!r->part.n) {
            add_line(r, text, (size_t)(newline - text));
            continue;
        }
        add_part(r, text, (size_t)(newline - text));
        add_line(r, r->part.data, r->part.n);
        r->part.n = 0;
        if (r->part.cap > KEEP_BYTES) out_free(&r->part);
    }
    if (text < end) add_part(r, text, (size_t)(end - text));
}

static bool more_is_there(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* Reads to the end; 0 or errno. */
static int read_lines(reader *r) {
    static char text[READ_BYTES];
    for (;;) {
        if (r->b && !more_is_there(r->s->fd)) pass_on(r);
        ssize_t n = read(r->s->fd, text, sizeof text);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) break;
        add_text(r, text, (size_t)n);
    }
    if (r->part.n || r->over) add_line(r, r->part.data, r->part.n);
    return 0;
}

/* ---- putting it together ------------------------------------------------------------------------------------- */

static int cores(void) {
#ifdef CPU_COUNT
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

int thread_count(const char *text) {
    char *end;
    if (!text) return cores() < MAX_THREADS ? cores() : MAX_THREADS;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n < 1 || n > MAX_THREADS) return fail_usage("--threads is a number from 1 to %d, not \"%s\"", MAX_THREADS, text), 0;
    return (int)n;
}

/* Starts up to n workers; how many there are. */
static int start(stream *s, pthread_t *threads, int n) {
    int k = 0;
    while (k < n && pthread_create(&threads[k], NULL, work, s) == 0) k++;
    return k;
}

static void finish(stream *s) {
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_broadcast(&s->can_take);
    pthread_cond_broadcast(&s->can_write);
    pthread_mutex_unlock(&s->lock);
}

static int run(stream *s, int wanted, const char *name) {
    pthread_t workers[MAX_THREADS], writer;
    reader r = {.s = s, .part = {.fd = -1}};
    if (pthread_create(&writer, NULL, write_answers, s) != 0) return fail_with(TARE_IO, "io", "cannot start a thread");
    int n = start(s, workers, wanted), error = n ? read_lines(&r) : 0;
    pass_on(&r);
    finish(s);
    for (int i = 0; i < n; i++) pthread_join(workers[i], NULL);
    pthread_join(writer, NULL);
    out_free(&r.part);
    if (!n) return fail_with(TARE_IO, "io", "cannot start a thread");
    if (error) return fail_with(TARE_IO, "io", "cannot read %s: %s", name, strerror(error));
    return s->any_failed ? TARE_NO : TARE_OK;
}

static int run_fd(int fd, const char *name, int threads, line_answer answer, const void *to) {
    stream s = {.fd = fd, .answer = answer, .to = to, .size = (uint64_t)threads * 3 + 2};
    s.ring = calloc(s.size, sizeof *s.ring);
    if (!s.ring) return fail_with(TARE_IO, "out_of_memory", "out of memory");
    for (uint64_t i = 0; i < s.size; i++) s.ring[i].in.fd = s.ring[i].answers.fd = -1;
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.can_fill, NULL), pthread_cond_init(&s.can_take, NULL), pthread_cond_init(&s.can_write, NULL);
    int status = run(&s, threads, name);
    for (uint64_t i = 0; i < s.size; i++) out_free(&s.ring[i].in), out_free(&s.ring[i].answers);
    pthread_cond_destroy(&s.can_fill), pthread_cond_destroy(&s.can_take), pthread_cond_destroy(&s.can_write);
    pthread_mutex_destroy(&s.lock);
    free(s.ring);
    return status;
}

int lines_run(const char *file, const char *threads, line_answer answer, const void *to) {
    int n = thread_count(threads);
    if (!n) return TARE_USAGE;
    if (!file || strcmp(file, "-") == 0) return run_fd(STDIN_FILENO, "standard input", n, answer, to);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_with(TARE_IO, "io", "cannot open %s: %s", file, strerror(errno));
    int status = run_fd(fd, file, n, answer, to);
    close(fd);
    return status;
}
