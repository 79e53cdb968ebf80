/* The best map: blocks, what lies with them, devices, and the exact plan of them. */
#include "plan.h"
#include "../plan/map.h"
#include "../plan/sizes.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- devices ---- */

static int by_kind(const void *x, const void *y) {
    const tare_plan_device *a = x, *b = y;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (!a->is_number) return 0;
    long long i = atoll(a->name), j = atoll(b->name);
    return i < j ? -1 : i > j;
}
static void add_place(tare_plan *g, const tare_device_row *row) {
    g->devices[g->device_count++] = (tare_plan_device){
        .name = arena_text(&g->a, row->name, strlen(row->name)), .is_number = row->kind == TARE_DEVICE_GPU, .given = true,
        .has_budget = !row->unlimited, .budget = (double)row->bytes, .room = row->unlimited ? UINT64_MAX : row->bytes, .kind = row->kind};
}
/* As accelerate reads them: sizes in words, numbers for accelerators. */
static bool read_amount(planning *w, const tare_device *d, const char *name, uint64_t *bytes) {
    amount n = {.n = d->bytes};
    const char *wrong = d->size ? memory_read(d->size, &n) : d->has_bytes ? NULL : "no amount of memory is known";
    if (!wrong && !(n.n >= 0)) wrong = "an amount of memory is not negative";
    if (wrong) return error_set(&w->err, TARE_BAD, "bad_value", name, "device %s: %s", name, wrong), false;
    *bytes = n.n >= 0x1p64 ? UINT64_MAX : (uint64_t)n.n;
    return true;
}
static bool kind_of(const char *name, tare_device_kind *kind) {
    static const char *const names[] = {[TARE_DEVICE_MPS] = "mps", [TARE_DEVICE_CPU] = "cpu", [TARE_DEVICE_DISK] = "disk"};
    for (int k = TARE_DEVICE_MPS; k <= TARE_DEVICE_DISK; k++)
        if (!strcmp(names[k], name)) return *kind = (tare_device_kind)k, true;
    return false;
}
static bool add_given(planning *w, const tare_device *d) {
    tare_plan *g = w->g;
    tare_plan_device one = {.is_number = !d->name, .given = true, .has_budget = true, .kind = TARE_DEVICE_GPU};
    one.name = d->name ? arena_text(&g->a, d->name, strlen(d->name)) : arena_printf(&g->a, "%" PRId64, d->index);
    if (d->name && !kind_of(d->name, &one.kind)) {
        error_set(&w->err, TARE_USAGE, "usage", d->name, "\"%.60s\" is no device: they are the numbers of accelerators, mps, cpu and disk", d->name);
        return false;
    }
    if (one.kind == TARE_DEVICE_DISK) one.room = UINT64_MAX; /* accelerate's disk has no end */
    else if (!read_amount(w, d, one.name, &one.room)) return false;
    one.budget = (double)one.room;
    size_t at = 0; /* of equal ones the last counts */
    while (at < g->device_count && strcmp(g->devices[at].name, one.name)) at++;
    g->devices[at] = one;
    if (at == g->device_count) g->device_count++;
    return true;
}
static void add_disk(tare_plan *g) {
    for (size_t i = 0; i < g->device_count; i++)
        if (g->devices[i].kind == TARE_DEVICE_DISK) return;
    g->devices[g->device_count++] = (tare_plan_device){.name = "disk", .room = UINT64_MAX, .kind = TARE_DEVICE_DISK};
}
static bool read_places(planning *w) {
    const tare_plan_options *o = &w->o;
    const tare_device_row *rows;
    tare_plan *g = w->g;
    size_t n = o->places ? tare_devices_rows(o->places, &rows) : o->device_count;
    g->devices = arena_array(&g->a, n + 1, sizeof *g->devices);
    for (size_t i = 0; i < n; i++) {
        if (o->places) add_place(g, &rows[i]);
        else if (!add_given(w, &o->devices[i])) return false;
    }
    if (!o->places) add_disk(g);
    qsort(g->devices, g->device_count, sizeof *g->devices, by_kind);
    return true;
}

/* ---- the task ---- */

/* mps counts among the GPUs, as their last. */
static void make_task(tare_plan *g) {
    uint64_t *gpus = arena_array(&g->a, g->device_count + 1, sizeof *gpus);
    plan_task *t = &g->task;
    for (size_t i = 0; i < g->device_count; i++) {
        tare_plan_device *d = &g->devices[i];
        if (d->kind == TARE_DEVICE_CPU) t->has_cpu = true, t->cpu = d->room;
        else if (d->kind == TARE_DEVICE_DISK) t->has_disk = true, t->disk = d->room;
        else {
            d->running = g->extra.running;
            if (d->room != UINT64_MAX) d->room = d->room > d->running ? d->room - d->running : 0;
            gpus[t->gpu_count++] = d->room;
        }
    }
    t->gpus = gpus;
    t->bytes = g->blocks->bytes;
    t->extra = g->extra.sum;
    t->blocks = g->blocks->n;
    t->ties = g->blocks->ties;
    t->tie_count = g->blocks->tie_count;
}
/* Which of the devices a place of the plan is; cpu and disk follow the GPUs whether they are there or not. */
static size_t device_of(const tare_plan *g, int32_t place) {
    size_t gpus = g->task.gpu_count;
    if (place < 0) return SIZE_MAX;
    if ((size_t)place < gpus) return (size_t)place;
    return gpus + ((size_t)place > gpus && g->task.has_cpu);
}

/* ---- what came of it ---- */

static const char *path_of(tare_plan *g, size_t block) {
    char path[MODULE_PATH];
    if (block >= g->blocks->n) return NULL;
    return arena_text(&g->a, path, plan_block_path(g->blocks, block, path));
}
static void weigh_devices(tare_plan *g) {
    for (size_t i = 0; i < g->blocks->n; i++) {
        size_t at = device_of(g, g->result.device[i]);
        if (at == SIZE_MAX) continue;
        tare_plan_device *d = &g->devices[at];
        d->cache = num_plus(d->cache, g->extra.cache[i]);
        d->training = num_plus(d->training, g->extra.training[i]);
        if (i == g->extra.head) d->logits = g->extra.logits;
    }
    for (size_t i = 0; i < g->task.gpu_count + 2; i++) {
        size_t at = device_of(g, (int32_t)i);
        if (at >= g->device_count || !g->result.loads[i]) continue;
        tare_plan_device *d = &g->devices[at];
        d->load = g->result.loads[i];
        d->weights = d->load - d->cache - d->training - d->logits;
    }
}
static void settle_verdict(tare_plan *g) {
    const plan_result *r = &g->result;
    g->verdict = (tare_plan_verdict){
        .fits = r->placed, .total = r->total, .missing = r->missing, .stuck = r->placed ? NULL : path_of(g, r->stuck), .off_gpus = r->spill,
        .on_disk = r->on_disk, .gpus_missing = r->gpu_missing, .first_off = path_of(g, r->first_off), .largest = r->max_load,
        .breaks = path_of(g, r->breaks), .copied = r->copied, .gpus = g->task.gpu_count, .used = r->used, .blocks = g->blocks->n,
        .balanced = r->balanced};
}
static void keep_entries(tare_plan *g) {
    plan_entry *all;
    size_t n = plan_map_of(&all, g->blocks, g->result.device, &g->a);
    g->entries = arena_array(&g->a, n + 1, sizeof *g->entries);
    for (size_t i = 0; i < n; i++)
        if (all[i].device >= 0) g->entries[g->entry_count++] = (tare_plan_entry){all[i].path, device_of(g, all[i].device)};
}

bool plan_best(planning *w) {
    tare_plan *g = w->g;
    plan_blocks *blocks = arena_new(&g->a, plan_blocks);
    plan_blocks_options how = {.no_split = w->o.no_split, .split_experts = w->o.split_experts};
    tare_budget_options nothing = {0};
    budget_ask ask;
    if (!budget_ask_of(&ask, w->o.budget ? w->o.budget : &nothing, &w->err) || !read_places(w)) return false;
    if (!plan_blocks_of(blocks, w->m->root, &how, &g->a, &w->err)) return false;
    g->blocks = blocks;
    plan_extra_of(&g->extra, blocks, w->m->root, &ask, &g->a);
    make_task(g);
    g->task.copy_ties = w->o.copy_ties;
    if (!plan_place(&g->result, &g->task, &g->a, &w->err)) return false;
    keep_entries(g);
    weigh_devices(g);
    settle_verdict(g);
    return true;
}
void tare_plan_verdict_of(const tare_plan *g, tare_plan_verdict *out) { *out = g->verdict; }
tare_status tare_plan_parts(const tare_plan *g, bool (*visit)(void *, const tare_plan_part *), void *to) {
    for (size_t i = 0; g->blocks && i < g->blocks->n; i++) {
        const plan_block *b = &g->blocks->all[i];
        char path[MODULE_PATH];
        if (b->empty && !g->extra.sum[i]) continue;
        plan_block_path(g->blocks, i, path);
        tare_plan_part part = {.path = path, .class_name = b->slot ? NULL : b->module->cls, .device = device_of(g, g->result.device[i]),
                               .bytes = g->blocks->bytes[i], .cache = g->extra.cache[i], .training = g->extra.training[i],
                               .logits = i == g->extra.head ? g->extra.logits : 0};
        if (!visit(to, &part)) return TARE_NO;
    }
    return TARE_OK;
}
typedef struct asking { const tare_plan *g; uint64_t bytes; size_t more; bool found; arena a; tare_error err; } asking;
static bool ask_more(void *to) {
    asking *w = to;
    w->found = plan_more(&w->g->task, w->bytes, &w->more, &w->a, &w->err);
    return true;
}
tare_status tare_plan_more(const tare_plan *g, uint64_t gpu_bytes, size_t *more, tare_error *err) {
    asking w = {.g = g, .bytes = gpu_bytes > g->extra.running ? gpu_bytes - g->extra.running : 0};
    bool ok = guarded(&w.a, &w.err, ask_more, &w);
    arena_free(&w.a);
    if (ok && w.found) return *more = w.more, TARE_OK;
    if (err && w.err.status != TARE_OK) *err = w.err;
    return ok && w.err.status == TARE_OK ? TARE_NO : w.err.status;
}
