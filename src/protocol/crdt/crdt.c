#include "protocol/crdt/crdt.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"

sk_crdt_replica *sk_crdt_of(sk_replica *replica)
{
    return (sk_crdt_replica *)(void *)replica;
}

static const sk_crdt_replica *own_const(const sk_replica *replica)
{
    return (const sk_crdt_replica *)(const void *)replica;
}

static sk_replica *open_replica(const sk_setup *setup)
{
    sk_crdt_replica *crdt = sk_alloc_zeroed(sizeof *crdt);
    sk_merger_init(&crdt->core, setup, &sk_crdt_form);
    crdt->kept = crdt->core.first;
    crdt->repeat_at = SK_NEVER;
    crdt->peers = sk_alloc_zeroed(setup->member_count * sizeof *crdt->peers);
    for (size_t i = 0; i < setup->member_count; i++)
        sk_merger_add_peer(&crdt->core, setup->members[i].id, &crdt->peers[crdt->core.peer_count].core);
    return (sk_replica *)(void *)crdt;
}

static void close_replica(sk_replica *replica)
{
    sk_crdt_replica *crdt = sk_crdt_of(replica);
    sk_merger_deinit(&crdt->core);
    for (size_t i = 0; i < crdt->core.peer_count; i++) sk_buffer_deinit(&crdt->peers[i].held);
    sk_free(crdt->peers);
    sk_vector_deinit(&crdt->closed);
    sk_vector_deinit(&crdt->torn);
    sk_free(crdt);
}

static sk_crdt_peer *own_peer(sk_merger_peer *peer)
{
    return (sk_crdt_peer *)(void *)peer; // its first member
}

// ---- Recovery: records are merged again; what the snapshot has already is passed over ----
//
// Behind a gap in their numbers (a lost snapshot, damage) only operations are: they say themselves what they follow. A chunk is the
// difference to a state that is not there, and what it says to have been seen of a key would be taken for overwritten, here and then
// everywhere; a vector behind it would claim it. Peers are asked for that again. What is older than the snapshot is in it, or was passed over
// for that reason when the snapshot was taken.

static void recover_life(sk_crdt_replica *crdt, sk_slice bytes)
{
    sk_reader reader = sk_reader_make(bytes);
    uint64_t life = sk_read_varint(&reader);
    if (sk_reader_done(&reader) && life > crdt->core.lived) crdt->core.lived = life;
}

static void recover_joined(sk_crdt_replica *crdt, sk_slice bytes)
{
    sk_reader reader = sk_reader_make(bytes);
    sk_vector seen = {0};
    sk_vector base = {0};
    bool full = sk_read_u8(&reader);
    sk_vector_read(&seen, &reader, SK_MERGER_VECTOR_MAX);
    sk_vector_read(&base, &reader, SK_MERGER_VECTOR_MAX);
    if (sk_reader_done(&reader)) crdt->core.ops->join(crdt->core.machine, &seen, full ? &base : NULL);
    sk_vector_deinit(&seen);
    sk_vector_deinit(&base);
}

static void recover(sk_replica *replica, const sk_record *record)
{
    sk_crdt_replica *crdt = sk_crdt_of(replica);
    uint64_t before = crdt->core.recovered;
    if (!sk_merger_recover(&crdt->core, record)) return;
    crdt->gap |= record->number > before + 1;
    enum sk_crdt_record kind = (enum sk_crdt_record)record->payload.data[0];
    sk_slice bytes = sk_slice_make(record->payload.data + 1, record->payload.size - 1);
    bool in_snapshot = record->number <= crdt->core.number, difference = kind == SK_CRDT_RECORD_CHUNK || kind == SK_CRDT_RECORD_JOINED;
    if (kind == SK_CRDT_RECORD_LIFE) recover_life(crdt, bytes);
    if (in_snapshot) return;
    if (crdt->gap && difference) {
        crdt->counts.gaps++;
        return;
    }
    size_t taken; // of operations behind a gap, none: peers have what was sent
    if (kind == SK_CRDT_RECORD_OPERATIONS) crdt->core.ops->apply(crdt->core.machine, 0, bytes, &taken);
    if (kind == SK_CRDT_RECORD_CHUNK) crdt->core.ops->merge(crdt->core.machine, 0, bytes);
    if (kind == SK_CRDT_RECORD_JOINED) recover_joined(crdt, bytes);
}

static void persist_life(sk_crdt_replica *crdt)
{
    sk_buffer_clear(&crdt->core.scratch);
    sk_write_varint(&crdt->core.scratch, crdt->core.life);
    sk_merger_persist(&crdt->core, SK_CRDT_RECORD_LIFE, sk_buffer_slice(&crdt->core.scratch), 0);
    crdt->life_again = crdt->core.number;
}

void sk_crdt_begin_life(sk_crdt_replica *crdt, uint64_t beyond)
{
    sk_merger_begin_life(&crdt->core, beyond);
    persist_life(crdt);
    crdt->core.send_after = crdt->core.number;
}

static void start(sk_replica *replica, sk_ns now, bool damaged, sk_effects *out)
{
    sk_crdt_replica *crdt = sk_crdt_of(replica);
    sk_merger_start(&crdt->core, now, damaged || crdt->gap ? sk_life_beyond_time(crdt->core.boot) : 0, out);
    persist_life(crdt);
    crdt->core.send_after = crdt->core.number;
    sk_merger_changed(&crdt->core);
    sk_effects_add(out, SK_EFFECT_STATUS);
    crdt->core.out = NULL;
}

// ---- Events ----

static void on_link(sk_crdt_replica *crdt, const sk_event *event)
{
    sk_crdt_peer *peer = own_peer(sk_merger_find_peer(&crdt->core, event->link.peer));
    if (!peer) return;
    bool was = peer->core.linked;
    peer->core.linked = event->link.up;
    if (event->link.round_trip) peer->core.round_trip = event->link.round_trip;
    if (was && !peer->core.linked) sk_crdt_sync_drop(crdt, peer);
    if (!was && peer->core.linked) sk_crdt_report_to(crdt, peer);
}

static void on_message(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message)
{
    switch ((enum sk_crdt_kind)message->kind) {
    case SK_CRDT_OPERATIONS: sk_crdt_on_operations(crdt, peer, message->bytes); break;
    case SK_CRDT_REPORT: sk_crdt_on_report(crdt, peer, message); break;
    case SK_CRDT_ASK: sk_crdt_on_ask(crdt, peer, message); break;
    case SK_CRDT_CHUNK: sk_crdt_on_chunk(crdt, peer, message); break;
    case SK_CRDT_GRANT: sk_crdt_on_grant(crdt, peer, message); break;
    case SK_CRDT_DONE: sk_crdt_on_done(crdt, peer, message); break;
    case SK_CRDT_KIND_END: break;
    }
}

static void on_receive(sk_crdt_replica *crdt, const sk_event *event)
{
    sk_merger_message message;
    sk_merger_peer *peer = sk_merger_on_receive(&crdt->core, event, &message);
    if (peer) on_message(crdt, own_peer(peer), &message);
    sk_merger_message_deinit(&message);
}

// What the snapshot has is not needed any more, once our life is on disk behind it.
static void give_back(sk_crdt_replica *crdt)
{
    if (crdt->core.durable >= crdt->life_again) crdt->kept = crdt->core.first;
}

static void on_snapshot(sk_crdt_replica *crdt, const sk_event *event)
{
    sk_merger_on_snapshot(&crdt->core, event);
    if (event->snapshot.ok && crdt->life_again <= event->snapshot.position) persist_life(crdt); // a snapshot does not tell it
    give_back(crdt);
}

static void on_event(sk_crdt_replica *crdt, const sk_event *event)
{
    switch (event->kind) {
    case SK_EVENT_TICK:
        sk_merger_clear_due(&crdt->core);
        sk_crdt_flush(crdt);
        sk_crdt_sync_tick(crdt);
        sk_crdt_report_tick(crdt);
        break;
    case SK_EVENT_LINK: on_link(crdt, event); break;
    case SK_EVENT_RECEIVE: on_receive(crdt, event); break;
    case SK_EVENT_SUBMIT:
        if (sk_merger_admit(&crdt->core, event)) sk_merger_run(&crdt->core, event);
        break;
    case SK_EVENT_READ: sk_merger_on_read(&crdt->core, event); break;
    case SK_EVENT_DURABLE:
        if (sk_merger_on_durable(&crdt->core, event)) sk_crdt_ask_somebody(crdt);
        give_back(crdt);
        break;
    case SK_EVENT_DISK_FAILED: sk_merger_halt(&crdt->core); break;
    case SK_EVENT_SNAPSHOT_TAKEN: on_snapshot(crdt, event); break;
    case SK_EVENT_WAITING:
    case SK_EVENT_RECORDS:
    case SK_EVENT_SNAPSHOT_RECEIVED:
    case SK_EVENT_SNAPSHOT_SENT: break; // of others: nothing waits here, and these are never asked for
    }
}

static void step(sk_replica *replica, const sk_event *event, sk_effects *out)
{
    sk_crdt_replica *crdt = sk_crdt_of(replica);
    if (sk_merger_step(&crdt->core, event, out)) {
        // What others bring is recorded behind what was done here before it.
        if (event->kind == SK_EVENT_RECEIVE) sk_crdt_flush(crdt);
        on_event(crdt, event);
    }
    crdt->core.out = NULL;
}

static sk_ns deadline(const sk_replica *replica)
{
    const sk_crdt_replica *crdt = own_const(replica);
    sk_ns report = sk_crdt_report_deadline(crdt), sync = sk_merger_sync_deadline(&crdt->core);
    return sk_merger_deadline(&crdt->core, report < sync ? report : sync);
}

static uint64_t fingerprint(const sk_replica *replica)
{
    const sk_crdt_replica *crdt = own_const(replica);
    uint64_t hash = sk_merger_fingerprint(&crdt->core);
    hash = sk_hash_mix(hash, crdt->core.ask.peer ? crdt->core.ask.peer->id : 0);
    for (size_t i = 0; i < crdt->core.peer_count; i++) {
        const sk_crdt_peer *peer = &crdt->peers[i];
        hash = sk_hash_mix(hash, peer->held.size << 2 | (uint64_t)(peer->core.walk != NULL) << 1 | peer->core.linked);
    }
    return hash;
}

static sk_status status(const sk_replica *replica)
{
    const sk_crdt_replica *crdt = own_const(replica);
    sk_status status = sk_merger_status(&crdt->core);
    status.first = crdt->kept;
    return status;
}

static sk_peer_status peer_status(const sk_replica *replica, sk_node_id id)
{
    return sk_merger_peer_status(&own_const(replica)->core, id);
}

void sk_crdt_check(const sk_crdt_replica *crdt)
{
    sk_merger_check(&crdt->core);
    SK_ASSERT(crdt->kept <= crdt->core.first);
    for (size_t i = 0; i < crdt->core.peer_count; i++) {
        const sk_crdt_peer *peer = &crdt->peers[i];
        SK_ASSERT(peer->core.linked || peer->held.size == 0);
        SK_ASSERT(peer->held.size <= SK_CRDT_HELD_MAX);
        SK_ASSERT(peer->core.asking == (peer->core.walk != NULL));
    }
}

static void check(const sk_replica *replica)
{
    sk_crdt_check(own_const(replica));
}

const sk_protocol sk_crdt = {
    .name = "crdt",
    .mergeable = true,
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
