/* Amounts of memory as people write them. Strict, and exact: no floating point. */
#ifndef TARE_PLAN_AMOUNT_H
#define TARE_PLAN_AMOUNT_H
#include <stddef.h>
#include <stdint.h>

#define AMOUNT_MOST ((uint64_t)INT64_MAX) /* sums of two still fit */

/* "10GB", "1.5 GiB", "30000000000": KB to TB are powers of ten, KiB to TiB of two; a fraction of a byte is dropped. NULL when read,
 * else what is wrong, as the end of a sentence. */
const char *amount_read(const char *text, size_t n, uint64_t *bytes);
/* "12.5%" in thousandths of a percent, at most 100%; same answers. */
const char *amount_percent(const char *text, size_t n, uint32_t *thousandths);
uint64_t amount_part(uint64_t of, uint32_t thousandths); /* that part of an amount, rounded down */
#endif
