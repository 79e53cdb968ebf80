/* The exact plan, held against every placement there is: thousands of small drawn tasks, each answer by brute force too. */
#include "plan/optimal.h"
#include "plan/row.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { TASKS = 10000, BLOCKS = 9, GPUS = 4, DEVICES = GPUS + BLOCKS + 2, TIES = 6 };

/* ---- all placements ---- */

typedef struct chain { /* pieces with bytes, in order, and the devices; the last of them, "nowhere", takes the rest */
    size_t n, block[BLOCKS], gpus, devices;
    uint64_t bytes[BLOCKS], caps[DEVICES], reserve;
    bool has_rest, reserve_largest;
} chain;
typedef struct score { squares nowhere, spill, disk, largest, sum; size_t used, ends[DEVICES]; bool valid; } score;

static int differs(squares a, squares b) { return a < b ? -1 : a > b; }
static bool is_better(const score *x, const score *y, size_t gpus) {
    if (!y->valid) return true;
    const squares a[] = {x->nowhere, x->spill, x->disk, x->largest, x->sum, x->used};
    const squares b[] = {y->nowhere, y->spill, y->disk, y->largest, y->sum, y->used};
    for (size_t i = 0; i < sizeof a / sizeof *a; i++)
        if (differs(a[i], b[i])) return differs(a[i], b[i]) < 0;
    for (size_t d = gpus; d-- > 1;) /* the last GPUs least filled: each starts as late as it can */
        if (x->ends[d - 1] != y->ends[d - 1]) return x->ends[d - 1] > y->ends[d - 1];
    return false;
}
static squares part(const chain *c, size_t from, size_t to) {
    squares sum = 0;
    for (; from < to; from++) sum += c->bytes[from];
    return sum;
}
static bool fits(const chain *c, const size_t *ends) {
    size_t goal = c->gpus ? ends[c->gpus - 1] : 0;
    uint64_t held = goal < c->n && c->has_rest ? c->reserve : 0;
    for (size_t i = goal; i < c->n && c->has_rest && c->reserve_largest; i++)
        if (c->bytes[i] > held) held = c->bytes[i];
    for (size_t d = 0; d < c->devices; d++) {
        uint64_t cap = d || !c->gpus ? c->caps[d] : c->caps[0] > held ? c->caps[0] - held : 0;
        if (part(c, d ? ends[d - 1] : 0, ends[d]) > cap) return false;
    }
    return true;
}
static score weighed(const chain *c, const size_t *ends) {
    score s = {.valid = true};
    for (size_t d = 0; d < c->devices; d++) {
        squares load = part(c, d ? ends[d - 1] : 0, ends[d]);
        s.ends[d] = ends[d];
        if (d + 1 == c->devices) s.disk = load;
        if (d >= c->gpus) continue;
        s.used += load > 0;
        s.sum += load * load;
        if (load > s.largest) s.largest = load;
    }
    s.nowhere = part(c, c->devices ? ends[c->devices - 1] : 0, c->n);
    s.spill = part(c, c->gpus ? ends[c->gpus - 1] : 0, c->n);
    return s;
}
static void try_all(const chain *c, size_t d, size_t *ends, score *best) {
    if (d == c->devices) {
        score s = fits(c, ends) ? weighed(c, ends) : (score){.valid = false};
        if (s.valid && is_better(&s, best, c->gpus)) *best = s;
        return;
    }
    for (ends[d] = d ? ends[d - 1] : 0; ends[d] <= c->n; ends[d]++) try_all(c, d + 1, ends, best);
}
static score best_of(const chain *c) {
    size_t ends[DEVICES] = {0};
    score best = {.valid = false};
    if (c->devices == 2 + c->gpus || c->devices) try_all(c, 0, ends, &best);
    return best;
}

/* ---- tasks ---- */

typedef struct drawn {
    plan_task t;
    uint64_t bytes[BLOCKS], extra[BLOCKS], gpus[DEVICES];
    plan_tie ties[TIES];
} drawn;

static uint64_t seed = 88172645463325252u;
static uint64_t below(uint64_t n) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % n;
}
static void draw_ties(drawn *d) {
    d->t.ties = d->ties;
    for (uint32_t group = 0; group < 2; group++) {
        uint32_t block = (uint32_t)below(d->t.blocks);
        if (below(2)) continue;
        uint64_t bytes = d->bytes[block] ? below(d->bytes[block]) : 0;
        for (uint32_t i = 0; i < 3 && block < d->t.blocks; i++, block += (uint32_t)below(3)) {
            d->ties[d->t.tie_count] = (plan_tie){.block = block, .group = group, .owner = i == 0, .bytes = bytes};
            d->t.tie_count++;
        }
    }
}
static void draw_task(drawn *d) {
    *d = (drawn){.t = {.blocks = 1 + below(BLOCKS), .gpu_count = below(GPUS + 1), .has_cpu = below(2), .has_disk = below(2)}};
    uint64_t unit = below(4) ? 1 : UINT64_C(1) << (55 + below(7)), noise = unit > 1 && below(2) ? unit : 1;
    for (size_t i = 0; i < d->t.blocks; i++) {
        d->bytes[i] = below(6) ? unit * below(10) + below(noise) : 0;
        d->extra[i] = below(3) * unit;
    }
    uint64_t cap = 1 + below(40);
    for (size_t i = 0; i < d->t.gpu_count; i++) d->gpus[i] = unit * below(cap) + below(noise);
    d->t.cpu = below(3) ? unit * below(cap) : UINT64_MAX;
    d->t.disk = below(3) ? unit * below(cap) : UINT64_MAX;
    if (!below(4)) d->t.reserve = unit * below(5);
    d->t.reserve_largest = below(2);
    d->t.copy_ties = below(2);
    d->t.bytes = d->bytes, d->t.gpus = d->gpus;
    if (!below(3)) d->t.extra = d->extra;
    draw_ties(d);
}
static bool apart(const plan_task *t, size_t i, uint32_t mask) { return mask >> t->ties[i].group & 1; }
/* Which block each one goes with, and the bytes there; false when they are too many for 64 bits. */
static bool joined(const plan_task *t, uint32_t mask, size_t root[BLOCKS], uint64_t bytes[BLOCKS], uint64_t *copied) {
    squares all[BLOCKS] = {0}, total = 0;
    for (size_t i = 0; i < t->blocks; i++) root[i] = i;
    for (size_t round = 0; round < t->blocks; round++)
        for (size_t i = 0; i < t->tie_count; i++)
            for (size_t j = 0; j < t->tie_count; j++) {
                size_t a = root[t->ties[i].block], b = root[t->ties[j].block];
                if (t->ties[i].group != t->ties[j].group || apart(t, i, mask)) continue;
                for (size_t k = 0; k < t->blocks; k++)
                    if (root[k] == (a > b ? a : b)) root[k] = a < b ? a : b;
            }
    for (size_t i = 0; i < t->blocks; i++) all[root[i]] += (squares)t->bytes[i] + (t->extra ? t->extra[i] : 0);
    *copied = 0;
    for (size_t i = 1; i < t->tie_count; i++) {
        if (t->ties[i].group != t->ties[i - 1].group || t->ties[i].block == t->ties[i - 1].block || !apart(t, i, mask)) continue;
        all[root[t->ties[i].block]] += t->ties[i].bytes;
        *copied += t->ties[i].bytes;
    }
    for (size_t i = 0; i < t->blocks; i++) bytes[i] = (uint64_t)all[i], total += all[i];
    return total <= UINT64_MAX;
}
static bool chain_of(const plan_task *t, uint32_t mask, chain *c, size_t root[BLOCKS], uint64_t *copied) {
    uint64_t bytes[BLOCKS];
    *c = (chain){.gpus = t->gpu_count, .devices = t->gpu_count + 2, .has_rest = t->has_cpu || t->has_disk, .reserve = t->reserve,
                 .reserve_largest = t->reserve_largest};
    if (!joined(t, mask, root, bytes, copied)) return false;
    for (size_t i = 0; i < t->blocks; i++)
        if (root[i] == i && bytes[i]) c->block[c->n] = i, c->bytes[c->n++] = bytes[i];
    for (size_t i = 0; i < t->gpu_count; i++) c->caps[i] = t->gpus[i];
    c->caps[t->gpu_count] = t->has_cpu ? t->cpu : 0;
    c->caps[t->gpu_count + 1] = t->has_disk ? t->disk : 0;
    return true;
}

/* ---- one task ---- */

/* The chain of all its GPUs held to `most`, and no other device: how many pieces it takes. */
static size_t furthest(const chain *c, uint64_t most, uint64_t held) {
    chain g = *c;
    size_t far = 0, ends[DEVICES] = {0};
    g.devices = g.gpus, g.has_rest = false;
    for (size_t d = 0; d < g.gpus; d++) {
        if (!d) g.caps[0] = g.caps[0] > held ? g.caps[0] - held : 0;
        if (g.caps[d] > most) g.caps[d] = most;
    }
    for (size_t n = 0; n <= c->n; n++) {
        score best = {.valid = false};
        g.n = n;
        memset(ends, 0, sizeof ends);
        try_all(&g, 0, ends, &best);
        if (best.valid && !best.nowhere) far = n;
    }
    return far;
}
static void check_certificate(const chain *c, const plan_result *r) {
    if (!r->max_load) {
        assert_true(r->breaks == PLAN_NO_BLOCK);
        return;
    }
    size_t far = furthest(c, r->max_load - 1, r->reserved), goal = furthest(c, r->max_load, r->reserved);
    assert_true(far < goal);
    assert_int_equal(r->breaks, c->block[far]);
}
/* By exactly so many bytes the device is too small. */
static void check_missing(const chain *c, size_t device, uint64_t missing) {
    chain more = *c;
    assert_false(__builtin_add_overflow(more.caps[device], missing, &more.caps[device]));
    score best = best_of(&more);
    assert_true(best.nowhere == 0);
    more.caps[device]--;
    best = best_of(&more);
    assert_true(best.nowhere > 0);
}
static void check_gpu_missing(const chain *c, const plan_result *r) {
    chain g = *c;
    g.devices = g.gpus, g.has_rest = false;
    if (!r->gpu_missing) assert_true(best_of(c).spill == 0);
    else if (g.gpus) check_missing(&g, g.gpus - 1, r->gpu_missing);
    else assert_int_equal(r->gpu_missing, r->total);
}
static void check_devices(const plan_task *t, const chain *c, const size_t *root, const score *s, const plan_result *r) {
    size_t at = 0;
    int32_t now = t->gpu_count ? 0 : t->has_cpu ? 0 : t->has_disk ? 1 : PLAN_NOWHERE;
    bool begun = false;
    size_t stuck = PLAN_NO_BLOCK, off = PLAN_NO_BLOCK;
    for (size_t i = 0; i < t->blocks; i++) {
        if (root[i] == i && ((at < c->n && c->block[at] == i) || (!begun && c->n))) {
            size_t piece = begun || c->block[at] == i ? at++ : 0, d = 0; /* empty ones before the first go with it */
            while (d < c->devices && s->ends[d] <= piece) d++;
            now = d < c->devices ? (int32_t)d : PLAN_NOWHERE;
            begun = begun || at > 0;
        }
        int32_t want = root[i] == i ? now : r->device[root[i]];
        assert_int_equal(r->device[i], want);
        if (want == PLAN_NOWHERE && stuck == PLAN_NO_BLOCK) stuck = i;
        if ((want == PLAN_NOWHERE || (size_t)want >= t->gpu_count) && off == PLAN_NO_BLOCK) off = i;
    }
    assert_true(r->stuck == stuck);
    assert_true(r->first_off == off);
    assert_int_equal(r->placed, stuck == PLAN_NO_BLOCK);
}
static void check_against(const plan_task *t, const chain *c, const size_t *root, const plan_result *r) {
    score s = best_of(c);
    assert_true(s.valid);
    assert_true(r->spill == s.spill);
    assert_true(r->on_disk == s.disk);
    assert_true(r->max_load == s.largest);
    assert_true(r->balanced);
    assert_int_equal(r->used, s.used);
    for (size_t d = 0; d < c->devices; d++) assert_true(r->loads[d] == part(c, d ? s.ends[d - 1] : 0, s.ends[d]));
    check_devices(t, c, root, &s, r);
    check_certificate(c, r);
    check_gpu_missing(c, r);
    assert_true((r->missing == 0) == (s.nowhere == 0));
    size_t last = t->has_disk ? c->devices - 1 : t->has_cpu ? c->devices - 2 : c->gpus - 1;
    if (r->missing && last < c->devices) check_missing(c, last, r->missing);
}
/* So much is missing on the last device when those before it are full. */
static uint64_t missing_on(const chain *c, const score *s, size_t last) {
    chain but_last = *c;
    if (last >= c->devices) return (uint64_t)part(c, 0, c->n);
    but_last.gpus = last < c->gpus ? last : c->gpus;
    size_t before = last < c->gpus ? furthest(&but_last, UINT64_MAX, 0) : last ? s->ends[last - 1] : 0;
    return (uint64_t)part(c, before, c->n) - c->caps[last];
}
/* Which groups should stay apart, by the best of all; of equal ones fewer copies, then the first. */
static uint32_t best_mask(const plan_task *t, uint32_t masks) {
    score best = {.valid = false};
    uint64_t least = 0, kept = 0;
    uint32_t found = 0;
    for (uint32_t mask = 0; mask < masks; mask++) {
        chain c;
        size_t root[BLOCKS], last = t->has_disk ? t->gpu_count + 1 : t->has_cpu ? t->gpu_count : t->gpu_count - 1;
        uint64_t copied, missing = 0;
        if (!chain_of(t, mask, &c, root, &copied)) continue;
        score s = best_of(&c);
        if (s.nowhere) missing = missing_on(&c, &s, last);
        squares a[] = {s.nowhere > 0, missing, s.spill, s.disk, s.largest, s.sum, s.used, copied};
        squares b[] = {best.nowhere > 0, least, best.spill, best.disk, best.largest, best.sum, best.used, kept};
        int order = 0;
        for (size_t i = 0; i < sizeof a / sizeof *a && !order; i++) order = differs(a[i], b[i]);
        if (!best.valid || order < 0) best = s, least = missing, kept = copied, found = mask;
    }
    return found;
}
static void check_more(const plan_task *t, const chain *c, arena *a) {
    tare_error err = {0};
    size_t got = 0, want;
    uint64_t capacity = c->n ? c->bytes[below(c->n)] : 1;
    chain g = *c;
    g.has_rest = false, g.devices = g.gpus;
    bool can = plan_more(t, capacity, &got, a, &err), could = false;
    for (want = 0; want <= c->n && !could; want++) {
        size_t far = furthest(&g, UINT64_MAX, 0);
        if ((could = far == c->n)) break;
        if (g.gpus + 1 >= GPUS + 3) return; /* enough of brute force */
        g.caps[g.gpus++] = capacity;
    }
    assert_int_equal(can, could);
    if (can) assert_int_equal(got, want);
    assert_int_equal(err.status, TARE_OK);
}
static void check_task(const drawn *d, size_t *seen) {
    arena a = {0};
    jmp_buf exhausted;
    tare_error err = {0};
    plan_result r;
    chain c;
    size_t root[BLOCKS];
    uint64_t copied;
    a.unwind = &exhausted;
    if (setjmp(exhausted)) fail_msg("out of memory");
    bool ok = plan_place(&r, &d->t, &a, &err), countable = chain_of(&d->t, 0, &c, root, &copied);
    assert_int_equal(ok, countable);
    if (ok) {
        uint32_t mask = d->t.copy_ties && d->t.tie_count ? best_mask(&d->t, UINT32_C(2) << d->ties[d->t.tie_count - 1].group) : 0;
        assert_int_equal(r.copies, mask);
        if (!mask) check_more(&d->t, &c, &a);
        assert_true(chain_of(&d->t, mask, &c, root, &copied));
        assert_true(r.copied == copied);
        check_against(&d->t, &c, root, &r);
        seen[0] += r.placed && !r.spill, seen[1] += r.placed && r.spill, seen[2] += !r.placed;
        seen[3] += mask != 0, seen[4] += r.reserved > 0;
    } else assert_string_equal(err.code, "too_large"), seen[5]++;
    arena_free(&a);
}
static void all_placements(void **state) {
    (void)state;
    size_t seen[6] = {0};
    for (int i = 0; i < TASKS; i++) {
        drawn d;
        draw_task(&d);
        check_task(&d, seen);
    }
    for (int i = 0; i < 6; i++) assert_true(seen[i] > 50); /* every kind of answer was met often */
}

/* ---- known cases ---- */

static plan_result planned(const plan_task *t, arena *a) {
    static jmp_buf exhausted;
    tare_error err = {0};
    plan_result r;
    *a = (arena){.unwind = &exhausted};
    if (setjmp(exhausted)) fail_msg("out of memory");
    if (!plan_place(&r, t, a, &err)) fail_msg("%s", err.message);
    return r;
}
/* bloom-7b1 in float16 on two GPUs of 10 GB: an embedding, its norm, thirty layers, a last norm, and the tied head. */
static void the_seed_case(void **state) {
    (void)state;
    enum { LAYERS = 30, N = LAYERS + 4 };
    uint64_t bytes[N] = {2055208960, 16384}, gpus[] = {10000000000, 10000000000};
    for (size_t i = 0; i < LAYERS; i++) bytes[i + 2] = 402759680;
    bytes[N - 2] = 16384;
    const plan_tie ties[] = {{.block = 0, .owner = true, .bytes = 2055208960}, {.block = N - 1, .bytes = 2055208960}};
    plan_task t = {.bytes = bytes, .blocks = N, .ties = ties, .tie_count = 2, .gpus = gpus, .gpu_count = 2, .has_cpu = true, .cpu = 30000000000};
    arena a;
    plan_result r = planned(&t, &a);
    assert_true(r.placed && r.spill == 0);
    assert_int_equal(r.loads[0], 6888341504);
    assert_int_equal(r.loads[1], 7249690624);
    assert_int_equal(r.max_load, 7249690624);
    assert_int_equal(r.device[13], 0);
    assert_int_equal(r.device[14], 1);
    assert_int_equal(r.device[N - 1], 0);
    assert_int_equal(r.breaks, N - 2); /* 12 layers, then 18, and no room for the norm */
    arena_free(&a);
}
/* 7 | | 2 1 4 | 9 and 7 2 | 1 | 4 | 9 have equal squares, and no other is as small: the middle of one byte stays out. */
static void fewer_devices_are_better(void **state) {
    (void)state;
    uint64_t bytes[] = {7, 2, 1, 4, 9}, gpus[] = {9, 1, 9, 9};
    plan_task t = {.bytes = bytes, .blocks = 5, .gpus = gpus, .gpu_count = 4};
    arena a;
    plan_result r = planned(&t, &a);
    assert_int_equal(r.used, 3);
    assert_int_equal(r.loads[0], 7);
    assert_int_equal(r.loads[2], 7);
    arena_free(&a);
}
/* Room for the 1 that is off pushes out the 5, and then there must be room for that: the first GPU stays empty. */
static void room_for_what_is_off(void **state) {
    (void)state;
    uint64_t bytes[] = {2, 3, 5, 1}, gpus[] = {5, 5};
    plan_task t = {.bytes = bytes, .blocks = 4, .gpus = gpus, .gpu_count = 2, .has_cpu = true, .cpu = UINT64_MAX, .reserve_largest = true};
    arena a;
    plan_result r = planned(&t, &a);
    assert_int_equal(r.reserved, 5);
    assert_int_equal(r.loads[0], 0);
    assert_int_equal(r.loads[1], 5);
    assert_int_equal(r.spill, 6);
    assert_int_equal(r.first_off, 2);
    arena_free(&a);
}
static void sums_beyond_64_bits_are_refused(void **state) {
    (void)state;
    uint64_t bytes[] = {UINT64_MAX, 1}, gpus[] = {UINT64_MAX};
    plan_task t = {.bytes = bytes, .blocks = 1, .gpus = gpus, .gpu_count = 1};
    arena a;
    plan_result r = planned(&t, &a);
    assert_true(r.placed && r.max_load == UINT64_MAX);
    tare_error err = {0};
    t.blocks = 2;
    assert_false(plan_place(&r, &t, &a, &err));
    assert_string_equal(err.code, "too_large");
    err = (tare_error){0};
    t.blocks = 1, t.gpu_count = PLAN_MOST_GPUS + 1;
    assert_false(plan_place(&r, &t, &a, &err));
    assert_string_equal(err.code, "too_large");
    arena_free(&a);
}
static void nothing_to_place(void **state) {
    (void)state;
    uint64_t none[1] = {0}, gpus[] = {0, 5};
    plan_task t = {.bytes = none, .gpus = gpus, .gpu_count = 2};
    arena a;
    plan_result r = planned(&t, &a);
    assert_true(r.placed && r.used == 0 && r.max_load == 0);
    arena_free(&a);
    t.blocks = 1;
    r = planned(&t, &a);
    assert_true(r.placed);
    assert_int_equal(r.device[0], 0);
    arena_free(&a);
    t.gpu_count = 0;
    r = planned(&t, &a);
    assert_false(r.placed);
    assert_int_equal(r.stuck, 0);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_placements), cmocka_unit_test(the_seed_case), cmocka_unit_test(fewer_devices_are_better),
        cmocka_unit_test(room_for_what_is_off), cmocka_unit_test(sums_beyond_64_bits_are_refused), cmocka_unit_test(nothing_to_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
