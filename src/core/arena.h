/* One arena per model: everything a model needs lives and dies together. Depends on nothing.
 * Memory exhaustion is the one error that unwinds: arena_alloc() never returns NULL, it jumps to `unwind`, which
 * every public call sets before it builds anything; nothing outside the arena may be held across an allocation. */
#ifndef TARE_CORE_ARENA_H
#define TARE_CORE_ARENA_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct arena_chunk arena_chunk;
typedef struct arena {
    arena_chunk *chunks; /* newest first */
    char *at, *end;      /* free space of the newest chunk */
    size_t used;         /* bytes held in chunks */
    size_t limit;        /* refuse to hold more; 0 means no limit */
    jmp_buf *unwind;     /* where exhaustion goes; set by the public call that owns the arena */
} arena;

/* Zeroed memory, aligned for any type; does not return when memory is exhausted. */
void *arena_alloc(arena *a, size_t bytes);
void *arena_array(arena *a, size_t n, size_t size); /* the same for n elements, checked for overflow */
/* A list of n elements, moved when there is no room for `more`; it doubles, and the old one stays in the arena. */
void *arena_grow(arena *a, void *list, size_t n, size_t *cap, size_t more, size_t size);
/* Copies `text`, ends it with a zero byte. */
char *arena_text(arena *a, const char *text, size_t n);
char *arena_printf(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_free(arena *a);
void arena_adopt(arena *a, arena *other); /* all that the other holds, which is empty then; the two know nothing of each other's space */
/* Goes where exhaustion goes; for callers whose own malloc failed. */
_Noreturn void arena_exhausted(arena *a);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

/* Every malloc of the library passes here, so that a test can fail the k-th: 0 never fails, else fails the k-th from now on. */
void *tarei_malloc(size_t bytes);
void *tarei_realloc(void *old, size_t bytes);
void tarei_fail_after(long k);
long tarei_allocations(void); /* since the last tarei_fail_after() */
#endif
