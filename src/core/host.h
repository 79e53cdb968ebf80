/* What the reference would see of a machine when it settles the attention implementation: the GPU and a few Python packages.
 * The GPU of this machine is asked of the CUDA driver library, without a context. Packages cannot be seen from C: they are
 * taken as not installed unless described. */
#ifndef TARE_CORE_HOST_H
#define TARE_CORE_HOST_H
#include <stdbool.h>
#include <stddef.h>

typedef struct host {
    bool gpu;
    int sm;                /* compute capability of the first GPU: 75, 80, 90; 0 without one */
    char gpu_name[64];     /* as the driver spells it; "" when described or absent */
    int gpus;
    char flash_attn[16];   /* version; "" when not installed */
    char flash_attn_3[16];
    char flash_attn_4[16];
    bool kernels;          /* the `kernels` package, which fetches code from the Hub */
    bool described;        /* by host_describe(), not seen */
    char words[192];       /* all of this as one phrase */
} host;

/* Reads "gpu=sm_90,flash_attn=2.8.3": comma separated; gpu=none or gpu=sm_NN, flash_attn, flash_attn_3, flash_attn_4 = VERSION
 * or none, kernels = yes or no. What is left out is absent, but without gpu= the GPU is this machine's. NULL describes this
 * machine. On failure false, and the reason in `why`. */
bool host_describe(host *h, const char *text, char *why, size_t n);
/* This machine, asked once per process; safe from many threads. */
void host_detect(host *h);
/* The same, asked now. The library is libcuda.so.1, or the one that the environment variable TARE_CUDA_LIBRARY names ("": none). */
void host_probe(host *h);
#endif
