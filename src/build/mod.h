/* The builder's inside, for blocks and the library: definitions see def.h only. */
#ifndef TARE_BUILD_MOD_H
#define TARE_BUILD_MOD_H
#include "../config/cfg.h"
#include "../core/host.h"
#include "../core/node.h"
#include "attn.h"
#include "def.h"

enum { MOST_MODULES = 1 << 20, MOST_TENSORS = 1 << 20, SHOWN = 8, LEAVES = 32 };

/* A layer without layers below it, as one verb makes it: models have few kinds and many of each. */
typedef struct leaf {
    const char *cls;
    enum { LEAF_LINEAR, LEAF_LAYERNORM, LEAF_NORM, LEAF_NORM_SILENT, LEAF_DROPOUT, LEAF_PLAIN, LEAF_ACT, LEAF_CONV1D } verb;
    int dtype;            /* filled in */
    int64_t a, b;         /* sizes */
    num x;                /* eps, p */
    const char *text;     /* what it prints, for plain modules */
} leaf;
/* Registers an equal leaf's body under `name`; false: there is none yet, build it and call leaf_keep(). The result must not be
 * changed afterwards, so only verbs that return nothing may do this. */
bool leaf_repeat(mod *m, const char *name, leaf *key);
void leaf_keep(mod *m, const leaf *key); /* m's last child is it */

typedef struct model_entry { /* a list of PreTrainedModels */
    node *m;
    struct model_entry *next;
} model_entry;
typedef struct builder {
    session *s;
    const family *family;   /* whose classes are looked up */
    const host *host;
    int dtype;              /* torch's default dtype here and now */
    uint64_t modules;       /* repeated layers counted as often as they occur */
    uint32_t tensors;       /* made: those of repeated layers once */
    node *root;
    bool tied;              /* some slot holds another's tensor */
    int shares;             /* modules with several names */
    model_entry *models, *last_model; /* in the order of their post_init */
    model_entry *begun, *last_begun;  /* the same models in walk order */
    struct { double d; const char *text; } shown[SHOWN]; /* floats printed before */
    int next_shown;
    struct { leaf key; mod *body; } leaves[LEAVES]; /* equal ones share a body */
    tensor_node spare;      /* what tensor verbs return after an error */
    const struct cfg *noted; /* the last config that said how long a cache is */
    struct init_log *log;   /* while init rules are asked */
} builder;

/* What exchanges modules of a model whose constructor is over, before anything is tied. */
typedef struct preparation {
    bool (*run)(void *to, builder *b); /* false after an error */
    void *to;
} preparation;
/* Builds class `row` of family f from config c. p may be NULL. NULL after an error. */
node *build_model(session *s, const family *f, const model_class *row, cfg *c, const host *h, int dtype, const preparation *p);
int dtype_number(const char *torch_name); /* a tare_dtype, or -1 */
/* A class attribute with inheritance: own, then the group's. */
#define FACT(row, field) ((row)->own.field ? (row)->own.field : (row)->like ? (row)->like->field : 0)
/* _tied_weights_keys of a module: rows up to one without `from`, or NULL. */
#define TIES_OF(m) ((m)->model && !(m)->unties ? FACT((m)->model, tied_weights_keys) : NULL)

attn_support model_support(const mod *m); /* what attention it supports, by its class and config */

bool mod_ok(const mod *m); /* false after an error: do nothing */
void mod_mark(mod *m, int kind);
const char *mod_class(const mod *m);
void mod_rename_class(mod *m, const char *cls);
char *mod_printf(mod *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
tensor *mod_take_param(mod *m, const char *name); /* unlinks it; NULL when there is none */
int tensor_rank(const tensor *t);
int64_t tensor_size(const tensor *t, int axis);
const char *mod_path(const mod *m);  /* in the arena */
#endif
