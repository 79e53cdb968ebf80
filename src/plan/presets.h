/* Devices known by name, with the memory that a program really gets. */
#ifndef TARE_PLAN_PRESETS_H
#define TARE_PLAN_PRESETS_H
#include "../../include/tare.h"

extern const tare_device_preset preset_devices[];
extern const size_t preset_device_count;

typedef struct preset_found {
    const tare_device_preset *row;
    uint64_t bytes;
    int gib;        /* of memory in the machine, for one whose memory its processor shares; else 0 */
    bool smallest;  /* the name fits several, and this is the smallest of them */
} preset_found;
/* "h100", "RTX 4090", "4090", "a100-80", "a100" (the smallest of them), "m2-ultra-192": case, blanks, - and _ say nothing. */
bool preset_find(const char *name, size_t n, preset_found *out);
/* The names nearest to one that is unknown, "h100, h200"; false when none is near. */
bool preset_near(const char *name, size_t n, char *out, size_t size);
#endif
