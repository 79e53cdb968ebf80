#ifndef TARE_API_FACTS_H
#define TARE_API_FACTS_H
#include "../build/mod.h"
val facts_of(arena *a, const node *root); /* a dict; keys as docs/formats.md lists them */
#endif
