/* tare config: the effective config, where its values came from, and both for many configs at once. */
#include "cli.h"
#include "lines.h"
#include "why.h"

/* The config alone; or, when a class is asked for, the part of it that the class takes. */
static int print(const args *a, const tare_config *c) {
    tare_error err = {0};
    if (a->value[OPT_WHY]) return why_print(a, c);
    return exit_status(tare_config_write(c, out_take, &std_out, &err), &err);
}

static int print_of_model(const args *a, const tare_model *m) { return print(a, tare_model_config(m)); }

static int of_config(const args *a) {
    int status = TARE_OK;
    tare_config *c = open_config(a, &status);
    if (!c) return status;
    status = print(a, c);
    tare_config_free(c);
    return status;
}

/* ---- --batch ------------------------------------------------------------------------------------------------- */

static bool answer(const void *to, const line *in, out *o) {
    request r;
    tare_error err = {0};
    tare_config *c = NULL;
    if (request_read(&r, in, &err)) c = tare_config_parse(r.config.text, r.config.n, to, &err);
    size_t begin = o->n;
    squeeze s = {.o = o};
    request_begin(&r, o);
    out_text(o, ",\"config\":");
    bool ok = c && tare_config_write(c, squeeze_take, &s, &err) == TARE_OK;
    tare_config_free(c);
    if (!ok) request_fail(&r, o, begin, "", &err);
    out_text(o, "}\n");
    return ok;
}

static int batch(const args *a) {
    tare_open_options o = options_of(a);
    if (a->n_words && a->words[0][0] != '-') return fail_usage("config --batch reads standard input, not \"%s\"", a->words[0]);
    if (a->value[OPT_WHY] || o.class_name || o.auto_class) return fail_usage("config --batch goes with --set, --dtype and --threads only");
    return lines_run(NULL, a->value[OPT_THREADS], answer, &o);
}

static int run(const args *a) {
    if (a->value[OPT_BATCH]) return batch(a);
    if (a->value[OPT_THREADS]) return fail_usage("--threads goes with --batch");
    if (!a->n_words) return fail_usage("config needs a MODEL, or --batch\nusage: tare config %s", a->command->usage);
    return a->value[OPT_CLASS] || a->value[OPT_AUTO] ? with_model(a, print_of_model) : of_config(a);
}

const command command_config = {
    .name = "config",
    .usage = "MODEL [options] | --batch",
    .summary = "the effective config, and where each value came from",
    .about = "Prints the config that the model is built from, as to_dict() gives it: defaults filled in, aliases and\n"
             "old spellings resolved, parts whole. --why shows where each value came from and which keys nothing\n"
             "reads. With --class, the part of the config that this class takes.\n",
    .examples = "  tare config openai-community/gpt2\n"
                "  tare config openai-community/gpt2 --why\n"
                "  tare config gemma3 --class Gemma3ForCausalLM --set text_config.num_hidden_layers=2\n",
    .exits = "  0 printed; with --batch: 0, or 1 if any line failed\n",
    .options = BIT(OPT_CLASS) | BIT(OPT_AUTO) | BIT(OPT_SET) | BIT(OPT_DTYPE) | BIT(OPT_WHY) | BIT(OPT_BATCH) | BIT(OPT_THREADS) | BIT(OPT_JSON),
    .min_words = 0,
    .max_words = 1,
    .run = run,
};
