// What clients do. A workload is a row of the table and a function that draws the next operation; how an operation is written
// and answered is sim/request.c and sim/answer.c, how a key's history is judged sim/judge.c.
//
//   register  SET and GET of values never repeated
//   cas       compare-and-set (SET ... IFEQ), SET and GET
//   counter   INCR and GET
//   append    APPEND of tokens never repeated: a list
//   set       APPEND of tokens that may be repeated: a client that does not know the outcome asks again with the same one
//   expiry    SET with PX, once a key, and GET
//   space     SPACE CREATE and DROP with prefixes of the other workloads' keys
//
// The others need a space of a mergeable protocol (crdt, causal); how they are judged is said in sim/merge_check.h:
//   merge-register, merge-counter, merge-set, merge-map, merge-expiry
//   merge-session  of causal alone: SET and GET, and sessions that move (sim/sessions.h)
//   merge-rule     merge-register where the space's rule chooses among values that were written apart; never part of a mixture
//
// A new one: a function in a file of its own, a line in the table, and a kind of key (sim/keys.h) if none of these will do.
#ifndef SIM_WORKLOAD_H
#define SIM_WORKLOAD_H

#include "sim/keys.h"
#include "sim/swarm.h"

typedef struct sk_workload_draw {
    sk_keys *keys;
    sk_prng *prng;
    const sk_swarm *swarm;
    uint32_t slot; // of the key, where the workload has slots
    bool read;     // the lot says: read
} sk_workload_draw;

typedef struct sk_workload {
    const char *name;
    const char *help;
    sk_operation (*draw)(const sk_workload_draw *draw); // kind, key and what belongs to the kind
} sk_workload;

sk_operation sk_workload_register(const sk_workload_draw *draw);
sk_operation sk_workload_cas(const sk_workload_draw *draw);
sk_operation sk_workload_counter(const sk_workload_draw *draw);
sk_operation sk_workload_append(const sk_workload_draw *draw);
sk_operation sk_workload_set(const sk_workload_draw *draw);
sk_operation sk_workload_expiry(const sk_workload_draw *draw);
sk_operation sk_workload_space(const sk_workload_draw *draw);
sk_operation sk_workload_merge_register(const sk_workload_draw *draw);
sk_operation sk_workload_merge_counter(const sk_workload_draw *draw);
sk_operation sk_workload_merge_set(const sk_workload_draw *draw);
sk_operation sk_workload_merge_map(const sk_workload_draw *draw);
sk_operation sk_workload_merge_expiry(const sk_workload_draw *draw);
sk_operation sk_workload_merge_session(const sk_workload_draw *draw);

// Indices of the first that needs a mergeable space (all behind it do), and of those with sessions and with a rule.
enum { SK_WORKLOADS_MERGE_FIRST = 7, SK_WORKLOADS_SESSION = 12, SK_WORKLOADS_RULE = 13 };
bool sk_workload_merges(uint32_t index);

const sk_workload *sk_workload_at(uint32_t index); // NULL behind the last
// Its index; SK_WORKLOADS_MAX: there is none of that name.
uint32_t sk_workload_find(const char *name);
// An operation of one of the workloads that the seed has drawn, by their weights.
sk_operation sk_workload_next(sk_keys *keys, sk_prng *prng, const sk_swarm *swarm);

#endif
