/* A generator as a handle. */
#ifndef TARE_API_GENERATOR_H
#define TARE_API_GENERATOR_H
#include "../../include/tare.h"
#include "../init/mt.h"

struct tare_generator {
    rng g;
    uint64_t seed; /* what torch.initial_seed() says */
};
#endif
