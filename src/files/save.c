#define _GNU_SOURCE
#include "save.h"
#include "../core/arena.h"
#include "../core/sha256.h"
#include "journal.h"
#include "stage.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { KEPT = 64, LARGEST_WRITE = 1 << 30, WRITE_BACK_FROM = 1 << 18 };
static const uint64_t sync_bytes = UINT64_C(1) << 30; /* how much may be lost to a kill: this much, or this long */
static const double sync_seconds = 2;
enum { MISSING, COMPLETE, FROM_BEFORE };

struct save {
    shards *l;
    stage g;
    int files[KEPT];              /* the first files stay open, the others are opened at each write */
    int journal;
    _Atomic unsigned char *state; /* of each tensor */
    _Atomic bool failed;
    bool resumed;
    pthread_mutex_t mutex;        /* of what follows */
    tare_error err;
    bool syncing;
    uint32_t *waiting, *batch;    /* complete tensors that the journal does not know; those that are on their way into it */
    size_t n_waiting;
    uint64_t waiting_bytes;
    double synced_at;
};

/* ---- errors ---- */

static bool file_failed(save *s, const char *verb, const char *name, int error) {
    char path[512];
    snprintf(path, sizeof path, "%.400s/%s", s->g.dir, name);
    pthread_mutex_lock(&s->mutex);
    stage_failed(&s->err, verb, path, error);
    pthread_mutex_unlock(&s->mutex);
    atomic_store(&s->failed, true);
    return false;
}
bool save_failed(save *s, tare_error *err) {
    if (!atomic_load(&s->failed)) return false;
    pthread_mutex_lock(&s->mutex);
    if (err) *err = s->err;
    pthread_mutex_unlock(&s->mutex);
    return true;
}
static bool take_error(save *s, tare_error *err) {
    save_failed(s, err);
    return false;
}

/* ---- files ---- */

static int file_of(const save *s, size_t i) {
    return i < KEPT && s->files[i] >= 0 ? s->files[i] : openat(s->g.fresh, s->l->files[i].name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
}
/* Some file systems tell at close() that a write was lost. */
static bool file_back(save *s, size_t i, int fd) {
    if (i < KEPT && s->files[i] >= 0) return true;
    return close(fd) == 0 || file_failed(s, "write", s->l->files[i].name, errno);
}

static bool write_all(int fd, const char *data, size_t n, uint64_t at) {
    while (n) {
        ssize_t k = pwrite(fd, data, n < LARGEST_WRITE ? n : LARGEST_WRITE, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return errno = k ? errno : EIO, false;
        data += k;
        n -= (size_t)k;
        at += (uint64_t)k;
    }
    return true;
}

/* Makes room for the whole file, so that a full disk is known before the work begins. */
static bool reserve(int fd, uint64_t bytes) {
    int k;
    do k = fallocate(fd, 0, 0, (off_t)bytes);
    while (k && errno == EINTR);
    if (k == 0) return true;
    return (errno == EOPNOTSUPP || errno == ENOSYS) && ftruncate(fd, (off_t)bytes) == 0;
}

static bool make_file(save *s, size_t i) {
    const shard *f = &s->l->files[i];
    int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC | (s->resumed ? 0 : O_CREAT | O_EXCL), fd = openat(s->g.fresh, f->name, flags, 0666);
    if (fd < 0) return file_failed(s, "make", f->name, errno);
    bool ok = (s->resumed || reserve(fd, f->bytes)) && write_all(fd, f->header, f->header_bytes, 0);
    if (!ok) file_failed(s, "write", f->name, errno);
    if (i < KEPT) s->files[i] = fd;
    else file_back(s, i, fd);
    return ok;
}

bool save_text(save *s, const char *name, const char *text, size_t bytes, tare_error *err) {
    char path[512];
    snprintf(path, sizeof path, "%.400s/%.100s", s->g.dir, name);
    if (!*name || *name == '.' || strchr(name, '/'))
        return error_set(err, TARE_USAGE, "usage", path, "a checkpoint holds no file of the name \"%.100s\"", name), false;
    unlinkat(s->g.fresh, name, 0);
    int fd = openat(s->g.fresh, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && write_all(fd, text, bytes, 0);
    int error = errno;
    if (fd >= 0 && close(fd) && ok) ok = false, error = errno;
    if (!ok) stage_failed(err, "write", path, error);
    return ok;
}

/* ---- what an earlier run left ---- */

static bool text_left(void *to, int fd, const char *name) {
    (void)to;
    size_t n = strlen(name);
    if (n > 12 && strcmp(name + n - 12, ".safetensors") == 0) return true;
    return unlinkat(fd, name, 0) == 0;
}
/* The files are there, at their full sizes; texts are written anew. */
static bool files_fit(const save *s) {
    for (size_t i = 0; i < s->l->n_files; i++) {
        struct stat st;
        if (fstatat(s->g.fresh, s->l->files[i].name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) return false;
        if ((uint64_t)st.st_size != s->l->files[i].bytes || st.st_uid != geteuid() || st.st_nlink != 1) return false;
    }
    return folder_each(s->g.fresh, text_left, NULL);
}
static void from_before(void *to, size_t tensor) { atomic_store(&((save *)to)->state[tensor], FROM_BEFORE); }

static void plan_digest(const shards *l, const char *plan_id, char hex[65]) {
    sha256 h;
    sha256_start(&h);
    if (plan_id) sha256_take(&h, plan_id, strlen(plan_id) + 1);
    for (size_t i = 0; i < l->n_files; i++) {
        sha256_take(&h, l->files[i].name, strlen(l->files[i].name) + 1);
        sha256_take(&h, l->files[i].header, l->files[i].header_bytes);
    }
    sha256_end(&h, hex);
}

/* Opens the journal; with one of this plan, and files to it, the run goes on from there, else it begins afresh. */
static bool open_journal(save *s, const char plan[65], tare_error *err) {
    s->journal = journal_open(s->g.work);
    if (s->journal < 0) return stage_failed(err, "make a file in", s->g.work_path, errno), false;
    if (!stage_fresh(&s->g, false, err)) return false;
    s->resumed = journal_read(s->journal, plan, s->l->n_tensors, from_before, s) && files_fit(s);
    if (s->resumed) return true;
    for (size_t i = 0; i < s->l->n_tensors; i++) atomic_store(&s->state[i], MISSING);
    if (ftruncate(s->journal, 0)) return stage_failed(err, "write in", s->g.work_path, errno), false;
    return stage_fresh(&s->g, true, err);
}

/* ---- room ---- */

static uint64_t blocks_held(const save *s) {
    uint64_t sum = 0;
    struct stat st;
    for (size_t i = 0; s->resumed && i < s->l->n_files; i++)
        if (fstatat(s->g.fresh, s->l->files[i].name, &st, AT_SYMLINK_NOFOLLOW) == 0) sum += (uint64_t)st.st_blocks * 512;
    return sum;
}
static bool room_enough(const save *s, tare_error *err) {
    uint64_t need = s->l->file_bytes + s->l->index_bytes, held = blocks_held(s), largest = 0;
    struct rlimit limit;
    struct statvfs v;
    for (size_t i = 0; i < s->l->n_files; i++)
        if (s->l->files[i].bytes > largest) largest = s->l->files[i].bytes;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && largest > limit.rlim_cur) {
        error_set(err, TARE_IO, "io", s->g.dir, "%.400s needs a file of %" PRIu64 " bytes, and the limit of this process is %" PRIu64, s->g.dir,
            largest, (uint64_t)limit.rlim_cur);
        return false;
    }
    if (fstatvfs(s->g.work, &v) || !v.f_blocks) return true; /* not known here: the files tell */
    uint64_t available = (uint64_t)(geteuid() ? v.f_bavail : v.f_bfree) * v.f_frsize + held;
    if (available >= need) return true;
    error_set(err, TARE_IO, "disk_full", s->g.dir, "%.400s needs %" PRIu64 " bytes, and the disk has %" PRIu64, s->g.dir, need, available);
    return false;
}

/* ---- begin ---- */

static bool make_files(save *s, tare_error *err) {
    for (size_t i = 0; i < s->l->n_files; i++)
        if (!make_file(s, i)) return take_error(s, err);
    if (s->l->index && !save_text(s, INDEX_NAME, s->l->index, s->l->index_bytes, err)) return false;
    return true;
}
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
/* The journal gets its first line when all files are there: before that there is nothing to go on from. */
static bool set_up(save *s, const save_options *o, tare_error *err) {
    char plan[65];
    plan_digest(s->l, o->plan_id, plan);
    if (!open_journal(s, plan, err) || !room_enough(s, err) || !make_files(s, err)) return false;
    shards_drop_texts(s->l);
    s->synced_at = now();
    fsync(s->g.fresh);
    if (s->resumed || journal_start(s->journal, plan)) return true;
    return stage_failed(err, "write in", s->g.work_path, errno), false;
}

static void release(save *s) {
    for (size_t i = 0; i < KEPT; i++)
        if (s->files[i] >= 0) close(s->files[i]);
    if (s->journal >= 0) close(s->journal);
    pthread_mutex_destroy(&s->mutex);
    shards_free(s->l);
    free((void *)s->state);
    free(s->waiting);
    free(s->batch);
    free(s);
}

static save *make(const save_tensor *tensors, size_t n, const save_options *o, tare_error *err) {
    save *s = tarei_malloc(sizeof *s);
    if (!s) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory"), NULL;
    *s = (save){.journal = -1};
    for (size_t i = 0; i < KEPT; i++) s->files[i] = -1;
    pthread_mutex_init(&s->mutex, NULL);
    s->l = shards_make(tensors, n, o->max_shard, o->parameters, err);
    if (!s->l) return release(s), NULL;
    s->state = tarei_malloc(n + 1);
    s->waiting = tarei_malloc((n + 1) * sizeof *s->waiting);
    s->batch = tarei_malloc((n + 1) * sizeof *s->batch);
    if (s->state && s->waiting && s->batch) return memset((void *)s->state, MISSING, n + 1), s;
    error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory");
    return release(s), NULL;
}

save *save_begin(const char *dir, const save_tensor *tensors, size_t n, const save_options *o, tare_error *err) {
    save *s = make(tensors, n, o, err);
    if (!s) return NULL;
    if (!stage_open(&s->g, dir, o->force, err)) return release(s), NULL;
    s->g.two_renames = o->two_renames;
    if (set_up(s, o, err)) return s;
    stage_close(&s->g, !s->resumed); /* hours of work are not removed for want of some room */
    release(s);
    return NULL;
}

/* ---- data ---- */

bool save_bytes(save *s, size_t tensor, uint64_t first, const void *data, size_t bytes) {
    const place *p = &s->l->places[tensor];
    if (atomic_load_explicit(&s->failed, memory_order_relaxed)) return false;
    if (first > p->bytes || bytes > p->bytes - first) return file_failed(s, "write", s->l->files[p->file].name, ERANGE);
    int fd = file_of(s, p->file);
    if (fd < 0) return file_failed(s, "write", s->l->files[p->file].name, errno);
    bool ok = write_all(fd, data, bytes, p->at + first) || file_failed(s, "write", s->l->files[p->file].name, errno);
    /* the disk begins with it now, not all at once at the end */
    if (ok && bytes >= WRITE_BACK_FROM) sync_file_range(fd, (off_t)(p->at + first), (off_t)bytes, SYNC_FILE_RANGE_WRITE);
    return file_back(s, p->file, fd) && ok;
}

static bool sync_file(save *s, size_t i) {
    int fd = file_of(s, i);
    if (fd < 0) return file_failed(s, "write", s->l->files[i].name, errno);
    bool ok = fdatasync(fd) == 0 || file_failed(s, "write", s->l->files[i].name, errno);
    return file_back(s, i, fd) && ok;
}
static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}
/* The files that the tensors of the batch are in: neighbours mostly share one. */
static bool sync_batch(save *s, size_t n) {
    qsort(s->batch, n, sizeof *s->batch, by_number);
    for (size_t i = 0; i < n; i++) {
        uint32_t file = s->l->places[s->batch[i]].file;
        if (i && s->l->places[s->batch[i - 1]].file == file) continue;
        if (!sync_file(s, file)) return false;
    }
    return journal_add(s->journal, s->batch, n) || file_failed(s, "write the journal of", "", errno);
}
/* Under the mutex, which it gives up meanwhile; one thread at a time. */
static bool sync_waiting(save *s) {
    uint32_t *batch = s->waiting;
    size_t n = s->n_waiting;
    s->waiting = s->batch;
    s->batch = batch;
    s->n_waiting = 0;
    s->waiting_bytes = 0;
    s->syncing = true;
    pthread_mutex_unlock(&s->mutex);
    bool ok = sync_batch(s, n);
    pthread_mutex_lock(&s->mutex);
    s->syncing = false;
    s->synced_at = now();
    return ok;
}

bool save_done(save *s, size_t tensor) {
    if (atomic_load_explicit(&s->failed, memory_order_relaxed)) return false;
    unsigned char missing = MISSING;
    if (!atomic_compare_exchange_strong(&s->state[tensor], &missing, COMPLETE)) return true;
    bool ok = true;
    pthread_mutex_lock(&s->mutex);
    s->waiting[s->n_waiting++] = (uint32_t)tensor;
    s->waiting_bytes += s->l->places[tensor].bytes;
    if (!s->syncing && (s->waiting_bytes >= sync_bytes || now() - s->synced_at >= sync_seconds)) ok = sync_waiting(s);
    pthread_mutex_unlock(&s->mutex);
    return ok;
}

bool save_has(const save *s, size_t tensor) { return atomic_load(&s->state[tensor]) == FROM_BEFORE; }

/* ---- the end ---- */

static bool all_there(const save *s, tare_error *err) {
    size_t missing = 0;
    for (size_t i = 0; i < s->l->n_tensors; i++) missing += s->l->places[i].bytes && atomic_load(&s->state[i]) == MISSING;
    if (missing) error_set(err, TARE_USAGE, "usage", s->g.dir, "%zu tensors of %.400s were not written", missing, s->g.dir);
    return !missing;
}

static bool sync_entry(void *to, int folder, const char *name) {
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return file_failed(to, "read", name, errno);
    bool ok = fsync(fd) == 0 || file_failed(to, "write", name, errno);
    close(fd);
    return ok;
}
static bool close_files(save *s) {
    bool ok = true;
    for (size_t i = 0; i < KEPT; i++) {
        if (s->files[i] < 0) continue;
        if (close(s->files[i])) ok = file_failed(s, "write", s->l->files[i].name, errno);
        s->files[i] = -1;
    }
    return ok;
}
static bool finish(save *s, tare_error *err) {
    if (atomic_load(&s->failed)) return take_error(s, err);
    if (!all_there(s, err) || !stage_may_replace(&s->g, err)) return false;
    bool synced = folder_each(s->g.fresh, sync_entry, s) && close_files(s);
    if (!synced && !atomic_load(&s->failed)) file_failed(s, "read", "", errno);
    if (!synced) return take_error(s, err);
    unlinkat(s->g.work, "journal", 0);
    fsync(s->g.fresh);
    fsync(s->g.work);
    return stage_publish(&s->g, err);
}

bool save_commit(save *s, bool keep, tare_error *err) {
    bool ok = finish(s, err);
    if (ok) stage_close(&s->g, true), release(s);
    else save_abandon(s, keep);
    return ok;
}

void save_abandon(save *s, bool keep) {
    pthread_mutex_lock(&s->mutex);
    if (keep && s->n_waiting && !atomic_load(&s->failed)) sync_waiting(s);
    pthread_mutex_unlock(&s->mutex);
    stage_close(&s->g, !keep);
    release(s);
}
