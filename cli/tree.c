/* tare tree: the canonical tree, or parts of it, or folded for reading (fold.c). */
#include "fold.h"
#include <inttypes.h>
#include <string.h>

typedef struct choice {
    bool params, buffers, all, json;
    bool begun;
    const tare_model *m;
} choice;

static void put_shape(int rank, const int64_t *shape) {
    for (int i = 0; i < rank; i++) out_format(&std_out, "%s%" PRId64, i ? "," : "", shape[i]);
}

static void put_line(const tare_item *t) {
    const char *state = t->kind == TARE_PARAM ? (t->trainable ? "grad" : "frozen") : t->persistent ? "persistent" : "transient";
    out_format(&std_out, "%s\t", t->kind == TARE_PARAM ? "param" : "buffer");
    out_text(&std_out, t->path);
    out_format(&std_out, "\t%s\t", tare_dtype_name(t->dtype));
    put_shape(t->rank, t->shape);
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
        put_shape(t->rank, t->shape);
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

static void put_head(const choice *c, const char *list) {
    if (!c->json) return;
    out_text(&std_out, "{\"tare\":1,\"class\":");
    out_json(&std_out, tare_model_class(c->m));
    quantization_json(&std_out, c->m);
    out_format(&std_out, ",\"%s\":[", list);
}

static bool visit_file(void *to, const tare_disk_tensor *t) {
    choice *c = to;
    if (!c->begun) put_head(c, "tensors"); /* a layout that fails has said nothing yet */
    if (c->json) {
        out_text(&std_out, c->begun ? ",\n{\"key\":" : "\n{\"key\":");
        out_json(&std_out, t->key);
        out_format(&std_out, ",\"dtype\":\"%s\",\"shape\":[", tare_dtype_name(t->dtype));
    } else {
        out_text(&std_out, t->key);
        out_format(&std_out, "\t%s\t", tare_dtype_name(t->dtype));
    }
    put_shape(t->rank, t->shape);
    out_text(&std_out, c->json ? "]}" : "\n");
    c->begun = true;
    return !std_out.failed;
}

static tare_status put_file(choice *c, tare_error *err) {
    tare_status status = tare_model_layout(c->m, visit_file, c, err);
    if (status == TARE_OK && !c->begun) put_head(c, "tensors");
    if (status == TARE_OK && c->json) out_text(&std_out, "\n]}\n");
    return status;
}

static bool wants_file(const args *a) { return a->value[OPT_LAYOUT] && strcmp(a->value[OPT_LAYOUT], "file") == 0; }

static tare_status put(const args *a, const tare_model *m, tare_error *err) {
    choice c = {.params = a->value[OPT_PARAMS], .buffers = a->value[OPT_BUFFERS], .json = a->value[OPT_JSON], .m = m};
    c.all = !c.params && !c.buffers;
    if (a->value[OPT_FOLD]) return fold_print(m, err);
    if (wants_file(a)) return put_file(&c, err);
    if (c.all && !c.json) return tare_model_write(m, TARE_TEXT_TREE, out_take, &std_out, err);
    put_head(&c, "items");
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
    if (wants_file(a) && (part || a->value[OPT_FOLD]))
        return fail_usage("--layout file lists what is in a file: it goes with none of --params, --buffers, --fold");
    if (layout && !wants_file(a) && strcmp(layout, "runtime") != 0) return fail_usage("--layout is runtime or file, not \"%s\"", layout);
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
             "(docs/formats.md). With --fold, the same for reading. With --layout file, one line for each tensor that\n"
             "save_pretrained writes: its name there, dtype and shape.\n",
    .examples = "  tare tree gpt2 --params\n"
                "  tare tree mistralai/Mixtral-8x22B-v0.1 --fold\n"
                "  tare tree meta-llama/Llama-2-7b-hf --dtype bf16 --json\n"
                "  tare tree mixtral --layout file\n",
    .exits = "  0 printed\n",
    .options = MODEL_OPTIONS | BIT(OPT_PARAMS) | BIT(OPT_BUFFERS) | BIT(OPT_FOLD) | BIT(OPT_LAYOUT) | BIT(OPT_JSON),
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
