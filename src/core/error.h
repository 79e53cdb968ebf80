/* The sticky error of one public call: the first one is kept, with where it happened. */
#ifndef TARE_CORE_ERROR_H
#define TARE_CORE_ERROR_H
#include "../../include/tare.h"
#include <stdbool.h>

/* Records an error unless one is kept already; `path` (JSON path, module path, file) may be NULL. */
void error_set(tare_error *e, tare_status status, const char *code, const char *path, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
#endif
