#define _GNU_SOURCE
#include "source.h"
#include "../core/registry.h"
#include "json.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

static bool io_error(session *s, const char *path) {
    error_set(&s->err, TARE_IO, "io", path, "cannot read %s: %s", path, strerror(errno));
    return false;
}
static bool file_size(session *s, const char *path, int fd, size_t *n) {
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        error_set(&s->err, TARE_IO, "io", path, "cannot read %s: it is not a regular file", path);
        return false;
    }
    *n = (size_t)st.st_size;
    if (st.st_size <= JSON_LARGEST) return true;
    error_set(&s->err, TARE_BAD, "too_large", path, "%s has %zu bytes; a config of more than 16 MiB is refused", path, *n);
    return false;
}
/* How many bytes there were, less than n at the end of the file; -1: errno says why. */
static ssize_t read_all(int fd, char *to, size_t n) {
    size_t got = 0;
    while (got < n) {
        ssize_t k = read(fd, to + got, n - got);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return -1;
        if (k == 0) break;
        got += (size_t)k;
    }
    return (ssize_t)got;
}
/* The whole file into malloc'd memory; the caller frees. */
static bool read_file(session *s, const char *path, char **data, size_t *n) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return io_error(s, path);
    if (!file_size(s, path, fd, n)) return close(fd), false;
    *data = tarei_malloc(*n + 1);
    if (!*data) {
        close(fd);
        arena_exhausted(s->a);
    }
    ssize_t got = read_all(fd, *data, *n);
    if (got < 0) io_error(s, path), free(*data);
    close(fd);
    *n = got < 0 ? 0 : (size_t)got;
    return got >= 0;
}
static bool read_json_file(session *s, const char *path, val *dict) {
    char *data;
    size_t n;
    if (!read_file(s, path, &data, &n)) return false;
    jmp_buf *outer = s->a->unwind, here;
    s->a->unwind = &here;
    if (setjmp(here)) { /* out of memory while reading: give the file's bytes back first */
        free(data);
        s->a->unwind = outer;
        arena_exhausted(s->a);
    }
    const char *slash = strrchr(path, '/');
    bool ok = json_read(s->a, data, n, slash && slash[1] ? slash + 1 : path, dict, &s->err);
    s->a->unwind = outer;
    free(data);
    return ok;
}

/* ---- built-in ids ---- */

static const struct preset_row *preset(const char *id) {
    size_t low = 0, high = preset_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(id, preset_rows[mid].id);
        if (!order) return &preset_rows[mid];
        if (order < 0) high = mid;
        else low = mid + 1;
    }
    const struct preset_row *found = NULL; /* the bare name, where only one id has it: "bloom-7b1" */
    for (size_t i = 0; i < preset_count; i++) {
        const char *name = strchr(preset_rows[i].id, '/');
        if (!name || strcmp(name + 1, id)) continue;
        if (found) return NULL;
        found = &preset_rows[i];
    }
    return found;
}
static const char *id_name(size_t i, void *to) {
    (void)to;
    return i < preset_count ? preset_rows[i].id : NULL;
}
enum { MOST_IDS = 4096 };
static const char *all_ids[MOST_IDS];
static size_t count_ids(void) { return preset_count < MOST_IDS ? preset_count : MOST_IDS; }
static void list_ids(void) {
    for (size_t i = 0; i < count_ids(); i++) all_ids[i] = preset_rows[i].id;
}
size_t source_ids(const char *const **ids) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, list_ids);
    *ids = all_ids;
    return count_ids();
}

static bool unknown(session *s, const char *model) {
    char near[200], ids[200];
    near_types(model, near, sizeof near);
    near_names(model, id_name, NULL, ids, sizeof ids);
    const char *join = *near && *ids ? ", " : "";
    const char *hint = *near || *ids ? arena_printf(s->a, "\nknown names near it: %s%s%s", near, join, ids) : "";
    if (strchr(model, '/') || strstr(model, ".json"))
        error_set(&s->err, TARE_IO, "io", model,
            "no file, folder or built-in id \"%.150s\"; this release does not ask the Hub%s", model, hint);
    else
        error_set(&s->err, TARE_UNKNOWN, "unknown_model_type", model, "unknown model type \"%.150s\"%s", model, hint);
    return false;
}

bool source_read(session *s, const char *model, val *dict, bool *bare) {
    struct stat st;
    *bare = false;
    size_t blanks = strspn(model, " \t\r\n");
    if (model[blanks] == '{') return json_read(s->a, model, strlen(model), "the config", dict, &s->err);
    if (!*model) {
        error_set(&s->err, TARE_USAGE, "usage", NULL, "the model is empty: give a config.json, a folder, an id or a model type");
        return false;
    }
    bool there = !stat(model, &st), folder = there && S_ISDIR(st.st_mode), type = family_by_type(model) != NULL;
    if (there && !folder) return read_json_file(s, model, dict);
    const char *inside = folder ? arena_printf(s->a, "%s/config.json", model) : NULL;
    /* a folder that happens to be called like a model type is one only if it holds a config */
    if (folder && (!type || !access(inside, F_OK))) return read_json_file(s, inside, dict);
    const struct preset_row *p = type ? NULL : preset(model);
    if (p) return json_read(s->a, p->json, (size_t)(p->json_end - p->json), p->id, dict, &s->err);
    if (!type) return unknown(s, model);
    *dict = dict_with(s->a, (val){.kind = VAL_DICT}, "model_type", val_text(arena_text(s->a, model, strlen(model))));
    *bare = true;
    return true;
}

/* ---- overrides ---- */

/* "key=JSON" in two; *key is copied, *text points to what follows the "=". */
static bool split(session *s, const char *set, const char **key, const char **text) {
    const char *equals = strchr(set, '=');
    if (!equals || equals == set || *set == '.' || strstr(set, "..") || equals[-1] == '.') {
        error_set(&s->err, TARE_USAGE, "usage", set, "\"%.100s\" is not an override: write key=JSON or part.key=JSON", set);
        return false;
    }
    *key = arena_text(s->a, set, (size_t)(equals - set));
    *text = equals + 1;
    return true;
}
/* A bare word is text; but what is JSON and cannot be kept is refused. */
static bool value_of(session *s, const char *path, const char *text, val *v) {
    tare_error not_json = {0};
    if (json_read(s->a, text, strlen(text), "the value", v, &not_json)) return true;
    if (!strcmp(not_json.code, "bad_json")) return *v = val_text(arena_text(s->a, text, strlen(text))), true;
    const char *where = arena_printf(s->a, "$.%s", path);
    error_set(&s->err, not_json.status, not_json.code, where, "%s is %.60s: %s", where, text, not_json.message);
    return false;
}
static val put_path(session *s, val d, const char *path, val v) {
    const char *dot = strchr(path, '.');
    if (!dot) return dict_with(s->a, d, path, v);
    const char *key = arena_text(s->a, path, (size_t)(dot - path));
    return dict_with(s->a, d, key, put_path(s, dict_get(d, key), dot + 1, v));
}
bool source_override(session *s, const char *const *set, val *dict, val *over) {
    *over = (val){.kind = VAL_DICT};
    for (; set && *set; set++) {
        const char *path, *text;
        val v;
        if (!split(s, *set, &path, &text)) return false;
        if (dict->kind != VAL_DICT) {
            error_set(&s->err, TARE_BAD, "bad_type", "$", "a config is a JSON object, so \"%.100s\" cannot be set in it", *set);
            return false;
        }
        if (!value_of(s, path, text, &v)) return false;
        *dict = put_path(s, *dict, path, v);
        *over = put_path(s, *over, path, val_bool(true));
    }
    return true;
}
