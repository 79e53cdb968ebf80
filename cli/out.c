/* Output: buffered, with the first failure kept, and the few formats that every command needs. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cli.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { FLUSH_AT = 1 << 16 };
out std_out = {.fd = STDOUT_FILENO};

static void write_all(out *o) {
    size_t done = 0;
    while (done < o->n) {
        ssize_t k = write(o->fd, o->data + done, o->n - done);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) {
            o->failed = errno;
            break;
        }
        done += (size_t)k;
    }
    o->n = 0;
}

bool out_flush(out *o) {
    if (o->fd >= 0 && o->n && !o->failed) write_all(o);
    return !o->failed;
}

void out_free(out *o) {
    free(o->data);
    o->data = NULL;
    o->n = o->cap = 0;
}

/* Room for n more bytes and a terminating zero. */
static bool reserve(out *o, size_t n) {
    if (o->failed) return false;
    if (o->cap - o->n > n) return true;
    size_t cap = o->cap ? o->cap : FLUSH_AT;
    while (cap - o->n <= n && cap < SIZE_MAX / 2) cap *= 2;
    char *data = cap - o->n > n ? realloc(o->data, cap) : NULL;
    if (!data) {
        o->failed = ENOMEM;
        return false;
    }
    o->data = data, o->cap = cap;
    return true;
}

void out_put(out *o, const char *data, size_t n) {
    if (o->fd >= 0 && o->n + n > FLUSH_AT && !out_flush(o)) return;
    if (!reserve(o, n)) return;
    if (n) memcpy(o->data + o->n, data, n);
    o->n += n;
}

void out_text(out *o, const char *text) { out_put(o, text, strlen(text)); }

void out_format(out *o, const char *format, ...) {
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    if (reserve(o, 512)) {
        int k = vsnprintf(o->data + o->n, o->cap - o->n, format, list);
        if (k >= 0 && (size_t)k >= o->cap - o->n && reserve(o, (size_t)k)) k = vsnprintf(o->data + o->n, o->cap - o->n, format, again);
        if (k > 0 && !o->failed) o->n += (size_t)k;
    }
    va_end(again);
    va_end(list);
    if (o->fd >= 0 && o->n > FLUSH_AT) out_flush(o);
}

void out_spaces(out *o, size_t n) {
    static const char blank[] = "                                ";
    for (; n > sizeof blank - 1; n -= sizeof blank - 1) out_put(o, blank, sizeof blank - 1);
    out_put(o, blank, n);
}

bool out_take(void *o, const char *data, size_t n) {
    out_put(o, data, n);
    return !((out *)o)->failed;
}

bool squeeze_take(void *to, const char *data, size_t n) {
    squeeze *s = to;
    const char *from = data, *end = data + n;
    for (const char *p = data; p < end; p++) {
        if (s->in_text) {
            if (s->escaped) s->escaped = false;
            else if (*p == '\\') s->escaped = true;
            else if (*p == '"') s->in_text = false;
        } else if (*p == '"') {
            s->in_text = true;
        } else if (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') {
            out_put(s->o, from, (size_t)(p - from));
            from = p + 1;
        }
    }
    out_put(s->o, from, (size_t)(end - from));
    return !s->o->failed;
}

size_t utf8_length(const char *text, size_t left) {
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    if (n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    bool overlong = n > 2 && ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xF0 && s[1] < 0x90));
    bool outside = n > 2 && ((s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF4 && s[1] > 0x8F));
    return overlong || outside ? 0 : n;
}

static bool is_control(const char *s) { return (unsigned char)*s < 0x20 || *s == 0x7F; }

/* C1 controls, line and paragraph separators, and what turns the direction of text around. */
static bool is_trick(const char *s, size_t n) {
    unsigned a = (unsigned char)s[0], b = (unsigned char)s[1], c = n == 3 ? (unsigned char)s[2] : 0;
    if (n == 2) return a == 0xC2 && b < 0xA0;
    return n == 3 && a == 0xE2 && ((b == 0x80 && (c == 0x8E || c == 0x8F || (c >= 0xA8 && c <= 0xAE))) || (b == 0x81 && c >= 0xA6 && c <= 0xA9));
}
static unsigned code_of(const char *s, size_t n) {
    unsigned code = (unsigned char)s[0] & (n == 2 ? 0x1Fu : 0xFu);
    for (size_t i = 1; i < n; i++) code = code << 6 | ((unsigned char)s[i] & 0x3Fu);
    return code;
}

void out_json(out *o, const char *text) {
    if (!text) {
        out_text(o, "null");
        return;
    }
    out_put(o, "\"", 1);
    for (const char *s = text; *s;) {
        size_t n = utf8_length(s, 4);
        if (*s == '"' || *s == '\\') out_format(o, "\\%c", *s);
        else if (*s == '\n') out_text(o, "\\n");
        else if (is_control(s)) out_format(o, "\\u%04x", (unsigned char)*s);
        else if (n && is_trick(s, n)) out_format(o, "\\u%04x", code_of(s, n));
        else if (n) out_put(o, s, n);
        else out_text(o, "\xEF\xBF\xBD");
        s += n ? n : 1;
    }
    out_put(o, "\"", 1);
}

void out_safe(out *o, const char *text) {
    for (const char *s = text; *s;) {
        size_t n = utf8_length(s, 4);
        if (n && !is_control(s) && !is_trick(s, n)) {
            out_put(o, s, n);
            s += n;
        } else {
            out_format(o, "\\x%02x", (unsigned char)*s++);
        }
    }
}

size_t safe_width(const char *text) {
    out o = {.fd = -1};
    size_t width = 0;
    out_safe(&o, text);
    for (size_t i = 0; i < o.n; i++) width += ((unsigned char)o.data[i] & 0xC0) != 0x80;
    out_free(&o);
    return width;
}

const char *grouped(uint64_t value, char text[32]) {
    char plain[24];
    size_t n = (size_t)snprintf(plain, sizeof plain, "%" PRIu64, value), k = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) text[k++] = ',';
        text[k++] = plain[i];
    }
    text[k] = '\0';
    return text;
}

const char *bytes_text(uint64_t bytes, char text[32]) {
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(text, 32, "%" PRIu64 " B", bytes);
        return text;
    }
    double size = (double)bytes / 1024;
    size_t u = 0;
    for (; size >= 1024 && u < 5; u++) size /= 1024;
    snprintf(text, 32, "%.2f %s", size, unit[u]);
    return text;
}

bool colour(void) {
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

size_t screen_width(void) {
    struct winsize w;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col < 40) return 100;
    return w.ws_col;
}
