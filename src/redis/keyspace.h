// A key space: the machine of every space that holds Redis data. Keys, values and deadlines in trees of data/tree.h.
//
// Expiry. A deadline is in the space's clock (machine.h). A key whose deadline is not after the applied clock is absent for
// every command at once; its entry is removed by bounded work in apply and advance, the same on all replicas. A deadline asked for in wall time
// (EXPIREAT) is turned with the context's wall offset and told (EXPIRETIME) with that of the asker. TTL counts from the context's clock if that is
// ahead of the applied one, so a node may say how late it is; whether a key is there depends on the applied clock alone.
//
// Jobs and images hold on to the state as it was; close them before the machine.
#ifndef SK_REDIS_KEYSPACE_H
#define SK_REDIS_KEYSPACE_H

#include "protocol/machine.h"

// Both decide outcomes, so they must be the same on every replica: the space's properties, not the node's.
typedef struct sk_keyspace_limits {
    uint64_t memory_max;     // logical bytes; 0: no bound. Over it commands flagged DENY_OOM get Redis's OOM error
    uint64_t value_size_max; // Redis's proto-max-bulk-len for values that grow (APPEND, SETRANGE); 0: SK_VALUE_SIZE_MAX_DEFAULT
} sk_keyspace_limits;

// Less than Redis's 512 MB: a SETRANGE of a few bytes may make every replica hold this much.
#define SK_VALUE_SIZE_MAX_DEFAULT ((uint64_t)64 * 1024 * 1024)

// A machine with an empty key space. Closed through its ops.
sk_machine *sk_keyspace_open(const sk_keyspace_limits *limits);

// Facts for INFO, without what has expired; O(log n).
typedef struct sk_keyspace_facts {
    uint64_t keys;
    uint64_t expires; // keys with a deadline
    uint64_t bytes;
} sk_keyspace_facts;
sk_keyspace_facts sk_keyspace_facts_of(const sk_machine *machine);
// A new bound on the logical size, as all replicas are told at the same entry.
void sk_keyspace_set_memory_max(sk_machine *machine, uint64_t bytes);
// Is there a key that begins so? Bounded: behind a thousand expired ones that are still to be removed it says yes.
bool sk_keyspace_has_prefix(const sk_machine *machine, sk_slice prefix);

#endif
