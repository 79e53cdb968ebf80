/* Amounts of memory as accelerate counts and reads them. */
#ifndef TARE_PLAN_SIZES_H
#define TARE_PLAN_SIZES_H
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* One of Python's numbers. Doubles hold both kinds exactly: sizes beyond 2^53 bytes are refused, and budgets beyond come from floats. */
typedef struct amount {
    double n;
    bool real; /* a float, even where it is whole: sizes with a bool (1/8 byte) or 4-bit tensor are */
} amount;
static inline amount amount_add(amount a, amount b) { return (amount){a.n + b.n, a.real || b.real}; }
static inline amount amount_sub(amount a, amount b) { return (amount){a.n - b.n, a.real || b.real}; }
static inline amount amount_times(amount a, double n) { return (amount){a.n * n, a.real}; }
/* Python's min() and max(): of equals the first. */
static inline amount amount_min(amount a, amount b) { return b.n < a.n ? b : a; }
static inline amount amount_max(amount a, amount b) { return b.n > a.n ? b : a; }

/* "10GiB", "500MB", "80Gb": convert_file_size_to_int(). An ending in a small b means bits, for powers of ten only. NULL, or why not. */
const char *memory_read(const char *text, amount *out);
/* Bytes of one element of a dtype: torch's names, with "torch." or without, and custom:int2, custom:int4, custom:fp8. */
bool dtype_amount(const char *name, amount *out);
#endif
