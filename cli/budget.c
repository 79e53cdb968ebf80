/* The lines of a budget as text and as JSON. */
#include "budget.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- options -------------------------------------------------------------------------------------------------- */

static bool number(const args *a, option_id id, const char *of, uint64_t *to) {
    const char *text = a->value[id];
    uint64_t n = 0;
    if (!text) return true;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || n > BUDGET_MOST) return fail_usage("%s is a number of %s, not \"%s\"", options[id].name, of, text), false;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    if (!n || n > BUDGET_MOST) return fail_usage("%s is from 1 to %" PRIu64 " %s, not \"%s\"", options[id].name, BUDGET_MOST, of, text), false;
    *to = n;
    return true;
}

bool budget_read(budget *b, const args *a) {
    static const option_id running[] = {OPT_BATCH_SIZE, OPT_KV_DTYPE, OPT_SOURCE, OPT_ACTIVATIONS};
    tare_budget_options *o = &b->options;
    *b = (budget){.training = a->value[OPT_TRAINING], .loading = a->value[OPT_FILE_DTYPE]};
    b->running = a->value[OPT_CONTEXT] || a->value[OPT_MAX];
    o->optimizer = b->optimizer = a->value[OPT_TRAINING], o->activations = a->value[OPT_ACTIVATIONS];
    o->kv_dtype = a->value[OPT_KV_DTYPE], o->file_dtype = a->value[OPT_FILE_DTYPE];
    for (size_t i = 0; i < sizeof running / sizeof *running; i++)
        if (a->value[running[i]] && !b->running) return fail_usage("%s needs --context, a number of tokens", options[running[i]].name), false;
    return number(a, OPT_CONTEXT, "tokens", &o->context) && number(a, OPT_BATCH_SIZE, "sequences", &o->batch) &&
           number(a, OPT_SOURCE, "tokens", &o->source);
}

static bool asked(const budget *b) { return b->training || b->running || b->loading; }

bool budget_count(budget *b, const tare_model *m, tare_error *err) {
    return !asked(b) || tare_model_budget(m, &b->options, &b->b, err) == TARE_OK;
}

/* ---- text ----------------------------------------------------------------------------------------------------- */

static void put_line(out *o, size_t width, const char *name, uint64_t bytes, const char *remark) {
    char number_text[32], size[32], label[32];
    snprintf(label, sizeof label, "%s", name);
    for (char *p = label; *p; p++)
        if (*p == '_') *p = ' ';
    const char *text = bytes_text(bytes, size), *unit = strchr(text, ' ');
    out_format(o, "  %-*s  %16s   %5.*s %s", (int)width, label, grouped(bytes, number_text), (int)(unit - text), text, unit + 1);
    if (*remark) out_spaces(o, 6 - strlen(unit + 1));
    out_format(o, "%s\n", remark);
}

static void put_title(out *o, const budget *b) {
    char tokens[32], sequences[32];
    if (b->running) {
        out_format(o, "memory at a context of %s %s", grouped(b->options.context, tokens), b->options.context == 1 ? "token" : "tokens");
        if (b->options.batch > 1) out_format(o, ", %s sequences", grouped(b->options.batch, sequences));
        if (b->training) out_format(o, ", training with %s", b->b.optimizer);
    } else if (b->training) out_format(o, "training with %s", b->b.optimizer);
    else out_format(o, "memory while files of %s are loaded", b->options.file_dtype);
    out_text(o, b->options.activations ? "; activations are estimates\n" : ", bytes without activations\n");
}

void budget_text(out *o, const budget *b) {
    size_t width = b->running ? strlen("one token more") : strlen("parameters");
    if (!asked(b)) return;
    put_title(o, b);
    for (size_t i = 0; i < b->b.count; i++) put_line(o, width, b->b.lines[i].name, b->b.lines[i].bytes, b->b.lines[i].formula);
    put_line(o, width, "total", b->b.total, "");
    if (b->running && b->b.cache) put_line(o, width, "one token more", b->b.token, "");
}

/* ---- JSON ----------------------------------------------------------------------------------------------------- */

static uint64_t bytes_of(const budget *b, const char *name) {
    for (size_t i = 0; i < b->b.count; i++)
        if (strcmp(b->b.lines[i].name, name) == 0) return b->b.lines[i].bytes;
    return 0;
}

static uint64_t plus(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

static void put_training(out *o, const budget *b) {
    uint64_t parameters = bytes_of(b, "parameters"), gradients = bytes_of(b, "gradients"), states = bytes_of(b, "optimizer");
    uint64_t buffers = bytes_of(b, "buffers"), total = plus(plus(parameters, gradients), plus(states, buffers));
    out_format(o, ",\"training\":{\"optimizer\":\"%s\",\"parameters\":%" PRIu64 ",\"gradients\":%" PRIu64, b->optimizer, parameters, gradients);
    out_format(o, ",\"states\":%" PRIu64 ",\"buffers\":%" PRIu64 ",\"total\":%" PRIu64 "}", states, buffers, total);
}

void budget_json(out *o, const budget *b) {
    if (b->training) put_training(o, b);
    if (!b->running && !b->loading) return;
    uint64_t batch = b->options.batch ? b->options.batch : 1;
    out_format(o, ",\"memory\":{\"context\":%" PRIu64 ",\"batch_size\":%" PRIu64 ",\"lines\":[", b->options.context, batch);
    for (size_t i = 0; i < b->b.count; i++) {
        const tare_budget_line *l = &b->b.lines[i];
        out_format(o, "%s{\"name\":\"%s\",\"bytes\":%" PRIu64 ",\"formula\":", i ? "," : "", l->name, l->bytes);
        out_json(o, l->formula);
        out_text(o, "}");
    }
    out_format(o, "],\"cache\":%" PRIu64 ",\"token\":%" PRIu64 ",\"total\":%" PRIu64 "}", b->b.cache, b->b.token, b->b.total);
}
