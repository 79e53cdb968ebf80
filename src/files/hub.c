#define _DEFAULT_SOURCE
#include "hub.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_REVISION = 128, LONGEST_ID = 200 };

static bool is_folder(const char *path) {
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}
static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool hub_is_repository(opening *o, const char *folder) {
    arena *a = &o->c->a;
    return is_folder(arena_printf(a, "%s/snapshots", folder)) && access(arena_printf(a, "%s/config.json", folder), F_OK);
}

/* ---- revisions ---- */

/* The revision in refs/main; "" where there is none that is a plain name. */
static bool main_revision(opening *o, const char *repository, char revision[LONGEST_REVISION]) {
    weights_file f = {0};
    const char *path = arena_printf(&o->c->a, "%s/refs/main", repository);
    size_t n = 0;
    found got = file_open(o, path, &f);
    *revision = 0;
    if (got != FOUND) return got == FOUND_NOT;
    if (f.bytes < LONGEST_REVISION) n = (size_t)f.bytes;
    if (file_read(o->err, o->fd, path, 0, revision, n) == FOUND_FAILED) return false;
    revision[n] = 0;
    n = strcspn(revision, " \t\r\n/");
    if (revision[n] == '/') n = 0;
    revision[n] = 0;
    return true;
}
/* The name of the only snapshot, "" where there are none or several. */
static void only_snapshot(opening *o, const char *repository, char revision[LONGEST_REVISION]) {
    size_t n = 0;
    const char *path = arena_printf(&o->c->a, "%s/snapshots", repository);
    o->dir = opendir(path);
    for (struct dirent *e; o->dir && (e = readdir(o->dir));)
        if (e->d_name[0] != '.' && strlen(e->d_name) < LONGEST_REVISION && ++n == 1) memcpy(revision, e->d_name, strlen(e->d_name) + 1);
    if (o->dir) closedir(o->dir);
    o->dir = NULL;
    if (n != 1) *revision = 0;
}
const char *hub_snapshot(opening *o, const char *repository) {
    char revision[LONGEST_REVISION] = "";
    if (!main_revision(o, repository, revision)) return NULL;
    if (*revision) {
        const char *folder = arena_printf(&o->c->a, "%s/snapshots/%s", repository, revision);
        if (is_folder(folder)) return folder;
        error_set(o->err, TARE_NO, "no_weights", repository,
            "no weights in %.300s: refs/main names the revision %s, and there is no snapshot of it; download it again", repository, revision);
        return NULL;
    }
    only_snapshot(o, repository, revision);
    if (*revision) return arena_printf(&o->c->a, "%s/snapshots/%s", repository, revision);
    error_set(o->err, TARE_NO, "no_weights", repository,
        "no weights in %.300s: it has no refs/main and not just one snapshot; name the folder of a snapshot", repository);
    return NULL;
}
const char *hub_revision(opening *o, const char *real, const char **blobs) {
    const char *revision = last_part(real);
    size_t n = revision > real ? (size_t)(revision - real) - 1 : 0;
    const char *snapshots = arena_text(&o->c->a, real, n);
    *blobs = NULL;
    if (strcmp(last_part(snapshots), "snapshots")) return NULL;
    const char *repository = arena_text(&o->c->a, snapshots, strlen(snapshots) - strlen("/snapshots"));
    if (strncmp(last_part(repository), "models--", 8)) return NULL;
    *blobs = arena_printf(&o->c->a, "%s/blobs", repository);
    return revision;
}

/* ---- ids ---- */

bool hub_is_id(const char *words) {
    size_t slashes = 0, n = strlen(words);
    for (const char *s = words; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr("-_./", *s)) return false;
        slashes += *s == '/';
    }
    return n && n < LONGEST_ID && slashes < 2 && *words != '/' && *words != '.' && words[n - 1] != '/' && !strstr(words, "..");
}
/* As huggingface_hub finds it. */
static const char *cache_folder(opening *o) {
    static const struct { const char *variable, *below; } places[] = {
        {"HF_HUB_CACHE", ""}, {"HUGGINGFACE_HUB_CACHE", ""}, {"HF_HOME", "/hub"}, {"XDG_CACHE_HOME", "/huggingface/hub"},
        {"HOME", "/.cache/huggingface/hub"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = getenv(places[i].variable);
        if (value && *value) return arena_printf(&o->c->a, "%s%s", value, places[i].below);
    }
    return NULL;
}
const char *hub_repository(opening *o, const char *id, const char **cache) {
    *cache = cache_folder(o);
    if (!*cache) return NULL;
    const char *slash = strchr(id, '/');
    int n = slash ? (int)(slash - id) : (int)strlen(id);
    const char *path = arena_printf(&o->c->a, "%s/models--%.*s%s%s", *cache, n, id, slash ? "--" : "", slash ? slash + 1 : "");
    return is_folder(path) ? path : NULL;
}
