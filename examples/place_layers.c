/* Where the layers go on given devices, with a cache for 8,192 tokens: place_layers MODEL DEVICES */
#include <inttypes.h>
#include <stdio.h>
#include <tare.h>

static void print_plan(const tare_plan *g) {
    const tare_plan_device *devices;
    const tare_plan_entry *entries;
    tare_plan_verdict verdict;

    tare_plan_verdict_of(g, &verdict);
    if (!verdict.fits) {
        printf("%" PRIu64 " bytes short, from %s on\n", verdict.missing, verdict.stuck);
        return;
    }
    for (size_t i = 0, n = tare_plan_devices(g, &devices); i < n; i++)
        printf("%s holds %" PRIu64 " bytes, %" PRIu64 " of them cache\n", devices[i].name, devices[i].load, devices[i].cache);
    size_t count = tare_plan_entries(g, &entries);
    printf("%zu entries: %s goes to %s, %s to %s\n", count, entries[0].module, devices[entries[0].device].name, entries[count - 1].module,
           devices[entries[count - 1].device].name);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: place_layers MODEL DEVICES\n"), 2;

    tare_error err = {0};
    tare_model *m = tare_model_open(argv[1], NULL, &err);
    tare_devices *places = m ? tare_devices_open(argv[2], NULL, &err) : NULL;
    tare_budget_options budget = {.context = 8192};
    tare_plan *g = places ? tare_plan_make(m, &(tare_plan_options){.places = places, .budget = &budget}, &err) : NULL;

    if (g) print_plan(g);
    else fprintf(stderr, "%s\n", err.message);
    tare_plan_free(g);
    tare_devices_free(places);
    tare_model_free(m);
    return !g;
}
