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
/* The whole file into malloc'd memory; the caller frees. */
static bool read_file(session *s, const char *path, char **data, size_t *n) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0) return io_error(s, path);
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(&s->err, TARE_IO, "io", path, "cannot read %s: it is not a regular file", path), false;
    }
    if (st.st_size > JSON_LARGEST) {
        close(fd);
        return error_set(&s->err, TARE_BAD, "too_large", path, "%s has %lld bytes; a config of more than 16 MiB is refused", path, (long long)st.st_size), false;
    }
    size_t size = (size_t)st.st_size;
    *data = tarei_malloc(size + 1);
    if (!*data) {
        close(fd);
        arena_exhausted(s->a);
    }
    ssize_t got = 1;
    for (*n = 0; *n < size && got > 0; *n += got > 0 ? (size_t)got : 0) {
        got = read(fd, *data + *n, size - *n);
        if (got < 0 && errno == EINTR) got = 0, *n += 0;
        if (got < 0) break;
    }
    bool ok = got >= 0;
    if (!ok) free(*data), io_error(s, path);
    close(fd);
    return ok;
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
    const struct preset_row *found = NULL; /* the bare name, where only one id has it: "bloom-7b1", "openai/clip-vit-base-patch32" */
    for (size_t i = 0; i < preset_count; i++) {
        const char *mine = strchr(preset_rows[i].id, '/'), *asked = strchr(id, '/');
        if (mine && asked) continue;
        if (strcmp(mine ? mine + 1 : preset_rows[i].id, asked ? asked + 1 : id)) continue;
        if (found) return NULL;
        found = &preset_rows[i];
    }
    return found;
}
static const char *id_name(size_t i, void *to) {
    (void)to;
    return i < preset_count ? preset_rows[i].id : NULL;
}
size_t source_ids(const char *const **ids) {
    enum { MOST = 4096 };
    static const char *names[MOST];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    size_t n = preset_count < MOST ? preset_count : MOST;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n; i++) names[i] = preset_rows[i].id;
    pthread_mutex_unlock(&lock);
    *ids = names;
    return n;
}

static bool unknown(session *s, const char *model) {
    char near[200], ids[200];
    near_types(model, near, sizeof near);
    near_names(model, id_name, NULL, ids, sizeof ids);
    bool path = strchr(model, '/') || strstr(model, ".json");
    const char *join = *near && *ids ? ", " : "";
    if (path)
        error_set(&s->err, TARE_IO, "io", model, "no file, folder or built-in id \"%.150s\"; this release does not ask the Hub%s%s%s%s", model,
                  *near || *ids ? "\nknown names near it: " : "", near, join, ids);
    else
        error_set(&s->err, TARE_UNKNOWN, "unknown_model_type", model, "unknown model type \"%.150s\"%s%s%s%s", model, *near || *ids ? "\nknown names near it: " : "", near, join, ids);
    return false;
}

bool source_read(session *s, const char *model, val *dict, bool *bare) {
    struct stat st;
    *bare = false;
    size_t blanks = strspn(model, " \t\r\n");
    if (model[blanks] == '{') return json_read(s->a, model, strlen(model), "the config", dict, &s->err);
    if (!*model) return error_set(&s->err, TARE_USAGE, "usage", NULL, "the model is empty: give a config.json, a folder, an id or a model type"), false;
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

static val put_path(session *s, val d, const char *path, val v) {
    const char *dot = strchr(path, '.');
    if (!dot) return dict_with(s->a, d, path, v);
    const char *key = arena_text(s->a, path, (size_t)(dot - path));
    return dict_with(s->a, d, key, put_path(s, dict_get(d, key), dot + 1, v));
}
bool source_override(session *s, const char *const *set, val *dict, val *over) {
    *over = (val){.kind = VAL_DICT};
    for (; set && *set; set++) {
        const char *equals = strchr(*set, '=');
        if (!equals || equals == *set || **set == '.' || strstr(*set, "..") || equals[-1] == '.')
            return error_set(&s->err, TARE_USAGE, "usage", *set, "\"%.100s\" is not an override: write key=JSON or part.key=JSON", *set), false;
        if (dict->kind != VAL_DICT) return error_set(&s->err, TARE_BAD, "bad_type", "$", "a config is a JSON object, so \"%.100s\" cannot be set in it", *set), false;
        const char *path = arena_text(s->a, *set, (size_t)(equals - *set)), *text = equals + 1;
        tare_error not_json = {0};
        val v;
        bool is_json = json_read(s->a, text, strlen(text), "the value", &v, &not_json);
        if (!is_json && strcmp(not_json.code, "bad_json")) {
            const char *where = arena_printf(s->a, "$.%s", path);
            error_set(&s->err, not_json.status, not_json.code, where, "%s is %.60s: %s", where, text,
                      strcmp(not_json.code, "bad_value") ? not_json.message : "an integer beyond 64 bits, which cannot be kept exactly");
            return false;
        }
        if (!is_json) v = val_text(arena_text(s->a, text, strlen(text))); /* a bare word is text */
        *dict = put_path(s, *dict, path, v);
        *over = put_path(s, *over, path, val_bool(true));
    }
    return true;
}
