// Majorities over a set of voters. Everything that asks "do enough agree?" asks here, so that another kind of
// quorum (two sets at once while membership changes) has one place to enter.
#ifndef SK_PROTOCOL_QUORUM_H
#define SK_PROTOCOL_QUORUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t sk_quorum_majority(size_t voters)
{
    return voters / 2 + 1;
}

// `grants` has one bit a voter: a voter who says it twice counts once.
static inline bool sk_quorum_granted(uint32_t grants, size_t voters)
{
    return (size_t)__builtin_popcount(grants) >= sk_quorum_majority(voters);
}

// The greatest value that a majority has reached, one value a voter; 0 with no voters. O(n^2) over at most
// nine.
static inline uint64_t sk_quorum_reached(const uint64_t *values, size_t voters)
{
    uint64_t best = 0;
    for (size_t i = 0; i < voters; i++) {
        size_t reached = 0;
        for (size_t k = 0; k < voters; k++) reached += values[k] >= values[i];
        if (reached >= sk_quorum_majority(voters) && values[i] > best) best = values[i];
    }
    return best;
}

#endif
