#ifndef TARE_API_FACTS_H
#define TARE_API_FACTS_H
#include "../build/mod.h"
val facts_of(arena *a, const node *root); /* a dict; keys as docs/formats.md lists them */
val no_split_of(arena *a, const node *root); /* _no_split_modules: a list of names, those of the models below too */
#endif
