#include "presets.h"
#include "../core/num.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---- */

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
/* What Metal lets a program use of an Apple computer's memory unless it is told otherwise: recommendedMaxWorkingSetSize as llama.cpp
 * prints it is 2/3 with 16, 24 and 32 GB, 3/4 with 36, 64 and more. */
#define METAL(gib) ((gib) < 36 ? GIB(gib) / 3 * 2 : GIB(gib) / 4 * 3)

/* Where a number comes from; docs/devices.md says more. Of several that were published the smallest is taken. */
#define TORCH "as torch reports it"            /* total_memory or "total capacity" in published logs */
#define QUERY "as deviceQuery reports it"
#define XLA "as XLA reports it"
#define SYNAPSE "as SynapseAI reports it"
#define SMI "nvidia-smi's total less what the driver keeps" /* no published number of torch's: less 1 %, 512 MiB at least */
#define AMDGPU "nominal less the 16 MiB that amdgpu keeps"  /* as torch shows of MI250X, MI300X and RX 7900 XTX */
#define ALIKE "as torch reports of one with as much memory"
#define NOMINAL "nominal"
#define SHARED "Metal's default share of the memory"

#define GPU(name, mib, product, source) {name, product, TARE_DEVICE_GPU, MIB(mib), source, NULL}
#define APPLE(name, least, sizes, product) {name, product, TARE_DEVICE_MPS, METAL(least), SHARED, sizes}

const tare_device_preset preset_devices[] = {
    GPU("v100-16", 16130, "NVIDIA V100 16 GB", TORCH),
    GPU("v100-32", 32494, "NVIDIA V100 32 GB", TORCH),
    GPU("t4", 14912, "NVIDIA T4 16 GB", TORCH),
    GPU("a10", 22587, "NVIDIA A10, A10G 24 GB", TORCH),
    GPU("a30", 24164, "NVIDIA A30 24 GB", TORCH),
    GPU("a40", 45416, "NVIDIA A40 48 GB", TORCH),
    GPU("a100-40", 40339, "NVIDIA A100 40 GB", QUERY),
    GPU("a100-80", 81038, "NVIDIA A100 80 GB", TORCH),
    GPU("l4", 22563, "NVIDIA L4 24 GB", TORCH),
    GPU("l40", 45373, "NVIDIA L40 48 GB", ALIKE),
    GPU("l40s", 45373, "NVIDIA L40S 48 GB", QUERY),
    GPU("h100", 81082, "NVIDIA H100 SXM 80 GB", TORCH),
    GPU("h100pcie", 81008, "NVIDIA H100 PCIe 80 GB", TORCH),
    GPU("h100nvl", 94871, "NVIDIA H100 NVL 94 GB", SMI),
    GPU("h20", 97285, "NVIDIA H20 96 GB", TORCH),
    GPU("h200", 143073, "NVIDIA H200 141 GB", TORCH),
    GPU("gh200", 96768, "NVIDIA GH200 96 GB, without its processor's memory", TORCH),
    GPU("b200", 182630, "NVIDIA B200 180 GB", TORCH),
    GPU("b300", 272289, "NVIDIA B300 288 GB", SMI),
    GPU("rtx2060", 5918, "NVIDIA GeForce RTX 2060 6 GB", TORCH),
    GPU("rtx2070", 7965, "NVIDIA GeForce RTX 2070 8 GB", ALIKE),
    GPU("rtx2080", 7965, "NVIDIA GeForce RTX 2080 8 GB", ALIKE),
    GPU("rtx2080ti", 10825, "NVIDIA GeForce RTX 2080 Ti 11 GB", TORCH),
    GPU("rtx3060", 11910, "NVIDIA GeForce RTX 3060 12 GB", TORCH),
    GPU("rtx3070", 7753, "NVIDIA GeForce RTX 3070 8 GB", TORCH),
    GPU("rtx3080", 10002, "NVIDIA GeForce RTX 3080 10 GB", TORCH),
    GPU("rtx3080ti", 11910, "NVIDIA GeForce RTX 3080 Ti 12 GB", TORCH),
    GPU("rtx3090", 24124, "NVIDIA GeForce RTX 3090 24 GB", TORCH),
    GPU("rtx3090ti", 24081, "NVIDIA GeForce RTX 3090 Ti 24 GB", ALIKE),
    GPU("rtx4060", 7806, "NVIDIA GeForce RTX 4060 8 GB", ALIKE),
    GPU("rtx4060ti-8", 7806, "NVIDIA GeForce RTX 4060 Ti 8 GB", TORCH),
    GPU("rtx4060ti-16", 15840, "NVIDIA GeForce RTX 4060 Ti 16 GB", ALIKE),
    GPU("rtx4070", 11994, "NVIDIA GeForce RTX 4070 12 GB", TORCH),
    GPU("rtx4070ti", 11994, "NVIDIA GeForce RTX 4070 Ti 12 GB", ALIKE),
    GPU("rtx4080", 15944, "NVIDIA GeForce RTX 4080 16 GB", TORCH),
    GPU("rtx4090", 24081, "NVIDIA GeForce RTX 4090 24 GB", TORCH),
    GPU("rtx5060ti-16", 15848, "NVIDIA GeForce RTX 5060 Ti 16 GB", TORCH),
    GPU("rtx5070", 11715, "NVIDIA GeForce RTX 5070 12 GB", SMI),
    GPU("rtx5070ti", 15840, "NVIDIA GeForce RTX 5070 Ti 16 GB", ALIKE),
    GPU("rtx5080", 15840, "NVIDIA GeForce RTX 5080 16 GB", TORCH),
    GPU("rtx5090", 32112, "NVIDIA GeForce RTX 5090 32 GB", TORCH),
    GPU("rtxa4000", 15864, "NVIDIA RTX A4000 16 GB", SMI),
    GPU("rtxa5000", 24052, "NVIDIA RTX A5000 24 GB", SMI),
    GPU("rtxa6000", 48497, "NVIDIA RTX A6000 48 GB", ALIKE),
    GPU("rtx6000ada", 48497, "NVIDIA RTX 6000 Ada 48 GB", TORCH),
    GPU("rtxpro6000", 97239, "NVIDIA RTX PRO 6000 Blackwell 96 GB", TORCH),
    GPU("mi100", 32752, "AMD Instinct MI100 32 GB", AMDGPU),
    GPU("mi210", 65520, "AMD Instinct MI210 64 GB", AMDGPU),
    GPU("mi250", 65520, "AMD Instinct MI250, one of its two devices, 64 GB", TORCH),
    GPU("mi250x", 65520, "AMD Instinct MI250X, one of its two devices, 64 GB", TORCH),
    GPU("mi300x", 196592, "AMD Instinct MI300X 192 GB", TORCH),
    GPU("mi325x", 262128, "AMD Instinct MI325X 256 GB", AMDGPU),
    GPU("mi355x", 294896, "AMD Instinct MI355X 288 GB", AMDGPU),
    GPU("rx7900xt", 20464, "AMD Radeon RX 7900 XT 20 GB", AMDGPU),
    GPU("rx7900xtx", 24560, "AMD Radeon RX 7900 XTX 24 GB", TORCH),
    GPU("max1550", 65536, "Intel Data Center GPU Max 1550, one of its two devices, 64 GB", TORCH),
    GPU("arc-a770", 15473, "Intel Arc A770 16 GB", TORCH),
    GPU("gaudi2", 96890, "Intel Gaudi 2 96 GB", SYNAPSE),
    GPU("gaudi3", 131072, "Intel Gaudi 3 128 GB", NOMINAL),
    GPU("tpu-v5e", 16128, "Google TPU v5e 16 GB", XLA),
    GPU("tpu-v5p", 98037, "Google TPU v5p 95 GB", XLA),
    GPU("tpu-v6e", 32000, "Google TPU v6e 32 GB", XLA),
    APPLE("m1", 8, "8 16", "Apple M1"),
    APPLE("m1-pro", 16, "16 32", "Apple M1 Pro"),
    APPLE("m1-max", 32, "32 64", "Apple M1 Max"),
    APPLE("m1-ultra", 64, "64 128", "Apple M1 Ultra"),
    APPLE("m2", 8, "8 16 24", "Apple M2"),
    APPLE("m2-pro", 16, "16 32", "Apple M2 Pro"),
    APPLE("m2-max", 32, "32 64 96", "Apple M2 Max"),
    APPLE("m2-ultra", 64, "64 128 192", "Apple M2 Ultra"),
    APPLE("m3", 8, "8 16 24", "Apple M3"),
    APPLE("m3-pro", 18, "18 36", "Apple M3 Pro"),
    APPLE("m3-max", 36, "36 48 64 96 128", "Apple M3 Max"),
    APPLE("m3-ultra", 96, "96 256 512", "Apple M3 Ultra"),
    APPLE("m4", 16, "16 24 32", "Apple M4"),
    APPLE("m4-pro", 24, "24 48 64", "Apple M4 Pro"),
    APPLE("m4-max", 36, "36 48 64 128", "Apple M4 Max"),
};
const size_t preset_device_count = sizeof preset_devices / sizeof *preset_devices;

/* ---- finding ---- */

enum { NAME = 32 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
/* Lower case, without what says nothing. False when it is longer than any name. */
static bool plain(const char *name, size_t n, char out[NAME]) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        if (c == ' ' || c == '-' || c == '_') continue;
        if (k == NAME - 1) return false;
        out[k++] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    out[k] = '\0';
    return k > 0;
}
/* People leave this out: 4090, a6000, 7900xtx. */
static const char *bare(const char *name) {
    return strncmp(name, "rtx", 3) == 0 ? name + 3 : strncmp(name, "rx", 2) == 0 ? name + 2 : name;
}
static bool same(const char *name, const char *row) { return strcmp(name, row) == 0 || strcmp(name, bare(row)) == 0; }

/* "a100-80" without its size. */
static size_t stem(const char *row) {
    const char *dash = strrchr(row, '-');
    return dash && is_digit(dash[1]) && dash[1 + strspn(dash + 1, "0123456789")] == '\0' ? (size_t)(dash - row) : strlen(row);
}
/* The size that follows `row` in "m2ultra192", if there can be such a machine; 0 when there cannot. */
static int size_after(const char *name, const char *row, const char *sizes) {
    size_t n = strlen(row);
    if (strncmp(name, row, n) != 0 || !is_digit(name[n])) return 0;
    char *end;
    long gib = strtol(name + n, &end, 10);
    for (const char *at = sizes; *end == '\0' && *at; at += strspn(at, " ")) {
        char *after;
        if (strtol(at, &after, 10) == gib) return (int)gib;
        at = after;
    }
    return 0;
}

static bool matches(const char *name, const tare_device_preset *p, preset_found *out) {
    char row[NAME], family[NAME];
    plain(p->name, strlen(p->name), row);
    *out = (preset_found){.row = p, .bytes = p->bytes};
    if (p->sizes) {
        out->gib = same(name, row) ? (int)strtol(p->sizes, NULL, 10) : size_after(name, row, p->sizes);
        out->smallest = same(name, row);
        if (out->gib) out->bytes = METAL(out->gib);
        return out->gib > 0;
    }
    if (same(name, row)) return true;
    size_t n = stem(p->name);
    out->smallest = p->name[n] == '-' && plain(p->name, n, family) && same(name, family); /* rows stand in order of size */
    return out->smallest;
}
bool preset_find(const char *name, size_t n, preset_found *out) {
    char word[NAME];
    if (!plain(name, n, word)) return false;
    for (size_t i = 0; i < preset_device_count; i++)
        if (matches(word, &preset_devices[i], out)) return true;
    return false;
}

static size_t edits(const char *name, const char *row) {
    char word[NAME];
    plain(row, strlen(row), word);
    size_t whole = num_edits(name, word, 2), part = num_edits(name, bare(word), 2);
    return whole < part ? whole : part;
}
bool preset_near(const char *name, size_t n, char *out, size_t size) {
    char word[NAME];
    size_t used = 0, found = 0;
    if (!plain(name, n, word)) return false;
    for (size_t far = 1; far <= 2 && !found; far++)
        for (size_t i = 0; i < preset_device_count && found < 4; i++) {
            if (edits(word, preset_devices[i].name) != far) continue;
            int wrote = snprintf(out + used, size - used, "%s%s", found++ ? ", " : "", preset_devices[i].name);
            if (wrote < 0 || (size_t)wrote >= size - used) return true;
            used += (size_t)wrote;
        }
    return found > 0;
}
