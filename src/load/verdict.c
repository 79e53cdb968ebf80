#include "verdict.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

static tare_row *new_row(verdict *v, tare_row_kind kind, const char *name) {
    v->rows = arena_grow(v->a, v->rows, v->row_n, &v->row_cap, 1, sizeof *v->rows);
    tare_row *row = &v->rows[v->row_n++];
    *row = (tare_row){.kind = kind, .name = name, .rank = -1, .file_rank = -1, .dtype = TARE_DTYPE_COUNT, .file_dtype = TARE_DTYPE_COUNT};
    return row;
}
static const char *file_of(const verdict *v, size_t tensor) {
    const checkpoint *c = v->r->c;
    return c->files[c->tensors[tensor].file].name;
}
static void describe_model(tare_row *row, const load_slot *s) {
    row->dtype = (tare_dtype)s->dtype;
    row->rank = s->t->rank;
    row->shape = s->t->shape;
}
static void describe_file(const verdict *v, tare_row *row, size_t tensor) {
    const file_tensor *f = &v->r->c->tensors[tensor];
    row->key = f->key;
    row->file = file_of(v, tensor);
    row->file_dtype = (tare_dtype)f->dtype;
    row->file_rank = f->rank;
    row->file_shape = f->shape;
    row->keys = 1;
}

/* ---- the tree's tensors ---- */

static const load_fault *fault_of(const resolution *r, size_t slot) {
    for (size_t i = 0; i < r->fault_n; i++)
        if (r->faults[i].slot == slot) return &r->faults[i];
    return NULL;
}
static bool is_plain_float(int dtype) { return dtype == TARE_F32 || dtype == TARE_F16 || dtype == TARE_BF16 || dtype == TARE_F64; }
/* Loading casts whatever it finds, and numbers that were stored to be scaled, or not to be scaled at all, are none any more. */
static bool makes_no_sense(const load_slot *s, int held) {
    return s->packed ? held != s->dtype : is_plain_float(held) != is_plain_float(s->dtype);
}
static bool loses_sense(const verdict *v, const load_slot *s, size_t *which) {
    const file_tensor *all = v->r->c->tensors;
    if (!s->made) return *which = s->tensor, makes_no_sense(s, all[s->tensor].dtype);
    for (size_t i = 0; i < s->made->n; i++)
        if (makes_no_sense(s, all[*which = s->made->boxes[i].source].dtype)) return true;
    return *which = s->made->n ? s->made->boxes[0].source : s->tensor, false;
}
static uint64_t sources_of(const value *made) {
    uint64_t n = 0;
    for (size_t i = 0; i < made->n; i++) n += !i || made->boxes[i].source != made->boxes[i - 1].source;
    return n;
}
static const char *words_of(const verdict *v, size_t converter) {
    char text[OPERATIONS];
    operations_text(v->r->rules.converters[converter].ops, text);
    return arena_text(v->a, text, strlen(text));
}
static void fill_row(verdict *v, const load_slot *s) {
    const load_key *k = &v->r->keys[s->tensor];
    size_t odd = s->tensor;
    tare_row_kind kind = s->made ? TARE_ROW_CONVERTED : strcmp(v->r->c->tensors[s->tensor].key, s->path) ? TARE_ROW_RENAMED : TARE_ROW_MATCHED;
    if (s->mismatched) kind = TARE_ROW_SHAPE;
    else if (loses_sense(v, s, &odd)) kind = TARE_ROW_DTYPE;
    tare_row *row = new_row(v, kind, s->path);
    describe_model(row, s);
    describe_file(v, row, odd);
    if (s->made) row->keys = sources_of(s->made), row->why = words_of(v, k->converter);
    if (s->mismatched) row->file_rank = s->rank, row->file_shape = s->shape;
    if (kind > TARE_ROW_CONVERTED && s->t->meaning) row->why = s->t->meaning;
}
static void missing_row(verdict *v, size_t slot) {
    const load_fault *f = fault_of(v->r, slot);
    tare_row *row = new_row(v, f ? TARE_ROW_CONVERSION : TARE_ROW_MISSING, v->r->slots.v[slot].path);
    describe_model(row, &v->r->slots.v[slot]);
    row->why = f ? f->message : v->r->slots.v[slot].t->meaning;
}
static void tied_row(verdict *v, size_t slot) {
    const load_slot *s = &v->r->slots.v[slot];
    tare_row *row = new_row(v, TARE_ROW_TIED, s->path);
    describe_model(row, s);
    row->key = v->r->slots.v[s->tie].path;
    if (s->same == s->tie) row->why = "a module with two names";
}
static void slot_row(verdict *v, size_t slot) {
    const load_slot *s = &v->r->slots.v[slot];
    if (s->from == FROM_FILE) fill_row(v, s);
    else if (s->from == FROM_TIE) tied_row(v, slot);
    else if (s->from == FROM_NOWHERE) missing_row(v, slot);
    else describe_model(new_row(v, s->state ? TARE_ROW_MADE : TARE_ROW_FORMULA, s->path), s);
    if (s->state && s->from != FROM_TIE) v->sum.expected++;
}

/* ---- ties that the file holds both of ---- */

static tare_row *row_of_slot(verdict *v, size_t slot) { return &v->rows[slot]; } /* they come first, one each */
static bool compare_ties(verdict *v, tare_error *err) {
    const resolution *r = v->r;
    for (size_t i = 0; i < r->tie_n; i++) {
        const load_tie *t = &r->ties[i];
        tie_equal equal;
        if (t->which != TIE_BOTH) continue;
        if (!ties_compare(r, t, v->o.data ? UINT64_MAX : 1 << 20, &equal, err)) return false;
        tare_row *row = row_of_slot(v, t->target);
        const char *source = r->slots.v[t->source].path;
        if (row->kind > TARE_ROW_CONVERTED) continue;
        if (equal == TIES_EQUAL) {
            row->kind = TARE_ROW_TIED;
            row->key = source;
            row->why = "the file holds both, and they are equal";
        } else if (equal == TIES_DIFFER) {
            row->why = arena_printf(v->a, "the config ties it to %s, but the file holds another: both are kept", source);
        } else {
            row->why = arena_printf(v->a, "the config ties it to %s, and the file holds both, equal so far as was read: --data reads all", source);
        }
    }
    return true;
}

/* ---- the files' tensors ---- */

static const char *why_surplus(const verdict *v, const load_key *k) {
    const load_slot *s = k->slot != SIZE_MAX ? &v->r->slots.v[k->slot] : NULL;
    if (!s || s->from != FROM_FILE) return arena_printf(v->a, "%s is there in another way, too", k->name);
    return arena_printf(v->a, "%s is filled by %s%s", k->name, v->r->c->tensors[s->tensor].key, s->made ? " and others" : "");
}
static void key_row(verdict *v, size_t tensor) {
    const load_key *k = &v->r->keys[tensor];
    const file_tensor *f = &v->r->c->tensors[tensor];
    if (f->replaced || k->fate <= KEY_CONVERTED) return;
    tare_row *row = new_row(v, k->fate == KEY_IGNORED ? TARE_ROW_IGNORED : k->fate == KEY_SURPLUS ? TARE_ROW_SURPLUS : TARE_ROW_UNEXPECTED, f->key);
    describe_file(v, row, tensor);
    if (k->fate == KEY_IGNORED) row->why = k->ignored_by;
    else if (k->fate == KEY_SURPLUS) row->why = why_surplus(v, k);
    else if (strcmp(k->name, f->key)) row->why = arena_printf(v->a, "it becomes %s, which the model does not have", k->name);
}
static void flaw_row(verdict *v, const flaw *f) {
    tare_row *row = new_row(v, TARE_ROW_FILE, f->key ? f->key : f->file ? f->file : "");
    row->file = f->file;
    row->why = f->message;
    v->sum.damage |= f->damage;
}
/* Stacked experts are numbered 0, 1, 2, ...; upstream stacks whatever it finds, and a gap would shift the ones behind it in silence. */
static bool number_at(const char *a, const char *b, uint64_t *x, uint64_t *y) {
    size_t i = 0;
    while (a[i] && a[i] == b[i]) i++;
    while (i && a[i - 1] >= '0' && a[i - 1] <= '9') i--;
    char *a_end, *b_end;
    *x = strtoull(a + i, &a_end, 10);
    *y = strtoull(b + i, &b_end, 10);
    return a_end > a + i && b_end > b + i && !strcmp(a_end, b_end);
}
static bool stacks(const verdict *v, size_t converter) {
    for (const layout_op *op = v->r->rules.converters[converter].ops; op->what != OP_END; op++)
        if (op->what == OP_MERGE_MODULELIST) return true;
    return false;
}
static void check_numbers(verdict *v, tare_row *row, const load_slot *s) {
    const load_key *keys = v->r->keys;
    uint64_t x, y;
    for (size_t i = 1; i < s->made->n; i++) {
        size_t a = s->made->boxes[i - 1].source, b = s->made->boxes[i].source;
        if (a == b || keys[a].pattern != keys[b].pattern) continue;
        const char *first = v->r->c->tensors[a].key, *second = v->r->c->tensors[b].key;
        bool numbered = number_at(first, second, &x, &y);
        bool begins = i == 1 || keys[s->made->boxes[i - 2].source].pattern != keys[a].pattern;
        if (numbered && y == x + 1 && !(begins && x)) continue;
        row->kind = TARE_ROW_CONVERSION;
        row->why = arena_printf(v->a, "its parts are not numbered from 0 without a gap: %s %s%s", begins && x ? "the first is" : "after", first,
                                begins && x ? "" : arena_printf(v->a, " comes %s", second));
        return;
    }
}
static void check_stacks(verdict *v) {
    for (size_t i = 0; i < v->r->slots.n; i++) {
        const load_slot *s = &v->r->slots.v[i];
        if (s->from == FROM_FILE && s->made && !s->mismatched && stacks(v, v->r->keys[s->tensor].converter)) check_numbers(v, row_of_slot(v, i), s);
    }
}

/* ---- what is wrong ---- */

static bool flaw_is_wrong(flaw_kind kind) { return kind != FLAW_TOTAL_SIZE && kind != FLAW_HIDDEN; }
static bool is_wrong(const verdict *v, tare_row_kind kind) {
    bool like = v->o.like_transformers;
    switch (kind) {
    case TARE_ROW_MISSING: return !like && !v->o.allow_missing;
    case TARE_ROW_UNEXPECTED:
    case TARE_ROW_SURPLUS: return !like && !v->o.allow_unexpected;
    case TARE_ROW_SHAPE: return !v->o.allow_mismatched;
    case TARE_ROW_DTYPE: return !like;
    case TARE_ROW_CONVERSION: return true;
    default: return false;
    }
}
static bool decide(verdict *v) {
    bool any = false;
    size_t flaws = 0;
    for (size_t i = 0; i < v->row_n; i++) {
        tare_row *row = &v->rows[i];
        v->sum.rows[row->kind]++;
        row->wrong = is_wrong(v, row->kind);
        if (row->kind == TARE_ROW_FILE) {
            const flaw *f = &v->r->c->flaws[flaws++];
            row->wrong = v->o.like_transformers ? f->reference_fails : flaw_is_wrong(f->kind);
        }
        any |= row->wrong;
    }
    return any;
}

/* ---- what upstream says ---- */

static int by_text(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }
static size_t sort_once(const char **names, size_t n) {
    size_t kept = 0;
    if (n) qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp(names[kept - 1], names[i])) names[kept++] = names[i];
    return kept;
}
static void reference_missing(verdict *v) {
    const load_slots *s = &v->r->slots;
    v->missing = arena_array(v->a, s->n, sizeof *v->missing);
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].state && s->v[i].from == FROM_NOWHERE) v->missing[v->missing_n++] = s->v[i].path;
    v->missing_n = sort_once(v->missing, v->missing_n);
}
/* All that a converter would have made of a key counts. */
static void reference_unexpected(verdict *v) {
    const resolution *r = v->r;
    size_t cap = 0;
    for (size_t i = 0; i < r->c->tensor_count; i++) {
        const load_key *k = &r->keys[i];
        if (k->fate != KEY_UNEXPECTED) continue;
        const transform *t = k->converter != SIZE_MAX ? &r->rules.converters[k->converter].t : NULL;
        size_t n = t ? t->to_n : 1;
        v->unexpected = arena_grow(v->a, v->unexpected, v->unexpected_n, &cap, n, sizeof *v->unexpected);
        for (size_t j = 0; j < n; j++) v->unexpected[v->unexpected_n++] = t ? text_replace(v->a, k->name, t->to[0], t->to[j], true) : k->name;
    }
    v->unexpected_n = sort_once(v->unexpected, v->unexpected_n);
}
static const char *reference_error(const verdict *v) {
    const resolution *r = v->r;
    for (size_t i = 0; i < r->c->flaw_count; i++)
        if (r->c->flaws[i].reference_fails) return r->c->flaws[i].message;
    if (r->crash) return r->crash;
    if (r->fault_n) return arena_printf(v->a, "%s: %s", r->slots.v[r->faults[0].slot].path, r->faults[0].message);
    for (size_t i = 0; i < r->tie_n; i++) /* it has no values then, and upstream compares them */
        if (r->ties[i].which == TIE_BOTH && r->slots.v[r->ties[i].target].mismatched)
            return arena_printf(v->a, "%s is tied, and has another shape in the file", r->slots.v[r->ties[i].target].path);
    for (size_t i = 0; i < r->slots.n && !v->o.allow_mismatched; i++)
        if (r->slots.v[i].from == FROM_FILE && r->slots.v[i].mismatched) return arena_printf(v->a, "%s has another shape", r->slots.v[i].path);
    return NULL;
}

bool verdict_make(verdict *v, arena *a, const resolution *r, const node *root, const tare_check_options *o, tare_error *err) {
    *v = (verdict){.a = a, .r = r, .root = root, .o = o ? *o : (tare_check_options){.data = false}};
    for (size_t i = 0; i < r->slots.n; i++) slot_row(v, i);
    if (!compare_ties(v, err)) return false;
    if (!v->o.like_transformers) check_stacks(v);
    for (size_t i = 0; i < r->c->tensor_count; i++) key_row(v, i);
    for (size_t i = 0; i < r->c->flaw_count; i++) flaw_row(v, &r->c->flaws[i]);
    bool wrong = decide(v);
    v->sum.found = r->c->view_of ? r->c->view_of->tensor_count : r->c->tensor_count;
    v->sum.error = reference_error(v);
    v->sum.loads = !v->sum.error;
    v->sum.complete = !v->sum.damage && (v->o.like_transformers ? v->sum.loads : !wrong && !r->crash);
    causes_find(v);
    return true;
}
void verdict_lists(verdict *v) {
    if (v->listed) return;
    reference_missing(v);
    reference_unexpected(v);
    v->listed = true;
}
void cause_add(verdict *v, const char *format, ...) {
    char text[1024];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    v->causes = arena_grow(v->a, v->causes, v->cause_n, &v->cause_cap, 1, sizeof *v->causes);
    v->causes[v->cause_n++] = arena_text(v->a, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}
