/* Keys with a number each, for hundreds of thousands of them. The hash has a seed of its own in every table, so that no file can be made
 * whose keys all meet. */
#ifndef TARE_FILES_KEYS_H
#define TARE_FILES_KEYS_H
#include "../core/arena.h"
#include <stddef.h>
#include <stdint.h>

typedef struct key_row { /* key NULL: free */
    const char *key;
    uint32_t hash, value;
} key_row;
typedef struct key_table {
    key_row *rows;
    size_t n, cap; /* cap is a power of two, or 0 */
    uint64_t seed;
} key_table;

uint64_t keys_seed(void);
uint32_t key_hash(uint64_t seed, const char *key, size_t n);
/* Room for so many more rows: rows that were returned before are void. */
void keys_reserve(arena *a, key_table *t, size_t more);
/* The row of the key, or the free one where it belongs; NULL only in a table without rows. */
key_row *keys_row(const key_table *t, const char *key, uint32_t hash);
/* That row will be asked for, so many rows later. */
enum { AHEAD = 8 };
static inline void keys_soon(const key_table *t, uint32_t hash) { __builtin_prefetch(&t->rows[hash & (t->cap - 1)]); }
#endif
