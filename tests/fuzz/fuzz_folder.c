/* A whole folder: the input is a row of files, each a line "NUMBER BYTES\n", then so many bytes. NUMBER chooses the name. A .safetensors
 * file's bytes are its header's text, and as many bytes of data follow as the number after a third blank says. */
#define _DEFAULT_SOURCE
#include "files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tare.h>
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
/* What is there is held against a model with experts, and loaded as far as it goes. */
#define MODEL                                                                                                                       \
    "{\"model_type\": \"mixtral\", \"hidden_size\": 4, \"intermediate_size\": 2, \"num_hidden_layers\": 1, \"num_attention_heads\": 1, " \
    "\"num_key_value_heads\": 1, \"num_local_experts\": 2, \"vocab_size\": 3, \"architectures\": [\"MixtralForCausalLM\"]}"
static bool next_row(void *to, const tare_mapping *row) { return (void)to, row->key != NULL; }
static bool next_digest(void *to, const tare_item *t, const char hex[65]) { return (void)to, t->path && hex[0]; }
static void check_and_load(const tare_checkpoint *c, const tare_check_options *o) {
    const char *const *list;
    tare_open_options options = {.dtype = "bfloat16"};
    tare_model *m = tare_checkpoint_model(c, MODEL, o->like_transformers ? NULL : &options, NULL);
    tare_report *r = m ? tare_check(m, c, o, NULL) : NULL;
    if (r) {
        tare_report_missing(r, &list);
        tare_report_unexpected(r, &list);
        tare_report_mapping(r, next_row, NULL);
        tare_load_digests(m, c, &(tare_load_options){.check = *o, .threads = 1}, next_digest, NULL, NULL);
    }
    tare_report_free(r);
    tare_model_free(m);
}
static void open_and_check(void) {
    tare_checkpoint *c = tare_checkpoint_open(files_path(""), NULL, NULL);
    if (!c) return;
    check_and_load(c, &(tare_check_options){.allow_missing = true, .allow_unexpected = true, .allow_mismatched = true});
    check_and_load(c, &(tare_check_options){.like_transformers = true, .allow_mismatched = true});
    tare_checkpoint_free(c);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const uint8_t *end = data + n;
    for (const uint8_t *at = data; at < end;) at = write_one(at, end);
    files_open(files_path(""), NULL);
    files_open(files_path(""), "fp16");
    open_and_check();
    for (size_t i = 0; i < NAMES; i++) unlink(files_path(names[i]));
    return 0;
}
