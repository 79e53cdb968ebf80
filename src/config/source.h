/* From the MODEL of the command line to a config: file, folder, built-in id, model type, JSON text; then the overrides. */
#ifndef TARE_CONFIG_SOURCE_H
#define TARE_CONFIG_SOURCE_H
#include "cfg.h"
/* The top-level dict. *bare is set when MODEL was a model type alone. False: s->err is set. */
bool source_read(session *s, const char *model, val *dict, bool *bare);
/* Applies NULL-ended "key.sub=JSON" to *dict; *over gets the keys that were set. */
bool source_override(session *s, const char *const *set, val *dict, val *over);
size_t source_ids(const char *const **ids);
#endif
