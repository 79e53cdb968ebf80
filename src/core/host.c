#include "host.h"
#include "library.h"
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* ---- the driver ---------------------------------------------------------------------------------------------- */

typedef struct driver { /* the calls of libcuda that need no context; 0 is success */
    int (*init)(unsigned flags);
    int (*count)(int *n);
    int (*get)(int *device, int ordinal);
    int (*attribute)(int *value, int which, int device);
    int (*name)(char *out, int n, int device);
} driver;
enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 };

static bool driver_open(driver *d) {
    void *library = library_open("TARE_CUDA_LIBRARY", "libcuda.so.1");
    if (!library) return false;
    if (library_find(library, "cuInit", &d->init, sizeof d->init) && library_find(library, "cuDeviceGetCount", &d->count, sizeof d->count) &&
        library_find(library, "cuDeviceGet", &d->get, sizeof d->get) && library_find(library, "cuDeviceGetName", &d->name, sizeof d->name) &&
        library_find(library, "cuDeviceGetAttribute", &d->attribute, sizeof d->attribute))
        return true; /* stays loaded: a driver that was initialised must not be unloaded */
    library_close(library);
    return false;
}

static void ask_driver(host *h) {
    driver d;
    int device = 0, major = 0, minor = 0, gpus = 0;
    if (!driver_open(&d) || d.init(0) || d.count(&gpus) || gpus < 1 || d.get(&device, 0)) return;
    if (d.attribute(&major, CAPABILITY_MAJOR, device) || d.attribute(&minor, CAPABILITY_MINOR, device)) return;
    if (d.name(h->gpu_name, (int)sizeof h->gpu_name, device)) h->gpu_name[0] = '\0';
    h->gpu_name[sizeof h->gpu_name - 1] = '\0';
    h->gpu = true;
    h->gpus = gpus;
    h->sm = 10 * major + minor;
}

/* ---- in words ------------------------------------------------------------------------------------------------ */

/* Appends; a text that does not fit is cut. */
static void add(char *out, size_t n, const char *before, const char *text) {
    size_t used = strlen(out);
    snprintf(out + used, n - used, "%s%s", before, text);
}

static void gpu_words(const host *h, char *out, size_t n) {
    char sm[16], many[24];
    snprintf(sm, sizeof sm, "sm_%d", h->sm);
    snprintf(many, sizeof many, "%d x ", h->gpus);
    if (h->gpus > 1) add(out, n, "", many);
    add(out, n, "", !h->gpu ? "no GPU" : h->gpu_name[0] ? h->gpu_name : "GPU");
    if (h->gpu) add(out, n, " ", sm);
}

static void put_words(host *h) {
    size_t n = sizeof h->words;
    h->words[0] = '\0';
    add(h->words, n, "", h->described ? "described host: " : "this host: ");
    gpu_words(h, h->words, n);
    if (h->flash_attn[0]) add(h->words, n, ", flash_attn ", h->flash_attn);
    if (h->flash_attn_3[0]) add(h->words, n, ", flash_attn_3 ", h->flash_attn_3);
    if (h->flash_attn_4[0]) add(h->words, n, ", flash_attn_4 ", h->flash_attn_4);
    if (h->kernels) add(h->words, n, ", kernels", "");
    if (!h->described) add(h->words, n, "; flash_attn taken as not installed, say --host flash_attn=VERSION if it is", "");
}

void host_probe(host *h) {
    *h = (host){0};
    ask_driver(h);
    put_words(h);
}

static host here;
static void probe_here(void) {
    host_probe(&here);
}

void host_detect(host *h) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, probe_here);
    *h = here;
}

/* ---- described ----------------------------------------------------------------------------------------------- */

typedef struct reader { /* of one description */
    host *h;
    unsigned seen; /* one bit per key */
    char *why;
    size_t n;
} reader;

static bool refuse(const reader *r, const char *item, size_t length, const char *because) {
    size_t shown = length < 48 ? length : 48;
    while (shown < length && shown > 0 && ((unsigned char)item[shown] & 0xC0) == 0x80) shown--; /* no half characters */
    snprintf(r->why, r->n, "\"%.*s\" in the host description: %s", (int)shown, item, because);
    return false;
}

/* "none" or sm_NN, with the letter that newer GPUs may carry: sm_90a */
static bool read_gpu(host *h, const char *value) {
    if (strcmp(value, "none") == 0) return true;
    if (strncmp(value, "sm_", 3) != 0) return false;
    const char *digits = value + 3;
    size_t n = strspn(digits, "0123456789");
    const char *rest = digits + n;
    if (n < 2 || n > 3 || digits[0] == '0' || (*rest && (!strchr("af", *rest) || rest[1]))) return false;
    h->gpu = true;
    h->gpus = 1;
    for (size_t i = 0; i < n; i++) h->sm = 10 * h->sm + (digits[i] - '0');
    return true;
}

/* A version begins with a number: 2.8, 2.8.3.post1, 3.0.0b1, 2.7.4+cu12. */
static bool read_version(char out[16], const char *value) {
    if (strcmp(value, "none") == 0) return true;
    if (!isdigit((unsigned char)value[0]) || strlen(value) >= 16) return false;
    for (const char *at = value; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr(".+-_", *at)) return false;
    memcpy(out, value, strlen(value) + 1);
    return true;
}

static bool read_yes(bool *out, const char *value) {
    *out = strcmp(value, "yes") == 0;
    return *out || strcmp(value, "no") == 0;
}

enum { GPU, FLASH_ATTN, FLASH_ATTN_3, FLASH_ATTN_4, KERNELS, KEYS };
static const char *const key_names[KEYS] = {"gpu", "flash_attn", "flash_attn_3", "flash_attn_4", "kernels"};

static bool read_value(reader *r, int key, const char *value) {
    switch (key) {
    case GPU: return read_gpu(r->h, value);
    case FLASH_ATTN: return read_version(r->h->flash_attn, value);
    case FLASH_ATTN_3: return read_version(r->h->flash_attn_3, value);
    case FLASH_ATTN_4: return read_version(r->h->flash_attn_4, value);
    default: return read_yes(&r->h->kernels, value);
    }
}

static bool read_item(reader *r, const char *item, size_t length) {
    static const char *const expected[KEYS] = {
        "expected gpu=none or a compute capability such as gpu=sm_90", "expected a version such as flash_attn=2.8.3, or none",
        "expected a version such as flash_attn_3=3.0.0, or none", "expected a version such as flash_attn_4=4.0.0, or none",
        "expected kernels=yes or kernels=no"};
    char value[32] = "";
    const char *equals = memchr(item, '=', length);
    size_t name = equals ? (size_t)(equals - item) : length;
    int key = 0;
    while (key < KEYS && (strlen(key_names[key]) != name || strncmp(item, key_names[key], name) != 0)) key++;
    if (key == KEYS || !equals)
        return refuse(r, item, length, "expected one of gpu, flash_attn, flash_attn_3, flash_attn_4, kernels, then = and a value");
    if (r->seen & 1u << key) return refuse(r, item, length, "given twice");
    r->seen |= 1u << key;
    size_t left = length - name - 1;
    if (left < sizeof value) memcpy(value, equals + 1, left);
    return read_value(r, key, value) || refuse(r, item, length, expected[key]);
}

bool host_describe(host *h, const char *text, char *why, size_t n) {
    if (!text) {
        host_detect(h);
        return true;
    }
    host described = {.described = true};
    reader r = {.h = &described, .why = why, .n = n};
    if (n) why[0] = '\0';
    for (const char *at = text;; at++) {
        at += strspn(at, " ");
        size_t length = strcspn(at, ",");
        if (!read_item(&r, at, length)) return false;
        at += length;
        if (!*at) break;
    }
    if (!(r.seen & 1u << GPU)) {
        host_detect(h);
        described.gpu = h->gpu;
        described.sm = h->sm;
        described.gpus = h->gpus;
        memcpy(described.gpu_name, h->gpu_name, sizeof h->gpu_name);
    }
    *h = described;
    put_words(h);
    return true;
}
