#ifndef TARE_CONFIG_TYPES_H
#define TARE_CONFIG_TYPES_H
#include "cls.h"
bool type_parse(arena *a, const char *text, ctype *out); /* false: not a type text */
#endif
