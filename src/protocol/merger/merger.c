#include "protocol/merger/merger.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"

// ---- Beginning and end ----

void sk_merger_init(sk_merger *merger, const sk_setup *setup, const sk_merger_form *form)
{
    SK_ASSERT(setup->machine && setup->machine->mergeable);
    merger->self = setup->self;
    merger->boot = setup->boot;
    merger->born_ms = merger->wall_ms = setup->wall_ms;
    merger->machine = setup->machine;
    merger->ops = setup->machine->mergeable;
    merger->form = form;
    merger->limits = setup->limits;
    merger->now = setup->now;
    merger->number = merger->recovered = setup->recovery.snapshot_position;
    merger->lived = setup->recovery.snapshot_epoch;
    merger->first = merger->number + 1;
    merger->report_at = SK_NEVER;
}

void sk_merger_add_peer(sk_merger *merger, sk_node_id id, sk_merger_peer *peer)
{
    if (id == merger->self) return;
    SK_ASSERT(merger->peer_count < SK_MEMBERS_MAX);
    peer->id = id;
    merger->peers[merger->peer_count++] = peer;
}

void sk_merger_deinit(sk_merger *merger)
{
    for (size_t i = 0; i < merger->peer_count; i++) {
        sk_merger_peer *peer = merger->peers[i];
        if (peer->walk) merger->ops->walk_close(peer->walk);
        sk_vector_deinit(&peer->told);
    }
    sk_free(merger->answers);
    sk_vector_deinit(&merger->reported);
    sk_buffer_deinit(&merger->operations);
    sk_buffer_deinit(&merger->replies);
    sk_buffer_deinit(&merger->scratch);
    sk_buffer_deinit(&merger->head);
}

bool sk_merger_recover(sk_merger *merger, const sk_record *record)
{
    SK_ASSERT(!merger->started);
    if (record->epoch > merger->lived) merger->lived = record->epoch;
    if (record->kind != SK_RECORD_ENTRY || record->payload.size == 0) return false;
    if (record->number > merger->recovered) {
        merger->recovered = record->number;
        merger->bytes += record->payload.size;
    }
    return true;
}

void sk_merger_begin_life(sk_merger *merger, uint64_t beyond)
{
    if (beyond < merger->lived) beyond = merger->lived;
    merger->life = sk_life_choose(merger->self, merger->boot, merger->born_ms, sk_merger_seen(merger), beyond);
    merger->lived = merger->life;
    merger->ops->identify(merger->machine, merger->life);
}

void sk_merger_start(sk_merger *merger, sk_ns now, uint64_t beyond, sk_effects *out)
{
    SK_ASSERT(!merger->started && now >= merger->now);
    merger->now = now;
    merger->started = true;
    merger->out = out;
    sk_merger_begin_life(merger, beyond);
    if (merger->number < merger->recovered) { // one position for all that was recovered
        merger->number = merger->recovered;
        sk_effect *effect = sk_effects_add(out, SK_EFFECT_APPLY);
        effect->apply.position = merger->number;
        effect->apply.epoch = merger->life;
    }
    merger->durable = merger->number;
}

// ---- Records ----

void sk_merger_persist(sk_merger *merger, uint8_t kind, sk_slice bytes, sk_ns within)
{
    uint8_t *payload = sk_arena_take(&merger->out->arena, bytes.size + 1);
    payload[0] = kind;
    if (bytes.size) memcpy(payload + 1, bytes.data, bytes.size);
    merger->number++;
    merger->bytes += bytes.size;
    sk_effect *effect = sk_effects_add(merger->out, SK_EFFECT_PERSIST);
    effect->persist.within = within;
    effect->persist.record = (sk_record){.kind = SK_RECORD_ENTRY,
                                         .number = merger->number,
                                         .position = merger->number,
                                         .epoch = merger->life,
                                         .payload = sk_slice_make(payload, bytes.size + 1)};
    effect = sk_effects_add(merger->out, SK_EFFECT_APPLY); // the machine has it already: only the position moves
    effect->apply.position = merger->number;
    effect->apply.epoch = merger->life;
    bool full = merger->number - merger->first >= merger->limits.log_entries_max || merger->bytes >= merger->limits.log_bytes_max;
    if (full && !merger->snapshot_asked) {
        sk_effects_add(merger->out, SK_EFFECT_SNAPSHOT_WANTED);
        merger->snapshot_asked = true;
    }
}

void sk_merger_on_snapshot(sk_merger *merger, const sk_event *event)
{
    if (event->snapshot.position + 1 > merger->first) merger->first = event->snapshot.position + 1;
    merger->bytes = 0;
    merger->snapshot_asked = false;
}

// ---- Messages ----

sk_merger_peer *sk_merger_find_peer(const sk_merger *merger, sk_node_id id)
{
    for (size_t i = 0; i < merger->peer_count; i++) {
        if (merger->peers[i]->id == id) return merger->peers[i];
    }
    return NULL;
}

// `sender`: in the life that it says is its present one. Of that and of those before it, it is believed.
static bool has_absurd(const sk_merger *merger, const sk_vector *vector, sk_actor sender)
{
    for (size_t i = 0; i < vector->count; i++) {
        sk_actor actor = vector->list[i].actor;
        bool its_own = sk_actor_node(actor) == sk_actor_node(sender) && actor <= sender;
        if (!its_own && sk_merger_is_absurd(merger, actor)) return true;
    }
    return false;
}

sk_merger_peer *sk_merger_on_receive(sk_merger *merger, const sk_event *event, sk_merger_message *out)
{
    *out = (sk_merger_message){0};
    sk_merger_peer *peer = sk_merger_find_peer(merger, event->receive.from);
    if (!peer || !peer->linked) {
        if (peer) merger->counts.ignored.not_linked++;
        else merger->counts.ignored.not_a_member++;
        return NULL;
    }
    peer->heard = merger->now;
    if (sk_merger_message_read(merger->form, event->receive.message, out) == 0) {
        sk_actor sender = sk_actor_make(peer->id, out->life); // of a report
        if (!has_absurd(merger, &out->seen, sender) && !has_absurd(merger, &out->base, sender)) return peer;
    }
    merger->counts.ignored.malformed++;
    return NULL;
}

bool sk_merger_declines(sk_merger *merger)
{
    merger->counts.ignored.disk_behind += merger->disk_behind;
    return merger->disk_behind;
}

static sk_slice encode(sk_merger *merger, const sk_merger_message *message)
{
    sk_buffer *head = &merger->head;
    sk_buffer_clear(head);
    sk_merger_message_write_head(merger->form, message, head);
    uint8_t *bytes = sk_arena_take(&merger->out->arena, head->size + message->bytes.size);
    memcpy(bytes, head->data, head->size);
    if (message->bytes.size) memcpy(bytes + head->size, message->bytes.data, message->bytes.size);
    return sk_slice_make(bytes, head->size + message->bytes.size);
}

static void send_encoded(sk_merger *merger, sk_node_id to, sk_slice message, uint64_t after)
{
    sk_effect *effect = sk_effects_add(merger->out, SK_EFFECT_SEND);
    effect->send.to = to;
    effect->send.message = message;
    if (after < merger->send_after) after = merger->send_after;
    effect->send.after = after > merger->durable ? after : 0;
    effect->send.class = SK_SEND_BULK; // one queue: a report overtakes nothing that was sent before it
}

void sk_merger_send(sk_merger *merger, sk_node_id to, const sk_merger_message *message, uint64_t after)
{
    send_encoded(merger, to, encode(merger, message), after);
}

size_t sk_merger_send_to_linked(sk_merger *merger, const sk_merger_message *message, uint64_t after)
{
    sk_slice bytes = {0};
    size_t count = 0;
    for (size_t i = 0; i < merger->peer_count; i++) {
        if (!merger->peers[i]->linked) continue;
        if (!count++) bytes = encode(merger, message);
        send_encoded(merger, merger->peers[i]->id, bytes, after);
    }
    return count;
}

// ---- What is asked of a replica ----

sk_ns sk_merger_deadline(const sk_merger *merger, sk_ns at)
{
    if (merger->halted) return SK_NEVER;
    if (merger->operations.size || merger->answer_count || merger->loading) return 0;
    uint64_t due = merger->ops->next_due(merger->machine);
    if (due == UINT64_MAX) return at;
    uint64_t wait_ms = due > merger->wall_ms ? due - merger->wall_ms : 0;
    if (wait_ms > SK_NEVER / SK_MS / 4) return at;
    sk_ns due_at = merger->now + wait_ms * SK_MS;
    return due_at < at ? due_at : at;
}

uint64_t sk_merger_mix_vector(uint64_t hash, const sk_vector *vector)
{
    for (size_t i = 0; i < vector->count; i++)
        hash = sk_hash_mix(sk_hash_mix(hash, vector->list[i].actor), vector->list[i].counter);
    return hash;
}

uint64_t sk_merger_fingerprint(const sk_merger *merger)
{
    uint64_t hash = sk_hash_mix(merger->machine->ops->digest(merger->machine), merger->number);
    hash = sk_merger_mix_vector(hash, sk_merger_seen(merger));
    return sk_merger_mix_vector(hash, merger->ops->base(merger->machine));
}

sk_status sk_merger_status(const sk_merger *merger)
{
    return (sk_status){.role = merger->halted ? SK_ROLE_HALTED : SK_ROLE_LEADER, // every node takes writes
                       .leader = merger->halted ? 0 : merger->self,
                       .epoch = merger->life,
                       .first = merger->first,
                       .last = merger->number,
                       .committed = merger->number,
                       .applied = merger->number,
                       .loading = merger->loading,
                       .why = merger->loading ? "it takes over a peer's state" : merger->why};
}

sk_peer_status sk_merger_peer_status(const sk_merger *merger, sk_node_id id)
{
    const sk_merger_peer *peer = sk_merger_find_peer(merger, id);
    if (!peer) return (sk_peer_status){0};
    return (sk_peer_status){.matched = sk_vector_get(&peer->told, sk_merger_self(merger)),
                            .round_trip = peer->round_trip,
                            .heard = peer->heard,
                            .linked = peer->linked};
}

void sk_merger_check(const sk_merger *merger)
{
    SK_ASSERT(sk_vector_covers(sk_merger_seen(merger), merger->ops->base(merger->machine)));
    SK_ASSERT(merger->durable <= merger->number && merger->first <= merger->number + 1);
    SK_ASSERT(!merger->ask.peer || merger->ask.peer->linked);
    for (size_t i = 0; i < merger->peer_count; i++) {
        const sk_merger_peer *peer = merger->peers[i];
        SK_ASSERT(peer->linked || !peer->asking);
        SK_ASSERT(peer->asking || !peer->walk);
        SK_ASSERT(!peer->asking || peer->sent - peer->acknowledged <= SK_MERGER_PARTS_MAX);
    }
}
