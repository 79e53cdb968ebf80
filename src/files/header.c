/* The header of a safetensors file: eight bytes of length, then JSON, then the data of all tensors without a hole.
 *
 *     {"__metadata__": {"format": "pt"}, "a.weight": {"dtype": "BF16", "shape": [4, 2], "data_offsets": [0, 16]}, ...}
 *
 * Accepted is what safetensors 0.8.0 accepts, except that an entry must be an object and its dtype a string. What is wrong with one
 * tensor alone becomes a flaw. */
#include "opening.h"
#include "reader.h"
#include "utf8.h"
#include "../core/num.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_HEADER = 100000000, LENGTH = 8, MOST_RANK = 127, SHAPES = 8192, LOOK = 1024, USUAL = 100 }; /* bytes of an entry */

typedef struct header {
    opening *o;
    weights_file *f;
    reader r;
    const char *dtype;    /* the last one met: neighbours have the same */
    size_t dtype_n;
    uint8_t dtype_is;
    bool again;           /* a key came twice */
} header;
typedef struct entry { /* of the header */
    word dtype;
    int64_t shape[MOST_RANK];
    int rank;
    uint64_t begin, end;
    bool has_dtype, has_shape, has_offsets;
    bool large;           /* a size beyond 63 bits */
} entry;

/* ---- an entry ---- */

static uint8_t dtype_of(header *h, word name) {
    if (name.n == h->dtype_n && !memcmp(name.s, h->dtype, name.n)) return h->dtype_is;
    uint8_t d = 0;
    while (d < TARE_DTYPE_COUNT && !word_is(name, tare_dtype_name((tare_dtype)d), strlen(tare_dtype_name((tare_dtype)d)))) d++;
    h->dtype = name.s, h->dtype_n = name.n, h->dtype_is = d;
    return d;
}

static bool read_shape(reader *r, entry *e) {
    uint64_t size;
    e->has_shape = true;
    if (!reader_open(r, '[')) return false;
    for (bool first = true; reader_item(r, &first) && reader_whole(r, &size); e->rank++) {
        if (e->rank == MOST_RANK) return reader_fail(r, "a shape of more than 127 sizes");
        if (size > INT64_MAX) e->large = true, size = INT64_MAX;
        e->shape[e->rank] = (int64_t)size;
    }
    return !r->why;
}
static bool read_offsets(reader *r, entry *e) {
    uint64_t ends[2] = {0, 0};
    int n = 0;
    e->has_offsets = true;
    if (!reader_open(r, '[')) return false;
    for (bool first = true; reader_item(r, &first); n++)
        if (n == 2 || !reader_whole(r, &ends[n])) return reader_fail(r, "data_offsets are two numbers");
    e->begin = ends[0], e->end = ends[1];
    return r->why || n == 2 || reader_fail(r, "data_offsets are two numbers");
}
static bool read_field(reader *r, word key, entry *e) {
    bool dtype = WORD_IS(key, "dtype"), shape = !dtype && WORD_IS(key, "shape"), offsets = !dtype && !shape && WORD_IS(key, "data_offsets");
    if ((dtype && e->has_dtype) || (shape && e->has_shape) || (offsets && e->has_offsets)) return reader_fail(r, "a tensor has this field twice");
    if (dtype) return e->has_dtype = true, reader_string(r, &e->dtype);
    return shape ? read_shape(r, e) : offsets ? read_offsets(r, e) : reader_skip(r);
}
static bool read_entry(reader *r, entry *e) {
    word key;
    e->rank = 0;
    e->has_dtype = e->has_shape = e->has_offsets = e->large = false;
    if (!reader_open(r, '{')) return false;
    for (bool first = true; reader_member(r, &first, &key);)
        if (!read_field(r, key, e)) return false;
    if (r->why) return false;
    return (e->has_dtype && e->has_shape && e->has_offsets) || reader_fail(r, "a tensor needs dtype, shape and data_offsets");
}

/* What nearly all entries look like, without a blank: {"dtype":"BF16","shape":[4,2],"data_offsets":[0,16]}. Anything else is left to
 * read_entry(), which finds the same in these, more slowly. */
static bool take(char **at, const char *text, size_t n) {
    if (memcmp(*at, text, n)) return false;
    *at += n;
    return true;
}
#define TAKE(at, text) take(at, text, sizeof(text) - 1)
/* Eight digits at once: pairs, fours and eights of them become numbers side by side. The text has room behind it (READER_PAD). */
static bool eight_digits(const char *p, uint64_t *n) {
    uint64_t x, y;
    memcpy(&x, p, sizeof x);
    y = x - UINT64_C(0x3030303030303030);
    if (((x + UINT64_C(0x4646464646464646)) | y) & UINT64_C(0x8080808080808080)) return false;
    y = y * 10 + (y >> 8);
    y = (y & UINT64_C(0xff000000ff)) * UINT64_C(0xf424000000064) + (y >> 16 & UINT64_C(0xff000000ff)) * UINT64_C(0x271000000001);
    *n = y >> 32;
    return true;
}
static bool usual_number(char **at, uint64_t *n) {
    enum { SAFE = 18 };
    char *p = *at;
    *n = 0;
    if (eight_digits(p, n)) p += 8;
    for (; *p >= '0' && *p <= '9'; p++) *n = *n * 10 + (uint64_t)(*p - '0');
    size_t digits = (size_t)(p - *at);
    if (!digits || digits > SAFE || (digits > 1 && **at == '0')) return false;
    *at = p;
    return true;
}
static bool usual_shape(char **at, entry *e) {
    uint64_t size;
    if (**at == ']') return true;
    do {
        if (e->rank == MOST_RANK || !usual_number(at, &size)) return false;
        e->shape[e->rank++] = (int64_t)size;
    } while (*(*at)++ == ',');
    return *--*at == ']';
}
static bool read_usual(reader *r, entry *e) {
    char *p = r->at, *dtype, *quote;
    e->rank = 0; /* the shape's room is large, and left as it is */
    if (!TAKE(&p, "{\"dtype\":\"")) return false;
    for (dtype = p; (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '_';) p++;
    quote = p;
    if (!TAKE(&p, "\",\"shape\":[") || !usual_shape(&p, e) || !TAKE(&p, "],\"data_offsets\":[")) return false;
    if (!usual_number(&p, &e->begin) || !TAKE(&p, ",") || !usual_number(&p, &e->end) || !TAKE(&p, "]}")) return false;
    *quote = 0;
    e->dtype = (word){dtype, (size_t)(quote - dtype)};
    e->large = false;
    r->at = p;
    return true;
}

static int64_t *keep_shape(header *h, const entry *e) {
    opening *o = h->o;
    size_t n = (size_t)e->rank;
    if (n > o->shapes_left || !o->shapes) o->shapes = arena_array(&o->c->a, SHAPES, sizeof *o->shapes), o->shapes_left = SHAPES;
    int64_t *shape = o->shapes;
    for (size_t i = 0; i < n; i++) shape[i] = e->shape[i];
    o->shapes += n, o->shapes_left -= n;
    return shape;
}
static void keep_tensor(header *h, word key, const entry *e) {
    opening *o = h->o;
    checkpoint *c = o->c;
    size_t i = c->tensor_count;
    if (i == o->tensor_cap) {
        size_t most = (size_t)(h->r.end - h->r.at) / USUAL + 1, cap = i ? i : most; /* both lists or neither */
        o->tensor_cap = cap;
        c->tensors = list_room(o, c->tensors, i, &cap, sizeof *c->tensors);
        o->hashes = list_room(o, o->hashes, i, &o->tensor_cap, sizeof *o->hashes);
    }
    file_tensor *t = &c->tensors[c->tensor_count++];
    *t = (file_tensor){.key = key.s, .shape = keep_shape(h, e), .at = e->begin, .file = (uint32_t)(h->f - c->files), .rank = (int8_t)e->rank};
    t->bytes = e->end > e->begin ? e->end - e->begin : 0;
    t->dtype = dtype_of(h, e->dtype);
    o->hashes[i] = key_hash(c->keys->seed, key.s, key.n);
    t->odd = t->dtype == TARE_DTYPE_COUNT || e->large || e->end < e->begin;
    const char *name = h->f->name;
    if (t->dtype == TARE_DTYPE_COUNT)
        flaw_add(o, FLAW_DTYPE, h->f, t->key, true, "%s in %s has the dtype \"%.*s\", which nobody knows", t->key, name,
            utf8_cut(e->dtype.s, 60), e->dtype.s);
    if (e->large)
        flaw_add(o, FLAW_BYTES, h->f, t->key, true, "%s in %s has a size beyond 63 bits in its shape", t->key, name);
    if (e->end < e->begin)
        flaw_add(o, FLAW_PLACE, h->f, t->key, true, "%s in %s ends before it begins: data_offsets are %" PRIu64 " and %" PRIu64, t->key, name,
            e->begin, e->end);
}

static bool read_metadata(reader *r) {
    word key, value;
    if (reader_null(r)) return true;
    if (!reader_open(r, '{')) return false;
    for (bool first = true; reader_member(r, &first, &key);)
        if (!reader_string(r, &value)) return false;
    return !r->why;
}
static bool read_entries(header *h) {
    reader *r = &h->r;
    word key;
    entry e;
    bool metadata = false;
    if (!reader_open(r, '{')) return false;
    for (bool first = true; reader_member(r, &first, &key);) {
        if (!WORD_IS(key, "__metadata__")) {
            if (!reader_plain(r, key) || (!read_usual(r, &e) && !read_entry(r, &e))) return false;
            keep_tensor(h, key, &e);
            continue;
        }
        if (metadata) return reader_fail(r, "__metadata__ comes twice");
        metadata = true;
        if (!read_metadata(r)) return false;
    }
    return reader_end(r);
}

/* ---- keys ---- */

/* Of a key that comes twice in one header the later entry counts, as in the reference: the earlier one is marked by its rank. */
static void enter_keys(header *h) {
    checkpoint *c = h->o->c;
    keys_reserve(&c->a, c->keys, c->tensor_count - h->f->first);
    for (size_t i = h->f->first; i < c->tensor_count; i++) {
        file_tensor *t = &c->tensors[i];
        if (i + AHEAD < c->tensor_count) keys_soon(c->keys, h->o->hashes[i + AHEAD]);
        key_row *row = keys_row(c->keys, t->key, h->o->hashes[i]);
        if (!row->key) c->keys->n++;
        else if (row->value >= h->f->first) {
            h->again = true;
            c->tensors[row->value].rank = -1;
            flaw_add(h->o, FLAW_TWICE, h->f, t->key, false, "the header of %s has %s twice; the later entry counts", h->f->name, t->key);
        } else {
            file_tensor *other = &c->tensors[row->value];
            other->replaced = true;
            flaw_add(h->o, FLAW_TWICE, h->f, t->key, false, "%s is in %s and in %s; the later file counts", t->key, c->files[other->file].name,
                h->f->name);
        }
        *row = (key_row){t->key, h->o->hashes[i], (uint32_t)i};
    }
}
static void drop_earlier(header *h) {
    checkpoint *c = h->o->c;
    size_t kept = h->f->first;
    for (size_t i = kept; i < c->tensor_count; i++)
        if (c->tensors[i].rank >= 0) c->tensors[kept++] = c->tensors[i];
    c->tensor_count = kept;
}
/* After tensors moved. */
static void enter_again(header *h) {
    checkpoint *c = h->o->c;
    for (size_t i = h->f->first; i < c->tensor_count; i++) {
        const char *key = c->tensors[i].key;
        h->o->hashes[i] = key_hash(c->keys->seed, key, strlen(key));
        keys_row(c->keys, key, h->o->hashes[i])->value = (uint32_t)i;
    }
}

/* ---- places ---- */

static int by_place(const void *a, const void *b) {
    const file_tensor *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->key, y->key);
}
/* The bytes that shape and dtype need; false when they are no whole number below 2^64. */
static bool needs(const file_tensor *t, uint64_t *bytes) {
    uint64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(n, (uint64_t)t->shape[i], &n)) return false;
    if (__builtin_mul_overflow(n, (uint64_t)tare_dtype_bits((tare_dtype)t->dtype), &n) || n % 8) return false;
    *bytes = n / 8;
    return true;
}
static bool size_agrees(const file_tensor *t) {
    uint64_t bytes;
    return t->dtype == TARE_DTYPE_COUNT || (needs(t, &bytes) && bytes == t->bytes);
}
/* Every tensor begins where the one before ends, and has the bytes it needs. */
static bool all_in_place(const header *h, uint64_t *end) {
    const checkpoint *c = h->o->c;
    *end = 0;
    for (size_t i = h->f->first; i < c->tensor_count; i++) {
        const file_tensor *t = &c->tensors[i];
        if (t->at != *end || (t->odd && t->dtype != TARE_DTYPE_COUNT) || !size_agrees(t)) return false;
        *end += t->bytes;
    }
    return true;
}
static void say_place(header *h, file_tensor *t, const char *why, uint64_t covered) {
    flaw_add(h->o, FLAW_PLACE, h->f, t->key, true, "%s in %s %s: its data_offsets are %" PRIu64 " and %" PRIu64 ", the data before ends at %" PRIu64,
        t->key, h->f->name, why, t->at, t->at + t->bytes, covered);
    t->odd = true;
}
static void say_bytes(header *h, file_tensor *t) {
    uint64_t bytes;
    if (needs(t, &bytes))
        flaw_add(h->o, FLAW_BYTES, h->f, t->key, true, "%s in %s has %" PRIu64 " bytes, its shape and dtype need %" PRIu64, t->key, h->f->name,
            t->bytes, bytes);
    else
        flaw_add(h->o, FLAW_BYTES, h->f, t->key, true, "%s in %s: its shape and dtype are no whole number of bytes below 2^64", t->key, h->f->name);
    t->odd = true;
}
/* Names each tensor that is not in its place, but not the neighbours of one that is wrong itself. */
static void find_misplaced(header *h) {
    checkpoint *c = h->o->c;
    uint64_t covered = 0, data = h->f->bytes - h->f->data_at;
    bool loose = false; /* a wrong one lies between `covered` and here */
    for (size_t i = h->f->first; i < c->tensor_count; i++) {
        file_tensor *t = &c->tensors[i];
        if (t->odd && t->dtype != TARE_DTYPE_COUNT) {
            loose = true;
            continue;
        }
        bool agrees = size_agrees(t);
        if (!agrees) say_bytes(h, t);
        else if (t->at < covered) say_place(h, t, "overlaps another tensor", covered);
        else if (t->at > data || t->bytes > data - t->at) say_place(h, t, "lies beyond the end of the file", covered);
        else if (t->at > covered && !loose) say_place(h, t, "has a hole before it", covered);
        loose = !agrees;
        if (agrees && t->at + t->bytes > covered) covered = t->at + t->bytes;
    }
}
static bool covers(header *h, uint64_t end) {
    const weights_file *f = h->f;
    uint64_t data = f->bytes - f->data_at;
    if (end > data)
        error_set(h->o->err, TARE_BAD, "truncated", f->path,
            "%.300s is truncated: its header describes %" PRIu64 " bytes, the file has %" PRIu64 ", %" PRIu64 " are lacking; download it again",
            f->path, num_plus(f->data_at, end), f->bytes, end - data);
    if (end < data)
        error_set(h->o->err, TARE_BAD, "trailing_bytes", f->path,
            "%.300s has %" PRIu64 " bytes after its last tensor: its header describes %" PRIu64 " bytes, the file has %" PRIu64 "; download it again",
            f->path, data - end, f->data_at + end, f->bytes);
    return end == data;
}
static bool settle_places(header *h) {
    checkpoint *c = h->o->c;
    uint64_t end;
    if (h->again) drop_earlier(h);
    bool whole = all_in_place(h, &end), moved = h->again || !whole;
    if (!whole) {
        qsort(c->tensors + h->f->first, c->tensor_count - h->f->first, sizeof *c->tensors, by_place);
        whole = all_in_place(h, &end);
    }
    if (whole && !covers(h, end)) return false;
    if (!whole) find_misplaced(h);
    if (moved) enter_again(h);
    for (size_t i = h->f->first; i < c->tensor_count; i++) c->tensors[i].at = num_plus(c->tensors[i].at, h->f->data_at);
    return true;
}

/* ---- the file ---- */

static bool bad_header(header *h) {
    const weights_file *f = h->f;
    const reader *r = &h->r;
    size_t at = LENGTH + (size_t)(r->at - r->from);
    error_set(h->o->err, TARE_BAD, "bad_header", f->path, "the header of %.300s cannot be read: %s, at byte %zu of the file", f->path, r->why, at);
    return false;
}
/* The length is not one that a header can have. */
static bool bad_length(header *h, uint64_t length) {
    const weights_file *f = h->f;
    if (length > LARGEST_HEADER)
        error_set(h->o->err, TARE_BAD, "header_too_large", f->path,
            "%.300s is no safetensors file: its header would have %" PRIu64 " bytes, the most is %d", f->path, length, LARGEST_HEADER);
    else
        error_set(h->o->err, TARE_BAD, "truncated", f->path,
            "%.300s is truncated within its header: that has %" PRIu64 " bytes, the file %" PRIu64 ", %" PRIu64 " are lacking; download it again",
            f->path, length, f->bytes, length + LENGTH - f->bytes);
    return false;
}
static bool too_short(header *h) {
    const weights_file *f = h->f;
    if (!f->bytes) error_set(h->o->err, TARE_BAD, "empty_file", f->path, "%.300s is empty; download it again", f->path);
    else
        error_set(h->o->err, TARE_BAD, "header_too_small", f->path, "%.300s has %" PRIu64 " bytes: too few for a safetensors file; download it again",
            f->path, f->bytes);
    return false;
}
static bool gone(header *h, found got) {
    if (got == FOUND_NOT) error_set(h->o->err, TARE_IO, "changed", h->f->path, "%.400s became shorter while its header was read", h->f->path);
    return false;
}
static uint64_t length_of(const char *begin) {
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--) n = n << 8 | (unsigned char)begin[i];
    return n;
}

bool header_read(opening *o, weights_file *f) {
    char begin[LOOK];
    checkpoint *c = o->c;
    header h = {.o = o, .f = f, .dtype = "", .dtype_is = TARE_DTYPE_COUNT};
    size_t n = f->bytes < LOOK ? (size_t)f->bytes : LOOK;
    found got = file_read(o->err, o->fd, f->path, 0, begin, n);
    f->first = c->tensor_count;
    if (got != FOUND) return gone(&h, got);
    uint64_t length = n >= LENGTH ? length_of(begin) : 0;
    if (n < LENGTH) return n && sniff(o->err, f->path, begin, n, f->bytes) ? false : too_short(&h);
    if (length > LARGEST_HEADER || length > f->bytes - LENGTH) return sniff(o->err, f->path, begin, n, f->bytes) ? false : bad_length(&h, length);
    char *text = arena_room(&c->a, (size_t)length + READER_PAD);
    memset(text + length, 0, READER_PAD);
    got = file_read(o->err, o->fd, f->path, LENGTH, text, (size_t)length);
    if (got != FOUND) return gone(&h, got);
    f->data_at = LENGTH + length;
    h.r = reader_of(text, (size_t)length);
    if (!read_entries(&h)) return sniff(o->err, f->path, begin, n, f->bytes) ? false : bad_header(&h);
    enter_keys(&h);
    if (!settle_places(&h)) return false;
    f->n = c->tensor_count - f->first;
    return true;
}
