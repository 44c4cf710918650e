#include "protocol/crdt/crdt.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "protocol/lives.h"

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
    SK_ASSERT(setup->machine && setup->machine->mergeable);
    sk_crdt_replica *crdt = sk_alloc_zeroed(sizeof *crdt);
    crdt->self = setup->self;
    crdt->boot = setup->boot;
    crdt->born_ms = setup->wall_ms;
    crdt->wall_ms = setup->wall_ms;
    crdt->machine = setup->machine;
    crdt->ops = setup->machine->mergeable;
    crdt->limits = setup->limits;
    crdt->now = setup->now;
    crdt->number = setup->recovery.snapshot_position;
    crdt->lived = setup->recovery.snapshot_epoch;
    crdt->recovered = crdt->number;
    crdt->first = crdt->kept = crdt->number + 1;
    crdt->report_at = crdt->repeat_at = SK_NEVER;
    crdt->peers = sk_alloc_zeroed(setup->member_count * sizeof *crdt->peers);
    for (size_t i = 0; i < setup->member_count; i++) {
        if (setup->members[i].id == setup->self) continue;
        crdt->peers[crdt->peer_count++] = (sk_crdt_peer){.id = setup->members[i].id};
    }
    return (sk_replica *)(void *)crdt;
}

static void close_replica(sk_replica *replica)
{
    sk_crdt_replica *crdt = sk_crdt_of(replica);
    for (size_t i = 0; i < crdt->peer_count; i++) {
        sk_crdt_peer *peer = &crdt->peers[i];
        if (peer->walk) crdt->ops->walk_close(peer->walk);
        sk_vector_deinit(&peer->told);
        sk_buffer_deinit(&peer->held);
    }
    sk_free(crdt->peers);
    sk_free(crdt->answers);
    sk_vector_deinit(&crdt->reported);
    sk_vector_deinit(&crdt->closed);
    sk_buffer_deinit(&crdt->operations);
    sk_buffer_deinit(&crdt->replies);
    sk_buffer_deinit(&crdt->scratch);
    sk_buffer_deinit(&crdt->head);
    sk_free(crdt);
}

static sk_crdt_peer *find_peer(sk_crdt_replica *crdt, sk_node_id id)
{
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (crdt->peers[i].id == id) return &crdt->peers[i];
    }
    return NULL;
}

sk_slice sk_crdt_encode(sk_crdt_replica *crdt, const sk_crdt_message *message)
{
    sk_buffer *head = &crdt->head;
    sk_buffer_clear(head);
    sk_crdt_message_write_head(message, head);
    uint8_t *bytes = sk_arena_take(&crdt->out->arena, head->size + message->bytes.size);
    memcpy(bytes, head->data, head->size);
    if (message->bytes.size) memcpy(bytes + head->size, message->bytes.data, message->bytes.size);
    return sk_slice_make(bytes, head->size + message->bytes.size);
}

void sk_crdt_send_encoded(sk_crdt_replica *crdt, sk_node_id to, sk_slice message, uint64_t after)
{
    sk_effect *effect = sk_effects_add(crdt->out, SK_EFFECT_SEND);
    effect->send.to = to;
    effect->send.message = message;
    if (after < crdt->life_record) after = crdt->life_record;
    effect->send.after = after > crdt->durable ? after : 0;
    effect->send.class = SK_SEND_BULK; // one queue: a report never overtakes the operations before it
}

void sk_crdt_send(sk_crdt_replica *crdt, sk_node_id to, const sk_crdt_message *message, uint64_t after)
{
    sk_crdt_send_encoded(crdt, to, sk_crdt_encode(crdt, message), after);
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
    if (sk_reader_done(&reader) && life > crdt->lived) crdt->lived = life;
}

static void recover_joined(sk_crdt_replica *crdt, sk_slice bytes)
{
    sk_reader reader = sk_reader_make(bytes);
    sk_vector seen = {0};
    sk_vector base = {0};
    bool full = sk_read_u8(&reader);
    sk_vector_read(&seen, &reader, SK_CRDT_VECTOR_MAX);
    sk_vector_read(&base, &reader, SK_CRDT_VECTOR_MAX);
    if (sk_reader_done(&reader)) crdt->ops->join(crdt->machine, &seen, full ? &base : NULL);
    sk_vector_deinit(&seen);
    sk_vector_deinit(&base);
}

static void recover(sk_replica *replica, const sk_record *record)
{
    sk_crdt_replica *crdt = sk_crdt_of(replica);
    SK_ASSERT(!crdt->started);
    if (record->epoch > crdt->lived) crdt->lived = record->epoch;
    if (record->kind != SK_RECORD_ENTRY || record->payload.size == 0) return;
    crdt->gap |= record->number > crdt->recovered + 1;
    if (record->number > crdt->recovered) {
        crdt->recovered = record->number;
        crdt->bytes += record->payload.size;
    }
    enum sk_crdt_record kind = (enum sk_crdt_record)record->payload.data[0];
    sk_slice bytes = sk_slice_make(record->payload.data + 1, record->payload.size - 1);
    bool in_snapshot = record->number <= crdt->number, difference = kind == SK_CRDT_RECORD_CHUNK || kind == SK_CRDT_RECORD_JOINED;
    if (kind == SK_CRDT_RECORD_LIFE) recover_life(crdt, bytes);
    if (in_snapshot) return;
    if (crdt->gap && difference) {
        crdt->counts.gaps++;
        return;
    }
    size_t taken; // of operations behind a gap, none: peers have what was sent
    if (kind == SK_CRDT_RECORD_OPERATIONS) crdt->ops->apply(crdt->machine, 0, bytes, &taken);
    if (kind == SK_CRDT_RECORD_CHUNK) crdt->ops->merge(crdt->machine, 0, bytes);
    if (kind == SK_CRDT_RECORD_JOINED) recover_joined(crdt, bytes);
}

static void persist_life(sk_crdt_replica *crdt)
{
    sk_buffer_clear(&crdt->scratch);
    sk_write_varint(&crdt->scratch, crdt->life);
    sk_crdt_persist(crdt, SK_CRDT_RECORD_LIFE, sk_buffer_slice(&crdt->scratch), 0);
    crdt->life_again = crdt->number;
}

static void choose_life(sk_crdt_replica *crdt, uint64_t beyond)
{
    if (beyond < crdt->lived) beyond = crdt->lived;
    crdt->life = sk_life_choose(crdt->self, crdt->boot, crdt->born_ms, sk_crdt_seen(crdt), beyond);
    crdt->ops->identify(crdt->machine, crdt->life);
}

void sk_crdt_begin_life(sk_crdt_replica *crdt, uint64_t beyond)
{
    choose_life(crdt, beyond);
    persist_life(crdt);
    crdt->life_record = crdt->number;
}

static void start(sk_replica *replica, sk_ns now, bool damaged, sk_effects *out)
{
    sk_crdt_replica *crdt = sk_crdt_of(replica);
    SK_ASSERT(!crdt->started && now >= crdt->now);
    crdt->now = now;
    crdt->started = true;
    crdt->out = out;
    choose_life(crdt, damaged || crdt->gap ? sk_life_beyond_time(crdt->boot) : 0);
    if (crdt->number < crdt->recovered) { // one position for all that was recovered
        crdt->number = crdt->recovered;
        sk_effect *effect = sk_effects_add(out, SK_EFFECT_APPLY);
        effect->apply.position = crdt->number;
        effect->apply.epoch = crdt->life;
    }
    crdt->durable = crdt->number;
    persist_life(crdt);
    crdt->life_record = crdt->number;
    sk_crdt_changed(crdt);
    sk_effects_add(out, SK_EFFECT_STATUS);
    crdt->out = NULL;
}

// ---- Events ----

static void on_link(sk_crdt_replica *crdt, const sk_event *event)
{
    sk_crdt_peer *peer = find_peer(crdt, event->link.peer);
    if (!peer) return;
    bool was = peer->linked;
    peer->linked = event->link.up;
    if (event->link.round_trip) peer->round_trip = event->link.round_trip;
    if (was && !peer->linked) sk_crdt_sync_drop(crdt, peer);
    if (!was && peer->linked) sk_crdt_report_to(crdt, peer);
}

static void on_message(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message)
{
    switch (message->kind) {
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
    sk_crdt_peer *peer = find_peer(crdt, event->receive.from);
    if (!peer || !peer->linked) {
        sk_crdt_ignore(crdt, peer ? SK_CRDT_IGNORE_not_linked : SK_CRDT_IGNORE_not_a_member);
        return;
    }
    sk_crdt_message message;
    peer->heard = crdt->now;
    if (sk_crdt_message_read(event->receive.message, &message) == 0) on_message(crdt, peer, &message);
    else sk_crdt_ignore(crdt, SK_CRDT_IGNORE_malformed);
    sk_crdt_message_deinit(&message);
}

static void refuse(sk_crdt_replica *crdt, uint64_t request, int why)
{
    sk_effect *effect = sk_effects_add(crdt->out, SK_EFFECT_REFUSE);
    effect->refuse.request = request;
    effect->refuse.why = why;
}

static void on_read(sk_crdt_replica *crdt, const sk_event *event)
{
    sk_effect *effect = sk_effects_add(crdt->out, SK_EFFECT_QUERY);
    effect->query.request = event->read.request;
    effect->query.position = crdt->number;
}

// Nothing more lasts here: what waits may or may not have been written.
static void halt(sk_crdt_replica *crdt)
{
    for (size_t i = 0; i < crdt->answer_count; i++) refuse(crdt, crdt->answers[i].request, SK_EUNKNOWN);
    crdt->answer_count = 0;
    crdt->halted = true;
    crdt->why = "the disk failed: restart this node";
    sk_effects_add(crdt->out, SK_EFFECT_STATUS);
}

// What the snapshot has is not needed any more, once our life is on disk behind it.
static void give_back(sk_crdt_replica *crdt)
{
    if (crdt->durable >= crdt->life_again) crdt->kept = crdt->first;
}

static void on_snapshot(sk_crdt_replica *crdt, const sk_event *event)
{
    if (event->snapshot.position + 1 > crdt->first) crdt->first = event->snapshot.position + 1;
    crdt->bytes = 0;
    crdt->snapshot_asked = false;
    if (event->snapshot.ok && crdt->life_again <= event->snapshot.position) persist_life(crdt); // a snapshot does not tell it
    give_back(crdt);
}

static void on_event(sk_crdt_replica *crdt, const sk_event *event)
{
    switch (event->kind) {
    case SK_EVENT_TICK:
        sk_crdt_clear_due(crdt);
        sk_crdt_flush(crdt);
        sk_crdt_sync_tick(crdt);
        sk_crdt_report_tick(crdt);
        break;
    case SK_EVENT_LINK: on_link(crdt, event); break;
    case SK_EVENT_RECEIVE: on_receive(crdt, event); break;
    case SK_EVENT_SUBMIT: sk_crdt_on_submit(crdt, event); break;
    case SK_EVENT_READ: on_read(crdt, event); break;
    case SK_EVENT_DURABLE:
        crdt->durable = event->durable.number;
        give_back(crdt);
        break;
    case SK_EVENT_DISK_FAILED: halt(crdt); break;
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
    SK_ASSERT(crdt->started && event->now >= crdt->now);
    crdt->now = event->now;
    if (event->wall_ms) crdt->wall_ms = event->wall_ms;
    crdt->out = out;
    if (!crdt->halted) {
        // What others bring is recorded behind what was done here before it.
        if (event->kind == SK_EVENT_RECEIVE) sk_crdt_flush(crdt);
        on_event(crdt, event);
    } else if (event->kind == SK_EVENT_SUBMIT) {
        refuse(crdt, event->submit.request, SK_ENOTLEADER);
    } else if (event->kind == SK_EVENT_READ) {
        on_read(crdt, event);
    }
    crdt->out = NULL;
}

static sk_ns earlier(sk_ns a, sk_ns b)
{
    return a < b ? a : b;
}

static sk_ns deadline(const sk_replica *replica)
{
    const sk_crdt_replica *crdt = own_const(replica);
    if (crdt->halted) return SK_NEVER;
    if (crdt->operations.size || crdt->answer_count) return 0;
    sk_ns at = earlier(sk_crdt_report_deadline(crdt), sk_crdt_sync_deadline(crdt));
    uint64_t due = crdt->ops->next_due(crdt->machine);
    if (due == UINT64_MAX) return at;
    uint64_t wait_ms = due > crdt->wall_ms ? due - crdt->wall_ms : 0;
    return wait_ms > SK_NEVER / SK_MS / 4 ? at : earlier(at, crdt->now + wait_ms * SK_MS);
}

static uint64_t fingerprint(const sk_replica *replica)
{
    const sk_crdt_replica *crdt = own_const(replica);
    uint64_t hash = sk_hash_mix(crdt->machine->ops->digest(crdt->machine), crdt->number);
    const sk_vector *vectors[] = {sk_crdt_seen(crdt), crdt->ops->base(crdt->machine)};
    for (int i = 0; i < 2; i++) {
        for (size_t n = 0; n < vectors[i]->count; n++)
            hash = sk_hash_mix(sk_hash_mix(hash, vectors[i]->list[n].actor), vectors[i]->list[n].counter);
    }
    hash = sk_hash_mix(hash, crdt->ask.peer ? crdt->ask.peer->id : 0);
    for (size_t i = 0; i < crdt->peer_count; i++) {
        const sk_crdt_peer *peer = &crdt->peers[i];
        hash = sk_hash_mix(hash, peer->held.size << 2 | (uint64_t)(peer->walk != NULL) << 1 | peer->linked);
    }
    return hash;
}

static sk_status status(const sk_replica *replica)
{
    const sk_crdt_replica *crdt = own_const(replica);
    return (sk_status){.role = crdt->halted ? SK_ROLE_HALTED : SK_ROLE_LEADER, // every node takes writes
                       .leader = crdt->halted ? 0 : crdt->self,
                       .epoch = crdt->life,
                       .first = crdt->kept,
                       .last = crdt->number,
                       .committed = crdt->number,
                       .applied = crdt->number,
                       .why = crdt->why};
}

static sk_peer_status peer_status(const sk_replica *replica, sk_node_id id)
{
    const sk_crdt_replica *crdt = own_const(replica);
    for (size_t i = 0; i < crdt->peer_count; i++) {
        const sk_crdt_peer *peer = &crdt->peers[i];
        if (peer->id != id) continue;
        return (sk_peer_status){.matched = sk_vector_get(&peer->told, sk_actor_make(crdt->self, crdt->life)),
                                .round_trip = peer->round_trip,
                                .heard = peer->heard,
                                .linked = peer->linked};
    }
    return (sk_peer_status){0};
}

void sk_crdt_check(const sk_crdt_replica *crdt)
{
    SK_ASSERT(sk_vector_covers(sk_crdt_seen(crdt), crdt->ops->base(crdt->machine)));
    SK_ASSERT(crdt->durable <= crdt->number && crdt->first <= crdt->number + 1 && crdt->kept <= crdt->first);
    SK_ASSERT(!crdt->ask.peer || crdt->ask.peer->linked);
    for (size_t i = 0; i < crdt->peer_count; i++) {
        const sk_crdt_peer *peer = &crdt->peers[i];
        SK_ASSERT(peer->linked || (!peer->walk && peer->held.size == 0));
        SK_ASSERT(peer->held.size <= SK_CRDT_HELD_MAX);
        SK_ASSERT(!peer->walk || peer->walk_sent - peer->walk_acknowledged <= SK_CRDT_CHUNKS_MAX);
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
