// What is ordered for good, and giving it to the machine (paper 5.3, 5.4.2).
#include "base/assert.h"
#include "protocol/quorum.h"
#include "protocol/raft/raft.h"

// One step's applies; the rest follows in the same turn's ticks.
enum { APPLY_COUNT_MAX = 4096, APPLY_BYTES_MAX = 1024 * 1024 };

// The one place where a majority of the configuration is counted.
uint64_t sk_raft_majority(const sk_raft_replica *raft,
                          uint64_t (*value)(const sk_raft_replica *raft, const sk_raft_peer *peer))
{
    uint64_t values[SK_VOTERS_MAX];
    for (size_t i = 0; i < raft->peer_count; i++) values[i] = value(raft, &raft->peers[i]);
    return sk_quorum_reached(values, raft->peer_count);
}

// Our own vote is what our own disk has (R20).
static uint64_t durable_at(const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    if (sk_raft_is_self(raft, peer)) return raft->log.durable;
    return peer->recovering ? 0 : peer->matched;
}

void sk_raft_commit_advance(sk_raft_replica *raft)
{
    SK_ASSERT(raft->role == SK_RAFT_LEADER);
    uint64_t index = sk_raft_majority(raft, durable_at);
    if (index <= raft->commit) return;
    if (index < raft->term_start) return; // an earlier term's entries are not counted (paper 5.4.2, R04)
    SK_ASSERT(sk_raft_log_term(&raft->log, index) == raft->term);
    raft->commit = index;
    sk_raft_active(raft); // so that followers hear of it
    sk_raft_apply(raft);
    sk_raft_reads_settle(raft);
}

void sk_raft_commit_learn(sk_raft_replica *raft, uint64_t commit)
{
    SK_ASSERT(raft->role == SK_RAFT_FOLLOWER && raft->verified <= raft->log.last);
    if (commit > raft->verified) commit = raft->verified;
    if (commit <= raft->commit) return;
    raft->commit = commit;
    sk_raft_apply(raft);
}

// ---- Apply ----

static void apply_one(sk_raft_replica *raft, uint64_t term, uint64_t request, sk_slice payload)
{
    raft->applied++;
    SK_ASSERT(raft->applied <= raft->commit);
    sk_effect *effect = sk_effects_add(raft->out, SK_EFFECT_APPLY);
    effect->apply.position = raft->applied;
    effect->apply.epoch = term;
    effect->apply.request = request;
    effect->apply.payload = payload;
    if (request) {
        SK_ASSERT(raft->submits_pending > 0);
        raft->submits_pending--;
    }
}

static void fetch_to_apply(sk_raft_replica *raft)
{
    raft->apply_fetching = true;
    uint64_t before_window = sk_raft_log_window_first(&raft->log) - 1;
    sk_effect *effect = sk_effects_add(raft->out, SK_EFFECT_FETCH);
    effect->fetch.from = raft->applied + 1;
    effect->fetch.to = sk_raft_earlier(raft->commit, before_window);
}

static void applied_more(sk_raft_replica *raft)
{
    sk_raft_snapshot_want(raft);
    sk_raft_reads_settle(raft);
}

void sk_raft_apply(sk_raft_replica *raft)
{
    uint64_t before = raft->applied;
    size_t bytes = 0;
    while (raft->applied < raft->commit && !raft->apply_fetching) {
        sk_raft_entry *entry = sk_raft_log_entry(&raft->log, raft->applied + 1);
        if (!entry) {
            fetch_to_apply(raft);
            break;
        }
        if (raft->applied - before >= APPLY_COUNT_MAX || bytes >= APPLY_BYTES_MAX) {
            raft->flush = true;
            break;
        }
        bytes += entry->payload.size;
        uint64_t request = entry->request;
        entry->request = 0;
        apply_one(raft, entry->term, request, entry->payload);
    }
    if (raft->applied > before) applied_more(raft);
}

void sk_raft_apply_records(sk_raft_replica *raft, const sk_event *event)
{
    if (!raft->apply_fetching || event->records.from != raft->applied + 1) {
        // Answers come in order: an older one for apply was overtaken by an installed snapshot.
        return;
    }
    raft->apply_fetching = false;
    if (event->records.error) {
        sk_raft_halt(raft, "its log cannot be read back"); // order forbids to go on without it
        return;
    }
    uint64_t before = raft->applied;
    for (size_t i = 0; i < event->records.count && raft->applied < raft->commit; i++) {
        const sk_record *record = &event->records.list[i];
        if (record->position != raft->applied + 1) break;
        if (record->epoch != sk_raft_log_term(&raft->log, record->position))
            break; // read before it was replaced
        // The event's bytes are borrowed for the step; effects last until the next.
        apply_one(raft, record->epoch, 0, sk_arena_copy(&raft->out->arena, record->payload));
    }
    if (raft->applied > before) applied_more(raft);
    raft->flush = true;
}

void sk_raft_submits_abandon(sk_raft_replica *raft)
{
    if (!raft->submits_pending) return;
    uint64_t first = sk_raft_log_window_first(&raft->log);
    for (uint64_t i = sk_raft_later(raft->commit + 1, first); i <= raft->log.last; i++) {
        sk_raft_entry *entry = sk_raft_log_entry(&raft->log, i);
        if (!entry->request) continue;
        sk_raft_refuse(raft, entry->request, SK_EUNKNOWN);
        entry->request = 0;
        raft->submits_pending--;
    }
}
