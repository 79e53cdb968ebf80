/* From the command line to an open model or config. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cli.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STDIN_LIMIT = 16 << 20 };

bool stage_read(const args *a, tare_stage *stage) {
    static const struct { const char *name; tare_stage stage; } words[] = {
        {"plain", TARE_STAGE_PLAIN}, {"prepared", TARE_STAGE_PREPARED}, {"loaded", TARE_STAGE_LOADED},
    };
    const char *name = a->value[OPT_STAGE], *layout = a->value[OPT_LAYOUT];
    bool files = a->command->of_loaded || (layout && strcmp(layout, "file") == 0);
    *stage = files && !a->value[OPT_ACCELERATE] ? TARE_STAGE_LOADED : TARE_STAGE_DEFAULT;
    if (!name) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].name, name) == 0) return *stage = words[i].stage, true;
    return fail_usage("--stage is plain, prepared or loaded, not \"%s\"", name), false;
}

tare_open_options options_of(const args *a) {
    tare_stage stage;
    stage_read(a, &stage);
    return (tare_open_options){
        .class_name = a->value[OPT_CLASS],
        .auto_class = a->value[OPT_AUTO],
        .set = a->set,
        .dtype = a->value[OPT_DTYPE],
        .attn = a->value[OPT_ATTN],
        .host = a->value[OPT_HOST],
        .quantized = a->value[OPT_QUANTIZED],
        .quantize = a->value[OPT_QUANTIZE],
        .dequantize = a->value[OPT_DEQUANTIZE],
        .stage = stage,
    };
}

/* All of standard input, at most STDIN_LIMIT bytes. */
static bool read_input(out *text, tare_error *err) {
    static char piece[1 << 16];
    for (;;) {
        ssize_t k = read(STDIN_FILENO, piece, sizeof piece);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return error_fill(err, TARE_IO, "io", "cannot read standard input: %s", strerror(errno)), false;
        if (k == 0) return true;
        out_put(text, piece, (size_t)k);
        if (text->failed) return error_fill(err, TARE_IO, "out_of_memory", "out of memory while reading standard input"), false;
        if (text->n > STDIN_LIMIT) return error_fill(err, TARE_BAD, "too_large", "standard input is larger than 16 MiB: that is no config"), false;
    }
}

tare_model *open_model(const args *a, int *status) { return open_plain_model(a, false, status); }

tare_model *open_plain_model(const args *a, bool plain, int *status) {
    tare_error err = {0};
    tare_open_options o = options_of(a);
    o.plain = plain;
    tare_model *m = NULL;
    if (strcmp(a->words[0], "-") == 0) {
        out text = {.fd = -1};
        if (read_input(&text, &err)) m = tare_model_parse(text.data ? text.data : "", text.n, &o, &err);
        out_free(&text);
    } else {
        m = tare_model_open(a->words[0], &o, &err);
    }
    if (m) note(tare_model_note(m)), quantization_notes(m);
    else *status = fail(&err);
    return m;
}

tare_config *open_config(const args *a, int *status) {
    tare_error err = {0};
    tare_open_options o = options_of(a);
    tare_config *c = NULL;
    if (strcmp(a->words[0], "-") == 0) {
        out text = {.fd = -1};
        if (read_input(&text, &err)) c = tare_config_parse(text.data ? text.data : "", text.n, &o, &err);
        out_free(&text);
    } else {
        c = tare_config_open(a->words[0], &o, &err);
    }
    if (!c) *status = fail(&err);
    return c;
}

enum { MAP_LIMIT = 64 << 20 };
bool read_map_file(const char *file, out *text) {
    static char piece[1 << 16];
    FILE *f = strcmp(file, "-") ? fopen(file, "rb") : stdin;
    if (!f) return fail_with(TARE_IO, "io", "cannot open %s: %s", file, strerror(errno)), false;
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0 && text->n <= MAP_LIMIT;) out_put(text, piece, n);
    bool bad = ferror(f);
    if (f != stdin) fclose(f);
    if (bad) return fail_with(TARE_IO, "io", "cannot read %s", file), false;
    if (text->failed) return fail_with(TARE_IO, "out_of_memory", "out of memory"), false;
    if (text->n > MAP_LIMIT) return fail_with(TARE_BAD, "too_large", "%s is larger than 64 MiB: that is no map", file), false;
    return true;
}

const char *source_of(const char *model) {
    struct stat st;
    const tare_type *types;
    size_t n = tare_types(&types);
    if (strcmp(model, "-") == 0) return "standard input";
    if (model[strspn(model, " \t\r\n")] == '{') return "the command line";
    if (stat(model, &st) == 0) {
        const char *slash = strrchr(model, '/');
        return S_ISDIR(st.st_mode) ? "config.json" : slash ? slash + 1 : model;
    }
    for (size_t i = 0; i < n; i++)
        if (strcmp(types[i].model_type, model) == 0) return "defaults";
    return "built in";
}

const char *reference_name(char text[64]) {
    snprintf(text, 64, "%s", tare_reference());
    text[strcspn(text, ",")] = '\0';
    return text;
}

int with_model(const args *a, int (*use)(const args *a, const tare_model *m)) {
    int status = TARE_OK;
    tare_model *m = open_model(a, &status);
    if (!m) return status;
    status = use(a, m);
    tare_model_free(m);
    return status;
}

int exit_status(tare_status status, const tare_error *err) {
    if (status == TARE_OK) return TARE_OK;
    return std_out.failed ? TARE_IO : fail(err);
}

int print_text(const tare_model *m, tare_text what) {
    tare_error err = {0};
    return exit_status(tare_model_write(m, what, out_take, &std_out, &err), &err);
}
