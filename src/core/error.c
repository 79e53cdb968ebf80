#include "error.h"
#include <stdarg.h>
#include <stdio.h>

void error_set(tare_error *e, tare_status status, const char *code, const char *path, const char *format, ...) {
    if (!e || e->status != TARE_OK) return;
    e->status = status;
    snprintf(e->code, sizeof e->code, "%s", code);
    snprintf(e->path, sizeof e->path, "%s", path ? path : "");
    va_list args;
    va_start(args, format);
    vsnprintf(e->message, sizeof e->message, format, args);
    va_end(args);
}
