/* tare tree: the canonical tree, or parts of it, or folded for reading (fold.c). */
#include "fold.h"
#include <inttypes.h>
#include <string.h>

typedef struct choice {
    bool params, buffers, all, json;
    bool begun;
} choice;

static void put_shape(const tare_item *t) {
    for (int i = 0; i < t->rank; i++) out_format(&std_out, "%s%" PRId64, i ? "," : "", t->shape[i]);
}

static void put_line(const tare_item *t) {
    const char *state = t->kind == TARE_PARAM ? (t->trainable ? "grad" : "frozen") : t->persistent ? "persistent" : "transient";
    out_format(&std_out, "%s\t", t->kind == TARE_PARAM ? "param" : "buffer");
    out_text(&std_out, t->path);
    out_format(&std_out, "\t%s\t", tare_dtype_name(t->dtype));
    put_shape(t);
    out_format(&std_out, "\t%s", state);
    if (t->owner) out_text(&std_out, "\t="), out_text(&std_out, t->owner);
    out_text(&std_out, "\n");
}

static void put_json(const tare_item *t) {
    static const char *const kinds[] = {[TARE_MODULE] = "module", [TARE_PARAM] = "param", [TARE_BUFFER] = "buffer"};
    out_format(&std_out, "{\"kind\":\"%s\",\"path\":", kinds[t->kind]);
    out_json(&std_out, t->path);
    if (t->kind == TARE_MODULE) {
        out_text(&std_out, ",\"class\":");
        out_json(&std_out, t->class_name);
    } else {
        out_format(&std_out, ",\"dtype\":\"%s\",\"shape\":[", tare_dtype_name(t->dtype));
        put_shape(t);
        out_text(&std_out, "]");
        if (t->kind == TARE_PARAM) out_format(&std_out, ",\"trainable\":%s", t->trainable ? "true" : "false");
        else out_format(&std_out, ",\"persistent\":%s", t->persistent ? "true" : "false");
        out_text(&std_out, ",\"owner\":");
        out_json(&std_out, t->owner);
    }
    out_text(&std_out, "}");
}

static bool visit(void *to, const tare_item *t) {
    choice *c = to;
    if (!c->all && !(t->kind == TARE_PARAM && c->params) && !(t->kind == TARE_BUFFER && c->buffers)) return true;
    if (c->json) {
        out_text(&std_out, c->begun ? ",\n" : "\n");
        put_json(t);
    } else if (t->kind == TARE_MODULE) {
        out_format(&std_out, "module\t%s\t%s\n", t->path, t->class_name);
    } else {
        put_line(t);
    }
    c->begun = true;
    return !std_out.failed;
}

static tare_status put(const args *a, const tare_model *m, tare_error *err) {
    choice c = {.params = a->value[OPT_PARAMS], .buffers = a->value[OPT_BUFFERS], .json = a->value[OPT_JSON]};
    c.all = !c.params && !c.buffers;
    if (a->value[OPT_FOLD]) return fold_print(m, err);
    if (c.all && !c.json) return tare_model_write(m, TARE_TEXT_TREE, out_take, &std_out, err);
    if (c.json) {
        out_text(&std_out, "{\"tare\":1,\"class\":");
        out_json(&std_out, tare_model_class(m));
        out_text(&std_out, ",\"items\":[");
    }
    tare_status status = tare_model_walk(m, visit, &c, err);
    if (c.json) out_text(&std_out, "\n]}\n");
    return status;
}

static int print(const args *a, const tare_model *m) {
    tare_error err = {0};
    return exit_status(put(a, m, &err), &err);
}

static int check(const args *a) {
    const char *layout = a->value[OPT_LAYOUT];
    bool part = a->value[OPT_PARAMS] || a->value[OPT_BUFFERS];
    if (layout && strcmp(layout, "file") == 0)
        return fail_with(TARE_USAGE, "not_available", "--layout file, the names on disk, is not in this release (%s)", tare_version());
    if (layout && strcmp(layout, "runtime") != 0) return fail_usage("--layout is runtime or file, not \"%s\"", layout);
    if (a->value[OPT_FOLD] && (part || a->value[OPT_JSON]))
        return fail_usage("--fold is a form of its own: it goes with none of --params, --buffers, --json");
    return TARE_OK;
}

static int run(const args *a) {
    int status = check(a);
    return status ? status : with_model(a, print);
}

const command command_tree = {
    .name = "tree",
    .usage = "MODEL [options]",
    .summary = "every module, parameter and buffer, one line each",
    .about = "Prints the canonical tree: one tab-separated line for each module, parameter and buffer, in walk order\n"
             "(docs/formats.md). With --fold, the same for reading.\n",
    .examples = "  tare tree gpt2 --params\n"
                "  tare tree mistralai/Mixtral-8x22B-v0.1 --fold\n"
                "  tare tree meta-llama/Llama-2-7b-hf --dtype bf16 --json\n",
    .exits = "  0 printed\n",
    .options = MODEL_OPTIONS | BIT(OPT_PARAMS) | BIT(OPT_BUFFERS) | BIT(OPT_FOLD) | BIT(OPT_LAYOUT) | BIT(OPT_JSON),
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
