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

/* Of a column of names; a very long one stands out of it. */
enum { WIDEST = 28 };
static size_t wider(size_t width, const char *name, const char *value) {
    size_t used = strlen(name) + (value ? strlen(value) + 1 : 0) + 2;
    return used > width && used <= WIDEST ? used : width;
}

/* What options mean where there are weights to read. */
static const char *help_of(const command *c, int id) {
    static const struct { int id; const char *help; } texts[] = {
        {OPT_DTYPE, "cast to float32, bfloat16, bf16, ... (default: the config's, else the index's, else that of the first floating tensor)"},
        {OPT_LAYOUT, "file (default): by the names that the files had; runtime: by those of the tree, experts stacked"},
        {OPT_QUANTIZED, "as the config's quantization_config says, which goes without saying here"},
        {OPT_QUANTIZE, "the files are stored by METHOD:key=value,..., whatever the config says: fp8, bitsandbytes:load_in_4bit=true, ..."},
        {OPT_DEQUANTIZE, "quantised weights are turned back into floats, and fill the plain model"},
        {OPT_STAGE, "loaded (default): as files hold it; plain: as if the config said nothing of it; prepared: as it waits for them"},
        {OPT_THREADS, "how many to work with (default: one per core)"},
        {OPT_SEED, "of tensors that are missing, where --allow lets them be: as tare init draws them (default: 0)"},
        {OPT_RNG, "of these: torch (default) or philox"},
        {OPT_DIGEST, "print PATH, DTYPE, SHAPE, SHA256[:16] of every parameter and saved buffer"},
    };
    for (size_t i = 0; c->of_checkpoint && i < sizeof texts / sizeof *texts; i++)
        if (texts[i].id == id) return texts[i].help;
    return options[id].help;
}

void help_main(out *o) {
    size_t width = 10;
    out_text(o, "usage: tare COMMAND MODEL [options]\n\n"
                "From a Hugging Face config.json, the exact model that Transformers would build, without its weights.\n\ncommands:\n");
    for (size_t i = 0; commands[i]; i++) width = wider(width, commands[i]->name, NULL);
    for (size_t i = 0; commands[i]; i++) row(o, commands[i]->name, NULL, width, commands[i]->summary);
    row(o, "help", "CMD", width, "options, examples and exit status of a command");
    out_format(o, "\n%sDIR, of check, load and materialise, is a folder with weights and their config.json, a repository of the Hub's\n"
                  "cache, one .safetensors file or an index.\n\n", model_text);
    out_text(o, "examples:\n  tare show meta-llama/Llama-2-7b-hf\n  tare count bert --set num_hidden_layers=24\n  tare check ./my-llama\n\n"
                "exit status: 0 done or yes, 1 the answer is no, 2 wrong usage, 3 bad input, 4 unknown architecture, 5 system or I/O\n"
                "tare --version names the release and the reference.\n");
}

static void option_rows(out *o, const command *c, int i, size_t width) {
    if (!option_taken(c, i)) return;
    row(o, options[i].name, options[i].value, width, help_of(c, i));
    for (int k = OPT_WITH_QUANTIZED; i == OPT_QUANTIZED && k < OPT_COUNT; k++) row(o, options[k].name, options[k].value, width, help_of(c, k));
}
void help_command(out *o, const command *c) {
    out_format(o, "usage: tare %s %s\n\n%s", c->name, c->usage, c->about);
    if (strstr(c->usage, "MODEL")) out_format(o, "\n%s", model_text);
    out_text(o, "\noptions:\n");
    size_t width = 17;
    for (int i = 0; i < OPT_COUNT; i++)
        if (option_taken(c, i)) width = wider(width, options[i].name, options[i].value);
    for (int i = 0; i < OPT_WITH_QUANTIZED; i++) option_rows(o, c, i, width);
    out_format(o, "\nexamples:\n%s\nexit status:\n%s", c->examples, c->exits);
    out_text(o, "  2 wrong usage, 3 bad input, 4 unknown architecture, 5 system or I/O\n");
}
