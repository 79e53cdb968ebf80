/* Boxes as loops, and the loops that move elements. */
#include "place.h"
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* ---- shapes ---- */

/* Loops of one step fall away, and a loop that goes on where the next one ends is one with it. */
static void join(place *p) {
    int n = 0;
    for (int d = 0; d < p->rank; d++) {
        if (p->size[d] == 1) continue;
        bool runs_on = n > 0 && p->src[n - 1] == p->size[d] * p->src[d] && p->dst[n - 1] == p->size[d] * p->dst[d];
        if (runs_on) p->size[n - 1] *= p->size[d], p->src[n - 1] = p->src[d], p->dst[n - 1] = p->dst[d];
        else p->size[n] = p->size[d], p->src[n] = p->src[d], p->dst[n] = p->dst[d], n++;
    }
    p->rank = n;
}
place place_of(const value *v, const box *b) {
    place p = {.rank = v->rank, .from = b->from};
    int64_t row = 1;
    for (int d = v->rank - 1; d >= 0; d--) {
        p.size[d] = b->size[d], p.src[d] = b->step[d], p.dst[d] = b->apart[d] * row;
        p.to += b->at[d] * row;
        row *= v->shape[d];
    }
    join(&p);
    return p;
}
place place_by_source(const place *p) {
    place s = *p;
    for (int d = 0; d < s.rank; d++) {
        if (s.src[d] >= 0) continue;
        s.from += (s.size[d] - 1) * s.src[d], s.to += (s.size[d] - 1) * s.dst[d];
        s.src[d] = -s.src[d], s.dst[d] = -s.dst[d];
    }
    for (int d = 1; d < s.rank; d++)
        for (int e = d; e > 0 && s.src[e - 1] < s.src[e]; e--) {
            int64_t size = s.size[e], src = s.src[e], dst = s.dst[e];
            s.size[e] = s.size[e - 1], s.src[e] = s.src[e - 1], s.dst[e] = s.dst[e - 1];
            s.size[e - 1] = size, s.src[e - 1] = src, s.dst[e - 1] = dst;
        }
    join(&s);
    return s;
}
int64_t place_elements(const place *p) {
    int64_t n = 1;
    for (int d = 0; d < p->rank; d++) n *= p->size[d];
    return n;
}
int64_t place_span(const place *p, int level) {
    int64_t n = 1;
    for (int d = level; d < p->rank; d++) n += (p->size[d] - 1) * p->src[d];
    return n;
}
bool place_is_run(const place *p) { return p->rank == 0 || (p->rank == 1 && p->src[0] == 1 && p->dst[0] == 1); }

int64_t place_before(const place *p, int64_t at) {
    int64_t left = at - p->to, inner = place_elements(p), n = 0;
    if (left <= 0) return 0;
    for (int d = 0; d < p->rank; d++) {
        int64_t k = left / p->dst[d];
        inner /= p->size[d];
        if (k >= p->size[d]) return n + p->size[d] * inner;
        n += k * inner, left -= k * p->dst[d];
    }
    return n + (left > 0);
}
int64_t place_cut(const place *p, int64_t first, int64_t n, place *out) {
    int64_t inner = place_elements(p), digit;
    *out = (place){.from = p->from, .to = p->to};
    for (int d = 0; d < p->rank; d++) {
        inner /= p->size[d], digit = first / inner, first -= digit * inner;
        out->from += digit * p->src[d], out->to += digit * p->dst[d];
        if (first > 0 || n < inner) continue;
        /* From here on inwards all is whole; as many of this loop as there are. */
        int64_t k = n / inner < p->size[d] - digit ? n / inner : p->size[d] - digit;
        out->rank = p->rank - d;
        for (int e = d; e < p->rank; e++) out->size[e - d] = p->size[e], out->src[e - d] = p->src[e], out->dst[e - d] = p->dst[e];
        out->size[0] = k;
        join(out);
        return k * inner;
    }
    return 1;
}

/* ---- moving elements ---- */

enum { TILE = 64, RUN = 8 << 10 };

static void count(const placing *how, const void *x, int64_t n) {
    if (how->nan) cast_odd(how->l, how->to, x, (size_t)n, how->nan, how->inf);
}
/* Counted while it is still in the cache. */
static void put_run(const placing *how, const char *src, char *dst, int64_t n) {
    size_t in = tare_dtype_bytes(how->from), out = tare_dtype_bytes(how->to);
    int64_t most = how->nan ? RUN : n;
    bool past = how->past && how->from != how->to && !how->nan && n >= RUN;
    for (int64_t at = 0; at < n; at += most) {
        int64_t k = n - at < most ? n - at : most;
        cast_run(how->l, how->to, dst + (size_t)at * out, how->from, src + (size_t)at * in, (size_t)k, past);
        count(how, dst + (size_t)at * out, k);
    }
}

#define MOVE(type) \
    for (int64_t i = 0; i < n; i++) memcpy(d + i * to * (int64_t)sizeof(type), s + i * from * (int64_t)sizeof(type), sizeof(type))
/* n elements of `size` bytes, by steps. */
static void move(void *dst, int64_t to, const void *src, int64_t from, int64_t n, size_t size) {
    char *d = dst;
    const char *s = src;
    switch (size) {
    case 1: MOVE(uint8_t); break;
    case 2: MOVE(uint16_t); break;
    case 4: MOVE(uint32_t); break;
    default: MOVE(uint64_t); break;
    }
}
/* A row of the value: by steps to one piece, cast, by steps to its place. */
static void put_row(const placing *how, const char *src, int64_t from, char *dst, int64_t to, int64_t n) {
    _Alignas(64) char a[TILE * TILE * 8], b[TILE * TILE * 8];
    size_t in = tare_dtype_bytes(how->from), out = tare_dtype_bytes(how->to);
    for (int64_t at = 0; at < n; at += TILE * TILE) {
        int64_t k = n - at < TILE * TILE ? n - at : TILE * TILE;
        const char *s = src + at * from * (int64_t)in;
        char *d = dst + at * to * (int64_t)out, *made = to == 1 ? d : b;
        if (from != 1) move(a, 1, s, from, k, in);
        cast_run(how->l, how->to, made, how->from, from == 1 ? s : a, (size_t)k, false);
        count(how, made, k);
        if (to != 1) move(d, to, b, 1, k, out);
    }
}
enum { EIGHT = 8 };
#if defined(__SSE2__)
/* Eight rows of eight elements of sixteen bits become columns: pairs, fours and eights of rows are brought together. */
static void turn_eight(char *to, int64_t to_row, const char *from, int64_t from_row) {
    __m128i r[EIGHT], s[EIGHT];
    for (int i = 0; i < EIGHT; i++) r[i] = _mm_loadu_si128((const void *)(from + i * from_row));
    for (int i = 0; i < 4; i++) s[2 * i] = _mm_unpacklo_epi16(r[i], r[i + 4]), s[2 * i + 1] = _mm_unpackhi_epi16(r[i], r[i + 4]);
    for (int i = 0; i < 4; i++) r[2 * i] = _mm_unpacklo_epi16(s[i], s[i + 4]), r[2 * i + 1] = _mm_unpackhi_epi16(s[i], s[i + 4]);
    for (int i = 0; i < 4; i++) s[2 * i] = _mm_unpacklo_epi16(r[i], r[i + 4]), s[2 * i + 1] = _mm_unpackhi_epi16(r[i], r[i + 4]);
    for (int i = 0; i < EIGHT; i++) _mm_storeu_si128((void *)(to + i * to_row), s[i]);
}
#else
static void turn_eight(char *to, int64_t to_row, const char *from, int64_t from_row) {
    for (int i = 0; i < EIGHT; i++) move(to + 2 * i, to_row / 2, from + i * from_row, 1, EIGHT, 2);
}
#endif
/* Rows of the source to columns of a tile whose rows have TILE elements: n rows of m elements. */
static void turn_rows(char *to, const char *from, int64_t from_row, int64_t by, int64_t n, int64_t m, size_t size) {
    int64_t row = TILE * (int64_t)size, i = 0, rows = size == 2 && by == 1 ? n / EIGHT * EIGHT : 0, columns = m / EIGHT * EIGHT;
    for (; i < rows; i += EIGHT) {
        for (int64_t j = 0; j < columns; j += EIGHT) turn_eight(to + j * row + 2 * i, row, from + i * from_row + 2 * j, from_row);
        for (int64_t k = i; k < i + EIGHT; k++) move(to + columns * row + 2 * k, TILE, from + k * from_row + 2 * columns, 1, m - columns, 2);
    }
    for (; i < n; i++) move(to + i * (int64_t)size, TILE, from + i * from_row, by, m, size);
}
/* A tile of two loops: p is the tighter one in the value, q in the source. Read by rows of the source, written by rows of the value. */
typedef struct turn { int64_t p, q, src_p, src_q, dst_p, dst_q; } turn;
static void put_tile(const placing *how, const turn *t, const char *src, char *dst) {
    _Alignas(64) char a[TILE * TILE * 8], b[TILE * 8];
    size_t in = tare_dtype_bytes(how->from), out = tare_dtype_bytes(how->to);
    turn_rows(a, src, t->src_p * (int64_t)in, t->src_q, t->p, t->q, in);
    for (int64_t q = 0; q < t->q; q++) {
        char *d = dst + q * t->dst_q * (int64_t)out, *made = t->dst_p == 1 ? d : b;
        cast_run(how->l, how->to, made, how->from, a + (size_t)q * TILE * in, (size_t)t->p, false);
        count(how, made, t->p);
        if (t->dst_p != 1) move(d, t->dst_p, b, 1, t->p, out);
    }
}
static void put_turned(const placing *how, const turn *all, const char *src, char *dst) {
    int64_t in = (int64_t)tare_dtype_bytes(how->from), out = (int64_t)tare_dtype_bytes(how->to);
    for (int64_t q = 0; q < all->q; q += TILE)
        for (int64_t p = 0; p < all->p; p += TILE) {
            turn t = *all;
            t.p = all->p - p < TILE ? all->p - p : TILE, t.q = all->q - q < TILE ? all->q - q : TILE;
            put_tile(how, &t, src + (p * t.src_p + q * t.src_q) * in, dst + (p * t.dst_p + q * t.dst_q) * out);
        }
}

static int64_t far(int64_t by) { return by < 0 ? -by : by; }
/* The loop with the shortest steps. */
static int tightest(const int64_t *by, int rank) {
    int best = 0;
    for (int d = 1; d < rank; d++)
        if (far(by[d]) <= far(by[best])) best = d;
    return best;
}
static void put_inner(const placing *how, const place *p, int near_dst, int near_src, const char *src, char *dst) {
    if (near_dst == near_src) {
        int64_t from = p->src[near_dst], to = p->dst[near_dst], n = p->size[near_dst];
        if (from == 1 && to == 1) put_run(how, src, dst, n);
        else put_row(how, src, from, dst, to, n);
        return;
    }
    put_turned(how, &(turn){p->size[near_dst], p->size[near_src], p->src[near_dst], p->src[near_src], p->dst[near_dst], p->dst[near_src]}, src, dst);
}
void place_put(const placing *how, const place *p, const void *src, void *dst) {
    int64_t in = (int64_t)tare_dtype_bytes(how->from), out = (int64_t)tare_dtype_bytes(how->to), i[MOST_RANK] = {0};
    if (p->rank == 0) {
        put_run(how, src, dst, 1);
        return;
    }
    int near_dst = tightest(p->dst, p->rank), near_src = tightest(p->src, p->rank);
    const char *s = src;
    char *t = dst;
    for (;;) {
        put_inner(how, p, near_dst, near_src, s, t);
        int d = p->rank - 1;
        for (; d >= 0; d--) {
            if (d == near_dst || d == near_src) continue;
            s += p->src[d] * in, t += p->dst[d] * out;
            if (++i[d] < p->size[d]) break;
            s -= p->size[d] * p->src[d] * in, t -= p->size[d] * p->dst[d] * out;
            i[d] = 0;
        }
        if (d < 0) return;
    }
}
