// Who leads: pre-vote, vote, loyalty, timeouts (paper 5.2, 5.4.1; thesis 4.2.3, 9.6).
#include "base/assert.h"
#include "protocol/quorum.h"
#include "protocol/raft/raft.h"

void sk_raft_set_role(sk_raft_replica *raft, enum sk_raft_role role)
{
    static const uint8_t moves[SK_RAFT_ROLE_COUNT] = {
        [SK_RAFT_FOLLOWER] = 1 << SK_RAFT_FOLLOWER | 1 << SK_RAFT_PRECANDIDATE | 1 << SK_RAFT_HALTED,
        [SK_RAFT_PRECANDIDATE] =
            1 << SK_RAFT_FOLLOWER | 1 << SK_RAFT_PRECANDIDATE | 1 << SK_RAFT_CANDIDATE | 1 << SK_RAFT_HALTED,
        [SK_RAFT_CANDIDATE] =
            1 << SK_RAFT_FOLLOWER | 1 << SK_RAFT_PRECANDIDATE | 1 << SK_RAFT_LEADER | 1 << SK_RAFT_HALTED,
        [SK_RAFT_LEADER] = 1 << SK_RAFT_FOLLOWER | 1 << SK_RAFT_HALTED,
        [SK_RAFT_HALTED] = 0,
    };
    SK_ASSERT(moves[raft->role] >> role & 1);
    raft->role = role;
}

static uint32_t slot_bit(const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    return 1u << (uint32_t)(peer - raft->peers);
}

bool sk_raft_loyal(const sk_raft_replica *raft, sk_node_id candidate)
{
    if (raft->role == SK_RAFT_LEADER) return true; // check-quorum bounds it
    if (sk_raft_pledged(raft, candidate)) return true;
    return raft->leader && raft->leader != candidate && raft->now < raft->loyal_until;
}

void sk_raft_become_follower(sk_raft_replica *raft, uint64_t term, sk_node_id leader)
{
    SK_ASSERT(term >= raft->term);
    bool led = raft->role == SK_RAFT_LEADER;
    bool changed = term > raft->term || leader != raft->leader;
    sk_raft_set_role(raft, SK_RAFT_FOLLOWER);
    raft->leader = leader;
    raft->grants = 0;
    if (term > raft->term) { // a vote is forgotten only with its term (R02)
        raft->term = term;
        raft->vote = 0;
        raft->verified = raft->commit;
        sk_raft_state_changed(raft);
    }
    if (changed) {
        raft->loyal_until = raft->word_due = 0;
        raft->doubt_at = SK_NEVER;
        raft->doubted = false;
        sk_raft_reads_abandon(raft);
    }
    if (led) {
        sk_raft_submits_abandon(raft);
        raft->heartbeat_at = raft->quorum_until = SK_NEVER;
    }
    if (led || raft->election_at == SK_NEVER) raft->election_at = raft->now + sk_raft_silence(raft);
}

void sk_raft_heed(sk_raft_replica *raft, sk_node_id leader, uint64_t promise_ms)
{
    SK_ASSERT(raft->role != SK_RAFT_LEADER && (!raft->leader || raft->leader == leader));
    if (raft->role != SK_RAFT_FOLLOWER || raft->leader != leader) {
        sk_raft_become_follower(raft, raft->term, leader);
    }
    // No promise holds us longer than an idle leader of our own would be silent.
    uint64_t bound_ms = 2 * raft->timing.heartbeat_idle / SK_MS + 1;
    sk_ns promise = (promise_ms < bound_ms ? promise_ms : bound_ms) * SK_MS;
    sk_raft_measure_word(raft, promise);
    raft->loyal_until = raft->now + promise + sk_raft_patience(raft);
    raft->election_at = raft->now + promise + sk_raft_silence(raft);
}

void sk_raft_leader_link_down(sk_raft_replica *raft)
{
    raft->loyal_until = raft->now;
    // A little later than at once, and not all together.
    sk_ns soon = raft->now + sk_prng_between(&raft->prng, 1, raft->timing.election_min / 4 + 1);
    raft->election_at = sk_raft_earlier(raft->election_at, soon);
}

// ---- Campaigns ----

static void become_leader(sk_raft_replica *raft)
{
    SK_ASSERT(raft->record_durable >= raft->state_record && raft->vote == raft->self && !raft->recovering);
    sk_raft_set_role(raft, SK_RAFT_LEADER);
    SK_ASSERT(raft->doubt_at == SK_NEVER);
    raft->leader = raft->self;
    raft->grants = 0;
    raft->election_at = SK_NEVER;
    sk_raft_reads_abandon(raft);
    for (size_t i = 0; i < raft->peer_count; i++) {
        sk_raft_peer *peer = &raft->peers[i];
        peer->matched = peer->received = peer->round = 0;
        peer->boot = peer->acknowledged = peer->heal_index = 0;
        peer->recovering = peer->lost = false;
        peer->fetching = 0;
        peer->blocked_until = 0;
        peer->snapshot_failures = 0;
        peer->retries = 0;
        peer->answered = raft->now;
        peer->pledged = 0;
        sk_raft_peer_restart(raft, peer, raft->log.last + 1);
    }
    raft->round = 0;
    raft->term_start = raft->log.last + 1;
    // Nothing before it can be known committed until an entry of this term is (paper 5.4.2, thesis 6.4).
    sk_raft_append(raft, 0, sk_slice_make(NULL, 0));
    sk_raft_heartbeat_begin(raft);
}

static void count_grants(sk_raft_replica *raft);

static void campaign(sk_raft_replica *raft)
{
    sk_raft_set_role(raft, SK_RAFT_CANDIDATE);
    raft->term++;
    raft->vote = raft->self;
    raft->verified = raft->commit;
    raft->grants = 0;
    sk_raft_state_changed(raft);
    sk_raft_state_write(raft);
    raft->election_at = raft->now + sk_raft_silence(raft);
    sk_raft_message ask = {.kind = SK_RAFT_VOTE,
                           .term = raft->term,
                           .last_index = raft->log.last,
                           .last_term = sk_raft_log_last_term(&raft->log)};
    // Held until our own vote is durable: elected by others' votes alone, we could be elected twice
    // (docs/raft.md, C1).
    for (size_t i = 0; i < raft->peer_count; i++) {
        if (i != raft->self_slot)
            sk_raft_send(raft, raft->peers[i].id, &ask, raft->state_record, SK_SEND_URGENT);
    }
}

static void precampaign(sk_raft_replica *raft)
{
    if (raft->role != SK_RAFT_PRECANDIDATE) sk_raft_set_role(raft, SK_RAFT_PRECANDIDATE);
    raft->leader = 0;
    raft->loyal_until = raft->word_due = 0;
    raft->doubt_at = SK_NEVER;
    raft->doubted = false;
    sk_raft_reads_abandon(raft);
    raft->attempt++;
    raft->grants = slot_bit(raft, &raft->peers[raft->self_slot]);
    raft->election_at = raft->now + sk_raft_silence(raft);
    sk_raft_message ask = {.kind = SK_RAFT_PREVOTE,
                           .term = raft->term,
                           .last_index = raft->log.last,
                           .last_term = sk_raft_log_last_term(&raft->log),
                           .attempt = raft->attempt};
    for (size_t i = 0; i < raft->peer_count; i++) {
        if (i != raft->self_slot) sk_raft_send(raft, raft->peers[i].id, &ask, 0, SK_SEND_URGENT);
    }
    count_grants(raft);
}

static void count_grants(sk_raft_replica *raft)
{
    if (!sk_quorum_granted(raft->grants, raft->peer_count)) return;
    if (raft->role == SK_RAFT_PRECANDIDATE) {
        campaign(raft);
    } else {
        become_leader(raft);
    }
}

void sk_raft_election_tick(sk_raft_replica *raft)
{
    if (raft->now < raft->election_at) return;
    SK_ASSERT(raft->role != SK_RAFT_LEADER);
    if (!raft->recovering) {
        if (!sk_raft_pledged(raft, raft->self)) {
            precampaign(raft);
        } else { // as soon as it may, and not all together
            raft->election_at =
                raft->pledge_until + sk_prng_between(&raft->prng, 1, raft->timing.election_min / 4 + 1);
        }
        return;
    }
    // It waits for a leader; the silent one is not known any more.
    if (raft->leader) sk_raft_become_follower(raft, raft->term, 0);
    raft->election_at = SK_NEVER;
}

void sk_raft_election_durable(sk_raft_replica *raft)
{
    if (raft->role != SK_RAFT_CANDIDATE || raft->record_durable < raft->state_record) return;
    uint32_t own = slot_bit(raft, &raft->peers[raft->self_slot]);
    if (raft->grants & own) return;
    raft->grants |= own;
    count_grants(raft);
}

// ---- Being asked ----

// Is a log that ends there at least as good as ours (paper 5.4.1)?
static bool up_to_date(const sk_raft_replica *raft, const sk_raft_message *message)
{
    uint64_t term = sk_raft_log_last_term(&raft->log);
    if (message->last_term != term) return message->last_term > term;
    return message->last_index >= raft->log.last;
}

// Granting one changes nothing here: neither term, nor timer, nor loyalty (R11).
void sk_raft_on_prevote(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    bool grant = !raft->recovering && message->term + 1 > raft->term && up_to_date(raft, message) &&
                 !sk_raft_loyal(raft, from->id);
    sk_raft_message answer = {.kind = SK_RAFT_PREVOTE_ANSWER,
                              .flags = grant ? SK_RAFT_GRANTED : SK_RAFT_REJECTED,
                              .term = raft->term,
                              .attempt = message->attempt};
    sk_raft_send(raft, from->id, &answer, 0, SK_SEND_URGENT);
    if (raft->role == SK_RAFT_LEADER)
        sk_raft_heartbeat_to(raft, from); // it has lost sight of us: no need to wait
}

// A newer term in the answer has already made us a follower of it: so a replica left behind catches up (R11).
// An older one is fine: the voter may know less than we do.
void sk_raft_on_prevote_answer(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    if (raft->role != SK_RAFT_PRECANDIDATE || message->attempt != raft->attempt) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_wrong_role);
        return;
    }
    if (!(message->flags & SK_RAFT_GRANTED)) return;
    raft->grants |= slot_bit(raft, from);
    count_grants(raft);
}

void sk_raft_on_vote(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    SK_ASSERT(message->term == raft->term);
    bool grant = !raft->recovering && raft->role != SK_RAFT_LEADER && !raft->leader &&
                 (raft->vote == 0 || raft->vote == from->id) && up_to_date(raft, message);
    if (grant && raft->vote == 0) {
        raft->vote = from->id;
        sk_raft_state_changed(raft);
    }
    if (grant) raft->election_at = raft->now + sk_raft_silence(raft);
    sk_raft_message answer = {
        .kind = SK_RAFT_VOTE_ANSWER, .flags = grant ? SK_RAFT_GRANTED : SK_RAFT_REJECTED, .term = raft->term};
    sk_raft_send(raft, from->id, &answer, 0, SK_SEND_URGENT); // held until the state is durable (R01)
}

void sk_raft_on_vote_answer(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    SK_ASSERT(message->term == raft->term);
    if (raft->role != SK_RAFT_CANDIDATE) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_wrong_role);
        return;
    }
    if (!(message->flags & SK_RAFT_GRANTED)) return;
    raft->grants |= slot_bit(raft, from); // a bit, not a number (R03)
    count_grants(raft);
}
