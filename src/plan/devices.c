#include "devices.h"
#include "amount.h"
#include "here.h"
#include "presets.h"
#include "../config/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT (UINT64_C(512) << 20) /* what the context of CUDA, its libraries' workspaces and the like take on a GPU */
#define GIVEN "as given"

typedef struct row { /* of the list under construction */
    tare_device_row d;
    bool given;      /* by an amount */
    bool context;    /* the default margin holds */
    bool margin_set;
} row;
typedef struct reading {
    arena *a;
    const tare_devices_options *o;
    const char *root, *what; /* what is read: "the device list", "max_memory", "the margin" */
    row *rows;
    size_t n, cap;
    bool asked;      /* this host */
    bool common;     /* a margin for all was given */
    tare_error *err;
} reading;
typedef struct piece { /* of a text, without blanks around it */
    const char *text;
    size_t n;
} piece;
typedef struct who { /* a device as a name means it */
    tare_device_kind kind;
    int id;
} who;

/* ---- messages ---- */

/* At most 48 bytes of an item, and no half characters. */
static int shown(piece p) {
    size_t n = p.n < 48 ? p.n : 48;
    while (n < p.n && n > 0 && ((unsigned char)p.text[n] & 0xC0) == 0x80) n--;
    return (int)n;
}
static bool refuse(const reading *r, piece item, const char *because) {
    error_set(r->err, TARE_USAGE, "usage", NULL, "\"%.*s\" in %s: %s", shown(item), item.text, r->what, because);
    return false;
}

/* ---- pieces ---- */

static piece trimmed(const char *text, size_t n) {
    while (n && *text == ' ') text++, n--;
    while (n && text[n - 1] == ' ') n--;
    return (piece){text, n};
}
static piece before(piece p, const char *at) { return trimmed(p.text, (size_t)(at - p.text)); }
static piece after(piece p, const char *at) { return trimmed(at + 1, (size_t)(p.text + p.n - at - 1)); }
static const char *find(piece p, char c) { return p.n ? memchr(p.text, c, p.n) : NULL; }
static bool is(piece p, const char *word) { return strlen(word) == p.n && memcmp(p.text, word, p.n) == 0; }
static size_t digits(piece p) {
    size_t n = 0;
    while (n < p.n && p.text[n] >= '0' && p.text[n] <= '9') n++;
    return n;
}
static bool is_json(const char *text) { return text[strspn(text, " \t\r\n")] == '{'; }

/* Every item of a text with commas. */
static bool each(reading *r, const char *text, bool (*take)(reading *r, piece item)) {
    for (;; text++) {
        size_t n = strcspn(text, ",");
        piece item = trimmed(text, n);
        if (!take(r, item)) return false;
        text += n;
        if (!*text) return true;
    }
}

/* ---- rows ---- */

static row *row_of(const reading *r, who w) {
    for (size_t i = 0; i < r->n; i++)
        if (r->rows[i].d.kind == w.kind && r->rows[i].d.id == w.id) return &r->rows[i];
    return NULL;
}
static row *add(reading *r, who w) {
    static const char *const names[] = {[TARE_DEVICE_MPS] = "mps", [TARE_DEVICE_CPU] = "cpu", [TARE_DEVICE_DISK] = "disk"};
    r->rows = arena_grow(r->a, r->rows, r->n, &r->cap, 1, sizeof *r->rows);
    row *at = &r->rows[r->n++];
    *at = (row){.d = {.name = w.kind == TARE_DEVICE_GPU ? arena_printf(r->a, "%d", w.id) : names[w.kind], .kind = w.kind, .id = w.id}};
    return at;
}
static int next_gpu(const reading *r) {
    int id = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->rows[i].d.kind == TARE_DEVICE_GPU && r->rows[i].d.id >= id) id = r->rows[i].d.id + 1;
    return id;
}

/* ---- names of devices ---- */

#define NAMES "expected a GPU's number, mps, cpu or disk"

/* What is meant by a name that is none: "cuda:0", "h100". */
static bool wrong_name(const reading *r, piece item, piece name) {
    static const char *const kinds[] = {"cuda", "gpu", "xpu", "hpu", "npu"};
    preset_found p;
    if (!name.n) return refuse(r, item, "the device is missing; " NAMES);
    if (*name.text == '-') return refuse(r, item, "a GPU's number cannot be negative; " NAMES);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (name.n > strlen(kinds[i]) && memcmp(name.text, kinds[i], strlen(kinds[i])) == 0)
            return refuse(r, item, "GPUs go by their number alone, 0=10GB; " NAMES);
    if (preset_find(name.text, name.n, &p)) return refuse(r, item, "an amount is for a device in this list, 0=10GB; " NAMES);
    return refuse(r, item, "there is no such device; " NAMES);
}
static bool read_name(const reading *r, piece item, piece name, who *out) {
    static const struct { const char *name; tare_device_kind kind; } others[] = {
        {"mps", TARE_DEVICE_MPS}, {"cpu", TARE_DEVICE_CPU}, {"disk", TARE_DEVICE_DISK},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (is(name, others[i].name)) return *out = (who){others[i].kind, -1}, true;
    size_t n = digits(name);
    if (!n || n < name.n) return wrong_name(r, item, name);
    if (n > 1 && *name.text == '0') return refuse(r, item, "a GPU's number has no zero before it");
    if (n > 5) return refuse(r, item, "a GPU's number has five digits at most");
    *out = (who){TARE_DEVICE_GPU, (int)strtol(name.text, NULL, 10)};
    return true;
}

/* ---- amounts ---- */

static bool put_amount(reading *r, piece item, who w, uint64_t bytes, bool unlimited) {
    row *at = row_of(r, w);
    if (at && at->given) return refuse(r, item, "this device is given twice");
    if (!at && r->n == MOST_DEVICES) return refuse(r, item, "more than 4096 devices");
    if (!at) at = add(r, w);
    at->given = true;
    at->context = false;
    at->d.bytes = unlimited ? UINT64_MAX : bytes;
    at->d.unlimited = unlimited;
    at->d.note = GIVEN;
    return true;
}
static bool take_amount(reading *r, piece item) {
    const char *equals = find(item, '=');
    uint64_t bytes = 0;
    who w;
    if (!item.n) return refuse(r, item, "an item is empty; expected one such as 0=10GB");
    if (!equals) return refuse(r, item, "expected a device, = and a size, such as 0=10GB");
    if (!read_name(r, item, before(item, equals), &w)) return false;
    piece size = after(item, equals);
    bool unlimited = is(size, "unlimited");
    const char *wrong = unlimited ? NULL : amount_read(size.text, size.n, &bytes);
    return wrong ? refuse(r, item, wrong) : put_amount(r, item, w, bytes, unlimited);
}

/* The reader of JSON keeps the last of equal keys; here they are a mistake. `text` is a flat object that was read without a fault. */
static bool repeats(const reading *r, const char *text) {
    size_t n = 0;
    const char *keys[MOST_DEVICES];
    for (const char *at = text, *key = NULL; *at; at++) {
        if (*at == ':' && n < MOST_DEVICES) keys[n++] = key;
        if (*at != '"') continue;
        for (key = ++at; *at != '"'; at++) at += *at == '\\';
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) {
            size_t length = strcspn(keys[i], "\"");
            if (strncmp(keys[i], keys[k], length + 1) == 0) return !refuse(r, (piece){keys[i], length}, "this device is given twice");
        }
    return false;
}
static bool take_member(reading *r, const member *m) {
    piece name = {m->key, strlen(m->key)};
    uint64_t bytes = 0;
    who w;
    if (!read_name(r, name, name, &w)) return false;
    if (m->v.kind == VAL_BIG) return refuse(r, name, "more than 9223372036854775807 bytes");
    if (m->v.kind == VAL_INT && m->v.i < 0) return refuse(r, name, "a size cannot be negative");
    if (m->v.kind == VAL_INT) return put_amount(r, name, w, (uint64_t)m->v.i, false);
    if (m->v.kind != VAL_TEXT) return refuse(r, name, "expected whole bytes or a text such as \"10GB\"");
    if (val_is(m->v, "unlimited")) return put_amount(r, name, w, 0, true);
    const char *wrong = amount_read(m->v.s, m->v.n, &bytes);
    return wrong ? refuse(r, name, wrong) : put_amount(r, name, w, bytes, false);
}
static bool read_json(reading *r, const char *text) {
    val d;
    if (!json_read(r->a, text, strlen(text), r->what, &d, r->err)) return false;
    if (d.n > MOST_DEVICES) return refuse(r, trimmed(text, strlen(text)), "more than 4096 devices");
    for (uint32_t i = 0; i < d.n; i++)
        if (!take_member(r, &d.members[i])) return false;
    if (!d.n) return refuse(r, trimmed(text, strlen(text)), "no device is given");
    return !repeats(r, text);
}

/* ---- this host ---- */

static void take_gpus(reading *r, const gpu_seen *g, size_t n) {
    for (size_t i = 0; i < n && r->n < MOST_DEVICES; i++) {
        row *at = add(r, (who){TARE_DEVICE_GPU, next_gpu(r)});
        at->context = true;
        at->d.bytes = g[i].free;
        at->d.model = g[i].name[0] ? arena_text(r->a, g[i].name, strlen(g[i].name)) : NULL;
        at->d.note = g[i].free_known ? arena_printf(r->a, "free of %llu MiB, as the driver reports", (unsigned long long)(g[i].total >> 20))
                                     : "all of it: the driver does not say what is free";
    }
}
static void take_host(reading *r) {
    gpu_seen gpus[MOST_GPUS];
    char limit[256];
    uint64_t bytes;
    const char *folder = r->o && r->o->folder ? r->o->folder : ".";
    size_t n = nvidia_gpus(gpus);
    take_gpus(r, gpus, n ? n : here_amd(r->root, gpus));
    if (!row_of(r, (who){TARE_DEVICE_CPU, -1}) && here_memory(r->root, &bytes, limit, sizeof limit)) {
        row *at = add(r, (who){TARE_DEVICE_CPU, -1});
        at->d.bytes = bytes;
        at->d.note = *limit ? arena_printf(r->a, "what the cgroup %s leaves", limit) : "available, as the kernel reports";
    }
    if (!row_of(r, (who){TARE_DEVICE_DISK, -1}) && here_disk(folder, &bytes)) {
        row *at = add(r, (who){TARE_DEVICE_DISK, -1});
        at->d.bytes = bytes;
        at->d.note = arena_printf(r->a, "free in %s", folder);
    }
}

/* ---- devices by name ---- */

static bool unknown(const reading *r, piece item, piece name) {
    char near[128];
    uint64_t bytes;
    if (!name.n) return refuse(r, item, "the device is missing; expected one such as h100:2");
    if (!amount_read(name.text, name.n, &bytes)) return refuse(r, item, "an amount needs its device, 0=10GB");
    if (!preset_near(name.text, name.n, near, sizeof near))
        return refuse(r, item, "no device is known by this name; tare devices lists those that are");
    char because[192];
    snprintf(because, sizeof because, "no device is known by this name; near it: %s", near);
    return refuse(r, item, because);
}
static bool read_count(const reading *r, piece item, piece count, int *out) {
    size_t n = digits(count);
    if (!n || n < count.n || n > 4 || *count.text == '0') return refuse(r, item, "expected how many there are after the colon, from 1 to 4096");
    *out = (int)strtol(count.text, NULL, 10);
    return true;
}
static const char *note_of(const reading *r, const preset_found *p) {
    const char *which = p->smallest ? "; the smallest that is sold" : "";
    if (p->gib) return arena_printf(r->a, "%s: %s, %d GB%s", p->row->product, p->row->source, p->gib, which);
    return arena_printf(r->a, "%s: %s%s", p->row->product, p->row->source, which);
}
static bool take_preset(reading *r, piece item, piece name, int count) {
    preset_found p;
    if (!preset_find(name.text, name.n, &p)) return unknown(r, item, name);
    bool mps = p.row->kind == TARE_DEVICE_MPS;
    if (mps && (count > 1 || row_of(r, (who){TARE_DEVICE_MPS, -1}))) return refuse(r, item, "a computer has one such device, mps");
    if (r->n + (size_t)count > MOST_DEVICES) return refuse(r, item, "more than 4096 devices");
    const char *note = note_of(r, &p);
    for (int i = 0, first = next_gpu(r); i < count; i++) {
        row *at = add(r, mps ? (who){TARE_DEVICE_MPS, -1} : (who){TARE_DEVICE_GPU, first + i});
        at->context = !mps;
        at->d.bytes = p.bytes;
        at->d.model = p.gib ? arena_printf(r->a, "%s-%d", p.row->name, p.gib) : p.row->name;
        at->d.note = note;
    }
    return true;
}
/* "auto", "h100", "h100:2"; amounts wait until all of these are known. */
static bool take_named(reading *r, piece item) {
    if (!item.n) return refuse(r, item, "an item is empty; expected one such as h100:2, 0=10GB or auto");
    if (find(item, '=')) return true;
    if (is(item, "auto")) {
        if (r->asked) return refuse(r, item, "this host is asked for twice");
        r->asked = true;
        return take_host(r), true;
    }
    const char *colon = find(item, ':');
    int count = 1;
    if (colon && !read_count(r, item, after(item, colon), &count)) return false;
    return take_preset(r, item, colon ? before(item, colon) : item, count);
}
static bool take_waiting(reading *r, piece item) { return !find(item, '=') || take_amount(r, item); }

/* ---- margins ---- */

static void hold_back(row *at, uint64_t bytes) {
    at->margin_set = true;
    if (!at->d.unlimited) at->d.margin = bytes < at->d.bytes ? bytes : at->d.bytes;
}
typedef struct margin { /* bytes, or a part of what is there */
    uint64_t bytes;
    uint32_t part;
    bool percent;
} margin;
static bool read_margin(const reading *r, piece item, piece size, margin *m) {
    *m = (margin){.percent = size.n && size.text[size.n - 1] == '%'};
    const char *wrong = m->percent ? amount_percent(size.text, size.n, &m->part) : amount_read(size.text, size.n, &m->bytes);
    return !wrong || refuse(r, item, wrong);
}
static uint64_t margin_of(const row *at, const margin *m) { return m->percent ? amount_part(at->d.bytes, m->part) : m->bytes; }

/* "cpu=10%" */
static bool single_margin(reading *r, piece item) {
    const char *equals = find(item, '=');
    margin m;
    who w;
    if (!item.n) return refuse(r, item, "an item is empty; expected one such as 1GiB, 5% or cpu=1GiB");
    if (!equals) return true;
    if (!read_name(r, item, before(item, equals), &w) || !read_margin(r, item, after(item, equals), &m)) return false;
    row *at = row_of(r, w);
    if (!at) return refuse(r, item, "this device is not among those that are given");
    if (at->margin_set) return refuse(r, item, "this device is given twice");
    hold_back(at, margin_of(at, &m));
    return true;
}
/* "5%", for every GPU that has none of its own */
static bool common_margin(reading *r, piece item) {
    margin m;
    if (find(item, '=')) return true;
    if (!read_margin(r, item, item, &m)) return false;
    if (r->common) return refuse(r, item, "a second margin for all GPUs");
    r->common = true;
    for (size_t i = 0; i < r->n; i++) {
        row *at = &r->rows[i];
        bool gpu = at->d.kind == TARE_DEVICE_GPU || at->d.kind == TARE_DEVICE_MPS;
        if (gpu && !at->margin_set) hold_back(at, margin_of(at, &m));
    }
    return true;
}
static bool set_margins(reading *r) {
    const char *text = r->o ? r->o->margin : NULL;
    r->what = "the margin";
    if (text && (!each(r, text, single_margin) || !each(r, text, common_margin))) return false;
    for (size_t i = 0; i < r->n; i++) {
        row *at = &r->rows[i];
        if (at->context && !at->margin_set) hold_back(at, CONTEXT);
        if (!at->d.unlimited) at->d.bytes -= at->d.margin;
    }
    return true;
}

/* ---- the whole ---- */

static int in_order(const void *a, const void *b) {
    const tare_device_row *one = a, *other = b;
    return one->kind != other->kind ? (one->kind > other->kind) - (one->kind < other->kind) : (one->id > other->id) - (one->id < other->id);
}
static bool read_amounts(reading *r, const char *text) { return is_json(text) ? read_json(r, text) : each(r, text, take_amount); }
static bool read_text(reading *r, const char *text) {
    if (is_json(text)) return read_json(r, text);
    return each(r, text, take_named) && each(r, text, take_waiting);
}
/* The options replace what the text says, so that what the text gave may be given again. */
static bool read_max_memory(reading *r, const char *text) {
    for (size_t i = 0; i < r->n; i++) r->rows[i].given = false;
    r->what = "max_memory";
    return read_amounts(r, text);
}

bool devices_read(arena *a, const char *text, const tare_devices_options *o, const char *root, device_list *out, tare_error *err) {
    reading r = {.a = a, .o = o, .root = root, .what = "the device list", .err = err};
    const char *max_memory = o ? o->max_memory : NULL;
    if (!text && !max_memory) text = "auto";
    if (text && !read_text(&r, text)) return false;
    if (max_memory && !read_max_memory(&r, max_memory)) return false;
    if (!set_margins(&r)) return false;
    if (!r.n) {
        error_set(err, TARE_IO, "io", NULL, "nothing could be found out about the memory of this host; say what it has, such as cpu=16GB");
        return false;
    }
    out->n = r.n;
    out->rows = arena_array(a, r.n, sizeof *out->rows);
    for (size_t i = 0; i < r.n; i++) out->rows[i] = r.rows[i].d;
    qsort(out->rows, out->n, sizeof *out->rows, in_order);
    return true;
}
