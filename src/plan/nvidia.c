#include "nvidia.h"
#include "../core/library.h"

typedef struct cuda { /* the calls of libcuda that need no context; 0 is success */
    int (*init)(unsigned flags);
    int (*count)(int *n);
    int (*get)(int *device, int ordinal);
    int (*name)(char *out, int n, int device);
    int (*total)(size_t *bytes, int device);
    int (*bus)(char *out, int n, int device); /* "0000:16:00.0" */
} cuda;
typedef struct nvml_memory { unsigned long long total, free, used; } nvml_memory;
typedef struct nvml { /* the same of libnvidia-ml */
    int (*init)(void);
    int (*by_bus)(const char *bus, void **device);
    int (*memory)(void *device, nvml_memory *out);
    int (*end)(void);
} nvml;

#define FIND(library, table, member, symbol) library_find(library, symbol, &(table)->member, sizeof (table)->member)

static bool cuda_open(cuda *c) {
    void *l = library_open("TARE_CUDA_LIBRARY", "libcuda.so.1");
    if (!l) return false;
    if (FIND(l, c, init, "cuInit") && FIND(l, c, count, "cuDeviceGetCount") && FIND(l, c, get, "cuDeviceGet") &&
        FIND(l, c, name, "cuDeviceGetName") && FIND(l, c, total, "cuDeviceTotalMem_v2") && FIND(l, c, bus, "cuDeviceGetPCIBusId"))
        return true; /* stays loaded: a driver that was initialised must not be unloaded */
    library_close(l);
    return false;
}
static void *nvml_open(nvml *n) {
    void *l = library_open("TARE_NVML_LIBRARY", "libnvidia-ml.so.1");
    if (!l) return NULL;
    if (FIND(l, n, init, "nvmlInit_v2") && FIND(l, n, by_bus, "nvmlDeviceGetHandleByPciBusId_v2") &&
        FIND(l, n, memory, "nvmlDeviceGetMemoryInfo") && FIND(l, n, end, "nvmlShutdown") && n->init() == 0)
        return l;
    library_close(l);
    return NULL;
}

/* A slice of a GPU has the bus of the whole: it never has more free than it has. */
static void ask_free(const cuda *c, const nvml *n, int device, gpu_seen *g) {
    char bus[32];
    void *at = NULL;
    nvml_memory m;
    if (c->bus(bus, (int)sizeof bus, device) || n->by_bus(bus, &at) || n->memory(at, &m)) return;
    g->free = m.free < g->total ? m.free : g->total;
    g->free_known = true;
}
static bool ask(const cuda *c, const nvml *n, int ordinal, gpu_seen *g) {
    int device = 0;
    size_t total = 0;
    *g = (gpu_seen){.total = 0};
    if (c->get(&device, ordinal) || c->total(&total, device)) return false;
    g->total = g->free = total;
    if (c->name(g->name, (int)sizeof g->name, device)) g->name[0] = '\0';
    g->name[sizeof g->name - 1] = '\0';
    if (n) ask_free(c, n, device, g);
    return true;
}

size_t nvidia_gpus(gpu_seen out[MOST_GPUS]) {
    cuda c;
    nvml n;
    int count = 0;
    size_t found = 0;
    if (!cuda_open(&c) || c.init(0) || c.count(&count)) return 0;
    void *library = count > 0 ? nvml_open(&n) : NULL;
    for (int i = 0; i < count && found < MOST_GPUS; i++) {
        if (!ask(&c, library ? &n : NULL, i, &out[found])) break; /* later ones would get the wrong number */
        found++;
    }
    if (library) {
        n.end();
        library_close(library);
    }
    return found;
}
