/* What the cache of a layer comes to. The verbs that state it are in def.h. */
#ifndef TARE_BUILD_CACHE_H
#define TARE_BUILD_CACHE_H
#include "mod.h"
typedef struct cache_rule {
    cache_kind kind;
    bool none;              /* nothing is kept after all */
    int64_t most;           /* tokens that are kept; 0: all */
} cache_rule;
cache_rule cache_rule_of(const layer_cache *k, int64_t layer); /* layer: the place in the nearest list */
bool cache_varies(const layer_cache *k);                       /* from layer to layer */
#endif
