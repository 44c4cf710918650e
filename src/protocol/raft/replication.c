// The log goes to the followers: probe, pipeline, back off, acknowledge (paper 5.3; thesis 10.2).
#include "base/assert.h"
#include "protocol/raft/raft.h"

enum { RETRY_DOUBLINGS_MAX = 5 };

static sk_raft_entry *append_entry(sk_raft_replica *raft, uint64_t term, sk_slice payload)
{
    sk_raft_entry *entry = sk_raft_log_append(&raft->log, term, raft->record_last + 1, payload);
    sk_raft_persist(raft, SK_RECORD_ENTRY, raft->log.last, term, entry->payload);
    return entry;
}

void sk_raft_append(sk_raft_replica *raft, uint64_t request, sk_slice payload)
{
    SK_ASSERT(raft->role == SK_RAFT_LEADER);
    append_entry(raft, raft->term, payload)->request = request;
    raft->flush = true;
    sk_raft_active(raft);
}

// ---- Sending ----

// What was last built in this turn: followers in step get the same bytes.
typedef struct built {
    uint64_t next;
    uint64_t last;
    sk_slice message;
} built;

static sk_raft_message append_header(const sk_raft_replica *raft, uint64_t next)
{
    return (sk_raft_message){.kind = SK_RAFT_APPEND,
                             .term = raft->term,
                             .previous_index = next - 1,
                             .previous_term = sk_raft_log_term(&raft->log, next - 1),
                             .commit = raft->commit,
                             .promise_ms = sk_raft_promise_ms(raft)};
}

// Entries in memory from `next`, as many as one message holds, at least one if there is one.
static built build(sk_raft_replica *raft, uint64_t next)
{
    size_t size = 0;
    uint64_t last = next - 1;
    while (last < raft->log.last) {
        size_t more = sk_raft_entry_size(sk_raft_log_entry(&raft->log, last + 1)->payload.size);
        if (size && size + more > raft->limits.message_bytes_max) break;
        size += more;
        last++;
    }
    sk_raft_message header = append_header(raft, next);
    sk_raft_writer writer = sk_raft_writer_begin(&raft->out->arena, &header, size);
    for (uint64_t i = next; i <= last; i++) {
        const sk_raft_entry *entry = sk_raft_log_entry(&raft->log, i);
        sk_raft_writer_add(&writer, entry->term, entry->payload);
    }
    return (built){.next = next, .last = last, .message = sk_raft_writer_end(&writer)};
}

static bool may_send(const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    if (peer->down || peer->fetching || raft->now < peer->blocked_until) return false;
    if (peer->progress == SK_RAFT_SNAPSHOT) return false;
    if (peer->progress == SK_RAFT_PROBE) return !peer->probing;
    return peer->next <= raft->log.last && peer->inflight.count < raft->limits.inflight_count_max &&
           peer->inflight_bytes < raft->limits.inflight_bytes_max;
}

// Sent without waiting for our own disk: only our own vote for it waits (thesis 10.2.1).
static void send_append(sk_raft_replica *raft, sk_raft_peer *peer, sk_slice message, uint64_t last)
{
    sk_raft_send_bytes(raft, peer->id, message, 0, SK_SEND_BULK);
    peer->sent = raft->now;
    if (peer->progress == SK_RAFT_PROBE) {
        peer->probing = true;
        return;
    }
    sk_raft_inflight *inflight = sk_ring_push(&peer->inflight);
    *inflight = (sk_raft_inflight){.previous = peer->next - 1, .last = last, .bytes = message.size, .sent = raft->now};
    peer->inflight_bytes += message.size;
    peer->next = last + 1;
}

static void fetch_for(sk_raft_replica *raft, sk_raft_peer *peer)
{
    peer->fetching = peer->next;
    sk_effect *effect = sk_effects_add(raft->out, SK_EFFECT_FETCH);
    effect->fetch.from = peer->next;
    effect->fetch.to = sk_raft_log_window_first(&raft->log) - 1;
}

static bool answers(const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    return raft->now - peer->answered < raft->timing.heartbeat_idle + raft->timing.election_max;
}

static void replicate_to(sk_raft_replica *raft, sk_raft_peer *peer, built *shared)
{
    while (may_send(raft, peer)) {
        if (peer->next <= raft->log.floor.index) {
            if (answers(raft, peer)) sk_raft_snapshot_offer(raft, peer, raft->log.floor.index);
            return;
        }
        if (peer->next <= raft->log.last && !sk_raft_log_entry(&raft->log, peer->next)) {
            if (answers(raft, peer)) fetch_for(raft, peer);
            return;
        }
        if (shared->next != peer->next) *shared = build(raft, peer->next);
        send_append(raft, peer, shared->message, shared->last);
    }
}

void sk_raft_replicate(sk_raft_replica *raft)
{
    SK_ASSERT(raft->role == SK_RAFT_LEADER);
    built shared = {.next = 0};
    for (size_t i = 0; i < raft->peer_count; i++) {
        if (i != raft->self_slot) replicate_to(raft, &raft->peers[i], &shared);
    }
}

void sk_raft_peer_restart(sk_raft_replica *raft, sk_raft_peer *peer, uint64_t next)
{
    SK_ASSERT(next > peer->matched || sk_raft_is_self(raft, peer));
    peer->progress = SK_RAFT_PROBE;
    peer->probing = false;
    peer->next = next <= raft->log.last + 1 ? next : raft->log.last + 1;
    peer->fetching = 0;
    peer->inflight_bytes = 0;
    sk_ring_pop_front(&peer->inflight, peer->inflight.count);
    peer->sent = peer->progressed = raft->now;
}

// Entries that had left memory, from the disk: one run of them for one peer, as far as its bounds allow.
static void send_records(sk_raft_replica *raft, sk_raft_peer *peer, const sk_event *event)
{
    size_t at = 0;
    while (at < event->records.count && may_send(raft, peer)) {
        uint64_t next = event->records.from + at;
        if (peer->next != next || next <= raft->log.floor.index) return;
        size_t size = 0, end = at;
        while (end < event->records.count) {
            const sk_record *record = &event->records.list[end];
            uint64_t index = event->records.from + end;
            if (record->position != index || index > raft->log.last) break;
            if (record->epoch != sk_raft_log_term(&raft->log, index)) break; // read before it was replaced
            size_t more = sk_raft_entry_size(record->payload.size);
            if (size && size + more > raft->limits.message_bytes_max) break;
            size += more;
            end++;
        }
        if (end == at) return;
        sk_raft_message header = append_header(raft, next);
        sk_raft_writer writer = sk_raft_writer_begin(&raft->out->arena, &header, size);
        for (; at < end; at++) {
            sk_raft_writer_add(&writer, event->records.list[at].epoch, event->records.list[at].payload);
        }
        send_append(raft, peer, sk_raft_writer_end(&writer), next + (end - 1 - (next - event->records.from)));
    }
}

void sk_raft_peer_records(sk_raft_replica *raft, const sk_event *event)
{
    if (raft->role != SK_RAFT_LEADER) return;
    for (size_t i = 0; i < raft->peer_count; i++) {
        sk_raft_peer *peer = &raft->peers[i];
        if (peer->fetching != event->records.from || !peer->fetching) continue;
        peer->fetching = 0;
        if (event->records.error) {
            uint64_t at_least = sk_raft_later(event->records.from, raft->log.base.index);
            sk_raft_snapshot_offer(raft, peer, at_least);
        } else {
            send_records(raft, peer, event);
        }
        raft->flush = true;
    }
}

// ---- Follower ----

// The record that puts this entry on disk, 0 if it is there.
static uint64_t record_of(const sk_raft_replica *raft, uint64_t index)
{
    if (index <= raft->log.durable) return 0;
    return sk_raft_log_entry(&raft->log, index)->record;
}

static void answer_append(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message,
                          uint64_t match)
{
    sk_raft_message answer = {.kind = SK_RAFT_APPEND_ANSWER,
                              .flags = sk_raft_answer_flags(raft),
                              .term = raft->term,
                              .previous_index = message->previous_index,
                              .boot = raft->boot,
                              .recovered = raft->recovered,
                              .match = match};
    // Also what we had before is acknowledged only from the disk (R20).
    sk_raft_send(raft, from->id, &answer, record_of(raft, match), SK_SEND_URGENT);
}

// The hint takes the leader back a whole term at once (thesis 3.5, end).
static void reject_append(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    sk_raft_message answer = {.kind = SK_RAFT_APPEND_ANSWER,
                              .flags = SK_RAFT_REJECTED | sk_raft_answer_flags(raft),
                              .term = raft->term,
                              .previous_index = message->previous_index,
                              .boot = raft->boot,
                              .recovered = raft->recovered,
                              .conflict_index = raft->log.last + 1};
    if (message->previous_index <= raft->log.last && message->previous_index > raft->log.floor.index) {
        answer.conflict_term = sk_raft_log_term(&raft->log, message->previous_index);
        answer.conflict_index = sk_raft_log_term_first(&raft->log, message->previous_index);
    }
    if (answer.conflict_index <= raft->commit) answer.conflict_index = raft->commit + 1;
    sk_raft_send(raft, from->id, &answer, 0, SK_SEND_URGENT);
}

// Walks entries that we hold equal already. False: one contradicts what is committed, or what this leader itself sent before.
static bool skip_equal(const sk_raft_replica *raft, uint64_t *index, sk_slice *entries)
{
    uint64_t settled = sk_raft_later(raft->commit, raft->verified);
    sk_raft_sent_entry entry;
    while (*index < raft->log.last) {
        sk_slice rest = *entries;
        if (!sk_raft_entries_next(&rest, &entry)) return true;
        bool known = *index + 1 > raft->log.floor.index;
        if (known && sk_raft_log_term(&raft->log, *index + 1) != entry.term) return *index + 1 > settled;
        *entries = rest;
        ++*index;
    }
    return true;
}

void sk_raft_on_append(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    SK_ASSERT(raft->leader == from->id && raft->role == SK_RAFT_FOLLOWER);
    sk_raft_log *log = &raft->log;
    uint64_t index = message->previous_index;
    bool known = index <= log->last && index >= log->floor.index;
    if (index > log->last || (known && sk_raft_log_term(log, index) != message->previous_term)) {
        if (index <= raft->commit) {
            sk_raft_ignore(raft, SK_RAFT_IGNORE_conflict_below_commit);
        } else {
            reject_append(raft, from, message);
        }
        return;
    }
    sk_slice entries = message->entries;
    if (!skip_equal(raft, &index, &entries)) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_conflict_below_commit);
        return;
    }
    if (entries.size) {
        if (index < log->last) {
            SK_ASSERT(index >= raft->commit);
            sk_raft_log_truncate(log, index + 1); // on disk the next entry written there says it
        }
        sk_raft_sent_entry entry;
        sk_slice rest = entries;
        while (sk_raft_entries_next(&rest, &entry)) {
            if (!sk_raft_log_make_room(log, raft->applied, entry.payload.size)) break; // the rest comes again
            append_entry(raft, entry.term, entry.payload);
            index++;
        }
    }
    if (index > raft->verified) raft->verified = index;
    answer_append(raft, from, message, index);
    sk_raft_commit_learn(raft, message->commit);
}

// ---- Answers ----

// A line may be slow (its bulk waits while heartbeats overtake), a disk too: repeats must not add to the load.
static const sk_ns RETRY_PATIENCE = 5 * SK_S;

sk_ns sk_raft_retry_after(const sk_raft_replica *raft, const sk_raft_peer *peer)
{
    sk_ns after = sk_raft_later(2 * raft->timing.heartbeat_active, 2 * peer->round_trip);
    after = sk_raft_later(after, 3 * peer->pace);
    after <<= peer->retries < RETRY_DOUBLINGS_MAX ? peer->retries : RETRY_DOUBLINGS_MAX;
    // A line that was slow once may be well again: patience has an end (seed 746).
    return sk_raft_earlier(after, sk_raft_later(RETRY_PATIENCE, 2 * peer->pace));
}

static void measure_pace(const sk_raft_replica *raft, sk_raft_peer *peer, sk_ns sent)
{
    sk_ns sample = raft->now - sent;
    peer->pace = sample > peer->pace ? sample : (peer->pace * 7 + sample) / 8; // up at once, down slowly
}

static void on_rejected(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    bool expected = from->progress == SK_RAFT_PROBE
                        ? from->probing && message->previous_index == from->next - 1
                        : message->previous_index < from->next;
    if (from->progress == SK_RAFT_SNAPSHOT || message->previous_index <= from->matched || !expected) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_stale); // R25
        return;
    }
    if (message->previous_index <= from->acknowledged) sk_raft_peer_lost(from);
    uint64_t next = message->conflict_index;
    if (message->conflict_term) {
        // If we have that term too, all of ours of it may agree: begin behind our last one.
        uint64_t end = sk_raft_log_term_end(&raft->log, message->conflict_term);
        if (end > raft->log.floor.index && sk_raft_log_term(&raft->log, end) == message->conflict_term) {
            next = end + 1;
        }
    }
    if (next > message->previous_index) next = message->previous_index;
    if (next <= from->matched) next = from->matched + 1;
    sk_raft_peer_restart(raft, from, next);
    raft->flush = true;
}

// It had room for a part only of what was sent: what follows would be refused, so the rest goes again at once.
static bool took_a_part(const sk_raft_peer *peer, uint64_t previous, uint64_t match)
{
    for (size_t i = 0; i < peer->inflight.count; i++) {
        const sk_raft_inflight *inflight = sk_ring_at(&peer->inflight, i);
        if (inflight->previous == previous) return match < inflight->last;
    }
    return false;
}

static void on_accepted(sk_raft_replica *raft, sk_raft_peer *from, uint64_t previous, uint64_t match)
{
    bool further = match > from->matched;
    if (further) {
        from->matched = match; // only ever up (R25)
        from->progressed = raft->now;
        from->retries = 0;
        if (from->probing) measure_pace(raft, from, from->sent);
    }
    if (match > from->received) from->received = match;
    while (from->inflight.count) {
        const sk_raft_inflight *inflight = sk_ring_at(&from->inflight, 0);
        if (inflight->last > match) break;
        from->inflight_bytes -= inflight->bytes;
        measure_pace(raft, from, inflight->sent);
        sk_ring_pop_front(&from->inflight, 1);
    }
    bool fits = from->progress == SK_RAFT_PROBE && match + 1 >= from->next;
    bool refilled = from->progress == SK_RAFT_SNAPSHOT && match >= raft->log.floor.index && match > 0;
    if (fits || refilled) {
        sk_raft_peer_restart(raft, from, from->matched + 1);
        from->progress = SK_RAFT_REPLICATE;
        from->snapshot_failures = 0;
    }
    if (further && took_a_part(from, previous, match)) sk_raft_peer_restart(raft, from, match + 1);
    if (from->next <= from->matched) from->next = from->matched + 1;
    if (from->next <= raft->log.last) raft->flush = true;
}

void sk_raft_on_append_answer(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    if (raft->role != SK_RAFT_LEADER) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_wrong_role);
        return;
    }
    if (message->match > raft->log.last || message->previous_index > raft->log.last) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_impossible_index);
        return;
    }
    if (!sk_raft_heard(raft, from, message)) return;
    if (message->flags & SK_RAFT_REJECTED) {
        on_rejected(raft, from, message);
    } else {
        on_accepted(raft, from, message->previous_index, message->match);
        sk_raft_commit_advance(raft);
    }
    if (from->matched < raft->log.last) sk_raft_active(raft);
}
