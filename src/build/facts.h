#ifndef TARE_BUILD_FACTS_H
#define TARE_BUILD_FACTS_H
#include "attn.h"
#include "mod.h"
val facts_of(arena *a, const node *root);  /* a dict; keys as docs/formats.md lists them */
bool generation_check(const cfg *c);       /* what GenerationConfig.from_model_config refuses; false: refused */
attn_support model_support(const mod *m);
#endif
