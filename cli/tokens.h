/* JSON, token by token, for lines that are answered without being parsed as a whole. Strict; NaN and Infinity pass, as Python writes them. */
#ifndef TARE_CLI_TOKENS_H
#define TARE_CLI_TOKENS_H
#include <stdbool.h>
#include <stddef.h>

typedef struct scan {
    const char *p, *end;
} scan;

bool scan_blank(scan *s);        /* over white space; false at the end */
bool scan_take(scan *s, char c); /* over white space and this very character */
bool scan_word(scan *s, const char *w);
bool scan_number(scan *s);
/* A string, decoded into text (size bytes with its zero; cut when it does not fit, and then *cut is set). */
bool scan_string(scan *s, char *text, size_t size, bool *cut);
bool scan_value(scan *s); /* over one value, all of it checked */
#endif
