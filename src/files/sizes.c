#include "sizes.h"
#include "../core/pynum.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

/* The power of ten of a unit; 0 when there is no such unit. */
static double unit_of(const char *two) {
    static const struct { char name[3]; double size; } units[] = {{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (toupper((unsigned char)two[0]) == units[i].name[0] && toupper((unsigned char)two[1]) == 'B') return units[i].size;
    return 0;
}

bool size_parse(const char *text, uint64_t *bytes) {
    size_t n = strlen(text);
    double size;
    if (py_int(text, n, bytes)) return true;
    while (n && py_is_blank(text[n - 1])) n--;
    double unit = n > 2 ? unit_of(text + n - 2) : 0;
    if (unit == 0 || !py_float(text, n - 2, &size) || signbit(size) || !isfinite(size * unit)) return false;
    size *= unit;
    *bytes = size >= 0x1p64 ? UINT64_MAX : (uint64_t)size;
    return true;
}
