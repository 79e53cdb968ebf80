/* Which set of inner loops this machine runs. */
#include "lanes.h"
#include <stdbool.h>
#include <string.h>

extern const lanes lanes_scalar;
#ifdef LANES_OF_X86
extern const lanes lanes_avx2, lanes_avx512;
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

const lanes *lanes_best(void) {
#ifdef LANES_OF_X86
    if (has_avx512()) return &lanes_avx512;
    if (has_avx2()) return &lanes_avx2;
#endif
    return &lanes_scalar;
}

const lanes *lanes_named(const char *name) {
#ifdef LANES_OF_X86
    if (!strcmp(name, "avx512")) return has_avx512() ? &lanes_avx512 : NULL;
    if (!strcmp(name, "avx2")) return has_avx2() ? &lanes_avx2 : NULL;
#endif
    return strcmp(name, "scalar") ? NULL : &lanes_scalar;
}
