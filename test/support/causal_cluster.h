// The small cluster of crdt_cluster.h with causal replicas.
#ifndef SK_TEST_SUPPORT_CAUSAL_CLUSTER_H
#define SK_TEST_SUPPORT_CAUSAL_CLUSTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "protocol/causal/causal.h"
#include "test/support/crdt_cluster.h"

#ifdef __SANITIZE_ADDRESS__
enum { SLOW = 10 };
#else
enum { SLOW = 1 };
#endif

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

static inline const sk_vector *seen_of(crdt_cluster *c, size_t node)
{
    return sk_causal_seen(replica_of(c, node));
}

static inline void tell_difference(crdt_cluster *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const sk_vector *seen = seen_of(c, i);
        fprintf(stderr, "node %zu, life %llx:", i + 1, (unsigned long long)replica_of(c, i)->life);
        for (size_t k = 0; k < seen->count; k++) {
            fprintf(stderr, " %u/%llx %lld", sk_actor_node(seen->list[k].actor), (unsigned long long)sk_actor_life(seen->list[k].actor),
                    (long long)seen->list[k].counter);
        }
        fprintf(stderr, "; holds %zu\n", replica_of(c, i)->held.count);
    }
    fail_msg("vectors differ");
}

static inline void agree(crdt_cluster *c)
{
    for (size_t i = 0; i < c->count; i++) {
        sk_mergeable_check(&sk_mergespace_of(c->nodes[i].machine)->state);
        if (sk_vector_compare(seen_of(c, i), seen_of(c, 0)) != SK_ORDER_EQUAL) tell_difference(c);
        if (crdt_digest(&c->nodes[i]) != crdt_digest(&c->nodes[0])) fail_msg("nodes 1 and %u differ", c->nodes[i].id);
        if (counts(c, i)->mismatches) fail_msg("node %zu had the same vector as another, and another state", i + 1);
        assert_int_equal(replica_of(c, i)->held.count, 0);
    }
}

static inline void reads_at(crdt_cluster *c, size_t node, const char *request, const char *expected)
{
    const char *reply = crdt_read(c, &c->nodes[node], request);
    if (strcmp(reply, expected) != 0) fail_msg("node %zu: %s: %s, not %s", node + 1, request, reply, expected);
}

static inline void reads(crdt_cluster *c, const char *request, const char *expected)
{
    for (size_t i = 0; i < c->count; i++) reads_at(c, i, request, expected);
}

static inline void submit(crdt_cluster *c, size_t node, const char *format, ...)
{
    char request[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(request, sizeof request, format, arguments);
    va_end(arguments);
    crdt_submit(c, &c->nodes[node], request);
}

// The same, and the disk has it: of a life's first change nobody hears before.
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

static inline void receive(crdt_cluster *c, size_t node, sk_node_id from, const sk_causal_message *message)
{
    sk_buffer bytes = {0};
    sk_causal_message_write(message, &bytes);
    crdt_step(c, &c->nodes[node], (sk_event){.kind = SK_EVENT_RECEIVE, .receive = {.from = from, .message = sk_buffer_slice(&bytes)}});
    sk_buffer_deinit(&bytes);
}

#endif
