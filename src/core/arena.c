#define _GNU_SOURCE
#include "arena.h"
#include "format.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct arena_chunk {
    arena_chunk *next;
    size_t bytes;
    max_align_t data[];
};
enum { FIRST_CHUNK = 64 << 10, STEP = 1 << 20, HUGE = 4 << 20, LARGE = 16 << 20, SPARES = 16 };

static _Atomic long fail_in, allocations;

void tarei_fail_after(long k) {
    atomic_store(&fail_in, k);
    atomic_store(&allocations, 0);
}
long tarei_allocations(void) { return atomic_load(&allocations); }

static bool allowed(void) {
    long k = atomic_load_explicit(&fail_in, memory_order_relaxed);
    if (k == 0) return true; /* the common case costs one load */
    atomic_fetch_add(&allocations, 1);
    return atomic_fetch_sub(&fail_in, 1) > 1;
}
void *tarei_malloc(size_t bytes) { return allowed() ? malloc(bytes) : NULL; }
void *tarei_realloc(void *old, size_t bytes) { return allowed() ? realloc(old, bytes) : NULL; }

/* First chunks go round: a scan opens a model per line, and the heap would tidy itself up at every one of them. */
static _Atomic(arena_chunk *) spares[SPARES];

static arena_chunk *spare_chunk(void) {
    if (atomic_load_explicit(&fail_in, memory_order_relaxed)) return NULL; /* so that every chunk can be made to fail */
    for (size_t i = 0; i < SPARES; i++)
        if (atomic_load_explicit(&spares[i], memory_order_relaxed)) {
            arena_chunk *c = atomic_exchange(&spares[i], NULL);
            if (c) return c;
        }
    return NULL;
}
static void release(arena_chunk *c) {
    for (size_t i = 0; c->bytes == FIRST_CHUNK && i < SPARES; i++) {
        arena_chunk *none = NULL;
        if (!atomic_load_explicit(&spares[i], memory_order_relaxed) && atomic_compare_exchange_strong(&spares[i], &none, c)) return;
    }
    free(c);
}

_Noreturn void arena_exhausted(arena *a) { longjmp(*a->unwind, 1); }

/* Much memory that is soon used: two megabytes at a time appear instead of four kilobytes. */
static void advise(void *from, size_t n) {
    uintptr_t page = 4096, begin = ((uintptr_t)from + page - 1) & ~(page - 1), end = ((uintptr_t)from + n) & ~(page - 1);
    if (begin < end) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

static void grow(arena *a, size_t bytes) {
    size_t want = a->used ? a->used : FIRST_CHUNK;
    if (want > STEP) want = want > LARGE ? LARGE : STEP;
    if (want < bytes) want = bytes;
    if (a->limit && a->used + want > a->limit) arena_exhausted(a);
    arena_chunk *c = want == FIRST_CHUNK ? spare_chunk() : NULL;
    if (!c) c = tarei_malloc(sizeof *c + want);
    if (!c) arena_exhausted(a);
    if (want >= HUGE) advise(c, want);
    c->next = a->chunks;
    c->bytes = want;
    a->chunks = c;
    a->used += want;
    a->at = (char *)c->data;
    a->end = a->at + want;
}

void *arena_alloc(arena *a, size_t bytes) {
    if (bytes > SIZE_MAX / 2) arena_exhausted(a);
    bytes = bytes ? (bytes + 15) & ~(size_t)15 : 16; /* nothing has an address too */
    if ((size_t)(a->end - a->at) < bytes) grow(a, bytes);
    void *p = a->at;
    a->at += bytes;
    return memset(p, 0, bytes);
}

void *arena_array(arena *a, size_t n, size_t size) {
    if (size && n > SIZE_MAX / size) arena_exhausted(a);
    return arena_alloc(a, n * size);
}

void *arena_grow(arena *a, void *list, size_t n, size_t *cap, size_t more, size_t size) {
    enum { LEAST = 16 };
    if (more <= *cap - n) return list;
    size_t room = n + more > 2 * *cap ? n + more : 2 * *cap;
    if (room < LEAST) room = LEAST;
    void *grown = arena_array(a, room, size);
    if (n) memcpy(grown, list, n * size);
    *cap = room;
    return grown;
}
char *arena_text(arena *a, const char *text, size_t n) {
    char *p = arena_alloc(a, n + 1);
    if (n) memcpy(p, text, n);
    return p;
}

char *arena_printf(arena *a, const char *format, ...) {
    char text[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t n = format_text(text, sizeof text, format, args);
    va_end(args);
    char *p = arena_alloc(a, n + 1);
    if (n < sizeof text) memcpy(p, text, n);
    else format_text(p, n + 1, format, again);
    va_end(again);
    return p;
}

void arena_adopt(arena *a, arena *other) {
    arena_chunk **last = &a->chunks;
    while (*last) last = &(*last)->next;
    *last = other->chunks;
    a->used += other->used;
    if (!a->at) a->at = other->at, a->end = other->end;
    other->chunks = NULL;
    other->at = other->end = NULL;
    other->used = 0;
}
void arena_free(arena *a) {
    for (arena_chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        release(c);
    }
    *a = (arena){0};
}
