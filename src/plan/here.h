/* The memory and disk of this machine, and GPUs that the kernel describes in files. `root` stands before /proc and /sys: "" but in tests. */
#ifndef TARE_PLAN_HERE_H
#define TARE_PLAN_HERE_H
#include "nvidia.h"

/* AMD GPUs in the order of their cards; those with less than 1 GiB of their own, which are part of a processor, are left out. */
size_t here_amd(const char *root, gpu_seen out[MOST_GPUS]);
/* Bytes that programs may still take: what the kernel calls available, or what the tightest cgroup on the way up leaves, whichever is
 * less. False when the kernel does not say. `limit` becomes the cgroup that decided, "" for none. */
bool here_memory(const char *root, uint64_t *bytes, char *limit, size_t n);
bool here_disk(const char *folder, uint64_t *bytes); /* free for this user */
#endif
