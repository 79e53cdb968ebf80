/* Numbers in words, as Python's int() and float() read them: blanks around, single underscores between digits, a sign. */
#ifndef TARE_CORE_PYNUM_H
#define TARE_CORE_PYNUM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool py_is_blank(char c); /* what strip() takes off, of ASCII */
/* int(): false for what is none, or negative; what is beyond 64 bits counts as all of them. */
bool py_int(const char *text, size_t n, uint64_t *out);
/* float(): "1_0.5e3", "inf", "nan". False for what is none, or longer than 400 characters. */
bool py_float(const char *text, size_t n, double *out);
#endif
