/* The GPUs of this machine, asked of drivers without a context. */
#ifndef TARE_PLAN_NVIDIA_H
#define TARE_PLAN_NVIDIA_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST_GPUS = 64 };
typedef struct gpu_seen {
    char name[64];        /* as the driver spells it; "" when it does not say */
    uint64_t total, free; /* bytes */
    bool free_known;      /* else free is total */
} gpu_seen;

/* In the order and number in which a CUDA program sees them (CUDA_VISIBLE_DEVICES); how many there are. The driver library is
 * libcuda.so.1, or what TARE_CUDA_LIBRARY names; what is free is asked of libnvidia-ml.so.1, or what TARE_NVML_LIBRARY names. */
size_t nvidia_gpus(gpu_seen out[MOST_GPUS]);
#endif
