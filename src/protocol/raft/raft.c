// The face of the seam: open, step, deadline, status. What each event means is in the file named after it.
#include "protocol/raft/raft.h"

#include "base/alloc.h"
#include "base/assert.h"

static sk_raft_replica *own(sk_replica *replica)
{
    return (sk_raft_replica *)(void *)replica;
}

static const sk_raft_replica *own_const(const sk_replica *replica)
{
    return (const sk_raft_replica *)(const void *)replica;
}

const char *sk_raft_reason_name(enum sk_raft_reason reason)
{
    static const char *const names[] = {
#define X(name) #name,
        SK_RAFT_REASONS(X)
#undef X
    };
    SK_ASSERT((unsigned)reason < SK_RAFT_REASON_COUNT);
    return names[reason];
}

void sk_raft_ignore(sk_raft_replica *raft, enum sk_raft_reason reason)
{
    SK_ASSERT((unsigned)reason < SK_RAFT_REASON_COUNT);
    raft->ignored[reason]++;
}

// ---- Effects ----

void sk_raft_persist(sk_raft_replica *raft, enum sk_record_kind kind, uint64_t position, uint64_t epoch,
                     sk_slice payload)
{
    if (raft->state_dirty && kind != SK_RECORD_STATE) sk_raft_state_write(raft);
    raft->record_last++;
    sk_raft_measure_record(raft);
    sk_effects_add(raft->out, SK_EFFECT_PERSIST)->persist.record = (sk_record){
        .kind = kind, .number = raft->record_last, .position = position, .epoch = epoch, .payload = payload};
}

// State record: vote u8, flags u8 (1: recovering), and once there was one, the longest pledge in ms, u16.
void sk_raft_state_write(sk_raft_replica *raft)
{
    if (!raft->state_dirty) return;
    raft->state_dirty = false;
    uint8_t bytes[4] = {(uint8_t)raft->vote, raft->recovering && !raft->healing, (uint8_t)raft->pledge_ms,
                        (uint8_t)(raft->pledge_ms >> 8)};
    sk_slice payload = sk_arena_copy(&raft->out->arena, sk_slice_make(bytes, raft->pledge_ms ? 4 : 2));
    sk_raft_persist(raft, SK_RECORD_STATE, 0, raft->term, payload);
    raft->state_record = raft->record_last;
}

void sk_raft_send_bytes(sk_raft_replica *raft, sk_node_id to, sk_slice message, uint64_t after,
                        enum sk_send_class class)
{
    SK_ASSERT(to != raft->self && after <= raft->record_last);
    sk_raft_state_write(raft); // I1
    if (after < raft->state_record) after = raft->state_record;
    if (after > raft->record_durable) {
        // Messages held back leave in the order made: a repeated acknowledgement does not overtake.
        if (after < raft->after_last) after = raft->after_last;
        raft->after_last = after;
    }
    sk_effect *effect = sk_effects_add(raft->out, SK_EFFECT_SEND);
    effect->send.to = to;
    effect->send.message = message;
    effect->send.after = after;
    effect->send.class = class;
}

void sk_raft_send(sk_raft_replica *raft, sk_node_id to, const sk_raft_message *message, uint64_t after,
                  enum sk_send_class class)
{
    sk_raft_send_bytes(raft, to, sk_raft_message_encode(&raft->out->arena, message), after, class);
}

void sk_raft_refuse(sk_raft_replica *raft, uint64_t request, int why)
{
    SK_ASSERT(request != 0 && why < 0);
    sk_effect *effect = sk_effects_add(raft->out, SK_EFFECT_REFUSE);
    effect->refuse.request = request;
    effect->refuse.why = why;
    effect->refuse.leader = raft->leader == raft->self ? 0 : raft->leader;
}

// ---- Open, close ----

static sk_replica *open_replica(const sk_setup *setup)
{
    SK_ASSERT(setup->member_count > 0 && setup->member_count <= SK_VOTERS_MAX);
    SK_ASSERT(setup->timing.heartbeat_active > 0 &&
              setup->timing.heartbeat_idle >= setup->timing.heartbeat_active);
    SK_ASSERT(setup->timing.election_min > 0 && setup->timing.election_max >= setup->timing.election_min);
    SK_ASSERT(setup->limits.inflight_count_max > 0);
    SK_ASSERT(setup->lease.length <= SK_RAFT_LEASE_MS_MAX * SK_MS && setup->lease.drift_ppm < 1000000);
    sk_raft_replica *raft = sk_alloc_zeroed(sizeof *raft);
    raft->self = setup->self;
    raft->boot = setup->boot;
    raft->first_choice = setup->first_choice;
    raft->limits = setup->limits;
    raft->timing = setup->timing;
    raft->lease = setup->lease;
    raft->now = setup->now;
    sk_prng_init(&raft->prng, setup->seed);
    sk_raft_position base = {setup->recovery.snapshot_position, setup->recovery.snapshot_epoch};
    sk_raft_log_init(&raft->log, base, setup->limits.window_bytes_max);
    raft->commit = raft->applied = raft->base_shown = base.index;
    raft->term = base.term;
    raft->self_slot = setup->member_count;
    for (size_t i = 0; i < setup->member_count; i++) {
        sk_raft_peer *peer = &raft->peers[raft->peer_count++];
        SK_ASSERT(setup->members[i].voter); // learners come with membership change
        peer->id = setup->members[i].id;
        sk_ring_init(&peer->inflight, sizeof(sk_raft_inflight));
        if (peer->id == setup->self) raft->self_slot = i;
    }
    SK_ASSERT(raft->self_slot < raft->peer_count);
    sk_ring_init(&raft->reads, sizeof(sk_raft_read));
    raft->election_at = raft->heartbeat_at = raft->quorum_until = raft->doubt_at = SK_NEVER;
    return (sk_replica *)(void *)raft;
}

static void close_replica(sk_replica *replica)
{
    sk_raft_replica *raft = own(replica);
    for (size_t i = 0; i < raft->peer_count; i++) sk_ring_deinit(&raft->peers[i].inflight);
    sk_ring_deinit(&raft->reads);
    sk_raft_log_deinit(&raft->log);
    sk_free(raft);
}

// ---- Events ----

static void on_submit(sk_raft_replica *raft, uint64_t request, sk_slice command)
{
    SK_ASSERT(request != 0);
    if (raft->role != SK_RAFT_LEADER) {
        sk_raft_refuse(raft, request, SK_ENOTLEADER);
        return;
    }
    if (raft->submits_pending + raft->reads_pending >= raft->limits.pending_max ||
        !sk_raft_log_make_room(&raft->log, raft->applied, command.size)) {
        sk_raft_refuse(raft, request, SK_EBUSY);
        return;
    }
    raft->submits_pending++;
    sk_raft_append(raft, request, command);
}

static void on_read(sk_raft_replica *raft, uint64_t request)
{
    SK_ASSERT(request != 0);
    if (!raft->leader) {
        sk_raft_refuse(raft, request, SK_ENOTLEADER);
    } else if (raft->submits_pending + raft->reads_pending >= raft->limits.pending_max) {
        sk_raft_refuse(raft, request, SK_EBUSY);
    } else {
        sk_raft_read_add(raft, request);
    }
}

static void on_link(sk_raft_replica *raft, const sk_event *event)
{
    sk_raft_peer *peer = sk_raft_peer_find(raft, event->link.peer);
    if (!peer || sk_raft_is_self(raft, peer)) return;
    bool was_linked = peer->linked;
    peer->linked = event->link.up;
    peer->down = !event->link.up;
    if (event->link.round_trip) peer->round_trip = event->link.round_trip;
    if (raft->role == SK_RAFT_LEADER && !was_linked && event->link.up) {
        // What was under way on the old link is lost: begin where it last acknowledged, and be heard at once.
        peer->retries = 0;
        peer->pace = 0; // perhaps another line
        if (peer->progress != SK_RAFT_SNAPSHOT) sk_raft_peer_restart(raft, peer, peer->matched + 1);
        sk_raft_heartbeat_to(raft, peer);
        raft->flush = true;
    }
    if (raft->role == SK_RAFT_LEADER && !event->link.up && peer->progress == SK_RAFT_SNAPSHOT) {
        sk_raft_snapshot_sent(raft, peer, raft->log.base, false);
    }
    if (!event->link.up && raft->leader == peer->id) sk_raft_leader_link_down(raft);
}

static void on_durable(sk_raft_replica *raft, uint64_t number)
{
    SK_ASSERT(number <= raft->record_last);
    if (number <= raft->record_durable) return;
    raft->record_durable = number;
    sk_raft_measure_durable(raft);
    sk_raft_log_durable(&raft->log, number);
    sk_raft_base_show(raft);
    sk_raft_recovery_durable(raft);
    sk_raft_election_durable(raft);
    if (raft->role == SK_RAFT_LEADER) sk_raft_commit_advance(raft);
}

// No vote, no acknowledgement, no office from here on (sticky). Entered when the disk failed, or cannot give
// back our log.
void sk_raft_halt(sk_raft_replica *raft, const char *why)
{
    SK_ASSERT(raft->role != SK_RAFT_HALTED && why);
    sk_raft_become_follower(raft, raft->term, 0);
    for (uint64_t i = raft->applied + 1; i <= raft->log.last && raft->submits_pending; i++) {
        sk_raft_entry *entry = sk_raft_log_entry(&raft->log, i);
        if (!entry || !entry->request) continue;
        sk_raft_refuse(raft, entry->request, SK_EUNKNOWN);
        entry->request = 0;
        raft->submits_pending--;
    }
    sk_raft_reads_refuse(raft);
    sk_raft_set_role(raft, SK_RAFT_HALTED);
    raft->why = why;
    raft->election_at = raft->doubt_at = SK_NEVER;
    raft->flush = false;
}

static void on_tick(sk_raft_replica *raft)
{
    raft->flush = false;
    sk_raft_apply(raft);
    sk_raft_pledge_tick(raft);
    sk_raft_doubt_tick(raft);
    sk_raft_election_tick(raft);
    if (raft->role == SK_RAFT_LEADER) {
        sk_raft_heartbeat_tick(raft);
        if (raft->role == SK_RAFT_LEADER) sk_raft_replicate(raft);
    }
    sk_raft_reads_tick(raft);
}

// ---- Received ----

// A sender of an older term is told ours, so that a leader or candidate left behind steps down
// (thesis 3.3, 9.6).
static void on_older_term(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    sk_raft_message answer = {.flags = SK_RAFT_REJECTED | sk_raft_answer_flags(raft), .term = raft->term};
    switch (message->kind) {
    case SK_RAFT_VOTE:
        answer.kind = SK_RAFT_VOTE_ANSWER;
        break;
    case SK_RAFT_APPEND:
    case SK_RAFT_HEARTBEAT:
        answer.kind = SK_RAFT_HEARTBEAT_ANSWER;
        break;
    case SK_RAFT_READ:
        answer.kind = SK_RAFT_READ_ANSWER;
        answer.boot = message->boot;
        answer.request = message->request;
        break;
    default:
        sk_raft_ignore(raft, SK_RAFT_IGNORE_old_term);
        return;
    }
    answer.boot = message->kind == SK_RAFT_READ ? message->boot : raft->boot;
    sk_raft_send(raft, from->id, &answer, 0, SK_SEND_URGENT);
}

static void dispatch(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    switch (message->kind) {
    case SK_RAFT_PREVOTE:
        sk_raft_on_prevote(raft, from, message);
        break;
    case SK_RAFT_PREVOTE_ANSWER:
        sk_raft_on_prevote_answer(raft, from, message);
        break;
    case SK_RAFT_VOTE:
        sk_raft_on_vote(raft, from, message);
        break;
    case SK_RAFT_VOTE_ANSWER:
        sk_raft_on_vote_answer(raft, from, message);
        break;
    case SK_RAFT_APPEND:
        sk_raft_on_append(raft, from, message);
        break;
    case SK_RAFT_APPEND_ANSWER:
        sk_raft_on_append_answer(raft, from, message);
        break;
    case SK_RAFT_HEARTBEAT:
        sk_raft_on_heartbeat(raft, from, message);
        break;
    case SK_RAFT_HEARTBEAT_ANSWER:
        sk_raft_on_heartbeat_answer(raft, from, message);
        break;
    case SK_RAFT_READ:
        sk_raft_on_read(raft, from, message);
        break;
    case SK_RAFT_READ_ANSWER:
        sk_raft_on_read_answer(raft, from, message);
        break;
    case SK_RAFT_DOUBT:
        sk_raft_on_doubt(raft, from, message);
        break;
    case SK_RAFT_KIND_NONE:
    case SK_RAFT_KIND_END:
        SK_UNREACHABLE();
    }
}

static bool from_leader(const sk_raft_message *message)
{
    return message->kind == SK_RAFT_APPEND || message->kind == SK_RAFT_HEARTBEAT;
}

static void on_receive(sk_raft_replica *raft, sk_node_id id, sk_slice bytes)
{
    sk_raft_message message;
    sk_raft_peer *from = sk_raft_peer_find(raft, id);
    if (!from || sk_raft_is_self(raft, from)) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_not_member);
        return;
    }
    if (!sk_raft_message_decode(bytes, &message)) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_malformed);
        return;
    }
    from->heard = raft->now;
    // A pre-vote is of no term yet: asking changes nobody's, and a voter's may be older than the candidate's.
    if (message.kind == SK_RAFT_PREVOTE ||
        (message.kind == SK_RAFT_PREVOTE_ANSWER && message.term <= raft->term)) {
        dispatch(raft, from, &message);
        return;
    }
    if (message.kind == SK_RAFT_VOTE && message.term >= raft->term && sk_raft_loyal(raft, id)) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_loyal);
        return;
    }
    if (message.term < raft->term) {
        on_older_term(raft, from, &message);
        return;
    }
    if (message.term > raft->term) sk_raft_become_follower(raft, message.term, 0);
    if (from_leader(&message)) {
        if (raft->role == SK_RAFT_LEADER || (raft->leader && raft->leader != id)) {
            sk_raft_ignore(raft, SK_RAFT_IGNORE_second_leader);
            return;
        }
        sk_raft_heed(raft, id, message.promise_ms);
    }
    dispatch(raft, from, &message);
}

// ---- Step ----

static void on_event(sk_raft_replica *raft, const sk_event *event)
{
    switch (event->kind) {
    case SK_EVENT_TICK:
        on_tick(raft);
        break;
    case SK_EVENT_LINK:
        on_link(raft, event);
        break;
    case SK_EVENT_RECEIVE:
        on_receive(raft, event->receive.from, event->receive.message);
        break;
    case SK_EVENT_SUBMIT:
        on_submit(raft, event->submit.request, event->submit.command);
        break;
    case SK_EVENT_READ:
        on_read(raft, event->read.request);
        break;
    case SK_EVENT_WAITING:
        sk_raft_asked(raft);
        break;
    case SK_EVENT_DURABLE:
        on_durable(raft, event->durable.number);
        break;
    case SK_EVENT_DISK_FAILED:
        sk_raft_halt(raft, "the disk failed");
        break;
    case SK_EVENT_RECORDS:
        sk_raft_peer_records(raft, event);
        sk_raft_apply_records(raft, event);
        break;
    case SK_EVENT_SNAPSHOT_TAKEN:
        sk_raft_snapshot_taken(raft, (sk_raft_position){event->snapshot.position, event->snapshot.epoch});
        break;
    case SK_EVENT_SNAPSHOT_RECEIVED:
        sk_raft_snapshot_received(raft, (sk_raft_position){event->snapshot.position, event->snapshot.epoch});
        break;
    case SK_EVENT_SNAPSHOT_SENT: {
        sk_raft_peer *peer = sk_raft_peer_find(raft, event->snapshot.peer);
        if (!peer) break;
        sk_raft_snapshot_sent(raft, peer, (sk_raft_position){event->snapshot.position, event->snapshot.epoch},
                              event->snapshot.ok);
        break;
    }
    }
}

static void on_event_halted(sk_raft_replica *raft, const sk_event *event)
{
    if (event->kind == SK_EVENT_SUBMIT) {
        sk_raft_refuse(raft, event->submit.request, SK_ENOTLEADER);
    } else if (event->kind == SK_EVENT_READ) {
        sk_raft_refuse(raft, event->read.request, SK_ENOTLEADER);
    } else if (event->kind == SK_EVENT_RECEIVE) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_halted);
    }
}

static sk_status status(const sk_replica *replica)
{
    static const enum sk_role roles[SK_RAFT_ROLE_COUNT] = {
        [SK_RAFT_FOLLOWER] = SK_ROLE_FOLLOWER,   [SK_RAFT_PRECANDIDATE] = SK_ROLE_CANDIDATE,
        [SK_RAFT_CANDIDATE] = SK_ROLE_CANDIDATE, [SK_RAFT_LEADER] = SK_ROLE_LEADER,
        [SK_RAFT_HALTED] = SK_ROLE_HALTED,
    };
    const sk_raft_replica *raft = own_const(replica);
    return (sk_status){.role = roles[raft->role],
                       .leader = raft->leader,
                       .epoch = raft->term,
                       .first = raft->base_shown + 1,
                       .last = raft->log.last,
                       .committed = raft->commit,
                       .applied = raft->applied,
                       .recovering = raft->recovering,
                       .why = raft->why};
}

static void step_end(sk_raft_replica *raft)
{
    sk_raft_state_write(raft);
    sk_status now = status((const sk_replica *)(const void *)raft);
    if (now.role != raft->shown.role || now.leader != raft->shown.leader || now.epoch != raft->shown.epoch ||
        now.recovering != raft->shown.recovering) {
        sk_effects_add(raft->out, SK_EFFECT_STATUS);
        raft->shown = now;
    }
    raft->out = NULL;
#ifdef SK_VERIFY
    sk_raft_check(raft, false);
#endif
}

static void step(sk_replica *replica, const sk_event *event, sk_effects *out)
{
    sk_raft_replica *raft = own(replica);
    SK_ASSERT(raft->started && event->now >= raft->now);
    raft->now = event->now;
    raft->out = out;
    if (raft->role == SK_RAFT_HALTED) {
        on_event_halted(raft, event);
    } else {
        on_event(raft, event);
    }
    step_end(raft);
}

static void recover(sk_replica *replica, const sk_record *record)
{
    SK_ASSERT(!own(replica)->started);
    sk_raft_recover(own(replica), record);
}

static void start(sk_replica *replica, sk_ns now, bool damaged, sk_effects *out)
{
    sk_raft_replica *raft = own(replica);
    SK_ASSERT(!raft->started && now >= raft->now);
    raft->now = now;
    raft->out = out;
    raft->started = true;
    sk_raft_start(raft, damaged);
    step_end(raft);
}

static sk_ns deadline(const sk_replica *replica)
{
    const sk_raft_replica *raft = own_const(replica);
    if (raft->role == SK_RAFT_HALTED) return SK_NEVER;
    if (raft->flush) return 0;
    sk_ns at = sk_raft_earlier(raft->election_at, sk_raft_reads_deadline(raft));
    at = sk_raft_earlier(at, raft->doubt_at);
    if (raft->role != SK_RAFT_LEADER) return at;
    at = sk_raft_earlier(at, sk_raft_earlier(raft->heartbeat_at, raft->quorum_until));
    for (size_t i = 0; i < raft->peer_count; i++) {
        const sk_raft_peer *peer = &raft->peers[i];
        if (peer->blocked_until > raft->now && !peer->down) at = sk_raft_earlier(at, peer->blocked_until);
    }
    return at;
}

static uint64_t fingerprint(const sk_replica *replica)
{
    return sk_raft_fingerprint(own_const(replica));
}

static sk_peer_status peer_status(const sk_replica *replica, sk_node_id id)
{
    const sk_raft_replica *raft = own_const(replica);
    for (size_t i = 0; i < raft->peer_count; i++) {
        const sk_raft_peer *peer = &raft->peers[i];
        if (peer->id != id || sk_raft_is_self(raft, peer)) continue;
        bool leads = raft->role == SK_RAFT_LEADER;
        return (sk_peer_status){.matched = leads ? peer->matched : 0,
                                .round_trip = peer->round_trip,
                                .heard = peer->heard,
                                .linked = peer->linked,
                                .boot = leads ? peer->boot : 0,
                                .recovering = leads && peer->recovering};
    }
    return (sk_peer_status){0};
}

static void check(const sk_replica *replica)
{
    sk_raft_check(own_const(replica), true);
}

const sk_protocol sk_raft = {
    .name = "raft",
    .total_order = true,
    .read_modify_write = true,
    .multi_key = true,
    .open = open_replica,
    .close = close_replica,
    .recover = recover,
    .start = start,
    .step = step,
    .deadline = deadline,
    .fingerprint = fingerprint,
    .status = status,
    .peer_status = peer_status,
    .check = check,
};
