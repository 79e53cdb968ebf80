/* What post_init gathers from a model and the models directly below it: sets of names and patterns. */
#ifndef TARE_BUILD_SETS_H
#define TARE_BUILD_SETS_H
#include "mod.h"

typedef enum model_set {
    SET_NO_SPLIT, SET_KEEP_FP32, SET_KEEP_FP32_STRICT, SET_SKIP_KEYS, SET_IGNORE_UNEXPECTED, SET_IGNORE_MISSING, SET_IGNORE_SAVE
} model_set;
/* A sorted list of texts. Those of SET_IGNORE_SAVE are names, and have the path of their model before them; the others are as they are. */
val set_of(arena *a, const node *root, model_set which);
#endif
