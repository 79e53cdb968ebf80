/* A set of names with a number each. */
#ifndef TARE_FILES_NAMES_H
#define TARE_FILES_NAMES_H
#include "../core/arena.h"

typedef struct name_table {
    arena *a;
    struct name_row { const char *name; size_t value; } *rows;
    size_t n, cap; /* cap is a power of two, or 0 */
    uint64_t seed; /* of the hash, so that no file can be made whose names all meet */
} name_table;
/* The value of the name: `value` where it is new, else the one it came with first. */
size_t name_put(name_table *t, const char *name, size_t value);
size_t name_get(const name_table *t, const char *name); /* SIZE_MAX where it is not in the set */

/* Upstream's order of keys: by the words between the dots, numbers by their value and before words. */
int name_order(const char *a, const char *b);
#endif
