/* config --why: a table of values and where each came from; keys that nothing reads come last. */
#include "why.h"
#include <string.h>

enum { VALUE = 36, PATH = 48 };
static const char *const origins[] = {
    [TARE_FROM_FILE] = "file", [TARE_FROM_OVERRIDE] = "override", [TARE_FROM_ALIAS] = "alias",
    [TARE_FROM_DEFAULT] = "default", [TARE_FROM_FORMULA] = "formula", [TARE_FROM_LEGACY] = "legacy",
};

/* The value, shortened to one short column: {...}, [...], "a long te...". */
static void put_value(out *o, const char *value) {
    size_t n = strlen(value);
    if (n <= VALUE) {
        out_safe(o, value);
    } else if (*value == '{' || *value == '[') {
        out_text(o, *value == '{' ? "{...}" : "[...]");
    } else {
        char cut[VALUE + 1];
        size_t keep = VALUE - 4;
        while (keep && ((unsigned char)value[keep] & 0xC0) == 0x80) keep--; /* no half character */
        memcpy(cut, value, keep);
        cut[keep] = '\0';
        out_safe(o, cut);
        out_text(o, "...\"");
    }
}

/* What out_safe() and put_value() make of a text takes this many columns; near enough for alignment beyond ASCII. */
static size_t columns(const out *o) {
    size_t n = 0;
    for (size_t i = 0; i < o->n; i++) n += ((unsigned char)o->data[i] & 0xC0) != 0x80;
    return n;
}

static void put_origin(const tare_config_row *r, const char *file) {
    char name[64];
    switch (r->origin) {
    case TARE_FROM_FILE: out_safe(&std_out, file); break;
    case TARE_FROM_OVERRIDE: out_text(&std_out, "the command line"); break;
    case TARE_FROM_DEFAULT: out_format(&std_out, "default of %s", reference_name(name)); break;
    case TARE_FROM_FORMULA: out_text(&std_out, "formula"); break;
    case TARE_FROM_ALIAS:
    case TARE_FROM_LEGACY: out_safe(&std_out, file); break;
    }
    if (r->detail && (r->origin == TARE_FROM_ALIAS || r->origin == TARE_FROM_LEGACY || r->origin == TARE_FROM_FORMULA)) {
        out_text(&std_out, ": ");
        out_safe(&std_out, r->detail);
    }
    if (r->origin == TARE_FROM_ALIAS) out_text(&std_out, " (alias)");
    if (r->origin == TARE_FROM_LEGACY) out_text(&std_out, " (old spelling)");
    if (strcmp(r->path, "auto_map") == 0) out_text(&std_out, "; names code, which is never run");
    out_text(&std_out, "\n");
}

static void put_cell(out *cell, size_t width) {
    size_t n = columns(cell);
    out_put(&std_out, cell->data, cell->n);
    out_spaces(&std_out, n < width ? width - n + 3 : 3);
    cell->n = 0;
}

static void put_unread(const tare_config_row *r) {
    bool paints = colour();
    out_text(&std_out, paints ? "\x1b[33munread\x1b[0m: " : "unread: ");
    out_safe(&std_out, r->path);
    if (r->near) out_format(&std_out, " (did you mean %s?)", r->near);
    out_text(&std_out, "\n");
}

static void put_text(const char *file, const tare_config_row *rows, size_t n) {
    size_t path_width = 0, value_width = 0;
    out cell = {.fd = -1};
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].known) continue;
        size_t k = strlen(rows[i].path);
        if (k > path_width && k <= PATH) path_width = k;
        put_value(&cell, rows[i].value);
        k = columns(&cell);
        if (k > value_width && k <= VALUE) value_width = k;
        cell.n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].known) continue;
        out_safe(&cell, rows[i].path);
        put_cell(&cell, path_width);
        put_value(&cell, rows[i].value);
        put_cell(&cell, value_width);
        put_origin(&rows[i], file);
    }
    for (size_t i = 0; i < n; i++)
        if (!rows[i].known) put_unread(&rows[i]);
    out_free(&cell);
}

static void put_json(const tare_config *c, const tare_config_row *rows, size_t n) {
    out *o = &std_out;
    out_text(o, "{\"tare\":1,\"model_type\":");
    out_json(o, tare_config_type(c));
    out_text(o, ",\"rows\":[");
    for (size_t i = 0; i < n; i++) {
        const tare_config_row *r = &rows[i];
        out_text(o, i ? ",\n{\"path\":" : "\n{\"path\":");
        out_json(o, r->path);
        out_text(o, ",\"value\":");
        out_text(o, r->value);
        out_format(o, ",\"origin\":\"%s\",\"detail\":", origins[r->origin]);
        out_json(o, r->detail);
        out_format(o, ",\"known\":%s,\"near\":", r->known ? "true" : "false");
        out_json(o, r->near);
        out_text(o, "}");
    }
    out_text(o, "\n]}\n");
}

int why_print(const args *a, const tare_config *c) {
    const tare_config_row *rows;
    size_t n = tare_config_rows(c, &rows);
    const char *source = source_of(a->words[0]);
    if (strcmp(source, "built in") == 0 || strcmp(source, "defaults") == 0) source = "config.json";
    if (a->value[OPT_JSON]) put_json(c, rows, n);
    else put_text(source, rows, n);
    return TARE_OK;
}
