/* tare map, the best plan: what was asked, and the plan of it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "place.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_classes(placing *p, const char *list) {
    size_t n = 1;
    for (const char *c = list; *c; c++) n += *c == ',';
    p->no_split_text = strdup(list);
    p->no_split = calloc(n + 1, sizeof *p->no_split);
    if (!p->no_split_text || !p->no_split) return fail_with(TARE_IO, "out_of_memory", "out of memory"), false;
    n = 0;
    for (char *c = strtok(p->no_split_text, ","); c; c = strtok(NULL, ",")) p->no_split[n++] = c;
    return true;
}

/* A class that is not there may be a wish for all models, or misspelt. */
typedef struct seeking { const char *name; bool found; } seeking;
static bool seek(void *to, const tare_item *item) {
    seeking *s = to;
    s->found = item->kind == TARE_MODULE && strcmp(item->class_name, s->name) == 0;
    return !s->found;
}
static void tell_unknown(const placing *p) {
    for (const char **c = p->no_split; c && *c; c++) {
        seeking s = {*c, false};
        out text = {.fd = -1};
        tare_model_walk(p->m, seek, &s, NULL);
        if (s.found) continue;
        out_text(&text, "no module of this model is of the class ");
        out_safe(&text, *c);
        out_put(&text, "", 1);
        if (!text.failed) note(text.data);
        out_free(&text);
    }
}

/* Questions that exclude each other, and what only one of them looks at. */
static bool go_together(const args *a) {
    static const struct { option_id one, other; } pairs[] = {
        {OPT_VERIFY_MAP, OPT_MAX}, {OPT_VERIFY_MAP, OPT_EXPORT}, {OPT_VERIFY_MAP, OPT_EXPLAIN}, {OPT_VERIFY_MAP, OPT_CONTEXT},
        {OPT_VERIFY_MAP, OPT_TRAINING}, {OPT_VERIFY_MAP, OPT_FILE_DTYPE}, {OPT_VERIFY_MAP, OPT_SPLIT_EXPERTS}, {OPT_VERIFY_MAP, OPT_COPY_TIES},
        {OPT_MAX, OPT_EXPORT}, {OPT_MAX, OPT_EXPLAIN}, {OPT_EXPORT, OPT_EXPLAIN}};
    const char *max = a->value[OPT_MAX], *export = a->value[OPT_EXPORT], *file = a->value[OPT_VERIFY_MAP];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (a->value[pairs[i].one] && a->value[pairs[i].other])
            return fail_usage("%s does not go with %s", options[pairs[i].other].name, options[pairs[i].one].name), false;
    if (export && strcmp(export, "llama.cpp") && strcmp(export, "transformers"))
        return fail_usage("--export is transformers or llama.cpp, not \"%s\"", export), false;
    if (file && strcmp(file, "-") == 0 && strcmp(a->words[0], "-") == 0)
        return fail_usage("standard input is the model already: name a file for --verify-map"), false;
    if (!max) return true;
    if (strcmp(max, "context") && strcmp(max, "batch")) return fail_usage("--max is context or batch, not \"%s\"", max), false;
    if (*max == 'c' && a->value[OPT_CONTEXT]) return fail_usage("--max context seeks what --context says: give one of them"), false;
    if (*max == 'b' && a->value[OPT_BATCH_SIZE]) return fail_usage("--max batch seeks what --batch-size says: give one of them"), false;
    if (*max == 'b' && !a->value[OPT_CONTEXT]) return fail_usage("--max batch needs --context, the tokens of each sequence"), false;
    return true;
}

bool place_read(placing *p, const args *a, const tare_model *m) {
    static const option_id theirs[] = {OPT_MODE, OPT_KEEP_PARTS, OPT_OFFLOAD_BUFFERS, OPT_FALLBACK};
    *p = (placing){.a = a, .m = m, .device = a->value[OPT_DEVICE], .max_memory = a->value[OPT_MAX_MEMORY]};
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
        if (a->value[theirs[i]]) return fail_usage("%s goes with --accelerate", options[theirs[i]].name), false;
    if (!go_together(a) || !budget_read(&p->memory, a)) return false;
    if (!a->value[OPT_NO_SPLIT]) return true;
    if (!read_classes(p, a->value[OPT_NO_SPLIT])) return false;
    tell_unknown(p);
    return true;
}

static void drop_plan(placing *p) {
    tare_plan_free(p->g);
    tare_devices_free(p->places);
    p->g = NULL;
    p->places = NULL;
}

bool place_make(placing *p, tare_error *err) {
    tare_devices_options o = {.max_memory = p->max_memory, .margin = p->a->value[OPT_MARGIN]};
    drop_plan(p);
    p->places = tare_devices_open(p->device, &o, err);
    if (!p->places) return false;
    tare_plan_options how = {.places = p->places, .no_split = p->no_split, .budget = &p->memory.options,
                             .split_experts = p->a->value[OPT_SPLIT_EXPERTS], .copy_ties = p->a->value[OPT_COPY_TIES]};
    p->g = tare_plan_make(p->m, &how, err);
    if (p->g) tare_plan_verdict_of(p->g, &p->v);
    return p->g != NULL;
}

void place_free(placing *p) {
    drop_plan(p);
    free(p->no_split_text);
    free(p->no_split);
}

const char *decimal_bytes(uint64_t bytes, char text[32]) {
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double n = (double)bytes;
    size_t unit = 0;
    while (n >= 999.995 && unit + 1 < sizeof units / sizeof *units) n /= 1000, unit++;
    snprintf(text, 32, unit ? "%.2f %s" : "%.0f %s", n, units[unit]);
    return text;
}

/* ---- JSON ----------------------------------------------------------------------------------------------------- */

static void put_number(const char *name, uint64_t n) { out_format(&std_out, ",\"%s\":%llu", name, (unsigned long long)n); }
static void put_device(const tare_plan_device *d, bool first) {
    out_format(&std_out, "%s{\"name\":\"%s\",\"kind\":\"%s\",\"room\":", first ? "" : ",", d->name, device_kind_name(d->kind));
    if (d->room == UINT64_MAX) out_text(&std_out, "null");
    else out_format(&std_out, "%llu", (unsigned long long)d->room);
    put_number("load", d->load), put_number("weights", d->weights), put_number("cache", d->cache), put_number("training", d->training);
    put_number("logits", d->logits), put_number("running", d->running);
    out_text(&std_out, "}");
}
typedef struct listing { const placing *p; bool begun; } listing;
static bool put_part(void *to, const tare_plan_part *part) {
    listing *l = to;
    const tare_plan_device *d;
    tare_plan_devices(l->p->g, &d);
    out_format(&std_out, "%s\n{\"path\":", l->begun ? "," : "");
    out_json(&std_out, part->path);
    out_text(&std_out, ",\"class\":");
    out_json(&std_out, part->class_name);
    out_text(&std_out, ",\"device\":");
    out_json(&std_out, part->device == SIZE_MAX ? NULL : d[part->device].name);
    put_number("bytes", part->bytes), put_number("cache", part->cache), put_number("training", part->training), put_number("logits", part->logits);
    out_text(&std_out, "}");
    return l->begun = true;
}
void place_json(const placing *p) {
    const tare_plan_device *d;
    const tare_plan_verdict *v = &p->v;
    size_t n = tare_plan_devices(p->g, &d);
    out_format(&std_out, "{\"tare\":1,\"class\":\"%s\",\"fits\":%s", tare_model_class(p->m), v->fits ? "true" : "false");
    put_number("total", v->total), put_number("missing", v->missing), put_number("off_gpus", v->off_gpus), put_number("on_disk", v->on_disk);
    put_number("largest", v->largest), put_number("copied", v->copied), put_number("blocks", v->blocks);
    out_text(&std_out, ",\"stuck\":");
    out_json(&std_out, v->stuck);
    out_text(&std_out, ",\"breaks\":");
    out_json(&std_out, v->breaks);
    out_text(&std_out, ",\"devices\":[");
    for (size_t i = 0; i < n; i++) put_device(&d[i], i == 0);
    out_text(&std_out, "],\"map\":");
    map_put_json(&std_out, p->g, " ");
    if (p->a->value[OPT_EXPLAIN]) {
        listing l = {.p = p};
        out_text(&std_out, ",\"parts\":[");
        tare_plan_parts(p->g, put_part, &l);
        out_text(&std_out, "]");
    }
    out_text(&std_out, "}\n");
}
