#include "dtype.h"
#include <string.h>

/* Those that upstream's table of dtypes has; another one anywhere in the file is an error there. */
static bool is_in_table(int dtype) {
    static const tare_dtype table[] = {TARE_BOOL, TARE_U8, TARE_I8, TARE_I16, TARE_U16, TARE_F16, TARE_BF16, TARE_I32, TARE_U32, TARE_F32,
                                       TARE_F64, TARE_I64, TARE_U64, TARE_F8_E4M3, TARE_F8_E5M2};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if ((int)table[i] == dtype) return true;
    return false;
}
static bool counts(int dtype) { return dtype == TARE_F32 || dtype == TARE_F16 || dtype == TARE_BF16 || dtype == TARE_F64; }
const char *weights_dtype(const checkpoint *c, tare_error *err) {
    const file_tensor *first = NULL, *first_float = NULL;
    if (c->index_dtype) return c->index_dtype;
    size_t file = 0;
    while (file < c->file_count && !c->files[file].indexed && c->index) file++; /* what lies beside is not read */
    for (size_t i = 0; file < c->file_count && i < c->files[file].n; i++) {
        const file_tensor *t = &c->tensors[c->files[file].first + i];
        if (!is_in_table(t->dtype)) {
            error_set(err, TARE_BAD, "no_dtype", t->key,
                      "the config names no dtype, and %.200s is of %s, which Transformers does not know: say --dtype",
                      t->key, t->dtype < TARE_DTYPE_COUNT ? tare_dtype_name((tare_dtype)t->dtype) : "an unknown dtype");
            return NULL;
        }
        if (!first || strcmp(t->key, first->key) < 0) first = t;
        if (counts(t->dtype) && (!first_float || strcmp(t->key, first_float->key) < 0)) first_float = t;
    }
    if (!first) return "float32"; /* an empty file */
    if (first_float) return tare_dtype_torch((tare_dtype)first_float->dtype);
    error_set(err, TARE_BAD, "no_dtype", NULL, "the config names no dtype, and the first file holds no floating tensor to take it from: say --dtype");
    return NULL;
}
