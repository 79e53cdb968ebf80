#define _XOPEN_SOURCE 700
#include "files.h"
#include "../../src/files/checkpoint.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)kind, (void)at;
    return remove(path);
}
static void drop_all(void) { nftw(folder, drop, 16, FTW_DEPTH | FTW_PHYS); }

const char *files_path(const char *name) {
    static char path[512];
    if (!*folder) {
        const char *where = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/tare-fuzz-XX" "XX" "XX", access("/dev/shm", W_OK) ? where ? where : "/tmp" : "/dev/shm");
        fuzz_expect(mkdtemp(folder) != NULL, "a folder for the input");
        atexit(drop_all);
    }
    snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
    return path;
}
void files_write(const char *name, const void *data, size_t n) {
    FILE *f = fopen(files_path(name), "wb");
    fuzz_expect(f && fwrite(data, 1, n, f) == n && !fclose(f), "the input is written");
}
void files_header(const char *name, const char *header, size_t data) {
    char file[1024] = {0};
    size_t n = strlen(header);
    file[0] = (char)n;
    fuzz_expect(n < 256 && 8 + n + data <= sizeof file, "a small file");
    memcpy(file + 8, header, n);
    files_write(name, file, 8 + n + data);
}

static void ask_tensor(const checkpoint *c, size_t i) {
    const file_tensor *t = &c->tensors[i];
    const weights_file *f = &c->files[t->file];
    uint64_t bits = tare_dtype_bits((tare_dtype)t->dtype);
    unsigned char byte;
    fuzz_expect(t->file < c->file_count && i >= f->first && i - f->first < f->n && f->present, "a tensor is in its file");
    fuzz_expect(t->rank >= 0 && t->dtype <= TARE_DTYPE_COUNT && t->key, "a tensor has a name, a dtype and a rank");
    if (!t->replaced) fuzz_expect(checkpoint_find(c, t->key) == i, "a listed tensor is found");
    if (t->odd) return;
    for (int d = 0; d < t->rank; d++) bits *= (uint64_t)t->shape[d];
    fuzz_expect(t->dtype < TARE_DTYPE_COUNT && bits == t->bytes * 8, "a tensor has the bytes it needs");
    fuzz_expect(t->at >= f->data_at && t->at <= f->bytes && t->bytes <= f->bytes - t->at, "a tensor lies in the data");
    if (t->bytes) fuzz_expect(checkpoint_read(c, i, t->bytes - 1, &byte, 1, NULL), "its last byte is read");
}
static void ask(const checkpoint *c) {
    bool damage = false, odd = false;
    for (size_t i = 0; i < c->flaw_count; i++) {
        fuzz_expect(c->flaws[i].message && *c->flaws[i].message, "a flaw has its words");
        damage |= c->flaws[i].damage;
    }
    for (size_t i = 0; i < c->tensor_count; i++) {
        ask_tensor(c, i);
        odd |= c->tensors[i].odd;
    }
    fuzz_expect(damage || !odd, "an odd tensor has its flaw");
    for (size_t i = 1; i < c->file_count; i++) fuzz_expect(strcmp(c->files[i - 1].name, c->files[i].name) < 0, "files are in order");
}
void files_open(const char *path, const char *variant) {
    checkpoint_options o = {.variant = variant};
    tare_error err = {0}, again = {0};
    checkpoint *c = checkpoint_open(path, &o, &err), *d = checkpoint_open(path, &o, &again);
    fuzz_expect(c || (err.status != TARE_OK && *err.code && *err.message), "a refusal has its words");
    fuzz_expect(!c == !d && !strcmp(err.message, again.message), "the same answer again");
    if (c && d) {
        fuzz_expect(c->tensor_count == d->tensor_count && c->flaw_count == d->flaw_count, "the same list again");
        for (size_t i = 0; i < c->flaw_count; i++) fuzz_expect(!strcmp(c->flaws[i].message, d->flaws[i].message), "the same flaws again");
        ask(c);
    }
    checkpoint_free(c);
    checkpoint_free(d);
}
