/* Checkpoint folders: the bytes that save_pretrained() writes, and what is left when a run is killed, refused or out of room. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "core/arena.h"
#include "folder.h"
#include "files/save.h"

/* ---- a folder to work in ---- */

static bool there(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}
static char *contents(const char *path, size_t *n) {
    static char text[1 << 20];
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    *n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[*n] = 0;
    return text;
}
static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}
static size_t entries(const char *path) {
    DIR *d = opendir(path);
    if (!d) return 0;
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
    closedir(d);
    return n;
}
static bool same_folder(const char *a, const char *b) {
    DIR *d = opendir(a);
    if (!d) return false;
    bool same = entries(a) == entries(b);
    for (struct dirent *e; same && (e = readdir(d));) {
        char path[600];
        size_t n = 0, m = 0;
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", a, e->d_name);
        char *text = contents(path, &n), *copy = text ? malloc(n + 1) : NULL;
        if (copy) memcpy(copy, text, n);
        snprintf(path, sizeof path, "%s/%s", b, e->d_name);
        text = contents(path, &m);
        same = copy && text && n == m && memcmp(copy, text, n) == 0;
        free(copy);
    }
    closedir(d);
    return same;
}

/* ---- a checkpoint ---- */

#define SHAPE(...) .rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .shape = (const int64_t[]){__VA_ARGS__}
static const save_tensor four[] = {
    {.key = "b.weight", .dtype = TARE_BF16, SHAPE(3, 2)},
    {.key = "a.weight", .dtype = TARE_F32, SHAPE(2, 5)},
    {.key = "steps", .dtype = TARE_I64},
    {.key = "a.bias", .dtype = TARE_BF16, SHAPE(4)},
};
enum { FOUR = sizeof four / sizeof *four, MANY = 24, EACH = 8192 };
static const uint64_t four_bytes[FOUR] = {12, 40, 8, 8};

static save_options wide(const char *plan) { return (save_options){.max_shard = UINT64_C(50000000000), .parameters = 20, .plan_id = plan}; }

static void give(save *s, size_t tensor, size_t bytes, int value) {
    char data[EACH];
    memset(data, value, bytes);
    assert_true(save_bytes(s, tensor, 0, data, bytes));
    assert_true(save_done(s, tensor));
}
static void refused(save *s, const tare_error *err, tare_status status, const char *code, const char *words) {
    assert_null(s);
    assert_int_equal(err->status, status);
    assert_string_equal(err->code, code);
    assert_non_null(strstr(err->message, words));
}

/* 24 tensors in three files, filled with `value`. */
static save *begin_many(const char *dir, save_options o, tare_error *err) {
    static save_tensor tensors[MANY];
    static char names[MANY][16];
    static const int64_t shape[] = {EACH};
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "layer.%d", i);
        tensors[i] = (save_tensor){.key = names[i], .dtype = TARE_U8, .rank = 1, .shape = shape};
    }
    o.max_shard = 8 * EACH;
    return save_begin(dir, tensors, MANY, &o, err);
}
static bool fill_many(save *s, int value, tare_error *err) {
    for (size_t i = 0; i < MANY; i++)
        if (!save_has(s, i)) give(s, i, EACH, value);
    char text[32];
    snprintf(text, sizeof text, "{\"value\": %d}\n", value);
    return save_text(s, "config.json", text, strlen(text), err);
}
static void make_many(const char *dir, save_options o, int value) {
    tare_error err = {0};
    save *s = begin_many(dir, o, &err);
    assert_non_null(s);
    assert_true(fill_many(s, value, &err));
    assert_true(save_commit(s, false, &err));
}

/* ---- what is written ---- */

static const char header_text[] =
    "{\"__metadata__\":{\"format\":\"pt\"},\"steps\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},\"a.weight\":{\"dtype\":\"F32\",\"shape\":"
    "[2,5],\"data_offsets\":[8,48]},\"a.bias\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[48,56]},\"b.weight\":{\"dtype\":\"BF16\",\"shape\":"
    "[3,2],\"data_offsets\":[56,68]}}";

static void test_one_file(void **state) {
    (void)state;
    tare_error err = {0};
    save_options o = wide(NULL);
    save *s = save_begin("one", four, FOUR, &o, &err);
    assert_non_null(s);
    for (size_t i = FOUR; i--;) give(s, i, four_bytes[i], 'a' + (int)i); /* any order */
    assert_true(save_bytes(s, 1, 4, "xyz", 3));
    assert_true(save_text(s, "config.json", "{}\n", 3, &err));
    assert_false(there("one"));
    assert_true(save_commit(s, false, &err));
    size_t n, head = sizeof header_text - 1;
    const char *text = contents("one/model.safetensors", &n);
    assert_memory_equal(text + 8, header_text, head);
    uint64_t length;
    memcpy(&length, text, 8);
    assert_int_equal((8 + length) % 64, 0);
    assert_true(length >= head && length < head + 64);
    assert_int_equal(n, 8 + length + 68);
    for (size_t i = head; i < length; i++) assert_int_equal(text[8 + i], ' ');
    assert_memory_equal(text + 8 + length, "ccccccccbbbbxyzbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbddddddddaaaaaaaaaaaa", 68);
    assert_string_equal(contents("one/config.json", &n), "{}\n");
    assert_int_equal(entries("one"), 2);
    assert_false(there(".one.tare-partial"));
}

/* A tensor above the limit comes before the file under way; views of one storage and tensors without a byte stay together. */
static void test_shards(void **state) {
    (void)state;
    const save_tensor tensors[] = {
        {.key = "small", .dtype = TARE_U8, SHAPE(4)},
        {.key = "none.1", .dtype = TARE_U8, SHAPE(0)},
        {.key = "large", .dtype = TARE_U8, SHAPE(20)},
        {.key = "fits", .dtype = TARE_U8, SHAPE(6)},
        {.key = "cut.0", .dtype = TARE_U8, SHAPE(3), .storage = 6},
        {.key = "q\"\\\n\x01\x7f\xc3\xa9\xf0\x9f\x98\x80", .dtype = TARE_U8, SHAPE(5)},
        {.key = "cut.1", .dtype = TARE_U8, SHAPE(3), .part_of = 5},
        {.key = "none.0", .dtype = TARE_U8, SHAPE(2, 0)},
    };
    tare_error err = {0};
    save *s = save_begin("shards", tensors, 8, &(save_options){.max_shard = 10, .parameters = 41}, &err);
    assert_non_null(s);
    for (size_t i = 0; i < 7; i++)
        if (i != 1) give(s, i, (size_t)tensors[i].shape[0], 'x');
    assert_true(save_commit(s, false, &err)); /* nothing is to be written of empty tensors */
    size_t n;
    assert_string_equal(contents("shards/model.safetensors.index.json", &n),
        "{\n  \"metadata\": {\n    \"total_parameters\": 41,\n    \"total_size\": 41\n  },\n  \"weight_map\": {\n"
        "    \"cut.0\": \"model-00003-of-00004.safetensors\",\n    \"cut.1\": \"model-00003-of-00004.safetensors\",\n"
        "    \"fits\": \"model-00002-of-00004.safetensors\",\n    \"large\": \"model-00001-of-00004.safetensors\",\n"
        "    \"none.0\": \"model-00002-of-00004.safetensors\",\n    \"none.1\": \"model-00002-of-00004.safetensors\",\n"
        "    \"q\\\"\\\\\\n\\u0001\\u007f\\u00e9\\ud83d\\ude00\": \"model-00004-of-00004.safetensors\",\n"
        "    \"small\": \"model-00002-of-00004.safetensors\"\n  }\n}\n");
    assert_non_null(strstr(contents("shards/model-00004-of-00004.safetensors", &n) + 8, "\"q\\\"\\\\\\n\\u0001\x7f\xc3\xa9\xf0\x9f\x98\x80\":{"));
    assert_int_equal(entries("shards"), 5);
}

static void test_nothing(void **state) {
    (void)state;
    tare_error err = {0};
    save_options o = wide(NULL);
    save *s = save_begin("nothing", NULL, 0, &o, &err);
    assert_non_null(s);
    assert_true(save_commit(s, false, &err));
    assert_int_equal(entries("nothing"), 0); /* as the reference: no tensors, no file */
}

static void test_bad_tensors(void **state) {
    (void)state;
    save_options o = wide(NULL);
    tare_error err = {0};
    const save_tensor twice[] = {four[0], four[1], four[0]};
    refused(save_begin("bad", twice, 3, &o, &err), &err, TARE_BAD, "bad_value", "two tensors have the name \"b.weight\"");
    err = (tare_error){0};
    const save_tensor kept = {.key = "__metadata__", .dtype = TARE_U8, SHAPE(1)};
    refused(save_begin("bad", &kept, 1, &o, &err), &err, TARE_BAD, "bad_value", "__metadata__");
    err = (tare_error){0};
    const save_tensor broken = {.key = "a\xff", .dtype = TARE_U8, SHAPE(1)};
    refused(save_begin("bad", &broken, 1, &o, &err), &err, TARE_BAD, "bad_value", "cannot hold");
    err = (tare_error){0};
    const save_tensor huge = {.key = "huge", .dtype = TARE_F32, SHAPE(INT64_C(1) << 40, 1 << 30)};
    refused(save_begin("bad", &huge, 1, &o, &err), &err, TARE_BAD, "too_large", "63 bits");
    err = (tare_error){0};
    const save_tensor large = {.key = "large", .dtype = TARE_F32, SHAPE(INT64_C(1) << 58)};
    refused(save_begin("bad", &large, 1, &o, &err), &err, TARE_IO, "disk_full", "bad needs 11529215046068");
    assert_false(there("bad"));
    assert_false(there(".bad.tare-partial"));
}

/* ---- where it may be written ---- */

static void try_begin(const char *dir, bool force, tare_status status, const char *code, const char *words) {
    tare_error err = {0};
    save_options o = wide(NULL);
    o.force = force;
    refused(save_begin(dir, four, FOUR, &o, &err), &err, status, code, words);
}
static void test_places(void **state) {
    (void)state;
    char name[300];
    try_begin("", false, TARE_USAGE, "usage", "a name of its own");
    try_begin(".", true, TARE_USAGE, "usage", "a name of its own");
    try_begin("a/..", true, TARE_USAGE, "usage", "a name of its own");
    try_begin("/", true, TARE_USAGE, "usage", "a name of its own");
    try_begin("absent/deep", false, TARE_IO, "io", "cannot open the folder absent: No such file");
    write_file("file", "mine");
    try_begin("file", true, TARE_USAGE, "exists", "file exists already and is a file");
    try_begin("file/x", false, TARE_IO, "io", "Not a directory");
    assert_int_equal(symlink("absent", "link"), 0);
    try_begin("link/", true, TARE_USAGE, "exists", "link exists already and is a symbolic link");
    memset(name, 'n', 242);
    name[242] = 0;
    try_begin(name, false, TARE_USAGE, "usage", "242 bytes, the most is 241");
    name[241] = 0;
    make_many(name, wide(NULL), 1);
    make_many("trailing///", wide(NULL), 1);
    assert_true(same_folder("trailing", name));
    char *here = getcwd(NULL, 0);
    snprintf(name, sizeof name, "%s/absolute", here);
    free(here);
    make_many(name, wide(NULL), 1);
    assert_true(same_folder("absolute", "trailing"));
}

static void test_what_force_replaces(void **state) {
    (void)state;
    save_options o = wide(NULL);
    o.force = true;
    assert_int_equal(mkdir("home", 0777), 0);
    make_many("home", o, 1); /* empty */
    try_begin("home", false, TARE_USAGE, "exists", "home exists already; it is replaced only with force");
    write_file("home/README.md", "words");
    try_begin("home", true, TARE_USAGE, "exists", "it also holds README.md, which would be lost");
    assert_true(there("home/README.md"));
    assert_int_equal(unlink("home/README.md"), 0);
    make_many("home", o, 2); /* holds a config */
    assert_int_equal(mkdir("home/runs", 0777), 0);
    try_begin("home", true, TARE_USAGE, "exists", "it holds the folder runs");
    assert_int_equal(rmdir("home/runs"), 0);
    assert_int_equal(mkdir("letters", 0777), 0);
    write_file("letters/dear.txt", "dear");
    try_begin("letters", true, TARE_USAGE, "exists", "no config.json and no .safetensors");
    assert_true(there("letters/dear.txt"));
}

/* DIR that comes up while a run writes is not overwritten. */
static void test_comes_up_meanwhile(void **state) {
    (void)state;
    tare_error err = {0};
    save *s = begin_many("meanwhile", wide(NULL), &err);
    assert_non_null(s);
    assert_true(fill_many(s, 1, &err));
    assert_int_equal(mkdir("meanwhile", 0777), 0);
    assert_false(save_commit(s, false, &err));
    assert_string_equal(err.code, "exists");
    assert_int_equal(entries("meanwhile"), 0);
    assert_false(there(".meanwhile.tare-partial"));
}

static void test_read_only_folder(void **state) {
    (void)state;
    if (geteuid() == 0) skip();
    assert_int_equal(mkdir("closed", 0555), 0);
    try_begin("closed/x", false, TARE_IO, "io", "cannot make a folder in closed: Permission denied");
}

static void test_work_folder_in_the_way(void **state) {
    (void)state;
    assert_int_equal(mkdir("target", 0777), 0);
    assert_int_equal(symlink("target", ".way.tare-partial"), 0);
    try_begin("way", false, TARE_IO, "io", "cannot work in .way.tare-partial");
    assert_int_equal(entries("target"), 0);
}

static void test_two_at_once(void **state) {
    (void)state;
    tare_error err = {0};
    save *s = begin_many("both", wide(NULL), &err);
    assert_non_null(s);
    try_begin("both", false, TARE_IO, "busy", "another run is writing both");
    assert_true(fill_many(s, 3, &err));
    assert_true(save_commit(s, false, &err));
    assert_false(there(".both.tare-partial"));
}

static void test_rights(void **state) {
    (void)state;
    struct stat folder, file;
    mode_t old = umask(027);
    make_many("rights", wide(NULL), 1);
    umask(old);
    assert_int_equal(stat("rights", &folder), 0);
    assert_int_equal(stat("rights/model-00001-of-00003.safetensors", &file), 0);
    assert_int_equal(folder.st_mode & 0777, 0750);
    assert_int_equal(file.st_mode & 0777, 0640);
}

/* ---- going on ---- */

static size_t kept(const save *s) {
    size_t n = 0;
    for (size_t i = 0; i < MANY; i++) n += save_has(s, i);
    return n;
}
/* A run with this plan that completed ten tensors, with value 5, and gave up. */
static void leave_ten(const char *dir, const char *plan) {
    tare_error err = {0};
    save *s = begin_many(dir, wide(plan), &err);
    assert_non_null(s);
    for (size_t i = 0; i < 10; i++) give(s, 2 * i, EACH, 5);
    assert_true(save_text(s, "generation_config.json", "{}", 2, &err));
    save_abandon(s, true);
}
static void test_goes_on(void **state) {
    (void)state;
    tare_error err = {0};
    make_many("fresh", wide(NULL), 5);
    leave_ten("go", "seed 0");
    write_file(".go.tare-partial/journal", "1"); /* torn: no end of line */
    save *s = begin_many("go", wide("seed 0"), &err);
    assert_non_null(s);
    assert_int_equal(kept(s), 10);
    assert_false(save_has(s, 1));
    assert_true(save_has(s, 18));
    for (size_t i = 0; i < 5; i++) give(s, 2 * i + 1, EACH, 5);
    save_abandon(s, true);
    s = begin_many("go", wide("seed 0"), &err);
    assert_non_null(s);
    assert_int_equal(kept(s), 15);
    assert_true(fill_many(s, 5, &err));
    assert_true(save_commit(s, false, &err));
    assert_true(same_folder("fresh", "go")); /* and the text of the first run is gone */
    assert_false(there(".go.tare-partial"));
}
static void starts_afresh(const char *dir, const char *plan) {
    tare_error err = {0};
    save *s = begin_many(dir, wide(plan), &err);
    assert_non_null(s);
    assert_int_equal(kept(s), 0);
    assert_true(fill_many(s, 6, &err));
    assert_true(save_commit(s, false, &err));
    assert_true(same_folder("six", dir));
}
static void test_starts_afresh(void **state) {
    (void)state;
    make_many("six", wide(NULL), 6);
    leave_ten("other", "seed 0");
    starts_afresh("other", "seed 1");
    leave_ten("cut", "seed 0");
    assert_int_equal(truncate(".cut.tare-partial/new/model-00002-of-00003.safetensors", 5), 0);
    starts_afresh("cut", "seed 0");
    leave_ten("lost", "seed 0");
    assert_int_equal(remove(".lost.tare-partial/journal"), 0);
    starts_afresh("lost", "seed 0");
    leave_ten("garbled", "seed 0");
    assert_int_equal(truncate(".garbled.tare-partial/journal", 40), 0);
    starts_afresh("garbled", "seed 0");
}
static void test_unfinished(void **state) {
    (void)state;
    tare_error err = {0};
    save *s = begin_many("half", wide(NULL), &err);
    assert_non_null(s);
    give(s, 0, EACH, 1);
    assert_false(save_commit(s, false, &err));
    assert_non_null(strstr(err.message, "23 tensors of half were not written"));
    assert_false(there("half"));
    assert_false(there(".half.tare-partial"));
    leave_ten("given", "p");
    s = begin_many("given", wide("p"), &err);
    assert_non_null(s);
    save_abandon(s, false);
    assert_false(there(".given.tare-partial"));
}

/* ---- killed ---- */

/* What was complete two seconds before a kill is still complete after it. */
static void test_killed_half_way(void **state) {
    (void)state;
    tare_error err = {0};
    pid_t child = fork();
    if (!child) {
        save *s = begin_many("killed", wide("k"), &err);
        for (size_t i = 0; s && i < 12; i++) {
            if (i == 11) nanosleep(&(struct timespec){2, 100000000}, NULL);
            give(s, i, EACH, 5);
        }
        raise(SIGKILL);
    }
    waitpid(child, NULL, 0);
    assert_false(there("killed"));
    save *s = begin_many("killed", wide("k"), &err);
    assert_non_null(s);
    assert_int_equal(kept(s), 12);
    assert_true(fill_many(s, 5, &err));
    assert_true(save_commit(s, false, &err));
    assert_true(same_folder("five", "killed"));
}

/* A child replaces DIR and is killed after `wait` microseconds; true if it came to its end before that. */
static bool replace_and_kill(save_options o, int value, long wait) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        tare_error err = {0};
        save *s = begin_many("target", o, &err);
        _exit(!s || !fill_many(s, value, &err) || !save_commit(s, false, &err));
    }
    nanosleep(&(struct timespec){0, wait * 1000}, NULL);
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}
static void kill_at_many_moments(bool two_renames) {
    save_options o = wide(NULL);
    o.force = true;
    o.two_renames = two_renames;
    make_many("five", o, 5), make_many("nine", o, 9), make_many("target", o, 5);
    unsigned draw = 12345;
    long longest = 500;
    for (int i = 0; i < 80; i++) {
        draw = draw * 1103515245u + 12345;
        int value = i % 2 ? 5 : 9;
        bool ended = replace_and_kill(o, value, (long)(draw >> 8) % longest);
        longest = ended ? longest * 9 / 10 + 50 : longest * 5 / 4; /* stays about the time that it takes */
        if (two_renames && !there("target")) { /* put aside: the next run puts it back */
            try_begin("target", false, TARE_USAGE, "exists", "target exists already");
        }
        assert_true(same_folder("target", "five") || same_folder("target", "nine"));
        if (ended) assert_true(same_folder("target", value == 5 ? "five" : "nine"));
    }
    make_many("target", o, 9);
    assert_true(same_folder("target", "nine"));
    assert_false(there(".target.tare-partial"));
}
static void test_killed_any_time(void **state) {
    (void)state;
    kill_at_many_moments(false);
}
static void test_killed_between_renames(void **state) {
    (void)state;
    kill_at_many_moments(true);
    assert_int_equal(mkdir(".target.tare-partial", 0700), 0); /* just that moment, made by hand */
    assert_int_equal(rename("target", ".target.tare-partial/old"), 0);
    try_begin("target", false, TARE_USAGE, "exists", "target exists already");
    assert_true(same_folder("target", "nine"));
}

/* ---- no room ---- */

static void test_limit_of_the_process(void **state) {
    (void)state;
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){4096, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    tare_error err = {0};
    save *s = begin_many("limited", wide(NULL), &err);
    setrlimit(RLIMIT_FSIZE, &old);
    refused(s, &err, TARE_IO, "io", "the limit of this process is 4096");
    assert_false(there(".limited.tare-partial"));
}
/* A write that fails: the error is kept, DIR is untouched, nothing is left. */
static void test_write_fails(void **state) {
    (void)state;
    struct rlimit old, small;
    save_options o = wide(NULL);
    o.force = true;
    make_many("stays", o, 5);
    tare_error err = {0};
    save *s = begin_many("stays", o, &err);
    assert_non_null(s);
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){4096, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    char data[EACH] = {0};
    bool wrote = save_bytes(s, 7, 0, data, EACH);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_false(wrote);
    assert_true(save_failed(s, &err));
    assert_string_equal(err.message, "cannot write stays/model-00001-of-00003.safetensors: File too large");
    assert_false(save_bytes(s, 0, 0, data, EACH)); /* it stays failed */
    assert_false(save_done(s, 0));
    err = (tare_error){0};
    assert_false(save_commit(s, false, &err));
    assert_string_equal(err.code, "io");
    assert_true(same_folder("stays", "five"));
    assert_false(there(".stays.tare-partial"));
}
static void test_beyond_a_tensor(void **state) {
    (void)state;
    tare_error err = {0};
    save *s = begin_many("beyond", wide(NULL), &err);
    assert_non_null(s);
    assert_false(save_bytes(s, 0, EACH - 1, "ab", 2));
    assert_true(save_failed(s, &err));
    save_abandon(s, false);
}
static void test_memory_runs_out(void **state) {
    (void)state;
    bool made = false;
    for (long k = 1; !made && k < 1000; k++) {
        tare_error err = {0};
        tarei_fail_after(k);
        save *s = begin_many("memory", wide(NULL), &err);
        tarei_fail_after(0);
        made = s != NULL;
        if (made) save_abandon(s, false);
        else assert_string_equal(err.code, "out_of_memory");
        assert_false(there(".memory.tare-partial"));
    }
    assert_true(made);
}

/* ---- threads ---- */

static void *write_quarter(void *to) {
    save *s = *(save **)to;
    char data[EACH / 4];
    size_t quarter = (size_t)((save **)to)[1];
    for (size_t i = 0; i < MANY; i++) {
        memset(data, 5, sizeof data);
        if (!save_bytes(s, i, quarter * sizeof data, data, sizeof data)) return to;
    }
    return NULL;
}
static void *mark(void *to) {
    for (size_t i = 0; i < MANY; i++)
        if (!save_done(to, i)) return to;
    return NULL;
}
static void test_threads(void **state) {
    (void)state;
    tare_error err = {0};
    save *s = begin_many("threads", wide(NULL), &err);
    assert_non_null(s);
    pthread_t threads[4];
    void *jobs[4][2], *result;
    for (size_t i = 0; i < 4; i++) {
        jobs[i][0] = s, jobs[i][1] = (void *)i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_quarter, jobs[i]), 0);
    }
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], &result), 0), assert_null(result);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, mark, s), 0);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], &result), 0), assert_null(result);
    assert_true(fill_many(s, 5, &err));
    assert_true(save_commit(s, false, &err));
    assert_true(same_folder("threads", "five"));
}

/* More files than are kept open. */
static void test_many_files(void **state) {
    (void)state;
    enum { FILES = 200 };
    static save_tensor tensors[FILES];
    static char names[FILES][16];
    static const int64_t shape[] = {16};
    for (int i = 0; i < FILES; i++) {
        snprintf(names[i], sizeof names[i], "t.%03d", i);
        tensors[i] = (save_tensor){.key = names[i], .dtype = TARE_U8, .rank = 1, .shape = shape};
    }
    tare_error err = {0};
    save *s = save_begin("files", tensors, FILES, &(save_options){.max_shard = 1}, &err);
    assert_non_null(s);
    for (size_t i = 0; i < FILES; i++) give(s, i, 16, 'A' + (int)(i % 26));
    assert_true(save_commit(s, false, &err));
    assert_int_equal(entries("files"), FILES + 1);
    size_t n = 0;
    const char *text = contents("files/model-00200-of-00200.safetensors", &n);
    assert_true(text && n > 16);
    assert_memory_equal(text + n - 16, "RRRRRRRRRRRRRRRR", 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_file), cmocka_unit_test(test_shards), cmocka_unit_test(test_nothing), cmocka_unit_test(test_bad_tensors),
        cmocka_unit_test(test_places), cmocka_unit_test(test_what_force_replaces), cmocka_unit_test(test_comes_up_meanwhile),
        cmocka_unit_test(test_read_only_folder), cmocka_unit_test(test_work_folder_in_the_way), cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_rights), cmocka_unit_test(test_goes_on), cmocka_unit_test(test_starts_afresh), cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_killed_any_time), cmocka_unit_test(test_killed_between_renames), cmocka_unit_test(test_killed_half_way),
        cmocka_unit_test(test_limit_of_the_process), cmocka_unit_test(test_write_fails), cmocka_unit_test(test_beyond_a_tensor),
        cmocka_unit_test(test_memory_runs_out), cmocka_unit_test(test_threads), cmocka_unit_test(test_many_files),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
