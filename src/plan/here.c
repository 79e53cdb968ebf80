#include "here.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum { PATH_SIZE = 4096, TEXT_SIZE = 16384 };

/* ---- files of the kernel ---- */

/* False when the path is too long or there is no such file; a text that is too long is cut. */
static bool read_text(const char *folder, const char *name, char text[TEXT_SIZE]) {
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = n > 0 && n < PATH_SIZE ? fopen(path, "r") : NULL;
    if (!f) return false;
    text[fread(text, 1, TEXT_SIZE - 1, f)] = '\0';
    fclose(f);
    return true;
}
static bool whole_number(const char *text, uint64_t *out) {
    char *end;
    if (*text < '0' || *text > '9') return false;
    *out = strtoull(text, &end, 10);
    return *end == '\0' || *end == '\n' || *end == ' ';
}
static bool read_number(const char *folder, const char *name, uint64_t *out) {
    char text[TEXT_SIZE];
    return read_text(folder, name, text) && whole_number(text, out);
}
/* The number after a word at the beginning of a line: "MemAvailable:   123 kB". */
static bool find_number(const char *text, const char *word, uint64_t *out) {
    size_t n = strlen(word);
    for (const char *line = text;; line++) {
        if (strncmp(line, word, n) == 0 && line[n] == ' ') return whole_number(line + n + strspn(line + n, " "), out);
        line = strchr(line, '\n');
        if (!line) return false;
    }
}

/* ---- memory ---- */

typedef struct cgroup_files { const char *mount, *limit, *usage, *cache; } cgroup_files;
static const cgroup_files version_2 = {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};
static const cgroup_files version_1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};

typedef struct least {
    uint64_t bytes;
    char *limit; /* the path of the cgroup that decided */
    size_t n;
} least;

/* What a cgroup leaves: its limit less what is in use, where pages of files that nobody has touched lately count as free. */
static void look(least *l, const cgroup_files *files, const char *folder, const char *path) {
    char stat[TEXT_SIZE];
    uint64_t limit, usage = 0, cache = 0;
    if (!read_number(folder, files->limit, &limit)) return; /* "max", or none here */
    read_number(folder, files->usage, &usage);
    if (read_text(folder, "memory.stat", stat)) find_number(stat, files->cache, &cache);
    usage -= cache < usage ? cache : usage;
    uint64_t left = limit > usage ? limit - usage : 0;
    if (left >= l->bytes) return;
    l->bytes = left;
    snprintf(l->limit, l->n, "%s", *path ? path : "/");
}
/* The whole path up to the mount: a limit anywhere on it holds. In a container the first part may not be visible; then its root is. */
static void walk_up(least *l, const char *root, const cgroup_files *files, char *path) {
    char folder[PATH_SIZE];
    for (;;) {
        int n = snprintf(folder, sizeof folder, "%s%s%s", root, files->mount, path);
        if (n > 0 && n < PATH_SIZE) look(l, files, folder, path);
        char *slash = strrchr(path, '/');
        if (!slash) return;
        *slash = '\0';
    }
}
static bool names_memory(const char *controllers, size_t n) {
    for (const char *at = controllers, *end = controllers + n; at < end; at++) {
        size_t length = strcspn(at, ",:");
        if (length == strlen("memory") && memcmp(at, "memory", length) == 0) return true;
        at += length;
    }
    return false;
}
/* A line of /proc/self/cgroup: "0::/user.slice" or "4:cpu,memory:/user.slice". */
static void take_line(least *l, const char *root, char *line) {
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) return;
    bool second = strncmp(line, "0::", 3) == 0;
    if (second || names_memory(controllers + 1, (size_t)(path - controllers - 1))) walk_up(l, root, second ? &version_2 : &version_1, path + 1);
}

bool here_memory(const char *root, uint64_t *bytes, char *limit, size_t n) {
    char folder[PATH_SIZE], text[TEXT_SIZE];
    uint64_t available;
    int length = snprintf(folder, sizeof folder, "%s/proc", root);
    *limit = '\0';
    if (length < 0 || length >= PATH_SIZE || !read_text(folder, "meminfo", text) || !find_number(text, "MemAvailable:", &available)) return false;
    least l = {.bytes = available > UINT64_MAX / 1024 ? UINT64_MAX : available * 1024, .limit = limit, .n = n};
    if (read_text(folder, "self/cgroup", text))
        for (char *line = text, *end; *line; line = end) {
            end = line + strcspn(line, "\n");
            if (*end) *end++ = '\0';
            take_line(&l, root, line);
        }
    *bytes = l.bytes;
    return true;
}

/* ---- disk ---- */

bool here_disk(const char *folder, uint64_t *bytes) {
    struct statvfs s;
    if (statvfs(folder, &s)) return false;
    if (__builtin_mul_overflow((uint64_t)s.f_bavail, (uint64_t)s.f_frsize, bytes)) *bytes = UINT64_MAX;
    return true;
}

/* ---- AMD ---- */

size_t here_amd(const char *root, gpu_seen out[MOST_GPUS]) {
    enum { MOST_CARDS = 256 };
    char folder[PATH_SIZE], text[TEXT_SIZE];
    size_t found = 0;
    for (int card = 0; card < MOST_CARDS && found < MOST_GPUS; card++) {
        uint64_t total, used = 0;
        int n = snprintf(folder, sizeof folder, "%s/sys/class/drm/card%d/device", root, card);
        if (n < 0 || n >= PATH_SIZE || !read_number(folder, "mem_info_vram_total", &total) || total < UINT64_C(1) << 30) continue;
        gpu_seen *g = &out[found++];
        *g = (gpu_seen){.total = total, .free = total};
        g->free_known = read_number(folder, "mem_info_vram_used", &used);
        g->free -= used < total ? used : total;
        if (read_text(folder, "product_name", text)) snprintf(g->name, sizeof g->name, "%.*s", (int)strcspn(text, "\n"), text);
    }
    return found;
}
