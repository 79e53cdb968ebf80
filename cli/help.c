/* Help texts, from the same tables that the parser uses. */
#include "cli.h"
#include <string.h>

static const char model_text[] =
    "MODEL is a config.json, a folder that holds one, a built-in id (tare models --ids), a model type\n"
    "(its defaults), JSON text, or - for JSON on standard input.\n";

static void row(out *o, const char *name, const char *value, size_t width, const char *text) {
    size_t used = strlen(name) + (value ? strlen(value) + 1 : 0);
    out_format(o, "  %s%s%s", name, value ? " " : "", value ? value : "");
    out_spaces(o, used < width ? width - used : 1);
    out_format(o, "%s\n", text);
}

void help_main(out *o) {
    out_text(o, "usage: tare COMMAND MODEL [options]\n\n"
                "From a Hugging Face config.json, the exact model that Transformers would build, without its weights.\n\ncommands:\n");
    for (size_t i = 0; commands[i]; i++) row(o, commands[i]->name, NULL, 10, commands[i]->summary);
    row(o, "help", "CMD", 10, "options, examples and exit status of a command");
    out_format(o, "\n%s\n", model_text);
    out_text(o, "examples:\n  tare show meta-llama/Llama-2-7b-hf\n  tare count bert --set num_hidden_layers=24\n\n"
                "exit status: 0 done or yes, 1 the answer is no, 2 wrong usage, 3 bad input, 4 unknown architecture, 5 system or I/O\n"
                "tare --version names the release and the reference.\n");
}

void help_command(out *o, const command *c) {
    out_format(o, "usage: tare %s %s\n\n%s", c->name, c->usage, c->about);
    if (strstr(c->usage, "MODEL")) out_format(o, "\n%s", model_text);
    out_text(o, "\noptions:\n");
    for (int i = 0; i < OPT_COUNT; i++)
        if ((c->options | BIT(OPT_HELP)) & BIT(i)) row(o, options[i].name, options[i].value, 17, options[i].help);
    out_format(o, "\nexamples:\n%s\nexit status:\n%s", c->examples, c->exits);
    out_text(o, "  2 wrong usage, 3 bad input, 4 unknown architecture, 5 system or I/O\n");
}
