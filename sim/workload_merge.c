// Over a mergeable space: writes that any node may take at any time.
#include "sim/workload.h"

static uint32_t key_of(const sk_workload_draw *draw, enum sk_key_kind kind)
{
    return sk_keys_room(draw->keys, kind, draw->slot);
}

// One write in ten removes the key; of counters only those with an odd number are ever removed, so that others show plain sums.
static bool removes(const sk_workload_draw *draw)
{
    return sk_prng_chance(draw->prng, 1, 10);
}

static int64_t amount_of(const sk_workload_draw *draw)
{
    int64_t amount = sk_prng_chance(draw->prng, 1, 2) ? 1 : (int64_t)sk_prng_between(draw->prng, 1, 1000);
    return sk_prng_chance(draw->prng, 1, 3) ? -amount : amount;
}

sk_operation sk_workload_merge_register(const sk_workload_draw *draw)
{
    uint32_t key = key_of(draw, SK_KEY_MERGE_REGISTER);
    if (draw->read) return (sk_operation){.kind = SK_OPERATION_MERGE_GET, .key = key};
    return (sk_operation){.kind = removes(draw) ? SK_OPERATION_MERGE_DEL : SK_OPERATION_MERGE_SET, .key = key};
}

sk_operation sk_workload_merge_counter(const sk_workload_draw *draw)
{
    uint32_t key = key_of(draw, SK_KEY_MERGE_COUNTER);
    if (draw->read) return (sk_operation){.kind = SK_OPERATION_MERGE_TOTAL, .key = key};
    if (key % 2 && removes(draw)) return (sk_operation){.kind = SK_OPERATION_MERGE_DEL, .key = key};
    return (sk_operation){.kind = SK_OPERATION_MERGE_COUNT, .key = key, .amount = amount_of(draw)};
}

sk_operation sk_workload_merge_set(const sk_workload_draw *draw)
{
    uint32_t key = key_of(draw, SK_KEY_MERGE_SET);
    if (draw->read) return (sk_operation){.kind = SK_OPERATION_MERGE_MEMBERS, .key = key};
    if (removes(draw)) return (sk_operation){.kind = SK_OPERATION_MERGE_DEL, .key = key};
    return (sk_operation){.kind = sk_prng_chance(draw->prng, 3, 5) ? SK_OPERATION_MERGE_ADD : SK_OPERATION_MERGE_REMOVE,
                          .key = key,
                          .cell = (uint32_t)sk_prng_below(draw->prng, SK_CELLS_MAX)};
}

// Even fields are registers, odd ones counters.
sk_operation sk_workload_merge_map(const sk_workload_draw *draw)
{
    uint32_t key = key_of(draw, SK_KEY_MERGE_MAP), cell = (uint32_t)sk_prng_below(draw->prng, 4);
    if (draw->read) return (sk_operation){.kind = SK_OPERATION_MERGE_FIELDS, .key = key};
    if (removes(draw)) return (sk_operation){.kind = SK_OPERATION_MERGE_DEL, .key = key};
    if (sk_prng_chance(draw->prng, 1, 5)) return (sk_operation){.kind = SK_OPERATION_MERGE_HDEL, .key = key, .cell = cell};
    if (cell % 2) return (sk_operation){.kind = SK_OPERATION_MERGE_HCOUNT, .key = key, .cell = cell, .amount = amount_of(draw)};
    return (sk_operation){.kind = SK_OPERATION_MERGE_HSET, .key = key, .cell = cell};
}

sk_operation sk_workload_merge_expiry(const sk_workload_draw *draw)
{
    uint32_t key = key_of(draw, SK_KEY_MERGE_LEASE);
    if (draw->read || sk_prng_chance(draw->prng, 1, 2)) return (sk_operation){.kind = SK_OPERATION_MERGE_GET, .key = key};
    // Some outlive the run, unless somebody's clock runs away.
    sk_ns length = sk_prng_between(draw->prng, 1, 4000) * SK_MS * (sk_prng_chance(draw->prng, 1, 4) ? 10000 : 1);
    bool expire = key % 2 && sk_prng_chance(draw->prng, 1, 3);
    return (sk_operation){
        .kind = expire ? SK_OPERATION_MERGE_EXPIRE : SK_OPERATION_MERGE_LEND, .key = key, .length = length};
}
