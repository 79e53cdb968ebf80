/* Reading files by pread(), from a mapping, or past the page cache.
 *
 * A file that becomes shorter meanwhile is an error to pread(), which says so. From a mapping it is a signal that ends the process: the size
 * is looked at right before the file is mapped, and after that nothing can be done, so mapping is a choice and never the default. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "source.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool sources_open(sources *s, const checkpoint *c, fill_io io, tare_error *err) {
    *s = (sources){.c = c, .io = io};
    if (io != FILL_PREAD) {
        s->files = tarei_malloc((c->file_count + 1) * sizeof *s->files);
        if (!s->files) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory: %zu files are to be read", c->file_count), false;
        for (size_t i = 0; i < c->file_count; i++) s->files[i] = (source_file){.direct = -1};
    }
    pthread_mutex_init(&s->lock, NULL);
    return true;
}
void sources_close(sources *s) {
    for (size_t i = 0; s->files && i < s->c->file_count; i++) {
        if (s->files[i].direct >= 0) close(s->files[i].direct);
        if (s->files[i].map) munmap((void *)s->files[i].map, s->files[i].mapped);
    }
    free(s->files);
    pthread_mutex_destroy(&s->lock);
}

/* ---- what can go wrong ---- */

static bool too_short(const sources *s, size_t tensor, tare_error *err) {
    const file_tensor *t = &s->c->tensors[tensor];
    const char *file = s->c->files[t->file].path;
    error_set(err, TARE_IO, "io", file, "%s: the file ends before its tensor \"%s\" does; it has become shorter since it was opened", file, t->key);
    return false;
}
static bool unreadable(const sources *s, size_t tensor, int why, tare_error *err) {
    const file_tensor *t = &s->c->tensors[tensor];
    const char *file = s->c->files[t->file].path;
    error_set(err, TARE_IO, "io", file, "%s: the tensor \"%s\" cannot be read: %s", file, t->key, strerror(why));
    return false;
}

/* ---- plain ---- */

/* As many of n bytes as the file has; -1 with errno. */
static ssize_t read_all(int fd, uint64_t at, char *to, size_t n) {
    enum { MOST = 1 << 30 }; /* the system takes a little more than that at once */
    size_t got = 0;
    while (got < n) {
        ssize_t k = pread(fd, to + got, n - got < MOST ? n - got : MOST, (off_t)(at + got));
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && got > 0 && errno == EINVAL) break; /* past the page cache: what is left of the last page */
        if (k < 0) return -1;
        if (k == 0) break;
        got += (size_t)k;
    }
    return (ssize_t)got;
}
/* Parts of a packed tensor, wherever it is best. */
typedef struct part_reader { sources *s; tare_error *err; } part_reader;
static const char *part_bytes(void *to, size_t tensor, uint64_t at, char *room, size_t n) {
    part_reader *r = to;
    return source_get(r->s, tensor, r->s->c->tensors[tensor].at + at, room, n, r->err);
}
static int part_dtype(void *to, size_t tensor) { return ((part_reader *)to)->s->c->tensors[tensor].dtype; }
bool source_unpack(sources *s, size_t tensor, int64_t first, int64_t n, const unpack_to *to, tare_error *err) {
    part_reader r = {s, err};
    return unpack_run(lanes_best(), s->c->tensors[tensor].packed, first, n, to, &(unpack_bytes){part_bytes, part_dtype, &r});
}
bool source_bytes(sources *s, size_t tensor, uint64_t at, void *to, size_t n, tare_error *err) {
    const file_tensor *t = &s->c->tensors[tensor];
    uint64_t item = tare_dtype_bytes((tare_dtype)t->dtype);
    unpack_to floats = {(tare_dtype)t->dtype, to, false};
    if (t->packed) return source_unpack(s, tensor, (int64_t)((at - t->at) / item), (int64_t)(n / item), &floats, err);
    int fd = checkpoint_fd(s->c, s->c->tensors[tensor].file, err);
    if (fd < 0) return false;
    ssize_t got = read_all(fd, at, to, n);
    if (got < 0) return unreadable(s, tensor, errno, err);
    return (size_t)got == n || too_short(s, tensor, err);
}
void source_soon(sources *s, size_t tensor, uint64_t at, uint64_t n) {
    if (s->c->tensors[tensor].packed) return;
    int fd = s->io == FILL_PREAD ? checkpoint_fd(s->c, s->c->tensors[tensor].file, NULL) : -1;
    if (fd >= 0) posix_fadvise(fd, (off_t)at, (off_t)n, POSIX_FADV_WILLNEED);
}

/* ---- past the page cache ---- */

/* A descriptor of the same file, whatever has its name by now; -1 where the file system has no such reading. */
static int direct_fd(sources *s, size_t file, int fd) {
    source_file *f = &s->files[file];
    char name[64];
    pthread_mutex_lock(&s->lock);
    if (f->direct < 0 && !f->refuses) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        f->direct = open(name, O_RDONLY | O_CLOEXEC | O_DIRECT);
        f->refuses = f->direct < 0;
    }
    int direct = f->refuses ? -1 : f->direct;
    pthread_mutex_unlock(&s->lock);
    return direct;
}
static void refuse(sources *s, size_t file) {
    pthread_mutex_lock(&s->lock);
    s->files[file].refuses = true;
    pthread_mutex_unlock(&s->lock);
}
/* Whole pages around what is wanted; at the end of a file there may be less of them. */
static const char *get_direct(sources *s, size_t tensor, uint64_t at, char *room, size_t n, tare_error *err) {
    size_t file = s->c->tensors[tensor].file, before = at % SOURCE_PAGE, all = (before + n + SOURCE_PAGE - 1) / SOURCE_PAGE * SOURCE_PAGE;
    int fd = checkpoint_fd(s->c, file, err), direct = fd < 0 ? -1 : direct_fd(s, file, fd);
    if (fd < 0) return NULL;
    ssize_t got = direct < 0 ? -1 : read_all(direct, at - before, room, all);
    if (got < 0 && direct >= 0 && errno != EINVAL) return unreadable(s, tensor, errno, err), NULL;
    if (got < 0) {
        if (direct >= 0) refuse(s, file);
        return source_bytes(s, tensor, at, room, n, err) ? room : NULL;
    }
    if ((size_t)got >= before + n) return room + before;
    return too_short(s, tensor, err), NULL;
}

/* ---- from a mapping ---- */

static bool map_file(sources *s, size_t tensor, source_file *f, tare_error *err) {
    int fd = checkpoint_fd(s->c, s->c->tensors[tensor].file, err);
    struct stat st;
    if (fd < 0) return false;
    if (fstat(fd, &st) != 0) return unreadable(s, tensor, errno, err);
    if (st.st_size <= 0) return too_short(s, tensor, err);
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return unreadable(s, tensor, errno, err);
    f->map = map, f->mapped = (size_t)st.st_size;
    return true;
}
static const char *get_mapped(sources *s, size_t tensor, uint64_t at, size_t n, tare_error *err) {
    source_file *f = &s->files[s->c->tensors[tensor].file];
    pthread_mutex_lock(&s->lock);
    bool ok = f->map || map_file(s, tensor, f, err);
    pthread_mutex_unlock(&s->lock);
    if (ok && (at > f->mapped || n > f->mapped - at)) ok = too_short(s, tensor, err);
    return ok ? f->map + at : NULL;
}

const char *source_get(sources *s, size_t tensor, uint64_t at, char *room, size_t n, tare_error *err) {
    if (s->c->tensors[tensor].packed) return source_bytes(s, tensor, at, room, n, err) ? room : NULL;
    if (s->io == FILL_MMAP) return get_mapped(s, tensor, at, n, err);
    if (s->io == FILL_DIRECT) return get_direct(s, tensor, at, room, n, err);
    return source_bytes(s, tensor, at, room, n, err) ? room : NULL;
}
