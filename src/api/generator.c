/* tare_generator: where in torch's stream of random numbers a model begins, and where the next one does. */
#include "generator.h"
#include "filling.h"
#include <stdlib.h>
#include <string.h>

static tare_generator *generator_alloc(tare_error *err) {
    tare_generator *g = aligned_alloc(64, (sizeof *g + 63) / 64 * 64); /* the state wants its vectors aligned */
    if (!g && err) error_set(err, TARE_IO, "out_of_memory", NULL, "out of memory");
    return g;
}
tare_generator *tare_generator_new(uint64_t seed, tare_error *err) {
    tare_generator *g = generator_alloc(err);
    if (!g) return NULL;
    rng_seed(&g->g, seed);
    g->seed = seed;
    return g;
}
tare_generator *tare_generator_copy(const tare_generator *g, tare_error *err) {
    tare_generator *copy = generator_alloc(err);
    if (copy) *copy = *g;
    return copy;
}
void tare_generator_free(tare_generator *g) { free(g); }
uint64_t tare_generator_seed(const tare_generator *g) { return g->seed; }

/* ---- the state as torch keeps it: the seed, how many outputs are left before the next twist, the place of the next one, 624 words
 * of eight bytes, and three doubles of which the second is the normal that is left over, if the integer after them says so ---- */

enum { SEED = 0, LEFT = 8, SEEDED = 12, NEXT = 16, WORDS = 24, NORMAL = WORDS + 8 * MT_WORDS + 8, CACHED = NORMAL + 16 };
static uint64_t number_at(const unsigned char *state, size_t at, size_t n) {
    uint64_t x = 0;
    while (n-- > 0) x = x << 8 | state[at + n];
    return x;
}
static void number_to(unsigned char *state, size_t at, size_t n, uint64_t x) {
    for (size_t i = 0; i < n; i++, x >>= 8) state[at + i] = (unsigned char)x;
}
tare_generator *tare_generator_load(const void *bytes, size_t n, tare_error *err) {
    const unsigned char *state = bytes;
    bool ok = n == TARE_GENERATOR_BYTES;
    uint64_t left = ok ? number_at(state, LEFT, 4) : 0;
    ok = ok && number_at(state, SEEDED, 4) == 1 && left >= 1 && left <= MT_WORDS;
    for (size_t i = 0; ok && i < MT_WORDS; i++) ok = number_at(state, WORDS + 8 * i, 8) <= UINT32_MAX;
    if (!ok && err)
        error_set(err, TARE_BAD, "bad_value", NULL, "this is no state of torch's CPU generator, as torch.get_rng_state() gives it in %d bytes",
                  TARE_GENERATOR_BYTES);
    tare_generator *g = ok ? tare_generator_new(number_at(state, SEED, 8), err) : NULL;
    if (!g) return NULL;
    for (size_t i = 0; i < MT_WORDS; i++) g->g.x[i] = (uint32_t)number_at(state, WORDS + 8 * i, 8);
    g->g.at = MT_WORDS + 1 - (uint32_t)left;
    g->g.cached = (number_at(state, CACHED, 4) & 1) != 0;
    uint64_t bits = number_at(state, NORMAL, 8);
    memcpy(&g->g.normal, &bits, sizeof bits);
    return g;
}
/* torch knows no state before the first word of a window: the last skipped output is taken one by one. */
static void settle(rng *g) {
    if (!g->owed) return;
    g->owed--;
    rng_next(g);
}
void tare_generator_save(tare_generator *g, unsigned char state[TARE_GENERATOR_BYTES]) {
    settle(&g->g);
    memset(state, 0, TARE_GENERATOR_BYTES);
    number_to(state, SEED, 8, g->seed);
    number_to(state, LEFT, 4, MT_WORDS + 1 - g->g.at);
    number_to(state, SEEDED, 4, 1);
    number_to(state, NEXT, 8, g->g.at == MT_WORDS ? 0 : g->g.at);
    for (size_t i = 0; i < MT_WORDS; i++) number_to(state, WORDS + 8 * i, 8, g->g.x[i]);
    if (!g->g.cached) return;
    uint64_t bits;
    memcpy(&bits, &g->g.normal, sizeof bits);
    number_to(state, NORMAL, 8, bits);
    number_to(state, CACHED, 4, 1);
}

/* ---- past a model ---- */

static bool is_wanted(void *to, size_t slot) { return (void)to, (void)slot, false; }
static void *no_memory(void *to, size_t slot) { return (void)to, (void)slot, NULL; }
tare_status tare_generator_pass(tare_generator *g, const tare_model *m, const tare_init_options *options, tare_error *err) {
    filling f;
    bool ok = fill_begin(&f, m, options);
    init_place *at = ok ? init_place_new(&f.err) : NULL;
    f.within = true;
    init_how how = run_how(&f);
    how.philox = false;
    if (at) at->g = g->g;
    ok = at && fill_ended(&f, init_run_to(f.plan, &how, &(init_out){.memory = no_memory, .wanted = is_wanted}, at, f.plan->op_count, &f.err));
    if (ok) g->g = at->g;
    free(at);
    return refused(ok, &f, err) ? f.err.status : TARE_OK;
}
