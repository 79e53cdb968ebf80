#define _GNU_SOURCE
#include "stage.h"
#include "../core/arena.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, TRIES = 100 };

void stage_failed(tare_error *err, const char *verb, const char *path, int error) {
    bool full = error == ENOSPC || error == EDQUOT;
    error_set(err, TARE_IO, full ? "disk_full" : "io", path, "cannot %s %.400s: %s", verb, path, strerror(error));
}

/* ---- folders ---- */

bool folder_each(int fd, bool (*use)(void *to, int fd, const char *name), void *to) {
    int own = openat(fd, ".", FOLDER);
    DIR *d = own < 0 ? NULL : fdopendir(own);
    if (!d) {
        if (own >= 0) close(own);
        return false;
    }
    bool ok = true;
    errno = 0;
    for (struct dirent *e; ok && (e = readdir(d)); errno = ok ? 0 : errno)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) ok = use(to, fd, e->d_name);
    int error = errno;
    closedir(d);
    errno = error;
    return ok && !error;
}

static bool unlink_one(void *to, int fd, const char *name) {
    (void)to;
    return unlinkat(fd, name, 0) == 0 || errno == ENOENT;
}
/* Removes a folder of files; one that holds a folder stays, with errno. Absent is fine. */
static bool remove_folder(int at, const char *name) {
    int fd = openat(at, name, FOLDER);
    if (fd < 0) return errno == ENOENT;
    bool ok = folder_each(fd, unlink_one, NULL);
    int error = errno;
    close(fd);
    errno = error;
    return ok && (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT);
}

/* ---- DIR ---- */

typedef struct look {
    bool any, checkpoint;
    char inner[128]; /* the name of a folder in it */
    char other[128]; /* of a file that no checkpoint written here has */
} look;
static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), k = strlen(end);
    return n > k && strcmp(name + n - k, end) == 0;
}
static bool is_of_checkpoint(const char *name) {
    return strcmp(name, "config.json") == 0 || strcmp(name, "generation_config.json") == 0 || ends_with(name, ".safetensors") ||
           ends_with(name, ".safetensors.index.json");
}
static bool look_at(void *to, int fd, const char *name) {
    look *l = to;
    struct stat st;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) snprintf(l->inner, sizeof l->inner, "%s", name);
    l->any = true;
    l->checkpoint |= strcmp(name, "config.json") == 0 || ends_with(name, ".safetensors");
    if (!is_of_checkpoint(name) && !*l->other) snprintf(l->other, sizeof l->other, "%s", name);
    return !*l->inner;
}

/* Force replaces a checkpoint, not a home folder: nothing is removed that save_pretrained() could not have written. */
static bool replaceable(const stage *g, tare_error *err) {
    look l = {0};
    int fd = openat(g->parent, g->base, FOLDER);
    bool read = fd >= 0 && folder_each(fd, look_at, &l);
    int error = errno;
    if (fd >= 0) close(fd);
    if (*l.inner)
        error_set(err, TARE_USAGE, "exists", g->dir, "%.400s is not replaced: it holds the folder %s; a checkpoint holds none", g->dir, l.inner);
    else if (!read)
        stage_failed(err, "read", g->dir, error);
    else if (l.any && !l.checkpoint)
        error_set(err, TARE_USAGE, "exists", g->dir, "%.400s is not replaced: it holds no config.json and no .safetensors file", g->dir);
    else if (*l.other)
        error_set(err, TARE_USAGE, "exists", g->dir, "%.400s is not replaced: it also holds %s, which would be lost", g->dir, l.other);
    return read && (!l.any || (l.checkpoint && !*l.other));
}

bool stage_may_replace(const stage *g, tare_error *err) {
    struct stat st;
    if (fstatat(g->parent, g->base, &st, AT_SYMLINK_NOFOLLOW)) {
        if (errno == ENOENT) return true;
        return stage_failed(err, "make", g->dir, errno), false;
    }
    const char *what = S_ISLNK(st.st_mode) ? "a symbolic link" : S_ISREG(st.st_mode) ? "a file" : S_ISDIR(st.st_mode) ? NULL : "no folder";
    if (what) error_set(err, TARE_USAGE, "exists", g->dir, "%.400s exists already and is %s", g->dir, what);
    else if (!g->force) error_set(err, TARE_USAGE, "exists", g->dir, "%.400s exists already; it is replaced only with force", g->dir);
    return !what && g->force && replaceable(g, err);
}

/* ---- names ---- */

static char *copy_text(const char *text, size_t n) {
    char *copy = tarei_malloc(n + 1);
    if (!copy) return NULL;
    memcpy(copy, text, n);
    copy[n] = 0;
    return copy;
}

static bool name_parts(stage *g, const char *dir, tare_error *err) {
    size_t n = strlen(dir), folder;
    while (n > 1 && dir[n - 1] == '/') n--;
    g->dir = copy_text(dir, n);
    if (!g->dir) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    char *slash = strrchr(g->dir, '/');
    g->base = slash ? slash + 1 : g->dir;
    if (!*g->base || strcmp(g->base, ".") == 0 || strcmp(g->base, "..") == 0) {
        error_set(err, TARE_USAGE, "usage", dir, "a checkpoint is a folder with a name of its own: \"%.400s\" is none", dir);
        return false;
    }
    int length = snprintf(g->work_name, sizeof g->work_name, ".%s.tare-partial", g->base);
    if (length > 255) {
        error_set(err, TARE_USAGE, "usage", dir, "the name of the folder has %zu bytes, the most is 241: %.400s", strlen(g->base), dir);
        return false;
    }
    folder = slash == g->dir ? 1 : slash ? (size_t)(slash - g->dir) : 0;
    g->folder = folder ? copy_text(g->dir, folder) : copy_text(".", 1);
    g->work_path = tarei_malloc(folder + strlen(g->work_name) + 2);
    if (!g->folder || !g->work_path) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    memcpy(g->work_path, g->dir, folder);
    sprintf(g->work_path + folder, "%s%s", folder > 1 ? "/" : "", g->work_name);
    return true;
}

/* ---- the lock ---- */

static void shut(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}
static bool same_file(int fd, int at, const char *name) {
    struct stat a, b;
    return fstat(fd, &a) == 0 && fstatat(at, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}
/* The work folder is made readable to its owner alone; new/ gets its rights from the umask. */
static bool open_work(stage *g, tare_error *err) {
    struct stat st;
    if (mkdirat(g->parent, g->work_name, 0700) && errno != EEXIST) return stage_failed(err, "make a folder in", g->folder, errno), false;
    g->work = openat(g->parent, g->work_name, FOLDER);
    if (g->work < 0 && errno == ENOENT) return true;
    if (g->work < 0) return stage_failed(err, "work in", g->work_path, errno), false;
    if (fstat(g->work, &st) == 0 && st.st_uid == geteuid()) return true;
    error_set(err, TARE_IO, "io", g->work_path, "cannot work in %.400s: it belongs to another user", g->work_path);
    return false;
}
/* The run that held the lock before removes the file and the folder as it ends: what was locked must still be what has the name. */
static bool lock_work(stage *g, bool *locked, tare_error *err) {
    *locked = false;
    if (!open_work(g, err)) return false;
    if (g->work < 0) return true;
    g->lock = openat(g->work, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (g->lock < 0 && errno == ENOENT) return true;
    if (g->lock < 0) return stage_failed(err, "make a file in", g->work_path, errno), false;
    if (flock(g->lock, LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK) error_set(err, TARE_IO, "busy", g->dir, "another run is writing %.400s", g->dir);
        else stage_failed(err, "lock", g->work_path, errno);
        return false;
    }
    *locked = same_file(g->lock, g->work, "lock") && same_file(g->work, g->parent, g->work_name);
    return true;
}
static bool take_lock(stage *g, tare_error *err) {
    for (int i = 0; i < TRIES; i++) {
        bool locked;
        if (!lock_work(g, &locked, err)) return shut(&g->lock), false; /* from here on what is open is held */
        if (locked) return true;
        shut(&g->lock);
        shut(&g->work);
    }
    error_set(err, TARE_IO, "busy", g->dir, "other runs keep writing %.400s", g->dir);
    return false;
}

/* ---- open and close ---- */

static bool exists(int at, const char *name) {
    struct stat st;
    return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}
/* A run was killed after it put DIR aside: put it back, or remove it where the new one is in place. */
static bool settle_old(stage *g, tare_error *err) {
    if (!exists(g->work, "old")) return true;
    bool back = !exists(g->parent, g->base);
    if (back ? renameat(g->work, "old", g->parent, g->base) == 0 : remove_folder(g->work, "old")) return true;
    return stage_failed(err, back ? "put back" : "clear", g->work_path, errno), false;
}

static bool open_all(stage *g, const char *dir, tare_error *err) {
    if (!name_parts(g, dir, err)) return false;
    g->parent = open(g->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (g->parent < 0) return stage_failed(err, "open the folder", g->folder, errno), false;
    return stage_may_replace(g, err) && take_lock(g, err) && settle_old(g, err) && stage_may_replace(g, err);
}

static void release(stage *g) {
    shut(&g->fresh);
    shut(&g->lock);
    shut(&g->work);
    shut(&g->parent);
    free(g->dir);
    free(g->folder);
    free(g->work_path);
    g->dir = g->folder = g->work_path = NULL;
}

void stage_close(stage *g, bool remove) {
    tare_error ignored = {0};
    if (remove && g->lock >= 0 && settle_old(g, &ignored)) {
        remove_folder(g->work, "new");
        unlinkat(g->work, "journal", 0);
        unlinkat(g->work, "lock", 0); /* last: until then nobody else works here */
        unlinkat(g->parent, g->work_name, AT_REMOVEDIR);
    }
    release(g);
}

bool stage_open(stage *g, const char *dir, bool force, tare_error *err) {
    *g = (stage){.parent = -1, .work = -1, .lock = -1, .fresh = -1, .force = force};
    if (open_all(g, dir, err)) return true;
    stage_close(g, g->lock >= 0 && !exists(g->work, "journal")); /* nothing to go on from: nothing stays */
    return false;
}

bool stage_fresh(stage *g, bool clear, tare_error *err) {
    shut(&g->fresh);
    if (clear && !remove_folder(g->work, "new")) return stage_failed(err, "clear", g->work_path, errno), false;
    if (mkdirat(g->work, "new", 0777) && errno != EEXIST) return stage_failed(err, "make a folder in", g->work_path, errno), false;
    g->fresh = openat(g->work, "new", FOLDER);
    if (g->fresh < 0) stage_failed(err, "open the folder in", g->work_path, errno);
    return g->fresh >= 0;
}

/* ---- into place ---- */

static bool cannot(int error) { return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP; }

static bool place_new(const stage *g) {
    if (renameat2(g->work, "new", g->parent, g->base, RENAME_NOREPLACE) == 0) return true;
    if (!cannot(errno)) return false;
    if (exists(g->parent, g->base)) return errno = EEXIST, false;
    return renameat(g->work, "new", g->parent, g->base) == 0;
}
static bool place_aside(const stage *g) {
    if (renameat(g->parent, g->base, g->work, "old")) return false;
    fsync(g->work);
    if (place_new(g)) return true;
    int error = errno;
    (void)!renameat(g->work, "old", g->parent, g->base);
    errno = error;
    return false;
}
/* After an exchange new/ is what DIR was. */
static bool place(const stage *g) {
    if (!exists(g->parent, g->base)) return place_new(g);
    if (g->two_renames) return place_aside(g);
    if (renameat2(g->work, "new", g->parent, g->base, RENAME_EXCHANGE) == 0) return true;
    return cannot(errno) && place_aside(g);
}

bool stage_publish(stage *g, tare_error *err) {
    if (!stage_may_replace(g, err)) return false;
    if (!place(g)) return stage_failed(err, "put the new folder in the place of", g->dir, errno), false;
    if (fsync(g->parent) && !cannot(errno)) return stage_failed(err, "synchronise", g->folder, errno), false;
    fsync(g->work);
    return true;
}
