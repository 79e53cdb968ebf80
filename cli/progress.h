/* Long work: a line of progress on a terminal, and an interrupt that ends it where the next run can go on. */
#ifndef TARE_CLI_PROGRESS_H
#define TARE_CLI_PROGRESS_H
#include "cli.h"

typedef struct meter {
    const char *verb;
    bool on, shown;
    double began, next; /* when a line is due */
    uint64_t bytes;     /* done so far */
} meter;
double seconds_now(void);
/* From here on SIGINT and SIGTERM make meter_show() say no. quiet: no line, whatever standard error is. */
void meter_start(meter *m, const char *verb, bool quiet);
bool meter_show(void *meter, uint64_t done, uint64_t all); /* a progress callback */
void meter_end(meter *m);
int stop_signal(void); /* which came; 0: none */
#endif
