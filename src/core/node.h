/* The tree. The builder makes it, then it is read-only. A module does not know its name: the edge to it does, so that a
 * body that many layers repeat exists once. An edge either names one child, or numbers a run of equal children. */
#ifndef TARE_CORE_NODE_H
#define TARE_CORE_NODE_H
#include "../../include/tare.h"
#include "arena.h"
#include "family.h"

typedef enum mod_kind { /* torch's class for isinstance(), whatever the subclass is called */
    KIND_NONE, KIND_LINEAR, KIND_CONV, KIND_CONV_TRANSPOSE, KIND_EMBEDDING, KIND_LAYERNORM, KIND_BATCHNORM, KIND_GROUPNORM, KIND_RNN,
    KIND_MHA, KIND_LIST, KIND_DICT, KIND_SEQUENTIAL, KIND_DROPOUT, KIND_PARAMETER_LIST, KIND_PARAMETER_DICT,
    KIND_NUMBERED
} mod_kind;

typedef struct fill { /* how the constructor fills a tensor: def.h's `made` */
    int op;
    double a, b;
    int64_t row;
    const void *of;
} fill;

/* The order in which a constructor did things, for initialisation: bodies that are repeated replay theirs. */
typedef struct step {
    enum step_kind { STEP_TENSOR, STEP_CHILD, STEP_POST_INIT } what;
    void *of;                       /* tensor_node, edge, or module */
    struct step *twin;              /* while a body is copied: the copy's */
    struct step *next;
} step;

typedef struct tare_tensor_node {
    const char *name;
    struct tare_tensor_node *next;  /* of the same module and kind, in registration order */
    struct tare_tensor_node *same;  /* tied: this slot holds that tensor; NULL: its own */
    const char *owner;              /* of a tensor that several slots hold: the first path in walk order */
    struct tare_tensor_node *first; /* and the slot there */
    const int64_t *shape;
    int64_t elements;
    fill how;
    uint8_t kind, dtype;            /* TARE_PARAM or TARE_BUFFER; tare_dtype */
    int8_t rank;
    bool frozen, persistent, gone;  /* gone: replaced by a parametrisation */
    bool several;                   /* other slots hold it too */
    bool any_size;                  /* it has one axis, -1, whose length its data decides: what it holds is written out as text */
    const char *meaning;            /* of what a quantised weight is stored as: which part of it this is, or NULL */
    struct tare_mod *tied_by;       /* of a tied slot: the model whose post_init tied it first */
    step made_at;
} tensor_node;

typedef struct edge {
    const char *name;               /* NULL: a run of numbered children */
    int64_t first, count;           /* of a run */
    struct tare_mod *to;
    struct edge *next;
    step made_at;
} edge;

/* What a layer keeps of the tokens that it has seen. Equal layers may keep more or fewer of them, by their places in the list
 * that layer_types names: so the place is asked for when it is measured, and the layers stay one body. */
typedef enum cache_kind { CACHE_FULL, CACHE_SLIDING, CACHE_CHUNKED, CACHE_LATENT, CACHE_CROSS, CACHE_STATE, CACHE_KINDS } cache_kind;
typedef struct layer_cache {
    cache_kind kind;                /* FULL: whatever the config says */
    int64_t heads, k, v;            /* elements for a token: heads * (k + v); of STATE for a sequence, however long: k, and v in float32 */
    int64_t source;                 /* of CROSS: so many tokens always come out of the encoder; 0: as many as go in */
    const struct cfg *config;
} layer_cache;

enum { MOST_SHARED = 64 }; /* modules with several names in one model */

typedef struct tare_mod {
    const char *cls, *extra;        /* extra_repr, NULL when empty */
    edge *children, *last_child;
    tensor_node *params, *last_param, *buffers, *last_buffer;
    step *steps, *last_step;
    mod_kind kind;
    const model_class *model;       /* a PreTrainedModel: its class, config and family */
    const struct cfg *config;
    const family *family;
    bool shared;                    /* more than one edge leads to this very module */
    bool common;                    /* a body that edges in several places lead to, each meaning a module of its own */
    bool holds_tied;                /* some tensor here or below is tied */
    bool unties;                    /* this model ties nothing, whatever its class does */
    const char *first_path;         /* of a shared module: its first path in walk order */
    const layer_cache *cache;              /* NULL: it keeps nothing of its own */
    const struct tare_mod *dense;   /* of a module that stores weights quantised: the one it stands for; NULL: none */
    const struct stored_rules *stored; /* of the root of a model as quantised files hold it; NULL */
    int64_t chosen, experts;        /* of experts: how many work on a token, of how many; 0: not routed */
    /* while building */
    struct builder *b;
    struct tare_mod *parent;
    const char *name;
    size_t path_n;                  /* of its path */
    struct layer *layer;            /* the list item it lies in */
    struct list_state *list;        /* of a list under construction */
    int outer_dtype;                /* the default dtype to go back to */
    bool may_be_empty;              /* tensors here and below may have no elements */
    /* afterwards */
    uint64_t slots;                 /* tensors here and below, plus one; 0: not counted yet */
} node;

/* The modules with several names that a walk has met: each is counted under its first one. */
typedef struct met_nodes { const node *all[MOST_SHARED]; int n; } met_nodes;
static inline bool met_before(met_nodes *s, const node *m) {
    if (!m->shared) return false;
    for (int i = 0; i < s->n; i++)
        if (s->all[i] == m) return true;
    if (s->n < MOST_SHARED) s->all[s->n++] = m; /* the builder makes no more */
    return false;
}
static inline const tensor_node *tensor_held(const tensor_node *t) { return t->same ? t->same : t; }
#endif
