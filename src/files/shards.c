/* The split follows huggingface_hub: tensors in order, a new file where the next one would not fit, a tensor above the limit
 * alone in a file that comes before the one under way. Inside a file, safetensors' order: by dtype, then by name. */
#include "shards.h"
#include "../core/arena.h"
#include "../core/buf.h"
#include "utf8.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, LARGEST_HEADER = 100000000 }; /* safetensors reads no longer header */

typedef struct entry { /* for sorting */
    const char *key;
    size_t tensor;
    uint32_t file;
    int rank;
} entry;
typedef struct split {
    uint32_t *group; /* of each tensor: a file under its number of birth */
    uint32_t *order; /* of each group: its number among the files */
    uint32_t groups, files;
} split;

/* ---- names in JSON ---- */

static const char *short_escape(uint32_t code) {
    switch (code) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return NULL;
    }
}

/* A string as serde_json writes it or, with `ascii`, as Python's json.dumps() does. */
static void put_string(sink *o, const char *text, bool ascii) {
    sink_char(o, '"');
    for (uint32_t code; *text;) {
        char escape[16];
        size_t n = utf8_point(text, &code);
        if (short_escape(code)) {
            sink_text(o, short_escape(code));
        } else if (code < 0x20 || (ascii && code >= 0x7F && code < 0x10000)) {
            sink_put(o, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code));
        } else if (ascii && code >= 0x10000) {
            uint32_t high = 0xD800 + ((code - 0x10000) >> 10), low = 0xDC00 + (code & 0x3FF);
            sink_put(o, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x\\u%04x", (unsigned)high, (unsigned)low));
        } else {
            sink_put(o, text, n);
        }
        text += n;
    }
    sink_char(o, '"');
}

/* ---- sizes ---- */

static bool bytes_of(const save_tensor *t, uint64_t *bytes) {
    uint64_t n = tare_dtype_bytes(t->dtype);
    if (!n) return false;
    for (int i = 0; i < t->rank; i++)
        if (t->shape[i] < 0 || __builtin_mul_overflow(n, (uint64_t)t->shape[i], &n)) return false;
    *bytes = n;
    return n <= INT64_MAX;
}

/* Well-formed UTF-8, which both kinds of JSON text need; safetensors keeps the one name for itself. */
static bool key_is_fine(const char *key) {
    uint32_t code;
    for (const char *s = key; *s;) {
        size_t n = utf8_point(s, &code);
        if (!n) return false;
        s += n;
    }
    return strcmp(key, "__metadata__") != 0;
}

static bool measure(shards *l, const save_tensor *tensors, tare_error *err) {
    for (size_t i = 0; i < l->n_tensors; i++) {
        const save_tensor *t = &tensors[i];
        if (!key_is_fine(t->key)) {
            error_set(err, TARE_BAD, "bad_value", t->key, "a checkpoint cannot hold a tensor of the name \"%.200s\"", t->key);
            return false;
        }
        bool fits = bytes_of(t, &l->places[i].bytes) && !__builtin_add_overflow(l->data_bytes, l->places[i].bytes, &l->data_bytes);
        if (!fits || l->data_bytes > INT64_MAX || t->part_of > i + 1) {
            error_set(err, TARE_BAD, "too_large", t->key, "%.200s: the bytes of the tensors do not fit 63 bits", t->key);
            return false;
        }
    }
    return true;
}

/* ---- the split ---- */

/* The tensor whose file this one shares, or itself. To the reference all tensors without a byte are one storage. */
static size_t companion(const shards *l, const save_tensor *tensors, size_t i, size_t *empty) {
    if (!l->places[i].bytes && *empty == SIZE_MAX) *empty = i;
    if (!l->places[i].bytes) return *empty;
    return tensors[i].part_of ? tensors[i].part_of - 1 : i;
}

static void divide(const shards *l, const save_tensor *tensors, uint64_t most, split *s, uint64_t *total) {
    uint64_t held = 0;
    size_t empty = SIZE_MAX;
    uint32_t open = s->groups++;
    bool any = false;
    for (size_t i = 0; i < l->n_tensors; i++) {
        size_t with = companion(l, tensors, i, &empty);
        if (with != i) {
            s->group[i] = s->group[with];
            continue;
        }
        uint64_t bytes = l->places[i].bytes && tensors[i].storage ? tensors[i].storage : l->places[i].bytes;
        *total += bytes;
        if (bytes > most) {
            s->order[s->groups] = s->files++;
            s->group[i] = s->groups++;
            continue;
        }
        if (bytes > most - held) {
            s->order[open] = s->files++;
            open = s->groups++;
            held = 0;
        }
        s->group[i] = open;
        held += bytes;
        any = true;
    }
    if (any) s->order[open] = s->files++;
}

/* ---- headers ---- */

/* safetensors' order of dtypes inside a file: what comes first has the larger number. */
static int dtype_rank(tare_dtype d) {
    static const tare_dtype ascending[] = {
        TARE_BOOL, TARE_F4, TARE_F6_E2M3, TARE_F6_E3M2, TARE_U8, TARE_I8, TARE_F8_E5M2, TARE_F8_E4M3, TARE_F8_E8M0, TARE_F8_E4M3FNUZ,
        TARE_F8_E5M2FNUZ, TARE_I16, TARE_U16, TARE_F16, TARE_BF16, TARE_I32, TARE_U32, TARE_F32, TARE_C64, TARE_F64, TARE_I64, TARE_U64};
    int i = 0;
    while (ascending[i] != d) i++;
    return i;
}
static int by_file(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    if (x->rank != y->rank) return x->rank > y->rank ? -1 : 1;
    return strcmp(x->key, y->key);
}
static int by_key(const void *a, const void *b) { return strcmp(((const entry *)a)->key, ((const entry *)b)->key); }

static void put_entry(sink *o, const save_tensor *t, const place *p) {
    sink_char(o, ',');
    put_string(o, t->key, false);
    sink_text(o, ":{\"dtype\":\"");
    sink_text(o, tare_dtype_name(t->dtype));
    sink_text(o, "\",\"shape\":[");
    for (int i = 0; i < t->rank; i++) {
        if (i) sink_char(o, ',');
        sink_int(o, t->shape[i]);
    }
    sink_text(o, "],\"data_offsets\":[");
    sink_int(o, (int64_t)p->at);
    sink_char(o, ',');
    sink_int(o, (int64_t)(p->at + p->bytes));
    sink_text(o, "]}");
}

/* The first 8 bytes of a header are the length of the rest, little end first; returns that length after padding. */
static size_t close_header(sink *o, buf *b) {
    sink_char(o, '}');
    sink_flush(o);
    sink_spaces(o, (ALIGN - b->n % ALIGN) % ALIGN);
    sink_flush(o);
    size_t n = b->n - 8;
    for (size_t i = 0; i < 8 && !b->failed; i++) b->data[i] = (char)(n >> 8 * i);
    return n;
}

/* The header of the file that entries[0...n-1] make up; their places become places in the file. */
static bool make_header(shards *l, shard *f, const save_tensor *tensors, const entry *entries, size_t n, tare_error *err) {
    buf b = {0};
    sink o;
    sink_open(&o, buf_take, &b);
    sink_spaces(&o, 8);
    sink_text(&o, "{\"__metadata__\":{\"format\":\"pt\"}");
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        place *p = &l->places[entries[i].tensor];
        p->at = at;
        put_entry(&o, &tensors[entries[i].tensor], p);
        at += p->bytes;
    }
    size_t length = close_header(&o, &b);
    f->header = b.data;
    f->header_bytes = b.n;
    f->bytes = b.n + at;
    for (size_t i = 0; i < n; i++) l->places[entries[i].tensor].at += b.n;
    if (o.failed || b.failed) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    if (length > LARGEST_HEADER)
        error_set(err, TARE_BAD, "too_large", f->name, "the header of %s would have %zu bytes, more than safetensors reads", f->name, length);
    return length <= LARGEST_HEADER;
}

static bool make_headers(shards *l, const save_tensor *tensors, entry *entries, tare_error *err) {
    qsort(entries, l->n_tensors, sizeof *entries, by_file);
    size_t from = 0;
    for (size_t i = 0; i < l->n_files; i++) {
        shard *f = &l->files[i];
        size_t to = from;
        while (to < l->n_tensors && entries[to].file == i) to++;
        if (l->n_files == 1) snprintf(f->name, sizeof f->name, "model.safetensors");
        else snprintf(f->name, sizeof f->name, "model-%05zu-of-%05zu.safetensors", i + 1, l->n_files);
        if (!make_header(l, f, tensors, entries + from, to - from, err)) return false;
        l->file_bytes += f->bytes;
        from = to;
    }
    return true;
}

/* ---- the index ---- */

static bool make_index(shards *l, const entry *entries, uint64_t parameters, uint64_t total, tare_error *err) {
    buf b = {0};
    sink o;
    sink_open(&o, buf_take, &b);
    char head[160];
    snprintf(head, sizeof head, "    \"total_parameters\": %" PRIu64 ",\n    \"total_size\": %" PRIu64 "\n", parameters, total);
    sink_text(&o, "{\n  \"metadata\": {\n");
    sink_text(&o, head);
    sink_text(&o, "  },\n  \"weight_map\": {");
    for (size_t i = 0; i < l->n_tensors; i++) {
        sink_text(&o, i ? ",\n    " : "\n    ");
        put_string(&o, entries[i].key, true);
        sink_text(&o, ": \"");
        sink_text(&o, l->files[entries[i].file].name);
        sink_char(&o, '"');
    }
    sink_text(&o, "\n  }\n}\n");
    sink_flush(&o);
    l->index = b.data;
    l->index_bytes = b.n;
    if (b.failed) error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory");
    return !b.failed;
}

static bool keys_differ(const entry *sorted, size_t n, tare_error *err) {
    for (size_t i = 1; i < n; i++)
        if (!strcmp(sorted[i - 1].key, sorted[i].key)) {
            error_set(err, TARE_BAD, "bad_value", sorted[i].key, "two tensors have the name \"%.200s\"", sorted[i].key);
            return false;
        }
    return true;
}

/* ---- all of it ---- */

static bool fill_in(shards *l, const save_tensor *tensors, const split *s, entry *entries, tare_error *err) {
    for (size_t i = 0; i < l->n_tensors; i++) {
        uint32_t file = l->places[i].file = s->order[s->group[i]];
        entries[i] = (entry){.key = tensors[i].key, .tensor = i, .file = file, .rank = dtype_rank(tensors[i].dtype)};
    }
    if (!make_headers(l, tensors, entries, err)) return false;
    qsort(entries, l->n_tensors, sizeof *entries, by_key);
    return keys_differ(entries, l->n_tensors, err);
}

static void *zeroed(size_t n, size_t size) {
    void *p = n < SIZE_MAX / size - 1 ? tarei_malloc((n + 1) * size) : NULL;
    return p ? memset(p, 0, (n + 1) * size) : NULL;
}

static bool work_out(shards *l, const save_tensor *tensors, uint64_t max_shard, uint64_t parameters, tare_error *err) {
    size_t n = l->n_tensors;
    uint64_t total = 0;
    split s = {.group = zeroed(n, sizeof *s.group), .order = zeroed(n + 1, sizeof *s.order)};
    entry *entries = zeroed(n, sizeof *entries);
    l->places = zeroed(n, sizeof *l->places);
    bool room = s.group && s.order && entries && l->places && n < UINT32_MAX - 1, ok = room && measure(l, tensors, err);
    if (ok) {
        divide(l, tensors, max_shard, &s, &total);
        l->files = zeroed(s.files, sizeof *l->files);
        l->n_files = l->files ? s.files : 0;
        room = l->files != NULL;
        ok = room && fill_in(l, tensors, &s, entries, err) && (s.files < 2 || make_index(l, entries, parameters, total, err));
    }
    if (!room) error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory");
    free(s.group);
    free(s.order);
    free(entries);
    return ok;
}

shards *shards_make(const save_tensor *tensors, size_t n, uint64_t max_shard, uint64_t parameters, tare_error *err) {
    shards *l = zeroed(1, sizeof *l);
    if (!l) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory"), NULL;
    l->n_tensors = n;
    if (work_out(l, tensors, max_shard, parameters, err)) return l;
    shards_free(l);
    return NULL;
}

void shards_drop_texts(shards *l) {
    for (size_t i = 0; i < l->n_files; i++) {
        free(l->files[i].header);
        l->files[i].header = NULL;
    }
    free(l->index);
    l->index = NULL;
}

void shards_free(shards *l) {
    if (!l) return;
    shards_drop_texts(l);
    free(l->places);
    free(l->files);
    free(l);
}
