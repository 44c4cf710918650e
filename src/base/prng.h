// A small deterministic generator (xoshiro256**, Blackman and Vigna 2018), seeded by splitmix64. Not for secrets.
#ifndef SK_BASE_PRNG_H
#define SK_BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sk_prng {
    uint64_t state[4];
} sk_prng;

void sk_prng_init(sk_prng *prng, uint64_t seed);
uint64_t sk_prng_next(sk_prng *prng);
// Uniform in [0, bound); bound > 0. No modulo bias.
uint64_t sk_prng_below(sk_prng *prng, uint64_t bound);
// Uniform in [low, high], both included.
uint64_t sk_prng_between(sk_prng *prng, uint64_t low, uint64_t high);
// True with probability parts/whole.
bool sk_prng_chance(sk_prng *prng, uint64_t parts, uint64_t whole);
// A generator for a subsystem, independent of how much the others draw.
sk_prng sk_prng_split(sk_prng *prng);

#endif
