/* Messages. Data goes to standard output; everything here goes to standard error. */
#include "cli.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool json_errors;

static void error_fillv(tare_error *e, tare_status status, const char *code, const char *format, va_list list) {
    *e = (tare_error){.status = status};
    snprintf(e->code, sizeof e->code, "%s", code);
    vsnprintf(e->message, sizeof e->message, format, list);
}

void error_fill(tare_error *e, tare_status status, const char *code, const char *format, ...) {
    va_list list;
    va_start(list, format);
    error_fillv(e, status, code, format, list);
    va_end(list);
}

void out_error(out *o, const tare_error *err) {
    out_text(o, "{\"code\":");
    out_json(o, err->code);
    out_text(o, ",\"path\":");
    out_json(o, err->path);
    out_text(o, ",\"message\":");
    out_json(o, err->message);
    out_text(o, "}");
}

/* The first line after the prefix; what follows is help, indented. */
static void out_lines(out *o, const char *prefix, const char *message) {
    char line[sizeof((tare_error *)0)->message];
    while (message) {
        const char *end = strchr(message, '\n');
        size_t n = end ? (size_t)(end - message) : strlen(message);
        if (n >= sizeof line) n = sizeof line - 1;
        memcpy(line, message, n);
        line[n] = '\0';
        out_text(o, prefix);
        out_safe(o, line);
        out_text(o, "\n");
        prefix = "  ";
        message = end ? end + 1 : NULL;
    }
}

int fail(const tare_error *err) {
    out o = {.fd = STDERR_FILENO};
    if (json_errors) {
        out_text(&o, "{\"error\":");
        out_error(&o, err);
        out_text(&o, "}\n");
    } else {
        out_lines(&o, "tare: ", err->message);
    }
    out_flush(&o);
    out_free(&o);
    return (int)err->status;
}

int fail_with(tare_status status, const char *code, const char *format, ...) {
    tare_error e;
    va_list list;
    va_start(list, format);
    error_fillv(&e, status, code, format, list);
    va_end(list);
    return fail(&e);
}

int fail_usage(const char *format, ...) {
    tare_error e;
    va_list list;
    va_start(list, format);
    error_fillv(&e, TARE_USAGE, "usage", format, list);
    va_end(list);
    return fail(&e);
}

static void remark(const char *kind, const char *text) {
    if (!text) return;
    out o = {.fd = STDERR_FILENO};
    out_lines(&o, kind, text);
    out_flush(&o);
    out_free(&o);
}
void note(const char *text) { remark("note: ", text); }
void warning(const char *text) { remark("warning: ", text); }
