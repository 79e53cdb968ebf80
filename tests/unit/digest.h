/* The first 16 hex digits of a sha256, for results too long to write down; after cmocka.h. */
#ifndef TARE_TESTS_DIGEST_H
#define TARE_TESTS_DIGEST_H
#include "../../src/core/sha256.h"

static void digest_is(const void *data, size_t bytes, const char *want) {
    sha256 h;
    char hex[65];
    sha256_start(&h);
    assert_true(sha256_take(&h, data, bytes));
    sha256_end(&h, hex);
    hex[16] = 0;
    assert_string_equal(hex, want);
}
#endif
