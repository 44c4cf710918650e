#include "sim/workload.h"

#include <string.h>
#include "base/assert.h"

static const sk_workload table[] = {
    {"register", "SET and GET", sk_workload_register},
    {"cas", "compare-and-set, SET and GET", sk_workload_cas},
    {"counter", "INCR and GET", sk_workload_counter},
    {"append", "APPEND to lists, GET", sk_workload_append},
    {"set", "APPEND of elements that may be asked for twice, GET", sk_workload_set},
    {"expiry", "SET with PX, GET", sk_workload_expiry},
    {"space", "SPACE CREATE and DROP over the others' keys", sk_workload_space},
    {"merge-register", "SET, DEL and GET in a mergeable space", sk_workload_merge_register},
    {"merge-counter", "INCRBY, DECRBY, DEL and GET in a mergeable space", sk_workload_merge_counter},
    {"merge-set", "SADD, SREM, DEL and SMEMBERS in a mergeable space", sk_workload_merge_set},
    {"merge-map", "HSET, HINCRBY, HDEL, DEL and HGETALL in a mergeable space", sk_workload_merge_map},
    {"merge-expiry", "SET with PX, PEXPIRE and GET in a mergeable space", sk_workload_merge_expiry},
    {"merge-session", "SET and GET in a causal space, in sessions that move", sk_workload_merge_session},
    {"merge-rule", "SET, DEL and GET in a mergeable space with a rule (OPTION conflict custom)", sk_workload_merge_register},
};

_Static_assert(sizeof table / sizeof *table <= SK_WORKLOADS_MAX, "the swarm has a weight for each");

const sk_workload *sk_workload_at(uint32_t index)
{
    return index < sizeof table / sizeof *table ? &table[index] : NULL;
}

uint32_t sk_workload_find(const char *name)
{
    for (uint32_t i = 0; sk_workload_at(i); i++) {
        if (!strcmp(table[i].name, name)) return i;
    }
    return SK_WORKLOADS_MAX;
}

bool sk_workload_merges(uint32_t index)
{
    return index >= SK_WORKLOADS_MERGE_FIRST;
}

sk_operation sk_workload_next(sk_keys *keys, sk_prng *prng, const sk_swarm *swarm)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < SK_WORKLOADS_MAX; i++) total += swarm->weights[i];
    SK_ASSERT(total > 0);
    uint64_t lot = sk_prng_below(prng, total);
    uint32_t index = 0;
    while (lot >= swarm->weights[index]) lot -= swarm->weights[index++];
    sk_workload_draw draw = {.keys = keys, .prng = prng, .swarm = swarm};
    bool hot = swarm->fault[SK_FAULT_CLIENT_HOT_KEY] && sk_prng_chance(prng, 9, 10);
    draw.slot = hot ? 0 : (uint32_t)sk_prng_below(prng, swarm->keys);
    draw.read = sk_prng_chance(prng, swarm->reads, 100);
    return table[index].draw(&draw);
}
