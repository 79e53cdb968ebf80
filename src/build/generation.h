/* GenerationConfig.from_model_config(): what a model that generates makes of its config. */
#ifndef TARE_BUILD_GENERATION_H
#define TARE_BUILD_GENERATION_H
#include "../config/cfg.h"
bool generation_check(const cfg *c);          /* false: refused */
val generation_config(arena *a, const cfg *c); /* its to_diff_dict() */
/* generation_config.json as save_pretrained() has it; absent when it is refused, and then err says why. */
val generation_saved(arena *a, const cfg *c, tare_error *err);
#endif
