/* --max-shard-size: what huggingface_hub's parse_size_to_int() takes, and plain ints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "files/sizes.h"

static void is(const char *text, uint64_t want) {
    uint64_t got = 1;
    assert_true(size_parse(text, &got));
    assert_true(got == want);
}
static void not(const char *text) {
    uint64_t got = 77;
    assert_false(size_parse(text, &got));
    assert_true(got == 77);
}
static void test_taken(void **state) {
    (void)state;
    is(SHARD_DEFAULT, 50000000000);
    is("5GB", 5000000000);
    is("200MB", 200000000);
    is("1tb", 1000000000000);
    is("10kB", 10000);
    is(" 1.5 gb ", 1500000000);
    is("1.1GB", 1100000000);
    is("0.0019KB", 1); /* cut, not rounded */
    is("1.001GB", 1000999999); /* the product of the doubles is just below */
    is("1e3MB", 1000000000);
    is("1_000KB", 1000000);
    is(".5MB", 500000);
    is("5.MB", 5000000);
    is("+5MB", 5000000);
    is("0GB", 0);
    is("00000000000000000000000000000000000000000000000000000000000000000000001GB", 1000000000);
    is("4096", 4096);
    is(" 1_000 ", 1000);
    is("90000000TB", UINT64_MAX);
    is("99999999999999999999", UINT64_MAX);
}
static void test_refused(void **state) {
    (void)state;
    not(""), not(" "), not("GB"), not("5GiB"), not("5G"), not("5 B"), not("5PB"), not("GB5"), not("five GB"), not("5.5");
    not("0x10GB"), not("infGB"), not("nanGB"), not("1e999GB"), not("-1GB"), not("-5"), not("1__0GB"), not("_1GB"), not("1_GB");
    not("1.GB.GB"), not("1eGB"), not("1 0GB"), not(".GB");
    char long_one[500];
    memset(long_one, '0', sizeof long_one);
    memcpy(long_one + sizeof long_one - 4, "1GB", 4); /* Python reads it; more digits than any size has */
    not(long_one);
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
