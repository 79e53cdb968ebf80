/* torch.nn.init.orthogonal_: by Gram and Schmidt, where torch asks LAPACK. The matrix is the same but for rounding. */
#ifndef TARE_INIT_ORTHOGONAL_H
#define TARE_INIT_ORTHOGONAL_H
#include "../core/error.h"
#include <stdint.h>
/* `matrix` holds rows * columns normal draws; afterwards its shorter side's vectors are orthogonal and `gain` long. False: no memory. */
bool orthogonal(double *matrix, uint64_t rows, uint64_t columns, double gain, tare_error *err);
#endif
