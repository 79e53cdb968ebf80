/* The inside of a method at work, for the pipeline. */
#ifndef TARE_QUANT_WORK_H
#define TARE_QUANT_WORK_H
#include "../build/builder.h"
#include "../files/pattern.h"
#include "open.h"
#include "quant.h"

typedef struct skip_name { /* a pattern of what stays dense */
    const char *text;
    const void *compiled; /* NULL: letters, digits, dots and underscores alone */
    size_t n;
    bool anywhere;
    struct skip_name *next;
} skip_name;
struct regex { const void *compiled; };

struct quant {
    session *s;
    const quant_method *method;
    conf top;
    bool from_file, dequantized, loaded;
    cfg *config, *asking;   /* of the model; the part of it that says how it is quantised, NULL: a request does */
    void *state;
    builder *b;
    const mod *parent;      /* of the module that the method is asked about */
    int dtype;
    patterns found;         /* where patterns are matched */
    tare_error pattern_err;
    skip_name *skips, *last_skip;
    bool by_layer;          /* equal layers may be told apart */
    bool look_below;        /* what was made last has modules to be asked about */
    const char **warnings;
    size_t warning_count, warning_cap;
};
/* The pass over the tree, as builder.h's preparation. */
bool quant_prepare(void *q, builder *b);
const mod *module_at(const mod *root, const char *path); /* NULL: there is none */
void warn_of_heads(quant *q);
/* get_output_embeddings(): its path below a model of that class; NULL: lm_head, where it has one. "": it has none. */
const char *output_embedding_of(const char *class_name);
#endif
