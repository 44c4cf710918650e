// The invariants of raft.h as code, and the fingerprint.
#include "base/assert.h"
#include "base/hash.h"
#include "protocol/raft/raft.h"

static void check_peers(const sk_raft_replica *raft)
{
    for (size_t i = 0; i < raft->peer_count; i++) {
        const sk_raft_peer *peer = &raft->peers[i];
        if (i == raft->self_slot) continue;
        SK_ASSERT(peer->matched < peer->next && peer->next <= raft->log.last + 1); // I6
        SK_ASSERT(peer->round <= raft->round && peer->pledged <= raft->now);
        SK_ASSERT(peer->inflight.count <= raft->limits.inflight_count_max);
        SK_ASSERT(peer->progress == SK_RAFT_REPLICATE || peer->inflight.count == 0);
        SK_ASSERT(!peer->lost || peer->recovering);
        size_t bytes = 0;
        uint64_t last = peer->matched;
        for (size_t k = 0; k < peer->inflight.count; k++) {
            const sk_raft_inflight *inflight = sk_ring_at(&peer->inflight, k);
            SK_ASSERT(inflight->last > last);
            last = inflight->last;
            bytes += inflight->bytes;
        }
        SK_ASSERT(bytes == peer->inflight_bytes && last < peer->next);
    }
}

static void check_reads(const sk_raft_replica *raft)
{
    uint32_t own = 0;
    uint64_t round = 0;
    bool unbegun = false;
    for (size_t i = 0; i < raft->reads.count; i++) {
        const sk_raft_read *read = sk_ring_at(&raft->reads, i);
        own += read->peer == 0;
        SK_ASSERT(read->answered == (i < raft->reads_answered)); // I8
        if (read->answered) continue;
        SK_ASSERT(!unbegun || !read->round);
        SK_ASSERT(!read->round || read->round >= round);
        SK_ASSERT(read->round <= (raft->role == SK_RAFT_LEADER ? raft->round : raft->ask));
        unbegun = !read->round;
        round = read->round;
    }
    SK_ASSERT(own == raft->reads_pending);
    SK_ASSERT(raft->leader || raft->reads.count == raft->reads_answered);
}

static void check_window(const sk_raft_replica *raft)
{
    uint32_t requests = 0;
    for (size_t i = 0; i < raft->log.window.count; i++) {
        const sk_raft_entry *entry = sk_ring_at(&raft->log.window, i);
        uint64_t index = sk_raft_log_window_first(&raft->log) + i;
        requests += entry->request != 0;
        SK_ASSERT(!entry->request || index > raft->applied);
        SK_ASSERT(!entry->request || index <= raft->commit || raft->role == SK_RAFT_LEADER);
    }
    SK_ASSERT(requests == raft->submits_pending); // I7
}

void sk_raft_check(const sk_raft_replica *raft, bool whole)
{
    const sk_raft_log *log = &raft->log;
    SK_ASSERT(log->base.index <= raft->applied && raft->applied <= raft->commit &&
              raft->commit <= log->last); // I2
    SK_ASSERT(raft->verified <= log->last);
    SK_ASSERT(sk_raft_log_last_term(log) <= raft->term); // I3, with L2
    SK_ASSERT(raft->record_durable <= raft->record_last && raft->state_record <= raft->record_last);
    SK_ASSERT(raft->base_shown <= log->base.index);
    if (raft->role == SK_RAFT_LEADER) {
        SK_ASSERT(raft->leader == raft->self && raft->vote == raft->self);
        SK_ASSERT(raft->record_durable >= raft->state_record); // I1
        SK_ASSERT(raft->term_start > log->floor.index ? sk_raft_log_term(log, raft->term_start) == raft->term
                                                      : true);
        check_peers(raft);
    } else {
        SK_ASSERT(raft->leader != raft->self);
    }
    if (raft->role == SK_RAFT_PRECANDIDATE || raft->role == SK_RAFT_CANDIDATE) SK_ASSERT(!raft->leader);
    if (raft->doubt_at != SK_NEVER) SK_ASSERT(raft->role == SK_RAFT_FOLLOWER && raft->leader && !raft->doubted);
    if (raft->role == SK_RAFT_PRECANDIDATE) SK_ASSERT(raft->now >= raft->pledge_until || raft->pledged_to == raft->self);
    if (raft->recovering) SK_ASSERT(raft->role == SK_RAFT_FOLLOWER || raft->role == SK_RAFT_HALTED); // I9
    check_reads(raft);
    if (!whole) return;
    sk_raft_log_check(log);
    check_window(raft);
}

// ---- Fingerprint ----

static sk_ns ahead(const sk_raft_replica *raft, sk_ns at)
{
    if (at == SK_NEVER) return SK_NEVER;
    return at > raft->now ? at - raft->now : 0;
}

static uint64_t mix_log(uint64_t hash, const sk_raft_log *log)
{
    const uint64_t words[] = {log->base.index, log->base.term, log->floor.index,
                              log->floor.term, log->last,      log->durable};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) hash = sk_hash_mix(hash, words[i]);
    for (size_t i = 0; i < log->runs.count; i++) {
        const sk_raft_run *run = sk_ring_at(&log->runs, i);
        hash = sk_hash_mix(sk_hash_mix(hash, run->first), run->term);
    }
    for (size_t i = 0; i < log->window.count; i++) {
        const sk_raft_entry *entry = sk_ring_at(&log->window, i);
        hash = sk_hash_mix(hash, entry->request);
        hash = sk_hash64(hash, entry->payload.size ? (const void *)entry->payload.data : "",
                         entry->payload.size);
    }
    return hash;
}

static uint64_t mix_peer(uint64_t hash, const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    hash = sk_hash_mix(hash, peer->down);
    if (raft->role != SK_RAFT_LEADER) return hash;
    const uint64_t words[] = {peer->progress,    peer->matched,        peer->next,
                              peer->received,    peer->inflight.count, peer->inflight_bytes,
                              peer->probing,     peer->fetching,       ahead(raft, peer->blocked_until),
                              peer->round,       peer->boot,           raft->now - peer->answered, raft->lease.length ? raft->now - peer->pledged : 0,
                              peer->recovering,  peer->lost,           peer->heal_index,
                              peer->acknowledged};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) hash = sk_hash_mix(hash, words[i]);
    return hash;
}

uint64_t sk_raft_fingerprint(const sk_raft_replica *raft)
{
    const uint64_t words[] = {raft->term,
                              raft->vote,
                              raft->recovering,
                              raft->record_last - raft->state_record,
                              raft->record_last - raft->record_durable,
                              raft->role,
                              raft->leader,
                              raft->flush,
                              raft->commit,
                              raft->applied,
                              raft->verified,
                              raft->apply_fetching,
                              raft->grants,
                              raft->ask,
                              raft->round,
                              raft->term_start,
                              ahead(raft, raft->election_at),
                              ahead(raft, raft->loyal_until),
                              ahead(raft, raft->doubt_at),
                              raft->doubt_at != SK_NEVER && raft->spoke > raft->asked_at,
                              raft->doubted,
                              sk_raft_patience(raft),
                              raft->pledge_ms,
                              ahead(raft, raft->pledge_until),
                              ahead(raft, raft->heartbeat_at),
                              ahead(raft, raft->active_until),
                              ahead(raft, raft->quorum_until)};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) hash = sk_hash_mix(hash, words[i]);
    hash = mix_log(hash, &raft->log);
    for (size_t i = 0; i < raft->peer_count; i++) hash = mix_peer(hash, raft, &raft->peers[i]);
    for (size_t i = 0; i < raft->reads.count; i++) {
        const sk_raft_read *read = sk_ring_at(&raft->reads, i);
        hash = sk_hash_mix(sk_hash_mix(hash, read->request ^ (uint64_t)read->peer << 32), read->round);
        hash = sk_hash_mix(hash, read->answered ? read->index : UINT64_MAX);
    }
    return hash;
}
