/* tare_checkpoint_open() and what it lists. */
#include "checkpoint.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *array_of(size_t n, size_t size) { return n < SIZE_MAX / size - 1 ? tarei_malloc((n + 1) * size) : NULL; }

static char *base_of(const char *folder, const char *below) {
    size_t n = strlen(folder), m = strlen(below);
    char *base = tarei_malloc(n + m + 2);
    if (base) snprintf(base, n + m + 2, "%s%s%s", folder, m ? "/" : "", below);
    return base;
}
static void list_all(tare_checkpoint *h) {
    const checkpoint *c = h->c;
    for (size_t i = 0; i < c->file_count; i++)
        h->files[i] = (tare_stored_file){c->files[i].name, c->files[i].bytes, c->files[i].n, c->files[i].present};
    for (size_t i = 0; i < c->flaw_count; i++)
        h->flaws[i] = (tare_flaw){c->flaws[i].file, c->flaws[i].key, c->flaws[i].message, c->flaws[i].damage};
}
tare_checkpoint *tare_checkpoint_open(const char *path, const tare_checkpoint_options *o, tare_error *err) {
    tare_error e = {0};
    const char *below = o && o->subfolder ? o->subfolder : "";
    checkpoint_options how = {.variant = o ? o->variant : NULL, .subfolder = o ? o->subfolder : NULL};
    checkpoint *c = checkpoint_open(path, &how, &e);
    tare_checkpoint *h = c ? tarei_malloc(sizeof *h) : NULL;
    if (h) {
        *h = (tare_checkpoint){.c = c};
        h->base = base_of(c->folder, below);
        pthread_mutex_init(&h->lock, NULL);
        h->files = array_of(c->file_count, sizeof *h->files);
        h->flaws = array_of(c->flaw_count, sizeof *h->flaws);
    }
    if (h && h->base && h->files && h->flaws) return list_all(h), h;
    if (c) error_set(&e, TARE_IO, "out_of_memory", NULL, "out of memory");
    if (h) tare_checkpoint_free(h);
    else if (c) checkpoint_free(c);
    if (err) *err = e;
    return NULL;
}
const char *tare_checkpoint_dir(const tare_checkpoint *c) { return c->base; }
void tare_checkpoint_free(tare_checkpoint *h) {
    if (!h) return;
    checkpoint_free(h->c);
    pthread_mutex_destroy(&h->lock);
    free(h->base);
    free(h->tensors);
    free(h->files);
    free(h->flaws);
    free(h);
}
static void list_tensors(tare_checkpoint *h) {
    const checkpoint *c = h->c;
    h->tensors = array_of(c->tensor_count, sizeof *h->tensors);
    for (size_t i = 0; h->tensors && i < c->tensor_count; i++) {
        const file_tensor *t = &c->tensors[i];
        h->tensors[i] = (tare_stored){t->key, c->files[t->file].name, (tare_dtype)t->dtype, t->rank, t->shape, t->at, t->bytes};
    }
}
size_t tare_checkpoint_tensors(const tare_checkpoint *h, const tare_stored **rows) {
    tare_checkpoint *mine = (tare_checkpoint *)h;
    *rows = NULL;
    if (!h) return 0;
    pthread_mutex_lock(&mine->lock);
    if (!h->tensors) list_tensors(mine);
    pthread_mutex_unlock(&mine->lock);
    *rows = h->tensors;
    return h->tensors ? h->c->tensor_count : 0;
}
size_t tare_checkpoint_files(const tare_checkpoint *h, const tare_stored_file **rows) {
    *rows = h ? h->files : NULL;
    return h ? h->c->file_count : 0;
}
size_t tare_checkpoint_flaws(const tare_checkpoint *h, const tare_flaw **rows) {
    *rows = h ? h->flaws : NULL;
    return h ? h->c->flaw_count : 0;
}
tare_status tare_checkpoint_read(const tare_checkpoint *h, const tare_stored *t, uint64_t at, void *to, size_t n, tare_error *err) {
    tare_error e = {0};
    if (!h->tensors || t < h->tensors || t >= h->tensors + h->c->tensor_count) 
        error_set(&e, TARE_USAGE, "usage", NULL, "the tensor is none of this checkpoint");
    else if (at > t->bytes || n > t->bytes - at)
        error_set(&e, TARE_USAGE, "usage", t->key, "%.200s has %llu bytes, and the read ends beyond them", t->key, (unsigned long long)t->bytes);
    else if (checkpoint_read(h->c, (size_t)(t - h->tensors), at, to, n, &e)) return TARE_OK;
    if (err) *err = e;
    return e.status;
}
tare_model *tare_checkpoint_model(const tare_checkpoint *h, const char *config, const tare_open_options *options, tare_error *err) {
    tare_open_options none = {0};
    return model_for(h->c, config ? config : h->base, options ? options : &none, err);
}
