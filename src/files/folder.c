/* Which file of a folder from_pretrained() takes: transformers_weights, model.safetensors, its index, and then pickles, which are not read. */
#define _DEFAULT_SOURCE
#include "hub.h"
#include "utf8.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), k = strlen(end);
    return n >= k && !strcmp(name + n - k, end);
}
static bool there(opening *o, const char *name) {
    struct stat st;
    return !stat(arena_printf(&o->c->a, "%s/%s", o->base, name), &st) && S_ISREG(st.st_mode);
}
static const char *real(opening *o, const char *path) {
    char out[PATH_MAX];
    return realpath(path, out) ? arena_text(&o->c->a, out, strlen(out)) : NULL;
}

/* ---- a name that a file gives ---- */

static bool below(const char *path, const char *folder) {
    size_t n = folder ? strlen(folder) : 0;
    while (n && folder[n - 1] == '/') n--;
    return folder && !strncmp(path, folder, n) && path[n] == '/';
}
static bool climbs(const char *name) {
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (!strncmp(part, "..", 2) && (!part[2] || part[2] == '/')) return true;
    }
    return *name == '/' || !*name;
}
bool path_of(opening *o, const char *name, const char *who, const char **path) {
    *path = arena_printf(&o->c->a, "%s/%s", o->base, name);
    const char *to = climbs(name) ? NULL : real(o, *path);
    if (to ? below(to, o->real_base) || below(to, o->real_folder) || below(to, o->real_blobs) : !climbs(name)) return true;
    error_set(o->err, TARE_BAD, "escapes", *path, "%s names \"%.*s\"%s%.200s, which is not inside the folder: it is not read", who,
        utf8_cut(name, 200), name, to ? ", that is " : "", to ? to : "");
    return false;
}

/* ---- what lies in the folder ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }
bool list_base(opening *o) {
    enum { MOST = 100000 };
    size_t cap = 0;
    o->dir = opendir(o->base);
    if (!o->dir) return false;
    for (struct dirent *e; o->listed_count < MOST && (e = readdir(o->dir));) {
        if (e->d_name[0] == '.') continue;
        o->listed = arena_grow(&o->c->a, o->listed, o->listed_count, &cap, 1, sizeof *o->listed);
        o->listed[o->listed_count++] = arena_text(&o->c->a, e->d_name, strlen(e->d_name));
    }
    closedir(o->dir);
    o->dir = NULL;
    if (o->listed_count) qsort(o->listed, o->listed_count, sizeof *o->listed, by_text);
    return true;
}
static bool looks_like_weights(const char *name) {
    static const char *const ends[] = {".safetensors", ".safetensors.index.json", ".bin", ".gguf", ".h5", ".msgpack", ".pt", ".pth",
        ".ckpt", ".onnx"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(name, ends[i])) return true;
    return false;
}
/* "a, b and 7 more": what looks like weights, else anything. */
static const char *what_is_there(opening *o) {
    enum { SHOWN = 6 };
    size_t shown = 0, more = 0, weights = 0;
    const char *text = "";
    for (size_t i = 0; i < o->listed_count; i++) weights += looks_like_weights(o->listed[i]);
    for (size_t i = 0; i < o->listed_count; i++) {
        if (weights && !looks_like_weights(o->listed[i])) continue;
        if (shown == SHOWN) more++;
        else text = arena_printf(&o->c->a, "%s%s%.60s", text, shown++ ? ", " : "", o->listed[i]);
    }
    if (!shown) return "it is empty";
    return more ? arena_printf(&o->c->a, "there are %s and %zu more", text, more) : arena_printf(&o->c->a, "there is %s", text);
}

/* ---- the choice ---- */

/* model.safetensors -> model.fp16.safetensors: a variant stands before the last part. */
static const char *with_variant(opening *o, const char *name) {
    const char *dot = strrchr(name, '.');
    if (!o->variant) return name;
    return arena_printf(&o->c->a, "%.*s.%s%s", (int)(dot - name), name, o->variant, dot);
}
static bool no_weights(opening *o) {
    const char *single = with_variant(o, "model.safetensors"), *index = with_variant(o, "model.safetensors.index.json");
    if (!list_base(o)) return error_set(o->err, TARE_IO, "io", o->base, "cannot read %.400s: %s", o->base, strerror(errno)), false;
    error_set(o->err, TARE_NO, "no_weights", o->base, "no weights in %.200s: neither %.60s nor %.60s; %s", o->base, single, index, what_is_there(o));
    return false;
}
static bool pickle(opening *o, const char *name) {
    error_set(o->err, TARE_BAD, "pickle", arena_printf(&o->c->a, "%s/%s", o->base, name),
        "%.200s has only %.60s, a pickle, and pickles are not read; load it once with from_pretrained() and write it with save_pretrained(), which "
        "makes safetensors of it", o->base, name);
    return false;
}
static void note_hidden(opening *o, const char *chosen, const char *why) {
    const char *others[] = {with_variant(o, "model.safetensors"), with_variant(o, "model.safetensors.index.json")};
    for (int i = 0; i < 2; i++)
        if (strcmp(chosen, others[i]) && there(o, others[i]))
            flaw_add(o, FLAW_HIDDEN, NULL, NULL, false, "%s is read%s, and %s beside it is not", chosen, why, others[i]);
}
/* config.json may name its weights. */
static bool named_weights(opening *o, choice *out) {
    weights_file config = {0};
    const char *path = arena_printf(&o->c->a, "%s/config.json", o->base);
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode) || file_open(o, path, &config) != FOUND) return true;
    const char *name = config_weights(o, &config);
    if (!name) return true;
    out->index = ends_with(name, ".safetensors.index.json");
    if (!out->index && !ends_with(name, ".safetensors")) {
        error_set(o->err, TARE_BAD, "bad_value", "$.transformers_weights",
            "$.transformers_weights is \"%.*s\": a .safetensors file or a .safetensors.index.json is needed", utf8_cut(name, 200), name);
        return false;
    }
    if (!path_of(o, name, "config.json", &path)) return false;
    if (!there(o, name)) {
        error_set(o->err, TARE_NO, "no_weights", path, "no weights in %.200s: config.json names \"%.*s\", which is not there",
            o->base, utf8_cut(name, 200), name);
        return false;
    }
    out->name = name;
    note_hidden(o, name, ", as config.json says");
    return true;
}
static bool choose_in(opening *o, choice *out) {
    if (!named_weights(o, out)) return false;
    if (out->name) return true;
    const char *single = with_variant(o, "model.safetensors"), *index = with_variant(o, "model.safetensors.index.json");
    const char *pickles[] = {with_variant(o, "pytorch_model.bin"), with_variant(o, "pytorch_model.bin.index.json")};
    *out = there(o, single) ? (choice){single, false} : there(o, index) ? (choice){index, true} : (choice){0};
    if (out->name) return note_hidden(o, out->name, ""), true;
    for (int i = 0; i < 2; i++)
        if (there(o, pickles[i])) return pickle(o, pickles[i]);
    return no_weights(o);
}

/* ---- the path ---- */

static const char *without_slashes(opening *o, const char *path) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    return arena_text(&o->c->a, path, n);
}
static bool set_folder(opening *o, const char *folder, const char *subfolder) {
    checkpoint *c = o->c;
    c->folder = folder;
    o->base = folder, o->below = "";
    if (subfolder && *subfolder) {
        const char *plain = without_slashes(o, subfolder);
        o->base = arena_printf(&c->a, "%s/%s", folder, plain);
        o->below = arena_printf(&c->a, "%s/", plain);
    }
    o->real_folder = real(o, folder);
    o->real_base = real(o, o->base);
    if (!o->real_folder || !o->real_base)
        return error_set(o->err, TARE_IO, "io", o->base, "cannot read %.400s: %s", o->base, strerror(errno)), false;
    c->snapshot = hub_revision(o, o->real_folder, &o->real_blobs);
    return true;
}
static bool not_there(opening *o, const char *path, int error) {
    const char *cache = NULL;
    if (error == ENOENT && hub_is_id(path)) hub_repository(o, path, &cache);
    error_set(o->err, TARE_IO, "io", path, "cannot read %.200s: %s%s%.200s", path, strerror(error),
        cache ? ", and the Hub's cache does not hold it: " : "", cache ? cache : "");
    return false;
}
static bool one_file(opening *o, const char *path, choice *out) {
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    const char *folder = !slash ? "." : n ? arena_text(&o->c->a, path, n) : "/";
    *out = (choice){slash ? slash + 1 : path, ends_with(path, ".json")};
    return set_folder(o, folder, NULL);
}

bool choose(opening *o, const char *path, const checkpoint_options *options, choice *out) {
    struct stat st;
    const char *cache, *plain = without_slashes(o, path), *subfolder = options ? options->subfolder : NULL;
    o->variant = options && options->variant && *options->variant ? options->variant : NULL;
    bool there_is = *plain && !stat(plain, &st);
    int error = *plain ? errno : ENOENT;
    if (!there_is) {
        const char *repository = error == ENOENT && hub_is_id(plain) ? hub_repository(o, plain, &cache) : NULL;
        if (!repository) return not_there(o, plain, error);
        plain = repository;
    } else if (!S_ISDIR(st.st_mode)) {
        return one_file(o, plain, out);
    }
    if (hub_is_repository(o, plain)) plain = hub_snapshot(o, plain);
    return plain && set_folder(o, plain, subfolder) && choose_in(o, out);
}
