// A leader's rounds: heartbeats with a promise, check-quorum, and what is learnt from the answers
// (thesis 6.2, 6.4).
//
// Every broadcast is a round of its own number. An answer proves that its sender still followed this term
// after the round began: that serves reads (R06, R07) and check-quorum (R12). Heartbeats never wait for a
// disk (R31).
#include "base/assert.h"
#include "protocol/raft/raft.h"

// Times are multiples of the interval, so that all replicas of a process wake together.
static sk_ns next_multiple(sk_ns now, sk_ns interval)
{
    return (now / interval + 1) * interval;
}

static bool alone(const sk_raft_replica *raft)
{
    return raft->peer_count == 1;
}

static bool is_active(const sk_raft_replica *raft)
{
    return raft->now < raft->active_until || sk_raft_reads_waiting(raft);
}

static void schedule(sk_raft_replica *raft)
{
    sk_ns interval = is_active(raft) ? raft->timing.heartbeat_active : raft->timing.heartbeat_idle;
    raft->heartbeat_at = alone(raft) ? SK_NEVER : next_multiple(raft->now, interval);
}

uint64_t sk_raft_promise_ms(const sk_raft_replica *raft)
{
    if (raft->heartbeat_at == SK_NEVER || raft->heartbeat_at <= raft->now) return 1;
    return (raft->heartbeat_at - raft->now + SK_MS - 1) / SK_MS;
}

uint8_t sk_raft_answer_flags(const sk_raft_replica *raft)
{
    return raft->recovering ? SK_RAFT_RECOVERING : 0;
}

// The last round again, to one peer: an answer then still comes from after its beginning.
void sk_raft_heartbeat_to(sk_raft_replica *raft, sk_raft_peer *peer)
{
    SK_ASSERT(raft->role == SK_RAFT_LEADER && !sk_raft_is_self(raft, peer));
    if (peer->down) return;
    sk_raft_message message = {.kind = SK_RAFT_HEARTBEAT,
                               .flags = peer->lost ? SK_RAFT_REFILL : 0,
                               .term = raft->term,
                               .commit = raft->commit,
                               .promise_ms = sk_raft_promise_ms(raft),
                               .lease_ms = sk_raft_lease_ms(raft),
                               .trip_us = peer->round_trip / SK_US,
                               .round = raft->round,
                               .stamp = raft->now,
                               .heal = sk_raft_heal_of(raft, peer),
                               .boot = peer->boot};
    sk_raft_send(raft, peer->id, &message, 0, SK_SEND_URGENT);
}

static void broadcast(sk_raft_replica *raft)
{
    raft->round++;
    sk_raft_reads_begin_round(raft);
    schedule(raft);
    for (size_t i = 0; i < raft->peer_count; i++) {
        if (i != raft->self_slot) sk_raft_heartbeat_to(raft, &raft->peers[i]);
    }
    if (alone(raft)) sk_raft_reads_settle(raft);
}

void sk_raft_heartbeat_begin(sk_raft_replica *raft)
{
    raft->active_until = raft->now + 2 * raft->timing.heartbeat_active;
    schedule(raft);
    raft->quorum_until = alone(raft) ? SK_NEVER : raft->heartbeat_at + sk_raft_patience_max(raft);
    broadcast(raft);
    raft->flush = true;
}

void sk_raft_active(sk_raft_replica *raft)
{
    if (raft->role != SK_RAFT_LEADER || alone(raft)) return;
    raft->active_until = sk_raft_later(raft->active_until, raft->now + 2 * raft->timing.heartbeat_active);
    sk_ns soon = next_multiple(raft->now, raft->timing.heartbeat_active);
    raft->heartbeat_at = sk_raft_earlier(raft->heartbeat_at, soon);
    // Answers are due soon again, whatever an idle promise allowed.
    raft->quorum_until = sk_raft_earlier(raft->quorum_until, soon + sk_raft_patience_max(raft));
}

void sk_raft_heartbeat_tick(sk_raft_replica *raft)
{
    if (raft->now >= raft->quorum_until) {
        sk_raft_become_follower(raft, raft->term, 0); // check-quorum (R12)
        return;
    }
    sk_raft_reads_by_lease(raft);
    if (raft->now >= raft->heartbeat_at || sk_raft_reads_new(raft)) broadcast(raft);
}

// ---- Followers ----

void sk_raft_on_heartbeat(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    SK_ASSERT(raft->leader == from->id);
    sk_raft_measure_heartbeat(raft, from, message->trip_us);
    sk_raft_pledge(raft, from->id, message->lease_ms);
    if (message->boot == raft->boot) {
        sk_raft_recovery_told(raft, message->flags & SK_RAFT_REFILL, message->heal);
    }
    sk_raft_commit_learn(raft, message->commit);
    sk_raft_message answer = {.kind = SK_RAFT_HEARTBEAT_ANSWER,
                              .flags = sk_raft_answer_flags(raft),
                              .term = raft->term,
                              .round = message->round,
                              .stamp = message->stamp,
                              .boot = raft->boot,
                              .recovered = raft->recovered,
                              .received = raft->verified};
    sk_raft_send(raft, from->id, &answer, 0, SK_SEND_URGENT);
}

// ---- Answers ----

static uint64_t answered_at(const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    if (sk_raft_is_self(raft, peer)) return raft->now;
    return peer->recovering ? 0 : peer->answered;
}

static uint64_t answered_round(const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    if (sk_raft_is_self(raft, peer)) return raft->round;
    return peer->recovering ? 0 : peer->round;
}

bool sk_raft_round_answered(const sk_raft_replica *raft, uint64_t round)
{
    return sk_raft_majority(raft, answered_round) >= round;
}

// It has started again. What it acknowledged it should still have; only what it acknowledges anew counts.
static void new_life(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    bool first = from->boot == 0;
    from->boot = message->boot;
    if (first) return;
    from->acknowledged = sk_raft_later(from->acknowledged, from->matched);
    from->matched = from->received = 0;
    if (message->recovered < from->acknowledged) sk_raft_peer_lost(from);
    uint64_t holds = sk_raft_earlier(message->recovered, from->acknowledged);
    if (from->progress != SK_RAFT_SNAPSHOT) sk_raft_peer_restart(raft, from, holds + 1);
    raft->flush = true;
}

bool sk_raft_heard(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    SK_ASSERT(raft->role == SK_RAFT_LEADER && message->term == raft->term);
    if (message->boot < from->boot) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_old_life);
        return false;
    }
    if (message->boot > from->boot) new_life(raft, from, message);
    sk_raft_peer_recovering(raft, from, message->flags & SK_RAFT_RECOVERING);
    from->answered = raft->now;
    sk_ns contact = sk_raft_majority(raft, answered_at);
    sk_ns promised = raft->heartbeat_at > raft->now ? raft->heartbeat_at - raft->now : 0;
    if (raft->quorum_until != SK_NEVER) {
        raft->quorum_until =
            sk_raft_later(raft->quorum_until, contact + promised + sk_raft_patience_max(raft));
    }
    return true;
}

static void measure(sk_raft_replica *raft, sk_raft_peer *from, sk_ns stamp)
{
    if (stamp > raft->now || raft->now - stamp > 60 * SK_S) return; // not ours
    sk_ns sample = raft->now - stamp;
    from->round_trip = from->round_trip ? (from->round_trip * 7 + sample) / 8 : sample;
}

// The peer lives, and what we sent does not arrive or is not acknowledged: begin again, ever more slowly.
static void retry_lost(sk_raft_replica *raft, sk_raft_peer *from)
{
    if (from->progress == SK_RAFT_SNAPSHOT || from->fetching) return;
    sk_ns last = from->probing ? from->sent : sk_raft_later(from->sent, from->progressed);
    sk_ns quiet = raft->now - last;
    if (quiet < sk_raft_retry_after(raft, from)) return;
    bool lost = from->probing || from->received + 1 < from->next || from->matched + 1 < from->next;
    if (!lost) return;
    // Received and not yet acknowledged: only its disk is slow, or the answer got lost. Asking again costs
    // one empty append.
    uint64_t next = from->received + 1 < from->next ? from->received + 1 : from->next;
    from->retries++;
    sk_raft_peer_restart(raft, from, next > from->matched ? next : from->matched + 1);
    raft->flush = true;
}

void sk_raft_on_heartbeat_answer(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    if (raft->role != SK_RAFT_LEADER) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_wrong_role);
        return;
    }
    if (message->round > raft->round || message->received > raft->log.last) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_impossible_index);
        return;
    }
    if (message->flags & SK_RAFT_REJECTED) { // made for a term that was old to it, as its own now is not
        sk_raft_ignore(raft, SK_RAFT_IGNORE_stale);
        return;
    }
    if (!sk_raft_heard(raft, from, message)) return;
    if (message->round > from->round) from->round = message->round;
    measure(raft, from, message->stamp);
    if (message->stamp <= raft->now) from->pledged = sk_raft_later(from->pledged, message->stamp);
    if (message->received > from->received) {
        from->received = message->received;
        from->progressed = raft->now;
        from->retries = 0;
    }
    if (from->progress == SK_RAFT_SNAPSHOT && from->received >= raft->log.floor.index && from->received > 0) {
        sk_raft_peer_restart(raft, from, from->received + 1); // it caught up some other way
        raft->flush = true;
    }
    retry_lost(raft, from);
    if (from->progress != SK_RAFT_SNAPSHOT && from->matched < raft->log.last) {
        sk_raft_active(raft); // it lives and lags
        if (from->next <= raft->log.floor.index) raft->flush = true;
    }
    sk_raft_reads_settle(raft);
}
