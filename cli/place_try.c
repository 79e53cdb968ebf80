/* What would change the answer: options that are tried before they are named, and the most that fits. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "place.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A plan of other options: a copy, so that the plan that was asked for stays. */
static bool try_with(const placing *p, const tare_model *m, const char *device, const char *max_memory, const tare_budget_options *memory,
                     tare_plan_verdict *v) {
    tare_error err = {0};
    placing other = *p;
    other.places = NULL, other.g = NULL;
    other.m = m, other.device = device, other.max_memory = max_memory;
    if (memory) other.memory.options = *memory;
    bool fits = place_make(&other, &err) && other.v.fits;
    *v = other.v;
    other.no_split = NULL, other.no_split_text = NULL; /* they are p's */
    place_free(&other);
    return fits;
}

/* ---- the most that fits ------------------------------------------------------------------------------------------ */

static bool fits_at(const placing *p, bool batch, uint64_t n) {
    tare_budget_options o = p->memory.options;
    tare_plan_verdict v;
    *(batch ? &o.batch : &o.context) = n;
    return try_with(p, p->m, p->device, p->max_memory, &o, &v);
}
/* More never needs less, so the largest that fits is found by halves; 0: not even 1. */
static uint64_t largest(const placing *p, bool batch) {
    uint64_t low = 0, high = 1;
    while (high < BUDGET_MOST && fits_at(p, batch, high)) low = high, high *= 2;
    while (high - low > 1) {
        uint64_t mid = low + (high - low) / 2;
        if (fits_at(p, batch, mid)) low = mid;
        else high = mid;
    }
    return low;
}
int place_most(placing *p, const char *of) {
    bool batch = strcmp(of, "batch") == 0;
    char number[32];
    tare_error err = {0};
    *(batch ? &p->memory.options.batch : &p->memory.options.context) = 1;
    if (!place_make(p, &err) && strcmp(err.code, "too_large")) return fail(&err); /* what is wrong is no answer */
    uint64_t n = largest(p, batch);
    bool any = n + 1 >= BUDGET_MOST;
    if (p->a->value[OPT_JSON]) {
        out_format(&std_out, "{\"tare\":1,\"class\":\"%s\",\"largest\":{\"%s\":", tare_model_class(p->m), of);
        if (any) out_text(&std_out, "null}}\n");
        else out_format(&std_out, "%" PRIu64 "}}\n", n);
    } else if (!n) {
        out_format(&std_out, "no %s fits\n", of);
    } else if (any) {
        out_format(&std_out, "any %s fits: nothing that is kept grows with it\n", of);
    } else {
        out_format(&std_out, "largest %s: %s\n", of, grouped(n, number));
    }
    return n ? TARE_OK : TARE_NO;
}

/* ---- what to try ------------------------------------------------------------------------------------------------- */

static void put_try(const char *line, const tare_plan_verdict *v) {
    char load[32];
    out_format(&std_out, "  try: %-34s", line);
    if (v->largest) out_format(&std_out, "  fits, %s on the fullest GPU\n", decimal_bytes(v->largest, load));
    else out_text(&std_out, "  fits\n");
}
/* Less of what was asked for: a shorter context, fewer sequences. */
static void try_less(const placing *p, bool batch) {
    char line[64];
    tare_plan_verdict v;
    tare_budget_options o = p->memory.options;
    uint64_t *n = batch ? &o.batch : &o.context;
    if (*n <= 1 || !(*n = largest(p, batch))) return;
    snprintf(line, sizeof line, "%s %" PRIu64, options[batch ? OPT_BATCH_SIZE : OPT_CONTEXT].name, *n);
    if (try_with(p, p->m, p->device, p->max_memory, &o, &v)) put_try(line, &v);
}
static void try_kv_dtype(const placing *p) {
    tare_plan_verdict v;
    tare_budget_options o = p->memory.options;
    if (!o.context || o.kv_dtype) return;
    o.kv_dtype = "float8_e4m3fn";
    if (try_with(p, p->m, p->device, p->max_memory, &o, &v)) put_try("--kv-dtype float8_e4m3fn", &v);
}
static void try_dtype(const placing *p) {
    tare_plan_verdict v;
    tare_open_options o = options_of(p->a);
    if (tare_model_dtype(p->m) != TARE_F32 || strcmp(p->a->words[0], "-") == 0) return;
    o.dtype = "bfloat16";
    tare_model *m = tare_model_open(p->a->words[0], &o, NULL);
    if (m && try_with(p, m, p->device, p->max_memory, NULL, &v)) put_try("--dtype bfloat16", &v);
    tare_model_free(m);
}
static void try_flag(const placing *p, option_id flag) {
    args a = *p->a;
    placing other = *p;
    tare_plan_verdict v;
    if (a.value[flag]) return;
    a.value[flag] = "";
    other.a = &a;
    if (try_with(&other, p->m, p->device, p->max_memory, NULL, &v)) put_try(options[flag].name, &v);
}
/* For a shell, which would part it where there is a space. */
static void memory_line(char *line, size_t size, const char *list) {
    const char *quote = strpbrk(list, " \t") ? "\"" : "";
    snprintf(line, size, "--max-memory %s%s%s", quote, list, quote);
}
/* As an amount is written: 2GB, 24GiB, else bytes. */
static void amount_text(uint64_t bytes, char text[32]) {
    static const struct { uint64_t bytes; const char *name; } units[] = {{1000000000, "GB"}, {1 << 30, "GiB"}, {1000000, "MB"}, {1 << 20, "MiB"}};
    for (size_t i = 0; bytes && i < sizeof units / sizeof *units; i++)
        if (bytes % units[i].bytes == 0) {
            snprintf(text, 32, "%" PRIu64 "%s", bytes / units[i].bytes, units[i].name);
            return;
        }
    snprintf(text, 32, "%" PRIu64, bytes);
}
/* One more of the last GPU, or several: by its name where devices were named, else by its amount. */
static void try_more(const placing *p) {
    const tare_device_row *rows, *last = NULL;
    char line[600], colon[500], amount[32];
    size_t n = tare_devices_rows(p->places, &rows), gpus = 0, more;
    tare_plan_verdict v;
    tare_error err = {0};
    for (size_t i = 0; i < n; i++)
        if (rows[i].kind == TARE_DEVICE_GPU) last = &rows[i], gpus++;
    if (!last || tare_plan_more(p->g, last->bytes, &more, &err) != TARE_OK || !more || more > 64) return;
    bool named = p->device && !strchr(p->device, ',') && strcmp(p->device, "auto") && strspn(p->device, "0123456789=") < strlen(p->device);
    if (named && !strchr(p->device, '=')) {
        snprintf(colon, sizeof colon, "%.*s:%zu", (int)strcspn(p->device, ":"), p->device, gpus + more);
        snprintf(line, sizeof line, "--device %s", colon);
        if (try_with(p, p->m, colon, p->max_memory, NULL, &v)) put_try(line, &v);
        return;
    }
    if ((!p->device && !p->max_memory) || (p->max_memory && *p->max_memory == '{')) return;
    amount_text(last->bytes + (p->a->value[OPT_MARGIN] ? last->margin : 0), amount);
    int used = snprintf(colon, sizeof colon, "%s", p->max_memory ? p->max_memory : "");
    for (size_t i = 1; i <= more && used >= 0 && (size_t)used < sizeof colon; i++)
        used += snprintf(colon + used, sizeof colon - (size_t)used, "%s%zu=%s", used ? "," : "", (size_t)last->id + i, amount);
    if (used < 0 || (size_t)used >= sizeof colon) return;
    memory_line(line, sizeof line, colon);
    if (try_with(p, p->m, p->device, colon, NULL, &v)) put_try(line, &v);
}
/* The smallest device of which as many as there are would do. */
static void try_larger(const placing *p) {
    const tare_device_preset *all, *best = NULL;
    tare_plan_verdict v, of_best = {0};
    char text[100], line[120];
    size_t n = tare_device_presets(&all);
    if (!p->v.gpus || p->max_memory) return;
    for (size_t i = 0; i < n; i++) {
        if (all[i].kind != TARE_DEVICE_GPU || all[i].sizes || (best && all[i].bytes >= best->bytes)) continue;
        snprintf(text, sizeof text, "%s:%zu", all[i].name, p->v.gpus);
        if (try_with(p, p->m, text, NULL, NULL, &v)) best = &all[i], of_best = v;
    }
    if (!best) return;
    snprintf(line, sizeof line, "--device %s:%zu", best->name, p->v.gpus);
    put_try(line, &of_best);
}
/* The list without what it says of the processor, and a comma where something follows. */
static bool all_but_cpu(const char *list, char *to, size_t size) {
    size_t used = 0;
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        if (strncmp(p + strspn(p, " "), "cpu=", 4)) {
            if (used + n + 2 > size) return false;
            memcpy(to + used, p, n);
            to[used + n] = ',';
            used += n + 1;
        }
        p += n + (p[n] == ',');
    }
    to[used] = '\0';
    return true;
}
/* The processor's memory, more of it or beside what there is. */
static void try_cpu(const placing *p) {
    const tare_device_row *rows;
    char others[400], list[440], line[460];
    tare_plan_verdict v;
    uint64_t bytes = p->v.missing;
    if ((!p->device && !p->max_memory) || (p->max_memory && *p->max_memory == '{')) return; /* an amount would replace this host's GPUs */
    for (size_t i = 0, n = tare_devices_rows(p->places, &rows); i < n; i++)
        if (rows[i].kind == TARE_DEVICE_CPU) bytes = rows[i].bytes > UINT64_MAX - bytes ? UINT64_MAX : bytes + rows[i].bytes;
    if (!all_but_cpu(p->max_memory ? p->max_memory : "", others, sizeof others)) return;
    uint64_t gigabytes = bytes / 1000000000 + 1;
    for (int i = 0; i < 6; i++, gigabytes += gigabytes / 8 + 1) { /* whole layers move, so a little more may be needed */
        snprintf(list, sizeof list, "%scpu=%" PRIu64 "GB", others, gigabytes);
        if (!try_with(p, p->m, p->device, list, NULL, &v)) continue;
        memory_line(line, sizeof line, list);
        put_try(line, &v);
        return;
    }
}
void place_try(const placing *p) {
    try_less(p, false);
    try_less(p, true);
    try_kv_dtype(p);
    try_dtype(p);
    try_flag(p, OPT_COPY_TIES);
    try_flag(p, OPT_SPLIT_EXPERTS);
    try_more(p);
    try_larger(p);
    try_cpu(p);
}
