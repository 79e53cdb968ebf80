/* layout_scatter(): a model's bytes, in any portions, to the tensors on disk. */
#include "layout.h"
#include <string.h>

enum { LONG_RUN = 4096, LINE = 64, GATHERED = LONG_RUN * LINE / 4 };
typedef struct portion { /* bytes of a tensor, on their way */
    uint64_t at;
    const unsigned char *bytes;
    size_t n;
    layout_put put;
    void *to;
} portion;

/* ---- what lies in many places, close together on disk: gathered first ---- */

typedef struct gathering {
    const portion *in;
    size_t entry;
    uint64_t n;                 /* bytes of a run */
    layout_axis axes[MOST_AXES + 1]; /* their steps on disk rise */
    int inner, count;           /* the inner ones leave no gap there */
    unsigned char *room;
} gathering;
static void copy_runs(unsigned char *out, const unsigned char *from, uint64_t n, uint64_t count, uint64_t apart) {
    switch (n) {
    case 1: for (uint64_t i = 0; i < count; i++) out[i] = from[i * apart]; break;
    case 2: for (uint64_t i = 0; i < count; i++) memcpy(out + 2 * i, from + i * apart, 2); break;
    case 4: for (uint64_t i = 0; i < count; i++) memcpy(out + 4 * i, from + i * apart, 4); break;
    case 8: for (uint64_t i = 0; i < count; i++) memcpy(out + 8 * i, from + i * apart, 8); break;
    default: for (uint64_t i = 0; i < count; i++) memcpy(out + n * i, from + i * apart, n);
    }
}
/* Fills the room from the inner axes up to this one; how many bytes that is. */
static uint64_t fill_room(const gathering *g, int axis, uint64_t from, unsigned char *out) {
    const layout_axis *x = &g->axes[axis];
    uint64_t n = 0, count = (uint64_t)x->count;
    if (axis == 0) return copy_runs(out, g->in->bytes + (from - g->in->at), g->n, count, x->from_step), g->n * count;
    for (uint64_t i = 0; i < count; i++) n += fill_room(g, axis - 1, from + i * x->from_step, out + n);
    return n;
}
/* Columns that lie side by side in memory: as many at once as share its lines, so that each line is read once. */
static bool turn(const gathering *g, uint64_t from, uint64_t to) {
    const layout_axis *down = &g->axes[0], *across = &g->axes[1];
    const unsigned char *bytes = g->in->bytes + (from - g->in->at);
    uint64_t row = g->n * (uint64_t)down->count, most = GATHERED / row < LINE / g->n ? GATHERED / row : LINE / g->n, count = (uint64_t)across->count;
    for (uint64_t i = 0, n; i < count; i += n) {
        n = count - i < most ? count - i : most;
        for (uint64_t k = 0; k < n; k++) copy_runs(g->room + k * row, bytes + (i + k) * g->n, g->n, (uint64_t)down->count, down->from_step);
        for (uint64_t k = 0; k < n; k++)
            if (!g->in->put(g->in->to, g->entry, to + (i + k) * across->to_step, g->room + k * row, (size_t)row)) return false;
    }
    return true;
}
static bool gather(const gathering *g, int axis, uint64_t from, uint64_t to) {
    if (axis < g->inner) {
        uint64_t n = g->inner ? fill_room(g, axis, from, g->room) : g->n;
        return g->in->put(g->in->to, g->entry, to, g->inner ? g->room : g->in->bytes + (from - g->in->at), (size_t)n);
    }
    const layout_axis *x = &g->axes[axis];
    if (axis == 1 && g->inner == 1 && x->from_step == g->n && g->n <= LINE / 2) return turn(g, from, to);
    for (uint64_t i = 0; i < (uint64_t)x->count; i++)
        if (!gather(g, axis - 1, from + i * x->from_step, to + i * x->to_step)) return false;
    return true;
}
/* The axis along which the model's tensor is contiguous comes right after the inner ones; the order of the outer ones is free. */
static bool gather_in_order(gathering *g, uint64_t from, uint64_t to) {
    for (int i = g->inner + 1; i < g->count; i++) {
        layout_axis x = g->axes[i];
        if (x.from_step != g->n) continue;
        for (; i > g->inner; i--) g->axes[i] = g->axes[i - 1];
        g->axes[i] = x;
        break;
    }
    return gather(g, g->count - 1, from, to);
}
/* Inner axes as far as there is room; one that is too long for it is taken in parts, whole ones and a rest. */
static bool gather_all(gathering *g, uint64_t from, uint64_t to) {
    uint64_t n = g->n;
    for (g->inner = 0; g->inner < g->count && g->axes[g->inner].to_step == n; g->inner++) {
        layout_axis *x = &g->axes[g->inner];
        uint64_t count = (uint64_t)x->count, part = LONG_RUN / n;
        if (count <= part) { n *= count; continue; }
        if (part < 2) break;
        gathering rest = *g;
        uint64_t whole = count / part * part;
        memmove(x + 1, x, (size_t)(g->count - g->inner) * sizeof *x);
        g->count++;
        x[1] = (layout_axis){(int64_t)(count / part), part * x->from_step, part * x->to_step};
        x->count = (int64_t)part;
        g->inner++;
        rest.axes[rest.inner].count = (int64_t)(count - whole);
        uint64_t rest_from = from + whole * x->from_step, rest_to = to + whole * x->to_step;
        return gather_in_order(g, from, to) && (whole == count || gather_all(&rest, rest_from, rest_to));
    }
    return gather_in_order(g, from, to);
}
/* All that the axes from this one on reach is in the portion: `count` of this one's. */
static bool hand_on_block(const portion *in, const layout_piece *p, int axis, uint64_t count, uint64_t from, uint64_t to) {
    unsigned char room[GATHERED];
    gathering g = {.in = in, .entry = p->entry, .n = p->n, .room = room};
    for (int i = axis; i < p->axis_count; i++) {
        int k = g.count++;
        for (; k && g.axes[k - 1].to_step > p->axes[i].to_step; k--) g.axes[k] = g.axes[k - 1];
        g.axes[k] = p->axes[i];
        if (i == axis) g.axes[k].count = (int64_t)count;
    }
    return gather_all(&g, from, to);
}

/* ---- portions ---- */

static bool hand_on(const portion *in, const layout_piece *p, uint64_t from, uint64_t to) {
    uint64_t begin = from > in->at ? from : in->at, end = from + p->n < in->at + in->n ? from + p->n : in->at + in->n;
    if (begin >= end) return true;
    return in->put(in->to, p->entry, to + (begin - from), in->bytes + (begin - in->at), (size_t)(end - begin));
}
/* How far the axes from `axis` on reach. */
static uint64_t extent(const layout_piece *p, int axis) {
    uint64_t n = p->n;
    for (; axis < p->axis_count; axis++) n += (uint64_t)(p->axes[axis].count - 1) * p->axes[axis].from_step;
    return n;
}
static bool spread(const portion *in, const layout_piece *p, int axis, uint64_t from, uint64_t to) {
    if (axis == p->axis_count) return hand_on(in, p, from, to);
    const layout_axis *x = &p->axes[axis];
    uint64_t inner = extent(p, axis + 1), i = in->at > from + inner ? (in->at - from - inner) / x->from_step : 0;
    while (i < (uint64_t)x->count && from + i * x->from_step < in->at + in->n) {
        uint64_t at = from + i * x->from_step, whole = 0;
        if (p->n < LONG_RUN && at >= in->at && at + inner <= in->at + in->n) whole = (in->at + in->n - at - inner) / x->from_step + 1;
        if (whole > (uint64_t)x->count - i) whole = (uint64_t)x->count - i;
        bool ok = whole ? hand_on_block(in, p, axis, whole, at, to + i * x->to_step) : spread(in, p, axis + 1, at, to + i * x->to_step);
        if (!ok) return false;
        i += whole ? whole : 1;
    }
    return true;
}
bool layout_scatter(const layout_source *s, uint64_t at, const unsigned char *bytes, size_t n, layout_put put, void *to) {
    portion in = {at, bytes, n, put, to};
    for (size_t i = 0; i < s->count && s->pieces[i].from < at + n; i++)
        if (!spread(&in, &s->pieces[i], 0, s->pieces[i].from, s->pieces[i].to)) return false;
    return true;
}
