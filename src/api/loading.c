#include "loading.h"
#include "facts.h"
#include "../config/json.h"
#include "../core/path.h"
#include "../init/crew.h"
#include "../init/formula.h"
#include "../load/slice.h"
#include "../plan/here.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t item_bytes(const tare_item *t) {
    uint64_t n = tare_dtype_bytes(t->dtype);
    for (int i = 0; i < t->rank; i++) n *= (uint64_t)t->shape[i];
    return n;
}

/* ---- may it be loaded ---- */

static bool incomplete(loading *l, const verdict *v) {
    char text[256] = "";
    size_t used = 0;
    const char *first = NULL, *why = NULL;
    bool file = false; /* what is wrong with it names it */
    for (size_t i = 0; i < v->row_n && !first; i++)
        if (v->rows[i].wrong && (!v->sum.damage || v->rows[i].kind == TARE_ROW_FILE))
            first = v->rows[i].name, why = v->rows[i].why, file = v->rows[i].kind == TARE_ROW_FILE;
    for (tare_row_kind k = TARE_ROW_MISSING; k < TARE_ROW_KINDS; k++) {
        uint64_t n = 0;
        for (size_t i = 0; i < v->row_n; i++) n += v->rows[i].wrong && v->rows[i].kind == k;
        if (!n || used >= sizeof text - 40) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRIu64 " %s", used ? ", " : "", n, tare_row_name(k));
    }
    if (!first) first = l->c->c->folder, why = v->sum.error;
    error_set(&l->err, v->sum.damage ? TARE_BAD : TARE_NO, v->sum.damage ? "damaged" : "incomplete", first,
              "%s cannot be filled from this checkpoint%s%s; the first: %.200s%s%.200s\ntare check tells all of it", l->m->root->cls,
              *text ? ": " : "", text, file ? why : first, why && !file ? ": " : "", why && !file ? why : "");
    return false;
}
static bool judge(loading *l) {
    verdict v;
    return verdict_make(&v, &l->a, l->r, l->m->root, &l->o.check, &l->err) && (v.sum.complete || incomplete(l, &v));
}

/* ---- which tensors ---- */

static bool is_below(const char *path, const char *above) {
    size_t n = strlen(above);
    return !n || (!strncmp(path, above, n) && (!path[n] || path[n] == '.'));
}
static bool names_device(val v, const char *device) {
    char text[NUM_TEXT];
    if (v.kind == VAL_INT) num_int(text, v.i);
    return !strcmp(v.kind == VAL_INT ? text : v.kind == VAL_TEXT ? v.s : "", device);
}
static bool is_on_device(const loading *l, const char *path) {
    char key[MODULE_PATH];
    size_t n = strlen(path);
    memcpy(key, path, n + 1);
    for (;;) {
        val v = dict_get(l->device_map, key);
        if (v.kind != VAL_ABSENT) return names_device(v, l->o.device);
        if (!n) return false;
        while (n && key[n] != '.') n--;
        key[n] = 0;
    }
}
static bool is_wanted(const loading *l, size_t slot) {
    bool listed = !l->o.only;
    for (const char *const *p = l->o.only; p && *p && !listed; p++) listed = is_below(l->items[slot].path, *p);
    return listed && (!l->o.device_map || is_on_device(l, l->items[slot].path)) && (!l->o.wanted || l->o.wanted(l->o.to, &l->items[slot]));
}
static bool read_device_map(loading *l) {
    if (!l->o.device_map) return true;
    if (!l->o.device) return error_set(&l->err, TARE_USAGE, "usage", NULL, "a device map needs the name of a device"), false;
    if (!json_read(&l->a, l->o.device_map, strlen(l->o.device_map), "the device map", &l->device_map, &l->err)) return false;
    for (uint32_t i = 0; l->device_map.kind == VAL_DICT && i < l->device_map.n; i++)
        if (names_device(l->device_map.members[i].v, l->o.device)) return true;
    error_set(&l->err, TARE_USAGE, "usage", NULL, "the device map puts nothing on \"%.60s\"", l->o.device);
    return false;
}
static bool names_exist(loading *l) {
    if (!read_device_map(l)) return false;
    for (const char *const *p = l->o.only; p && *p; p++) {
        size_t i = 0;
        while (i < l->n && !is_below(l->items[i].path, *p)) i++;
        if (i < l->n) continue;
        error_set(&l->err, TARE_USAGE, "usage", *p, "%s has no module or tensor %.200s that holds anything", l->m->root->cls, *p);
        return false;
    }
    return true;
}
/* Slots that hold another's tensor once loading is over. Neither of a tie is in the files: they are one, made for both. */
static bool settle_values(loading *l) {
    const load_slot *s = l->r->slots.v;
    for (size_t i = 0; i < l->n; i++) l->value[i] = s[i].same;
    for (size_t i = 0; i < l->r->tie_n; i++) {
        const load_tie *t = &l->r->ties[i];
        tie_equal equal = t->which == TIE_NEITHER ? TIES_EQUAL : TIES_DIFFER;
        if (t->which == TIE_BOTH && !ties_compare(l->r, t, UINT64_MAX, &equal, &l->err)) return false;
        if (equal == TIES_EQUAL) l->value[t->target] = t->source;
    }
    for (size_t i = 0; i < l->n; i++)
        if (s[i].from == FROM_TIE) l->value[i] = s[i].tie;
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; l->value[i] != l->value[l->value[i]] && k < l->n; k++) l->value[i] = l->value[l->value[i]];
    return true;
}
static void describe(loading *l, size_t i) {
    tare_item *t = &l->items[i];
    const load_slot *held = &l->r->slots.v[l->value[i]];
    *t = l->of_model[i];
    t->dtype = (tare_dtype)held->dtype;
    t->owner = NULL;
    if (held->t->any_size && held->from == FROM_FILE) t->shape = l->r->c->tensors[held->tensor].shape;
}
/* Owners are the first of those that share in walk order, whichever of them is filled. */
static void name_owners(loading *l) {
    const char **first = arena_array(&l->a, l->n, sizeof *first);
    for (size_t i = 0; i < l->n; i++) {
        if (first[l->value[i]]) l->items[i].owner = first[l->value[i]];
        else first[l->value[i]] = l->items[i].path;
    }
}

/* ---- what of them ---- */

static bool slice_of(loading *l, size_t slot, tare_slice *s) {
    *s = (tare_slice){.axis = -1, .blocks = 1};
    const tare_item *t = &l->items[slot];
    if (l->o.ranks > 1 && !rank_slice(l->tp_plan, t, l->o.rank, l->o.ranks, s, &l->err)) return false;
    if (l->o.slice && !l->o.slice(l->o.to, t, s)) return error_set(&l->err, TARE_IO, "cancelled", NULL, "cancelled; nothing was kept"), false;
    if (s->axis < 0 || slice_fits(t->rank, t->shape, s)) return true;
    error_set(&l->err, TARE_USAGE, "usage", t->path, "%s has no such slice: axis %d, from %" PRId64 " on %" PRId64 " of each of %" PRId64 " blocks",
              t->path, s->axis, s->first, s->n, s->blocks);
    return false;
}
static void shrink(loading *l, size_t slot, const tare_slice *s) {
    tare_item *t = &l->items[slot];
    int64_t *shape = arena_array(&l->a, (size_t)t->rank, sizeof *shape);
    memcpy(shape, t->shape, (size_t)t->rank * sizeof *shape);
    shape[s->axis] = s->n * s->blocks;
    t->shape = shape;
}
static bool from_file(loading *l, size_t slot, const tare_slice *s) {
    const load_slot *one = &l->r->slots.v[slot];
    const file_tensor *f = &l->r->c->tensors[one->tensor];
    value *v = arena_new(&l->a, value), *part = arena_new(&l->a, value);
    if (one->made) *v = *one->made;
    else if (!value_whole(&l->a, one->tensor, f->rank, f->shape, v)) {
        error_set(&l->err, TARE_BAD, "not_available", f->key, "%.200s has %d dimensions, more than is known here", f->key, f->rank);
        return false;
    }
    if (s->axis >= 0 && value_slice(&l->a, v, s, part)) v = part;
    for (size_t i = 0; i < v->n; i++) {
        uint64_t n = tare_dtype_bytes((tare_dtype)l->r->c->tensors[v->boxes[i].source].dtype);
        for (int k = 0; k < v->rank; k++) n *= (uint64_t)v->boxes[i].size[k];
        l->to_read += n;
    }
    l->slot_of[l->target_n] = slot;
    l->targets[l->target_n++] = (fill_target){v, l->items[slot].dtype};
    return true;
}
static bool plan_slot(loading *l, size_t slot) {
    const load_slot *one = &l->r->slots.v[slot];
    tare_slice s;
    l->made[slot] = one->from != FROM_FILE || one->mismatched;
    if (!slice_of(l, slot, &s)) return false;
    if (one->packed && l->made[slot]) {
        error_set(&l->err, TARE_NO, "not_available", one->path, "%s is in no file, and quantised weights are not made", one->path);
        return false;
    }
    if (s.axis >= 0 && l->made[slot]) {
        error_set(&l->err, TARE_USAGE, "not_available", one->path, "%s is in no file, and only what is can be sliced", one->path);
        return false;
    }
    if (s.axis >= 0) shrink(l, slot, &s);
    l->bytes += item_bytes(&l->items[slot]);
    return l->made[slot] || from_file(l, slot, &s);
}
static bool ranks_make_sense(loading *l) {
    if (l->o.ranks < 2) return true;
    l->tp_plan = tp_plan_of(&l->a, l->m->root);
    for (size_t i = 0; i < l->n; i++)
        if (l->r->slots.v[i].packed) {
            error_set(&l->err, TARE_NO, "not_available", l->items[i].path, "%s is packed: a rank's part of quantised weights is not in this release, "
                      "but for floats that they are turned into", l->items[i].path);
            return false;
        }
    if (l->o.rank < 0 || l->o.rank >= l->o.ranks) error_set(&l->err, TARE_USAGE, "usage", NULL, "there is no rank %d of %d", l->o.rank, l->o.ranks);
    else if (!l->tp_plan.n) error_set(&l->err, TARE_NO, "not_available", NULL, "%s has no tensor-parallel plan to be divided by", l->m->root->cls);
    return l->err.status == TARE_OK;
}
static bool plan_all(loading *l) {
    if (!settle_values(l)) return false;
    for (size_t i = 0; i < l->n; i++) describe(l, i);
    name_owners(l);
    if (!names_exist(l) || !ranks_make_sense(l)) return false;
    for (size_t i = 0; i < l->n; i++)
        if ((l->wanted[i] = is_wanted(l, i))) l->held[l->value[i]] = true;
    for (size_t i = 0; i < l->n; i++)
        if (l->held[i] && !plan_slot(l, i)) return false;
    for (size_t i = 0; i < l->n; i++) { /* the shape of what it shares, which may be a slice */
        l->items[i].shape = l->items[l->value[i]].shape;
        l->items[i].rank = l->items[l->value[i]].rank;
    }
    return true;
}

static bool prepare(void *to) {
    loading *l = to;
    l->r = resolution_of(&l->a, l->m, l->c, &l->o.check, &l->err);
    if (!l->r || !judge(l)) return false;
    l->n = l->r->slots.n;
    l->of_model = tare_tensor_at(l->m, 0);
    if (l->n && !l->of_model) return error_set(&l->err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    l->items = arena_array(&l->a, l->n, sizeof *l->items);
    l->value = arena_array(&l->a, l->n, sizeof *l->value);
    l->wanted = arena_array(&l->a, l->n, sizeof *l->wanted);
    l->held = arena_array(&l->a, l->n, sizeof *l->held);
    l->made = arena_array(&l->a, l->n, sizeof *l->made);
    l->targets = arena_array(&l->a, l->n, sizeof *l->targets);
    l->slot_of = arena_array(&l->a, l->n, sizeof *l->slot_of);
    return plan_all(l);
}
static fill_how how_of(const loading *l, bool in_order) {
    static const fill_io ways[] = {[TARE_IO_READ] = FILL_PREAD, [TARE_IO_MAP] = FILL_MMAP, [TARE_IO_DIRECT] = FILL_DIRECT};
    return (fill_how){.threads = l->o.threads > 0 ? l->o.threads : crew_cores(), .io = ways[l->o.io], .in_order = in_order};
}
bool load_begin(loading *l, const tare_model *m, const tare_checkpoint *c, const tare_load_options *o) {
    *l = (loading){.m = m, .c = c};
    if (o) l->o = *o;
    l->o.check.data = true;
    if (!guarded(&l->a, &l->err, prepare, l)) return false;
    fill_how how = how_of(l, false);
    l->reading = fill_bound(l->r->c, l->target_n, &how) + l->a.used;
    return true;
}
bool load_fits(loading *l, uint64_t more) {
    uint64_t limit = l->o.memory_limit, need = l->reading + more;
    char which[256];
    if (!limit && !here_memory("", &limit, which, sizeof which)) return true;
    if (need <= limit) return true;
    error_set(&l->err, TARE_IO, "out_of_memory", NULL,
              "%" PRIu64 " bytes are needed, %" PRIu64 " of them for reading, and %s %" PRIu64 "\nload less of it, or in a smaller dtype", need,
              l->reading, l->o.memory_limit ? "the limit is" : "there are", limit);
    return false;
}

/* ---- carrying it out ---- */

typedef struct running {
    loading *l;
    const load_sink *sink;
    size_t *targets;         /* those of this run */
    fill_target *these;
    const bool *which;
} running;
static void *target_memory(void *to, size_t i) {
    running *w = to;
    return w->sink->memory ? w->sink->memory(w->sink->to, w->l->slot_of[w->targets[i]]) : NULL;
}
static bool target_piece(void *to, size_t i, uint64_t first, const void *bytes, size_t n) {
    running *w = to;
    return w->sink->piece(w->sink->to, w->l->slot_of[w->targets[i]], first, bytes, n);
}
static bool target_done(void *to, size_t i) {
    running *w = to;
    return w->sink->done(w->sink->to, w->l->slot_of[w->targets[i]]);
}
static bool tell_read(void *to, uint64_t bytes) {
    loading *l = to;
    l->read += bytes;
    if (!l->o.progress || l->o.progress(l->o.progress_to, l->read, l->to_read)) return true;
    l->cancelled = true;
    return false;
}
static bool read_files(running *w, bool in_order) {
    loading *l = w->l;
    size_t n = 0;
    for (size_t i = 0; i < l->target_n; i++)
        if (!w->which || w->which[l->slot_of[i]]) w->these[n] = l->targets[i], w->targets[n++] = i;
    fill_how how = how_of(l, in_order);
    how.progress = tell_read;
    how.progress_to = l;
    if (l->o.odd) how.odd = l->odd, memset(l->odd, 0, (n + 1) * sizeof *l->odd);
    fill_out out = {.memory = target_memory, .piece = target_piece, .done = target_done, .to = w};
    if (!fill_run(l->r->c, w->these, n, &how, &out, &l->err)) return false;
    for (size_t i = 0; l->o.odd && i < n; i++)
        if ((l->odd[i].nan || l->odd[i].inf) && !l->o.odd(l->o.odd_to, &l->items[l->slot_of[w->targets[i]]], l->odd[i].nan, l->odd[i].inf)) {
            l->cancelled = true;
            return false;
        }
    return true;
}

/* What is made is made as for a fresh model, a tensor at a time where nobody has memory for it. */
typedef struct made_one { /* by slots of the plan */
    void *bytes;
    bool theirs;             /* the taker's memory */
    size_t maker;            /* the first slot that asked for it; SIZE_MAX: none did */
} made_one;
typedef struct making {
    running *w;
    const init_plan *plan;
    made_one *of;
} making;
static bool is_made(const making *k, size_t slot) {
    const loading *l = k->w->l;
    return l->held[slot] && l->made[slot] && (!k->w->which || k->w->which[slot]);
}
static void *memory_for(const running *w, size_t slot) { return w->sink->memory ? w->sink->memory(w->sink->to, slot) : NULL; }
static void *made_memory(void *to, size_t slot) {
    making *k = to;
    made_one *one = &k->of[slot];
    if (one->bytes) return one->bytes;
    size_t n = (size_t)item_bytes(&k->w->l->of_model[slot]);
    one->bytes = memory_for(k->w, one->maker);
    one->theirs = one->bytes != NULL;
    if (!one->theirs) one->bytes = tarei_malloc(n ? n : 1);
    return one->bytes;
}
static bool made_piece(void *to, size_t slot, uint64_t first, const void *bytes, size_t n) {
    making *k = to;
    (void)slot, (void)first, (void)bytes, (void)n;
    error_set(&k->w->l->err, TARE_IO, "out_of_memory", NULL, "out of memory");
    return false;
}
static bool hand_over(making *k, size_t slot, const made_one *one, size_t n) {
    const load_sink *s = k->w->sink;
    void *given = slot == one->maker ? (one->theirs ? one->bytes : NULL) : memory_for(k->w, slot);
    if (given && given != one->bytes) memcpy(given, one->bytes, n);
    return (given || !n || s->piece(s->to, slot, 0, one->bytes, n)) && s->done(s->to, slot);
}
/* Slots that are tied in a fresh model need not be in a loaded one: each gets the value. */
static bool made_done(void *to, size_t slot) {
    making *k = to;
    const loading *l = k->w->l;
    made_one *one = &k->of[slot];
    bool ok = value_loaded(k->plan->slots[slot].t, one->bytes, &k->w->l->err);
    for (size_t i = one->maker; ok && i < l->n; i++)
        if (k->plan->slots[i].value == slot && is_made(k, i)) ok = hand_over(k, i, one, (size_t)item_bytes(&l->of_model[slot]));
    if (!one->theirs) free(one->bytes);
    one->bytes = NULL;
    one->theirs = true;
    return ok;
}
static bool made_wanted(void *to, size_t slot) { return ((making *)to)->of[slot].maker != SIZE_MAX; }
static bool is_drawn(const init_plan *p, size_t slot) {
    const init_slot *s = &p->slots[slot];
    for (size_t i = s->first; s->first != NO_OP && i <= s->last; i++)
        if (p->ops[i].slot == slot && p->ops[i].live && p->ops[i].fill->kind != FILL_FORMULA) return true;
    return false;
}
static bool make_rest(running *w) {
    loading *l = w->l;
    making k = {.w = w, .plan = plan_of(l->m, &l->err)};
    bool any = false, drawn = false;
    if (!k.plan) return false;
    k.of = tarei_malloc((l->n + 1) * sizeof *k.of);
    bool ok = k.of != NULL;
    if (!ok) error_set(&l->err, TARE_IO, "out_of_memory", NULL, "out of memory");
    for (size_t i = 0; ok && i < l->n; i++) k.of[i] = (made_one){.maker = SIZE_MAX};
    for (size_t i = l->n; ok && i-- > 0;)
        if (is_made(&k, i) && (ok = init_plan_fills(k.plan, k.plan->slots[i].value, l->m->root, &l->err)))
            k.of[k.plan->slots[i].value].maker = i, any = true, drawn |= is_drawn(k.plan, k.plan->slots[i].value);
    /* without a draw there is no stream to pass over */
    init_how how = {.seed = l->o.seed, .philox = l->o.rng == TARE_RNG_PHILOX || !drawn, .threads = l->o.threads > 0 ? l->o.threads : crew_cores(),
                    .items = l->of_model};
    init_out out = {.memory = made_memory, .piece = made_piece, .done = made_done, .wanted = made_wanted, .to = &k};
    uint32_t next;
    ok = ok && (!any || init_run(k.plan, &how, &out, &next, &l->err));
    for (size_t i = 0; k.of && i < l->n; i++)
        if (!k.of[i].theirs) free(k.of[i].bytes);
    free(k.of);
    return ok;
}
bool load_run(loading *l, const bool *which, bool in_order, const load_sink *taker) {
    running w = {.l = l, .sink = taker, .which = which};
    w.targets = tarei_malloc((l->target_n + 1) * sizeof *w.targets);
    w.these = tarei_malloc((l->target_n + 1) * sizeof *w.these);
    l->odd = tarei_malloc((l->target_n + 1) * sizeof *l->odd);
    bool ok = w.targets && w.these && l->odd;
    if (!ok) error_set(&l->err, TARE_IO, "out_of_memory", NULL, "out of memory");
    ok = ok && read_files(&w, in_order) && make_rest(&w);
    free(w.targets);
    free(w.these);
    free(l->odd);
    l->odd = NULL;
    if (!ok) error_set(&l->err, TARE_IO, "cancelled", NULL, "cancelled; nothing was kept"); /* unless it was something else */
    return ok;
}
void load_end(loading *l) { arena_free(&l->a); }
