// Reads without a round (thesis 6.4.1), if the space allows clocks to be trusted within a bound.
//
//   pledge    a heartbeat asks for it; its answer confirms it. From when the heartbeat is received the follower neither votes, nor
//             pre-votes, nor stands for `lease_ms` of its own clock. It writes the length down before its first answer, and a
//             new life keeps a pledge of that length from its start
//   lease     the leader counts from when it sent the heartbeat, which is earlier, less the drift of both clocks
//
// Why that is safe: whoever is elected had the vote of somebody in every majority that could give the leader its lease. That
// voter's pledge came before its vote (later it is in a newer term and answers no more), so it had run out, and the lease, begun
// earlier and shorter, with it. Clocks that stop (a paused virtual machine) break the bound: docs/raft.md.
#include "base/assert.h"
#include "protocol/raft/raft.h"

static const uint64_t MILLION = 1000 * 1000;

uint64_t sk_raft_lease_ms(const sk_raft_replica *raft)
{
    return raft->lease.length / SK_MS;
}

static sk_ns pledged_at(const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    if (sk_raft_is_self(raft, peer)) return raft->now;
    return peer->recovering ? 0 : peer->pledged;
}

// A slow clock here and a fast one there: what is left of a length for certain.
static sk_ns certain(const sk_raft_replica *raft, sk_ns length)
{
    uint64_t drift = raft->lease.drift_ppm;
    return length * (MILLION - drift) / (MILLION + drift); // at most a minute: no overflow
}

bool sk_raft_lease_holds(const sk_raft_replica *raft)
{
    SK_ASSERT(raft->role == SK_RAFT_LEADER);
    if (!raft->lease.length) return false;
    sk_ns since = sk_raft_majority(raft, pledged_at);
    SK_ASSERT(since <= raft->now);
    return since && raft->now - since < certain(raft, sk_raft_lease_ms(raft) * SK_MS);
}

bool sk_raft_pledged(const sk_raft_replica *raft, sk_node_id candidate)
{
    return raft->now < raft->pledge_until && raft->pledged_to != candidate;
}

void sk_raft_pledge(sk_raft_replica *raft, sk_node_id leader, uint64_t lease_ms)
{
    SK_ASSERT(raft->leader == leader && lease_ms <= SK_RAFT_LEASE_MS_MAX);
    if (!lease_ms) return;
    if (lease_ms > raft->pledge_ms) { // on disk before the answer leaves
        raft->pledge_ms = lease_ms;
        sk_raft_state_changed(raft);
    }
    raft->pledged_to = leader;
    raft->pledge_until = sk_raft_later(raft->pledge_until, raft->now + lease_ms * SK_MS);
    // The time of this event may have been read before the message came, and long before if the process was paused in between.
    raft->pledge_fresh_ms = sk_raft_later(raft->pledge_fresh_ms, lease_ms);
    raft->flush = true;
}

void sk_raft_pledge_tick(sk_raft_replica *raft)
{
    if (!raft->pledge_fresh_ms) return;
    raft->pledge_until = sk_raft_later(raft->pledge_until, raft->now + raft->pledge_fresh_ms * SK_MS);
    raft->pledge_fresh_ms = 0;
}

void sk_raft_pledge_start(sk_raft_replica *raft)
{
    raft->pledged_to = 0;
    if (raft->pledge_ms) raft->pledge_until = raft->now + raft->pledge_ms * SK_MS;
}
