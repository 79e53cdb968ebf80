/* Not public: def.h's config verbs, for the config layer's own files. */
#ifndef TARE_CONFIG_RULES_IMPL_H
#define TARE_CONFIG_RULES_IMPL_H
#include "cfg.h"
val left_get(const cfg *c, const char *key);  /* kwargs.get(): absent when there is none */
val left_take(cfg *c, const char *key);       /* kwargs.pop() */
void left_default(cfg *c, const char *key, val v); /* kwargs.setdefault() */
#endif
