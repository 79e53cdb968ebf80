/* tare devices: the devices that are known by name, and those that a plan would see. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

static const char *kind_name(tare_device_kind kind) {
    static const char *const names[] = {[TARE_DEVICE_GPU] = "gpu", [TARE_DEVICE_MPS] = "mps", [TARE_DEVICE_CPU] = "cpu", [TARE_DEVICE_DISK] = "disk"};
    return names[kind];
}
static void put_member(const char *name, const char *text) {
    out_format(&std_out, ", \"%s\": ", name);
    out_json(&std_out, text);
}

/* ---- known by name ---- */

static void presets_json(const tare_device_preset *p, size_t n) {
    out *o = &std_out;
    out_text(o, "{\"presets\": [");
    for (size_t i = 0; i < n; i++) {
        out_format(o, "%s{\"name\": ", i ? ",\n " : "");
        out_json(o, p[i].name);
        put_member("product", p[i].product);
        put_member("kind", kind_name(p[i].kind));
        out_format(o, ", \"bytes\": %llu, \"sizes\": [", (unsigned long long)p[i].bytes);
        for (const char *at = p[i].sizes; at && *at; at++) out_put(o, *at == ' ' ? ", " : at, *at == ' ' ? 2 : 1);
        out_text(o, "]");
        put_member("source", p[i].source);
        out_text(o, "}");
    }
    out_text(o, "]}\n");
}
static size_t longest(const tare_device_preset *p, size_t n, bool product) {
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(product ? p[i].product : p[i].name);
        if (length > most) most = length;
    }
    return most;
}
static void presets_text(const tare_device_preset *p, size_t n) {
    out *o = &std_out;
    int name = (int)longest(p, n, false), product = (int)longest(p, n, true);
    out_format(o, "%-*s  %10s   %-*s   memory\n", name, "name", "memory", product, "product");
    for (size_t i = 0; i < n; i++) {
        char bytes[32];
        const char *last = p[i].sizes ? strrchr(p[i].sizes, ' ') + 1 : "";
        out_format(o, "%-*s  %10s   %-*s   %s", name, p[i].name, bytes_text(p[i].bytes, bytes), product, p[i].product, p[i].source);
        if (p[i].sizes) out_format(o, ", of the smallest of %s GB; %s-%s is the largest", p[i].sizes, p[i].name, last);
        out_text(o, "\n");
    }
}

/* ---- that a plan would see ---- */

static void devices_json(const tare_device *d, size_t n) {
    out *o = &std_out;
    out_text(o, "{\"devices\": [");
    for (size_t i = 0; i < n; i++) {
        out_format(o, "%s{\"name\": ", i ? ",\n " : "");
        out_json(o, d[i].name);
        put_member("kind", kind_name(d[i].kind));
        if (d[i].unlimited) out_text(o, ", \"bytes\": null");
        else out_format(o, ", \"bytes\": %llu", (unsigned long long)d[i].bytes);
        out_format(o, ", \"margin\": %llu", (unsigned long long)d[i].margin);
        put_member("model", d[i].model);
        put_member("note", d[i].note);
        out_text(o, "}");
    }
    out_text(o, "]}\n");
}
static void device_text(const tare_device *d, int name, int amount, int model) {
    out *o = &std_out;
    char exact[32], about[32], margin[32];
    out_format(o, "%-*s  %*s  %10s   ", name, d->name, amount, d->unlimited ? "" : grouped(d->bytes, exact), d->unlimited ? "unlimited" : bytes_text(d->bytes, about));
    if (model) {
        out_safe(o, d->model ? d->model : "");
        out_spaces(o, (size_t)model - (d->model ? strlen(d->model) : 0) + 3);
    }
    out_safe(o, d->note);
    if (d->margin) out_format(o, "; %s held back", bytes_text(d->margin, margin));
    out_text(o, "\n");
}
static void devices_text(const tare_device *d, size_t n) {
    int name = 0, amount = 0, model = 0;
    for (size_t i = 0; i < n; i++) {
        char exact[32];
        int lengths[] = {(int)strlen(d[i].name), d[i].unlimited ? 0 : (int)strlen(grouped(d[i].bytes, exact)), d[i].model ? (int)strlen(d[i].model) : 0};
        if (lengths[0] > name) name = lengths[0];
        if (lengths[1] > amount) amount = lengths[1];
        if (lengths[2] > model) model = lengths[2];
    }
    for (size_t i = 0; i < n; i++) device_text(&d[i], name, amount, model);
}

/* ---- the command ---- */

static int list_presets(bool json) {
    const tare_device_preset *rows;
    size_t n = tare_device_presets(&rows);
    if (json) presets_json(rows, n);
    else presets_text(rows, n);
    return TARE_OK;
}
static int run(const args *a) {
    bool json = a->value[OPT_JSON];
    if (!a->n_words && a->value[OPT_MARGIN]) return fail_usage("--margin needs devices: tare devices auto --margin 1GiB\nsee: tare help devices");
    if (!a->n_words) return list_presets(json);
    tare_error err = {0};
    tare_devices_options o = {.margin = a->value[OPT_MARGIN]};
    tare_devices *d = tare_devices_open(a->words[0], &o, &err);
    if (!d) return fail(&err);
    const tare_device *rows;
    size_t n = tare_devices_rows(d, &rows);
    if (json) devices_json(rows, n);
    else devices_text(rows, n);
    tare_devices_free(d);
    return TARE_OK;
}

const command command_devices = {
    .name = "devices",
    .usage = "[DEVICES] [options]",
    .summary = "devices that are known by name, and what this host has",
    .about = "Lists the devices that are known by name, with the memory that a program gets. With DEVICES, what a plan may use of them:\n"
             "h100:2 (two of a kind), 0=10GB or cpu=30GiB (amounts), auto (this host: what is free now), or several with commas.\n",
    .examples = "  tare devices\n"
                "  tare devices auto\n"
                "  tare devices h100:2,rtx4090,cpu=64GB --margin 5%\n"
                "  tare devices 0=10GB,1=10GiB,disk=unlimited --json\n",
    .exits = "  0 listed\n",
    .options = BIT(OPT_MARGIN) | BIT(OPT_JSON),
    .max_words = 1,
    .run = run,
};
