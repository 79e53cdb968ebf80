/* Filling: random boxes against a loop over elements, in every way of reading and handing over; what happens when a file, a caller or the
 * memory fails; the bound. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "core/arena.h"
#include "init/lanes.h"
#include "load/cast.h"
#include "load/fill.h"
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- a checkpoint of random bytes ---- */

static uint64_t seed = 1;
static uint64_t next(void) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return seed >> 33;
}
static int64_t below(int64_t n) { return (int64_t)(next() % (uint64_t)n); }

enum { FILES = 3, MOST_PER_FILE = 12, TENSORS = FILES * MOST_PER_FILE };
static const tare_dtype kinds[] = {TARE_F32, TARE_BF16, TARE_F16, TARE_F64, TARE_I64, TARE_I32, TARE_I8, TARE_U8, TARE_BOOL, TARE_F8_E4M3, TARE_C64, TARE_U16};
enum { KINDS = sizeof kinds / sizeof *kinds };
static checkpoint folder;
static weights_file files[FILES];
static file_tensor tensors[TENSORS];
static int64_t shapes[TENSORS];
static char paths[FILES][64], *contents[FILES];

static size_t per_file;
static void make_file(size_t f, int64_t elements) {
    uint64_t at = 3 + f; /* nothing is aligned */
    for (size_t i = f * per_file; i < (f + 1) * per_file; i++) {
        tare_dtype dtype = kinds[i % KINDS];
        shapes[i] = elements;
        tensors[i] = (file_tensor){.key = "layers.1.norm", .shape = &shapes[i], .rank = 1, .at = at, .file = (uint32_t)f, .dtype = (uint8_t)dtype};
        tensors[i].bytes = (uint64_t)elements * tare_dtype_bytes(dtype);
        at += tensors[i].bytes + (uint64_t)below(9);
    }
    contents[f] = malloc(at);
    assert_non_null(contents[f]);
    for (uint64_t i = 0; i < at; i++) contents[f][i] = (char)next();
    snprintf(paths[f], sizeof paths[f], "fill_%ld_%zu", (long)getpid(), f);
    int fd = open(paths[f], O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, contents[f], at), at);
    files[f] = (weights_file){.name = paths[f], .path = paths[f], .bytes = at, .first = f * per_file, .n = per_file, .fd = fd, .present = true};
}
static void make(size_t tensors_each, int64_t elements) {
    per_file = tensors_each;
    folder = (checkpoint){.folder = ".", .files = files, .file_count = FILES, .tensors = tensors, .tensor_count = FILES * per_file};
    pthread_mutex_init(&folder.lock, NULL);
    for (size_t f = 0; f < FILES; f++) make_file(f, elements);
}
static void unmake(void) {
    for (size_t f = 0; f < FILES; f++) {
        close(files[f].fd);
        unlink(paths[f]);
        free(contents[f]);
    }
    pthread_mutex_destroy(&folder.lock);
}

/* ---- random values ---- */

enum { BOXES = 64, MOST_TARGETS = 24 };
static box boxes[MOST_TARGETS][BOXES];
static value values[MOST_TARGETS];
static fill_target targets[MOST_TARGETS];

/* Steps that stay within the tensor: a permuted shape, perhaps with room between rows, backwards, or standing still. */
static void random_source(value *v, box *b, int64_t elements) {
    int order[MOST_RANK];
    int64_t low = 0, high = 0, by = 1 + (next() % 4 == 0) * below(3);
    b->source = (size_t)below(TENSORS);
    for (int d = 0; d < v->rank; d++) order[d] = v->rank - 1 - d;
    for (int d = 0; d < v->rank && next() % 2; d++) {
        int e = (int)below(v->rank), o = order[d];
        order[d] = order[e], order[e] = o;
    }
    for (int i = 0; i < v->rank; i++) {
        int d = order[i];
        int64_t most = (b->size[d] ? b->size[d] - 1 : 0) * by, kind = below(12);
        b->step[d] = kind == 0 ? 0 : kind == 1 ? -by : by;
        if (high - low + most >= elements) b->step[d] = 0;
        if (b->step[d] < 0) low -= most;
        else if (b->step[d]) high += most;
        if (b->step[d]) by = by * (b->size[d] + (next() % 4 == 0) * below(4)) + (b->size[d] == 0);
    }
    b->from = -low + below(elements - (high - low));
}
static void split(value *v, box b, int depth, int64_t elements) {
    int d = v->rank ? (int)below(v->rank) : 0;
    if (depth > 0 && v->rank && b.size[d] > 1 && v->n + (1u << depth) < BOXES) {
        int64_t k = 1 + below(b.size[d] - 1);
        box rest = b;
        if (next() % 3) { /* one after the other, or in turn */
            b.size[d] = k, rest.at[d] += k * b.apart[d], rest.size[d] -= k;
        } else {
            rest.at[d] += b.apart[d], rest.size[d] /= 2, b.size[d] -= rest.size[d];
            b.apart[d] *= 2, rest.apart[d] *= 2;
        }
        split(v, rest, depth - 1, elements);
        split(v, b, depth - 1, elements);
        return;
    }
    random_source(v, &b, elements);
    v->boxes[v->n++] = b;
}
static void random_value(size_t i, int64_t elements) {
    static const int64_t sizes[] = {1, 2, 3, 5, 8, 17, 40, 64, 65, 130};
    value *v = &values[i];
    *v = (value){.boxes = boxes[i], .rank = (int)below(5), .elements = 1};
    box all = {0};
    for (int d = 0; d < v->rank; d++) {
        int64_t n = next() % 40 == 0 ? 0 : sizes[below(10)];
        if (v->elements * n > elements) n = 1;
        v->shape[d] = all.size[d] = n, v->elements *= n, all.apart[d] = 1;
    }
    split(v, all, (int)below(5), elements);
    targets[i] = (fill_target){v, (tare_dtype)below(TARE_BOOL + 1)};
}

/* ---- what must come out ---- */

static size_t item_of(size_t i) { return tare_dtype_bytes(targets[i].dtype); }
static void expect_box(const value *v, const box *b, tare_dtype dtype, char *out) {
    int64_t n = 1, size = (int64_t)tare_dtype_bytes(dtype);
    for (int d = 0; d < v->rank; d++) n *= b->size[d];
    const file_tensor *t = &tensors[b->source];
    for (int64_t e = 0; e < n; e++) {
        int64_t left = e, src = b->from, dst = 0, row = 1;
        for (int d = v->rank - 1; d >= 0; d--) {
            int64_t i = left % b->size[d];
            left /= b->size[d];
            src += i * b->step[d], dst += (b->at[d] + i * b->apart[d]) * row;
            row *= v->shape[d];
        }
        _Alignas(8) char one[8];
        const char *from = contents[t->file] + t->at + (uint64_t)src * tare_dtype_bytes((tare_dtype)t->dtype);
        cast_run(lanes_named("scalar"), dtype, one, (tare_dtype)t->dtype, from, 1, false);
        memcpy(out + dst * size, one, (size_t)size);
    }
}
static char *expected(size_t i) {
    char *out = calloc((size_t)values[i].elements + 1, item_of(i));
    assert_non_null(out);
    for (size_t b = 0; b < values[i].n; b++) expect_box(&values[i], &values[i].boxes[b], targets[i].dtype, out);
    return out;
}

/* ---- who takes it ---- */

typedef struct taker {
    char *got[MOST_TARGETS];
    bool in_pieces[MOST_TARGETS], in_order, done[MOST_TARGETS];
    uint64_t come[MOST_TARGETS], told;
    long calls, fail_at;   /* the call that says false; 0: none */
    pthread_mutex_t lock;
} taker;

static bool goes_on(taker *t) {
    pthread_mutex_lock(&t->lock);
    bool ok = ++t->calls != t->fail_at;
    pthread_mutex_unlock(&t->lock);
    return ok;
}
static void *whole(void *to, size_t i) {
    taker *t = to;
    return t->in_pieces[i] ? NULL : t->got[i];
}
static bool piece(void *to, size_t i, uint64_t first, const void *bytes, size_t n) {
    taker *t = to;
    bool ok = !t->in_order || first == t->come[i];
    memcpy(t->got[i] + first, bytes, n);
    pthread_mutex_lock(&t->lock);
    t->come[i] += n;
    pthread_mutex_unlock(&t->lock);
    return ok && goes_on(t);
}
static bool done(void *to, size_t i) {
    taker *t = to;
    bool all = !t->in_pieces[i] || t->come[i] == (uint64_t)values[i].elements * item_of(i);
    bool first = !t->done[i];
    t->done[i] = true;
    return all && first && goes_on(t);
}
static bool progress(void *to, uint64_t bytes) {
    taker *t = to;
    t->told += bytes;
    return goes_on(t);
}
static void take_all(taker *t, size_t n) {
    *t = (taker){0};
    pthread_mutex_init(&t->lock, NULL);
    for (size_t i = 0; i < n; i++) {
        t->got[i] = malloc((size_t)values[i].elements * item_of(i) + 1);
        assert_non_null(t->got[i]);
        memset(t->got[i], 0xa5, (size_t)values[i].elements * item_of(i) + 1);
        t->in_pieces[i] = next() % 2;
    }
}
static void let_go(taker *t, size_t n) {
    for (size_t i = 0; i < n; i++) free(t->got[i]);
    pthread_mutex_destroy(&t->lock);
}
static fill_out out_of(taker *t) { return (fill_out){.memory = whole, .piece = piece, .done = done, .to = t}; }

static void odd_is(size_t i, const char *bytes, fill_odd got) {
    fill_odd want = {0};
    cast_odd(lanes_named("scalar"), targets[i].dtype, bytes, (size_t)values[i].elements, &want.nan, &want.inf);
    assert_int_equal(got.nan, want.nan);
    assert_int_equal(got.inf, want.inf);
}
static void came_right(const taker *t, const fill_odd *odd, size_t n) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        char *want = expected(i);
        size_t all = (size_t)values[i].elements * item_of(i);
        assert_true(t->done[i]);
        if (memcmp(t->got[i], want, all)) fail_msg("target %zu is wrong", i);
        assert_int_equal((unsigned char)t->got[i][all], 0xa5);
        if (odd) odd_is(i, want, odd[i]);
        for (size_t b = 0; b < values[i].n; b++) {
            uint64_t k = tare_dtype_bytes((tare_dtype)tensors[values[i].boxes[b].source].dtype);
            for (int d = 0; d < values[i].rank; d++) k *= (uint64_t)values[i].boxes[b].size[d];
            bytes += k;
        }
        free(want);
    }
    assert_int_equal(t->told, bytes);
}

/* ---- random boxes ---- */

static const fill_sizes tiny[] = {
    {.unit = 8, .window = 8, .room = 8, .cast = 8, .small = 0},
    {.unit = 100, .window = 56, .room = 200, .cast = 48, .small = 24},
    {.unit = 3000, .window = 1000, .room = 5000, .cast = 700, .small = 100},
    {.unit = 100000, .window = 70000, .room = 50000, .cast = 20000, .small = 2000},
};
static void one_run(size_t n) {
    taker t;
    fill_odd odd[MOST_TARGETS];
    tare_error err = {0};
    take_all(&t, n);
    fill_how how = {.threads = next() % 2 ? 1 : 3, .io = (fill_io)below(3), .in_order = next() % 2, .odd = next() % 2 ? odd : NULL,
        .progress = progress, .progress_to = &t, .sizes = next() % 8 ? &tiny[below(4)] : NULL};
    if (how.io == FILL_DIRECT && how.sizes && how.sizes->room < 5000) how.sizes = &tiny[3]; /* each request goes to the disk */
    t.in_order = how.in_order;
    fill_out out = out_of(&t);
    if (!fill_run(&folder, targets, n, &how, &out, &err)) fail_msg("%s", err.message);
    came_right(&t, how.odd, n);
    let_go(&t, n);
}
static void test_boxes(void **state) {
    (void)state;
    enum { ELEMENTS = 3000, RUNS = 150 };
    make(MOST_PER_FILE, ELEMENTS);
    for (int i = 0; i < RUNS; i++) {
        size_t n = (size_t)below(MOST_TARGETS + 1);
        for (size_t k = 0; k < n; k++) random_value(k, ELEMENTS);
        one_run(n);
    }
    unmake();
}

/* Whole tensors, small and adjacent, as norms are. */
static void test_small(void **state) {
    (void)state;
    make(MOST_PER_FILE, 37);
    for (int i = 0; i < 50; i++) {
        for (size_t k = 0; k < MOST_TARGETS; k++) {
            boxes[k][0] = (box){.source = k % 16, .step = {1}, .size = {37}, .apart = {1}};
            values[k] = (value){.boxes = boxes[k], .n = 1, .rank = 1, .shape = {37}, .elements = 37};
            targets[k] = (fill_target){&values[k], next() % 2 ? (tare_dtype)below(TARE_BOOL + 1) : (tare_dtype)tensors[k % 16].dtype};
        }
        for (size_t k = 0; k < MOST_TARGETS; k++)
            if (!fill_can_cast(tensors[k % 16].dtype, (int)targets[k].dtype)) targets[k].dtype = TARE_F32;
        one_run(MOST_TARGETS);
    }
    unmake();
}

/* Larger than what is read at once and than what stays in the caches: turned round, and cast as it is. */
static void test_large(void **state) {
    (void)state;
    enum { ROWS = 1100, COLUMNS = 1501, ALL = 6 };
    make(2, (int64_t)ROWS * COLUMNS);
    for (int turned = 0; turned < 2; turned++)
        for (size_t i = 0; i < ALL; i++) {
            for (size_t k = 0; k < 2; k++) {
                boxes[k][0] = (box){.source = (i + k) % ALL, .step = {turned ? 1 : COLUMNS, turned ? COLUMNS : 1}, .apart = {1, 1}};
                boxes[k][0].size[0] = turned ? COLUMNS : ROWS, boxes[k][0].size[1] = turned ? ROWS : COLUMNS;
                values[k] = (value){.boxes = boxes[k], .n = 1, .rank = 2, .elements = (int64_t)ROWS * COLUMNS};
                memcpy(values[k].shape, boxes[k][0].size, sizeof values[k].shape);
                targets[k] = (fill_target){&values[k], k ? TARE_F32 : (tare_dtype)tensors[i].dtype};
            }
            one_run(2);
        }
    unmake();
}

/* ---- what fails ---- */

static void plain_targets(size_t n, int64_t elements) {
    for (size_t k = 0; k < n; k++) {
        boxes[k][0] = (box){.source = k, .step = {1}, .size = {elements}, .apart = {1}};
        values[k] = (value){.boxes = boxes[k], .n = 1, .rank = 1, .shape = {elements}, .elements = elements};
        targets[k] = (fill_target){&values[k], k % 2 ? TARE_F32 : (tare_dtype)tensors[k].dtype};
    }
}
/* The end of the last file is gone: which way it is read does not matter. */
static void test_shorter(void **state) {
    (void)state;
    make(MOST_PER_FILE, 50000);
    plain_targets(MOST_TARGETS, 50000);
    assert_int_equal(ftruncate(files[1].fd, (off_t)tensors[20].at + 5), 0);
    for (int io = FILL_PREAD; io <= FILL_DIRECT; io++)
        for (int threads = 1; threads <= 3; threads += 2) {
            taker t;
            tare_error err = {0};
            take_all(&t, MOST_TARGETS);
            fill_out out = out_of(&t);
            assert_false(fill_run(&folder, targets, MOST_TARGETS, &(fill_how){.threads = threads, .io = (fill_io)io}, &out, &err));
            assert_int_equal(err.status, TARE_IO);
            assert_string_equal(err.code, "io");
            assert_string_equal(err.path, paths[1]);
            assert_non_null(strstr(err.message, "\"layers.1.norm\""));
            let_go(&t, MOST_TARGETS);
        }
    unmake();
}
/* Whichever call says no, and whoever of the three it is, the run ends and says nothing of its own. */
static void test_cancel(void **state) {
    (void)state;
    make(MOST_PER_FILE, 500);
    plain_targets(MOST_TARGETS, 500);
    for (long k = 1, calls = 2; k < calls; k++) {
        taker t;
        tare_error err = {0};
        take_all(&t, MOST_TARGETS);
        fill_out out = out_of(&t);
        t.fail_at = k;
        fill_how how = {.threads = k % 2 ? 1 : 3, .progress = progress, .progress_to = &t, .sizes = &tiny[1 + k % 3]};
        bool ok = fill_run(&folder, targets, MOST_TARGETS, &how, &out, &err);
        assert_int_equal(ok, t.calls < k);
        assert_int_equal(err.status, TARE_OK);
        calls = ok ? k : k + 2;
        let_go(&t, MOST_TARGETS);
    }
    unmake();
}
static void refused(fill_target t) {
    tare_error err = {0};
    taker none = {.lock = PTHREAD_MUTEX_INITIALIZER};
    fill_out out = out_of(&none);
    assert_false(fill_run(&folder, &t, 1, &(fill_how){.threads = 1}, &out, &err));
    assert_int_equal(err.status, TARE_BAD);
    assert_string_equal(err.code, "conversion");
    assert_int_equal(none.calls, 0);
}
static void test_refused(void **state) {
    (void)state;
    make(MOST_PER_FILE, 10);
    plain_targets(1, 10);
    refused((fill_target){&values[0], TARE_F8_E4M3});
    refused((fill_target){&values[0], TARE_U16});
    boxes[0][0].from = 1;
    refused((fill_target){&values[0], TARE_F32});
    boxes[0][0].from = 0, boxes[0][0].step[0] = -1;
    refused((fill_target){&values[0], TARE_F32});
    boxes[0][0].step[0] = 1, boxes[0][0].source = TENSORS;
    refused((fill_target){&values[0], TARE_F32});
    boxes[0][0].source = 0, tensors[0].odd = true;
    refused((fill_target){&values[0], TARE_F32});
    tensors[0].dtype = TARE_F4;
    assert_false(fill_can_cast(TARE_F4, TARE_F4));
    assert_false(fill_can_cast(TARE_DTYPE_COUNT, TARE_F32));
    assert_true(fill_can_cast(TARE_C64, TARE_C64));
    unmake();
}

/* ---- memory ---- */

static void test_out_of_memory(void **state) {
    (void)state;
    make(MOST_PER_FILE, 500);
    plain_targets(MOST_TARGETS, 500);
    for (int io = FILL_PREAD; io <= FILL_DIRECT; io++)
        for (long k = 1, reached = 1; reached; k++) {
            taker t;
            tare_error err = {0};
            take_all(&t, MOST_TARGETS);
            fill_out out = out_of(&t);
            tarei_fail_after(k);
            bool ok = fill_run(&folder, targets, MOST_TARGETS, &(fill_how){.threads = 3, .io = (fill_io)io}, &out, &err);
            reached = tarei_allocations() >= k;
            tarei_fail_after(0);
            assert_int_equal(ok, !reached);
            if (!ok) assert_string_equal(err.code, "out_of_memory");
            if (ok) assert_true(k > 3);
            let_go(&t, MOST_TARGETS);
        }
    unmake();
}
static void test_bound(void **state) {
    (void)state;
    checkpoint none = {.file_count = 1};
    assert_true(fill_bound(&none, 1000, &(fill_how){.threads = 2}) <= 32 << 20);
    assert_true(fill_bound(&none, 1000, &(fill_how){.threads = 1, .io = FILL_DIRECT}) <= 16 << 20);
    assert_true(fill_bound(&none, 1000000, &(fill_how){.threads = 1}) <= 64 << 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boxes), cmocka_unit_test(test_small), cmocka_unit_test(test_large), cmocka_unit_test(test_shorter),
        cmocka_unit_test(test_cancel), cmocka_unit_test(test_refused), cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
