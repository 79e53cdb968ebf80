/* What an index says, held against the headers of its files and against the folder. Transformers takes the set of file names from it
 * and nothing else, so most of this is wrong without stopping it. */
#include "opening.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

typedef struct numbered { /* model-00002-of-00005.safetensors */
    size_t prefix;        /* bytes before the number */
    size_t digits;        /* of the number, and of the count */
    uint64_t number, count;
} numbered;

static size_t read_digits(const char *s, uint64_t *value) {
    size_t n = 0;
    *value = 0;
    for (; s[n] >= '0' && s[n] <= '9' && n < 10; n++) *value = *value * 10 + (uint64_t)(s[n] - '0');
    return n;
}
static bool is_numbered(const char *name, numbered *out) {
    const char *of = strstr(name, "-of-");
    if (!of) return false;
    const char *start = of;
    while (start > name && start[-1] >= '0' && start[-1] <= '9') start--;
    size_t n = read_digits(start, &out->number), m = read_digits(of + 4, &out->count);
    out->prefix = (size_t)(start - name);
    out->digits = n;
    return n && n == m && start + n == of && !strcmp(of + 4 + m, ".safetensors");
}
static bool is_listed(const opening *o, const char *name) {
    size_t low = 0, high = o->listed_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(name, o->listed[mid]);
        if (!order) return true;
        if (order < 0) high = mid;
        else low = mid + 1;
    }
    return false;
}

static void find_missing(opening *o) {
    const checkpoint *c = o->c;
    size_t *placed = arena_array(&o->c->a, c->file_count, sizeof *placed);
    for (size_t i = 0; i < o->entry_count; i++) placed[o->file_of[o->entries[i].name] - c->files]++;
    for (size_t i = 0; i < c->file_count; i++)
        if (!c->files[i].present)
            flaw_add(o, FLAW_FILE_MISSING, &c->files[i], NULL, true, "%s is not there, and the index places %zu tensors in it; download it",
                c->files[i].name, placed[i]);
}
/* A shard of the same series as the index: "model-...safetensors" beside model.safetensors.index.json, or numbered as one that it names. */
static bool is_of_series(const opening *o, const char *name, const char *stem, size_t stem_n) {
    numbered x, y;
    size_t n = strlen(name);
    if (n < 12 || strcmp(name + n - 12, ".safetensors")) return false;
    if (!strncmp(name, stem, stem_n) && name[stem_n] == '-') return true;
    if (!is_numbered(name, &x)) return false;
    for (size_t i = 0; i < o->c->file_count; i++)
        if (is_numbered(o->c->files[i].name, &y) && x.prefix == y.prefix && !strncmp(name, o->c->files[i].name, x.prefix)) return true;
    return false;
}
/* model.safetensors.index.fp16.json -> model.fp16, which its shards begin with. */
static const char *stem_of(opening *o) {
    const char *index = o->c->index, *at = strstr(index, ".safetensors.index.");
    if (!at) return index;
    const char *variant = at + strlen(".safetensors.index."), *end = strrchr(variant, '.');
    if (!end) return arena_text(&o->c->a, index, (size_t)(at - index));
    return arena_printf(&o->c->a, "%.*s.%.*s", (int)(at - index), index, (int)(end - variant), variant);
}
static void find_unnamed(opening *o) {
    const char *stem = stem_of(o);
    for (size_t i = 0; i < o->listed_count; i++) {
        const char *name = o->listed[i];
        if (!is_of_series(o, name, stem, strlen(stem)) || file_named(o->c, name)) continue;
        weights_file f = {.name = name};
        flaw_add(o, FLAW_FILE_UNNAMED, &f, NULL, false, "%s lies beside, and the index does not name it: it is not read", name);
    }
}
/* The files of one series, those that have i's count, follow each other in the list; the numbers between that no file has. */
static void find_gap(opening *o, size_t first, size_t n, const numbered *series) {
    const checkpoint *c = o->c;
    numbered x;
    bool from_zero = is_numbered(c->files[first].name, &x) && x.number == 0;
    uint64_t next = from_zero ? 0 : 1, lacking = 0, least = 0, end = series->count + !from_zero;
    for (size_t i = 0; i <= n; i++) {
        uint64_t number = i < n && is_numbered(c->files[first + i].name, &x) ? x.number : end;
        if (number > next) {
            if (!lacking) least = next;
            lacking += number - next;
        }
        if (number >= next) next = number + 1;
    }
    if (!lacking) return;
    const char *name = arena_printf(&o->c->a, "%.*s%0*" PRIu64 "-of-%0*" PRIu64 ".safetensors", (int)series->prefix, c->files[first].name,
        (int)series->digits, least, (int)series->digits, series->count);
    weights_file f = {.name = name};
    if (lacking == 1 && is_listed(o, name)) return; /* named as a shard that lies beside */
    flaw_add(o, FLAW_FILE_GAP, &f, NULL, false, "the index names no %s%s: it has %zu of %" PRIu64 " shards", name,
        lacking > 1 ? " and others" : "", n, series->count);
}
static bool same_series(const char *a, numbered x, const char *b, numbered y) {
    return x.prefix == y.prefix && x.digits == y.digits && x.count == y.count && !strncmp(a, b, x.prefix);
}
static void find_gaps(opening *o) {
    const checkpoint *c = o->c;
    numbered x, y;
    for (size_t i = 0, n; i < c->file_count; i += n) {
        n = 1;
        if (!is_numbered(c->files[i].name, &x)) continue;
        while (i + n < c->file_count && is_numbered(c->files[i + n].name, &y) && same_series(c->files[i].name, x, c->files[i + n].name, y)) n++;
        find_gap(o, i, n, &x);
    }
}
void compare_files(opening *o) {
    find_missing(o);
    (void)!list_base(o); /* a folder that cannot be listed can still be read */
    find_unnamed(o);
    find_gaps(o);
}

/* ---- tensors ---- */

static void find_unindexed(opening *o) {
    const checkpoint *c = o->c;
    for (size_t i = 0; i < c->tensor_count; i++) {
        const file_tensor *t = &c->tensors[i];
        const weights_file *f = &c->files[t->file];
        if (i + AHEAD < c->tensor_count) keys_soon(&o->entry_of, o->hashes[i + AHEAD]);
        key_row *row = keys_row(&o->entry_of, t->key, o->hashes[i]);
        if (!row->key) flaw_add(o, FLAW_NOT_IN_INDEX, f, t->key, false, "%s is in %s, and not in the index", t->key, f->name);
        else if (o->file_of[o->entries[row->value].name] == f) o->entries[row->value].seen = true;
    }
}
static void find_absent(opening *o) {
    const checkpoint *c = o->c;
    for (size_t i = 0; i < o->entry_count; i++) {
        const index_entry *e = &o->entries[i];
        const weights_file *f = o->file_of[e->name];
        if (e->seen || !f->present) continue;
        size_t other = checkpoint_find(c, e->key);
        if (other == SIZE_MAX) flaw_add(o, FLAW_NOT_IN_FILE, f, e->key, false, "the index places %s in %s, which does not hold it", e->key, f->name);
        else
            flaw_add(o, FLAW_NOT_IN_FILE, f, e->key, false, "the index places %s in %s; it is in %s", e->key, f->name,
                c->files[c->tensors[other].file].name);
    }
}
static void compare_total(opening *o) {
    const checkpoint *c = o->c;
    uint64_t held = 0;
    for (size_t i = 0; i < c->file_count; i++)
        if (!c->files[i].present) return;
    for (size_t i = 0; i < c->tensor_count; i++) held += c->tensors[i].bytes;
    if (o->total == TOTAL_ODD) flaw_add(o, FLAW_TOTAL_SIZE, NULL, NULL, false, "total_size of the index is no number");
    if (o->total != TOTAL_NUMBER || o->total_size == (double)held || o->total_size == (double)c->data_bytes) return;
    flaw_add(o, FLAW_TOTAL_SIZE, NULL, NULL, false, "total_size of the index is %.0f, the tensors in its files have %" PRIu64 " bytes",
        o->total_size, held);
}
void compare_tensors(opening *o) {
    find_unindexed(o);
    find_absent(o);
    compare_total(o);
}
