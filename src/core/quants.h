/* The quantisation methods that are built in: made at build time from src/quant (build/gen/registry.c). */
#ifndef TARE_CORE_QUANTS_H
#define TARE_CORE_QUANTS_H
#include <stddef.h>
struct quant_method;
extern const struct quant_method *const quant_methods[]; /* by the names of their files */
extern const size_t quant_method_count;
#endif
