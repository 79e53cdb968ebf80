#include "num.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t num_int(char out[NUM_TEXT], int64_t i) {
    char digits[NUM_TEXT], *p = digits + sizeof digits;
    uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    do *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (i < 0) *--p = '-';
    size_t n = (size_t)(digits + sizeof digits - p);
    memcpy(out, p, n);
    out[n] = 0;
    return n;
}

/* Shortest significant digits of a finite |d| that read back equal; *exponent is that of the first digit. */
static int shortest(double d, char digits[20], int *exponent) {
    char e[40];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(e, sizeof e, "%.*e", precision, d);
        if (precision == 16 || strtod(e, NULL) == d) break;
    }
    int n = 0;
    char *p = e;
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9') digits[n++] = *p;
    *exponent = *p == 'e' ? atoi(p + 1) : 0;
    while (n > 1 && digits[n - 1] == '0') n--;
    return n;
}

/* Python writes an exponent below 1e-4 and from 1e16 on, else plain digits with at least one after the point. */
static size_t layout(char *out, const char *digits, int n, int exponent) {
    char *o = out;
    if (exponent < -4 || exponent >= 16) {
        *o++ = digits[0];
        if (n > 1) *o++ = '.';
        for (int i = 1; i < n; i++) *o++ = digits[i];
        o += snprintf(o, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        *o++ = '0';
        *o++ = '.';
        for (int i = -1; i > exponent; i--) *o++ = '0';
        for (int i = 0; i < n; i++) *o++ = digits[i];
    } else {
        for (int i = 0; i <= exponent || i < n; i++) {
            if (i == exponent + 1) *o++ = '.';
            *o++ = i < n ? digits[i] : '0';
        }
        if (n <= exponent + 1) *o++ = '.', *o++ = '0';
    }
    *o = 0;
    return (size_t)(o - out);
}

size_t num_float(char out[NUM_TEXT], double d) {
    if (isnan(d)) return (size_t)snprintf(out, NUM_TEXT, "NaN");
    if (isinf(d)) return (size_t)snprintf(out, NUM_TEXT, d < 0 ? "-Infinity" : "Infinity");
    size_t sign = signbit(d) ? 1 : 0;
    if (sign) out[0] = '-';
    if (d == 0) return sign + (size_t)snprintf(out + sign, NUM_TEXT - sign, "0.0");
    char digits[20];
    int exponent, n = shortest(fabs(d), digits, &exponent);
    return sign + layout(out + sign, digits, n, exponent);
}

enum { WORD = 64 };
size_t num_edits(const char *a, const char *b, size_t most) {
    size_t n = strlen(a), m = strlen(b), row[3][WORD + 1];
    if (n > WORD || m > WORD || (n > m ? n - m : m - n) > most) return most + 1;
    for (size_t j = 0; j <= m; j++) row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best) best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

bool num_mul(int64_t a, int64_t b, int64_t *out) { return !__builtin_mul_overflow(a, b, out); }
