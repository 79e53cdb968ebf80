/* --verify-map FILE: a map that somebody made, against the model and the amounts; --export: a plan in another's words. */
#include "place.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a map from a file ------------------------------------------------------------------------------------------- */

static const char *fault_name(tare_fault_kind kind) {
    static const char *const names[] = {"no device", "cut", "apart", "unknown"};
    return names[kind];
}
/* The amount of a device that was given; UINT64_MAX: there is no limit, or none is known. */
static uint64_t room_of(const placing *p, const char *name) {
    const tare_device_row *rows;
    size_t n = p->places ? tare_devices_rows(p->places, &rows) : 0;
    if (strncmp(name, "cuda:", 5) == 0) name += 5;
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0) return rows[i].unlimited ? UINT64_MAX : rows[i].bytes;
    return n && *name >= '0' && *name <= '9' ? 0 : UINT64_MAX; /* a GPU that is not among those that are there */
}
typedef struct finding { size_t homeless, over; } finding;
static finding find(const placing *p, const tare_map_check *c) {
    const tare_fault *f;
    const tare_map_device *d;
    finding found = {0};
    for (size_t i = 0, n = tare_map_check_faults(c, &f); i < n; i++) found.homeless += f[i].kind == TARE_FAULT_NO_DEVICE;
    for (size_t i = 0, n = tare_map_check_devices(c, &d); i < n; i++) found.over += d[i].bytes > room_of(p, d[i].name);
    return found;
}
static void check_text(const placing *p, const tare_map_check *c, const finding *found) {
    const tare_fault *f;
    const tare_map_device *d;
    char text[32], room[32];
    size_t n = tare_map_check_faults(c, &f), k = tare_map_check_devices(c, &d);
    if (found->homeless) out_format(&std_out, "incomplete: %zu part%s without a device\n", found->homeless, found->homeless == 1 ? "" : "s");
    else if (found->over) out_format(&std_out, "does not fit: more than there is on %zu device%s\n", found->over, found->over == 1 ? "" : "s");
    else out_text(&std_out, "complete: every tensor has a device\n");
    for (size_t i = 0; i < k; i++) {
        uint64_t most = room_of(p, d[i].name);
        out_text(&std_out, "  ");
        out_safe(&std_out, d[i].name);
        out_spaces(&std_out, strlen(d[i].name) < 6 ? 6 - strlen(d[i].name) : 0);
        out_format(&std_out, " %11s   %" PRIu64 " bytes", decimal_bytes(d[i].bytes, text), d[i].bytes);
        if (most != UINT64_MAX) out_format(&std_out, "   %s %s", d[i].bytes > most ? "more than the" : "of", decimal_bytes(most, room));
        out_text(&std_out, "\n");
    }
    for (size_t i = 0; i < n; i++) {
        out_format(&std_out, "  %-9s  ", fault_name(f[i].kind));
        out_safe(&std_out, *f[i].path || f[i].kind == TARE_FAULT_UNKNOWN ? f[i].path : "(the whole model)");
        if (f[i].kind == TARE_FAULT_CUT) out_format(&std_out, " (%s)", f[i].other);
        if (f[i].kind == TARE_FAULT_APART) out_format(&std_out, " from %s, which it is tied to", f[i].other);
        if (f[i].bytes) out_format(&std_out, "   %s", decimal_bytes(f[i].bytes, text));
        out_text(&std_out, "\n");
    }
}
static void check_json(const tare_map_check *c, const finding *found) {
    const tare_fault *f;
    const tare_map_device *d;
    size_t n = tare_map_check_faults(c, &f), k = tare_map_check_devices(c, &d);
    out_format(&std_out, "{\"tare\":1,\"complete\":%s,\"fits\":%s,\"devices\":[", found->homeless ? "false" : "true", found->over ? "false" : "true");
    for (size_t i = 0; i < k; i++) {
        out_text(&std_out, i ? ",{\"name\":" : "{\"name\":");
        out_json(&std_out, d[i].name);
        out_format(&std_out, ",\"bytes\":%" PRIu64 "}", d[i].bytes);
    }
    out_text(&std_out, "],\"faults\":[");
    for (size_t i = 0; i < n; i++) {
        out_format(&std_out, "%s{\"kind\":\"%s\",\"path\":", i ? "," : "", fault_name(f[i].kind));
        out_json(&std_out, f[i].path);
        out_text(&std_out, ",\"other\":");
        out_json(&std_out, f[i].other);
        out_format(&std_out, ",\"bytes\":%" PRIu64 "}", f[i].bytes);
    }
    out_text(&std_out, "]}\n");
}
int place_check(const placing *p, const char *file) {
    out text = {.fd = -1};
    tare_error err = {0};
    int status = TARE_IO;
    if (read_map_file(file, &text)) {
        tare_map_check *c = tare_map_check_open(p->m, text.data ? text.data : "", text.n, p->no_split, &err);
        if (c) {
            finding found = find(p, c);
            if (p->a->value[OPT_JSON]) check_json(c, &found);
            else check_text(p, c, &found);
            status = found.homeless || found.over ? TARE_NO : TARE_OK;
        } else status = fail(&err);
        tare_map_check_free(c);
    }
    out_free(&text);
    return status;
}

/* ---- --export ------------------------------------------------------------------------------------------------------ */

typedef struct layers { /* of the one list that a decoder is */
    uint64_t *on;           /* of each device */
    size_t devices;
    char list[300];         /* "model.layers." */
    size_t list_n;
    bool head_on_gpu, other;
    const tare_plan_device *d;
} layers;
static bool see_layer(void *to, const tare_plan_part *part) {
    layers *l = to;
    const char *dot = strrchr(part->path, '.');
    bool numbered = dot && dot[1] && strspn(dot + 1, "0123456789") == strlen(dot + 1);
    bool on_gpu = part->device != SIZE_MAX && l->d[part->device].kind <= TARE_DEVICE_MPS;
    if (!numbered) {
        if (!strstr(part->path, "embed") && part->bytes) l->head_on_gpu = on_gpu;
        return true;
    }
    size_t n = (size_t)(dot + 1 - part->path);
    if (!l->list_n) snprintf(l->list, sizeof l->list, "%.*s", (int)n, part->path), l->list_n = n;
    l->other |= l->list_n != n || strncmp(l->list, part->path, n) != 0;
    if (part->device != SIZE_MAX) l->on[part->device]++;
    return true;
}
/* llama.cpp counts layers from the last one back to its GPUs, and the head as one more. */
static int export_llama_cpp(const placing *p) {
    const tare_plan_device *d;
    size_t n = tare_plan_devices(p->g, &d);
    layers l = {.on = calloc(n + 1, sizeof *l.on), .devices = n, .d = d};
    uint64_t gpu_layers = 0, all = 0;
    if (!l.on) return fail_with(TARE_IO, "out_of_memory", "out of memory");
    tare_plan_parts(p->g, see_layer, &l);
    for (size_t i = 0; i < n; i++) all += l.on[i], gpu_layers += d[i].kind <= TARE_DEVICE_MPS ? l.on[i] : 0;
    bool one_list = l.list_n && !l.other;
    if (!one_list) {
        free(l.on);
        return fail_with(TARE_NO, "not_available", "llama.cpp's flags are for models of one list of layers; %s has none, or several",
                         tare_model_class(p->m));
    }
    out_format(&std_out, "--n-gpu-layers %" PRIu64, gpu_layers + (l.head_on_gpu && gpu_layers == all));
    const char *before = " --tensor-split ";
    for (size_t i = 0; p->v.gpus > 1 && i < n; i++)
        if (d[i].kind <= TARE_DEVICE_MPS) out_format(&std_out, "%s%" PRIu64, before, l.on[i]), before = ",";
    out_text(&std_out, "\n");
    free(l.on);
    return TARE_OK;
}
int place_export(const placing *p, const char *format) {
    char missing[32];
    if (!p->v.fits) return fail_with(TARE_NO, "does_not_fit", "does not fit: %s short\nwithout --export, map says what would help",
                                     decimal_bytes(p->v.missing, missing));
    if (strcmp(format, "llama.cpp") == 0) return export_llama_cpp(p);
    const tare_plan_entry *e;
    for (size_t i = 0, n = tare_plan_entries(p->g, &e); i < n; i++)
        if (strchr(e[i].module, '['))
            return fail_with(TARE_NO, "not_available", "a device_map has no names for single experts such as %s", e[i].module);
    map_put_json(&std_out, p->g, " ");
    out_text(&std_out, "\n");
    return TARE_OK;
}
