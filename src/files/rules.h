/* Which layout rules hold for a model: those of the models in it, each for the names below its own. */
#ifndef TARE_FILES_RULES_H
#define TARE_FILES_RULES_H
#include "../core/node.h"

typedef struct held_rule {
    const layout_rule *rule;
    const char *scope; /* the model's path below the root's base model; NULL: the root's own rules, for every name */
} held_rule;
typedef struct held_rules {
    held_rule *v;     /* in upstream's order, as for loading */
    size_t n;
    const char *base; /* the root's base_model_prefix */
} held_rules;
void rules_collect(arena *a, const node *root, held_rules *out);
#endif
