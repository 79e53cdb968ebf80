#ifndef TARE_BUILD_TIES_H
#define TARE_BUILD_TIES_H
#include "mod.h"
val tied_keys(arena *a, const mod *m); /* all_tied_weights_keys: target -> source, own ones first */
#endif
