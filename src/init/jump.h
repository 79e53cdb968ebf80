/* Any number of steps of MT19937 at once. */
#ifndef TARE_INIT_JUMP_H
#define TARE_INIT_JUMP_H
#include "lanes.h"
#include <stdbool.h>

enum { JUMP_PAYS = 1 << 24 }; /* a jump costs about as much as so many steps */

/* Moves a window of the recurrence, one that was twisted at least once, by n words. False, and nothing done, when memory ran out. */
bool mt_jump(const lanes *l, uint32_t x[MT_WORDS], uint64_t n);
#endif
