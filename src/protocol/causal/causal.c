#include "protocol/causal/causal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"

enum { SESSION_BITS = 64 - SK_ACTOR_LIFE_BITS };

sk_causal_replica *sk_causal_of(sk_replica *replica)
{
    return (sk_causal_replica *)(void *)replica;
}

static const sk_causal_replica *own_const(const sk_replica *replica)
{
    return (const sk_causal_replica *)(const void *)replica;
}

static sk_replica *open_replica(const sk_setup *setup)
{
    sk_causal_replica *causal = sk_alloc_zeroed(sizeof *causal);
    sk_merger_init(&causal->core, setup, &sk_causal_form);
    causal->again_at = causal->gap_at = SK_NEVER;
    sk_ring_init(&causal->held, sizeof(sk_causal_entry));
    sk_ring_init(&causal->log, sizeof(sk_causal_entry));
    sk_ring_init(&causal->staged, sizeof(sk_causal_entry));
    sk_vector_copy(&causal->floor, sk_causal_seen(causal));
    causal->peers = sk_alloc_zeroed(setup->member_count * sizeof *causal->peers);
    for (size_t i = 0; i < setup->member_count; i++)
        sk_merger_add_peer(&causal->core, setup->members[i].id, &causal->peers[causal->core.peer_count].core);
    return (sk_replica *)(void *)causal;
}

static void close_replica(sk_replica *replica)
{
    sk_causal_replica *causal = sk_causal_of(replica);
    sk_merger_deinit(&causal->core);
    for (size_t i = 0; i < causal->core.peer_count; i++) sk_vector_deinit(&causal->peers[i].has);
    sk_ring *const rings[] = {&causal->held, &causal->log, &causal->staged};
    for (size_t i = 0; i < sizeof rings / sizeof *rings; i++) {
        sk_causal_entries_clear(rings[i]);
        sk_ring_deinit(rings[i]);
    }
    sk_vector *const vectors[] = {&causal->announced, &causal->floor, &causal->join_since, &causal->join_seen, &causal->join_base,
                                  &causal->needs};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) sk_vector_deinit(vectors[i]);
    sk_free(causal->peers);
    sk_free(causal);
}

static sk_causal_peer *own_peer(sk_merger_peer *peer)
{
    return (sk_causal_peer *)(void *)peer; // its first member
}

// ---- Recovery: records are delivered again, in their order; what the snapshot has already is passed over ----

static void recover(sk_replica *replica, const sk_record *record)
{
    sk_causal_replica *causal = sk_causal_of(replica);
    if (!sk_merger_recover(&causal->core, record)) return;
    sk_slice bytes = sk_slice_make(record->payload.data + 1, record->payload.size - 1);
    switch ((enum sk_causal_record)record->payload.data[0]) {
    case SK_CAUSAL_RECORD_BATCH: sk_causal_recover_batch(causal, bytes); break; // behind damage a gap stays: peers have what was sent
    case SK_CAUSAL_RECORD_CHUNK: sk_causal_recover_chunk(causal, record->number, bytes); break;
    case SK_CAUSAL_RECORD_JOINED: sk_causal_recover_joined(causal, record->number, bytes); break;
    }
}

// Nothing of it was announced, and its first batch needs all that is here.
void sk_causal_begin_life(sk_causal_replica *causal, uint64_t beyond)
{
    sk_merger_begin_life(&causal->core, beyond);
    causal->flushed = causal->life_record = 0;
    sk_vector_clear(&causal->announced);
}

static void start(sk_replica *replica, sk_ns now, bool damaged, sk_effects *out)
{
    sk_causal_replica *causal = sk_causal_of(replica);
    sk_merger_start(&causal->core, now, damaged ? sk_life_beyond_time(causal->core.boot) : 0, out);
    causal->core.session = causal->core.life << SESSION_BITS;
    sk_causal_entries_clear(&causal->staged); // of a sync that was not finished
    causal->staged_bytes = 0;
    sk_causal_changed(causal);
    sk_effects_add(out, SK_EFFECT_STATUS);
    causal->core.out = NULL;
}

// ---- Events ----

static void on_link(sk_causal_replica *causal, const sk_event *event)
{
    sk_causal_peer *peer = own_peer(sk_merger_find_peer(&causal->core, event->link.peer));
    if (!peer) return;
    bool was = peer->core.linked;
    peer->core.linked = event->link.up;
    if (event->link.round_trip) peer->core.round_trip = event->link.round_trip;
    if (was && !peer->core.linked) sk_causal_sync_drop(causal, peer);
    if (was || !peer->core.linked) return;
    peer->core.session = 0;
    sk_causal_report_to(causal, peer, false);
    sk_causal_watch(causal);
}

static void on_message(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message)
{
    switch ((enum sk_causal_kind)message->kind) {
    case SK_CAUSAL_BATCHES:
        if (!sk_merger_declines(&causal->core)) sk_causal_on_batches(causal, peer, message->bytes);
        break;
    case SK_CAUSAL_REPORT: sk_causal_on_report(causal, peer, message); break;
    case SK_CAUSAL_ASK: sk_causal_on_ask(causal, peer, message); break;
    case SK_CAUSAL_LOGGED: sk_causal_on_logged(causal, peer, message); break;
    case SK_CAUSAL_CHUNK: sk_causal_on_chunk(causal, peer, message); break;
    case SK_CAUSAL_GRANT: sk_causal_on_grant(causal, peer, message); break;
    case SK_CAUSAL_LOGGED_ALL: sk_causal_on_logged_all(causal, peer, message); break;
    case SK_CAUSAL_DONE: sk_causal_on_done(causal, peer, message); break;
    case SK_CAUSAL_KIND_END: break;
    }
}

static void on_receive(sk_causal_replica *causal, const sk_event *event)
{
    sk_merger_message message;
    sk_merger_peer *peer = sk_merger_on_receive(&causal->core, event, &message);
    if (peer) on_message(causal, own_peer(peer), &message);
    sk_merger_message_deinit(&message);
}

static void on_tick(sk_causal_replica *causal)
{
    sk_causal_load_tick(causal);
    sk_merger_clear_due(&causal->core);
    sk_causal_flush(causal);
    sk_causal_sync_tick(causal);
    sk_causal_report_tick(causal);
}

static void on_event(sk_causal_replica *causal, const sk_event *event)
{
    switch (event->kind) {
    case SK_EVENT_TICK: on_tick(causal); break;
    case SK_EVENT_LINK: on_link(causal, event); break;
    case SK_EVENT_RECEIVE: on_receive(causal, event); break;
    case SK_EVENT_SUBMIT: sk_causal_on_submit(causal, event); break;
    case SK_EVENT_READ: sk_merger_on_read(&causal->core, event); break;
    case SK_EVENT_DURABLE:
        if (sk_merger_on_durable(&causal->core, event)) sk_causal_ask_somebody(causal);
        break;
    case SK_EVENT_DISK_FAILED: sk_merger_halt(&causal->core); break;
    case SK_EVENT_SNAPSHOT_TAKEN: sk_merger_on_snapshot(&causal->core, event); break;
    case SK_EVENT_WAITING:
    case SK_EVENT_RECORDS:
    case SK_EVENT_SNAPSHOT_RECEIVED:
    case SK_EVENT_SNAPSHOT_SENT: break; // never asked for
    }
}

static void step(sk_replica *replica, const sk_event *event, sk_effects *out)
{
    sk_causal_replica *causal = sk_causal_of(replica);
    if (sk_merger_step(&causal->core, event, out)) {
        // What was changed here needs only what was delivered before it; and a report tells of whole batches.
        bool others = event->kind == SK_EVENT_RECEIVE || event->kind == SK_EVENT_LINK;
        if (others) sk_causal_flush(causal);
        on_event(causal, event);
    }
    causal->core.out = NULL;
}

static sk_ns deadline(const sk_replica *replica)
{
    const sk_causal_replica *causal = own_const(replica);
    sk_ns at = sk_causal_sync_deadline(causal);
    if (causal->core.report_at < at) at = causal->core.report_at;
    if (causal->again_at < at) at = causal->again_at;
    return sk_merger_deadline(&causal->core, at);
}

static uint64_t fingerprint(const sk_replica *replica)
{
    const sk_causal_replica *causal = own_const(replica);
    uint64_t hash = sk_merger_fingerprint(&causal->core);
    hash = sk_merger_mix_vector(hash, &causal->floor);
    hash = sk_hash_mix(hash, causal->core.ask.peer ? causal->core.ask.peer->id : 0);
    hash = sk_hash_mix(hash, causal->held_bytes << 1 | causal->core.loading);
    hash = sk_hash_mix(hash, causal->staged_bytes);
    for (size_t i = 0; i < causal->core.peer_count; i++) {
        const sk_merger_peer *peer = &causal->peers[i].core;
        hash = sk_hash_mix(hash, (uint64_t)(peer->walk != NULL) << 2 | (uint64_t)peer->asking << 1 | peer->linked);
    }
    return hash;
}

static sk_status status(const sk_replica *replica)
{
    return sk_merger_status(&own_const(replica)->core);
}

static sk_peer_status peer_status(const sk_replica *replica, sk_node_id id)
{
    return sk_merger_peer_status(&own_const(replica)->core, id);
}

static size_t bytes_of(const sk_ring *ring)
{
    size_t bytes = 0;
    for (size_t i = 0; i < ring->count; i++) bytes += ((const sk_causal_entry *)sk_ring_at(ring, i))->size;
    return bytes;
}

void sk_causal_check(const sk_causal_replica *causal)
{
    const sk_vector *seen = sk_causal_seen(causal);
    sk_merger_check(&causal->core);
    SK_ASSERT(sk_vector_covers(seen, &causal->floor));
    SK_ASSERT(causal->flushed <= sk_vector_get(seen, sk_causal_self(causal)));
    SK_ASSERT(causal->held.count <= SK_CAUSAL_HELD_COUNT && causal->held_bytes <= SK_CAUSAL_HELD_BYTES);
    SK_ASSERT(causal->log_bytes <= causal->core.limits.window_bytes_max && causal->staged_bytes <= sk_causal_staged_max(causal));
    SK_ASSERT(bytes_of(&causal->held) == causal->held_bytes && bytes_of(&causal->log) == causal->log_bytes);
    SK_ASSERT(causal->core.ask.peer || causal->core.loading || causal->staged.count == 0);
    SK_ASSERT(!causal->held.count || causal->core.loading || causal->gap_at != SK_NEVER);
    for (size_t i = 0; i < causal->log.count; i++) {
        const sk_causal_entry *entry = sk_ring_at(&causal->log, i);
        SK_ASSERT(sk_vector_has(seen, (sk_dot){entry->actor, entry->last}));
    }
}

static void check(const sk_replica *replica)
{
    sk_causal_check(own_const(replica));
}

const sk_protocol sk_causal = {
    .name = "causal",
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
