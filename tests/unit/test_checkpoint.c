/* Reading checkpoints: every rule of header, index and folder by one flaw each, and no input that ends in anything but a list or a sentence. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "files/checkpoint.h"
#include "folder.h"

/* ---- a folder to work in ---- */

/* Each test begins with an empty folder "c". */
static int fresh(void **state) {
    (void)state;
    remove_all("c");
    return mkdir("c", 0700);
}
static void put_text(const char *path, const char *text) { put_file(path, text, strlen(text)); }
/* A safetensors file: the header's text and so many bytes of data, each the low byte of its place. */
static size_t put_header(const char *path, const char *header, size_t data) {
    static unsigned char file[1 << 16];
    size_t n = strlen(header);
    assert_true(8 + n + data <= sizeof file);
    for (int i = 0; i < 8; i++) file[i] = (unsigned char)((uint64_t)n >> 8 * i);
    memcpy(file + 8, header, n);
    for (size_t i = 0; i < data; i++) file[8 + n + i] = (unsigned char)i;
    put_file(path, file, 8 + n + data);
    return 8 + n;
}
#define T(name, dtype, shape, from, to) "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"
static const char two[] = "{\"__metadata__\":{\"format\":\"pt\"}," T("a", "F32", "[2,3]", 0, 24) "," T("b", "BF16", "[4]", 24, 32) "}";

static checkpoint *opened(const char *path) {
    tare_error err = {0};
    checkpoint *c = checkpoint_open(path, NULL, &err);
    if (!c) fail_msg("%s: %s", err.code, err.message);
    return c;
}
static void refused_with(const char *path, const checkpoint_options *o, tare_status status, const char *code, const char *words) {
    tare_error err = {0};
    checkpoint *c = checkpoint_open(path, o, &err);
    if (c) fail_msg("%s was opened", path);
    if (strcmp(err.code, code) || err.status != status || !strstr(err.message, words)) fail_msg("%d %s: %s", err.status, err.code, err.message);
    assert_null(checkpoint_open(path, o, NULL));
}
static void refused(const char *path, tare_status status, const char *code, const char *words) { refused_with(path, NULL, status, code, words); }
/* A header that is no header. */
static void refused_header(const char *header, size_t data, const char *words) {
    put_header("c/model.safetensors", header, data);
    refused("c", TARE_BAD, "bad_header", words);
}
static const flaw *flaw_of(const checkpoint *c, flaw_kind kind) {
    for (size_t i = 0; i < c->flaw_count; i++)
        if (c->flaws[i].kind == kind) return &c->flaws[i];
    return NULL;
}
/* One flaw and no other. */
static void flawed(const char *path, flaw_kind kind, bool damage, bool fails, const char *words) {
    checkpoint *c = opened(path);
    if (c->flaw_count != 1 || c->flaws[0].kind != kind || !strstr(c->flaws[0].message, words)) {
        for (size_t i = 0; i < c->flaw_count; i++) print_message("%d %s\n", c->flaws[i].kind, c->flaws[i].message);
        fail();
    }
    assert_int_equal(c->flaws[0].damage, damage);
    assert_int_equal(c->flaws[0].reference_fails, fails);
    checkpoint_free(c);
}
static void flawed_header(const char *header, size_t data, flaw_kind kind, const char *key, const char *words) {
    put_header("c/model.safetensors", header, data);
    flawed("c", kind, true, true, words);
    checkpoint *c = opened("c");
    size_t odd = 0;
    for (size_t i = 0; i < c->tensor_count; i++) odd += c->tensors[i].odd;
    assert_int_equal(odd, 1);
    assert_true(c->tensors[checkpoint_find(c, key)].odd);
    assert_string_equal(c->flaws[0].key, key);
    checkpoint_free(c);
}

/* ---- headers ---- */

static void test_good(void **state) {
    (void)state;
    size_t data = put_header("c/model.safetensors", two, 32);
    checkpoint *c = opened("c/");
    assert_string_equal(c->folder, "c");
    assert_null(c->index);
    assert_null(c->snapshot);
    assert_int_equal(c->file_count, 1);
    assert_int_equal(c->tensor_count, 2);
    assert_int_equal(c->flaw_count, 0);
    assert_int_equal(c->data_bytes, 32);
    assert_string_equal(c->files[0].name, "model.safetensors");
    assert_int_equal(c->files[0].data_at, data);
    size_t b = checkpoint_find(c, "b");
    assert_int_equal(b, 1);
    assert_int_equal(checkpoint_find(c, "c"), SIZE_MAX);
    const file_tensor *t = &c->tensors[b];
    assert_true(t->dtype == TARE_BF16 && t->rank == 1 && t->shape[0] == 4 && t->at == data + 24 && t->bytes == 8 && !t->odd);
    unsigned char bytes[4];
    tare_error err = {0};
    assert_true(checkpoint_read(c, b, 2, bytes, 4, &err));
    assert_memory_equal(bytes, "\x1a\x1b\x1c\x1d", 4);
    assert_true(checkpoint_read(c, b, 8, bytes, 0, &err));
    assert_false(checkpoint_read(c, b, 6, bytes, 3, &err));
    assert_string_equal(err.code, "bad_value");
    checkpoint_free(c);
    checkpoint_free(NULL);
    c = opened("c/model.safetensors");
    assert_string_equal(c->folder, "c");
    assert_int_equal(c->tensor_count, 2);
    checkpoint_free(c);
}
/* What safetensors takes and one would not write. */
static void test_lenient(void **state) {
    (void)state;
    static const struct { const char *header; size_t data, tensors; } good[] = {
        {"{}", 0, 0}, {" \n\t{} \r\n ", 0, 0}, {"{\"__metadata__\":null}", 0, 0}, {"{\"__metadata__\":{\"a\":\"\\u0000\",\"a\":\"2\"}}", 0, 0},
        {"{\"\":{\"shape\":[],\"data_offsets\":[0,1],\"dtype\":\"U8\"}}", 1, 1},
        {"{\"a\":{\"x\":[-0.5e+3,{\"y\":[null,true,false]},\"\\u00e9\"],\"x\":0e999,\"dtype\":\"U8\",\"shape\":[1,1],\"data_offsets\":[0,1]}}", 1, 1},
        {"{" T("b", "U8", "[1]", 1, 2) "," T("a", "U8", "[1]", 0, 1) "," T("e", "F64", "[0,9]", 1, 1) "}", 2, 3},
        {"{" T("a", "F4", "[4,1]", 0, 2) "," T("b", "F6_E2M3", "[4]", 2, 5) "," T("c", "F8_E8M0", "[3]", 5, 8) "}", 8, 3},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        put_header("c/model.safetensors", good[i].header, good[i].data);
        checkpoint *c = opened("c");
        assert_int_equal(c->tensor_count, good[i].tensors);
        assert_int_equal(c->flaw_count, 0);
        for (size_t t = 0; t < c->tensor_count; t++) assert_int_equal(checkpoint_find(c, c->tensors[t].key), t);
        checkpoint_free(c);
    }
}
static void test_names(void **state) {
    (void)state;
    static const char *const written[] = {"\\u00e9", "\\ud83d\\ude00x", "a\\\"b\\\\\\/\\b\\f\\n\\r\\t", "w.\xc3\xa9.weight", "\x7f", "long.\\u0041.name.of.a.weight"};
    static const char *const read[] = {"\xc3\xa9", "\xf0\x9f\x98\x80x", "a\"b\\/\b\f\n\r\t", "w.\xc3\xa9.weight", "\x7f", "long.A.name.of.a.weight"};
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        char header[256];
        snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", written[i]);
        put_header("c/model.safetensors", header, 1);
        checkpoint *c = opened("c");
        assert_int_equal(checkpoint_find(c, read[i]), 0);
        assert_string_equal(c->tensors[0].key, read[i]);
        checkpoint_free(c);
    }
}
static void test_bad_headers(void **state) {
    (void)state;
    static const struct { const char *header, *words; } bad[] = {
        {"", "it ends too early, at byte 8"}, {"[]", "an object is needed"}, {"{", "it ends too early"}, {"{}x", "more follows"},
        {"\xef\xbb\xbf{}", "an object is needed"}, {"{\"a\" 1}", "a colon is needed"}, {"{\"a\":1}", "an object is needed"},
        {"{\"a\":[\"U8\",[1],[0,1]]}", "an object is needed"}, {"{\"__metadata__\":1}", "an object is needed"},
        {"{\"__metadata__\":{\"a\":1}}", "a string is needed"}, {"{\"__metadata__\":{},\"__metadata__\":{}}", "__metadata__ comes twice"},
        {"{\"a\":{}}", "a tensor needs dtype, shape and data_offsets"}, {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", "this field twice"},
        {"{\"a\":{\"dtype\":{\"U8\":null}}}", "a string is needed"}, {"{\"a\":{\"shape\":null}}", "a list is needed"},
        {"{\"a\":{\"shape\":[-1]}}", "a whole number"}, {"{\"a\":{\"shape\":[1.0]}}", "a whole number"}, {"{\"a\":{\"shape\":[1e2]}}", "a whole number"},
        {"{\"a\":{\"shape\":[01]}}", "a zero before it"}, {"{\"a\":{\"shape\":[1,]}}", "a whole number"}, {"{\"a\":{\"shape\":[1 1]}}", "a comma or ]"},
        {"{\"a\":{\"shape\":[18446744073709551616]}}", "a whole number"}, {"{\"a\":{\"data_offsets\":[0]}}", "two numbers"},
        {"{\"a\":{\"data_offsets\":[0,1,2]}}", "two numbers"}, {"{\"a\":{\"x\":1e400}}", "too large"}, {"{\"a\":{\"x\":-}}", "a value is needed"},
        {"{\"a\":{\"x\":1.}}", "a fraction without digits"}, {"{\"a\":{\"x\":1e}}", "an exponent without digits"}, {"{\"a\":{\"x\":nul}}", "a value"},
        {"{\"a\":{\"x\":NaN}}", "a value is needed"}, {"{\"\\ud800\":1}", "surrogate"}, {"{\"\\udc00\":1}", "surrogate"},
        {"{\"\\ud800\\u0041\":1}", "surrogate"}, {"{\"\\u00g0\":1}", "four hexadecimal digits"}, {"{\"\\x\":1}", "no such escape"},
        {"{\"a\tb\":1}", "control character"}, {"{\"\xff\":1}", "invalid UTF-8"}, {"{\"\xed\xa0\x80\":1}", "invalid UTF-8"}, {"{\"a", "it ends too early"},
        {"{\"\\u0000\":" "{}}", "a zero character in a name"}, {"{,}", "a string is needed"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refused_header(bad[i].header, 1, bad[i].words);
    char deep[1024] = "{\"a\":{\"x\":";
    memset(deep + strlen(deep), '[', 126);
    refused_header(deep, 0, "nested deeper than 127 levels");
    char wide[2048] = "{\"a\":{\"shape\":[1";
    for (int i = 0; i < 127; i++) strcat(wide, ",1");
    refused_header(wide, 0, "more than 127 sizes");
}
static void test_odd_tensors(void **state) {
    (void)state;
    flawed_header("{" T("a", "F5", "[2]", 0, 2) "," T("b", "U8", "[1]", 2, 3) "}", 3, FLAW_DTYPE, "a", "has the dtype \"F5\", which nobody knows");
    flawed_header("{" T("a", "F32", "[2]", 0, 4) "," T("b", "U8", "[1]", 4, 5) "}", 5, FLAW_BYTES, "a", "has 4 bytes, its shape and dtype need 8");
    flawed_header("{" T("a", "F4", "[3]", 0, 2) "}", 2, FLAW_BYTES, "a", "no whole number of bytes");
    flawed_header("{" T("a", "U8", "[4294967296,4294967296]", 0, 2) "}", 2, FLAW_BYTES, "a", "no whole number of bytes below 2^64");
    flawed_header("{" T("a", "U8", "[0,18446744073709551615]", 0, 0) "}", 0, FLAW_BYTES, "a", "beyond 63 bits");
    flawed_header("{" T("a", "U8", "[2]", 0, 2) "," T("b", "U8", "[2]", 3, 5) "}", 5, FLAW_PLACE, "b", "has a hole before it");
    flawed_header("{" T("a", "U8", "[2]", 0, 2) "," T("b", "U8", "[2]", 1, 3) "}", 3, FLAW_PLACE, "b", "overlaps another tensor");
    flawed_header("{" T("a", "U8", "[2]", 0, 2) "," T("b", "U8", "[2]", 9, 11) "}", 4, FLAW_PLACE, "b", "lies beyond the end of the file");
    flawed_header("{" T("a", "U8", "[2]", 2, 0) "," T("b", "U8", "[2]", 0, 2) "}", 2, FLAW_PLACE, "a", "ends before it begins");
    put_header("c/model.safetensors", "{" T("a", "U8", "[2]", 0, 2) "," T("a", "U8", "[1,2]", 0, 2) "}", 2);
    flawed("c", FLAW_TWICE, false, false, "has a twice; the later entry counts");
    checkpoint *c = opened("c");
    assert_int_equal(c->tensor_count, 1);
    assert_int_equal(c->tensors[0].rank, 2);
    checkpoint_free(c);
    char bytes[2];
    tare_error err = {0};
    put_header("c/model.safetensors", "{" T("a", "F5", "[2]", 0, 2) "}", 2);
    c = opened("c");
    assert_false(checkpoint_read(c, 0, 0, bytes, 1, &err));
    assert_string_equal(err.code, "bad_value");
    checkpoint_free(c);
}
static void test_coverage(void **state) {
    (void)state;
    put_header("c/model.safetensors", two, 20);
    refused("c", TARE_BAD, "truncated", "12 are lacking; download it again");
    put_header("c/model.safetensors", two, 33);
    refused("c", TARE_BAD, "trailing_bytes", "has 1 bytes after its last tensor");
    put_file("c/model.safetensors", "\x90\0\0\0\0\0\0\0{}", 10);
    refused("c", TARE_BAD, "truncated", "within its header: that has 144 bytes, the file 10, 142 are lacking");
    put_file("c/model.safetensors", "\x01\xe1\xf5\x05\0\0\0\0{}", 10);
    refused("c", TARE_BAD, "header_too_large", "its header would have 100000001 bytes, the most is 100000000");
    put_file("c/model.safetensors", "\2\0\0\0", 4);
    refused("c", TARE_BAD, "header_too_small", "has 4 bytes");
}

/* ---- damage ---- */

static void check_consistent(const checkpoint *c) {
    for (size_t i = 0; i < c->tensor_count; i++) {
        const file_tensor *t = &c->tensors[i];
        if (t->odd) continue;
        uint64_t bits = tare_dtype_bits((tare_dtype)t->dtype);
        for (int d = 0; d < t->rank; d++) bits *= (uint64_t)t->shape[d];
        assert_int_equal(bits, t->bytes * 8);
        assert_true(t->at >= c->files[t->file].data_at && t->at + t->bytes <= c->files[t->file].bytes);
        assert_int_equal(checkpoint_find(c, t->key), i);
    }
}
static void test_every_length(void **state) {
    (void)state;
    static char file[1024];
    size_t n = put_header("c/model.safetensors", two, 32) + 32;
    FILE *f = fopen("c/model.safetensors", "rb");
    assert_int_equal(fread(file, 1, sizeof file, f), n);
    fclose(f);
    for (size_t k = 0; k < n; k++) {
        tare_error err = {0};
        put_file("c/model.safetensors", file, k);
        assert_null(checkpoint_open("c", NULL, &err));
        assert_int_equal(err.status, TARE_BAD);
        assert_true(*err.code && *err.message);
    }
}
static void test_every_bit(void **state) {
    (void)state;
    static char file[1024];
    size_t data = put_header("c/model.safetensors", two, 32);
    FILE *f = fopen("c/model.safetensors", "rb");
    assert_int_equal(fread(file, 1, sizeof file, f), data + 32);
    fclose(f);
    for (size_t bit = 0; bit < data * 8; bit++) {
        tare_error err = {0};
        file[bit / 8] = (char)(file[bit / 8] ^ 1 << bit % 8);
        put_file("c/model.safetensors", file, data + 32);
        checkpoint *c = checkpoint_open("c", NULL, &err);
        assert_true(c || (err.status == TARE_BAD && *err.code && *err.message));
        if (c) check_consistent(c);
        checkpoint_free(c);
        file[bit / 8] = (char)(file[bit / 8] ^ 1 << bit % 8);
    }
}

/* ---- what is no safetensors file ---- */

static void test_other_files(void **state) {
    (void)state;
    static const struct { const char *data; size_t n; const char *code, *words; } others[] = {
#define OTHER(data, code, words) {data, sizeof(data) - 1, code, words}
        OTHER("", "empty_file", "is empty; download it again"),
        OTHER("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "lfs_pointer", "12345 bytes with sha256 4d7a; run \"git lfs pull\""),
        OTHER("PK\x03\x04 and more of it", "pickle", "a zip archive"), OTHER("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9", "pickle", "save_pretrained()"),
        OTHER("GGUF\3\0\0\0\0\0\0\0", "gguf", "a GGUF file"), OTHER("\n <!DOCTYPE html><title>", "html", "a web page"),
        OTHER("<html><body>502", "html", "download it again"), OTHER("\x1f\x8b\x08\x08 more of it", "gzip", "unpack it first"),
        OTHER("{\"error\":\"Repository not found\"}", "error_body", "Repository not found"), OTHER("\x89HDF\r\n\x1a\n.......", "not_weights", "HDF5"),
        OTHER("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "truncated", "zero bytes"), OTHER("Entry not found", "header_too_large", "no safetensors file"),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put_file("c/model.safetensors", others[i].data, others[i].n);
        refused("c", TARE_BAD, others[i].code, others[i].words);
    }
    assert_int_equal(mkdir("c/d.safetensors", 0700), 0);
    put_text("c/config.json", "{\"transformers_weights\": \"d.safetensors\"}");
    refused("c", TARE_NO, "no_weights", "which is not there");
    put_header("c/model.safetensors", two, 32);
    remove("c/config.json");
    if (geteuid()) {
        chmod("c/model.safetensors", 0);
        refused("c", TARE_IO, "io", "you may not read it");
    }
    remove("c/model.safetensors");
    assert_int_equal(mkfifo("c/pipe.safetensors", 0600), 0);
    refused("c/pipe.safetensors", TARE_BAD, "not_a_file", "no regular file");
    refused("nowhere", TARE_IO, "io", "No such file");
    refused("", TARE_IO, "io", "No such file");
}

/* ---- the index ---- */

#define ONE "model-00001-of-00002.safetensors"
#define TWO "model-00002-of-00002.safetensors"
static void put_index(const char *metadata, const char *map) {
    char text[4096];
    snprintf(text, sizeof text, "{\"metadata\": %s, \"weight_map\": %s}", metadata, map);
    put_text("c/model.safetensors.index.json", text);
}
static void put_shards(void) {
    put_header("c/" ONE, "{" T("a", "U8", "[2]", 0, 2) "}", 2);
    put_header("c/" TWO, "{" T("b", "U8", "[3]", 0, 3) "}", 3);
    put_index("{\"total_size\": 5, \"dtype\": \"bfloat16\"}", "{\"a\": \"" ONE "\", \"b\": \"" TWO "\"}");
}
static void test_index(void **state) {
    (void)state;
    put_shards();
    checkpoint *c = opened("c");
    assert_int_equal(c->flaw_count, 0);
    assert_int_equal(c->file_count, 2);
    assert_string_equal(c->index, "model.safetensors.index.json");
    assert_string_equal(c->index_dtype, "bfloat16");
    assert_string_equal(c->files[1].name, TWO);
    assert_true(c->files[1].first == 1 && c->files[1].n == 1 && c->files[1].indexed && c->files[1].present);
    checkpoint_free(c);
    c = opened("c/model.safetensors.index.json");
    assert_int_equal(c->tensor_count, 2);
    checkpoint_free(c);
    put_index("{\"total_size\": 5.0}", "{\"a\": \"gone\", \"b\": \"" TWO "\", \"a\": \"" ONE "\"}"); /* Python keeps the last */
    c = opened("c");
    assert_int_equal(c->flaw_count, 0);
    assert_int_equal(c->file_count, 2);
    checkpoint_free(c);
}
static void test_index_flaws(void **state) {
    (void)state;
    put_shards();
    put_index("{\"total_size\": 6}", "{\"a\": \"" ONE "\", \"b\": \"" TWO "\"}");
    flawed("c", FLAW_TOTAL_SIZE, false, false, "total_size of the index is 6, the tensors in its files have 5 bytes");
    put_index("{\"total_size\": NaN}", "{\"a\": \"" ONE "\", \"b\": \"" TWO "\"}");
    flawed("c", FLAW_TOTAL_SIZE, false, false, "total_size");
    put_index("{\"total_size\": \"5\"}", "{\"a\": \"" ONE "\", \"b\": \"" TWO "\"}");
    flawed("c", FLAW_TOTAL_SIZE, false, false, "is no number");
    put_index("{}", "{\"a\": \"" ONE "\", \"b\": \"" TWO "\", \"x\": \"" TWO "\"}");
    flawed("c", FLAW_NOT_IN_FILE, false, false, "the index places x in " TWO ", which does not hold it");
    put_index("{}", "{\"a\": \"" TWO "\", \"b\": \"" TWO "\", \"z\": \"" ONE "\"}");
    checkpoint *c = opened("c");
    assert_int_equal(c->flaw_count, 2);
    assert_non_null(strstr(c->flaws[0].message, "the index places a in " TWO "; it is in " ONE));
    checkpoint_free(c);
    put_index("{}", "{\"a\": \"" ONE "\", \"c\": \"" TWO "\"}");
    c = opened("c");
    assert_int_equal(c->flaw_count, 2);
    assert_non_null(strstr(flaw_of(c, FLAW_NOT_IN_INDEX)->message, "b is in " TWO ", and not in the index"));
    assert_non_null(flaw_of(c, FLAW_NOT_IN_FILE));
    checkpoint_free(c);
    put_header("c/" TWO, "{" T("a", "U8", "[3]", 0, 3) "," T("b", "U8", "[0]", 3, 3) "}", 3);
    put_index("{}", "{\"a\": \"" ONE "\", \"b\": \"" TWO "\"}");
    flawed("c", FLAW_TWICE, false, false, "a is in " ONE " and in " TWO "; the later file counts");
    c = opened("c");
    assert_true(c->tensors[0].replaced && !c->tensors[1].replaced);
    assert_int_equal(checkpoint_find(c, "a"), 1);
    assert_int_equal(c->data_bytes, 3);
    checkpoint_free(c);
}
static void test_index_files(void **state) {
    (void)state;
    put_shards();
    put_index("{}", "{\"a\": \"" ONE "\"}");
    flawed("c", FLAW_FILE_UNNAMED, false, false, TWO " lies beside, and the index does not name it");
    remove("c/" TWO);
    flawed("c", FLAW_FILE_GAP, false, false, "the index names no " TWO ": it has 1 of 2 shards");
    put_index("{}", "{\"a\": \"" ONE "\", \"b\": \"" TWO "\", \"c\": \"" TWO "\"}");
    flawed("c", FLAW_FILE_MISSING, false, true, TWO " is not there, and the index places 2 tensors in it");
    checkpoint *c = opened("c");
    tare_error err = {0};
    assert_false(c->files[1].present);
    assert_int_equal(checkpoint_fd(c, 1, &err), -1);
    assert_string_equal(err.code, "io");
    checkpoint_free(c);
    rename("c/" ONE, "c/model-00000-of-00001.safetensors"); /* some count from zero */
    put_index("{}", "{\"a\": \"model-00000-of-00001.safetensors\"}");
    c = opened("c");
    assert_int_equal(c->flaw_count, 0);
    checkpoint_free(c);
    put_index("{}", "{\"a\": \"model-00003-of-9999999999.safetensors\"}");
    c = opened("c");
    assert_non_null(flaw_of(c, FLAW_FILE_MISSING));
    checkpoint_free(c);
}
static void test_bad_index(void **state) {
    (void)state;
    static const struct { const char *text, *code, *words; } bad[] = {
        {"", "bad_index", "it ends too early"}, {"{\"weight_map\": {}, \"metadata\": {}}", "bad_index", "its weight_map is empty"},
        {"{\"metadata\": {}}", "bad_index", "has no weight_map"}, {"{\"weight_map\": {\"a\": \"b\"}}", "bad_index", "has no metadata"},
        {"{\"weight_map\": {\"a\": 1}, \"metadata\": {}}", "bad_index", "a string is needed"},
        {"{\"weight_map\": [], \"metadata\": {}}", "bad_index", "an object is needed"}, {"{\"metadata\": null}", "bad_index", "an object is needed"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", "lfs_pointer", "git lfs pull"},
        {"<html>", "html", "a web page"}, {"{\"metadata\": {}, \"weight_map\": {\"a\": \"../b\"}}", "escapes", "\"../b\", which is not inside"},
        {"{\"metadata\": {}, \"weight_map\": {\"a\": \"/etc/passwd\"}}", "escapes", "not inside"},
        {"{\"metadata\": {}, \"weight_map\": {\"a\": \"x/../../b\"}}", "escapes", "not inside"},
        {"{\"metadata\": {}, \"weight_map\": {\"a\": \"\"}}", "escapes", "not inside"},
        {"{\"metadata\": {}, \"weight_map\": {\"a\": \"a\\u0000\"}}", "bad_index", "a zero character in a name"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text("c/model.safetensors.index.json", bad[i].text);
        refused("c", TARE_BAD, bad[i].code, bad[i].words);
    }
    mkdir("c/sub", 0700);
    put_index("{}", "{\"a\": \"sub\"}");
    refused("c", TARE_BAD, "not_a_file", "a folder");
    put_header("outside.safetensors", two, 32);
    assert_int_equal(symlink("../outside.safetensors", "c/" ONE), 0);
    put_index("{}", "{\"a\": \"" ONE "\"}");
    refused("c", TARE_BAD, "escapes", "outside.safetensors, which is not inside");
    put_header("c/sub/inner.safetensors", two, 32);
    put_index("{}", "{\"a\": \"sub/inner.safetensors\", \"b\": \"sub/inner.safetensors\"}");
    remove("c/" ONE);
    checkpoint *c = opened("c");
    assert_int_equal(c->flaw_count, 0);
    checkpoint_free(c);
}

/* ---- folders ---- */

static void test_choice(void **state) {
    (void)state;
    refused("c", TARE_NO, "no_weights", "it is empty");
    put_header("c/consolidated.safetensors", two, 32);
    put_text("c/config.json", "{}");
    refused("c", TARE_NO, "no_weights", "there is consolidated.safetensors");
    put_text("c/pytorch_model.bin.index.json", "{}");
    refused("c", TARE_BAD, "pickle", "pytorch_model.bin.index.json, a pickle");
    put_text("c/pytorch_model.bin", "PK\x03\x04");
    refused("c", TARE_BAD, "pickle", "save_pretrained()");
    put_shards();
    checkpoint *c = opened("c");
    assert_int_equal(c->file_count, 2);
    checkpoint_free(c);
    put_header("c/model.safetensors", two, 32);
    flawed("c", FLAW_HIDDEN, false, false, "model.safetensors is read, and model.safetensors.index.json beside it is not");
    put_text("c/config.json", "{\"x\": NaN, \"transformers_weights\": \"consolidated.safetensors\"}");
    c = opened("c");
    assert_string_equal(c->files[0].name, "consolidated.safetensors");
    assert_int_equal(c->flaw_count, 2);
    checkpoint_free(c);
    put_text("c/config.json", "{\"transformers_weights\": \"model.safetensors.index.json\"}");
    c = opened("c");
    assert_int_equal(c->file_count, 2);
    checkpoint_free(c);
    put_text("c/config.json", "{\"transformers_weights\": \"../outside.safetensors\"}");
    refused("c", TARE_BAD, "escapes", "config.json names");
    put_text("c/config.json", "{\"transformers_weights\": \"x.bin\"}");
    refused("c", TARE_BAD, "bad_value", "$.transformers_weights");
    put_text("c/config.json", "{\"transformers_weights\": \"x.safetensors\"}");
    refused("c", TARE_NO, "no_weights", "config.json names \"x.safetensors\"");
    put_text("c/config.json", "{broken");
    c = opened("c");
    assert_string_equal(c->files[0].name, "model.safetensors");
    checkpoint_free(c);
}
static void test_variant(void **state) {
    (void)state;
    checkpoint_options fp16 = {.variant = "fp16"}, sub = {.subfolder = "unet/"}, none = {.subfolder = "nowhere"};
    tare_error err = {0};
    put_header("c/model.safetensors", two, 32);
    refused_with("c", &fp16, TARE_NO, "no_weights", "neither model.fp16.safetensors nor model.safetensors.index.fp16.json; there is model.safetensors");
    put_header("c/model.fp16-00001-of-00002.safetensors", "{" T("a", "U8", "[2]", 0, 2) "}", 2);
    put_header("c/model.fp16-00002-of-00002.safetensors", "{" T("b", "U8", "[2]", 0, 2) "}", 2);
    put_header("c/" ONE, "{}", 0);
    put_text("c/model.safetensors.index.fp16.json", "{\"metadata\":{},\"weight_map\":{\"a\":\"model.fp16-00001-of-00002.safetensors\"}}");
    checkpoint *c = checkpoint_open("c", &fp16, &err);
    assert_non_null(c);
    assert_int_equal(c->flaw_count, 1);
    assert_string_equal(c->flaws[0].file, "model.fp16-00002-of-00002.safetensors");
    checkpoint_free(c);
    put_header("c/model.fp16.safetensors", two, 32);
    c = checkpoint_open("c", &fp16, &err);
    assert_non_null(c);
    assert_string_equal(c->files[0].name, "model.fp16.safetensors");
    checkpoint_free(c);
    mkdir("c/unet", 0700);
    put_header("c/unet/model.safetensors", two, 32);
    c = checkpoint_open("c", &sub, &err);
    assert_non_null(c);
    assert_string_equal(c->files[0].name, "unet/model.safetensors");
    assert_string_equal(c->files[0].path, "c/unet/model.safetensors");
    checkpoint_free(c);
    refused_with("c", &none, TARE_IO, "io", "c/nowhere");
}
static void make_repository(const char *hub) {
    char path[512];
    static const char *const parts[] = {"", "/models--org--name", "/models--org--name/blobs", "/models--org--name/refs", "/models--org--name/snapshots",
        "/models--org--name/snapshots/abc"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(path, sizeof path, "%s%s", hub, parts[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(path, sizeof path, "%s/models--org--name/blobs/0123", hub);
    put_header(path, two, 32);
    snprintf(path, sizeof path, "%s/models--org--name/snapshots/abc/" ONE, hub);
    assert_int_equal(symlink("../../blobs/0123", path), 0);
    snprintf(path, sizeof path, "%s/models--org--name/snapshots/abc/model.safetensors.index.json", hub);
    put_text(path, "{\"metadata\":{},\"weight_map\":{\"a\":\"" ONE "\",\"b\":\"" ONE "\"}}");
}
static void test_hub(void **state) {
    (void)state;
    make_repository("c/hub");
    static const char *const paths[] = {"c/hub/models--org--name", "c/hub/models--org--name/snapshots/abc", "org/name"};
    setenv("HF_HUB_CACHE", "c/hub", 1);
    for (int ref = 0; ref < 2; ref++) {
        if (ref) put_text("c/hub/models--org--name/refs/main", "abc\n");
        for (size_t i = 0; i < 3; i++) {
            checkpoint *c = opened(paths[i]);
            assert_string_equal(c->snapshot, "abc");
            assert_string_equal(c->folder, paths[1]);
            assert_int_equal(c->tensor_count, 2);
            assert_int_equal(c->flaw_count, 1); /* 1 of 2 shards */
            checkpoint_free(c);
        }
    }
    put_text("c/hub/models--org--name/refs/main", "def");
    refused("org/name", TARE_NO, "no_weights", "refs/main names the revision def");
    put_text("c/hub/models--org--name/refs/main", "../x");
    mkdir("c/hub/models--org--name/snapshots/def", 0700);
    refused("org/name", TARE_NO, "no_weights", "not just one snapshot");
    refused("org/other", TARE_IO, "io", "the Hub's cache does not hold it: c/hub");
    unsetenv("HF_HUB_CACHE");
    setenv("HF_HOME", "c", 1);
    put_text("c/hub/models--org--name/refs/main", "abc");
    checkpoint_free(opened("org/name"));
    unsetenv("HF_HOME");
    remove("c/hub/models--org--name/blobs/0123");
    checkpoint *c = opened("c/hub/models--org--name");
    assert_non_null(flaw_of(c, FLAW_FILE_MISSING));
    checkpoint_free(c);
}

/* ---- descriptors ---- */

static void test_changed(void **state) {
    (void)state;
    tare_error err = {0};
    char bytes[4];
    put_header("c/model.safetensors", two, 32);
    checkpoint *c = opened("c");
    put_header("c/new", two, 32);
    assert_int_equal(rename("c/new", "c/model.safetensors"), 0);
    assert_false(checkpoint_read(c, 0, 0, bytes, 4, &err));
    assert_true(err.status == TARE_IO && !strcmp(err.code, "changed"));
    checkpoint_free(c);
    c = opened("c");
    err = (tare_error){0};
    int fd = checkpoint_fd(c, 0, &err);
    assert_true(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && checkpoint_fd(c, 0, &err) == fd);
    assert_int_equal(truncate("c/model.safetensors", (off_t)c->files[0].data_at + 2), 0);
    assert_false(checkpoint_read(c, 0, 0, bytes, 4, &err));
    assert_string_equal(err.code, "changed");
    checkpoint_free(c);
}
static void *read_all(void *to) {
    checkpoint *c = to;
    unsigned char byte;
    for (int k = 0; k < 200; k++)
        for (size_t i = 0; i < c->tensor_count; i++)
            for (uint64_t at = 0; at < c->tensors[i].bytes; at++)
                if (!checkpoint_read(c, i, at, &byte, 1, NULL) || byte != (unsigned char)at) return to;
    return NULL;
}
static void test_threads(void **state) {
    (void)state;
    put_shards();
    checkpoint *c = opened("c");
    pthread_t threads[4];
    void *result;
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_all, c), 0);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], &result), 0), assert_null(result);
    checkpoint_free(c);
}
static size_t open_descriptors(void) {
    size_t n = 0;
    for (int fd = 0; fd < 64; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}
static void test_memory_runs_out(void **state) {
    (void)state;
    bool made = false;
    size_t before = open_descriptors();
    make_repository("c/hub");
    for (long k = 1; !made && k < 1000; k++) {
        tare_error err = {0};
        tarei_fail_after(k);
        checkpoint *c = checkpoint_open("c/hub/models--org--name", NULL, &err);
        tarei_fail_after(0);
        made = c != NULL;
        if (!made) assert_string_equal(err.code, "out_of_memory");
        checkpoint_free(c);
        assert_int_equal(open_descriptors(), before);
    }
    assert_true(made);
}
/* More than the first room of every list. */
static void test_many(void **state) {
    (void)state;
    enum { N = 3000 };
    static char header[N * 96];
    size_t n = 1;
    header[0] = '{';
    for (int i = 0; i < N; i++)
        n += (size_t)sprintf(header + n, "%s\"layer.%d.weight\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", i ? "," : "", i);
    strcpy(header + n++, "}");
    FILE *f = fopen("c/model.safetensors", "wb");
    uint64_t length = n;
    fwrite(&length, 8, 1, f);
    fwrite(header, 1, n, f);
    fclose(f);
    checkpoint *c = opened("c");
    assert_int_equal(c->tensor_count, N);
    for (int i = 0; i < N; i++) {
        char key[32];
        snprintf(key, sizeof key, "layer.%d.weight", i);
        assert_int_equal(checkpoint_find(c, key), i);
    }
    checkpoint_free(c);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_good), TEST(test_lenient), TEST(test_names), TEST(test_bad_headers), TEST(test_odd_tensors), TEST(test_coverage),
        TEST(test_every_length), TEST(test_every_bit), TEST(test_other_files), TEST(test_index), TEST(test_index_flaws), TEST(test_index_files),
        TEST(test_bad_index), TEST(test_choice), TEST(test_variant), TEST(test_hub), TEST(test_changed), TEST(test_threads),
        TEST(test_memory_runs_out), TEST(test_many),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
