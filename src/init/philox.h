/* Random tensors without an order: every element is a function of the seed, the tensor's name and the element's place, so that
 * any rank, slice or thread can make its own. It is not torch's stream.
 *
 * Words come from Philox4x32 with 7 rounds (Salmon et al. 2011). Element i takes word i % 4 of the counter whose lower half is
 * i / 4 and whose upper half is the attempt, 0 at first. With mix() the finaliser of SplitMix64, the key is
 * mix(fnv1a64(name) ^ mix(seed)): FNV-1a over the bytes of the name, low half first.
 * A uniform is the low 24 bits. Normals are made in blocks of 16 elements, element j from the words of j and j + 8 of its block.
 * All is computed in float, then rounded to the dtype: another dtype holds the same values, rounded. */
#ifndef TARE_INIT_PHILOX_H
#define TARE_INIT_PHILOX_H
#include "draw.h"

/* Elements [first, first + n) of the tensor; d->n is not looked at. */
void philox_fill(uint64_t seed, const char *name, const draw *d, uint64_t first, uint64_t n, int threads, void *dst);
/* A normal between lo and hi: what lies outside is taken from the next attempt. Where less than 0.3 of a normal lies inside, the
 * candidate is uniform and the attempt after it decides by weight. False when std is not above 0 or lo is above hi. */
bool philox_trunc(uint64_t seed, const char *name, const draw *d, double lo, double hi, uint64_t first, uint64_t n, int threads, void *dst);
uint64_t philox_key(uint64_t seed, const char *name);
#endif
