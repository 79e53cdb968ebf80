/* JSON values: Python's equality and truth, dicts that copy on write. */
#include "core/val.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static arena space;
static jmp_buf exhausted;
static int open_space(void **state) {
    (void)state;
    space = (arena){.unwind = &exhausted};
    return 0;
}
static int close_space(void **state) {
    (void)state;
    arena_free(&space);
    return 0;
}
static val dict_of(const char *key, val v) { return dict_with(&space, (val){0}, key, v); }

static void test_numbers_equal(void **state) {
    (void)state;
    assert_true(val_equal(val_int(1), val_real(1.0)));
    assert_true(val_equal(val_int(1), val_bool(true)));
    assert_true(val_equal(val_bool(false), val_real(-0.0)));
    assert_false(val_equal(val_int(1), val_int(2)));
    assert_false(val_equal(val_real((double)NAN), val_real((double)NAN)));
    assert_true(val_equal(val_int(INT64_MAX), val_int(INT64_MAX)));
    assert_false(val_equal(val_int(INT64_MAX), val_int(INT64_MAX - 1)));
    assert_false(val_equal(val_int(0), val_null()));
    assert_false(val_equal(val_int(1), val_text("1")));
    assert_true(val_equal(val_null(), val_null()));
    assert_false(val_equal(val_null(), (val){0}));
}
static void test_texts_equal(void **state) {
    (void)state;
    assert_true(val_equal(val_text("gelu"), val_text("gelu")));
    assert_false(val_equal(val_text("gelu"), val_text("gelu_new")));
    assert_true(val_equal(val_text(""), val_text("")));
}
static void test_lists_equal(void **state) {
    (void)state;
    val ints = list_of(&space, (val[]){val_int(1), val_int(2)}, 2), reals = list_of(&space, (val[]){val_real(1), val_real(2)}, 2);
    assert_true(val_equal(ints, reals));
    assert_false(val_equal(ints, list_of(&space, ints.items, 1)));
    assert_false(val_equal(ints, list_of(&space, (val[]){val_int(2), val_int(1)}, 2)));
    assert_true(val_equal(list_of(&space, NULL, 0), list_of(&space, NULL, 0)));
    assert_int_equal(ints.items[1].i, 2);
}
static void test_dicts_equal(void **state) {
    (void)state;
    val ab = dict_with(&space, dict_of("a", val_int(1)), "b", val_null());
    val ba = dict_with(&space, dict_of("b", val_null()), "a", val_real(1));
    assert_true(val_equal(ab, ba)); /* order does not matter */
    assert_false(val_equal(ab, dict_of("a", val_int(1))));
    assert_false(val_equal(ab, dict_with(&space, dict_of("a", val_int(1)), "c", val_null())));
    assert_false(val_equal(ab, list_of(&space, NULL, 0)));
}

static void test_truth(void **state) {
    (void)state;
    assert_false(val_true((val){0}));
    assert_false(val_true(val_null()));
    assert_false(val_true(val_bool(false)));
    assert_false(val_true(val_int(0)));
    assert_false(val_true(val_real(0)));
    assert_false(val_true(val_real(-0.0)));
    assert_false(val_true(val_text("")));
    assert_false(val_true(list_of(&space, NULL, 0)));
    assert_true(val_true(val_bool(true)));
    assert_true(val_true(val_int(-1)));
    assert_true(val_true(val_real((double)NAN)));
    assert_true(val_true(val_text("false")));
    assert_true(val_true(list_of(&space, (val[]){val_null()}, 1)));
    assert_true(val_true(dict_of("a", val_null())));
}
static void test_types(void **state) {
    (void)state;
    assert_string_equal(val_type(val_null()), "NoneType");
    assert_string_equal(val_type(val_bool(true)), "bool");
    assert_string_equal(val_type(val_int(1)), "int");
    assert_string_equal(val_type(val_real(1)), "float");
    assert_string_equal(val_type(val_text("")), "str");
    assert_string_equal(val_type(list_of(&space, NULL, 0)), "list");
    assert_string_equal(val_type(dict_of("a", val_null())), "dict");
}

static void test_dict_set(void **state) {
    (void)state;
    val one = dict_of("a", val_int(1)), two = dict_with(&space, one, "b", val_int(2)), changed = dict_with(&space, two, "a", val_int(3));
    assert_int_equal(one.n, 1);
    assert_int_equal(two.n, 2);
    assert_int_equal(changed.n, 2);
    assert_int_equal(dict_get(two, "a").i, 1); /* the original is untouched */
    assert_int_equal(dict_get(changed, "a").i, 3);
    assert_string_equal(changed.members[0].key, "a"); /* and the place is kept */
    assert_int_equal(dict_get(two, "c").kind, VAL_ABSENT);
    assert_int_equal(dict_get(val_int(1), "a").kind, VAL_ABSENT);
    assert_int_equal(dict_get(dict_of("a", val_null()), "a").kind, VAL_NULL);
}
static void test_dict_drop(void **state) {
    (void)state;
    val two = dict_with(&space, dict_of("a", val_int(1)), "b", val_int(2)), left = dict_without(&space, two, "a");
    assert_int_equal(left.n, 1);
    assert_string_equal(left.members[0].key, "b");
    assert_int_equal(two.n, 2);
    assert_int_equal(dict_without(&space, left, "a").n, 1);
    assert_int_equal(dict_without(&space, left, "b").n, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, open_space, close_space)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_numbers_equal), TEST(test_texts_equal), TEST(test_lists_equal), TEST(test_dicts_equal),
        TEST(test_truth), TEST(test_types), TEST(test_dict_set), TEST(test_dict_drop),
    };
    if (setjmp(exhausted)) return 1; /* memory ran out */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
