#include "buf.h"
#include "arena.h"
#include "num.h"
#include <stdlib.h>
#include <string.h>

void sink_open(sink *s, bool (*take)(void *, const char *, size_t), void *to) {
    s->take = take;
    s->to = to;
    s->failed = false;
    s->fill = 0;
}
void sink_flush(sink *s) {
    if (s->fill && !s->failed) s->failed = !s->take(s->to, s->hold, s->fill);
    s->fill = 0;
}
void sink_large(sink *s, const char *data, size_t n) {
    sink_flush(s);
    if (n < sizeof s->hold) sink_put(s, data, n);
    else if (!s->failed) s->failed = !s->take(s->to, data, n);
}
void sink_int(sink *s, int64_t i) {
    char text[NUM_TEXT];
    sink_put(s, text, num_int(text, i));
}
void sink_spaces(sink *s, size_t n) {
    static const char spaces[] = "                                ";
    for (; n > sizeof spaces - 1; n -= sizeof spaces - 1) sink_put(s, spaces, sizeof spaces - 1);
    sink_put(s, spaces, n);
}

bool buf_take(void *to, const char *data, size_t n) {
    buf *b = to;
    if (b->failed) return false;
    if (b->cap - b->n <= n) {
        size_t cap = b->cap ? b->cap : 1024;
        while (cap - b->n <= n) cap *= 2;
        char *bigger = tarei_realloc(b->data, cap);
        if (!bigger) return b->failed = true, false;
        b->data = bigger;
        b->cap = cap;
    }
    memcpy(b->data + b->n, data, n);
    b->n += n;
    b->data[b->n] = 0;
    return true;
}
void buf_free(buf *b) {
    free(b->data);
    *b = (buf){0};
}
