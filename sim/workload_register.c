#include "sim/workload.h"

sk_operation sk_workload_register(const sk_workload_draw *draw)
{
    uint32_t key = draw->keys->current[SK_KEY_REGISTER][draw->slot];
    return (sk_operation){.kind = draw->read ? SK_OPERATION_GET : SK_OPERATION_SET, .key = key};
}

// Half of the writes expect the value that somebody saw last; they fail when another client was faster.
sk_operation sk_workload_cas(const sk_workload_draw *draw)
{
    uint32_t key = draw->keys->current[SK_KEY_REGISTER][draw->slot];
    uint64_t seen = draw->keys->list[key].seen;
    if (draw->read) return (sk_operation){.kind = SK_OPERATION_GET, .key = key};
    if (!seen || sk_prng_chance(draw->prng, 1, 4)) return (sk_operation){.kind = SK_OPERATION_SET, .key = key};
    return (sk_operation){.kind = SK_OPERATION_CAS, .key = key, .expect = seen};
}
