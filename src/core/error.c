#include "error.h"
#include <stdio.h>
#include <string.h>

void error_setv(tare_error *e, tare_status status, const char *code, const char *path, const char *format, va_list args) {
    if (!e || e->status != TARE_OK) return;
    e->status = status;
    snprintf(e->code, sizeof e->code, "%s", code);
    snprintf(e->path, sizeof e->path, "%s", path ? path : "");
    vsnprintf(e->message, sizeof e->message, format, args);
}
void error_set(tare_error *e, tare_status status, const char *code, const char *path, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error_setv(e, status, code, path, format, args);
    va_end(args);
}
