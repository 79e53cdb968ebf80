/* What tensors hold that are made by formula, without a draw. */
#ifndef TARE_INIT_FORMULA_H
#define TARE_INIT_FORMULA_H
#include "../core/node.h"

/* Writes all elements of t, in its dtype, as `how` says; false with an error where that is no formula or makes no sense for t. */
bool value_fill(const tensor_node *t, const fill *how, void *dst, tare_error *err);
/* Its parts: the four kinds of sinusoids; and how a formula is refused, which is false. */
bool value_sinusoids(const tensor_node *t, const fill *how, void *dst, tare_error *err);
/* What hangs on torch's default dtype, made again as a load does: that dtype is the model's while it is constructed, and no longer. */
bool value_loaded(const tensor_node *t, void *dst, tare_error *err);
bool refuse_fill(const tensor_node *t, tare_error *err, const char *why);
/* What mapped() says, of a formula's values, or of `drawn` ones in the dtype mapped_dtype(). `how` is a formula of MADE_MAPPED. */
bool value_mapped(const tensor_node *t, const fill *how, const void *drawn, void *dst, tare_error *err);
int mapped_dtype(const tensor_node *t, const fill *how);
const char *mapped_inexact(const tensor_node *t, const fill *how); /* why its bits may differ from torch's, or NULL */
/* Weight norm's magnitude t of a direction: the norms over all axes but `axis`, or over all where that is -1. */
bool value_magnitude(const void *direction, const tensor_node *direction_t, int axis, const tensor_node *t, void *dst, tare_error *err);
#endif
