/* A whole folder: the input is a row of files, each a line "NUMBER BYTES\n", then so many bytes. NUMBER chooses the name. A .safetensors
 * file's bytes are its header's text, and as many bytes of data follow as the number after a third blank says. */
#define _DEFAULT_SOURCE
#include "files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {
    "config.json", "model.safetensors", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
    "model.fp16.safetensors", "model.safetensors.index.fp16.json", "pytorch_model.bin", "consolidated.safetensors",
};
enum { NAMES = sizeof names / sizeof *names, MOST_DATA = 4096 };

/* The file that begins here; what is left of the input after it. */
static const uint8_t *write_one(const uint8_t *at, const uint8_t *end) {
    static unsigned char file[1 << 16];
    char line[64] = "";
    const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
    if (!stop || stop - at >= (long)sizeof line) return end;
    memcpy(line, at, (size_t)(stop - at));
    char *next;
    size_t name = strtoul(line, &next, 10) % NAMES, n = strtoul(next, &next, 10), data = strtoul(next, &next, 10) % MOST_DATA, head = 0;
    at = stop + 1;
    if (n > (size_t)(end - at)) n = (size_t)(end - at);
    if (n + MOST_DATA + 8 > sizeof file) return end;
    if (!strstr(names[name], ".json") && *next != '!') { /* "!" writes the bytes as they are */
        uint64_t length = n;
        memcpy(file, &length, head = 8);
    } else {
        data = 0;
    }
    if (n) memcpy(file + head, at, n);
    memset(file + head + n, 0, data);
    files_write(names[name], file, head + n + data);
    return at + n;
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const uint8_t *end = data + n;
    for (const uint8_t *at = data; at < end;) at = write_one(at, end);
    files_open(files_path(""), NULL);
    files_open(files_path(""), "fp16");
    for (size_t i = 0; i < NAMES; i++) unlink(files_path(names[i]));
    return 0;
}
