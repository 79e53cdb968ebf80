#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>

/* Large trees are built but not written: their texts take seconds and teach nothing new. */
enum { LARGE = 5000, MOST_DRAWN = 50000 };

static bool count_bytes(void *to, const char *data, size_t n) {
    (void)data;
    *(size_t *)to += n;
    return true;
}
static bool count_tensors(void *to, const tare_item *item) {
    *(size_t *)to += item->kind != TARE_MODULE;
    return true;
}
void fuzz_expect(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

bool fuzz_small(const tare_model *m) {
    tare_counts c;
    tare_model_count(m, &c);
    return tare_model_modules(m) <= LARGE && c.total <= MOST_DRAWN && c.buffers <= MOST_DRAWN;
}

/* ---- weights ---- */

static bool sum_bytes(void *to, const tare_item *t, const void *bytes, size_t n) {
    const unsigned char *b = bytes;
    uint64_t *seen = to, sum = 0, elements = 1;
    for (int i = 0; i < t->rank; i++) elements *= (uint64_t)t->shape[i];
    fuzz_expect(n == elements * tare_dtype_bytes(t->dtype), "a tensor has as many bytes as its shape says");
    for (size_t i = 0; i < n; i++) sum += b[i];
    seen[0]++;
    seen[1] += sum;
    return true;
}
/* Twice, for equal bytes. */
static void draw(const tare_model *m, tare_rng rng) {
    tare_error err = {0};
    uint64_t seen[2] = {0, 0}, again[2] = {0, 0}, owners = 0;
    tare_init_options o = {.seed = 7, .rng = rng, .threads = 1};
    tare_status status = tare_init_each(m, &o, sum_bytes, seen, &err);
    fuzz_expect(status == TARE_OK || (status == TARE_BAD && err.code[0] && err.message[0]), "weights are drawn, or a refusal has its words");
    if (status != TARE_OK) return;
    for (size_t i = 0; i < tare_tensor_count(m); i++) owners += !tare_tensor_at(m, i)->owner;
    fuzz_expect(seen[0] == owners, "every tensor is made once");
    status = tare_init_each(m, &o, sum_bytes, again, &err);
    fuzz_expect(status == TARE_OK && seen[1] == again[1], "the same weights again");
}

/* ---- the files ---- */

static bool count_bytes_on_disk(void *to, const tare_disk_tensor *t) {
    fuzz_expect(t->key[0] != 0, "a tensor on disk has a name");
    *(uint64_t *)to += tare_dtype_bytes(t->dtype);
    return true;
}
static void lay_out(const tare_model *m) {
    tare_error err = {0};
    uint64_t n = 0;
    tare_status status = tare_model_layout(m, count_bytes_on_disk, &n, &err);
    fuzz_expect(status == TARE_OK || (err.code[0] && err.message[0]), "the files are laid out, or a refusal has its words");
}

/* ---- memory ---- */

static void ask_memory(const tare_model *m) {
    tare_budget small, large;
    tare_error err = {0};
    tare_budget_options o = {.context = 3, .activations = true, .file_dtype = "bfloat16"};
    fuzz_expect(tare_model_budget(m, &o, &small, &err) == TARE_OK, "a budget is counted");
    o.context = o.batch = o.source = UINT64_MAX / 3;
    fuzz_expect(tare_model_budget(m, &o, &large, &err) == TARE_OK, "an absurd one too");
    fuzz_expect(small.cache <= large.cache && large.cache <= large.total && small.total <= large.total, "more tokens never need less");
}

/* ---- everything ---- */

static void ask(const tare_model *m) {
    size_t bytes = 0, tensors = 0;
    tare_counts counts;
    const tare_attn_row *attn;
    const tare_config_row *rows;
    tare_error err = {0};
    for (tare_text what = TARE_TEXT_PRINT; what <= TARE_TEXT_CONFIG; what++) {
        bytes = 0;
        fuzz_expect(tare_model_write(m, what, count_bytes, &bytes, &err) == TARE_OK && bytes > 0, "every text is written");
    }
    for (tare_text what = TARE_TEXT_SAVED_CONFIG; what <= TARE_TEXT_SAVED_GENERATION; what++) {
        tare_status status = tare_model_write(m, what, count_bytes, &bytes, &err);
        fuzz_expect(status == TARE_OK || (status == TARE_BAD && err.code[0] && err.message[0]), "a file is written, or a refusal has its words");
        err = (tare_error){0};
    }
    fuzz_expect(tare_model_walk(m, count_tensors, &tensors, &err) == TARE_OK, "a walk reaches the end");
    fuzz_expect(tare_tensor_count(m) == tensors, "as many tensors by index as on the walk");
    for (size_t i = 0; i < tensors; i += 97) fuzz_expect(tare_tensor_find(m, tare_tensor_at(m, i)->path) != NULL, "a listed tensor is found");
    tare_model_count(m, &counts);
    fuzz_expect(counts.tensors == tensors && counts.total == tare_model_params(m), "counts agree");
    ask_memory(m);
    tare_model_attn(m, &attn);
    tare_config_rows(tare_model_config(m), &rows);
    lay_out(m);
    for (tare_rng rng = TARE_RNG_TORCH; fuzz_small(m) && rng <= TARE_RNG_PHILOX; rng++) draw(m, rng);
}

void fuzz_model(const char *json, size_t n, const char *class_name) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, n, &(tare_open_options){.class_name = class_name, .host = "gpu=none"}, &err);
    if (m && tare_model_modules(m) <= LARGE) ask(m);
    if (!m) fuzz_expect(err.status >= TARE_NO && err.code[0] && err.message[0], "a refusal has its words");
    tare_model_free(m);
}

size_t fuzz_choice(const uint8_t *data, size_t n, size_t choices) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ data[i]) * 16777619u;
    return (h >> 7) % choices;
}
