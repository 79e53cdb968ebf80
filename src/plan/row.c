/* Greedy cuts reach furthest, so that a bound on the parts is tested in a step for each device; squares are settled by a table. */
#include "row.h"
#include <string.h>

enum { LARGEST_TABLE = 1 << 25 };

size_t row_reach(const row *r, size_t from, uint64_t cap) {
    uint64_t end = r->sum[from] + cap;
    if (end < cap || end >= r->sum[r->n]) return r->n;
    size_t low = from, high = r->n; /* sum[low] <= end < sum[high] */
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (r->sum[mid] <= end) low = mid;
        else high = mid;
    }
    return low;
}
/* The first piece of a part that stops before `to`. */
static size_t row_back(const row *r, size_t to, uint64_t cap) {
    if (cap >= r->sum[to]) return 0;
    uint64_t start = r->sum[to] - cap;
    size_t low = 0, high = to; /* sum[low] < start <= sum[high] */
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (r->sum[mid] < start) low = mid;
        else high = mid;
    }
    return high;
}
static uint64_t at_most(const row *r, size_t d, uint64_t most) { return row_cap(r, d) < most ? row_cap(r, d) : most; }

size_t row_fill(const row *r, uint64_t most) {
    size_t at = 0;
    for (size_t d = 0; d < r->k && at < r->n; d++) at = row_reach(r, at, at_most(r, d, most));
    return at;
}
uint64_t row_largest(const row *r, size_t goal) {
    if (!goal) return 0;
    uint64_t low = r->sum[goal] / r->k, high = r->sum[goal];
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (row_fill(r, mid) >= goal) high = mid;
        else low = mid + 1;
    }
    return low;
}

/* ---- the smallest sum of squares ---- */

typedef struct cost { squares sum; uint64_t used; } cost;
typedef struct window { size_t low, high; uint32_t *from; } window; /* where a part may stop, and where the best one started */
typedef struct table {
    const row *r;
    uint64_t cap;         /* of the device at hand */
    const window *before;
    window *now;
    const cost *best_before;
    cost *best;
} table;

static bool less(cost a, cost b) { return a.sum != b.sum ? a.sum < b.sum : a.used < b.used; }
static cost with_part(cost c, uint64_t load) { return (cost){c.sum + (squares)load * load, c.used + (load > 0)}; }

/* The best start of the part that stops at j, of those in [low, high]; of equal ones the last. */
static size_t best_start(table *t, size_t j, size_t low, size_t high) {
    const uint64_t *sum = t->r->sum;
    size_t best_at = high;
    cost best = {~(squares)0, UINT64_MAX};
    for (size_t i = high + 1; i-- > low;) {
        uint64_t load = sum[j] - sum[i];
        if (load > t->cap || (squares)load * load > best.sum) break;
        cost c = with_part(t->best_before[i - t->before->low], load);
        if (less(c, best)) best = c, best_at = i;
    }
    t->best[j - t->now->low] = best;
    t->now->from[j - t->now->low] = (uint32_t)best_at;
    return best_at;
}
/* The best start never goes back as j goes on: squares of sums are convex. */
static void settle(table *t, size_t j0, size_t j1, size_t i0, size_t i1) {
    while (j0 <= j1) {
        size_t mid = j0 + (j1 - j0) / 2;
        size_t at = best_start(t, mid, i0, mid < i1 ? mid : i1);
        if (mid > j0) settle(t, j0, mid - 1, i0, at);
        j0 = mid + 1;
        i0 = at;
    }
}

/* Where part d may stop so that all before and all after can be cut. False: more places than a table may have. */
static bool windows_of(const row *r, size_t goal, uint64_t most, window *w, size_t *widest) {
    size_t all = 0, at = 0;
    for (size_t d = 0; d < r->k; d++) {
        at = row_reach(r, at, at_most(r, d, most));
        w[d].high = at = at < goal ? at : goal;
    }
    for (size_t d = r->k; d-- > 0;) {
        w[d].low = d + 1 == r->k ? goal : row_back(r, w[d + 1].low, at_most(r, d + 1, most));
        size_t wide = w[d].high - w[d].low + 1;
        if (wide > *widest) *widest = wide;
        if ((all += wide) > LARGEST_TABLE) return false;
    }
    return true;
}
static void first_part(const row *r, window *w, cost *best) {
    for (size_t j = w->low; j <= w->high; j++) {
        best[j - w->low] = with_part((cost){0, 0}, r->sum[j]);
        w->from[j - w->low] = 0;
    }
}
bool row_balance(const row *r, size_t goal, uint64_t most, size_t *ends, arena *a) {
    window *w = arena_array(a, r->k, sizeof *w);
    size_t widest = 0;
    bool small = windows_of(r, goal, most, w, &widest);
    for (size_t d = 0; d < r->k; d++) ends[d] = w[d].high;
    if (!small || goal > UINT32_MAX) return false;
    if (widest == 1) return true;
    cost *best = arena_array(a, widest, sizeof *best), *next = arena_array(a, widest, sizeof *next);
    for (size_t d = 0; d < r->k; d++) {
        w[d].from = arena_array(a, w[d].high - w[d].low + 1, sizeof *w[d].from);
        if (d == 0) {
            first_part(r, &w[0], best);
            continue;
        }
        table t = {r, at_most(r, d, most), &w[d - 1], &w[d], best, next};
        settle(&t, w[d].low, w[d].high, w[d - 1].low, w[d - 1].high);
        cost *swap = best;
        best = next, next = swap;
    }
    for (size_t d = r->k - 1; d > 0; d--) ends[d - 1] = w[d].from[ends[d] - w[d].low];
    return true;
}
