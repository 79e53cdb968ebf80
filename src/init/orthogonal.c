#include "orthogonal.h"
#include "../core/arena.h"
#include <math.h>
#include <stdlib.h>

static double dot(const double *a, const double *b, uint64_t n) {
    double sum = 0;
    for (uint64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}
/* Takes from v its share in each of the k vectors before it; twice, for what rounding leaves. */
static void clear_of(double *v, const double *before, uint64_t k, uint64_t n) {
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t j = 0; j < k; j++) {
            double share = dot(v, before + j * n, n);
            for (uint64_t i = 0; i < n; i++) v[i] -= share * before[j * n + i];
        }
}
/* Each vector keeps its direction, so the triangular factor has a positive diagonal: the choice that torch makes by its signs. */
bool orthogonal(double *matrix, uint64_t rows, uint64_t columns, double gain, tare_error *err) {
    bool wide = rows < columns;
    uint64_t count = wide ? rows : columns, n = wide ? columns : rows, step = wide ? 1 : columns, next = wide ? columns : 1;
    double *vectors = tarei_malloc(count * n * sizeof *vectors);
    if (!vectors) return error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory"), false;
    for (uint64_t k = 0; k < count; k++) {
        double *v = vectors + k * n;
        for (uint64_t i = 0; i < n; i++) v[i] = matrix[k * next + i * step];
        clear_of(v, vectors, k, n);
        double length = sqrt(dot(v, v, n));
        for (uint64_t i = 0; i < n; i++) v[i] /= length;
        for (uint64_t i = 0; i < n; i++) matrix[k * next + i * step] = gain * v[i];
    }
    free(vectors);
    return true;
}
