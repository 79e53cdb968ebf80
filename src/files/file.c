#define _DEFAULT_SOURCE
#include "opening.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t mixed(uint64_t h, uint64_t x) { return (h ^ x) * UINT64_C(0x9E3779B97F4A7C15) ^ h >> 29; }
static uint64_t stamp_of(const struct stat *st) {
    uint64_t h = mixed(mixed(1, (uint64_t)st->st_dev), (uint64_t)st->st_ino);
    return mixed(mixed(h, (uint64_t)st->st_mtim.tv_sec), (uint64_t)st->st_mtim.tv_nsec);
}

static void cannot_read(tare_error *err, const char *path, int error) {
    const char *help = error == EACCES ? "; you may not read it" : "";
    error_set(err, TARE_IO, "io", path, "cannot read %.400s: %s%s", path, strerror(error), help);
}
/* O_NONBLOCK, so that a pipe in the place of a file is met and not waited for. */
static int open_only(const char *path) { return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); }

found file_open(opening *o, const char *path, weights_file *f) {
    struct stat st;
    file_close(o);
    o->fd = open_only(path);
    if (o->fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return FOUND_NOT;
    if (o->fd < 0 || fstat(o->fd, &st)) return cannot_read(o->err, path, errno), FOUND_FAILED;
    if (!S_ISREG(st.st_mode)) {
        const char *is = S_ISDIR(st.st_mode) ? "a folder" : "no regular file";
        error_set(o->err, TARE_BAD, "not_a_file", path, "%.400s is %s where a file of weights is needed", path, is);
        return FOUND_FAILED;
    }
    f->path = path;
    f->bytes = (uint64_t)st.st_size;
    f->stamp = stamp_of(&st);
    f->fd = -1;
    f->present = true;
    return FOUND;
}
void file_close(opening *o) {
    if (o->fd >= 0) close(o->fd);
    o->fd = -1;
}

found file_read(tare_error *err, int fd, const char *path, uint64_t at, void *to, size_t n) {
    enum { MOST = 1 << 30 };
    for (size_t got = 0; got < n;) {
        ssize_t k = pread(fd, (char *)to + got, n - got < MOST ? n - got : MOST, (off_t)(at + got));
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return cannot_read(err, path, errno), FOUND_FAILED;
        if (k == 0) return FOUND_NOT;
        got += (size_t)k;
    }
    return FOUND;
}

/* ---- reading what was opened ---- */

static bool changed(tare_error *err, const weights_file *f) {
    error_set(err, TARE_IO, "changed", f->path, "%.400s is not the file any more whose header was read; open the checkpoint again", f->path);
    return false;
}
static int open_again(const weights_file *f, tare_error *err) {
    struct stat st;
    int fd = open_only(f->path);
    if (fd < 0 || fstat(fd, &st)) {
        cannot_read(err, f->path, errno);
        if (fd >= 0) close(fd);
        return -1;
    }
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size == f->bytes && stamp_of(&st) == f->stamp) return fd;
    close(fd);
    return changed(err, f), -1;
}
int checkpoint_fd(const checkpoint *c, size_t file, tare_error *err) {
    weights_file *f = &c->files[file]; /* its descriptor is the one thing that changes in an open checkpoint */
    if (!f->present) {
        error_set(err, TARE_IO, "io", f->path, "cannot read %.400s: it is not there", f->path);
        return -1;
    }
    pthread_mutex_t *lock = &((checkpoint *)(uintptr_t)(c->view_of ? c->view_of : c))->lock;
    pthread_mutex_lock(lock);
    if (f->fd < 0) f->fd = open_again(f, err);
    int fd = f->fd;
    pthread_mutex_unlock(lock);
    return fd;
}
bool checkpoint_read(const checkpoint *c, size_t tensor, uint64_t at, void *to, size_t n, tare_error *err) {
    const file_tensor *t = &c->tensors[tensor];
    const weights_file *f = &c->files[t->file];
    if (t->odd || at > t->bytes || n > t->bytes - at) {
        error_set(err, TARE_BAD, "bad_value", t->key, "%.200s in %.400s cannot be read there: see the flaws of the checkpoint", t->key, f->path);
        return false;
    }
    int fd = checkpoint_fd(c, t->file, err);
    if (fd < 0) return false;
    found got = file_read(err, fd, f->path, t->at + at, to, n);
    return got == FOUND || (got == FOUND_NOT && changed(err, f));
}
