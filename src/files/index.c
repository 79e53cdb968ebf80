/* model.safetensors.index.json:
 *
 *     {"metadata": {"total_size": 123, "dtype": "bfloat16"}, "weight_map": {"a.weight": "model-00001-of-00002.safetensors"}} */
#include "opening.h"
#include "reader.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 256 << 20, LARGEST_CONFIG = 16 << 20, LOOK = 1024 };

typedef struct index_text {
    opening *o;
    const weights_file *f;
    reader r;
    size_t name_cap;
    word last;            /* the file that the entry before names, and its number */
    uint32_t last_name;
    bool has_map, has_metadata;
} index_text;

/* ---- weight_map ---- */

/* The number of a file's name; there are few, and neighbours mostly have the same. */
static uint32_t name_number(index_text *x, word name) {
    opening *o = x->o;
    if (x->last.s && word_is(name, x->last.s, x->last.n)) return x->last_name;
    key_table *t = &o->name_of;
    keys_reserve(&o->c->a, t, 1);
    uint32_t hash = key_hash(t->seed, name.s, name.n);
    key_row *row = keys_row(t, name.s, hash);
    if (!row->key) {
        o->names = arena_grow(&o->c->a, o->names, o->name_count, &x->name_cap, 1, sizeof *o->names);
        *row = (key_row){name.s, hash, (uint32_t)o->name_count};
        o->names[o->name_count++] = name.s;
        t->n++;
    }
    x->last = name;
    return x->last_name = row->value;
}
/* Of a key that comes twice the later entry counts, as in Python's dict. */
static bool read_map(index_text *x) {
    opening *o = x->o;
    word key, name;
    x->has_map = true;
    o->entry_count = 0;
    if (!reader_open(&x->r, '{')) return false;
    for (bool first = true; reader_member(&x->r, &first, &key);) {
        if (!reader_plain(&x->r, key) || !reader_string(&x->r, &name) || !reader_plain(&x->r, name)) return false;
        if (o->entry_count == o->entry_cap) o->entries = list_room(o, o->entries, o->entry_count, &o->entry_cap, sizeof *o->entries);
        o->entries[o->entry_count++] = (index_entry){key.s, key_hash(o->entry_of.seed, key.s, key.n), name_number(x, name), false};
    }
    return !x->r.why;
}
static void enter_entries(opening *o) {
    size_t kept = 0;
    keys_reserve(&o->c->a, &o->entry_of, o->entry_count);
    for (size_t i = 0; i < o->entry_count; i++) {
        const index_entry *e = &o->entries[i];
        if (i + AHEAD < o->entry_count) keys_soon(&o->entry_of, e[AHEAD].hash);
        key_row *row = keys_row(&o->entry_of, e->key, e->hash);
        if (row->key) {
            o->entries[row->value].name = e->name;
            continue;
        }
        *row = (key_row){e->key, e->hash, (uint32_t)kept};
        o->entry_of.n++;
        o->entries[kept++] = *e;
    }
    o->entry_count = kept;
}

/* ---- metadata ---- */

static bool read_metadata(index_text *x) {
    word key, value;
    x->has_metadata = true;
    x->o->c->index_dtype = NULL;
    x->o->total = TOTAL_ABSENT;
    if (!reader_open(&x->r, '{')) return false;
    for (bool first = true; reader_member(&x->r, &first, &key);) {
        bool ok;
        if (WORD_IS(key, "dtype") && reader_next(&x->r) == '"') ok = reader_string(&x->r, &value), x->o->c->index_dtype = value.s;
        else if (WORD_IS(key, "total_size")) {
            bool number = reader_number(&x->r, &x->o->total_size);
            x->o->total = number ? TOTAL_NUMBER : TOTAL_ODD;
            ok = number || reader_skip(&x->r);
        } else ok = reader_skip(&x->r);
        if (!ok) return false;
    }
    return !x->r.why;
}

/* ---- the file ---- */

/* The text of the file in o->fd; NULL with err. */
static char *text_of(opening *o, const weights_file *f, uint64_t most) {
    if (f->bytes > most) {
        error_set(o->err, TARE_BAD, "too_large", f->path, "%.300s has %" PRIu64 " bytes; more than %" PRIu64 " are refused", f->path, f->bytes, most);
        return NULL;
    }
    char *text = arena_room(&o->c->a, (size_t)f->bytes + READER_PAD);
    memset(text + f->bytes, 0, READER_PAD);
    found got = file_read(o->err, o->fd, f->path, 0, text, (size_t)f->bytes);
    if (got == FOUND_NOT) error_set(o->err, TARE_IO, "changed", f->path, "%.400s became shorter while it was read", f->path);
    return got == FOUND ? text : NULL;
}
static bool bad_index(index_text *x, const char *what) {
    error_set(x->o->err, TARE_BAD, "bad_index", x->f->path, "the index %.300s %s", x->f->path, what);
    return false;
}
static bool unreadable(index_text *x) {
    const reader *r = &x->r;
    error_set(x->o->err, TARE_BAD, "bad_index", x->f->path, "the index %.300s cannot be read: %s, at byte %zu", x->f->path, r->why,
        (size_t)(r->at - r->from));
    return false;
}
static bool read_members(index_text *x) {
    word key;
    if (!reader_open(&x->r, '{')) return false;
    for (bool first = true; reader_member(&x->r, &first, &key);) {
        bool ok = WORD_IS(key, "weight_map") ? read_map(x) : WORD_IS(key, "metadata") ? read_metadata(x) : reader_skip(&x->r);
        if (!ok) return false;
    }
    return reader_end(&x->r);
}

bool index_read(opening *o, const weights_file *f) {
    index_text x = {.o = o, .f = f};
    char begin[LOOK];
    char *text = text_of(o, f, LARGEST);
    if (!text) return false;
    size_t n = f->bytes < LOOK ? (size_t)f->bytes : LOOK;
    memcpy(begin, text, n);
    x.r = reader_of(text, (size_t)f->bytes);
    x.r.python = true;
    o->entry_of.seed = o->name_of.seed = o->c->keys->seed;
    if (!read_members(&x)) return n && *begin != '{' && sniff(o->err, f->path, begin, n, f->bytes) ? false : unreadable(&x);
    if (!x.has_map) return bad_index(&x, "has no weight_map, which says where each tensor is; download it again");
    if (!x.has_metadata) return bad_index(&x, "has no metadata, without which Transformers does not load it; add \"metadata\": {}");
    if (!o->entry_count) return bad_index(&x, "names no file: its weight_map is empty");
    enter_entries(o);
    return true;
}

const char *config_weights(opening *o, const weights_file *f) {
    word key, value = {0};
    tare_error ignored = {0}, *err = o->err;
    o->err = &ignored; /* whoever reads the config for the model says what is wrong with it */
    char *text = text_of(o, f, LARGEST_CONFIG);
    o->err = err;
    if (!text) return NULL;
    reader r = reader_of(text, (size_t)f->bytes);
    r.python = true;
    if (!reader_open(&r, '{')) return NULL;
    for (bool first = true; reader_member(&r, &first, &key);) {
        if (!WORD_IS(key, "transformers_weights")) reader_skip(&r);
        else if (reader_next(&r) == '"') (void)(reader_string(&r, &value) && reader_plain(&r, value));
        else reader_skip(&r), value.s = NULL;
    }
    return r.why ? NULL : value.s;
}
