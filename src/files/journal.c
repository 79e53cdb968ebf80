#define _GNU_SOURCE
#include "journal.h"
#include "../core/arena.h"
#include "../core/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 64 + 15, LONGEST_LINE = 11 };

int journal_open(int folder) { return openat(folder, "journal", O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600); }

static void head_of(const char plan[65], char head[HEAD + 1]) { snprintf(head, HEAD + 1, "tare-journal 1 %.64s", plan); }

/* The whole file, zero-ended; NULL when it cannot be a journal of n tensors. */
static char *read_file(int fd, size_t n, size_t *bytes) {
    struct stat st;
    uint64_t most = 2 * (HEAD + LONGEST_LINE * (uint64_t)n);
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < HEAD + 1 || (uint64_t)st.st_size > most) return NULL;
    size_t size = (size_t)st.st_size;
    char *text = tarei_malloc(size + 1);
    if (!text) return NULL;
    *bytes = 0;
    for (ssize_t k; *bytes < size && (k = pread(fd, text + *bytes, size - *bytes, (off_t)*bytes)) != 0;) {
        if (k < 0 && errno != EINTR) break;
        if (k > 0) *bytes += (size_t)k;
    }
    text[*bytes] = 0;
    return text;
}

/* The number of the line at *at, which is moved behind it; false for what is no whole line with a number below n. */
static bool read_line(const char **at, size_t n, size_t *tensor) {
    const char *p = *at;
    uint64_t value = 0;
    while (*p >= '0' && *p <= '9' && p - *at < LONGEST_LINE) value = value * 10 + (uint64_t)(*p++ - '0');
    if (p == *at || *p != '\n' || value >= n) return false;
    *tensor = (size_t)value;
    *at = p + 1;
    return true;
}

bool journal_read(int fd, const char plan[65], size_t n, void (*done)(void *to, size_t tensor), void *to) {
    char head[HEAD + 1];
    size_t bytes = 0, tensor;
    head_of(plan, head);
    char *text = read_file(fd, n, &bytes);
    bool ours = text && bytes > HEAD && memcmp(text, head, HEAD) == 0 && text[HEAD] == '\n';
    const char *at = ours ? text + HEAD + 1 : text;
    while (ours && read_line(&at, n, &tensor)) done(to, tensor);
    if (ours) ours = ftruncate(fd, at - text) == 0;
    free(text);
    return ours;
}

static bool append(int fd, const char *text, size_t n) {
    while (n) {
        ssize_t k = write(fd, text, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return false;
        text += k;
        n -= (size_t)k;
    }
    return true;
}

bool journal_start(int fd, const char plan[65]) {
    char head[HEAD + 2];
    head_of(plan, head);
    head[HEAD] = '\n';
    return ftruncate(fd, 0) == 0 && append(fd, head, HEAD + 1);
}

bool journal_add(int fd, const uint32_t *tensors, size_t n) {
    char lines[64 * LONGEST_LINE + 1];
    for (size_t i = 0, fill = 0; i < n; i++) {
        fill += (size_t)snprintf(lines + fill, sizeof lines - fill, "%u\n", (unsigned)tensors[i]);
        if (i + 1 < n && (i + 1) % 64) continue;
        if (!append(fd, lines, fill)) return false;
        fill = 0;
    }
    return true;
}
