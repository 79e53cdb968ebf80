/* A plan in words: the verdict, a line for each device, and why none is better. */
#include "place.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names, equal neighbours of a list as one ----------------------------------------------------------------- */

typedef struct run { /* PREFIX.{first...last} */
    const char *path;
    size_t prefix;       /* of path, its dot too; the whole of it where no number ends it */
    long long first, last;
} run;

static run run_of(const char *path) {
    const char *dot = strrchr(path, '.'), *number = dot ? dot + 1 : path;
    bool numbered = *number && strspn(number, "0123456789") == strlen(number);
    long long n = numbered ? atoll(number) : 0;
    return (run){path, numbered ? (size_t)(number - path) : strlen(path), n, n};
}
static bool joins(const run *r, const run *next) {
    bool both = r->path[r->prefix] && next->path[next->prefix] && r->prefix == next->prefix;
    return both && strncmp(r->path, next->path, r->prefix) == 0 && next->first == r->last + 1;
}
static void put_run(out *o, const run *r) {
    out_put(o, r->path, r->prefix);
    if (!r->path[r->prefix]) {
        if (!*r->path) out_text(o, "all of it");
    } else if (r->first == r->last) out_format(o, "%lld", r->first);
    else out_format(o, "{%lld...%lld}", r->first, r->last);
}
/* The tensor that a module of one tied weight holds, in words. */
static void put_tie(out *o, const tare_model *m, const char *path) {
    char name[600];
    snprintf(name, sizeof name, "%s.weight", path);
    const tare_item *t = tare_tensor_find(m, name);
    if (t && t->owner) out_format(o, " (tied to %s)", t->owner);
}
static void put_names(out *o, const placing *p, size_t device) {
    const tare_plan_entry *e;
    size_t n = tare_plan_entries(p->g, &e), names = 0;
    run now = {.path = NULL};
    for (size_t i = 0; i <= n; i++) {
        if (i < n && e[i].device != device) continue;
        run next = i < n ? run_of(e[i].module) : (run){.path = NULL};
        if (i < n && now.path && joins(&now, &next)) {
            now.last = next.last;
            continue;
        }
        if (now.path) {
            if (names++) out_text(o, ", ");
            put_run(o, &now);
            if (!now.path[now.prefix]) put_tie(o, p->m, now.path);
        }
        now = next;
    }
}

/* ---- the verdict ----------------------------------------------------------------------------------------------- */

typedef struct sums { uint64_t weights, cache, training, logits, room; size_t used; } sums;
static bool add_part(void *to, const tare_plan_part *part) {
    sums *s = to;
    s->weights += part->bytes, s->cache += part->cache, s->training += part->training, s->logits += part->logits;
    return true;
}
static sums sums_of(const placing *p) {
    const tare_plan_device *d;
    sums s = {0};
    tare_plan_parts(p->g, add_part, &s);
    for (size_t i = 0, n = tare_plan_devices(p->g, &d); i < n; i++) {
        s.used += d[i].load > 0;
        s.room = d[i].room > UINT64_MAX - s.room ? UINT64_MAX : s.room + d[i].room;
    }
    return s;
}
static void put_amounts(const sums *s, const tare_plan_verdict *v) {
    char text[32];
    out_format(&std_out, "%s of weights", decimal_bytes(s->weights, text));
    if (s->cache) out_format(&std_out, " + %s of cache", decimal_bytes(s->cache, text));
    if (s->training) out_format(&std_out, " + %s of gradients and states", decimal_bytes(s->training, text));
    if (s->logits) out_format(&std_out, " + %s of logits", decimal_bytes(s->logits, text));
    if (v->copied) out_format(&std_out, " + %s of copies", decimal_bytes(v->copied, text));
}
static const tare_plan_device *fullest(const placing *p) {
    const tare_plan_device *d, *best = NULL;
    for (size_t i = 0, n = tare_plan_devices(p->g, &d); i < n; i++)
        if (d[i].kind <= TARE_DEVICE_MPS && (!best || d[i].load > best->load)) best = &d[i];
    return best;
}
static void put_elsewhere(const placing *p) {
    const tare_plan_device *d;
    char text[32];
    size_t n = tare_plan_devices(p->g, &d);
    if (!p->v.gpus) return;
    if (!p->v.off_gpus) {
        for (size_t i = 0; i < n; i++)
            if (d[i].kind > TARE_DEVICE_MPS) out_format(&std_out, ", nothing on %s", d[i].name);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (d[i].kind > TARE_DEVICE_MPS && d[i].load) out_format(&std_out, ", %s of it on %s", decimal_bytes(d[i].load, text), d[i].name);
}
static void put_fits(const placing *p, const sums *s) {
    const tare_plan_device *d = fullest(p);
    char load[32], room[32];
    out_text(&std_out, "fits: ");
    put_amounts(s, &p->v);
    out_format(&std_out, " on %zu device%s", s->used, s->used == 1 ? "" : "s");
    if (d && d->load) out_format(&std_out, ", largest %s", decimal_bytes(d->load, load));
    if (d && d->load && d->room != UINT64_MAX) out_format(&std_out, " of %s", decimal_bytes(d->room, room));
    put_elsewhere(p);
    out_text(&std_out, "\n");
}
static void put_short(const placing *p, const sums *s) {
    char room[32], missing[32];
    out_text(&std_out, "does not fit: ");
    put_amounts(s, &p->v);
    out_format(&std_out, " against %s: %s short\n", decimal_bytes(s->room, room), decimal_bytes(p->v.missing, missing));
}

/* ---- devices --------------------------------------------------------------------------------------------------- */

enum { BAR = 20 };
static void put_bar(const tare_plan_device *d) {
    size_t full = d->room == UINT64_MAX || !d->room ? 0 : (size_t)((double)d->load / (double)d->room * (double)BAR + 0.5);
    if (d->load && !full) full = 1;
    if (full > BAR) full = BAR;
    for (size_t i = 0; i < BAR; i++) out_text(&std_out, i < full ? "#" : "-");
}
/* When a device holds what is not there at rest. */
static const char *besides(const placing *p) {
    return !p->memory.options.activations ? "loads" : p->memory.loading ? "loads or runs" : "runs";
}
static void put_devices(const placing *p) {
    const tare_plan_device *d;
    size_t n = tare_plan_devices(p->g, &d), width = 0;
    char load[32];
    for (size_t i = 0; i < n; i++)
        if (strlen(d[i].name) > width) width = strlen(d[i].name);
    for (size_t i = 0; i < n; i++) {
        if (!d[i].load && d[i].kind > TARE_DEVICE_MPS) continue;
        out_format(&std_out, "  %-*s  ", (int)width, d[i].name);
        put_bar(&d[i]);
        out_format(&std_out, "  %11s   ", decimal_bytes(d[i].load, load));
        put_names(&std_out, p, i);
        if (!d[i].load) out_text(&std_out, "empty");
        if (d[i].running && d[i].load) out_format(&std_out, "   (and %s while it %s)", decimal_bytes(d[i].running, load), besides(p));
        out_text(&std_out, "\n");
    }
}

/* ---- --explain: a line for each part, equal neighbours as one ---------------------------------------------------- */

typedef struct table { const placing *p; char *path; run now; tare_plan_part part; uint64_t times; } table;
static void put_row(const table *t) {
    const tare_plan_device *d;
    char each[32], extra[32];
    out name = {.fd = -1};
    tare_plan_devices(t->p->g, &d);
    put_run(&name, &t->now);
    out_put(&name, "", 1);
    out_format(&std_out, "  %-4s  %-44s  %-28s  %11s", t->part.device == SIZE_MAX ? "-" : d[t->part.device].name, name.failed ? "" : name.data,
               t->part.class_name ? t->part.class_name : "(tensor)", decimal_bytes(t->part.bytes, each));
    if (t->part.cache) out_format(&std_out, " + %s of cache", decimal_bytes(t->part.cache, extra));
    if (t->part.training) out_format(&std_out, " + %s of training", decimal_bytes(t->part.training, extra));
    if (t->part.logits) out_format(&std_out, " + %s of logits", decimal_bytes(t->part.logits, extra));
    if (t->times > 1) out_format(&std_out, "   each of %llu", (unsigned long long)t->times);
    out_text(&std_out, "\n");
    out_free(&name);
}
static bool alike(const tare_plan_part *a, const tare_plan_part *b) {
    bool same_class = a->class_name && b->class_name && strcmp(a->class_name, b->class_name) == 0;
    bool same_bytes = a->bytes == b->bytes && a->cache == b->cache && a->training == b->training && a->logits == b->logits;
    return same_class && same_bytes && a->device == b->device;
}
static bool take_row(void *to, const tare_plan_part *part) {
    table *t = to;
    run next = run_of(part->path);
    if (t->path && alike(&t->part, part) && joins(&t->now, &next)) {
        t->now.last = next.last;
        t->times++;
        return true;
    }
    if (t->path) put_row(t);
    size_t n = strlen(part->path) + 1;
    char *path = realloc(t->path, n);
    if (!path) return false;
    memcpy(path, part->path, n);
    t->path = path, t->part = *part, t->now = run_of(path), t->times = 1;
    return true;
}
static void put_table(const placing *p) {
    table t = {.p = p};
    tare_plan_parts(p->g, take_row, &t);
    if (t.path) put_row(&t);
    free(t.path);
}

/* ---- why none is better ------------------------------------------------------------------------------------------ */

static void put_certificate(const placing *p) {
    char number[32];
    const tare_plan_verdict *v = &p->v;
    if (!v->fits || !v->largest || (v->gpus == 1 && !v->off_gpus)) return;
    if (v->off_gpus) out_text(&std_out, "no placement of whole layers in this order leaves less off the GPUs, or has a smaller largest one then");
    else out_text(&std_out, "no placement of whole layers in this order has a smaller largest device");
    out_format(&std_out, " (with %s bytes there is no room for %s).\n", grouped(v->largest - 1, number), v->breaks ? v->breaks : "all of it");
}
/* What accelerate makes of the same amounts, where that is worse. */
static void put_other(const placing *p) {
    const tare_plan_device *ours, *d;
    tare_device given[64];
    tare_error err = {0};
    size_t n = tare_plan_devices(p->g, &ours), count = 0;
    if (p->memory.running || p->memory.training || p->memory.loading || !p->v.fits || !p->v.gpus || n > 64) return;
    for (size_t i = 0; i < n; i++)
        if (ours[i].kind != TARE_DEVICE_DISK)
            given[count++] = (tare_device){.name = ours[i].is_number ? NULL : ours[i].name, .index = ours[i].is_number ? atoll(ours[i].name) : 0,
                                           .has_bytes = true, .bytes = (double)ours[i].room};
    tare_plan_options how = {.accelerate = true, .devices = given, .device_count = count, .no_split = p->no_split};
    tare_plan *g = tare_plan_make(p->m, &how, &err);
    uint64_t off = 0, most = 0;
    const char *where = NULL;
    for (size_t i = 0, k = g ? tare_plan_devices(g, &d) : 0; i < k; i++) {
        if (!d[i].is_number && strcmp(d[i].name, "mps")) off += d[i].load;
        else if (d[i].load > most) most = d[i].load, where = d[i].name;
    }
    char text[32];
    if (g && off > p->v.off_gpus) out_format(&std_out, "accelerate 1.15 would leave %s off the GPUs.\n", decimal_bytes(off, text));
    else if (g && off == p->v.off_gpus && where && most > p->v.largest)
        out_format(&std_out, "accelerate 1.15 would put %s on %s.\n", decimal_bytes(most, text), where);
    tare_plan_free(g);
}

void place_text(const placing *p) {
    sums s = sums_of(p);
    if (p->v.fits) put_fits(p, &s);
    else put_short(p, &s);
    if (p->v.stuck) out_format(&std_out, "  the first part without a place is %s\n", p->v.stuck);
    put_devices(p);
    if (p->a->value[OPT_EXPLAIN]) {
        put_table(p);
        budget memory = p->memory;
        tare_error err = {0};
        if (budget_count(&memory, p->m, &err)) budget_text(&std_out, &memory);
    }
    put_certificate(p);
    put_other(p);
    if (!p->v.fits) place_try(p);
}
