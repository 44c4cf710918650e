// Linearizable reads without the log (thesis 6.4): ReadIndex, at the leader and through a follower.
//
//   leader    a read waits for a round begun after it came (R06, R07), answered by a majority, and for an
//   entry of this term to be
//             committed (R05); it is served when what was committed as its round began is applied. With a lease
//             (lease.c) no round is needed
//   follower  asks the leader for such an index, one message for all reads of a turn, by a number never used
//   again; an
//             answer serves the reads of that ask and of earlier ones
#include "base/assert.h"
#include "protocol/quorum.h"
#include "protocol/raft/raft.h"

static sk_raft_read *read_at(const sk_raft_replica *raft, size_t i)
{
    return sk_ring_at(&raft->reads, i);
}

static sk_ns patience(const sk_raft_replica *raft)
{
    return 2 * sk_raft_patience_max(raft);
}

void sk_raft_read_add(sk_raft_replica *raft, uint64_t request)
{
    SK_ASSERT(raft->leader);
    sk_raft_read *read = sk_ring_push(&raft->reads);
    *read = (sk_raft_read){.request = request, .since = raft->now};
    raft->reads_pending++;
    raft->flush = true;
}

// ---- Leader ----

bool sk_raft_reads_waiting(const sk_raft_replica *raft)
{
    return raft->role == SK_RAFT_LEADER && raft->reads.count > raft->reads_answered;
}

bool sk_raft_reads_new(const sk_raft_replica *raft)
{
    return sk_raft_reads_waiting(raft) && read_at(raft, raft->reads.count - 1)->round == 0;
}

void sk_raft_reads_begin_round(sk_raft_replica *raft)
{
    uint64_t index = sk_raft_later(raft->commit, raft->term_start);
    for (size_t i = raft->reads.count; i > raft->reads_answered; i--) {
        sk_raft_read *read = read_at(raft, i - 1);
        if (read->round) break;
        read->round = raft->round;
        read->index = index;
    }
}

static void answer_read(sk_raft_replica *raft, const sk_raft_read *read, uint8_t flags)
{
    sk_raft_message answer = {.kind = SK_RAFT_READ_ANSWER,
                              .flags = flags,
                              .term = raft->term,
                              .boot = read->boot,
                              .request = read->request,
                              .read_index = read->index};
    sk_raft_send(raft, read->peer, &answer, 0, SK_SEND_URGENT);
}

static void confirm(sk_raft_replica *raft, bool leased)
{
    while (raft->reads_answered < raft->reads.count) {
        sk_raft_read *read = read_at(raft, raft->reads_answered);
        if (!read->round || read->index > raft->commit) return;
        if (!leased && !sk_raft_round_answered(raft, read->round)) return;
        read->answered = true;
        raft->reads_answered++;
        if (read->peer) answer_read(raft, read, 0);
    }
}

void sk_raft_reads_settle(sk_raft_replica *raft)
{
    if (raft->role == SK_RAFT_LEADER) confirm(raft, false);
    while (raft->reads_answered) {
        const sk_raft_read *read = read_at(raft, 0);
        if (!read->peer) {
            if (read->index > raft->applied) return;
            sk_effect *effect = sk_effects_add(raft->out, SK_EFFECT_QUERY);
            effect->query.request = read->request;
            effect->query.position = raft->applied;
            raft->reads_pending--;
        }
        sk_ring_pop_front(&raft->reads, 1);
        raft->reads_answered--;
    }
}

void sk_raft_reads_by_lease(sk_raft_replica *raft)
{
    if (!sk_raft_reads_waiting(raft) || !sk_raft_lease_holds(raft)) return;
    if (raft->commit < raft->term_start) return; // R05: they wait, for a round of their own if need be
    sk_raft_reads_begin_round(raft);
    confirm(raft, true);
    SK_ASSERT(!sk_raft_reads_waiting(raft));
    sk_raft_active(raft); // heartbeats that renew the lease
    sk_raft_reads_settle(raft);
}

void sk_raft_on_read(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    sk_raft_read read = {
        .request = message->request, .peer = from->id, .boot = message->boot, .since = raft->now};
    if (raft->role != SK_RAFT_LEADER) {
        answer_read(raft, &read, SK_RAFT_REJECTED);
        return;
    }
    // Its question says that after the read came it still followed this term: it counts like an answer to a round begun then.
    uint32_t confirmed = 1u << raft->self_slot | 1u << (uint32_t)(from - raft->peers);
    if (!from->recovering && raft->commit >= raft->term_start && sk_quorum_granted(confirmed, raft->peer_count)) {
        read.index = raft->commit;
        answer_read(raft, &read, 0);
        sk_raft_active(raft); // it waits for the leader's word: the next ones come soon
        return;
    }
    if (raft->reads.count >= 2 * (size_t)raft->limits.pending_max) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_read_full); // it asks again, or gives up
        return;
    }
    *(sk_raft_read *)sk_ring_push(&raft->reads) = read;
    raft->flush = true;
}

// ---- Follower ----

static void drop_last(sk_raft_replica *raft)
{
    const sk_raft_read *read = read_at(raft, raft->reads.count - 1);
    if (read->peer) {
        answer_read(raft, read, SK_RAFT_REJECTED);
    } else {
        sk_raft_refuse(raft, read->request, SK_ENOTLEADER);
        raft->reads_pending--;
    }
    sk_ring_pop_back(&raft->reads, 1);
}

void sk_raft_reads_abandon(sk_raft_replica *raft)
{
    while (raft->reads.count > raft->reads_answered) drop_last(raft);
}

static void drop_first(sk_raft_replica *raft)
{
    const sk_raft_read *read = read_at(raft, 0);
    if (!read->peer) {
        sk_raft_refuse(raft, read->request, SK_ENOTLEADER);
        raft->reads_pending--;
    }
    if (read->answered) raft->reads_answered--;
    sk_ring_pop_front(&raft->reads, 1);
}

void sk_raft_reads_refuse(sk_raft_replica *raft)
{
    while (raft->reads.count) drop_first(raft);
}

static void drop_impatient(sk_raft_replica *raft)
{
    while (raft->reads.count && raft->now - read_at(raft, 0)->since >= patience(raft)) drop_first(raft);
}

void sk_raft_reads_tick(sk_raft_replica *raft)
{
    if (raft->role == SK_RAFT_LEADER || !raft->reads.count) return;
    drop_impatient(raft);
    if (raft->reads.count == raft->reads_answered) return;
    SK_ASSERT(raft->leader); // else they were abandoned
    bool retry = raft->now >= raft->ask_retry_at;
    if (!retry && read_at(raft, raft->reads.count - 1)->round) return;
    raft->ask++;
    // Only a fresh number: what an old one brings back late says nothing of now (R07).
    for (size_t i = raft->reads_answered; i < raft->reads.count; i++) {
        sk_raft_read *read = read_at(raft, i);
        if (!read->round || retry) read->round = raft->ask;
    }
    raft->ask_retry_at = raft->now + 2 * raft->timing.heartbeat_active;
    sk_raft_message ask = {
        .kind = SK_RAFT_READ, .term = raft->term, .boot = raft->boot, .request = raft->ask};
    sk_raft_send(raft, raft->leader, &ask, 0, SK_SEND_URGENT);
    sk_raft_asked(raft);
}

sk_ns sk_raft_reads_deadline(const sk_raft_replica *raft)
{
    if (raft->role == SK_RAFT_LEADER || !raft->reads.count) return SK_NEVER;
    sk_ns at = read_at(raft, 0)->since + patience(raft);
    if (raft->reads.count > raft->reads_answered) at = sk_raft_earlier(at, raft->ask_retry_at);
    return at;
}

void sk_raft_on_read_answer(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    if (raft->role != SK_RAFT_FOLLOWER || raft->leader != from->id) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_wrong_role);
        return;
    }
    if (message->boot != raft->boot || message->request > raft->ask) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_old_life);
        return;
    }
    if (message->flags & SK_RAFT_REJECTED) {
        // It leads no more, in a term in which nobody else can: ask again when somebody does.
        sk_raft_reads_abandon(raft);
        return;
    }
    while (raft->reads_answered < raft->reads.count) {
        sk_raft_read *read = read_at(raft, raft->reads_answered);
        if (!read->round || read->round > message->request) break;
        read->index = message->read_index;
        read->answered = true;
        raft->reads_answered++;
    }
    sk_raft_commit_learn(
        raft, message->read_index); // the leader has committed it: no need to wait for its next message
    sk_raft_reads_settle(raft);
}
