/* A growing byte buffer, and the sink that all text goes to. Depends on arena for the failure hook only. */
#ifndef TARE_CORE_BUF_H
#define TARE_CORE_BUF_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where text goes: a function, called with pieces in order. A piece that cannot be taken sets `failed`, and later pieces are dropped. */
typedef struct sink {
    bool (*take)(void *to, const char *data, size_t n);
    void *to;
    bool failed;
    size_t fill;      /* bytes waiting in `hold` */
    char hold[4096];  /* small pieces are gathered */
} sink;
void sink_open(sink *s, bool (*take)(void *, const char *, size_t), void *to);
void sink_large(sink *s, const char *data, size_t n); /* what sink_put() does when there is no room */
static inline void sink_put(sink *s, const char *data, size_t n) {
    if (n > sizeof s->hold - s->fill) {
        sink_large(s, data, n);
        return;
    }
    memcpy(s->hold + s->fill, data, n);
    s->fill += n;
}
static inline void sink_text(sink *s, const char *text) { sink_put(s, text, strlen(text)); }
static inline void sink_char(sink *s, char c) { sink_put(s, &c, 1); }
void sink_int(sink *s, int64_t i);
void sink_spaces(sink *s, size_t n);
void sink_flush(sink *s);

typedef struct buf {
    char *data; /* zero-terminated when not NULL */
    size_t n, cap;
    bool failed; /* memory ran out; the content is incomplete */
} buf;
bool buf_take(void *b, const char *data, size_t n); /* a sink function */
void buf_free(buf *b);
#endif
