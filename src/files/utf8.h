/* UTF-8 as the format and its keys are written in. */
#ifndef TARE_FILES_UTF8_H
#define TARE_FILES_UTF8_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed sequence at text, which ends with a zero byte; 0 when it is broken. */
static inline size_t utf8_point(const char *text, uint32_t *code) {
    const unsigned char *s = (const unsigned char *)text;
    size_t n = *s < 0x80 ? 1 : *s >= 0xC2 && *s < 0xE0 ? 2 : *s >= 0xE0 && *s < 0xF0 ? 3 : *s >= 0xF0 && *s < 0xF5 ? 4 : 0;
    *code = n < 2 ? *s : *s & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        *code = *code << 6 | (s[i] & 0x3Fu);
    }
    bool bad = (n == 3 && *code < 0x800) || (n == 4 && *code < 0x10000) || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000);
    return bad ? 0 : n;
}
/* For "%.*s": how many bytes of a well-formed text are shown where at most `most` are, no character cut. */
static inline int utf8_cut(const char *text, int most) {
    int n = 0;
    while (n < most && text[n]) n++;
    while (n && ((unsigned char)text[n] & 0xC0) == 0x80) n--;
    return n;
}
#endif
