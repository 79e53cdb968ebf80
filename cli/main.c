/* tare: the command line. One file per subcommand; this one finds the subcommand and runs it. */
#include "cli.h"
#include <stdio.h>
#include <string.h>

const command *const commands[] = {
    &command_show, &command_tree, &command_facts, &command_config, &command_count, &command_attn, &command_models, &command_scan, &command_init,
    &command_devices, &command_map, &command_check, &command_load, &command_materialise, NULL,
};
static const char *const later[] = {"diff", "shrink", "report", "fetch"};
enum { COMMANDS = sizeof commands / sizeof *commands - 1, LATER = sizeof later / sizeof *later };

const command *command_find(const char *name) {
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}

static const char *command_name(size_t i) {
    static const char *const more[] = {"help", "--help", "--version"};
    return i < COMMANDS ? commands[i]->name : more[i - COMMANDS];
}

static int no_command(const char *name) {
    for (size_t i = 0; i < LATER; i++)
        if (strcmp(later[i], name) == 0)
            return fail_with(TARE_USAGE, "not_available", "\"%s\" is not in this release (%s)\nsee: tare help", name, tare_version());
    const char *kind = name[0] == '-' ? "option" : "command", *near = nearest(name, command_name, COMMANDS + 3);
    if (near) return fail_usage("unknown %s \"%s\"; did you mean %s?\nsee: tare help", kind, name, near);
    return fail_usage("unknown %s \"%s\"\nsee: tare help", kind, name);
}

static int help(int n, char **words) {
    const command *c = n ? command_find(words[0]) : NULL;
    if (n && !c) return no_command(words[0]);
    if (c) help_command(&std_out, c);
    else help_main(&std_out);
    return TARE_OK;
}

static int version(void) {
    out_format(&std_out, "tare %s\nreference: %s\n", tare_version(), tare_reference());
    return TARE_OK;
}

static int run(const command *c, int n, char **words) {
    args a;
    int status = TARE_USAGE;
    if (args_parse(&a, c, n, words)) {
        if (a.value[OPT_HELP]) help_command(&std_out, c), status = TARE_OK;
        else status = c->run(&a);
    }
    args_free(&a);
    return status;
}

static int dispatch(int n, char **words) {
    if (!n) return fail_usage("a command is needed: tare COMMAND MODEL\nfor example: tare show meta-llama/Llama-2-7b-hf\nsee: tare help");
    const command *c = command_find(words[0]);
    if (c) return run(c, n - 1, words + 1);
    if (strcmp(words[0], "help") == 0 || strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0) return help(n - 1, words + 1);
    if (strcmp(words[0], "--version") == 0 || strcmp(words[0], "version") == 0) return version();
    return no_command(words[0]);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0) json_errors = true;
    int status = dispatch(argc - 1, argv + 1);
    if (!out_flush(&std_out)) status = fail_with(TARE_IO, "io", "cannot write standard output: %s", strerror(std_out.failed));
    out_free(&std_out);
    return status;
}
