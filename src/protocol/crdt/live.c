// Rules 1 to 3: writes here, and operations of others as they happen.
#include "base/alloc.h"
#include "base/assert.h"
#include "protocol/crdt/crdt.h"

void sk_crdt_persist(sk_crdt_replica *crdt, enum sk_crdt_record kind, sk_slice bytes, sk_ns within)
{
    uint8_t *payload = sk_arena_take(&crdt->out->arena, bytes.size + 1);
    payload[0] = (uint8_t)kind;
    if (bytes.size) memcpy(payload + 1, bytes.data, bytes.size);
    crdt->number++;
    crdt->bytes += bytes.size;
    sk_effect *effect = sk_effects_add(crdt->out, SK_EFFECT_PERSIST);
    effect->persist.within = within;
    effect->persist.record = (sk_record){.kind = SK_RECORD_ENTRY,
                                         .number = crdt->number,
                                         .position = crdt->number,
                                         .epoch = crdt->life,
                                         .payload = sk_slice_make(payload, bytes.size + 1)};
    effect = sk_effects_add(crdt->out, SK_EFFECT_APPLY); // the machine has it already: only the position moves
    effect->apply.position = crdt->number;
    effect->apply.epoch = crdt->life;
    bool full = crdt->number - crdt->first >= crdt->limits.log_entries_max || crdt->bytes >= crdt->limits.log_bytes_max;
    if (full && !crdt->snapshot_asked) {
        sk_effects_add(crdt->out, SK_EFFECT_SNAPSHOT_WANTED);
        crdt->snapshot_asked = true;
    }
}

void sk_crdt_on_submit(sk_crdt_replica *crdt, const sk_event *event)
{
    if (crdt->answer_count >= crdt->limits.pending_max) {
        sk_effect *effect = sk_effects_add(crdt->out, SK_EFFECT_REFUSE);
        effect->refuse.request = event->submit.request;
        effect->refuse.why = SK_EBUSY;
        return;
    }
    sk_command_context context = {
        .clock_ms = crdt->wall_ms, .seed = event->submit.seed, .resp = event->submit.resp == 3 ? 3 : 2};
    size_t from = crdt->replies.size;
    crdt->ops->prepare(crdt->machine, &context, event->submit.command, &crdt->replies, &crdt->operations);
    if (crdt->answer_count == crdt->answer_capacity) {
        crdt->answer_capacity = crdt->answer_capacity ? crdt->answer_capacity * 2 : 16;
        crdt->answers = sk_realloc(crdt->answers, crdt->answer_capacity * sizeof *crdt->answers);
    }
    crdt->answers[crdt->answer_count++] =
        (sk_crdt_answer){.request = event->submit.request, .from = from, .size = crdt->replies.size - from};
}

void sk_crdt_clear_due(sk_crdt_replica *crdt)
{
    if (crdt->ops->next_due(crdt->machine) <= crdt->wall_ms) crdt->ops->clear_due(crdt->machine, crdt->wall_ms, &crdt->operations);
}

static void send_to_all(sk_crdt_replica *crdt, sk_slice operations)
{
    sk_crdt_message message = {.kind = SK_CRDT_OPERATIONS, .bytes = operations};
    sk_slice bytes = {0};
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (!crdt->peers[i].linked) continue;
        if (!bytes.size) bytes = sk_crdt_encode(crdt, &message);
        sk_crdt_send_encoded(crdt, crdt->peers[i].id, bytes, 0);
        crdt->counts.operations_sent++;
    }
}

// Steps over one operation; whose it is.
static sk_actor skip_operation(sk_reader *reader)
{
    sk_actor actor = sk_actor_read(reader);
    sk_read_varint(reader);
    sk_read_varint(reader);
    sk_read_sized(reader);
    return actor;
}

// Whole operations, about a chunk's size at a time.
static void send_operations(sk_crdt_replica *crdt)
{
    sk_reader reader = sk_reader_make(sk_buffer_slice(&crdt->operations));
    const uint8_t *from = reader.at;
    while (sk_reader_left(&reader)) {
        skip_operation(&reader);
        SK_ASSERT(!reader.bad);
        size_t size = (size_t)(reader.at - from);
        if (size < SK_CRDT_CHUNK_SIZE && sk_reader_left(&reader)) continue;
        send_to_all(crdt, sk_slice_make(from, size));
        from = reader.at;
    }
}

void sk_crdt_flush(sk_crdt_replica *crdt)
{
    enum { BYTES_KEPT = 64 * 1024 };
    if (crdt->operations.size) {
        sk_crdt_persist(crdt, SK_CRDT_RECORD_OPERATIONS, sk_buffer_slice(&crdt->operations), 0);
        send_operations(crdt);
        sk_buffer_reset(&crdt->operations, BYTES_KEPT);
        sk_crdt_changed(crdt);
    }
    sk_slice replies = sk_arena_copy(&crdt->out->arena, sk_buffer_slice(&crdt->replies));
    for (size_t i = 0; i < crdt->answer_count; i++) {
        const sk_crdt_answer *answer = &crdt->answers[i];
        sk_effect *effect = sk_effects_add(crdt->out, SK_EFFECT_ANSWER);
        effect->answer.request = answer->request;
        effect->answer.reply = sk_slice_make(replies.data + answer->from, answer->size);
        effect->answer.after = crdt->number > crdt->durable ? crdt->number : 0;
    }
    crdt->answer_count = 0;
    sk_buffer_reset(&crdt->replies, BYTES_KEPT);
}

// ---- Of others ----

// Are they all of lives of that node? Each operation begins with its actor; the machine looks at the rest.
static bool are_its_own(sk_slice operations, sk_node_id node)
{
    sk_reader reader = sk_reader_make(operations);
    while (sk_reader_left(&reader)) {
        if (sk_actor_node(skip_operation(&reader)) != node) return false;
    }
    return !reader.bad;
}

// Those that fit; the rest is held, if there is room, and what is missing asked for.
static void apply(sk_crdt_replica *crdt, sk_crdt_peer *peer, sk_slice operations, bool hold)
{
    size_t taken;
    int status = crdt->ops->apply(crdt->machine, crdt->wall_ms, operations, &taken);
    if (taken) {
        sk_crdt_persist(crdt, SK_CRDT_RECORD_OPERATIONS, sk_slice_make(operations.data, taken), SK_CRDT_REPORT_PAUSE);
        sk_crdt_changed(crdt);
    }
    if (status == SK_EPROTOCOL) sk_crdt_ignore(crdt, SK_CRDT_IGNORE_malformed);
    if (status != SK_EAGAIN || !hold) return;
    if (peer->held.size + operations.size - taken <= SK_CRDT_HELD_MAX) {
        sk_buffer_append(&peer->held, operations.data + taken, operations.size - taken);
        crdt->counts.operations_held++;
    } else {
        sk_crdt_ignore(crdt, SK_CRDT_IGNORE_held_full);
    }
    sk_crdt_ask_somebody(crdt);
}

void sk_crdt_on_operations(sk_crdt_replica *crdt, sk_crdt_peer *peer, sk_slice operations)
{
    crdt->counts.operations_received++;
    if (!are_its_own(operations, peer->id)) {
        sk_crdt_ignore(crdt, SK_CRDT_IGNORE_not_its_own);
        return;
    }
    apply(crdt, peer, operations, true);
}

// A gap has been filled, perhaps: once more. What still does not fit is dropped; the next report or operation tells of it.
void sk_crdt_apply_held(sk_crdt_replica *crdt)
{
    for (size_t i = 0; i < crdt->peer_count; i++) {
        sk_crdt_peer *peer = &crdt->peers[i];
        if (peer->held.size == 0) continue;
        sk_buffer held = peer->held;
        peer->held = (sk_buffer){0};
        apply(crdt, peer, sk_buffer_slice(&held), false);
        sk_buffer_deinit(&held);
    }
}
