/* What a model holds in memory: the lines of tare_model_budget(), and the options that ask for them. */
#ifndef TARE_CLI_BUDGET_H
#define TARE_CLI_BUDGET_H
#include "cli.h"

typedef struct budget {
    bool training, running, loading; /* asked for; none: nothing to print */
    tare_budget_options options;
    const char *optimizer;     /* as it was asked for */
    tare_budget b;
} budget;
#define BUDGET_OPTIONS (BIT(OPT_TRAINING) | BIT(OPT_CONTEXT) | BIT(OPT_BATCH_SIZE) | BIT(OPT_KV_DTYPE) | BIT(OPT_SOURCE) | BIT(OPT_ACTIVATIONS) | \
                        BIT(OPT_FILE_DTYPE))
#define BUDGET_MOST (UINT64_C(1) << 40) /* tokens, or sequences */
bool budget_read(budget *b, const args *a); /* false: wrong usage, which was said */
bool budget_count(budget *b, const tare_model *m, tare_error *err);
void budget_text(out *o, const budget *b);
void budget_json(out *o, const budget *b);  /* members, each after a comma */
#endif
