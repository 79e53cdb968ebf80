/* tare check: a checkpoint against its architecture, from headers. */
#include "checkpoint.h"
#include "progress.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct view { /* of a report */
    const tare_row *rows;
    size_t n;
    const char *const *causes;
    size_t cause_n;
    tare_verdict v;
    size_t file_n;
    double seconds;
    bool like;
} view;

/* ---- text --------------------------------------------------------------------------------------------------------- */

/* A terminal is told how long it took, at the end of the first line. */
static int put_text(const view *v, const tare_report *r) {
    out text = {.fd = -1};
    tare_error err = {0};
    tare_status status = tare_report_write(r, out_take, &text, &err);
    const char *end = status == TARE_OK ? memchr(text.data, '\n', text.n) : NULL;
    if (end) {
        size_t n = (size_t)(end - text.data) - 1;
        out_put(&std_out, text.data, n);
        if (isatty(STDOUT_FILENO)) out_format(&std_out, ", %.1f ms", v->seconds * 1e3);
        out_put(&std_out, text.data + n, text.n - n);
    }
    out_free(&text);
    return status == TARE_OK ? TARE_OK : fail(&err);
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
    const tare_stored_file *files;
    v.file_n = tare_checkpoint_files(s->c, &files);
    tare_report_verdict(r, &v.v);
    if (a->value[OPT_MAPPING]) put_mappings(r, json);
    else if (json && v.like) json_like(&v, r);
    else if (json) put_json(&v, s->m);
    else status = put_text(&v, r);
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
