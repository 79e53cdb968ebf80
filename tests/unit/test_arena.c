/* The arena: zeroed, aligned, bounded, and exhaustion that unwinds; the hook that fails the k-th allocation. */
#include "core/arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Runs what, true if it came back instead of unwinding. */
static bool returns(arena *a, void (*what)(arena *)) {
    jmp_buf out;
    a->unwind = &out;
    if (setjmp(out)) return false;
    what(a);
    return true;
}

static void fill(arena *a) {
    for (size_t n = 1; n < 3000; n += 7) {
        unsigned char *p = arena_alloc(a, n);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++) assert_int_equal(p[i], 0);
        memset(p, 0xa5, n);
    }
}
static void test_zeroed_and_aligned(void **state) {
    (void)state;
    arena a = {0};
    assert_true(returns(&a, fill));
    arena_free(&a);
    assert_true(returns(&a, fill)); /* usable again */
    arena_free(&a);
    assert_int_equal(a.used, 0);
}

static void large(arena *a) {
    char *small = arena_alloc(a, 16), *big = arena_alloc(a, 5 << 20);
    memset(big, 1, 5 << 20);
    assert_int_equal(small[0], 0);
    assert_non_null(arena_alloc(a, 0));
}
static void test_large(void **state) {
    (void)state;
    arena a = {0};
    assert_true(returns(&a, large));
    assert_true(a.used >= 5 << 20);
    arena_free(&a);
}

static void texts(arena *a) {
    assert_string_equal(arena_text(a, "layers", 3), "lay");
    assert_string_equal(arena_text(a, "", 0), "");
    assert_string_equal(arena_printf(a, "%s.%d", "layers", 12), "layers.12");
    assert_string_equal(arena_printf(a, "%s", ""), "");
    assert_int_equal(strlen(arena_printf(a, "%*s", 100000, "x")), 100000);
}
static void test_texts(void **state) {
    (void)state;
    arena a = {0};
    assert_true(returns(&a, texts));
    arena_free(&a);
}

static void endless(arena *a) {
    for (;;) arena_alloc(a, 1000);
}
static void test_limit(void **state) {
    (void)state;
    arena a = {.limit = 1 << 20};
    assert_false(returns(&a, endless));
    assert_true(a.used <= a.limit);
    arena_free(&a);
}

static void too_many(arena *a) { arena_array(a, SIZE_MAX / 4, 8); }
static void too_large(arena *a) { arena_alloc(a, SIZE_MAX - 3); }
static void test_overflow(void **state) {
    (void)state;
    arena a = {0};
    assert_false(returns(&a, too_many));
    assert_false(returns(&a, too_large));
    arena_free(&a);
}

static void one_chunk(arena *a) { arena_alloc(a, 8); }
static void test_failing_allocation(void **state) {
    (void)state;
    arena a = {0};
    tarei_fail_after(1);
    assert_false(returns(&a, one_chunk));
    assert_true(returns(&a, one_chunk)); /* only the k-th fails */
    arena_free(&a);
    tarei_fail_after(1000);
    void *p = tarei_malloc(10);
    p = tarei_realloc(p, 20);
    assert_non_null(p);
    assert_int_equal(tarei_allocations(), 2);
    free(p);
    tarei_fail_after(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_and_aligned), cmocka_unit_test(test_large), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_limit), cmocka_unit_test(test_overflow), cmocka_unit_test(test_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
