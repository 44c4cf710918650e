// The small cluster of crdt_cluster.h with causal replicas.
#ifndef SK_TEST_SUPPORT_CAUSAL_CLUSTER_H
#define SK_TEST_SUPPORT_CAUSAL_CLUSTER_H

#include "test/support/merger_runs.h"

static inline void open_cluster(crdt_cluster *c, size_t count, uint64_t seed)
{
    crdt_open_with(c, &sk_causal, count, seed);
}

static inline sk_causal_replica *replica_of(crdt_cluster *c, size_t node)
{
    return sk_causal_of(c->nodes[node].replica);
}

static inline sk_causal_counts *counts(crdt_cluster *c, size_t node)
{
    return &replica_of(c, node)->counts;
}

// Submits, and the disk has it: of a life's first change nobody hears before.
static inline void submit_first(crdt_cluster *c, size_t node, const char *request)
{
    crdt_submit(c, &c->nodes[node], request);
    crdt_sync_disk(c, &c->nodes[node]);
}

// What is on its way arrives no sooner than that.
static inline void delay(crdt_cluster *c, size_t from, size_t to, sk_ns time)
{
    for (size_t i = 0; i < c->links[from][to].count; i++) ((flight *)sk_ring_at(&c->links[from][to], i))->at = c->now + time;
}

#endif
