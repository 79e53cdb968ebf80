/* The devices that a plan may use, from what people write or from this machine. */
#ifndef TARE_PLAN_DEVICES_H
#define TARE_PLAN_DEVICES_H
#include "../core/arena.h"
#include "../../include/tare.h"

enum { MOST_DEVICES = 4096 };
typedef struct device_list {
    tare_device_row *rows;
    size_t n;
} device_list;
/* As tare_devices_open() reads them, everything in the arena; `root` stands before /proc and /sys ("" but in tests). */
bool devices_read(arena *a, const char *text, const tare_devices_options *o, const char *root, device_list *out, tare_error *err);
#endif
