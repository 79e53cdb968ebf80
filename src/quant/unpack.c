/* A checkpoint as it would be without its quantisation: the tensors of its files, and those that methods find packed in them. */
#include "work.h"
#include "../config/json.h"
#include "../core/num.h"
#include "../files/checkpoint.h"
#include "../files/keys.h"
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

struct packed_parts { /* a view in the making, at one of its tensors */
    quant *q;
    arena *a;
    const checkpoint *c;
    checkpoint *view;
    key_table keys;
    size_t at, cap, flaw_cap;
    tare_error *err;
};

/* ---- what methods ask ---- */

static size_t find(const packed_parts *s, const char *key) {
    const key_row *row = keys_row(&s->keys, key, key_hash(s->keys.seed, key, strlen(key)));
    return row && row->key ? row->value : SIZE_MAX;
}
const char *stored_key(const packed_parts *s) { return s->c->tensors[s->at].key; }
const char *stored_text(const packed_parts *s, const char *format, ...) {
    char text[1200];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return arena_text(s->a, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}
const char *stored_stem(const packed_parts *s, const char *ending) {
    const char *key = stored_key(s);
    return ends_with(key, ending) ? arena_text(s->a, key, strlen(key) - strlen(ending)) : NULL;
}
size_t stored_part(packed_parts *s, const char *stem, const char *ending) {
    size_t i = find(s, stored_text(s, "%s%s", stem, ending));
    return i != SIZE_MAX && !s->c->tensors[i].odd && s->c->files[s->c->tensors[i].file].present ? i : SIZE_MAX;
}
void stored_hide(packed_parts *s, size_t part) {
    if (part != SIZE_MAX) s->view->tensors[part].replaced = true;
}
int stored_dtype(const packed_parts *s, size_t part) { return s->c->tensors[part].dtype; }
int stored_rank(const packed_parts *s, size_t part) { return s->c->tensors[part].rank; }
int64_t stored_size(const packed_parts *s, size_t part, int axis) {
    const file_tensor *t = &s->c->tensors[part];
    return axis >= 0 && axis < t->rank ? t->shape[axis] : 1;
}
int64_t stored_elements(const packed_parts *s, size_t part) {
    const file_tensor *t = &s->c->tensors[part];
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (!num_mul(n, t->shape[i], &n)) return -1;
    return n;
}
bool stored_read(packed_parts *s, size_t part, void *to, size_t n) {
    uint64_t bytes = s->c->tensors[part].bytes;
    if (bytes != n) return stored_wrong(s, part, "it has %llu bytes, and %zu are needed", (unsigned long long)bytes, n);
    return checkpoint_read(s->c, part, 0, to, n, s->err);
}
float *stored_room(packed_parts *s, int64_t n) { return arena_array(s->a, n > 0 ? (size_t)n : 1, sizeof(float)); }
val stored_json(packed_parts *s, size_t part) {
    enum { MOST = 64 << 10 };
    uint64_t n = s->c->tensors[part].bytes;
    tare_error not_json = {0};
    val v = {0};
    char *text = n <= MOST ? arena_array(s->a, (size_t)n + 1, 1) : NULL;
    if (text && !checkpoint_read(s->c, part, 0, text, (size_t)n, s->err)) return (val){0};
    if (text && json_read(s->a, text, (size_t)n, "what describes the weight", &v, &not_json) && v.kind == VAL_DICT) return v;
    stored_wrong(s, part, "it is no JSON object that describes a weight");
    return (val){0};
}
bool stored_wrong(packed_parts *s, size_t part, const char *format, ...) {
    char why[500];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    const char *key = stored_key(s), *which = part != SIZE_MAX && part != s->at ? s->c->tensors[part].key : NULL;
    checkpoint *v = s->view;
    v->flaws = arena_grow(s->a, v->flaws, v->flaw_count, &s->flaw_cap, 1, sizeof *v->flaws);
    v->flaws[v->flaw_count++] = (flaw){.kind = FLAW_PACKED, .file = s->c->files[s->c->tensors[s->at].file].name, .key = key,
        .message = which ? stored_text(s, "%s cannot be turned back into floats: %s: %s", key, which, why)
                         : stored_text(s, "%s cannot be turned back into floats: %s", key, why),
        .reference_fails = true};
    return false;
}

/* ---- what they find ---- */

static bool grid_fits(packed_parts *s, size_t part, const packed_form *p, int64_t rows) {
    int64_t n = stored_elements(s, part), want = rows * p->scale_columns;
    return n == want || stored_wrong(s, part, "it has %lld numbers, and %lld blocks need one each", (long long)n, (long long)want);
}
/* Nothing that is read later leaves a tensor. */
static bool parts_fit(packed_parts *s, const packed_form *p) {
    int64_t elements, bits, rows = p->scale_rows ? p->rows / p->matrix_rows * p->scale_rows : 1, codes = stored_elements(s, p->numbers);
    if (p->rows < 0 || p->columns < 0 || p->matrix_rows < 1 || p->block_rows < 1 || p->block_columns < 1 || p->rows % p->matrix_rows ||
        !num_mul(p->rows, p->columns, &elements) || !num_mul(elements, 32, &bits))
        return stored_wrong(s, p->numbers, "its shape is none that weights have");
    bool whole = p->codes == CODES_PLAIN ? codes == elements
               : p->codes == CODES_BITS  ? codes == p->rows * p->row_words && p->row_words * 32 >= p->columns * p->bits
                                         : (int64_t)s->c->tensors[p->numbers].bytes == (elements + 1) / 2 && (p->rows == 1 || p->columns % 2 == 0);
    if (!whole) return stored_wrong(s, p->numbers, "it does not hold %lld x %lld numbers", (long long)p->rows, (long long)p->columns);
    if (p->scale_columns < ceil_div(p->columns, p->block_columns) || (p->scale_rows && p->scale_rows < ceil_div(p->matrix_rows, p->block_rows)))
        return stored_wrong(s, p->scales, "its blocks do not reach over all of the weight");
    if (!grid_fits(s, p->scales, p, rows)) return false;
    if (p->zeros == SIZE_MAX) return true;
    if (!p->zeros_packed) return grid_fits(s, p->zeros, p, rows);
    return stored_elements(s, p->zeros) == ceil_div(rows * p->bits, 32) * p->scale_columns || stored_wrong(s, p->zeros, "it is of another size");
}
static void add(packed_parts *s, const char *key, int rank, const int64_t *shape, const packed_form *p) {
    checkpoint *v = s->view;
    int64_t *sizes = arena_array(s->a, (size_t)rank, sizeof *sizes);
    for (int i = 0; i < rank; i++) sizes[i] = shape[i];
    packed_form *kept = arena_new(s->a, packed_form);
    *kept = *p;
    v->tensors = arena_grow(s->a, v->tensors, v->tensor_count, &s->cap, 1, sizeof *v->tensors);
    const file_tensor *codes = &s->c->tensors[p->numbers];
    v->tensors[v->tensor_count++] = (file_tensor){.key = key, .shape = sizes, .at = codes->at, .file = codes->file, .dtype = p->dtype,
        .rank = (int8_t)rank, .bytes = (uint64_t)(p->rows * p->columns) * tare_dtype_bytes((tare_dtype)p->dtype), .packed = kept};
    stored_hide(s, p->numbers);
    stored_hide(s, p->scales);
    stored_hide(s, p->zeros);
}
bool stored_packed(packed_parts *s, const char *key, int rank, const int64_t *shape, const packed_form *p) {
    if (!parts_fit(s, p)) return false;
    add(s, key, rank, shape, p);
    return true;
}
packed_form plain_form(size_t numbers, size_t scales) {
    return (packed_form){.numbers = numbers, .scales = scales, .zeros = SIZE_MAX, .divisor = 1, .factor = 1, .dtype = DT_F32, .outer_block = 1,
        .matrix_rows = 1, .block_rows = 1, .block_columns = 1};
}
void fours_of(packed_form *p) {
    static const float values[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
    p->codes = CODES_NIBBLES;
    memcpy(p->table, values, sizeof values);
}
/* Rows and columns of a tensor's numbers, of all its matrices, and of the grid of its scales. */
bool stored_grid(packed_parts *s, packed_form *p, int64_t block_rows, int64_t block_columns) {
    int rank = stored_rank(s, p->numbers), scales = stored_rank(s, p->scales);
    int64_t all = stored_elements(s, p->numbers);
    p->columns = stored_size(s, p->numbers, rank - 1);
    p->matrix_rows = stored_size(s, p->numbers, rank - 2);
    if (rank < 1 || p->columns < 1 || p->matrix_rows < 1) return stored_wrong(s, p->numbers, "it has no rows and columns");
    p->rows = all / p->columns;
    if (stored_elements(s, p->scales) == 1) {
        p->scale_rows = 0, p->scale_columns = 1, p->block_rows = p->matrix_rows, p->block_columns = p->columns;
        return true;
    }
    p->scale_columns = scales > 1 ? stored_size(s, p->scales, scales - 1) : 1;
    p->scale_rows = stored_size(s, p->scales, scales > 1 ? scales - 2 : 0);
    if (p->scale_rows < 1 || p->scale_columns < 1) return stored_wrong(s, p->scales, "it is empty");
    /* the config's blocks, where the grid is theirs; else blocks of equal size */
    bool own_rows = block_rows > 0 && ceil_div(p->matrix_rows, block_rows) == p->scale_rows;
    bool own_columns = block_columns > 0 && ceil_div(p->columns, block_columns) == p->scale_columns;
    if ((!own_rows && p->matrix_rows % p->scale_rows) || (!own_columns && p->columns % p->scale_columns))
        return stored_wrong(s, p->scales, "%lld x %lld scales do not divide %lld x %lld numbers into blocks", (long long)p->scale_rows,
            (long long)p->scale_columns, (long long)p->matrix_rows, (long long)p->columns);
    p->block_rows = own_rows ? block_rows : p->matrix_rows / p->scale_rows;
    p->block_columns = own_columns ? block_columns : p->columns / p->scale_columns;
    return true;
}

/* ---- the view ---- */

static void take_keys(packed_parts *s) {
    s->keys.seed = keys_seed();
    keys_reserve(s->a, &s->keys, s->c->tensor_count);
    for (size_t i = 0; i < s->c->tensor_count; i++) {
        const char *key = s->c->tensors[i].key;
        uint32_t hash = key_hash(s->keys.seed, key, strlen(key));
        key_row *row = keys_row(&s->keys, key, hash);
        if (s->c->tensors[i].replaced) continue;
        if (!row->key) s->keys.n++;
        *row = (key_row){key, hash, (uint32_t)i};
    }
}
const checkpoint *quant_unpacked(quant *q, arena *a, const checkpoint *c, tare_error *err) {
    packed_parts s = {.q = q, .a = a, .c = c, .err = err, .view = arena_new(a, checkpoint)};
    if (!q || !q->method->unpack || !(q->dequantized || q->method->unpacks_strays)) return c;
    *s.view = *c;
    s.view->view_of = c->view_of ? c->view_of : c;
    s.cap = c->tensor_count, s.flaw_cap = c->flaw_count;
    s.view->tensors = arena_array(a, c->tensor_count + 1, sizeof *s.view->tensors);
    memcpy(s.view->tensors, c->tensors, c->tensor_count * sizeof *c->tensors);
    s.view->flaws = arena_array(a, c->flaw_count + 1, sizeof *s.view->flaws);
    if (c->flaw_count) memcpy(s.view->flaws, c->flaws, c->flaw_count * sizeof *c->flaws);
    take_keys(&s);
    for (; s.at < c->tensor_count && err->status == TARE_OK; s.at++) {
        const file_tensor *t = &c->tensors[s.at];
        if (!t->replaced && !t->odd && c->files[t->file].present) q->method->unpack(q, &s);
    }
    if (!session_ok(q->s)) { /* the model itself is as good as before */
        if (err->status == TARE_OK) *err = q->s->err;
        q->s->err = (tare_error){0};
    }
    return err->status == TARE_OK ? s.view : NULL;
}
bool quant_can_unpack(const quant *q) { return !q || !q->dequantized || q->method->unpack; }
const char *quant_name(const quant *q) { return q->method->name; }
bool quant_dequantizes(const quant *q) { return q && q->dequantized; }
