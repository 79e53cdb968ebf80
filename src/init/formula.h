#ifndef TARE_INIT_FORMULA_H
#define TARE_INIT_FORMULA_H
#include "../core/error.h"
#include "../core/node.h"
bool value_fill(const tensor_node *t, const fill *how, void *dst, tare_error *err);
bool value_magnitude(const void *direction, const tensor_node *direction_t, int axis_kept, const tensor_node *t, void *dst);
#endif
