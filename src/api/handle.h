/* What the public handles are. */
#ifndef TARE_API_HANDLE_H
#define TARE_API_HANDLE_H
#include "../init/plan.h"
#include <pthread.h>

struct tare_config {
    arena a;
    session s;
    cfg *c;
    const tare_config_row *rows; /* made when first asked for */
    size_t row_count;
    pthread_mutex_t lock;        /* of a top-level one; its parts take that */
    tare_config *owner;          /* of a part: the handle it belongs to */
    tare_config *parts, *next;   /* handles of parts that were asked for */
    const char *key;             /* of a part */
};
struct tare_model {
    tare_config base;       /* the top-level config; its arena holds everything */
    tare_config own;        /* the part that the class takes: borrows from base */
    node *root;
    const char *note;
    int dtype;              /* that it was built in: a tare_dtype */
    bool has_host;
    host host;
    tare_counts counts;
    arena lazy;             /* lists that are made when first asked for, under the lock */
    const tare_item *items;
    size_t item_count;
    const tare_item **by_path;
    const tare_item *modules;
    const node **nodes;     /* of the modules */
    size_t module_count;
    const tare_attn_row *attn;
    size_t attn_count;
    init_plan plan;
    bool planned;
    struct quant *quant;    /* what it was prepared with; NULL: a plain build */
    tare_quantization quantization; /* filled when there is one */
};

static inline tare_config *root_of(const tare_config *c) {
    tare_config *root = (tare_config *)c;
    while (root->owner) root = root->owner;
    return root;
}
/* As from_pretrained() builds a model for these weights. */
struct checkpoint;
tare_model *model_for(const struct checkpoint *weights, const char *model, const tare_open_options *o, tare_error *err);

/* Runs `work` with memory exhaustion caught: TARE_IO and "out_of_memory" then. */
bool guarded(arena *a, tare_error *err, bool (*work)(void *to), void *to);
/* torch's name of a dtype, from that or a short one; NULL when there is none. */
const char *dtype_word(const char *name);
/* The order of filling, made when first asked for; NULL with an error. */
const init_plan *plan_of(const tare_model *m, tare_error *err);
#endif
