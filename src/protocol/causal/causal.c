#include "protocol/causal/causal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "protocol/lives.h"

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
    SK_ASSERT(setup->machine && setup->machine->mergeable);
    sk_causal_replica *causal = sk_alloc_zeroed(sizeof *causal);
    causal->self = setup->self;
    causal->boot = setup->boot;
    causal->born_ms = causal->wall_ms = setup->wall_ms;
    causal->machine = setup->machine;
    causal->ops = setup->machine->mergeable;
    causal->limits = setup->limits;
    causal->now = setup->now;
    causal->number = causal->recovered = setup->recovery.snapshot_position;
    causal->life_known = setup->recovery.snapshot_epoch;
    causal->first = causal->number + 1;
    causal->report_at = causal->again_at = causal->gap_at = SK_NEVER;
    sk_ring_init(&causal->held, sizeof(sk_causal_entry));
    sk_ring_init(&causal->log, sizeof(sk_causal_entry));
    sk_ring_init(&causal->staged, sizeof(sk_causal_entry));
    sk_vector_copy(&causal->floor, sk_causal_seen(causal));
    causal->peers = sk_alloc_zeroed(setup->member_count * sizeof *causal->peers);
    for (size_t i = 0; i < setup->member_count; i++) {
        if (setup->members[i].id != setup->self) causal->peers[causal->peer_count++].id = setup->members[i].id;
    }
    return (sk_replica *)(void *)causal;
}

static void close_replica(sk_replica *replica)
{
    sk_causal_replica *causal = sk_causal_of(replica);
    for (size_t i = 0; i < causal->peer_count; i++) {
        sk_causal_peer *peer = &causal->peers[i];
        if (peer->walk) causal->ops->walk_close(peer->walk);
        sk_vector_deinit(&peer->told);
        sk_vector_deinit(&peer->has);
    }
    sk_ring *const rings[] = {&causal->held, &causal->log, &causal->staged};
    for (size_t i = 0; i < sizeof rings / sizeof *rings; i++) {
        sk_causal_entries_clear(rings[i]);
        sk_ring_deinit(rings[i]);
    }
    sk_vector *const vectors[] = {&causal->announced, &causal->floor, &causal->join_since, &causal->join_seen,
                                  &causal->join_base, &causal->reported, &causal->needs};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) sk_vector_deinit(vectors[i]);
    sk_free(causal->peers);
    sk_free(causal->answers);
    sk_buffer_deinit(&causal->operations);
    sk_buffer_deinit(&causal->replies);
    sk_buffer_deinit(&causal->scratch);
    sk_buffer_deinit(&causal->head);
    sk_free(causal);
}

static sk_causal_peer *find_peer(sk_causal_replica *causal, sk_node_id id)
{
    for (size_t i = 0; i < causal->peer_count; i++) {
        if (causal->peers[i].id == id) return &causal->peers[i];
    }
    return NULL;
}

sk_slice sk_causal_encode(sk_causal_replica *causal, const sk_causal_message *message)
{
    sk_buffer *head = &causal->head;
    sk_buffer_clear(head);
    sk_causal_message_write_head(message, head);
    uint8_t *bytes = sk_arena_take(&causal->out->arena, head->size + message->bytes.size);
    memcpy(bytes, head->data, head->size);
    if (message->bytes.size) memcpy(bytes + head->size, message->bytes.data, message->bytes.size);
    return sk_slice_make(bytes, head->size + message->bytes.size);
}

void sk_causal_send_encoded(sk_causal_replica *causal, sk_node_id to, sk_slice message, uint64_t after)
{
    sk_effect *effect = sk_effects_add(causal->out, SK_EFFECT_SEND);
    effect->send.to = to;
    effect->send.message = message;
    effect->send.after = after > causal->durable ? after : 0;
    effect->send.class = SK_SEND_BULK; // one queue: a report seldom overtakes the batches before it
}

void sk_causal_send(sk_causal_replica *causal, sk_node_id to, const sk_causal_message *message, uint64_t after)
{
    sk_causal_send_encoded(causal, to, sk_causal_encode(causal, message), after);
}

void sk_causal_persist(sk_causal_replica *causal, enum sk_causal_record kind, sk_slice bytes, sk_ns within)
{
    uint8_t *payload = sk_arena_take(&causal->out->arena, bytes.size + 1);
    payload[0] = (uint8_t)kind;
    if (bytes.size) memcpy(payload + 1, bytes.data, bytes.size);
    causal->number++;
    causal->bytes += bytes.size;
    sk_effect *effect = sk_effects_add(causal->out, SK_EFFECT_PERSIST);
    effect->persist.within = within;
    effect->persist.record = (sk_record){.kind = SK_RECORD_ENTRY,
                                         .number = causal->number,
                                         .position = causal->number,
                                         .epoch = causal->life,
                                         .payload = sk_slice_make(payload, bytes.size + 1)};
    effect = sk_effects_add(causal->out, SK_EFFECT_APPLY); // the machine has it already: only the position moves
    effect->apply.position = causal->number;
    effect->apply.epoch = causal->life;
    bool full = causal->number - causal->first >= causal->limits.log_entries_max || causal->bytes >= causal->limits.log_bytes_max;
    if (full && !causal->snapshot_asked) {
        sk_effects_add(causal->out, SK_EFFECT_SNAPSHOT_WANTED);
        causal->snapshot_asked = true;
    }
}

// ---- Recovery: records are delivered again, in their order; what the snapshot has already is passed over ----

static void recover(sk_replica *replica, const sk_record *record)
{
    sk_causal_replica *causal = sk_causal_of(replica);
    SK_ASSERT(!causal->started);
    if (record->epoch > causal->life_known) causal->life_known = record->epoch;
    if (record->kind != SK_RECORD_ENTRY || record->payload.size == 0) return;
    if (record->number > causal->recovered) {
        causal->recovered = record->number;
        causal->bytes += record->payload.size;
    }
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
    if (beyond < causal->life_known) beyond = causal->life_known;
    causal->life = sk_life_choose(causal->self, causal->boot, causal->born_ms, sk_causal_seen(causal), beyond);
    causal->life_known = causal->life;
    causal->ops->identify(causal->machine, causal->life);
    causal->flushed = causal->life_record = 0;
    sk_vector_clear(&causal->announced);
}

static void start(sk_replica *replica, sk_ns now, bool damaged, sk_effects *out)
{
    sk_causal_replica *causal = sk_causal_of(replica);
    SK_ASSERT(!causal->started && now >= causal->now);
    causal->now = now;
    causal->started = true;
    sk_causal_entries_clear(&causal->staged); // of a sync that was not finished
    causal->staged_bytes = 0;
    sk_causal_begin_life(causal, damaged ? sk_life_beyond_time(causal->boot) : 0);
    causal->session = causal->life << SESSION_BITS;
    if (causal->number < causal->recovered) { // one position for all that was recovered
        causal->number = causal->recovered;
        sk_effect *effect = sk_effects_add(out, SK_EFFECT_APPLY);
        effect->apply.position = causal->number;
        effect->apply.epoch = causal->life;
    }
    causal->durable = causal->number;
    sk_causal_changed(causal);
    sk_effects_add(out, SK_EFFECT_STATUS);
}

// ---- Events ----

static void on_link(sk_causal_replica *causal, const sk_event *event)
{
    sk_causal_peer *peer = find_peer(causal, event->link.peer);
    if (!peer) return;
    bool was = peer->linked;
    peer->linked = event->link.up;
    if (event->link.round_trip) peer->round_trip = event->link.round_trip;
    if (was && !peer->linked) sk_causal_sync_drop(causal, peer);
    if (was || !peer->linked) return;
    peer->session = 0;
    sk_causal_report_to(causal, peer, false);
    sk_causal_watch(causal);
}

static void on_message(sk_causal_replica *causal, sk_causal_peer *peer, const sk_causal_message *message)
{
    switch (message->kind) {
    case SK_CAUSAL_BATCHES: sk_causal_on_batches(causal, peer, message->bytes); break;
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
    sk_causal_peer *peer = find_peer(causal, event->receive.from);
    if (!peer || !peer->linked) {
        sk_causal_ignore(causal, peer ? SK_CAUSAL_IGNORE_not_linked : SK_CAUSAL_IGNORE_not_a_member);
        return;
    }
    sk_causal_message message;
    peer->heard = causal->now;
    if (sk_causal_message_read(event->receive.message, &message) == 0) on_message(causal, peer, &message);
    else sk_causal_ignore(causal, SK_CAUSAL_IGNORE_malformed);
    sk_causal_message_deinit(&message);
}

static void refuse(sk_causal_replica *causal, uint64_t request, int why)
{
    sk_effect *effect = sk_effects_add(causal->out, SK_EFFECT_REFUSE);
    effect->refuse.request = request;
    effect->refuse.why = why;
}

static void on_read(sk_causal_replica *causal, const sk_event *event)
{
    if (causal->loading) {
        refuse(causal, event->read.request, SK_EAGAIN);
        return;
    }
    sk_effect *effect = sk_effects_add(causal->out, SK_EFFECT_QUERY);
    effect->query.request = event->read.request;
    effect->query.position = causal->number;
}

// Nothing more lasts here: what waits may or may not have been written.
static void halt(sk_causal_replica *causal)
{
    for (size_t i = 0; i < causal->answer_count; i++) refuse(causal, causal->answers[i].request, SK_EUNKNOWN);
    causal->answer_count = 0;
    causal->halted = true;
    causal->why = "the disk failed: restart this node";
    sk_effects_add(causal->out, SK_EFFECT_STATUS);
}

static void on_snapshot(sk_causal_replica *causal, const sk_event *event)
{
    if (event->snapshot.position + 1 > causal->first) causal->first = event->snapshot.position + 1;
    causal->bytes = 0;
    causal->snapshot_asked = false;
}

static void on_tick(sk_causal_replica *causal)
{
    sk_causal_load_tick(causal);
    sk_causal_clear_due(causal);
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
    case SK_EVENT_READ: on_read(causal, event); break;
    case SK_EVENT_DURABLE: causal->durable = event->durable.number; break;
    case SK_EVENT_DISK_FAILED: halt(causal); break;
    case SK_EVENT_SNAPSHOT_TAKEN: on_snapshot(causal, event); break;
    case SK_EVENT_WAITING:
    case SK_EVENT_RECORDS:
    case SK_EVENT_SNAPSHOT_RECEIVED:
    case SK_EVENT_SNAPSHOT_SENT: break; // never asked for
    }
}

static void step(sk_replica *replica, const sk_event *event, sk_effects *out)
{
    sk_causal_replica *causal = sk_causal_of(replica);
    SK_ASSERT(causal->started && event->now >= causal->now);
    causal->now = event->now;
    if (event->wall_ms) causal->wall_ms = event->wall_ms;
    causal->out = out;
    if (!causal->halted) {
        // What was changed here needs only what was delivered before it; and a report tells of whole batches.
        bool others = event->kind == SK_EVENT_RECEIVE || event->kind == SK_EVENT_LINK;
        if (others) sk_causal_flush(causal);
        on_event(causal, event);
    } else if (event->kind == SK_EVENT_SUBMIT) {
        refuse(causal, event->submit.request, SK_ENOTLEADER);
    } else if (event->kind == SK_EVENT_READ) {
        on_read(causal, event);
    }
    causal->out = NULL;
}

static sk_ns earlier(sk_ns a, sk_ns b)
{
    return a < b ? a : b;
}

static sk_ns deadline(const sk_replica *replica)
{
    const sk_causal_replica *causal = own_const(replica);
    if (causal->halted) return SK_NEVER;
    if (causal->operations.size || causal->answer_count || causal->loading) return 0;
    sk_ns at = earlier(earlier(causal->report_at, causal->again_at), sk_causal_sync_deadline(causal));
    uint64_t due = causal->ops->next_due(causal->machine);
    if (due == UINT64_MAX) return at;
    uint64_t wait_ms = due > causal->wall_ms ? due - causal->wall_ms : 0;
    return wait_ms > SK_NEVER / SK_MS / 4 ? at : earlier(at, causal->now + wait_ms * SK_MS);
}

static uint64_t mix_vector(uint64_t hash, const sk_vector *vector)
{
    for (size_t i = 0; i < vector->count; i++)
        hash = sk_hash_mix(sk_hash_mix(hash, vector->list[i].actor), vector->list[i].counter);
    return hash;
}

static uint64_t fingerprint(const sk_replica *replica)
{
    const sk_causal_replica *causal = own_const(replica);
    uint64_t hash = sk_hash_mix(causal->machine->ops->digest(causal->machine), causal->number);
    hash = mix_vector(hash, sk_causal_seen(causal));
    hash = mix_vector(hash, causal->ops->base(causal->machine));
    hash = mix_vector(hash, &causal->floor);
    hash = sk_hash_mix(hash, causal->ask.peer ? causal->ask.peer->id : 0);
    hash = sk_hash_mix(hash, causal->held_bytes << 1 | causal->loading);
    hash = sk_hash_mix(hash, causal->staged_bytes);
    for (size_t i = 0; i < causal->peer_count; i++) {
        const sk_causal_peer *peer = &causal->peers[i];
        hash = sk_hash_mix(hash, (uint64_t)(peer->walk != NULL) << 2 | (uint64_t)peer->asking << 1 | peer->linked);
    }
    return hash;
}

static sk_status status(const sk_replica *replica)
{
    const sk_causal_replica *causal = own_const(replica);
    return (sk_status){.role = causal->halted ? SK_ROLE_HALTED : SK_ROLE_LEADER, // every node takes writes
                       .leader = causal->halted ? 0 : causal->self,
                       .epoch = causal->life,
                       .first = causal->first,
                       .last = causal->number,
                       .committed = causal->number,
                       .applied = causal->number,
                       .loading = causal->loading,
                       .why = causal->loading ? "it takes over a peer's state" : causal->why};
}

static sk_peer_status peer_status(const sk_replica *replica, sk_node_id id)
{
    const sk_causal_replica *causal = own_const(replica);
    for (size_t i = 0; i < causal->peer_count; i++) {
        const sk_causal_peer *peer = &causal->peers[i];
        if (peer->id != id) continue;
        return (sk_peer_status){.matched = sk_vector_get(&peer->told, sk_causal_self(causal)),
                                .round_trip = peer->round_trip,
                                .heard = peer->heard,
                                .linked = peer->linked};
    }
    return (sk_peer_status){0};
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
    SK_ASSERT(sk_vector_covers(seen, causal->ops->base(causal->machine)));
    SK_ASSERT(sk_vector_covers(seen, &causal->floor));
    SK_ASSERT(causal->durable <= causal->number && causal->first <= causal->number + 1);
    SK_ASSERT(causal->flushed <= sk_vector_get(seen, sk_causal_self(causal)));
    SK_ASSERT(!causal->ask.peer || causal->ask.peer->linked);
    SK_ASSERT(causal->held.count <= SK_CAUSAL_HELD_COUNT && causal->held_bytes <= SK_CAUSAL_HELD_BYTES);
    SK_ASSERT(causal->log_bytes <= causal->limits.window_bytes_max && causal->staged_bytes <= sk_causal_staged_max(causal));
    SK_ASSERT(bytes_of(&causal->held) == causal->held_bytes && bytes_of(&causal->log) == causal->log_bytes);
    SK_ASSERT(causal->ask.peer || causal->loading || causal->staged.count == 0);
    SK_ASSERT(!causal->held.count || causal->loading || causal->gap_at != SK_NEVER);
    for (size_t i = 0; i < causal->log.count; i++) {
        const sk_causal_entry *entry = sk_ring_at(&causal->log, i);
        SK_ASSERT(sk_vector_has(seen, (sk_dot){entry->actor, entry->last}));
    }
    for (size_t i = 0; i < causal->peer_count; i++) {
        const sk_causal_peer *peer = &causal->peers[i];
        SK_ASSERT(peer->linked || !peer->asking);
        SK_ASSERT(peer->asking || !peer->walk);
        SK_ASSERT(!peer->asking || peer->sent - peer->acknowledged <= SK_CAUSAL_PARTS_MAX);
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
