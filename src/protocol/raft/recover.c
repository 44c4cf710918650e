// From the disk, and from damage.
//
// A replica that lost records may have voted or acknowledged with them. It is recovering until it is told, by
// a leader that knows of it, that it holds an entry appended after the leader knew and committed without it
// (docs/raft.md, C2).
#include "base/assert.h"
#include "protocol/raft/raft.h"

enum { STATE_RECOVERING = 1 };

static void recover_state(sk_raft_replica *raft, const sk_record *record)
{
    if (record->number < raft->state_record || (record->payload.size != 2 && record->payload.size != 4))
        return; // carried forward, overtaken since
    raft->state_record = record->number;
    raft->recovering = record->payload.data[1] & STATE_RECOVERING;
    if (record->payload.size == 4) raft->pledge_ms = record->payload.data[2] | (uint64_t)record->payload.data[3] << 8;
    if (record->epoch < raft->term) return; // below the snapshot's term: no vote of that matters
    raft->term = record->epoch;
    raft->vote = record->payload.data[0];
}

static void truncate_above_base(sk_raft_replica *raft, uint64_t index)
{
    if (index <= raft->log.base.index) index = raft->log.base.index + 1;
    if (index <= raft->log.last) sk_raft_log_truncate(&raft->log, index);
}

static void recover_entry(sk_raft_replica *raft, const sk_record *record)
{
    sk_raft_log *log = &raft->log;
    // Whatever was written at this position or above before is replaced.
    truncate_above_base(raft, record->position);
    if (record->position == log->base.index) raft->void_tail = record->epoch != log->base.term;
    if (record->position <= log->base.index) return;
    if (raft->void_tail) return; // N01
    if (record->position > log->last + 1) { // N05: unless it is replaced by what comes
        raft->hole = true;
        return;
    }
    if (record->epoch < sk_raft_log_last_term(log) || !record->epoch) return; // follows from another entry
    (void)sk_raft_log_make_room(log, 0, record->payload.size);
    sk_raft_log_append(log, record->epoch, record->number, record->payload);
    sk_raft_log_durable(log, record->number);
    raft->hole = false; // all above it is replaced
}

void sk_raft_recover(sk_raft_replica *raft, const sk_record *record)
{
    bool again = record->number <= raft->record_last;
    if (!again) raft->record_last = record->number;
    switch (record->kind) {
    case SK_RECORD_STATE:
        recover_state(raft, record);
        break;
    case SK_RECORD_ENTRY:
        if (!again) recover_entry(raft, record);
        break;
    case SK_RECORD_TRUNCATE:
        if (again) break;
        // Written behind a snapshot that came from a peer. If that is gone, what stands below is no part of the order (C6).
        if (record->position > raft->log.base.index + 1) {
            raft->hole = true;
            truncate_above_base(raft, 0);
            break;
        }
        truncate_above_base(raft, record->position);
        if (record->position <= raft->log.base.index + 1) raft->void_tail = false;
        break;
    }
}

void sk_raft_start(sk_raft_replica *raft, bool damaged)
{
    raft->record_durable = raft->record_last; // the store synced what it gave (R21)
    raft->recovered = raft->log.last;
    raft->verified = raft->commit;
    sk_raft_pledge_start(raft);
    raft->attempt = (raft->boot & UINT32_MAX) << 24; // no answer to an earlier life's pre-vote counts
    uint64_t last_term = sk_raft_log_last_term(&raft->log);
    bool behind = last_term > raft->term; // an entry outlived its term's state record
    if (behind) {
        raft->term = last_term;
        raft->vote = 0;
    }
    if (raft->void_tail) { // said on disk before anything new stands in its place (docs/raft.md, C5)
        uint64_t above = raft->log.base.index + 1;
        sk_raft_persist(raft, SK_RECORD_TRUNCATE, above, raft->log.base.term, sk_slice_make(NULL, 0));
        raft->void_tail = false;
        raft->base_record = raft->record_last;
        raft->base_shown = 0;
    }
    // Alone, there is nobody to refill from and nobody to contradict: it goes on with what is left.
    bool alone = raft->peer_count == 1;
    bool newly = (damaged || behind || raft->hole) && !raft->recovering && !alone;
    if (newly) raft->recovering = true;
    if (newly || behind) sk_raft_state_changed(raft);
    if (raft->recovering) {
        raft->why = damaged      ? "its log was damaged"
                    : raft->hole ? "a snapshot that its log goes on from is gone"
                                 : "it lost records that it had answered for";
        return; // election_at stays at never until a leader is heard
    }
    sk_ns silence = sk_raft_silence(raft);
    if (raft->first_choice) silence = raft->timing.election_min / 2;
    raft->election_at = alone ? raft->now : raft->now + silence;
}

// ---- Leader ----

void sk_raft_peer_lost(sk_raft_peer *peer)
{
    if (peer->recovering) return; // it knows, or is being told
    peer->lost = peer->recovering = true;
    peer->heal_index = 0;
}

void sk_raft_peer_recovering(sk_raft_replica *raft, sk_raft_peer *peer, bool says)
{
    if (says) {
        peer->lost = false; // it knows
        peer->recovering = true;
        if (!peer->heal_index) {
            // Committed without it and after it stopped voting, this outdates every candidate it may have
            // helped before.
            sk_raft_append(raft, 0, sk_slice_make(NULL, 0));
            peer->heal_index = raft->log.last;
        }
        sk_raft_active(raft);
        return;
    }
    bool healed =
        peer->recovering && !peer->lost && sk_raft_heal_of(raft, peer) && peer->matched >= peer->heal_index;
    if (!healed) return;
    peer->recovering = false;
    peer->heal_index = 0;
}

uint64_t sk_raft_heal_of(const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    return peer->recovering && peer->heal_index <= raft->commit ? peer->heal_index : 0;
}

// ---- Follower ----

void sk_raft_recovery_told(sk_raft_replica *raft, bool refill, uint64_t heal)
{
    if (refill && !raft->recovering && !raft->refilled) {
        raft->recovering = true;
        raft->why = "it lost records that it had acknowledged";
        sk_raft_state_changed(raft);
        return;
    }
    if (!raft->recovering || raft->healing || !heal || raft->verified < heal) return;
    // Records reach the disk in order: once this one is there, so are the entries up to `heal`.
    raft->healing = true;
    sk_raft_state_changed(raft);
}

void sk_raft_recovery_durable(sk_raft_replica *raft)
{
    if (!raft->healing || raft->record_durable < raft->state_record) return;
    raft->healing = false;
    raft->recovering = false;
    raft->refilled = true;
    raft->why = NULL;
    if (raft->election_at == SK_NEVER) raft->election_at = raft->now + sk_raft_silence(raft);
}
