// Catching up: what one asks, and what the other answers in parts.
#include "base/assert.h"
#include "protocol/merger/merger.h"

static const sk_ns patience = 10 * SK_S;        // with a peer that was asked: its parts wait for its disk
static const sk_ns answer_patience = 60 * SK_S; // with a peer that asked: longer than it has with us, though its disk be slow
static const sk_ns mend_pause = 60 * SK_S;      // between two walks over everything with one peer

// ---- Asking ----

bool sk_merger_may_ask(sk_merger *merger)
{
    merger->owed = merger->disk_behind && merger->durable < merger->brought;
    return !merger->ask.peer && !merger->owed;
}

bool sk_merger_may_mend(const sk_merger *merger, const sk_merger_peer *peer)
{
    return peer->mend && (peer->mended == 0 || merger->now - peer->mended >= mend_pause);
}

bool sk_merger_is_ahead(const sk_merger *merger, const sk_merger_peer *peer)
{
    return peer->reported && !sk_vector_covers(sk_merger_seen(merger), &peer->told);
}

void sk_merger_ask_peer(sk_merger *merger, sk_merger_peer *peer, uint8_t kind, bool everything)
{
    SK_ASSERT(!merger->ask.peer);
    if (everything) peer->mended = merger->now;
    peer->mend = false;
    merger->ask = (sk_merger_ask){.peer = peer, .session = ++merger->session, .until = merger->now + patience};
    merger->counts.asks++;
    sk_merger_message message = {
        .kind = kind, .session = merger->ask.session, .flag = everything, .seen = *sk_merger_seen(merger)};
    sk_merger_send(merger, peer->id, &message, 0);
}

bool sk_merger_is_asked(sk_merger *merger, const sk_merger_peer *peer, const sk_merger_message *message)
{
    bool asked = merger->ask.peer == peer && merger->ask.session == message->session && merger->ask.parts + 1 == message->number;
    if (!asked) merger->counts.ignored.other_session++;
    return asked;
}

void sk_merger_grant(sk_merger *merger, const sk_merger_peer *peer, uint8_t kind, const sk_merger_message *message)
{
    bool held = merger->disk_behind && merger->number > merger->durable;
    merger->ask.parts++;
    merger->brought = merger->number;
    merger->ask.held = held ? merger->number : 0;
    merger->ask.until = held ? SK_NEVER : merger->now + patience;
    sk_merger_message grant = {.kind = kind, .session = message->session, .number = message->number};
    sk_merger_send(merger, peer->id, &grant, merger->ask.held);
}

bool sk_merger_on_durable(sk_merger *merger, const sk_event *event)
{
    merger->durable = event->durable.number;
    if (merger->ask.held && merger->durable >= merger->ask.held) {
        merger->ask.held = 0;
        merger->ask.until = merger->now + patience;
    }
    return merger->owed && merger->durable >= merger->brought;
}

bool sk_merger_claims_ours(const sk_merger *merger, const sk_vector *vector)
{
    sk_actor self = sk_merger_self(merger);
    return sk_vector_get(vector, self) > sk_vector_get(sk_merger_seen(merger), self);
}

bool sk_merger_is_absurd(const sk_merger *merger, sk_actor actor)
{
    const sk_merger_peer *peer = sk_merger_find_peer(merger, sk_actor_node(actor));
    uint64_t known = sk_actor_node(actor) == merger->self ? merger->life : peer ? peer->life : 0;
    bool accepted = sk_actor_life(actor) <= known || sk_vector_get(sk_merger_seen(merger), actor);
    return sk_actor_life(actor) >= SK_LIFE_HONEST_MAX && !accepted;
}

// ---- Being asked ----

void sk_merger_stop_answering(sk_merger *merger, sk_merger_peer *peer)
{
    if (peer->walk) merger->ops->walk_close(peer->walk);
    peer->walk = NULL;
    peer->asking = false;
}

bool sk_merger_begin_answer(sk_merger *merger, sk_merger_peer *peer, const sk_merger_message *message)
{
    if (message->session <= peer->session) return false;
    sk_merger_stop_answering(merger, peer);
    peer->asking = true;
    peer->session = message->session;
    peer->sent = peer->acknowledged = 0;
    peer->until = merger->now + answer_patience;
    return true;
}

void sk_merger_open_walk(sk_merger *merger, sk_merger_peer *peer, const sk_merger_message *message)
{
    peer->walk = merger->ops->walk_open(merger->machine, message->flag ? NULL : &message->seen);
    merger->counts.full_walks += merger->ops->walk_full(peer->walk);
}

bool sk_merger_on_grant(sk_merger *merger, sk_merger_peer *peer, const sk_merger_message *message)
{
    bool ours = peer->asking && peer->session == message->session && message->number <= peer->sent &&
                message->number > peer->acknowledged;
    if (!ours) return false;
    peer->acknowledged = message->number;
    peer->until = merger->now + answer_patience;
    return true;
}

bool sk_merger_has_room(const sk_merger_peer *peer)
{
    return peer->asking && peer->sent - peer->acknowledged < SK_MERGER_PARTS_MAX;
}

void sk_merger_send_part(sk_merger *merger, sk_merger_peer *peer, uint8_t kind, uint64_t after)
{
    sk_merger_message message = {
        .kind = kind, .session = peer->session, .number = ++peer->sent, .bytes = sk_buffer_slice(&merger->scratch)};
    sk_merger_send(merger, peer->id, &message, after);
}

void sk_merger_send_end(sk_merger *merger, sk_merger_peer *peer, uint8_t kind, uint64_t after)
{
    sk_merger_message message = {.kind = kind, .session = peer->session, .number = peer->sent + 1};
    if (peer->walk) {
        message.flag = merger->ops->walk_full(peer->walk);
        message.seen = *merger->ops->walk_seen(peer->walk);
        message.base = *merger->ops->walk_base(peer->walk);
    }
    sk_merger_send(merger, peer->id, &message, after);
    sk_merger_stop_answering(merger, peer);
}

// ---- Both ----

bool sk_merger_sync_tick(sk_merger *merger)
{
    for (size_t i = 0; i < merger->peer_count; i++) {
        sk_merger_peer *peer = merger->peers[i];
        if (peer->asking && merger->now >= peer->until) sk_merger_stop_answering(merger, peer);
    }
    if (!merger->ask.peer || merger->now < merger->ask.until) return false;
    merger->counts.given_up++;
    return true;
}

sk_ns sk_merger_sync_deadline(const sk_merger *merger)
{
    sk_ns at = merger->ask.peer ? merger->ask.until : SK_NEVER;
    for (size_t i = 0; i < merger->peer_count; i++) {
        const sk_merger_peer *peer = merger->peers[i];
        if (peer->asking && peer->until < at) at = peer->until;
    }
    return at;
}
