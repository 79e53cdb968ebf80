#ifndef TARE_LOAD_NAME_H
#define TARE_LOAD_NAME_H
#include "resolve.h"
/* What every key of the checkpoint becomes: its renamings, its converter, the base model's prefix. Many keys are shared among threads. */
bool keys_name(resolution *r, arena *a, const node *root, const resolve_options *o, tare_error *err);
/* Tensors of the checkpoint in upstream's order of keys. */
int key_order(const void *x, const void *y, void *checkpoint);
#endif
