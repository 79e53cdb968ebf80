/* Values worked out element by element from those of a formula or of a draw. */
#include "../build/initlog.h"
#include "../core/error.h"
#include "formula.h"
#include "../core/half.h"
#include "store.h"
#include "vecmath.h"
#include <math.h>
#include <stdlib.h>

int mapped_dtype(const tensor_node *t, const fill *how) {
    const map_rule *r = how->of;
    return r->dtype == DT_DEFAULT ? t->dtype : r->dtype;
}

/* One result as the dtype keeps it; numbers of 32 bits and less are floats in between. */
static double kept(int dtype, double x) {
    if (dtype == TARE_BF16) return (double)from_bf16(to_bf16((float)x));
    if (dtype == TARE_F16) return (double)from_f16(to_f16((float)x));
    return dtype == TARE_F32 ? (double)(float)x : x;
}
static double log_in(int dtype, double x) {
    if (dtype == TARE_F64) return log(x);
    return dtype == TARE_F32 ? (double)vec_log((float)x) : kept(dtype, (double)half_log((float)x));
}
static double exp_in(int dtype, double x) {
    if (dtype == TARE_F64) return exp(x);
    return dtype == TARE_F32 ? (double)vec_exp((float)x) : kept(dtype, (double)half_exp((float)x));
}
static double expm1_in(int dtype, double x) { return dtype == TARE_F64 ? expm1(x) : kept(dtype, (double)vec_expm1((float)x)); }
static bool takes_root(const tensor_node *t, const fill *how) {
    const map_rule *r = how->of;
    if (how->op != MADE_MAPPED) return false;
    for (size_t k = 0; k < r->n; k++)
        if (r->steps[k].what == MAP_POWER && r->steps[k].x == 0.5 && mapped_dtype(t, how) == TARE_F32) return true;
    return takes_root(t, &r->from);
}
const char *mapped_inexact(const tensor_node *t, const fill *how) {
    return takes_root(t, how) ? "a square root in float32: torch's last bits are those of the processor's estimate" : NULL;
}
/* tensor ** number: whole vectors, two at a time, have another power function than the rest, and a square root is one. */
static double power_in(int dtype, double x, double y, bool whole) {
    if (y == 1) return x;
    if (dtype == TARE_F64) return pow(x, y);
    if (y == 0.5) return dtype == TARE_F32 ? (double)vec_sqrt((float)x) : kept(dtype, (double)sqrtf((float)x));
    if (dtype == TARE_F32 && !whole) return (double)(float)pow(x, y);
    return kept(dtype, (double)vec_pow((float)x, (float)kept(dtype, y)));
}
static double step_in(int dtype, const map_step *s, double x, bool whole) {
    double by = dtype == TARE_F64 ? s->x : (double)(float)s->x;
    switch (s->what) {
    case MAP_PLUS: return kept(dtype, dtype == TARE_F64 ? x + by : (double)((float)x + (float)kept(dtype, by)));
    case MAP_TIMES: return kept(dtype, dtype == TARE_F64 ? x * by : (double)((float)x * (float)by));
    case MAP_OVER: return kept(dtype, dtype == TARE_F64 ? x / by : (double)((float)x / (float)by));
    case MAP_POWER: return power_in(dtype, x, s->x, whole);
    case MAP_AT_LEAST: return x < kept(dtype, by) ? kept(dtype, by) : x;
    case MAP_EXP: return exp_in(dtype, x);
    case MAP_LOG: return log_in(dtype, x);
    default: return kept(dtype, x + log_in(dtype, -expm1_in(dtype, -x)));
    }
}
static double value(const void *from, int64_t i, int dtype) { return dtype == TARE_F64 ? ((const double *)from)[i] : (double)load(from, i, dtype); }

bool value_mapped(const tensor_node *t, const fill *how, const void *drawn, void *dst, tare_error *err) {
    const map_rule *r = how->of;
    tensor_node as = *t;
    as.dtype = (uint8_t)mapped_dtype(t, how);
    if (!is_float(as.dtype) || !is_float(t->dtype)) {
        error_set(err, TARE_BAD, "bad_value", t->name, "%s: its values are worked out in floating point", t->name);
        return false;
    }
    void *made_here = drawn ? NULL : tarei_malloc((size_t)t->elements * tare_dtype_bytes((tare_dtype)as.dtype) + 1);
    const void *from = drawn ? drawn : made_here;
    bool ok = from != NULL;
    if (!ok) error_set(err, TARE_IO, "out_of_memory", t->name, "%s: out of memory", t->name);
    if (ok && !drawn) ok = value_fill(&as, &r->from, made_here, err);
    for (int64_t i = 0; ok && i < t->elements; i++) {
        double x = value(from, i, as.dtype);
        for (size_t k = 0; k < r->n; k++) x = step_in(as.dtype, &r->steps[k], x, i < t->elements - t->elements % 32);
        store(dst, i, t->dtype, x);
    }
    free(made_here);
    return ok;
}
