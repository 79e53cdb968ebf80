/* Devices: amounts, names, margins, and what this host has, from folders that look like /proc and /sys. */
#define _XOPEN_SOURCE 700
#include "core/arena.h"
#include "plan/amount.h"
#include "plan/devices.h"
#include "plan/here.h"
#include "plan/presets.h"
#include <dlfcn.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- amounts ---- */

static void test_amounts(void **state) {
    (void)state;
    static const struct { const char *text; uint64_t bytes; } cases[] = {
        {"0", 0}, {"1", 1}, {"30000000000", 30000000000u}, {"9223372036854775807", INT64_MAX},
        {"1KB", 1000}, {"1MB", 1000000}, {"1GB", 1000000000}, {"1TB", 1000000000000u},
        {"1KiB", 1024}, {"1MiB", 1048576}, {"1GiB", 1073741824}, {"1TiB", 1099511627776u},
        {"10gB", 10000000000u}, {"10gib", 10737418240u}, {"10GIB", 10737418240u}, {" 10 GB ", 10000000000u}, {"007GB", 7000000000u},
        {"1.5GiB", 1610612736}, {".5GB", 500000000}, {"2.GB", 2000000000}, {"0.0001KB", 0}, {"1.9999KB", 1999},
        {"2.3GB", 2300000000u}, {"1.001KB", 1001}, {"4.35GB", 4350000000u}, /* doubles give one byte less */
        {"0.1TiB", 109951162777u}, {"0.99999999999999999999999999GB", 999999999}, {"9223372.036854775807TB", INT64_MAX},
        {"8388607.9999TiB", 9223372036744824645u},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t bytes = 77;
        const char *wrong = amount_read(cases[i].text, strlen(cases[i].text), &bytes);
        if (wrong || bytes != cases[i].bytes) fail_msg("\"%s\": %llu, %s", cases[i].text, (unsigned long long)bytes, wrong ? wrong : "");
    }
}
static void test_wrong_amounts(void **state) {
    (void)state;
#define SIZES "expected a size such as 10GB (KB, MB, GB, TB), 10GiB (KiB, MiB, GiB, TiB) or plain bytes"
#define BITS "a lowercase b means bits to accelerate; write GB for bytes"
#define MOST "more than 9223372036854775807 bytes"
    static const struct { const char *text, *wrong; } cases[] = {
        {"", "there is no size; " SIZES}, {"  ", "there is no size; " SIZES}, {"-1GB", "a size cannot be negative"},
        {"-0", "a size cannot be negative"}, {"GB", SIZES}, {".GB", SIZES}, {".", SIZES}, {"ten GB", SIZES}, {"10 apples", SIZES},
        {"10G", SIZES}, {"10B", SIZES}, {"10iB", SIZES}, {"10PB", SIZES}, {"10GBs", SIZES}, {"10GB 5MB", SIZES}, {"+1GB", SIZES},
        {"1e3GB", SIZES}, {"1_000MB", SIZES}, {"infGB", SIZES}, {"nanGB", SIZES}, {"0x10GB", SIZES}, {"1,5GB", SIZES}, {"1.5.5GB", SIZES},
        {"1.5", "bytes are whole numbers; " SIZES}, {"1.", "bytes are whole numbers; " SIZES},
        {"10gb", BITS}, {"10Gb", BITS}, {"10 kb", BITS}, {"1tb", BITS},
        {"9223372036854775808", MOST}, {"18446744073709551616", MOST}, {"99999999999999999999999999", MOST}, {"10000000TB", MOST},
        {"8388608TiB", MOST}, {"99999999999999999999GB", MOST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t bytes;
        const char *wrong = amount_read(cases[i].text, strlen(cases[i].text), &bytes);
        if (!wrong) fail_msg("\"%s\" was taken", cases[i].text);
        assert_string_equal(wrong, cases[i].wrong);
    }
}
static void test_percentages(void **state) {
    (void)state;
    static const struct { const char *text; uint32_t part; } right[] = {{"0%", 0}, {"5%", 5000}, {"2.5 %", 2500}, {"100%", 100000}, {"0.0019%", 1}};
    static const char *const wrong[] = {"", "%", "5", "-5%", "101%", "100.001%", "x%", "5%%", "1e1%", "99999999999999999999%"};
    uint32_t part = 0;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_null(amount_percent(right[i].text, strlen(right[i].text), &part));
        assert_int_equal(part, right[i].part);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!amount_percent(wrong[i], strlen(wrong[i]), &part)) fail_msg("\"%s\" was taken", wrong[i]);
    assert_true(amount_part(10000000000u, 5000) == 500000000);
    assert_true(amount_part(199999, 50001) == 100001);
    assert_true(amount_part(UINT64_MAX, 100000) == UINT64_MAX);
}

/* ---- known by name ---- */

static preset_found found(const char *name) {
    preset_found p;
    if (!preset_find(name, strlen(name), &p)) fail_msg("\"%s\" is unknown", name);
    return p;
}
static void test_every_preset_is_found_by_its_name(void **state) {
    (void)state;
    assert_true(preset_device_count >= 60);
    for (size_t i = 0; i < preset_device_count; i++) {
        const tare_device_preset *p = &preset_devices[i];
        preset_found f = found(p->name);
        assert_ptr_equal(f.row, p);
        assert_true(f.bytes == p->bytes && f.bytes > UINT64_C(5) << 30 && f.bytes < UINT64_C(300) << 30);
        assert_true(*p->source && *p->product);
        assert_int_equal(p->kind == TARE_DEVICE_MPS, p->sizes != NULL);
        assert_int_equal(f.smallest, p->sizes != NULL);
    }
}
static void test_spellings(void **state) {
    (void)state;
    static const char *const same[][2] = {
        {"H100", "h100"}, {"RTX 4090", "rtx4090"}, {"rtx_4090", "rtx4090"}, {"4090", "rtx4090"}, {"A6000", "rtxa6000"}, {"7900 XTX", "rx7900xtx"},
        {"a100-40", "a100-40"}, {"a100", "a100-40"}, {"A100-80", "a100-80"}, {"a10080", "a100-80"}, {"v100", "v100-16"}, {"a10", "a10"},
        {"4060ti", "rtx4060ti-8"}, {"l40s", "l40s"}, {"m2_ultra", "m2-ultra"}, {"tpu v5e", "tpu-v5e"}, {"M1 16", "m1"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) assert_string_equal(found(same[i][0]).row->name, same[i][1]);
    assert_true(found("a100").smallest && !found("a100-80").smallest && !found("h100").smallest);
    static const char *const unknown[] = {"", "-", "h", "h1000", "rtx", "m2-ultra-100", "m1-8x", "a100-60", "m5", "rtx306", "0",
                                          "a name that is longer than any that there is"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        preset_found p;
        if (preset_find(unknown[i], strlen(unknown[i]), &p)) fail_msg("\"%s\" is %s", unknown[i], p.row->name);
    }
}
/* As llama.cpp prints recommendedMaxWorkingSetSize: 11453.25, 22906.50, 28991.03 and 51539.61 MB. */
static void test_share_of_unified_memory(void **state) {
    (void)state;
    assert_true(found("m1-16").bytes == 11453246122u);
    assert_true(found("m1-max-32").bytes == 22906492244u);
    assert_true(found("m3-max-36").bytes == 28991029248u);
    assert_true(found("m1-max-64").bytes == 51539607552u);
    assert_true(found("m2-ultra-192").bytes == 154618822656u);
    assert_int_equal(found("m2-ultra-192").gib, 192);
    assert_false(found("m2-ultra-192").smallest);
}
static void test_near_names(void **state) {
    (void)state;
    char near[128], small[6];
    assert_true(preset_near("h1000", 5, near, sizeof near));
    assert_string_equal(near, "h100");
    assert_true(preset_near("rtx4009", 7, near, sizeof near));
    assert_string_equal(near, "rtx4090");
    assert_true(preset_near("5009", 4, near, sizeof near));
    assert_string_equal(near, "rtx5090");
    assert_false(preset_near("banana", 6, near, sizeof near));
    assert_true(preset_near("rtx4009", 7, small, sizeof small)); /* cut */
    assert_string_equal(small, "rtx40");
}

/* ---- lists ---- */

static tare_devices *opened(const char *text, const tare_devices_options *o) {
    tare_error err = {0};
    tare_devices *d = tare_devices_open(text, o, &err);
    if (!d) fail_msg("%s: %s", text ? text : "NULL", err.message);
    assert_int_equal(err.status, TARE_OK);
    return d;
}
/* "0 10 -5, cpu unlimited": name, bytes and margin of every row. */
static void list_is(const char *text, const tare_devices_options *o, const char *want) {
    tare_devices *d = opened(text, o);
    const tare_device_row *rows;
    char got[1024] = "";
    size_t n = tare_devices_rows(d, &rows), used = 0;
    for (size_t i = 0; i < n; i++) {
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%s ", i ? ", " : "", rows[i].name);
        if (rows[i].unlimited) used += (size_t)snprintf(got + used, sizeof got - used, "unlimited");
        else used += (size_t)snprintf(got + used, sizeof got - used, "%llu", (unsigned long long)rows[i].bytes);
        if (rows[i].margin) used += (size_t)snprintf(got + used, sizeof got - used, " -%llu", (unsigned long long)rows[i].margin);
        assert_int_equal(rows[i].kind == TARE_DEVICE_GPU, rows[i].id >= 0);
        assert_true(!rows[i].unlimited || rows[i].bytes == UINT64_MAX);
        assert_non_null(rows[i].note);
    }
    assert_string_equal(got, want);
    tare_devices_free(d);
}
#define MAX(...) (&(tare_devices_options){.max_memory = __VA_ARGS__})

static void test_amounts_of_devices(void **state) {
    (void)state;
    static const char list[] = "0 10000000000, 1 10737418240, cpu 30000000000, disk 1000000000000";
    list_is("0=10GB,1=10GiB,cpu=30GB,disk=1TB", NULL, list);
    list_is(" disk = 1TB , cpu=30 GB,1=10GiB,0=10GB ", NULL, list);
    list_is(NULL, MAX("0=10GB,1=10GiB,cpu=30GB,disk=1TB"), list);
    list_is("{\"0\": \"10GB\", \"cpu\": 30000000000, \"1\": \"10GiB\", \"disk\": \"1 TB\"}", NULL, list);
    list_is(NULL, MAX(" {\"cpu\": \"30GB\", \"0\": 10000000000, \"1\": \"10GiB\", \"disk\": \"1TB\"}"), list);
    list_is("10=5,2=6,99999=7,mps=8", NULL, "2 6, 10 5, 99999 7, mps 8"); /* by number, not by text */
    list_is("0=0,disk=unlimited,cpu=unlimited", NULL, "0 0, cpu unlimited, disk unlimited");
    list_is("{\"disk\": \"unlimited\"}", NULL, "disk unlimited");
}
static void test_names_of_devices(void **state) {
    (void)state;
    const tare_devices_options all = {.margin = "0"};
    list_is("h100:2,t4", NULL, "0 84483768320 -536870912, 1 84483768320 -536870912, 2 15099494400 -536870912");
    list_is("h100:2,t4", &all, "0 85020639232, 1 85020639232, 2 15636365312");
    list_is("cpu=64GB, 1=5GB ,h100:2", NULL, "0 84483768320 -536870912, 1 5000000000, cpu 64000000000"); /* an amount replaces */
    list_is("t4:2", MAX("1=1GB,7=2GB"), "0 15099494400 -536870912, 1 1000000000, 7 2000000000");
    list_is("0=1GB,cpu=2GB", MAX("cpu=3GB"), "0 1000000000, cpu 3000000000");
    list_is("m2-ultra-192,t4", &all, "0 15636365312, mps 154618822656");
    list_is("m2-ultra", NULL, "mps 51539607552");
    tare_devices *d = opened("h100,m2-ultra,0=1GB,a100:3", NULL);
    const tare_device_row *rows;
    assert_int_equal(tare_devices_rows(d, &rows), 5);
    assert_string_equal(rows[0].model, "h100");
    assert_string_equal(rows[0].note, "as given");
    assert_string_equal(rows[3].model, "a100-40");
    assert_string_equal(rows[3].note, "NVIDIA A100 40 GB: as deviceQuery reports it; the smallest that is sold");
    assert_string_equal(rows[4].model, "m2-ultra-64");
    assert_string_equal(rows[4].note, "Apple M2 Ultra: Metal's default share of the memory, 64 GB; the smallest that is sold");
    tare_devices_free(d);
    d = opened("t4:4096", NULL);
    assert_int_equal(tare_devices_rows(d, &rows), MOST_DEVICES);
    assert_string_equal(rows[4095].name, "4095");
    tare_devices_free(d);
}
#define MARGIN(text) (&(tare_devices_options){.margin = text})
static void test_margins(void **state) {
    (void)state;
    list_is("0=10GB,1=10GB,mps=1GB,cpu=10GB,disk=unlimited", MARGIN("10%"),
            "0 9000000000 -1000000000, 1 9000000000 -1000000000, mps 900000000 -100000000, cpu 10000000000, disk unlimited");
    list_is("0=10GB,1=10GB,cpu=10GB,disk=9", MARGIN("1GB,cpu=5%,1=0,disk=4"), "0 9000000000 -1000000000, 1 10000000000, cpu 9500000000 -500000000, disk 5 -4");
    list_is("0=10GB,cpu=1GB", MARGIN("cpu=1MB"), "0 10000000000, cpu 999000000 -1000000");
    list_is("t4,cpu=1GB", MARGIN("cpu=1MB"), "0 15099494400 -536870912, cpu 999000000 -1000000"); /* the default stays on GPUs */
    list_is("0=10,1=10", MARGIN("11"), "0 0 -10, 1 0 -10");
    list_is("0=10", MARGIN("100%"), "0 0 -10");
    list_is("disk=unlimited,0=unlimited", MARGIN("1GB,disk=5%"), "0 unlimited, disk unlimited");
}

static void refused(const char *text, const tare_devices_options *o, const char *want) {
    tare_error err = {0};
    tare_devices *d = tare_devices_open(text, o, &err);
    if (d) fail_msg("\"%s\" was taken", text ? text : "NULL");
    assert_string_equal(err.message, want);
    assert_string_equal(err.code, "usage");
    assert_int_equal(err.status, TARE_USAGE);
    assert_null(tare_devices_open(text, o, NULL));
}
#define NAMES "expected a GPU's number, mps, cpu or disk"
#define LIST " in the device list: "
static void test_wrong_lists(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "\"\"" LIST "an item is empty; expected one such as h100:2, 0=10GB or auto"},
        {"h100,", "\"\"" LIST "an item is empty; expected one such as h100:2, 0=10GB or auto"},
        {"0=1GB,,1=1GB", "\"\"" LIST "an item is empty; expected one such as h100:2, 0=10GB or auto"},
        {"0=", "\"0=\"" LIST "there is no size; " SIZES}, {"0=10 apples", "\"0=10 apples\"" LIST SIZES}, {"1=-5GB", "\"1=-5GB\"" LIST "a size cannot be negative"},
        {"0=1GB, 1=10gb", "\"1=10gb\"" LIST BITS}, {"0=99999999TB", "\"0=99999999TB\"" LIST MOST},
        {"=10GB", "\"=10GB\"" LIST "the device is missing; " NAMES}, {"-1=10GB", "\"-1=10GB\"" LIST "a GPU's number cannot be negative; " NAMES},
        {"01=10GB", "\"01=10GB\"" LIST "a GPU's number has no zero before it"}, {"100000=1", "\"100000=1\"" LIST "a GPU's number has five digits at most"},
        {"cuda:0=1GB", "\"cuda:0=1GB\"" LIST "GPUs go by their number alone, 0=10GB; " NAMES},
        {"gpu0=1GB", "\"gpu0=1GB\"" LIST "GPUs go by their number alone, 0=10GB; " NAMES},
        {"h100=80GB", "\"h100=80GB\"" LIST "an amount is for a device in this list, 0=10GB; " NAMES},
        {"ram=80GB", "\"ram=80GB\"" LIST "there is no such device; " NAMES}, {"CPU=80GB", "\"CPU=80GB\"" LIST "there is no such device; " NAMES},
        {"0=1GB,cpu=1GB,0=2GB", "\"0=2GB\"" LIST "this device is given twice"}, {"cpu=1,cpu=1", "\"cpu=1\"" LIST "this device is given twice"},
        {"0=1=2", "\"0=1=2\"" LIST SIZES}, {"10GB", "\"10GB\"" LIST "an amount needs its device, 0=10GB"},
        {"banana", "\"banana\"" LIST "no device is known by this name; tare devices lists those that are"},
        {"h100,h1000:2", "\"h1000:2\"" LIST "no device is known by this name; near it: h100"},
        {":2", "\":2\"" LIST "the device is missing; expected one such as h100:2"},
        {"h100:", "\"h100:\"" LIST "expected how many there are after the colon, from 1 to 4096"},
        {"h100:0", "\"h100:0\"" LIST "expected how many there are after the colon, from 1 to 4096"},
        {"h100:2x", "\"h100:2x\"" LIST "expected how many there are after the colon, from 1 to 4096"},
        {"h100:99999", "\"h100:99999\"" LIST "expected how many there are after the colon, from 1 to 4096"},
        {"h100:4097", "\"h100:4097\"" LIST "more than 4096 devices"}, {"h100:4096,t4", "\"t4\"" LIST "more than 4096 devices"},
        {"h100:4096,cpu=1", "\"cpu=1\"" LIST "more than 4096 devices"},
        {"m1:2", "\"m1:2\"" LIST "a computer has one such device, mps"}, {"m1,m2", "\"m2\"" LIST "a computer has one such device, mps"},
        {"auto,auto", "\"auto\"" LIST "this host is asked for twice"},
        {"{}", "\"{}\"" LIST "no device is given"}, {"{\"0\": -1}", "\"0\"" LIST "a size cannot be negative"},
        {"{\"0\": \"1gb\"}", "\"0\"" LIST BITS}, {"{\"0\": 1.5}", "\"0\"" LIST "expected whole bytes or a text such as \"10GB\""},
        {"{\"0\": null}", "\"0\"" LIST "expected whole bytes or a text such as \"10GB\""},
        {"{\"0\": true}", "\"0\"" LIST "expected whole bytes or a text such as \"10GB\""},
        {"{\"0\": [1]}", "\"0\"" LIST "expected whole bytes or a text such as \"10GB\""},
        {"{\"gpu\": 1}", "\"gpu\"" LIST "there is no such device; " NAMES}, {"{\"\": 1}", "\"\"" LIST "the device is missing; " NAMES},
        {"{\"0\": 99999999999999999999}", "\"0\"" LIST MOST}, {"{\"0\": 9223372036854775808}", "\"0\"" LIST MOST},
        {"{\"0\": 1, \"cpu\": \"1GB\", \"0\": 2}", "\"0\"" LIST "this device is given twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refused(cases[i][0], NULL, cases[i][1]);
    refused("h100", MAX("0=1GB,h100:2"), "\"h100:2\" in max_memory: expected a device, = and a size, such as 0=10GB");
    refused("h100", MAX(""), "\"\" in max_memory: an item is empty; expected one such as 0=10GB");
    refused(NULL, MAX("{\"0\": 1, \"1\": 5, \"0\": 2}"), "\"0\" in max_memory: this device is given twice");
    refused("gpugpugpugpugpugpugpugpugpugpugpugpugpugpugpugp\xc3\xa9gpu", NULL,
            "\"gpugpugpugpugpugpugpugpugpugpugpugpugpugpugpugp\"" LIST "no device is known by this name; tare devices lists those that are");
}
static void test_wrong_margins(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "\"\" in the margin: an item is empty; expected one such as 1GiB, 5% or cpu=1GiB"},
        {"x", "\"x\" in the margin: " SIZES}, {"-1GB", "\"-1GB\" in the margin: a size cannot be negative"}, {"1gb", "\"1gb\" in the margin: " BITS},
        {"101%", "\"101%\" in the margin: expected a percentage from 0% to 100%, such as 5% or 2.5%"},
        {"cpu=", "\"cpu=\" in the margin: there is no size; " SIZES}, {"ram=1GB", "\"ram=1GB\" in the margin: there is no such device; " NAMES},
        {"3=1GB", "\"3=1GB\" in the margin: this device is not among those that are given"},
        {"0=1GB,0=1GB", "\"0=1GB\" in the margin: this device is given twice"}, {"1GB,5%", "\"5%\" in the margin: a second margin for all GPUs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refused("0=10GB,cpu=10GB", MARGIN(cases[i][0]), cases[i][1]);
}
static void test_broken_json(void **state) {
    (void)state;
    static const char *const broken[] = {"{", "{\"0\": }", "{0: \"10GB\"}", "{\"0\": \"10GB\"} x"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        tare_error err = {0};
        assert_null(tare_devices_open(broken[i], NULL, &err));
        assert_string_equal(err.code, "bad_json");
        assert_non_null(strstr(err.message, "the device list"));
    }
}

/* ---- this host ---- */

static char root[64];

/* A file below the root, its folders with it. */
static void put(const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}
static int drop(const char *path, const struct stat *s, int type, struct FTW *where) {
    (void)s, (void)type;
    return where->level ? remove(path) : 0;
}
static int fresh(void **state) {
    (void)state;
    if (!*root) {
        snprintf(root, sizeof root, "/tmp/tare-devices-%ld", (long)getpid());
        return mkdir(root, 0700);
    }
    return nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS);
}
static int sweep(void **state) {
    (void)state;
    return nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS) || rmdir(root);
}

static void memory_is(uint64_t bytes, const char *limit) {
    char by[64] = "untouched";
    uint64_t got = 0;
    assert_true(here_memory(root, &got, by, sizeof by));
    if (got != bytes) fail_msg("%llu, not %llu", (unsigned long long)got, (unsigned long long)bytes);
    assert_string_equal(by, limit);
}
static const char meminfo[] = "MemTotal:       32000 kB\nMemFree:        1000 kB\nMemAvailable:   20000 kB\nBuffers: 5 kB\n";

static void test_memory_without_limits(void **state) {
    (void)state;
    char by[8];
    uint64_t bytes;
    assert_false(here_memory(root, &bytes, by, sizeof by));
    put("proc/meminfo", "MemTotal: 32000 kB\nMemFree: 1000 kB\n"); /* an old kernel */
    assert_false(here_memory(root, &bytes, by, sizeof by));
    put("proc/meminfo", meminfo);
    memory_is(20000 * 1024, "");
    put("proc/self/cgroup", "0::/\n");
    memory_is(20000 * 1024, "");
    put("sys/fs/cgroup/memory.max", "max\n");
    memory_is(20000 * 1024, "");
}
static void test_memory_in_a_cgroup(void **state) {
    (void)state;
    put("proc/meminfo", meminfo);
    put("proc/self/cgroup", "0::/user.slice/job.scope/step\n");
    put("sys/fs/cgroup/user.slice/memory.max", "10000000\n");
    put("sys/fs/cgroup/user.slice/memory.current", "4000000\n");
    memory_is(6000000, "/user.slice"); /* a limit further up holds as well */
    put("sys/fs/cgroup/user.slice/job.scope/step/memory.max", "9000000\n");
    put("sys/fs/cgroup/user.slice/job.scope/step/memory.current", "3500000\n");
    memory_is(5500000, "/user.slice/job.scope/step");
    put("sys/fs/cgroup/user.slice/job.scope/step/memory.stat", "anon 100\ninactive_file 1500000\nactive_file 7\n");
    memory_is(6000000, "/user.slice"); /* what a cache holds can be had back */
    put("sys/fs/cgroup/user.slice/memory.stat", "inactive_file 99000000\n");
    memory_is(7000000, "/user.slice/job.scope/step");
    put("sys/fs/cgroup/user.slice/job.scope/memory.max", "1000\n");
    put("sys/fs/cgroup/user.slice/job.scope/memory.current", "2000\n");
    memory_is(0, "/user.slice/job.scope");
}
static void test_memory_in_an_old_cgroup(void **state) {
    (void)state;
    put("proc/meminfo", meminfo);
    put("proc/self/cgroup", "9:cpuset:/\n8:cpu,memory:/docker/abc\n7:hugememory:/no\n0::/init\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    put("sys/fs/cgroup/memory/memory.usage_in_bytes", "123\n");
    put("sys/fs/cgroup/memory/no/memory.limit_in_bytes", "5\n");
    memory_is(20000 * 1024, "");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "8000000\n"); /* a container: its own folder is not in sight */
    put("sys/fs/cgroup/memory/memory.usage_in_bytes", "3000000\n");
    put("sys/fs/cgroup/memory/memory.stat", "cache 5\ninactive_file 1\ntotal_inactive_file 1000000\n");
    memory_is(6000000, "/");
    put("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "100000\n");
    memory_is(100000, "/docker/abc");
}
static void test_odd_files_of_the_kernel(void **state) {
    (void)state;
    put("proc/meminfo", meminfo);
    put("proc/self/cgroup", "\n:\n::\n0:\n0::\nnonsense\n4:memory\n4:memory:relative\n0::/../..\n0::/a");
    put("sys/fs/cgroup/a/memory.max", "-5\n");
    memory_is(20000 * 1024, "");
    put("sys/fs/cgroup/a/memory.max", "77x\n");
    memory_is(20000 * 1024, "");
    put("sys/fs/cgroup/a/memory.max", "77");
    memory_is(77, "/a");
    put("proc/meminfo", "MemAvailable: x kB\n");
    char by[8];
    uint64_t bytes;
    assert_false(here_memory(root, &bytes, by, sizeof by));
}

static void test_amd(void **state) {
    (void)state;
    gpu_seen g[MOST_GPUS];
    assert_int_equal(here_amd(root, g), 0);
    put("sys/class/drm/card0/device/vendor", "0x8086\n");
    put("sys/class/drm/card1/device/mem_info_vram_total", "536870912\n"); /* a processor's */
    put("sys/class/drm/card2/device/mem_info_vram_total", "206141652992\n");
    put("sys/class/drm/card2/device/mem_info_vram_used", "1000\n");
    put("sys/class/drm/card2/device/product_name", "AMD Instinct MI300X\n");
    put("sys/class/drm/card10/device/mem_info_vram_total", "25753026560\n");
    assert_int_equal(here_amd(root, g), 2);
    assert_true(g[0].total == 206141652992u && g[0].free == 206141651992u && g[0].free_known);
    assert_string_equal(g[0].name, "AMD Instinct MI300X");
    assert_true(g[1].total == 25753026560u && g[1].free == g[1].total && !g[1].free_known);
    assert_string_equal(g[1].name, "");
}
static void test_disk(void **state) {
    (void)state;
    uint64_t bytes = 0;
    assert_true(here_disk(root, &bytes) && bytes > 0);
    assert_false(here_disk("/no/such/folder", &bytes));
}

static void answer(const char *gpus, const char *fails) {
    setenv("TARE_CUDA_LIBRARY", STANDIN_CUDA, 1);
    setenv("TARE_NVML_LIBRARY", STANDIN_CUDA, 1);
    setenv("STANDIN_GPUS", gpus, 1);
    setenv("STANDIN_FAIL", fails, 1);
}
static int nvml_open(void) {
    void *library = dlopen(STANDIN_CUDA, RTLD_NOW), *at = dlsym(library, "standin_open");
    int (*count)(void);
    memcpy(&count, &at, sizeof at);
    return count();
}
static void test_nvidia(void **state) {
    (void)state;
    gpu_seen g[MOST_GPUS];
    answer("3", "");
    assert_int_equal(nvidia_gpus(g), 3);
    for (unsigned i = 0; i < 3; i++) { /* found again by their place, not by number */
        assert_true(g[i].free_known && g[i].total == UINT64_C(1000) << 20 && g[i].free == UINT64_C(100) * (9 - i) << 20);
        assert_string_equal(g[i].name, "Stand-in GPU");
    }
    assert_int_equal(nvml_open(), 0);
    setenv("STANDIN_FREE", "5000", 1); /* of the whole, where this is a slice */
    assert_int_equal(nvidia_gpus(g), 3);
    assert_true(g[0].free == g[0].total);
    unsetenv("STANDIN_FREE");
    answer("200", "");
    assert_int_equal(nvidia_gpus(g), MOST_GPUS);
    answer("0", "");
    assert_int_equal(nvidia_gpus(g), 0);
    answer("-3", "");
    assert_int_equal(nvidia_gpus(g), 0);
}
static void test_nvidia_failures(void **state) {
    (void)state;
    static const char *const none[] = {"init", "count", "get", "total"}, *const no_free[] = {"bus", "nvml_init", "nvml_get", "nvml_memory"};
    gpu_seen g[MOST_GPUS];
    for (size_t i = 0; i < 4; i++) answer("2", none[i]), assert_int_equal(nvidia_gpus(g), 0);
    for (size_t i = 0; i < 4; i++) {
        answer("2", no_free[i]);
        assert_int_equal(nvidia_gpus(g), 2);
        assert_true(!g[1].free_known && g[1].free == g[1].total);
        assert_int_equal(nvml_open(), 0);
    }
    answer("1", "name");
    assert_int_equal(nvidia_gpus(g), 1);
    assert_string_equal(g[0].name, "");
    answer("1", "");
    setenv("TARE_NVML_LIBRARY", "", 1);
    assert_int_equal(nvidia_gpus(g), 1);
    assert_false(g[0].free_known);
    setenv("TARE_CUDA_LIBRARY", "libm.so.6", 1);
    assert_int_equal(nvidia_gpus(g), 0);
    setenv("TARE_CUDA_LIBRARY", "", 1);
    assert_int_equal(nvidia_gpus(g), 0);
}

typedef struct asked {
    arena a;
    jmp_buf out;
    device_list list;
    tare_error err;
} asked;
static bool ask(asked *x, const char *text, const tare_devices_options *o) {
    *x = (asked){.list = {0}};
    x->a.unwind = &x->out;
    return devices_read(&x->a, text, o, root, &x->list, &x->err);
}
static void test_auto(void **state) {
    (void)state;
    asked x;
    const tare_devices_options here = {.folder = root}, nowhere = {.folder = "/no/such/folder"};
    put("proc/meminfo", meminfo);
    put("sys/class/drm/card2/device/mem_info_vram_total", "206141652992\n");
    answer("2", "");
    assert_true(ask(&x, NULL, &here));
    assert_int_equal(x.list.n, 4); /* NVIDIA's alone */
    assert_string_equal(x.list.rows[0].model, "Stand-in GPU");
    assert_string_equal(x.list.rows[0].note, "free of 1000 MiB, as the driver reports");
    assert_true(x.list.rows[1].bytes == UINT64_C(288) << 20 && x.list.rows[1].margin == UINT64_C(512) << 20);
    assert_true(x.list.rows[2].bytes == 20480000 && !x.list.rows[2].margin);
    assert_string_equal(x.list.rows[2].note, "available, as the kernel reports");
    assert_string_equal(x.list.rows[3].name, "disk");
    arena_free(&x.a);
    setenv("TARE_CUDA_LIBRARY", "", 1);
    put("proc/self/cgroup", "0::/job\n");
    put("sys/fs/cgroup/job/memory.max", "1000000\n");
    assert_true(ask(&x, "auto,h100,disk=1GB", &nowhere));
    assert_int_equal(x.list.n, 4);
    assert_null(x.list.rows[0].model);
    assert_string_equal(x.list.rows[0].note, "all of it: the driver does not say what is free");
    assert_string_equal(x.list.rows[1].model, "h100");
    assert_string_equal(x.list.rows[2].note, "what the cgroup /job leaves");
    assert_true(x.list.rows[2].bytes == 1000000 && x.list.rows[3].bytes == 1000000000);
    arena_free(&x.a);
}
static void test_a_host_that_tells_nothing(void **state) {
    (void)state;
    asked x;
    setenv("TARE_CUDA_LIBRARY", "", 1);
    assert_false(ask(&x, "auto", &(tare_devices_options){.folder = "/no/such/folder"}));
    assert_int_equal(x.err.status, TARE_IO);
    assert_string_equal(x.err.message, "nothing could be found out about the memory of this host; say what it has, such as cpu=16GB");
    arena_free(&x.a);
}

/* ---- memory runs out ---- */

static void test_every_allocation(void **state) {
    (void)state;
    answer("2", "");
    for (long k = 1, reached = 1; reached; k++) {
        static const char *const texts[] = {"auto,h100:40,cpu=5GB", "{\"0\": \"10GB\", \"cpu\": 3}"};
        for (size_t i = 0, hit = 0; i < 2; i++) {
            tare_error err = {0};
            tarei_fail_after(k);
            tare_devices *d = tare_devices_open(texts[i], NULL, &err);
            hit |= tarei_allocations() >= k;
            reached = (long)hit;
            tarei_fail_after(0);
            if (!d) assert_string_equal(err.code, "out_of_memory");
            tare_devices_free(d);
        }
        assert_true(k > 1 || reached);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amounts), cmocka_unit_test(test_wrong_amounts), cmocka_unit_test(test_percentages),
        cmocka_unit_test(test_every_preset_is_found_by_its_name), cmocka_unit_test(test_spellings), cmocka_unit_test(test_share_of_unified_memory),
        cmocka_unit_test(test_near_names), cmocka_unit_test(test_amounts_of_devices), cmocka_unit_test(test_names_of_devices),
        cmocka_unit_test(test_margins), cmocka_unit_test(test_wrong_lists), cmocka_unit_test(test_wrong_margins), cmocka_unit_test(test_broken_json),
        cmocka_unit_test_setup(test_memory_without_limits, fresh), cmocka_unit_test_setup(test_memory_in_a_cgroup, fresh),
        cmocka_unit_test_setup(test_memory_in_an_old_cgroup, fresh), cmocka_unit_test_setup(test_odd_files_of_the_kernel, fresh),
        cmocka_unit_test_setup(test_amd, fresh), cmocka_unit_test_setup(test_disk, fresh), cmocka_unit_test(test_nvidia),
        cmocka_unit_test(test_nvidia_failures), cmocka_unit_test_setup(test_auto, fresh), cmocka_unit_test_setup(test_a_host_that_tells_nothing, fresh),
        cmocka_unit_test(test_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, sweep);
}
