// The log gives way to snapshots: compaction, sending, installing (paper 7; thesis 5). The node moves the
// bytes.
#include "base/assert.h"
#include "protocol/raft/raft.h"

void sk_raft_base_show(sk_raft_replica *raft)
{
    if (raft->record_durable >= raft->base_record) raft->base_shown = raft->log.base.index;
}

void sk_raft_snapshot_want(sk_raft_replica *raft)
{
    uint64_t entries = raft->applied - raft->log.base.index;
    bool is_long =
        entries > raft->limits.log_entries_max || raft->log.bytes_since_base > raft->limits.log_bytes_max;
    if (!is_long || !entries) return;
    // Asked once, and again if long after none has come.
    if (raft->wanted_at && raft->applied - raft->wanted_at <= raft->limits.log_entries_max / 4) return;
    raft->wanted_at = raft->applied;
    sk_effects_add(raft->out, SK_EFFECT_SNAPSHOT_WANTED);
}

void sk_raft_snapshot_taken(sk_raft_replica *raft, sk_raft_position position)
{
    if (position.index <= raft->log.base.index) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_snapshot_old);
        return;
    }
    SK_ASSERT(position.index <= raft->applied);
    sk_raft_log_compact(&raft->log, position);
    raft->wanted_at = 0;
    sk_raft_base_show(raft);
}

// ---- Leader ----

void sk_raft_snapshot_offer(sk_raft_replica *raft, sk_raft_peer *peer, uint64_t at_least)
{
    SK_ASSERT(raft->role == SK_RAFT_LEADER && !sk_raft_is_self(raft, peer));
    sk_raft_peer_restart(raft, peer, peer->matched + 1);
    peer->progress = SK_RAFT_SNAPSHOT;
    sk_effect *effect = sk_effects_add(raft->out, SK_EFFECT_SNAPSHOT_OFFERED);
    effect->snapshot_offered.to = peer->id;
    effect->snapshot_offered.at_least = at_least;
}

// Whatever became of it, the peer is probed again (N04): its own answer, not the transfer, says what it
// holds.
void sk_raft_snapshot_sent(sk_raft_replica *raft, sk_raft_peer *peer, sk_raft_position position, bool ok)
{
    if (raft->role != SK_RAFT_LEADER || peer->progress != SK_RAFT_SNAPSHOT) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_stale);
        return;
    }
    raft->flush = true;
    if (ok) {
        peer->snapshot_failures = 0;
        sk_raft_peer_restart(raft, peer, sk_raft_later(peer->matched, position.index) + 1);
        return;
    }
    if (peer->snapshot_failures < 5) peer->snapshot_failures++;
    peer->blocked_until = raft->now + (raft->timing.election_min << (peer->snapshot_failures - 1));
    sk_raft_peer_restart(raft, peer, peer->matched + 1);
}

// ---- Follower ----

// The machine has jumped over these: their submitters can no longer be given a result (R30).
static void skip_to(sk_raft_replica *raft, uint64_t index)
{
    for (uint64_t i = raft->applied + 1; i <= index && raft->submits_pending; i++) {
        sk_raft_entry *entry = sk_raft_log_entry(&raft->log, i);
        if (!entry || !entry->request) continue;
        sk_raft_refuse(raft, entry->request, SK_EUNKNOWN);
        entry->request = 0;
        raft->submits_pending--;
    }
    raft->applied = index;
    raft->apply_fetching = false;
    if (raft->commit < index) raft->commit = index;
}

void sk_raft_snapshot_received(sk_raft_replica *raft, sk_raft_position position)
{
    sk_raft_log *log = &raft->log;
    bool held = position.index <= log->last && position.index >= log->floor.index &&
                sk_raft_log_term(log, position.index) == position.term;
    if (position.index <= raft->applied || (!held && raft->role == SK_RAFT_LEADER)) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_snapshot_old); // N02
        return;
    }
    if (!held && position.index <= raft->commit) {
        sk_raft_halt(raft, "a snapshot contradicts what is committed");
        return;
    }
    if (position.term > raft->term) sk_raft_become_follower(raft, position.term, 0);
    skip_to(raft, position.index);
    if (held) { // what we have behind it stays (paper fig. 13, 6)
        if (log->durable < position.index) log->durable = position.index;
        sk_raft_log_compact(log, position);
    } else { // N01
        raft->submits_pending = 0;
        sk_raft_log_reset(log, position);
        sk_raft_persist(raft, SK_RECORD_TRUNCATE, position.index + 1, position.term, sk_slice_make(NULL, 0));
    }
    raft->base_record = raft->record_last;
    raft->wanted_at = 0;
    if (raft->verified < raft->commit || !held) raft->verified = raft->commit;
    sk_raft_base_show(raft);
    sk_raft_reads_settle(raft);
    sk_raft_apply(raft);
}
