#include "sim/workload.h"

static sk_operation read_one(const sk_workload_draw *draw)
{
    // Mostly one of the newest: the old ones are gone for good, which is soon known.
    uint32_t count = draw->keys->lease_count, newest = count < 4 ? count : 4;
    uint64_t back = sk_prng_below(draw->prng, sk_prng_chance(draw->prng, 3, 4) ? newest : count);
    return (sk_operation){.kind = SK_OPERATION_GET, .key = draw->keys->leases[count - 1 - back]};
}

sk_operation sk_workload_expiry(const sk_workload_draw *draw)
{
    sk_keys *keys = draw->keys;
    bool full = keys->lease_count == SK_KEYS_LEASES_MAX;
    // More looks than leases: it is the looking that shows when a key went.
    if (keys->lease_count && (full || draw->read || sk_prng_chance(draw->prng, 3, 4))) return read_one(draw);
    uint32_t key = sk_keys_add(keys, SK_KEY_LEASE);
    keys->leases[keys->lease_count++] = key;
    return (sk_operation){.kind = SK_OPERATION_LEND, .key = key, .length = sk_prng_between(draw->prng, 1, 4000) * SK_MS};
}
