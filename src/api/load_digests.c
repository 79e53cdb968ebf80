/* tare_load_digests(). */
#include "loading.h"
#include "../core/sha256.h"
#include <stdlib.h>
#include <string.h>

typedef struct hashing {
    loading l;
    sha256 *running;        /* by slots; each tensor's pieces come in order, from one thread at a time */
    char (*hex)[65];
} hashing;

static bool take_piece(void *to, size_t slot, uint64_t first, const void *bytes, size_t n) {
    hashing *h = to;
    (void)first;
    return sha256_take(&h->running[slot], bytes, n);
}
static bool take_done(void *to, size_t slot) {
    hashing *h = to;
    sha256_end(&h->running[slot], h->hex[slot]);
    return true;
}
static bool hash_all(hashing *h) {
    loading *l = &h->l;
    load_sink taker = {NULL, take_piece, take_done, h};
    h->running = tarei_malloc((l->n + 1) * sizeof *h->running);
    h->hex = tarei_malloc((l->n + 1) * sizeof *h->hex);
    if (!h->running || !h->hex) return error_set(&l->err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    for (size_t i = 0; i < l->n; i++) sha256_start(&h->running[i]);
    return load_run(l, NULL, true, &taker);
}
static bool hand_on(const hashing *h, tare_take_digest use, void *to) {
    const loading *l = &h->l;
    for (size_t i = 0; i < l->n; i++)
        if (l->wanted[i] && !use(to, &l->items[i], h->hex[l->value[i]])) return false;
    return true;
}
tare_status tare_load_digests(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, tare_take_digest use, void *to,
                              tare_error *err) {
    hashing h = {.running = NULL};
    bool ok = load_begin(&h.l, m, c, options) && load_fits(&h.l, 0) && hash_all(&h);
    if (ok && !hand_on(&h, use, to)) ok = false, error_set(&h.l.err, TARE_IO, "cancelled", NULL, "cancelled");
    tare_status status = h.l.err.status;
    if (!ok && err) *err = h.l.err;
    free(h.running);
    free(h.hex);
    load_end(&h.l);
    return ok ? TARE_OK : status;
}
