/* Numbers and words as Python prints them, and the nearest known word. */
#ifndef TARE_CORE_NUM_H
#define TARE_CORE_NUM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUM_TEXT = 32 };
/* Python's repr() of a float: shortest digits that read back equal, "1e-05", "0.1", "1.0"; JSON spelling of the
 * non-finite (Infinity, -Infinity, NaN). Returns the length. */
size_t num_float(char out[NUM_TEXT], double d);
size_t num_int(char out[NUM_TEXT], int64_t i);
/* Edits (insert, delete, replace, swap of neighbours) between two words, given up beyond `most`. */
size_t num_edits(const char *a, const char *b, size_t most);
/* Sums of sizes that come from outside: what 64 bits cannot hold stays at the most. */
static inline uint64_t num_times(uint64_t a, uint64_t b) { return b && a > UINT64_MAX / b ? UINT64_MAX : a * b; }
static inline uint64_t num_plus(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }
bool num_mul(int64_t a, int64_t b, int64_t *out); /* false on overflow */
#endif
