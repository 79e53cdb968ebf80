/* What the targets do with a config that opens: every text into nothing, every answer asked for. */
#ifndef TARE_TESTS_FUZZ_H
#define TARE_TESTS_FUZZ_H
#include <stddef.h>
#include <stdint.h>
#include <tare.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
/* Aborts when an answer contradicts another. class_name may be NULL. */
void fuzz_model(const char *json, size_t n, const char *class_name);
/* Not too much to draw at every input. */
bool fuzz_small(const tare_model *m);
void fuzz_expect(bool holds, const char *what);
/* A number that depends on all of the input, to choose by. */
size_t fuzz_choice(const uint8_t *data, size_t n, size_t choices);
#endif
