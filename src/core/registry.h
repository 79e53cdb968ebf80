/* What is built in: made at build time from src/models and presets (build/gen/registry.c). */
#ifndef TARE_CORE_REGISTRY_H
#define TARE_CORE_REGISTRY_H
#include <stddef.h>
struct family;
struct registry_row { const struct family *family; const char *json, *json_end; };
struct preset_row { const char *id; const char *json, *json_end; };
extern const struct registry_row registry_rows[];
extern const size_t registry_count;
extern const struct preset_row preset_rows[]; /* sorted by id */
extern const size_t preset_count;
#endif
