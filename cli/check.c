/* tare check: a checkpoint against its architecture, from headers. */
#include "checkpoint.h"
#include "progress.h"
#include "runs.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LINES = 24, WIDEST = 64 }; /* of a kind; longer names stand out of their column */

typedef struct view { /* of a report */
    const tare_row *rows;
    size_t n;
    const char *const *causes;
    size_t cause_n;
    tare_verdict v;
    const tare_stored_file *files;
    size_t file_n;
    double seconds;
    bool like;
    runs lines[2][TARE_ROW_KINDS]; /* rows of each kind, [1] those that are wrong; with equal neighbours as one */
    size_t width;                  /* of their names */
} view;

/* ---- text --------------------------------------------------------------------------------------------------------- */

static void put_shape(int rank, const int64_t *shape) {
    if (!rank) out_text(&std_out, "scalar");
    for (int i = 0; i < rank; i++) out_format(&std_out, "%s%" PRId64, i ? " x " : "", shape[i]);
}
static const char *plural(uint64_t n) { return n == 1 ? "" : "s"; }

/* What is wrong, or what is not though it might be, in words by kind: "2 tensors have no source, 1 has the wrong shape". */
static bool put_counts(const view *v, bool wrong) {
    static const struct { tare_row_kind kind; const char *one, *many; } words[] = {
        {TARE_ROW_MISSING, "has no source", "have no source"}, {TARE_ROW_SHAPE, "has the wrong shape", "have the wrong shape"},
        {TARE_ROW_DTYPE, "is of a dtype that makes no sense for it", "are of dtypes that make no sense for them"},
        {TARE_ROW_CONVERSION, "cannot be put together", "cannot be put together"}, {TARE_ROW_UNEXPECTED, "is not expected", "are not expected"},
        {TARE_ROW_SURPLUS, "is there twice", "are there twice"},
    };
    uint64_t n = 0;
    char text[32];
    for (size_t k = 0; k < v->n; k++) n += wrong && v->rows[k].wrong && v->rows[k].kind == TARE_ROW_FILE;
    bool said = n, tensors = false;
    if (said) out_format(&std_out, "%s flaw%s in the files", grouped(n, text), plural(n));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        n = 0;
        for (size_t k = 0; k < v->n; k++) n += v->rows[k].wrong == wrong && v->rows[k].kind == words[i].kind;
        if (!n) continue;
        out_format(&std_out, "%s%s%s%s %s", said ? ", " : "", grouped(n, text), tensors ? "" : " tensor", tensors ? "" : plural(n),
                   n == 1 ? words[i].one : words[i].many);
        said = tensors = true;
    }
    return said;
}
static void put_verdict(const view *v, const tare_model *m) {
    uint64_t allowed = 0;
    for (size_t i = 0; i < v->n; i++) allowed += !v->rows[i].wrong && v->rows[i].kind >= TARE_ROW_MISSING && v->rows[i].kind <= TARE_ROW_SURPLUS &&
                                                 v->rows[i].kind != TARE_ROW_IGNORED;
    if (!v->v.complete) {
        out_text(&std_out, v->v.damage ? "damaged: " : v->like ? "error: " : "incomplete: ");
        if (!put_counts(v, true)) out_safe(&std_out, v->v.error ? v->v.error : "nothing is wrong");
    } else if (allowed) {
        out_text(&std_out, v->like ? "loads: from_pretrained() raises no error, though " : "complete but for what is allowed: ");
        put_counts(v, false);
    } else if (v->like) out_format(&std_out, "loads: from_pretrained() fills every tensor of %s", tare_model_class(m));
    else out_format(&std_out, "complete: every tensor of %s has its one source", tare_model_class(m));
}
static void put_head(const view *v, const tare_model *m) {
    char expected[32], found[32];
    size_t present = 0;
    for (size_t i = 0; i < v->file_n; i++) present += v->files[i].present;
    put_verdict(v, m);
    out_format(&std_out, "   (%s expected, %s found, ", grouped(v->v.expected, expected), grouped(v->v.found, found));
    if (present < v->file_n) out_format(&std_out, "%zu of ", present);
    out_format(&std_out, "%zu file%s", v->file_n, plural(v->file_n));
    if (isatty(STDOUT_FILENO)) out_format(&std_out, ", %.1f ms", v->seconds * 1e3);
    out_text(&std_out, ")\n");
}

static const char *file_dtype(const tare_row *row) { return row->file_dtype == TARE_DTYPE_COUNT ? "unknown" : tare_dtype_name(row->file_dtype); }
/* The kind, the names, and what there is to say. */
static void put_line(const view *v, const tare_row *row, const name_run *run, const char *mark) {
    const char *gap = "";
    out_format(&std_out, "  %-12s", tare_row_name(row->kind));
    if (row->kind == TARE_ROW_FILE) { /* the sentence names it */
        out_safe(&std_out, row->why);
        if (run->n > 1) out_text(&std_out, "; likewise "), out_safe(&std_out, run->name);
        out_text(&std_out, "\n");
        return;
    }
    out_safe(&std_out, run->name);
    size_t length = safe_width(run->name);
    out_spaces(&std_out, length < v->width ? v->width - length + 2 : 2);
    if (row->kind == TARE_ROW_SHAPE) {
        out_text(&std_out, "file "), put_shape(row->file_rank, row->file_shape);
        out_text(&std_out, ", model "), put_shape(row->rank, row->shape);
        gap = "   ";
    } else if (row->kind == TARE_ROW_DTYPE) {
        out_format(&std_out, "file %s, model %s", file_dtype(row), tare_dtype_name(row->dtype));
        gap = "   ";
    } else if (row->kind == TARE_ROW_MISSING || (row->kind == TARE_ROW_UNEXPECTED && !row->why)) {
        bool file = row->kind == TARE_ROW_UNEXPECTED;
        out_format(&std_out, "%s  ", file ? file_dtype(row) : tare_dtype_name(row->dtype));
        put_shape(file ? row->file_rank : row->rank, file ? row->file_shape : row->shape);
        gap = "   ";
    } else if (row->kind == TARE_ROW_TIED) {
        out_text(&std_out, "= "), out_safe(&std_out, row->key);
        gap = "   ";
    } else if (row->kind == TARE_ROW_IGNORED) {
        gap = "by the rule ";
    }
    if (row->why) out_text(&std_out, gap), out_safe(&std_out, row->why);
    out_format(&std_out, "%s\n", mark);
}
/* What of a matched tensor is worth a line is what its tie is about. */
static bool make_lines(view *v) {
    size_t *which = malloc((v->n + 1) * sizeof *which);
    bool ok = which;
    for (int wrong = 0; wrong < 2; wrong++)
        for (tare_row_kind kind = 0; ok && kind < TARE_ROW_KINDS; kind++) {
            size_t n = 0;
            bool silent = kind <= TARE_ROW_CONVERTED || kind == TARE_ROW_FORMULA || kind == TARE_ROW_MADE;
            for (size_t i = 0; i < v->n; i++)
                if (v->rows[i].kind == kind && v->rows[i].wrong == wrong && (!silent || (kind <= TARE_ROW_RENAMED && v->rows[i].why))) which[n++] = i;
            runs *r = &v->lines[wrong][kind];
            ok = runs_make(r, v->rows, which, n);
            for (size_t i = 0; kind != TARE_ROW_FILE && i < r->n && i < MOST_LINES; i++) {
                size_t length = safe_width(r->v[i].name);
                if (length > v->width && length <= WIDEST) v->width = length;
            }
        }
    free(which);
    return ok;
}
static void free_lines(view *v) {
    for (int wrong = 0; wrong < 2; wrong++)
        for (tare_row_kind kind = 0; kind < TARE_ROW_KINDS; kind++) runs_free(&v->lines[wrong][kind]);
}
static void put_lines(const view *v, bool wrong) {
    static const tare_row_kind order[] = {TARE_ROW_FILE, TARE_ROW_MISSING, TARE_ROW_SHAPE, TARE_ROW_CONVERSION, TARE_ROW_DTYPE, TARE_ROW_UNEXPECTED,
                                          TARE_ROW_SURPLUS, TARE_ROW_TIED, TARE_ROW_IGNORED, TARE_ROW_MATCHED, TARE_ROW_RENAMED};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const runs *r = &v->lines[wrong][order[i]];
        bool let = !wrong && order[i] >= TARE_ROW_MISSING && order[i] <= TARE_ROW_SURPLUS && order[i] != TARE_ROW_IGNORED;
        for (size_t k = 0; k < r->n && k < MOST_LINES; k++)
            put_line(v, &v->rows[r->v[k].first], &r->v[k], !let ? "" : v->like ? "   (no error)" : "   (allowed)");
        if (r->n > MOST_LINES) out_format(&std_out, "  %-12sand %zu lines more: --json has all of them\n", "", r->n - MOST_LINES);
    }
}
/* Sources that need no line each. */
static void put_sources(const view *v) {
    static const struct { tare_row_kind kind; const char *what; } words[] = {
        {TARE_ROW_MATCHED, "by the name in the tree"}, {TARE_ROW_RENAMED, "by another name"}, {TARE_ROW_CONVERTED, "out of "},
        {TARE_ROW_FORMULA, "buffers that no file holds"}, {TARE_ROW_MADE, "not in the files, and nobody misses them"},
    };
    char n[32];
    uint64_t parts = 0;
    int width = 0;
    for (size_t i = 0; i < v->n; i++)
        if (v->rows[i].kind == TARE_ROW_CONVERTED) parts += v->rows[i].keys;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        int digits = (int)strlen(grouped(v->v.rows[words[i].kind], n));
        if (digits > width) width = digits;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        uint64_t count = v->v.rows[words[i].kind];
        if (!count) continue;
        out_format(&std_out, "  %-12s%*s   %s", tare_row_name(words[i].kind), width, grouped(count, n), words[i].what);
        if (words[i].kind == TARE_ROW_CONVERTED) out_format(&std_out, "%s in the files", grouped(parts, n));
        out_text(&std_out, "\n");
    }
}
static int put_text(view *v, const tare_model *m) {
    bool ok = make_lines(v);
    if (ok) {
        put_head(v, m);
        put_lines(v, true);
        put_lines(v, false);
        put_sources(v);
        for (size_t i = 0; i < v->cause_n; i++) out_safe(&std_out, v->causes[i]), out_text(&std_out, "\n");
    }
    free_lines(v);
    return ok ? TARE_OK : fail_with(TARE_IO, "out_of_memory", "out of memory");
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */

static void json_shape(int rank, const int64_t *shape) {
    out_text(&std_out, "[");
    for (int i = 0; i < rank; i++) out_format(&std_out, "%s%" PRId64, i ? "," : "", shape[i]);
    out_text(&std_out, "]");
}
static void json_names(const char *key, const char *const *names, size_t n) {
    out_format(&std_out, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) out_text(&std_out, i ? "," : ""), out_json(&std_out, names[i]);
    out_text(&std_out, "]");
}
static void json_mismatched(const view *v) {
    const char *comma = "";
    out_text(&std_out, ",\"mismatched\":[");
    for (size_t i = 0; i < v->n; i++) {
        const tare_row *row = &v->rows[i];
        if (row->kind != TARE_ROW_SHAPE) continue;
        out_format(&std_out, "%s[", comma), out_json(&std_out, row->name), out_text(&std_out, ",");
        json_shape(row->file_rank, row->file_shape), out_text(&std_out, ","), json_shape(row->rank, row->shape), out_text(&std_out, "]");
        comma = ",";
    }
    out_text(&std_out, "]");
}
/* What output_loading_info=True would say. */
static void json_like(const view *v, const tare_report *r) {
    const char *const *names;
    out_format(&std_out, "{\"tare\":1,\"verdict\":\"%s\",\"error\":", v->v.loads ? "loads" : "error");
    out_json(&std_out, v->v.error);
    size_t n = tare_report_missing(r, &names);
    json_names("missing", names, n);
    n = tare_report_unexpected(r, &names);
    json_names("unexpected", names, n);
    json_mismatched(v);
    out_text(&std_out, "}\n");
}
static void json_row(const tare_row *row) {
    out_format(&std_out, "{\"kind\":\"%s\",\"wrong\":%s,\"name\":", tare_row_name(row->kind), row->wrong ? "true" : "false");
    out_json(&std_out, row->name);
    if (row->rank >= 0) out_format(&std_out, ",\"dtype\":\"%s\",\"shape\":", tare_dtype_name(row->dtype)), json_shape(row->rank, row->shape);
    if (row->key) out_text(&std_out, ",\"key\":"), out_json(&std_out, row->key);
    if (row->keys > 1) out_format(&std_out, ",\"keys\":%" PRIu64, row->keys);
    if (row->file) out_text(&std_out, ",\"file\":"), out_json(&std_out, row->file);
    if (row->file_rank >= 0)
        out_text(&std_out, ",\"file_dtype\":"), out_json(&std_out, row->file_dtype == TARE_DTYPE_COUNT ? NULL : tare_dtype_name(row->file_dtype)),
            out_text(&std_out, ",\"file_shape\":"), json_shape(row->file_rank, row->file_shape);
    if (row->why) out_text(&std_out, ",\"why\":"), out_json(&std_out, row->why);
    out_text(&std_out, "}");
}
static void put_json(const view *v, const tare_model *m) {
    const char *comma = "\n";
    out_text(&std_out, "{\"tare\":1,\"class\":");
    out_json(&std_out, tare_model_class(m));
    out_format(&std_out, ",\"verdict\":\"%s\",\"expected\":%" PRIu64 ",\"found\":%" PRIu64 ",\"files\":%zu,\"counts\":{",
               v->v.complete ? "complete" : v->v.damage ? "damaged" : "incomplete", v->v.expected, v->v.found, v->file_n);
    for (tare_row_kind k = 0; k < TARE_ROW_KINDS; k++) out_format(&std_out, "%s\"%s\":%" PRIu64, k ? "," : "", tare_row_name(k), v->v.rows[k]);
    out_text(&std_out, "},\"rows\":[");
    for (size_t i = 0; i < v->n; i++) {
        if (v->rows[i].kind <= TARE_ROW_CONVERTED && !v->rows[i].why) continue;
        out_text(&std_out, comma), json_row(&v->rows[i]);
        comma = ",\n";
    }
    out_text(&std_out, "]");
    json_names("causes", v->causes, v->cause_n);
    out_text(&std_out, "}\n");
}

/* ---- --mapping ---------------------------------------------------------------------------------------------------- */

typedef struct mapping { bool json, begun; } mapping;
static bool put_mapping(void *to, const tare_mapping *row) {
    mapping *p = to;
    if (p->json) {
        out_text(&std_out, p->begun ? ",\n[" : "\n["), out_json(&std_out, row->key), out_text(&std_out, ","), out_json(&std_out, row->name);
        out_text(&std_out, ","), out_json(&std_out, row->operation), out_text(&std_out, "]");
    } else {
        out_safe(&std_out, row->key), out_text(&std_out, "\t"), out_text(&std_out, row->name ? row->name : "-");
        out_format(&std_out, "\t%s\n", row->operation);
    }
    p->begun = true;
    return !std_out.failed;
}
static void put_mappings(const tare_report *r, bool json) {
    mapping p = {.json = json};
    if (json) out_text(&std_out, "{\"tare\":1,\"mapping\":[");
    tare_report_mapping(r, put_mapping, &p);
    if (json) out_text(&std_out, "]}\n");
}

/* ---- the command -------------------------------------------------------------------------------------------------- */

static int show(const args *a, const source *s, const tare_report *r, double begun) {
    view v = {.seconds = seconds_now() - begun, .like = a->value[OPT_LIKE]};
    bool json = a->value[OPT_JSON];
    int status = TARE_OK;
    v.n = tare_report_rows(r, &v.rows);
    v.cause_n = tare_report_causes(r, &v.causes);
    v.file_n = tare_checkpoint_files(s->c, &v.files);
    tare_report_verdict(r, &v.v);
    if (a->value[OPT_MAPPING]) put_mappings(r, json);
    else if (json && v.like) json_like(&v, r);
    else if (json) put_json(&v, s->m);
    else status = put_text(&v, s->m);
    if (status) return status;
    return v.v.complete ? TARE_OK : v.v.damage ? TARE_BAD : TARE_NO;
}
static int run(const args *a) {
    tare_check_options o;
    tare_error err = {0};
    source s = {0};
    double begun = seconds_now();
    int status = check_options_read(a, &o);
    if (status) return status;
    if (source_open(&s, a, &status)) {
        tare_report *r = tare_check(s.m, s.c, &o, &err);
        status = r ? show(a, &s, r, begun) : fail(&err);
        if (r && status == TARE_NO) quantization_notes(s.m); /* they may be what is behind it */
        tare_report_free(r);
    }
    source_close(&s);
    return status;
}

const command command_check = {
    .name = "check",
    .usage = "DIR [options]",
    .summary = "a checkpoint against its architecture, from headers alone",
    .about = "Says whether the files hold exactly what the model needs: every tensor of the tree has one source - a file,\n"
             "a tie, a formula - and every tensor of the files goes somewhere. No weight is read; where a class ties two\n"
             "tensors that are both in the files, their first megabyte is compared. DIR is a folder with a config.json,\n"
             "a repository of the Hub's cache, one .safetensors file or an index (docs/checkpoints.md).\n",
    .examples = "  tare check ./my-llama\n"
                "  tare check ./my-llama --class LlamaForSequenceClassification --allow missing,unexpected\n"
                "  tare check ./my-llama/model.safetensors --config ./my-llama --mapping\n"
                "  tare check ./my-llama --like transformers --json\n",
    .exits = "  0 complete; 1 incomplete, or there are no weights; 3 something cannot be read\n",
    .options = CHECKPOINT_OPTIONS | BIT(OPT_MAPPING) | BIT(OPT_DATA) | BIT(OPT_JSON),
    .of_checkpoint = true,
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
