/* tare models: what is known. */
#include "cli.h"
#include <string.h>

static void put_json(const tare_type *types, size_t n) {
    out *o = &std_out;
    out_text(o, "{\"models\": [");
    for (size_t i = 0; i < n; i++) {
        out_format(o, "%s{\"model_type\": ", i ? ",\n " : "");
        out_json(o, types[i].model_type);
        out_text(o, ", \"classes\": [");
        for (size_t k = 0; types[i].classes[k]; k++) {
            out_text(o, k ? ", " : "");
            out_json(o, types[i].classes[k]);
        }
        out_text(o, "]}");
    }
    out_text(o, "]}\n");
}

/* The classes of a type in the last column, wrapped. */
static void put_classes(const tare_type *t, size_t indent, size_t width) {
    size_t at = indent;
    for (size_t k = 0; t->classes[k]; k++) {
        size_t n = strlen(t->classes[k]);
        if (k && at + n + 2 > width) {
            out_text(&std_out, "\n");
            out_spaces(&std_out, indent);
            at = indent;
        } else if (k) {
            out_text(&std_out, " ");
            at++;
        }
        out_text(&std_out, t->classes[k]);
        at += n;
    }
    out_text(&std_out, "\n");
}

static void put_text(const tare_type *types, size_t n) {
    size_t first = strlen("model type"), second = strlen("family"), width = screen_width();
    for (size_t i = 0; i < n; i++) {
        if (strlen(types[i].model_type) > first) first = strlen(types[i].model_type);
        if (strlen(types[i].family) > second) second = strlen(types[i].family);
    }
    out_format(&std_out, "%-*s  %-*s  classes\n", (int)first, "model type", (int)second, "family");
    for (size_t i = 0; i < n; i++) {
        out_format(&std_out, "%-*s  %-*s  ", (int)first, types[i].model_type, (int)second, types[i].family);
        put_classes(&types[i], first + second + 4, width);
    }
}

static int run(const args *a) {
    if (a->value[OPT_IDS] && a->value[OPT_JSON]) return fail_usage("--ids prints plain lines: it does not go with --json");
    if (a->value[OPT_IDS]) {
        const char *const *ids;
        size_t n = tare_ids(&ids);
        for (size_t i = 0; i < n; i++) out_format(&std_out, "%s\n", ids[i]);
        return TARE_OK;
    }
    const tare_type *types;
    size_t n = tare_types(&types);
    if (a->value[OPT_JSON]) put_json(types, n);
    else put_text(types, n);
    return TARE_OK;
}

const command command_models = {
    .name = "models",
    .usage = "[options]",
    .summary = "the model types, families and classes that are known",
    .about = "Lists the model types that can be built, each with its family and its classes.\n",
    .examples = "  tare models\n"
                "  tare models --ids\n"
                "  tare models --json\n",
    .exits = "  0 listed\n",
    .options = BIT(OPT_IDS) | BIT(OPT_JSON),
    .max_words = 0,
    .run = run,
};
