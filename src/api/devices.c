/* tare_devices_open() and what is known of devices. */
#include "handle.h"
#include "../plan/devices.h"
#include "../plan/presets.h"
#include <stdlib.h>

struct tare_devices {
    arena a;
    device_list list;
};
typedef struct opening {
    tare_devices *d;
    const char *text;
    const tare_devices_options *o;
    tare_error err;
} opening;

static bool run(void *to) {
    opening *w = to;
    return devices_read(&w->d->a, w->text, w->o, "", &w->d->list, &w->err);
}
tare_devices *tare_devices_open(const char *text, const tare_devices_options *options, tare_error *err) {
    opening w = {.d = tarei_malloc(sizeof *w.d), .text = text, .o = options};
    if (!w.d) {
        if (err) *err = (tare_error){0}, error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory");
        return NULL;
    }
    *w.d = (tare_devices){.list = {0}};
    if (guarded(&w.d->a, &w.err, run, &w)) return w.d;
    if (err) *err = w.err;
    tare_devices_free(w.d);
    return NULL;
}
size_t tare_devices_rows(const tare_devices *d, const tare_device_row **rows) {
    *rows = d->list.rows;
    return d->list.n;
}
void tare_devices_free(tare_devices *d) {
    if (!d) return;
    arena_free(&d->a);
    free(d);
}
size_t tare_device_presets(const tare_device_preset **rows) {
    *rows = preset_devices;
    return preset_device_count;
}
