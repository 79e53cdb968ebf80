/* A report as text: the verdict, what is wrong, what else is worth a line, counts, causes. */
#ifndef TARE_LOAD_REPORT_H
#define TARE_LOAD_REPORT_H
#include "verdict.h"
#include "../core/buf.h"

typedef struct report_facts {
    const char *class_name;    /* of the model */
    size_t present, files;     /* of the checkpoint */
} report_facts;
/* Memory exhaustion unwinds the arena. */
void report_text(const verdict *v, const report_facts *f, arena *a, sink *s);
#endif
