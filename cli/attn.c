/* tare attn: which attention implementations a model supports on this host, or on a described one, and why not. */
#include "cli.h"
#include <stdio.h>
#include <string.h>

typedef struct table {
    const tare_attn_row *rows;
    size_t n;
    const char *name; /* the one asked for, or NULL */
} table;

static bool wanted(const table *t, const tare_attn_row *r) { return !t->name || strcmp(t->name, r->name) == 0; }

static const char *paint(const char *code, bool on) { return on ? code : ""; }

static void put_row(const tare_attn_row *r, size_t width, bool indent) {
    bool paints = colour();
    out_format(&std_out, "%s%-*s   ", indent ? "  " : "", (int)width, r->name);
    out_format(&std_out, "%s%s%s", paint(r->supported ? "\x1b[32m" : "\x1b[31m", paints), r->supported ? "yes" : "no", paint("\x1b[0m", paints));
    if (r->chosen) out_format(&std_out, "%s   default", r->supported ? "" : " ");
    if (r->why) {
        out_text(&std_out, r->supported ? "   " : "    ");
        out_safe(&std_out, r->why);
    }
    out_text(&std_out, "\n");
}

static void put_text(const tare_model *m, const table *t) {
    size_t width = 0;
    bool several = false;
    for (size_t i = 0; i < t->n; i++) {
        if (wanted(t, &t->rows[i]) && strlen(t->rows[i].name) > width) width = strlen(t->rows[i].name);
        if (strcmp(t->rows[i].part, t->rows[0].part) != 0) several = true;
    }
    for (size_t i = 0; i < t->n; i++) {
        const tare_attn_row *r = &t->rows[i];
        bool begins = i == 0 || strcmp(r->part, r[-1].part) != 0;
        if (several && begins) out_format(&std_out, "%s%s%s\n", r->part, *r->part ? "  " : "", r->class_name);
        if (wanted(t, r)) put_row(r, width, several);
    }
    const char *host = tare_model_host(m);
    out_text(&std_out, strncmp(host, "described", 9) == 0 ? "checked against the " : "checked against ");
    out_safe(&std_out, host);
    out_text(&std_out, "\n");
}

static void put_json(const tare_model *m, const table *t) {
    out *o = &std_out;
    const char *comma = "";
    out_text(o, "{\"tare\":1,\"class\":");
    out_json(o, tare_model_class(m));
    out_text(o, ",\"host\":");
    out_json(o, tare_model_host(m));
    out_text(o, ",\"rows\":[");
    for (size_t i = 0; i < t->n; i++) {
        const tare_attn_row *r = &t->rows[i];
        if (!wanted(t, r)) continue;
        out_format(o, "%s{\"part\":\"%s\",\"class\":\"%s\",\"name\":", comma, r->part, r->class_name);
        out_json(o, r->name);
        out_format(o, ",\"supported\":%s,\"chosen\":%s,\"why\":", r->supported ? "true" : "false", r->chosen ? "true" : "false");
        out_json(o, r->why);
        out_text(o, "}");
        comma = ",";
    }
    out_text(o, "]}\n");
}

/* A name that no row has: the library's own answer. */
static int unknown(const args *a, const char *name) {
    int status = TARE_OK;
    args again = *a;
    again.value[OPT_ATTN] = name;
    tare_model *m = open_model(&again, &status);
    tare_model_free(m);
    return m ? fail_usage("unknown attention implementation \"%s\"\nwithout a name, all of them are listed", name) : status;
}

static int print(const args *a, const tare_model *m) {
    table t = {.name = a->words[1]};
    size_t found = 0, refused = 0;
    t.n = tare_model_attn(m, &t.rows);
    for (size_t i = 0; i < t.n; i++) {
        if (!wanted(&t, &t.rows[i])) continue;
        found++;
        if (!t.rows[i].supported) refused++;
    }
    if (t.name && !found) return unknown(a, t.name);
    if (a->value[OPT_JSON]) put_json(m, &t);
    else put_text(m, &t);
    return t.name && refused ? TARE_NO : TARE_OK;
}

static int run(const args *a) {
    args plain = *a;
    if (!plain.words[1]) plain.words[1] = a->value[OPT_ATTN];
    plain.value[OPT_ATTN] = NULL; /* the whole table is wanted even when the named one is refused */
    return with_model(&plain, print);
}

const command command_attn = {
    .name = "attn",
    .usage = "MODEL [NAME] [options]",
    .summary = "which attention implementations work, and why not",
    .about = "Checks each attention implementation as the model's constructor does: against the model, its dtype, and\n"
             "this host or one that --host describes (gpu=none, gpu=sm_75, gpu=sm_90,flash_attn=2.8). With NAME, or\n"
             "--attn NAME, that one alone.\n",
    .examples = "  tare attn meta-llama/Llama-2-7b-hf --host gpu=none\n"
                "  tare attn meta-llama/Llama-2-7b-hf flash_attention_2 --host gpu=sm_90,flash_attn=2.8\n"
                "  tare attn gemma3 --json\n",
    .exits = "  0 listed, or the named one is supported; 1 the named one is refused\n",
    .options = PLAIN_OPTIONS | BIT(OPT_JSON),
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
