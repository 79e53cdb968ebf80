/* tare map --batch: one JSON line with a config and what to do with it, one JSON line with its map. */
#include "map.h"
#include "lines.h"
#include "tokens.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the line's own members ------------------------------------------------------------------------------------- */

typedef struct task { /* lists as long as the line could make them, texts in a copy as long as the line */
    char *texts;
    size_t used;
    tare_device *devices;
    const char **no_split;
    tare_special_dtype *special;
    tare_plan_options o;
    const char *wrong; /* where, and what should be there */
} task;

static scan scan_of(span at) { return at.text ? (scan){at.text, at.text + at.n} : (scan){NULL, NULL}; }
static bool refuse(task *t, const char *what) { return t->wrong = what, false; }

/* A text, decoded: no longer than it is in the line. */
static const char *text(task *t, scan *s) {
    bool cut;
    char *to = t->texts + t->used;
    if (!scan_blank(s) || *s->p != '"' || !scan_string(s, to, (size_t)(s->end - s->p) + 1, &cut)) return NULL;
    t->used += strlen(to) + 1;
    return to;
}

/* An int or a float, as Python tells them apart. */
static bool number(task *t, scan *s, double *d, bool *real) {
    const char *from = s->p;
    bool is_nan = scan_word(s, "NaN");
    if (!is_nan && !scan_number(s)) return false;
    size_t n = (size_t)(s->p - from);
    char *copy = t->texts + t->used;
    memcpy(copy, from, n);
    copy[n] = '\0';
    *d = strtod(copy, NULL);
    *real = is_nan || copy[strcspn(copy, ".eEI")] != '\0';
    return true;
}

static bool read_size(task *t, scan *s, tare_device *d) {
    if (!scan_blank(s)) return false;
    if (*s->p == '"') return (d->size = text(t, s)) != NULL;
    d->has_bytes = true;
    if (scan_word(s, "true")) return d->bytes = 1, true;
    if (scan_word(s, "false") || number(t, s, &d->bytes, &d->real)) return true;
    d->has_bytes = false;
    return scan_value(s); /* null and what else there is: no number */
}

static bool read_pair(task *t, scan *s, tare_device *d) {
    double index;
    bool real = false;
    if (!scan_take(s, '[') || !scan_blank(s)) return false;
    if (*s->p == '"') d->name = text(t, s);
    else if (!number(t, s, &index, &real) || real || !(fabs(index) < 0x1p53)) return false;
    else d->index = (int64_t)index;
    return scan_take(s, ',') && read_size(t, s, d) && scan_take(s, ']');
}

static bool read_devices(task *t, span at) {
    static const char shape[] = "$.max_memory is no list of pairs of a device and its size";
    scan s = scan_of(at);
    if (!at.text) return refuse(t, "$.max_memory is missing");
    if (!scan_take(&s, '[')) return refuse(t, shape);
    if (scan_take(&s, ']')) return true;
    do {
        if (!read_pair(t, &s, &t->devices[t->o.device_count++])) return refuse(t, shape);
    } while (scan_take(&s, ','));
    return scan_take(&s, ']') || refuse(t, shape);
}

static bool read_no_split(task *t, span at) {
    static const char shape[] = "$.no_split is no list of class names, nor \"model\" or null";
    scan s = scan_of(at);
    size_t n = 0;
    if (!at.text) return true;
    t->o.no_split = t->no_split;
    if (scan_word(&s, "null")) return true;
    if (*at.text == '"') {
        t->no_split[0] = text(t, &s);
        if (strcmp(t->no_split[0], "model") == 0) t->o.no_split = NULL;
        return true;
    }
    if (!scan_take(&s, '[')) return refuse(t, shape);
    if (scan_take(&s, ']')) return true;
    do {
        if (!(t->no_split[n++] = text(t, &s))) return refuse(t, shape);
    } while (scan_take(&s, ','));
    return scan_take(&s, ']') || refuse(t, shape);
}

static bool read_special(task *t, scan *s) {
    if (scan_word(s, "null")) return true;
    if (!scan_take(s, '{')) return false;
    if (scan_take(s, '}')) return true;
    do {
        tare_special_dtype *one = &t->special[t->o.special_count++];
        if (!(one->path = text(t, s)) || !scan_take(s, ':') || !(one->dtype = text(t, s))) return false;
    } while (scan_take(s, ','));
    return scan_take(s, '}');
}

static bool read_flag(scan *s, bool *flag) {
    *flag = scan_word(s, "true");
    return *flag || scan_word(s, "false");
}

static bool read_arg(task *t, scan *s) {
    const char *key = text(t, s);
    bool clean = true;
    if (!key || !scan_take(s, ':') || !scan_blank(s)) return false;
    if (strcmp(key, "dtype") == 0) return scan_word(s, "null") || (t->o.dtype = text(t, s));
    if (strcmp(key, "special_dtypes") == 0) return read_special(t, s);
    if (strcmp(key, "offload_buffers") == 0) return read_flag(s, &t->o.offload_buffers);
    if (strcmp(key, "fallback_allocation") == 0) return read_flag(s, &t->o.fallback_allocation);
    bool ok = strcmp(key, "clean_result") == 0 && read_flag(s, &clean);
    t->o.keep_parts = !clean;
    return ok;
}

static bool read_args(task *t, span at) {
    static const char shape[] = "$.args holds only clean_result, offload_buffers, fallback_allocation, dtype and special_dtypes";
    scan s = scan_of(at);
    if (!at.text || scan_word(&s, "null")) return true;
    if (!scan_take(&s, '{')) return refuse(t, "$.args is no object");
    if (scan_take(&s, '}')) return true;
    do {
        if (!read_arg(t, &s)) return refuse(t, shape);
    } while (scan_take(&s, ','));
    return scan_take(&s, '}') || refuse(t, shape);
}

static bool read_mode(task *t, span at) {
    scan s = scan_of(at);
    if (!at.text) return true;
    const char *name = text(t, &s);
    return (name && map_mode(name, &t->o.mode)) || refuse(t, "$.mode is none of infer, auto, balanced, balanced_low_0 and sequential");
}

static bool task_room(task *t, const line *in, tare_error *err) {
    size_t most = in->n / 3 + 2; /* of anything in a list: "", takes three letters */
    t->texts = malloc(in->n + 1);
    t->devices = calloc(most, sizeof *t->devices);
    t->no_split = calloc(most, sizeof *t->no_split);
    t->special = calloc(most, sizeof *t->special);
    t->o.devices = t->devices;
    t->o.special_dtypes = t->special;
    if (t->texts && t->devices && t->no_split && t->special) return true;
    return error_fill(err, TARE_IO, "out_of_memory", "out of memory"), false;
}

static bool task_read(task *t, const request *r, const line *in, tare_error *err) {
    if (!task_room(t, in, err)) return false;
    if (read_mode(t, r->mode) && read_devices(t, r->max_memory) && read_no_split(t, r->no_split) && read_args(t, r->args)) return true;
    error_fill(err, TARE_BAD, "bad_type", "line %" PRIu64 ": %s", in->number, t->wrong);
    snprintf(err->path, sizeof err->path, "%.*s", (int)strcspn(t->wrong, " "), t->wrong);
    return false;
}

static void task_free(task *t) {
    free(t->texts);
    free(t->devices);
    free(t->no_split);
    free(t->special);
}

/* ---- the answer ------------------------------------------------------------------------------------------------- */

static void put_rows(out *o, const tare_plan *g, bool budgets) {
    const tare_plan_device *d;
    const char *comma = "";
    size_t n = tare_plan_devices(g, &d);
    out_text(o, "[");
    for (size_t i = 0; i < n; i++) {
        if (budgets && !d[i].given) continue;
        out_format(o, d[i].is_number ? "%s[%s," : "%s[\"%s\",", comma, d[i].name);
        if (!budgets) out_format(o, "%" PRIu64, d[i].load);
        else if (d[i].has_budget) map_put_bytes(o, d[i].budget);
        else out_text(o, "null");
        out_text(o, "]");
        comma = ",";
    }
    out_text(o, "]");
}

static void put_sizes(out *o, const tare_plan *g) {
    tare_plan_sizes s;
    tare_plan_sizes_of(g, &s);
    out_text(o, ",\"sizes\":{\"root\":");
    map_put_bytes(o, s.root);
    out_text(o, ",\"largest\":");
    map_put_bytes(o, s.largest);
    out_text(o, ",\"largest_names\":[");
    for (int i = 0; i < 3 && s.largest_names[i]; i++) {
        if (i) out_text(o, ",");
        out_json(o, s.largest_names[i]);
    }
    out_format(o, "],\"n_largest\":%" PRIu64 "}", s.largest_count);
}

static void put_accelerate(out *o, const tare_plan *g, tare_map_mode mode) {
    const char *const *remarks;
    size_t n = tare_plan_remarks(g, &remarks);
    out_text(o, ",\"balanced\":");
    if (mode == TARE_MAP_INFER || mode == TARE_MAP_SEQUENTIAL) out_text(o, "null");
    else put_rows(o, g, true);
    put_sizes(o, g);
    for (size_t i = 0; i < n; i++) {
        out_text(o, i ? "," : ",\"remarks\":[");
        out_json(o, remarks[i]);
    }
    if (n) out_text(o, "]");
}

static void put_loads(out *o, const tare_plan *g) {
    const tare_plan_device *d;
    uint64_t spill = 0;
    size_t n = tare_plan_devices(g, &d);
    for (size_t i = 0; i < n; i++)
        if (!d[i].is_number) spill += d[i].load;
    out_text(o, ",\"loads\":");
    put_rows(o, g, false);
    out_format(o, ",\"spill\":%" PRIu64, spill);
}

static tare_plan *plan_for(const request *r, const map_wishes *w, const task *t, tare_error *err) {
    tare_open_options open = w->open;
    if (r->class_name[0]) open.class_name = r->class_name;
    if (r->dtype[0]) open.dtype = r->dtype;
    tare_model *m = tare_model_parse(r->config.text, r->config.n, &open, err);
    tare_plan *g = m ? tare_plan_make(m, &t->o, err) : NULL;
    tare_model_free(m);
    return g;
}

bool map_line(const void *to, const line *in, out *o) {
    const map_wishes *w = to;
    request r;
    tare_error err = {0};
    task t = {.o = {.accelerate = w->accelerate}};
    bool ok = request_read(&r, in, &err);
    if (ok && r.no_dtype) ok = false, error_fill(&err, TARE_BAD, "bad_type", "line %" PRIu64 ": $.dtype is not the name of a dtype", in->number);
    tare_plan *g = ok && task_read(&t, &r, in, &err) ? plan_for(&r, w, &t, &err) : NULL;
    size_t begin = o->n;
    request_begin(&r, o);
    if (g) {
        out_text(o, ",\"map\":");
        map_put_json(o, g, "");
        if (w->accelerate) put_accelerate(o, g, t.o.mode);
        else put_loads(o, g);
    } else {
        request_fail(&r, o, begin, "", &err);
    }
    out_text(o, "}\n");
    ok = g != NULL;
    tare_plan_free(g);
    task_free(&t);
    return ok;
}

int map_batch(const args *a) {
    static const option_id others[] = {OPT_MAX_MEMORY, OPT_MODE, OPT_NO_SPLIT, OPT_KEEP_PARTS, OPT_OFFLOAD_BUFFERS, OPT_FALLBACK, OPT_DTYPE,
                                       OPT_DEVICE, OPT_MARGIN, OPT_TRAINING, OPT_CONTEXT, OPT_BATCH_SIZE, OPT_KV_DTYPE, OPT_SOURCE, OPT_ACTIVATIONS,
                                       OPT_FILE_DTYPE, OPT_SPLIT_EXPERTS, OPT_COPY_TIES, OPT_EXPLAIN, OPT_MAX, OPT_VERIFY_MAP, OPT_EXPORT};
    map_wishes w = {.open = options_of(a), .accelerate = a->value[OPT_ACCELERATE]};
    if (a->n_words) return fail_usage("map --batch reads standard input, not \"%s\"", a->words[0]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (a->value[others[i]]) return fail_usage("%s does not go with map --batch: each line says its own", options[others[i]].name);
    return lines_run(NULL, a->value[OPT_THREADS], map_line, &w);
}
