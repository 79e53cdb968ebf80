/* tare map: which device every part of a model goes to. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "map.h"
#include "place.h"
#include "lines.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool map_mode(const char *name, tare_map_mode *mode) {
    static const char *const names[] = {"infer", "auto", "balanced", "balanced_low_0", "sequential"};
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (strcmp(names[i], name) == 0) return *mode = (tare_map_mode)i, true;
    return false;
}

void map_put_bytes(out *o, double bytes) {
    if (isnan(bytes)) out_text(o, "NaN");
    else if (isinf(bytes)) out_text(o, bytes < 0 ? "-Infinity" : "Infinity");
    else out_format(o, bytes == floor(bytes) ? "%.0f" : "%.17g", bytes);
}

static void put_device(out *o, const tare_plan_device *d) {
    if (d->is_number) out_text(o, d->name);
    else out_json(o, d->name);
}

void map_put_json(out *o, const tare_plan *g, const char *space) {
    const tare_plan_entry *e;
    const tare_plan_device *d;
    size_t n = tare_plan_entries(g, &e);
    tare_plan_devices(g, &d);
    out_text(o, "{");
    for (size_t i = 0; i < n; i++) {
        if (i) out_format(o, ",%s", space);
        out_json(o, e[i].module);
        out_format(o, ":%s", space);
        put_device(o, &d[e[i].device]);
    }
    out_text(o, "}");
}

/* ---- what was asked for ---------------------------------------------------------------------------------------- */

typedef struct wish { /* lists of options, taken apart in a copy of their text */
    char *devices_text, *no_split_text;
    tare_device *devices;
    const char **no_split;
    tare_plan_options o;
} wish;

static size_t pieces(const char *text) {
    size_t n = 1;
    for (; *text; text++) n += *text == ',';
    return n;
}

static bool whole_number(const char *text, int64_t *n) {
    char *end;
    errno = 0;
    *n = strtoll(text, &end, 10);
    return *text && (*text == '-' || (*text >= '0' && *text <= '9')) && !*end && !errno;
}

static bool read_device(char *text, tare_device *d) {
    char *equals = strchr(text, '=');
    int64_t number, bytes = 0;
    if (!equals || equals == text) return fail_usage("--max-memory is DEVICE=SIZE,...: 0=10GB,cpu=30GB; \"%s\" is not", text), false;
    *equals = '\0';
    bool numbered = whole_number(text, &number), plain = whole_number(equals + 1, &bytes);
    *d = (tare_device){.name = numbered ? NULL : text, .index = numbered ? number : 0, .size = plain ? NULL : equals + 1,
                       .has_bytes = plain, .bytes = (double)bytes};
    return true;
}

static bool read_devices(wish *w, const char *list) {
    w->devices_text = strdup(list);
    w->devices = calloc(pieces(list), sizeof *w->devices);
    if (!w->devices_text || !w->devices) return fail_with(TARE_IO, "out_of_memory", "out of memory"), false;
    size_t n = 0;
    for (char *p = w->devices_text, *next; p; p = next) {
        next = strchr(p, ',');
        if (next) *next++ = '\0';
        if (!read_device(p, &w->devices[n++])) return false;
    }
    w->o.devices = w->devices;
    w->o.device_count = n;
    return true;
}

static bool read_no_split(wish *w, const char *list) {
    w->no_split_text = strdup(list);
    w->no_split = calloc(pieces(list) + 1, sizeof *w->no_split);
    if (!w->no_split_text || !w->no_split) return fail_with(TARE_IO, "out_of_memory", "out of memory"), false;
    size_t n = 0;
    for (char *p = w->no_split_text, *next; p; p = next) {
        next = strchr(p, ',');
        if (next) *next++ = '\0';
        if (*p) w->no_split[n++] = p;
    }
    w->o.no_split = w->no_split;
    return true;
}

static bool wish_read(wish *w, const args *a) {
    const char *mode = a->value[OPT_MODE];
    *w = (wish){.o = {.accelerate = a->value[OPT_ACCELERATE], .keep_parts = a->value[OPT_KEEP_PARTS],
                      .offload_buffers = a->value[OPT_OFFLOAD_BUFFERS], .fallback_allocation = a->value[OPT_FALLBACK]}};
    if (!a->value[OPT_MAX_MEMORY]) return fail_usage("say what there is: --max-memory 0=10GB,1=10GB,cpu=30GB"), false;
    if (mode && !map_mode(mode, &w->o.mode))
        return fail_usage("--mode is infer, auto, balanced, balanced_low_0 or sequential, not \"%s\"", mode), false;
    if (!read_devices(w, a->value[OPT_MAX_MEMORY])) return false;
    return !a->value[OPT_NO_SPLIT] || read_no_split(w, a->value[OPT_NO_SPLIT]);
}

static void wish_free(wish *w) {
    free(w->devices_text);
    free(w->no_split_text);
    free(w->devices);
    free(w->no_split);
}

/* ---- one model ------------------------------------------------------------------------------------------------- */

static void print_lines(const tare_plan *g) {
    const tare_plan_entry *e;
    const tare_plan_device *d;
    size_t n = tare_plan_entries(g, &e), devices = tare_plan_devices(g, &d), width = 0;
    for (size_t i = 0; i < devices; i++)
        if (strlen(d[i].name) > width) width = strlen(d[i].name);
    for (size_t i = 0; i < n; i++) {
        const char *device = d[e[i].device].name;
        out_text(&std_out, device);
        out_spaces(&std_out, width - strlen(device) + 2);
        out_text(&std_out, *e[i].module ? e[i].module : "(the whole model)");
        out_text(&std_out, "\n");
    }
}

static int print_plan(const args *a, const tare_plan *g) {
    const char *const *remarks;
    size_t n = tare_plan_remarks(g, &remarks);
    if (a->value[OPT_JSON]) {
        map_put_json(&std_out, g, " ");
        out_text(&std_out, "\n");
    } else {
        print_lines(g);
    }
    for (size_t i = 0; i < n; i++) note(remarks[i]);
    return TARE_OK;
}

static int map_model(const args *a, const tare_model *m) {
    wish w;
    tare_error err = {0};
    int status = TARE_USAGE;
    if (wish_read(&w, a)) {
        tare_plan *g = tare_plan_make(m, &w.o, &err);
        status = g ? print_plan(a, g) : fail(&err);
        tare_plan_free(g);
    }
    wish_free(&w);
    return status;
}

/* ---- the best plan ---------------------------------------------------------------------------------------------- */

static int show_plan(placing *p) {
    const args *a = p->a;
    tare_error err = {0};
    if (!place_make(p, &err)) return fail(&err);
    if (a->value[OPT_EXPORT]) return place_export(p, a->value[OPT_EXPORT]);
    if (a->value[OPT_JSON]) place_json(p);
    else place_text(p);
    return p->v.fits ? TARE_OK : TARE_NO;
}
static int check_map(placing *p) {
    tare_error err = {0};
    tare_devices_options o = {.max_memory = p->max_memory, .margin = p->a->value[OPT_MARGIN]};
    if (p->device || p->max_memory) p->places = tare_devices_open(p->device, &o, &err);
    return (p->device || p->max_memory) && !p->places ? fail(&err) : place_check(p, p->a->value[OPT_VERIFY_MAP]);
}
static int place_model(const args *a, const tare_model *m) {
    placing p;
    int status = TARE_USAGE;
    if (place_read(&p, a, m)) {
        if (a->value[OPT_VERIFY_MAP]) status = check_map(&p);
        else if (a->value[OPT_MAX]) status = place_most(&p, a->value[OPT_MAX]);
        else status = show_plan(&p);
    }
    place_free(&p);
    return status;
}

static bool goes_with_accelerate(const args *a) {
    static const option_id ours[] = {OPT_DEVICE, OPT_MARGIN, OPT_TRAINING, OPT_CONTEXT, OPT_BATCH_SIZE, OPT_KV_DTYPE, OPT_SOURCE, OPT_ACTIVATIONS,
                                     OPT_FILE_DTYPE, OPT_SPLIT_EXPERTS, OPT_COPY_TIES, OPT_EXPLAIN, OPT_MAX, OPT_VERIFY_MAP, OPT_EXPORT};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (a->value[ours[i]]) return fail_usage("%s does not go with --accelerate, which knows amounts alone", options[ours[i]].name), false;
    return true;
}
static int run(const args *a) {
    if (a->value[OPT_BATCH]) return map_batch(a);
    if (a->value[OPT_THREADS]) return fail_usage("--threads goes with --batch");
    if (!a->n_words) return fail_usage("map needs a MODEL, or --batch\nusage: tare map %s", a->command->usage);
    if (!a->value[OPT_ACCELERATE]) return with_model(a, place_model);
    return goes_with_accelerate(a) ? with_model(a, map_model) : TARE_USAGE;
}

const command command_map = {
    .name = "map",
    .usage = "MODEL [--device LIST] [--max-memory LIST] [options] | MODEL --accelerate --max-memory LIST | --batch",
    .summary = "which device every part of a model goes to, and whether it fits",
    .about = "Places the layers, in their order and whole, on devices that are here or only described, so that as little\n"
             "as possible is off the GPUs and then the fullest GPU holds as little as possible: no such placement is\n"
             "better. --context, --batch-size, --kv-dtype, --activations and --training make room for what lies with\n"
             "the weights. --explain shows each part; --max context or --max batch says how much fits. When it does\n"
             "not fit, each line that begins with try: was tried. --verify-map FILE holds a map against the model.\n"
             "--accelerate prints what accelerate's infer_auto_device_map() makes of the same amounts, in the same\n"
             "order; --mode balances them first, as get_balanced_memory() does; --json is what device_map= takes.\n",
    .examples = "  tare map bigscience/bloom-7b1 --dtype float16 --max-memory 0=10GB,1=10GB,cpu=30GB\n"
                "  tare map meta-llama/Llama-2-70b-hf --device a100-80:2 --context 8192 --explain\n"
                "  tare map meta-llama/Llama-2-70b-hf --device h100:2 --max context\n"
                "  tare map bigscience/bloom-7b1 --accelerate --dtype float16 --max-memory 0=10GB,1=10GB,cpu=30GB --json\n",
    .exits = "  0 it fits, or was printed; 1 it does not fit; with --batch: 0, or 1 if any line failed\n",
    .options = MODEL_OPTIONS | BUDGET_OPTIONS | BIT(OPT_ACCELERATE) | BIT(OPT_MAX_MEMORY) | BIT(OPT_MODE) | BIT(OPT_NO_SPLIT) |
               BIT(OPT_KEEP_PARTS) | BIT(OPT_OFFLOAD_BUFFERS) | BIT(OPT_FALLBACK) | BIT(OPT_DEVICE) | BIT(OPT_MARGIN) | BIT(OPT_SPLIT_EXPERTS) |
               BIT(OPT_COPY_TIES) | BIT(OPT_EXPLAIN) | BIT(OPT_MAX) | BIT(OPT_VERIFY_MAP) | BIT(OPT_EXPORT) | BIT(OPT_BATCH) | BIT(OPT_THREADS) |
               BIT(OPT_JSON),
    .of_loaded = true,
    .min_words = 0,
    .max_words = 1,
    .run = run,
};
