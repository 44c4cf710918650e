// A key space: the machine of every space that holds Redis data. Keys, values and deadlines in trees of data/tree.h.
//
// Expiry. A deadline is in the space's clock (machine.h). A key whose deadline is not after the applied clock is absent for
// every command at once; its entry is removed by bounded work in apply and advance, the same on all replicas.
#ifndef SK_REDIS_KEYSPACE_H
#define SK_REDIS_KEYSPACE_H

#include "protocol/machine.h"

typedef struct sk_keyspace_limits {
    uint64_t memory_max; // logical bytes; 0: no bound. Over it commands flagged DENY_OOM get Redis's OOM error
} sk_keyspace_limits;

// A machine with an empty key space. Closed through its ops.
sk_machine *sk_keyspace_open(const sk_keyspace_limits *limits);

// Facts for INFO; O(1).
typedef struct sk_keyspace_facts {
    uint64_t keys;
    uint64_t expires; // keys with a deadline
    uint64_t bytes;
} sk_keyspace_facts;
sk_keyspace_facts sk_keyspace_facts_of(const sk_machine *machine);

#endif
