/* vsnprintf() for what descriptions of modules are made of, several times faster; anything but %s %d %u %ld %lld %% is handed on. */
#ifndef TARE_CORE_FORMAT_H
#define TARE_CORE_FORMAT_H
#include <stdarg.h>
#include <stddef.h>
/* Writes at most size bytes with the ending zero; the length of the whole text. */
size_t format_text(char *out, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
#endif
