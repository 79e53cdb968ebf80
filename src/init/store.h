/* One element of a tensor, by its dtype. */
#ifndef TARE_INIT_STORE_H
#define TARE_INIT_STORE_H
#include <stdbool.h>
#include <stdint.h>

bool can_store(int dtype); /* F32 BF16 F16 F64 I64 I32 I16 I8 U8 BOOL */
bool is_float(int dtype);
/* As torch's fill_ converts a Python number: to sixteen bits by way of float32, to whole numbers towards 0. */
void store(void *dst, int64_t i, int dtype, double x);
float load(const void *src, int64_t i, int dtype); /* of a float dtype */
#endif
