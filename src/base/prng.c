#include "base/prng.h"

#include "base/assert.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void sk_prng_init(sk_prng *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) prng->state[i] = splitmix(&seed);
}

uint64_t sk_prng_next(sk_prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t sk_prng_below(sk_prng *prng, uint64_t bound)
{
    SK_ASSERT(bound > 0);
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t x;
    do x = sk_prng_next(prng);
    while (x >= limit);
    return x % bound;
}

uint64_t sk_prng_between(sk_prng *prng, uint64_t low, uint64_t high)
{
    SK_ASSERT(low <= high);
    if (low == 0 && high == UINT64_MAX) return sk_prng_next(prng);
    return low + sk_prng_below(prng, high - low + 1);
}

bool sk_prng_chance(sk_prng *prng, uint64_t parts, uint64_t whole)
{
    return sk_prng_below(prng, whole) < parts;
}

sk_prng sk_prng_split(sk_prng *prng)
{
    sk_prng part;
    sk_prng_init(&part, sk_prng_next(prng));
    return part;
}
