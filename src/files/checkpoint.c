#include "opening.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- lists ---- */

void *list_room(opening *o, void *list, size_t n, size_t *cap, size_t size) {
    enum { LEAST = 256 };
    size_t room = n < LEAST ? LEAST : 2 * n;
    if (room < *cap) room = *cap;
    void *larger = room < UINT32_MAX ? tarei_realloc(list, room * size) : NULL;
    if (!larger) arena_exhausted(&o->c->a);
    if (!list) memory_soon_used(larger, room * size);
    *cap = room;
    return larger;
}
void flaw_add(opening *o, flaw_kind kind, const weights_file *f, const char *key, bool fails, const char *format, ...) {
    checkpoint *c = o->c;
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t kept = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    bool damage = kind == FLAW_DTYPE || kind == FLAW_BYTES || kind == FLAW_PLACE;
    c->flaws = arena_grow(&c->a, c->flaws, c->flaw_count, &o->flaw_cap, 1, sizeof *c->flaws);
    c->flaws[c->flaw_count++] = (flaw){kind, f ? f->name : NULL, key, arena_text(&c->a, text, kept), damage, fails};
}

/* ---- files ---- */

static int by_name(const void *a, const void *b) { return strcmp(((const weights_file *)a)->name, ((const weights_file *)b)->name); }

weights_file *file_named(const checkpoint *c, const char *name) {
    size_t low = 0, high = c->file_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(name, c->files[mid].name);
        if (!order) return &c->files[mid];
        if (order < 0) high = mid;
        else low = mid + 1;
    }
    return NULL;
}
/* The files that the index names, each once; what only entries named that later ones replace is none of them. */
static bool list_files(opening *o) {
    checkpoint *c = o->c;
    bool *used = arena_array(&c->a, o->name_count, sizeof *used);
    c->files = arena_array(&c->a, o->name_count, sizeof *c->files);
    for (size_t i = 0; i < o->entry_count; i++) used[o->entries[i].name] = true;
    for (size_t i = 0; i < o->name_count; i++) {
        const char *path;
        if (!used[i]) continue;
        if (!path_of(o, o->names[i], "the index", &path)) return false;
        c->files[c->file_count++] = (weights_file){.name = o->names[i], .path = path, .fd = -1, .indexed = true};
    }
    qsort(c->files, c->file_count, sizeof *c->files, by_name);
    o->file_of = arena_array(&c->a, o->name_count, sizeof *o->file_of);
    for (size_t i = 0; i < o->name_count; i++) o->file_of[i] = file_named(c, o->names[i]);
    return true;
}
static bool open_index(opening *o, const char *name, const char *path) {
    weights_file index = {.name = name, .path = path};
    found got = file_open(o, path, &index);
    if (got == FOUND_NOT) error_set(o->err, TARE_IO, "io", path, "cannot read %.400s: it is not there", path);
    o->c->index = name;
    return got == FOUND && index_read(o, &index) && list_files(o);
}
static bool open_files(opening *o) {
    checkpoint *c = o->c;
    for (size_t i = 0; i < c->file_count; i++) {
        weights_file *f = &c->files[i];
        f->first = c->tensor_count;
        found got = file_open(o, f->path, f);
        if (got == FOUND_FAILED || (got == FOUND && !header_read(o, f))) return false;
        if (got == FOUND_NOT && !c->index)
            return error_set(o->err, TARE_IO, "io", f->path, "cannot read %.400s: it is not there", f->path), false;
    }
    file_close(o);
    return true;
}

/* Names are those below the folder, also in a subfolder. */
static void name_files(opening *o) {
    checkpoint *c = o->c;
    for (size_t i = 0; *o->below && i < c->file_count; i++) c->files[i].name = arena_printf(&c->a, "%s%s", o->below, c->files[i].name);
    for (size_t i = 0; *o->below && i < c->flaw_count; i++)
        if (c->flaws[i].file) c->flaws[i].file = arena_printf(&c->a, "%s%s", o->below, c->flaws[i].file);
    if (*o->below && c->index) c->index = arena_printf(&c->a, "%s%s", o->below, c->index);
}
static bool open_all(opening *o, const char *path, const checkpoint_options *options) {
    checkpoint *c = o->c;
    choice chosen = {0};
    c->keys = arena_new(&c->a, key_table);
    c->keys->seed = keys_seed();
    if (!choose(o, path, options, &chosen)) return false;
    const char *at = arena_printf(&c->a, "%s/%s", o->base, chosen.name);
    if (chosen.index && !open_index(o, chosen.name, at)) return false;
    if (!chosen.index) {
        c->files = arena_new(&c->a, weights_file);
        c->files[c->file_count++] = (weights_file){.name = chosen.name, .path = at, .fd = -1};
    }
    if (!open_files(o)) return false;
    for (size_t i = 0; i < c->tensor_count; i++)
        if (!c->tensors[i].replaced) c->data_bytes += c->tensors[i].bytes;
    if (c->index) compare_files(o), compare_tensors(o);
    name_files(o);
    return true;
}

/* ---- opening ---- */

static bool open_guarded(opening *o, const char *path, const checkpoint_options *options) {
    jmp_buf exhausted;
    o->c->a.unwind = &exhausted;
    bool ok = setjmp(exhausted) ? error_set(o->err, TARE_IO, "out_of_memory", NULL, "out of memory"), false : open_all(o, path, options);
    o->c->a.unwind = NULL;
    return ok;
}
checkpoint *checkpoint_open(const char *path, const checkpoint_options *options, tare_error *err) {
    opening o = {.fd = -1, .err = err};
    o.c = tarei_malloc(sizeof *o.c);
    if (!o.c) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory"), NULL;
    *o.c = (checkpoint){0};
    pthread_mutex_init(&o.c->lock, NULL);
    bool ok = open_guarded(&o, path, options);
    file_close(&o);
    if (o.dir) closedir(o.dir);
    free(o.hashes);
    free(o.entries);
    if (ok) return o.c;
    checkpoint_free(o.c);
    return NULL;
}
void checkpoint_free(checkpoint *c) {
    if (!c) return;
    for (size_t i = 0; i < c->file_count; i++)
        if (c->files[i].fd >= 0) close(c->files[i].fd);
    free(c->tensors);
    pthread_mutex_destroy(&c->lock);
    arena_free(&c->a);
    free(c);
}
size_t checkpoint_find(const checkpoint *c, const char *key) {
    const key_row *row = keys_row(c->keys, key, key_hash(c->keys->seed, key, strlen(key)));
    return row && row->key ? row->value : SIZE_MAX;
}
