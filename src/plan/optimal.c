/* Blocks become a row of pieces (tied ones joined, empty ones left out); the row is cut, and the cut told in blocks again. */
#include "optimal.h"
#include "row.h"
#include <string.h>

typedef struct pieces {
    const plan_task *t;
    arena *a;
    uint32_t apart;    /* bit g: group g is not joined */
    uint32_t *root;    /* of each block: the first one of its piece; NULL: each is its own */
    uint64_t *bytes;   /* of each piece, at its root */
    uint64_t *sum;     /* of the pieces that have bytes */
    uint32_t *block;   /* the root of each of those */
    size_t n;
} pieces;

/* ---- pieces ---- */

static uint32_t root_of(const pieces *p, uint32_t i) {
    for (; p->root[i] != i; i = p->root[i]) p->root[i] = p->root[p->root[i]];
    return i;
}
static void join(pieces *p, uint32_t a, uint32_t b) {
    a = root_of(p, a), b = root_of(p, b);
    if (a < b) p->root[b] = a;
    else p->root[a] = b;
}
static bool stays_apart(const pieces *p, uint32_t group) { return group < PLAN_MOST_COPIES && p->apart >> group & 1; }
/* A later slot of a group that lies in another block than the slot before it. */
static bool later_block(const plan_task *t, size_t i) {
    return i && t->ties[i].group == t->ties[i - 1].group && t->ties[i].block != t->ties[i - 1].block;
}
static bool raise(uint64_t *to, uint64_t by) { return !__builtin_add_overflow(*to, by, to); }

static bool join_ties(pieces *p) {
    const plan_task *t = p->t;
    p->root = arena_array(p->a, t->blocks, sizeof *p->root);
    p->bytes = arena_array(p->a, t->blocks, sizeof *p->bytes);
    for (size_t i = 0; i < t->blocks; i++) p->root[i] = (uint32_t)i;
    for (size_t i = 0; i < t->tie_count; i++) {
        if (!later_block(t, i)) continue;
        if (!stays_apart(p, t->ties[i].group)) join(p, t->ties[i - 1].block, t->ties[i].block);
    }
    bool ok = true;
    for (uint32_t i = 0; i < t->blocks && ok; i++) {
        p->root[i] = root_of(p, i);
        ok = raise(&p->bytes[p->root[i]], t->bytes[i]) && (!t->extra || raise(&p->bytes[p->root[i]], t->extra[i]));
    }
    for (size_t i = 0; i < t->tie_count && ok; i++)
        if (later_block(t, i) && stays_apart(p, t->ties[i].group)) ok = raise(&p->bytes[p->root[t->ties[i].block]], t->ties[i].bytes);
    return ok;
}
static bool is_root(const pieces *p, size_t i) { return !p->root || p->root[i] == i; }
static bool bytes_of(const pieces *p, size_t i, uint64_t *bytes) {
    *bytes = p->bytes ? p->bytes[i] : p->t->bytes[i];
    return p->bytes || !p->t->extra || raise(bytes, p->t->extra[i]);
}
/* False: more than 64 bits of bytes. */
static bool make_pieces(pieces *p) {
    const plan_task *t = p->t;
    if (t->tie_count && !join_ties(p)) return false;
    p->sum = arena_array(p->a, t->blocks + 1, sizeof *p->sum);
    p->block = arena_array(p->a, t->blocks, sizeof *p->block);
    for (size_t i = 0; i < t->blocks; i++) {
        uint64_t bytes;
        if (!is_root(p, i)) continue;
        if (!bytes_of(p, i, &bytes)) return false;
        if (!bytes) continue;
        p->sum[p->n + 1] = p->sum[p->n];
        if (!raise(&p->sum[p->n + 1], bytes)) return false;
        p->block[p->n++] = (uint32_t)i;
    }
    return true;
}

/* ---- the cut ---- */

static uint64_t largest_piece(const pieces *p, size_t from, size_t to) {
    uint64_t most = 0;
    for (size_t i = from; i < to; i++)
        if (p->sum[i + 1] - p->sum[i] > most) most = p->sum[i + 1] - p->sum[i];
    return most;
}
/* How far the GPUs get. What is kept free for the rest depends on the rest: from the most that could be placed, back to the
 * first that leaves room for it, which is the furthest, as a longer rest never needs less. */
static size_t gpu_goal(const pieces *p, row *r) {
    const plan_task *t = p->t;
    size_t goal = row_fill(r, UINT64_MAX), end = p->n;
    if (goal == p->n || !(t->has_cpu || t->has_disk) || !r->k) return goal;
    for (r->held = t->reserve;;) {
        if (t->reserve_largest) {
            uint64_t most = largest_piece(p, goal, end);
            if (most > r->held) r->held = most;
            end = goal;
        }
        size_t next = row_fill(r, UINT64_MAX);
        if (next >= goal) return goal;
        goal = next;
    }
}
static uint64_t lacking(const uint64_t *sum, size_t from, size_t n, uint64_t cap) {
    uint64_t rest = sum[n] - sum[from];
    return rest > cap ? rest - cap : 0;
}
/* cpu and disk take the pieces from `at` on; how far they get. */
static size_t place_rest(const pieces *p, const row *r, size_t goal, size_t ends[2], plan_result *out) {
    const plan_task *t = p->t;
    size_t at = goal;
    ends[0] = at = t->has_cpu ? row_reach(r, at, t->cpu) : at;
    ends[1] = at = t->has_disk ? row_reach(r, at, t->disk) : at;
    if (t->has_disk) out->missing = lacking(p->sum, ends[0], p->n, t->disk);
    else if (t->has_cpu) out->missing = lacking(p->sum, goal, p->n, t->cpu);
    else out->missing = out->gpu_missing;
    out->spill = p->sum[p->n] - p->sum[goal];
    out->on_disk = p->sum[at] - p->sum[ends[0]];
    return at;
}
static void tell_loads(const pieces *p, const size_t *ends, plan_result *out) {
    size_t devices = p->t->gpu_count + 2;
    out->loads = arena_array(p->a, devices, sizeof *out->loads);
    for (size_t d = 0, at = 0; d < devices; at = ends[d++]) {
        out->loads[d] = p->sum[ends[d]] - p->sum[at];
        if (d + 2 < devices && out->loads[d]) out->used++;
    }
}
static int32_t first_device(const plan_task *t) {
    if (t->gpu_count) return 0;
    return t->has_cpu ? 0 : t->has_disk ? 1 : PLAN_NOWHERE;
}
static void tell_devices(const pieces *p, const size_t *ends, plan_result *out) {
    size_t devices = p->t->gpu_count + 2, at = 0, d = 0;
    int32_t now = first_device(p->t);
    out->device = arena_array(p->a, p->t->blocks, sizeof *out->device);
    out->stuck = out->first_off = PLAN_NO_BLOCK;
    while (p->n && d < devices && ends[d] == 0) d++;
    if (p->n) now = d < devices ? (int32_t)d : PLAN_NOWHERE;
    for (size_t i = 0; i < p->t->blocks; i++) {
        if (at < p->n && p->block[at] == i) {
            while (d < devices && ends[d] <= at) d++;
            now = d < devices ? (int32_t)d : PLAN_NOWHERE;
            at++;
        }
        out->device[i] = is_root(p, i) ? now : out->device[p->root[i]];
        if (out->device[i] == PLAN_NOWHERE && out->stuck == PLAN_NO_BLOCK) out->stuck = i;
        bool off = out->device[i] < 0 || (size_t)out->device[i] >= p->t->gpu_count;
        if (off && out->first_off == PLAN_NO_BLOCK) out->first_off = i;
    }
    out->placed = out->stuck == PLAN_NO_BLOCK;
}
static bool solve(plan_result *out, const plan_task *t, uint32_t apart, arena *a) {
    pieces p = {.t = t, .a = a, .apart = apart};
    if (!make_pieces(&p)) return false;
    *out = (plan_result){.total = p.sum[p.n], .breaks = PLAN_NO_BLOCK, .copies = apart, .balanced = true};
    row r = {.sum = p.sum, .n = p.n, .caps = t->gpus, .k = t->gpu_count};
    size_t *ends = arena_array(a, t->gpu_count + 2, sizeof *ends);
    row but_last = {.sum = p.sum, .n = p.n, .caps = t->gpus, .k = t->gpu_count ? t->gpu_count - 1 : 0};
    out->gpu_missing = lacking(p.sum, row_fill(&but_last, UINT64_MAX), p.n, t->gpu_count ? t->gpus[t->gpu_count - 1] : 0);
    size_t goal = gpu_goal(&p, &r);
    out->reserved = r.held;
    if (r.k) {
        out->max_load = row_largest(&r, goal);
        out->balanced = row_balance(&r, goal, out->max_load, ends, a);
        if (out->max_load) out->breaks = p.block[row_fill(&r, out->max_load - 1)];
    }
    place_rest(&p, &r, goal, ends + t->gpu_count, out);
    tell_loads(&p, ends, out);
    tell_devices(&p, ends, out);
    return true;
}

/* ---- copies ---- */

static squares squares_of(const plan_result *r, size_t gpus) {
    squares sum = 0;
    for (size_t d = 0; d < gpus; d++) sum += (squares)r->loads[d] * r->loads[d];
    return sum;
}
static bool better(const plan_result *x, const plan_result *y, size_t gpus) {
    if (x->placed != y->placed) return x->placed;
    if (x->missing != y->missing) return x->missing < y->missing;
    if (x->spill != y->spill) return x->spill < y->spill;
    if (x->on_disk != y->on_disk) return x->on_disk < y->on_disk;
    if (x->max_load != y->max_load) return x->max_load < y->max_load;
    squares a = squares_of(x, gpus), b = squares_of(y, gpus);
    if (a != b) return a < b;
    if (x->used != y->used) return x->used < y->used;
    return x->copied < y->copied;
}
static uint64_t copied_bytes(const plan_task *t, const plan_result *r) {
    uint64_t sum = 0;
    for (size_t i = 0; i < t->tie_count; i++)
        if (later_block(t, i) && t->ties[i].group < PLAN_MOST_COPIES && r->copies >> t->ties[i].group & 1) sum += t->ties[i].bytes;
    return sum;
}
bool plan_place(plan_result *out, const plan_task *t, arena *a, tare_error *err) {
    uint32_t groups = !t->copy_ties || !t->tie_count ? 0 : t->ties[t->tie_count - 1].group + 1;
    if (groups > PLAN_MOST_COPIES) groups = PLAN_MOST_COPIES;
    bool ok = t->blocks <= UINT32_MAX / 2 && t->gpu_count <= PLAN_MOST_GPUS && solve(out, t, 0, a);
    for (uint32_t apart = 1; ok && apart < UINT32_C(1) << groups; apart++) {
        plan_result other;
        if (!solve(&other, t, apart, a)) continue; /* with its copies beyond 64 bits */
        other.copied = copied_bytes(t, &other);
        if (better(&other, out, t->gpu_count)) *out = other;
    }
    if (!ok) error_set(err, TARE_BAD, "too_large", "", "the plan has more than %d GPUs, or more bytes than 64 bits count", PLAN_MOST_GPUS);
    return ok;
}

bool plan_more(const plan_task *t, uint64_t capacity, size_t *more, arena *a, tare_error *err) {
    pieces p = {.t = t, .a = a};
    if (t->gpu_count > PLAN_MOST_GPUS || !make_pieces(&p)) {
        error_set(err, TARE_BAD, "too_large", "", "the plan has more than %d GPUs, or more bytes than 64 bits count", PLAN_MOST_GPUS);
        return false;
    }
    row r = {.sum = p.sum, .n = p.n, .caps = t->gpus, .k = t->gpu_count};
    *more = 0;
    for (size_t at = row_fill(&r, UINT64_MAX), next; at < p.n; at = next, ++*more)
        if ((next = row_reach(&r, at, capacity)) == at) return false;
    return true;
}
