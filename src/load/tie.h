#ifndef TARE_LOAD_TIE_H
#define TARE_LOAD_TIE_H
#include "resolve.h"
/* Upstream's tie_weights() after loading: what the classes tie, by what the file holds. Slots are missing, or they are not. */
void ties_settle(resolution *r, arena *a, const node *root);
#endif
