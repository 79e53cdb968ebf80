/* Sizes as accelerate's convert_file_size_to_int() reads them, and bytes of dtypes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "plan/sizes.h"

static void is(const char *text, double want) {
    amount got = {-1, true};
    assert_null(memory_read(text, &got));
    assert_true(got.n == want && !got.real);
}
static void not(const char *text, const char *why) {
    amount got = {77, false};
    const char *said = memory_read(text, &got);
    assert_non_null(said);
    if (!strstr(said, why)) fail_msg("\"%s\" %s", text, said);
    assert_true(got.n == 77);
}
static void test_taken(void **state) {
    (void)state;
    is("10GB", 10000000000);
    is("10GiB", 10737418240);
    is("500MB", 500000000);
    is("10gb", 1250000000);
    is("10Gb", 1250000000);
    is("10gB", 10000000000);
    is("10 GB", 10000000000);
    is(" 10GB", 10000000000);
    is("1.5GiB", 1610612736);
    is("1e1GB", 10000000000);
    is("0GB", 0);
    is("10KB", 10000);
    is("10KiB", 10240);
    is("10kb", 1250);
    is("1_000MB", 1000000000);
    is(".5GB", 500000000);
    is("+3MB", 3000000);
    is("10gib", 10737418240);
    is("10GIB", 10737418240);
    is("3.3MB", 3300000);
    is("0.1KB", 100);
    is("80Gb", 10000000000);
    is("99999999999GB", 99999999999000002560.0);
    is("2.9999999999KB", 2999);
    is("\t3 KB", 3000);
    is("1e-3MB", 1000);
    is("-0.0001KB", 0); /* cut to 0 before it is found negative */
    is("7kb", 875);
    is("1kB", 1000);
}
static void test_refused(void **state) {
    (void)state;
    not("10GB ", "is no size");
    not("-1GB", "negative");
    not("10", "is no size");
    not("10G", "is no size");
    not("GB", "is no size");
    not("", "is no size");
    not("ten GB", "is no size");
    not("10TB", "is no size");
    not("10TiB", "is no size");
    not("10B", "is no size");
    not("0x10MB", "is no size");
    not("infGB", "infinite");
    not("nanGB", "is no size");
    not("1GBB", "is no size");
    not("10,5GB", "is no size");
    not("1e305GB", "infinite");
    not("1__0GB", "is no size"), not("_1GB", "is no size"), not("1_GB", "is no size"), not(".GB", "is no size"), not("1eGB", "is no size");
}
static void test_dtypes(void **state) {
    (void)state;
    amount a;
    assert_true(dtype_amount("torch.float16", &a) && a.n == 2 && !a.real);
    assert_true(dtype_amount("bool", &a) && a.n == 0.125 && a.real);
    assert_true(dtype_amount("custom:int4", &a) && a.n == 0.5 && a.real);
    assert_true(dtype_amount("custom:fp8", &a) && a.n == 1 && !a.real);
    assert_true(dtype_amount("quint4x2", &a) && a.n == 0 && !a.real);
    assert_true(dtype_amount("long", &a) && a.n == 8);
    assert_false(dtype_amount("int128", &a));
    assert_false(dtype_amount("", &a));
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken), cmocka_unit_test(test_refused), cmocka_unit_test(test_dtypes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
