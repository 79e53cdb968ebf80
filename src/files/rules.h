/* Which layout rules hold for a model: those of the models in it, each for the names below its own. */
#ifndef TARE_FILES_RULES_H
#define TARE_FILES_RULES_H
#include "pattern.h"
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

typedef struct rule_converter {
    transform t;
    const layout_op *ops;
    struct rule_twin { size_t converter, which; } *run_as; /* of each of t.from: of converters with the same pattern the last one's operations run */
} rule_converter;
typedef struct rule_set { /* transforms, ready to be used on keys */
    transform *renamings;
    rule_converter *converters;
    size_t renaming_n, converter_n;
    held_rule *renamings_of, *converters_of; /* the rules that each one was made of */
    const char *base;
} rule_set;
/* For loading: every rule, and last the legacy ones. For saving a model that was made: backwards, the last rule first, without prefixes,
 * since whether a file had them is known to a loaded model alone. False with the patterns' error. */
bool rules_for_load(patterns *p, const node *root, rule_set *out);
bool rules_for_save(patterns *p, const node *root, rule_set *out);
/* For saving a model that was loaded: backwards, those that were used then, prefixes and legacy names too. */
bool rules_taken_back(patterns *p, const rule_set *loaded, rule_set *out);
/* The key after all renamings, each on what the one before made of it. */
const char *rules_rename(patterns *p, rule_set *s, const char *key);
/* What the first converter that matches makes of the key, which one's operations are to run, and for which of its patterns; NULL: none matches. */
const char *rules_convert(patterns *p, rule_set *s, const char *key, size_t *converter, size_t *which);
#endif
