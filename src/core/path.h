/* Paths of modules and tensors, "model.layers.0.self_attn", as they grow on the way down. */
#ifndef TARE_CORE_PATH_H
#define TARE_CORE_PATH_H
#include "num.h"
#include <string.h>

enum { MODULE_PATH = 2048 }; /* of any path, with its end: the builder refuses deeper names */

/* Adds a name, or a number where there is none, behind a dot that the first does without. False, and nothing is added: no room. */
static inline bool path_add(char path[MODULE_PATH], size_t *n, const char *name, int64_t number) {
    char text[NUM_TEXT];
    size_t k = name ? strlen(name) : num_int(text, number);
    if (*n + k + 3 > MODULE_PATH) return false;
    if (*n) path[(*n)++] = '.';
    memcpy(path + *n, name ? name : text, k);
    path[*n += k] = 0;
    return true;
}
static inline void path_cut(char path[MODULE_PATH], size_t *n, size_t to) { path[*n = to] = 0; }
#endif
