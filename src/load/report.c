#include "report.h"
#include "runs.h"
#include "../core/num.h"
#include "../files/utf8.h"
#include <inttypes.h>
#include <stdio.h>

enum { MOST_LINES = 24, WIDEST = 64 }; /* of a kind; longer names stand out of their column */

typedef struct view { /* of a report */
    const verdict *v;
    const report_facts *f;
    sink *s;
    runs lines[2][TARE_ROW_KINDS]; /* rows of each kind, [1] those that are wrong; with equal neighbours as one */
    size_t width;                  /* of their names */
} view;

/* ---- words ---- */

static void put(sink *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(sink *s, const char *format, ...) {
    char text[256]; /* numbers, and words of this file */
    va_list list;
    va_start(list, format);
    int n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (n > 0) sink_put(s, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}
/* Control characters, line and paragraph separators, and what turns the direction of text around. */
static bool is_trick(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}
/* Text from outside, which cannot steer a terminal. Its columns; s may be NULL. */
static size_t put_safe(sink *s, const char *text) {
    size_t width = 0;
    uint32_t code;
    while (*text) {
        size_t n = utf8_point(text, &code);
        bool plain = n && !is_trick(code);
        if (!plain) n = 1;
        if (s && plain) sink_put(s, text, n);
        else if (s) put(s, "\\x%02x", (unsigned char)*text);
        width += plain ? 1 : 4;
        text += n;
    }
    return width;
}
static const char *grouped(uint64_t number, char text[32]) {
    char plain[24];
    size_t n = (size_t)snprintf(plain, sizeof plain, "%" PRIu64, number), k = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) text[k++] = ',';
        text[k++] = plain[i];
    }
    text[k] = '\0';
    return text;
}
static void put_shape(sink *s, int rank, const int64_t *shape) {
    if (!rank) sink_text(s, "scalar");
    for (int i = 0; i < rank; i++) put(s, "%s%" PRId64, i ? " x " : "", shape[i]);
}
static const char *plural(uint64_t n) { return n == 1 ? "" : "s"; }

/* ---- the first line ---- */

/* What is wrong, or what is not though it might be, in words by kind: "2 tensors have no source, 1 has the wrong shape". */
static bool put_counts(const view *w, bool wrong) {
    static const struct { tare_row_kind kind; const char *one, *many; } words[] = {
        {TARE_ROW_MISSING, "has no source", "have no source"}, {TARE_ROW_SHAPE, "has the wrong shape", "have the wrong shape"},
        {TARE_ROW_DTYPE, "is of a dtype that makes no sense for it", "are of dtypes that make no sense for them"},
        {TARE_ROW_CONVERSION, "cannot be put together", "cannot be put together"}, {TARE_ROW_UNEXPECTED, "is not expected", "are not expected"},
        {TARE_ROW_SURPLUS, "is there twice", "are there twice"},
    };
    const verdict *v = w->v;
    uint64_t n = 0;
    char text[32];
    for (size_t k = 0; k < v->row_n; k++) n += wrong && v->rows[k].wrong && v->rows[k].kind == TARE_ROW_FILE;
    bool said = n, tensors = false;
    if (said) put(w->s, "%s flaw%s in the files", grouped(n, text), plural(n));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        n = 0;
        for (size_t k = 0; k < v->row_n; k++) n += v->rows[k].wrong == wrong && v->rows[k].kind == words[i].kind;
        if (!n) continue;
        put(w->s, "%s%s%s%s %s", said ? ", " : "", grouped(n, text), tensors ? "" : " tensor", tensors ? "" : plural(n),
            n == 1 ? words[i].one : words[i].many);
        said = tensors = true;
    }
    return said;
}
static void put_verdict(const view *w) {
    const verdict *v = w->v;
    bool like = v->o.like_transformers;
    uint64_t allowed = 0;
    for (size_t i = 0; i < v->row_n; i++)
        allowed += !v->rows[i].wrong && v->rows[i].kind >= TARE_ROW_MISSING && v->rows[i].kind <= TARE_ROW_SURPLUS &&
                   v->rows[i].kind != TARE_ROW_IGNORED;
    if (!v->sum.complete) {
        sink_text(w->s, v->sum.damage ? "damaged: " : like ? "error: " : "incomplete: ");
        if (!put_counts(w, true)) put_safe(w->s, v->sum.error ? v->sum.error : "nothing is wrong");
    } else if (allowed) {
        sink_text(w->s, like ? "loads: from_pretrained() raises no error, though " : "complete but for what is allowed: ");
        put_counts(w, false);
    } else {
        put(w->s, like ? "loads: from_pretrained() fills every tensor of %s" : "complete: every tensor of %s has its one source", w->f->class_name);
    }
}
static void put_head(const view *w) {
    char expected[32], found[32];
    put_verdict(w);
    put(w->s, "   (%s expected, %s found, ", grouped(w->v->sum.expected, expected), grouped(w->v->sum.found, found));
    if (w->f->present < w->f->files) put(w->s, "%zu of ", w->f->present);
    put(w->s, "%zu file%s)\n", w->f->files, plural(w->f->files));
}

/* ---- lines ---- */

static const char *file_dtype(const tare_row *row) { return row->file_dtype == TARE_DTYPE_COUNT ? "unknown" : tare_dtype_name(row->file_dtype); }
static const char *put_facts(sink *s, const tare_row *row) {
    if (row->kind == TARE_ROW_SHAPE) {
        sink_text(s, "file "), put_shape(s, row->file_rank, row->file_shape);
        sink_text(s, ", model "), put_shape(s, row->rank, row->shape);
    } else if (row->kind == TARE_ROW_DTYPE) {
        put(s, "file %s, model %s", file_dtype(row), tare_dtype_name(row->dtype));
    } else if (row->kind == TARE_ROW_MISSING || (row->kind == TARE_ROW_UNEXPECTED && !row->why)) {
        bool file = row->kind == TARE_ROW_UNEXPECTED;
        put(s, "%s  ", file ? file_dtype(row) : tare_dtype_name(row->dtype));
        put_shape(s, file ? row->file_rank : row->rank, file ? row->file_shape : row->shape);
    } else if (row->kind == TARE_ROW_TIED) {
        sink_text(s, "= "), put_safe(s, row->key);
    } else {
        return row->kind == TARE_ROW_IGNORED ? "by the rule " : "";
    }
    return "   ";
}
/* The kind, the names, and what there is to say. */
static void put_line(const view *w, const tare_row *row, const name_run *run, const char *mark) {
    put(w->s, "  %-12s", tare_row_name(row->kind));
    if (row->kind == TARE_ROW_FILE) { /* the sentence names it */
        put_safe(w->s, row->why);
        if (run->n > 1) sink_text(w->s, "; likewise "), put_safe(w->s, run->name);
        sink_text(w->s, "\n");
        return;
    }
    size_t length = put_safe(w->s, run->name);
    sink_spaces(w->s, length < w->width ? w->width - length + 2 : 2);
    const char *gap = put_facts(w->s, row);
    if (row->why) sink_text(w->s, gap), put_safe(w->s, row->why);
    sink_text(w->s, mark), sink_text(w->s, "\n");
}
/* What of a matched tensor is worth a line is what its tie is about. */
static void make_lines(view *w, arena *a) {
    const verdict *v = w->v;
    size_t *which = arena_array(a, v->row_n + 1, sizeof *which);
    for (int wrong = 0; wrong < 2; wrong++)
        for (tare_row_kind kind = 0; kind < TARE_ROW_KINDS; kind++) {
            size_t n = 0;
            bool silent = kind <= TARE_ROW_CONVERTED || kind == TARE_ROW_FORMULA || kind == TARE_ROW_MADE;
            for (size_t i = 0; i < v->row_n; i++)
                if (v->rows[i].kind == kind && v->rows[i].wrong == wrong && (!silent || (kind <= TARE_ROW_RENAMED && v->rows[i].why))) which[n++] = i;
            runs *r = &w->lines[wrong][kind];
            runs_make(r, a, v->rows, which, n);
            for (size_t i = 0; kind != TARE_ROW_FILE && i < r->n && i < MOST_LINES; i++) {
                size_t length = put_safe(NULL, r->v[i].name);
                if (length > w->width && length <= WIDEST) w->width = length;
            }
        }
}
static void put_lines(const view *w, bool wrong) {
    static const tare_row_kind order[] = {TARE_ROW_FILE, TARE_ROW_MISSING, TARE_ROW_SHAPE, TARE_ROW_CONVERSION, TARE_ROW_DTYPE, TARE_ROW_UNEXPECTED,
                                          TARE_ROW_SURPLUS, TARE_ROW_TIED, TARE_ROW_IGNORED, TARE_ROW_MATCHED, TARE_ROW_RENAMED};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const runs *r = &w->lines[wrong][order[i]];
        bool let = !wrong && order[i] >= TARE_ROW_MISSING && order[i] <= TARE_ROW_SURPLUS && order[i] != TARE_ROW_IGNORED;
        for (size_t k = 0; k < r->n && k < MOST_LINES; k++)
            put_line(w, &w->v->rows[r->v[k].first], &r->v[k], !let ? "" : w->v->o.like_transformers ? "   (no error)" : "   (allowed)");
        if (r->n > MOST_LINES) put(w->s, "  %-12sand %zu lines more: --json has all of them\n", "", r->n - MOST_LINES);
    }
}
/* Sources that need no line each. */
static void put_sources(const view *w) {
    static const struct { tare_row_kind kind; const char *what; } words[] = {
        {TARE_ROW_MATCHED, "by the name in the tree"}, {TARE_ROW_RENAMED, "by another name"}, {TARE_ROW_CONVERTED, "out of "},
        {TARE_ROW_FORMULA, "buffers that no file holds"}, {TARE_ROW_MADE, "not in the files, and nobody misses them"},
    };
    char n[32];
    uint64_t parts = 0;
    int width = 0;
    for (size_t i = 0; i < w->v->row_n; i++)
        if (w->v->rows[i].kind == TARE_ROW_CONVERTED) parts += w->v->rows[i].keys;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        int digits = (int)strlen(grouped(w->v->sum.rows[words[i].kind], n));
        if (digits > width) width = digits;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        uint64_t count = w->v->sum.rows[words[i].kind];
        if (!count) continue;
        put(w->s, "  %-12s%*s   %s", tare_row_name(words[i].kind), width, grouped(count, n), words[i].what);
        if (words[i].kind == TARE_ROW_CONVERTED) put(w->s, "%s in the files", grouped(parts, n));
        sink_text(w->s, "\n");
    }
}
void report_text(const verdict *v, const report_facts *f, arena *a, sink *s) {
    view w = {.v = v, .f = f, .s = s};
    make_lines(&w, a);
    put_head(&w);
    put_lines(&w, true);
    put_lines(&w, false);
    put_sources(&w);
    for (size_t i = 0; i < v->cause_n; i++) put_safe(s, v->causes[i]), sink_text(s, "\n");
}
