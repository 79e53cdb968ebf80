/* tare devices: the devices that are known by name, and those that a plan would see. */
#include "cli.h"
#include <stdio.h>
#include <string.h>

const char *device_kind_name(tare_device_kind kind) {
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
        put_member("kind", device_kind_name(p[i].kind));
        out_format(o, ", \"bytes\": %llu, \"sizes\": [", (unsigned long long)p[i].bytes);
        for (const char *at = p[i].sizes; at && *at; at++) out_put(o, *at == ' ' ? ", " : at, *at == ' ' ? 2 : 1);
        out_text(o, "]");
        put_member("source", p[i].source);
        out_text(o, "}");
    }
    out_text(o, "]}\n");
}
/* "NVIDIA A100 80 GB", "Apple M2 Ultra, 64 128 192 GB" */
static size_t product_text(const tare_device_preset *p, char text[128]) {
    int n = snprintf(text, 128, "%s%s%s%s", p->product, p->sizes ? ", " : "", p->sizes ? p->sizes : "", p->sizes ? " GB" : "");
    return n > 0 ? (size_t)n : 0;
}
static void presets_text(const tare_device_preset *p, size_t n) {
    size_t name = 0, product = 0;
    char text[128], bytes[32];
    for (size_t i = 0; i < n; i++) {
        size_t length = product_text(&p[i], text);
        if (length > product) product = length;
        if (strlen(p[i].name) > name) name = strlen(p[i].name);
    }
    out_format(&std_out, "%-*s  %10s   %-*s   amount\n", (int)name, "name", "memory", (int)product, "product");
    for (size_t i = 0; i < n; i++) {
        product_text(&p[i], text);
        out_format(&std_out, "%-*s  %10s   %-*s   %s\n", (int)name, p[i].name, bytes_text(p[i].bytes, bytes), (int)product, text, p[i].source);
    }
}

/* ---- that a plan would see ---- */

static void devices_json(const tare_device_row *d, size_t n) {
    out *o = &std_out;
    out_text(o, "{\"devices\": [");
    for (size_t i = 0; i < n; i++) {
        out_format(o, "%s{\"name\": ", i ? ",\n " : "");
        out_json(o, d[i].name);
        put_member("kind", device_kind_name(d[i].kind));
        if (d[i].unlimited) out_text(o, ", \"bytes\": null");
        else out_format(o, ", \"bytes\": %llu", (unsigned long long)d[i].bytes);
        out_format(o, ", \"margin\": %llu", (unsigned long long)d[i].margin);
        put_member("model", d[i].model);
        put_member("note", d[i].note);
        out_text(o, "}");
    }
    out_text(o, "]}\n");
}
static void device_text(const tare_device_row *d, int name, int amount, int model) {
    out *o = &std_out;
    char exact[32], about[32], margin[32];
    const char *bytes = d->unlimited ? "" : grouped(d->bytes, exact), *words = d->unlimited ? "unlimited" : bytes_text(d->bytes, about);
    out_format(o, "%-*s  %*s  %10s   ", name, d->name, amount, bytes, words);
    if (model) {
        out_safe(o, d->model ? d->model : "");
        out_spaces(o, (size_t)model - (d->model ? strlen(d->model) : 0) + 3);
    }
    out_safe(o, d->note);
    if (d->margin) out_format(o, "; %s held back", bytes_text(d->margin, margin));
    out_text(o, "\n");
}
static int wider(int width, const char *text) {
    int n = (int)strlen(text);
    return n > width ? n : width;
}
static void devices_text(const tare_device_row *d, size_t n) {
    int name = 0, amount = 0, model = 0;
    for (size_t i = 0; i < n; i++) {
        char exact[32];
        name = wider(name, d[i].name);
        amount = wider(amount, d[i].unlimited ? "" : grouped(d[i].bytes, exact));
        model = wider(model, d[i].model ? d[i].model : "");
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
    const tare_device_row *rows;
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
             "h100:2 (two of a kind), 0=10GB or cpu=30GiB (amounts), auto (this host: what is free now), or several with commas.\n"
             "Of a name with several sizes NAME-SIZE picks one, m2-ultra-192 or a100-80, and NAME is the smallest.\n",
    .examples = "  tare devices\n"
                "  tare devices auto\n"
                "  tare devices h100:2,rtx4090,cpu=64GB --margin 5%\n"
                "  tare devices 0=10GB,1=10GiB,disk=unlimited --json\n",
    .exits = "  0 listed\n",
    .options = BIT(OPT_MARGIN) | BIT(OPT_JSON),
    .max_words = 1,
    .run = run,
};
