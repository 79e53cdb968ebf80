/* Sizes in words, as huggingface_hub reads max_shard_size. */
#ifndef TARE_FILES_SIZES_H
#define TARE_FILES_SIZES_H
#include <stdbool.h>
#include <stdint.h>
#define SHARD_DEFAULT "50GB" /* save_pretrained()'s */

/* "50GB", "1.5 gb", "2e3MB": a number as Python's float() reads one, and KB, MB, GB or TB (powers of ten; no KiB). A bare
 * int is bytes. False for anything else, and for what is negative or not finite; what is beyond 64 bits counts as all of them. */
bool size_parse(const char *text, uint64_t *bytes);
#endif
