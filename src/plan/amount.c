#include "amount.h"
#include <stdbool.h>
#include <string.h>

#define EXPECTED "expected a size such as 10GB (KB, MB, GB, TB), 10GiB (KiB, MiB, GiB, TiB) or plain bytes"
#define TOO_LARGE "more than 9223372036854775807 bytes"

typedef struct decimal { /* a number as its digits stand in the text */
    const char *whole, *part;
    size_t whole_n, part_n;
} decimal;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static size_t digits(const char *text, size_t n) {
    size_t i = 0;
    while (i < n && is_digit(text[i])) i++;
    return i;
}
static void trim(const char **text, size_t *n) {
    while (*n && **text == ' ') ++*text, --*n;
    while (*n && (*text)[*n - 1] == ' ') --*n;
}
/* How many characters the number at the beginning of text takes; 0 when there is none. */
static size_t number(decimal *d, const char *text, size_t n) {
    size_t i = digits(text, n);
    *d = (decimal){.whole = text, .part = text + i, .whole_n = i};
    if (i < n && text[i] == '.') {
        d->part = text + ++i;
        i += d->part_n = digits(text + i, n - i);
    }
    return d->whole_n + d->part_n ? i : 0;
}
/* d units, rounded down. Rounding after every digit of the fraction, from the last one on, comes to the same as rounding once. */
static bool times(const decimal *d, uint64_t unit, uint64_t *out) {
    uint64_t sum = 0, part = 0;
    for (size_t i = 0; i < d->whole_n; i++) {
        uint64_t digit = (uint64_t)(d->whole[i] - '0');
        if (__builtin_mul_overflow(sum, 10u, &sum) || __builtin_add_overflow(sum, digit, &sum)) return false;
    }
    for (size_t i = d->part_n; i-- > 0;) part = ((uint64_t)(d->part[i] - '0') * unit + part) / 10;
    return !__builtin_mul_overflow(sum, unit, out) && !__builtin_add_overflow(*out, part, out) && *out <= AMOUNT_MOST;
}

static bool same_letter(char c, char upper) { return c == upper || c == upper + ('a' - 'A'); }
/* The bytes of "GB" or "GiB"; 0 when there is no such unit. */
static uint64_t unit_of(const char *text, size_t n) {
    static const char prefixes[] = "KMGT";
    bool binary = n == 3 && same_letter(text[1], 'I');
    if ((n != 2 && !binary) || !same_letter(text[n - 1], 'B')) return 0;
    uint64_t unit = 1;
    for (size_t i = 0; prefixes[i]; i++) {
        unit *= binary ? 1024 : 1000;
        if (same_letter(text[0], prefixes[i])) return unit;
    }
    return 0;
}

const char *amount_read(const char *text, size_t n, uint64_t *bytes) {
    decimal d;
    trim(&text, &n);
    if (!n) return "there is no size; " EXPECTED;
    if (*text == '-') return "a size cannot be negative";
    size_t i = number(&d, text, n);
    if (!i) return EXPECTED;
    const char *unit = text + i;
    size_t left = n - i;
    trim(&unit, &left);
    if (!left) {
        if (unit != text + i || d.part != text + d.whole_n || !d.whole_n) return "bytes are whole numbers; " EXPECTED;
        return times(&d, 1, bytes) ? NULL : TOO_LARGE;
    }
    uint64_t size = unit_of(unit, left);
    if (!size) return EXPECTED;
    if (left == 2 && unit[1] == 'b') return "a lowercase b means bits to accelerate; write GB for bytes";
    return times(&d, size, bytes) ? NULL : TOO_LARGE;
}

const char *amount_percent(const char *text, size_t n, uint32_t *thousandths) {
    static const char expected[] = "expected a percentage from 0% to 100%, such as 5% or 2.5%";
    decimal d;
    uint64_t value;
    trim(&text, &n);
    if (!n || text[n - 1] != '%') return expected;
    size_t left = n - 1;
    trim(&text, &left);
    if (!left || number(&d, text, left) != left || !times(&d, 1000, &value) || value > 100000) return expected;
    *thousandths = (uint32_t)value;
    return NULL;
}

uint64_t amount_part(uint64_t of, uint32_t thousandths) {
    return of / 100000 * thousandths + of % 100000 * thousandths / 100000;
}
