/* Which tensors of an unfinished checkpoint are complete: a first line that says of which plan, then a number a line, written
 * only after the tensor's bytes have reached the disk. What a kill tore off at the end does not count. */
#ifndef TARE_FILES_JOURNAL_H
#define TARE_FILES_JOURNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int journal_open(int folder); /* a descriptor, or -1 with errno */
/* Calls done with each tensor below n; false when this is no journal of the plan. Cuts a torn end off. */
bool journal_read(int fd, const char plan[65], size_t n, void (*done)(void *to, size_t tensor), void *to);
bool journal_start(int fd, const char plan[65]);
bool journal_add(int fd, const uint32_t *tensors, size_t n);
#endif
